"""Many fits at once: each in a thread of its own, Python in one of them at a time, compiled programs in all.

scikit-learn's code around a fit is not made for threads: it exchanges the process's warning filters
and puts them back. So the fits of a crew pass a baton, and whoever waits for a compiled program, which
is where nearly all time goes, lets go of it. All call the one program that their shapes share.
"""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar
from typing import Any, TypeVar

import joblib
from joblib.parallel import ParallelBackendBase

Found = TypeVar("Found")


class Crew:
    """What the fits of one search have in common.

    `rows` is what every part of every fit makes room for, `dropout` whether all programs have
    dropout in them, be it zero: fits that differ only there then share one.
    """

    def __init__(self) -> None:
        self.rows = 0
        self.dropout = False
        self._baton = threading.Lock()
        self._holder = threading.local()
        self._dismissed = threading.Event()

    @contextmanager
    def assembled(self) -> Iterator[None]:
        """Make this the crew of the fits in this thread."""
        token = _present.set(self)
        try:
            yield
        finally:
            _present.reset(token)

    def work(self, task: Callable[[], Found]) -> Found:
        """Do a task that fits, in a thread of the crew."""
        with self.assembled(), self._baton:
            self._holder.here = True
            try:
                return task()
            finally:
                self._holder.here = False

    @contextmanager
    def computing(self) -> Iterator[None]:
        """Let others of the crew use Python meanwhile. Raises `Dismissed` where nobody waits for the result."""
        if not getattr(self._holder, "here", False):  # it is the only one
            yield
            return
        self._baton.release()
        try:
            yield
        finally:
            self._baton.acquire()
        if self._dismissed.is_set():
            raise Dismissed

    def dismiss(self) -> None:
        """End all fits after the calls in progress."""
        self._dismissed.set()

    def recall(self) -> None:
        """Let fits go on again."""
        self._dismissed.clear()


class Dismissed(BaseException):
    """The search is over, by Ctrl-C or an error elsewhere; no `except Exception` shall take this for a failed fit."""


_present: ContextVar[Crew | None] = ContextVar("crew", default=None)


def present() -> Crew | None:
    """The crew that a fit in this thread belongs to."""
    return _present.get()


def has_dropout() -> bool:
    """Whether the programs of this thread's crew have dropout in them, be it zero."""
    everyone = present()
    return everyone is not None and everyone.dropout


def computing() -> AbstractContextManager[None]:
    """Around a compiled call: let others of this thread's crew use Python meanwhile."""
    everyone = present()
    return everyone.computing() if everyone else nullcontext()


class Threads(ParallelBackendBase):
    """joblib's way to the threads of a crew, one a core unless told otherwise."""

    default_n_jobs = -1
    supports_retrieve_callback = True
    supports_sharedmem = True
    uses_threads = True

    def __init__(self, crew: Crew) -> None:
        super().__init__(nesting_level=0)
        self._crew = crew
        self._pool: ThreadPoolExecutor | None = None

    def effective_n_jobs(self, n_jobs: int) -> int:
        """How many fits at a time; from -1 downward all cores but so many."""
        if n_jobs == 0:
            raise ValueError("n_jobs == 0 has no meaning: give a number of threads, or None for one a core")
        return n_jobs if n_jobs > 0 else max(1, int(joblib.cpu_count()) + 1 + n_jobs)

    def configure(self, n_jobs: int = 1, parallel: Any = None, **ignored: Any) -> int:
        """Start the threads."""
        self.parallel = parallel
        count = self.effective_n_jobs(n_jobs)
        self._pool = ThreadPoolExecutor(count, "fits")
        return count

    def submit(self, func: Callable[[], Any], callback: Callable[[Any], None] | None = None) -> "Future[Any]":
        """Have a batch of fits done."""
        assert self._pool is not None
        future = self._pool.submit(self._crew.work, func)
        if callback is not None:
            future.add_done_callback(callback)
        return future

    def retrieve_result_callback(self, future: "Future[Any]") -> Any:
        """What a batch came to."""
        return future.result()

    def terminate(self) -> None:
        """End the threads."""
        if self._pool is not None:
            self._pool.shutdown(wait=True, cancel_futures=True)
            self._pool = None

    def abort_everything(self, ensure_ready: bool = True) -> None:
        """Leave what is under way."""
        self._crew.dismiss()
        self.terminate()
        self._crew.recall()
        if ensure_ready:
            self.configure(self.parallel.n_jobs, self.parallel)
