"""A session that is to come: its program compiles on another thread while the old network goes on training."""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

from layerwise.recipe import Recipe
from layerwise.studio.games.session import Session
from layerwise.training.padded import STANDARD, Room

_known = {STANDARD}  # rooms whose programs this process has compiled, or compiles as it begins


def known(room: Room) -> bool:
    """Whether nothing is to be compiled for what is played in a room."""
    return room in _known


def compile_for(session: Session) -> None:
    """Have every program of playing ready: training, and all that a frame shows."""
    session.advance(0)
    session.timeline.figures()
    session.frame()()
    _known.add(session.room)


class Coming:
    """What the newest change asked for, while it is prepared; an older one is forgotten when a newer one comes.

    `ready` is called, on another thread, when there is something to `take`.
    """

    def __init__(self, ready: Callable[[], None]) -> None:
        self._ready = ready
        self._threads = ThreadPoolExecutor(1, "layerwise-programs")
        self._now: tuple[Session, Future[None]] | None = None

    @property
    def words(self) -> str:
        """The widths of what is prepared, "" where nothing is."""
        return self._now[0].widths if self._now else ""

    @property
    def session(self) -> Session | None:
        """What is prepared."""
        return self._now[0] if self._now else None

    @property
    def recipe(self) -> Recipe | None:
        """Its recipe."""
        return self._now[0].recipe if self._now else None

    def prepare(self, session: Session) -> None:
        """Begin to compile for a session."""
        work = self._threads.submit(compile_for, session)
        self._now = session, work
        work.add_done_callback(lambda _: self._ready())

    def forget(self) -> None:
        """What is prepared is not wanted any more."""
        if self._now is not None:
            self._now[1].cancel()
        self._now = None

    def take(self) -> Session | None:
        """The session, once it is ready; raises what went wrong in preparing it."""
        if self._now is None or not self._now[1].done():
            return None
        (session, work), self._now = self._now, None
        work.result()
        return session

    def close(self) -> None:
        """Begin nothing more."""
        self._threads.shutdown(wait=False, cancel_futures=True)
