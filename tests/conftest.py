"""What every test stands on: caches inside the repository, hypothesis profiles, and no silent skips.

A skipped test fails the run unless its reason is one of `EXPECTED_SKIPS` and holds on this machine;
the summary says how many were skipped for what.
"""

import gc
import inspect
import json
import os
import re
import select
import signal
import subprocess
import sys
import time
import typing
from collections import Counter
from collections.abc import Callable, Generator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

ROOT = Path(__file__).resolve().parent.parent
CACHE = ROOT / ".cache"

# Most of what tests import and compile stays; looking through it for garbage so often took a twentieth of their time.
gc.set_threshold(50_000, 20, 50)

# Before anything is imported: compilations are what the tests cost, so they are kept between runs, and
# a relative data folder is meant from the repository, wherever a test goes.
os.environ.setdefault("HYPOTHESIS_STORAGE_DIRECTORY", str(CACHE / "hypothesis"))
os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", str(CACHE / "jax"))
os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0")
os.environ["XDG_CACHE_HOME"] = str(CACHE / "user")
# Without LLVM's optimizations and XLA's newer way of fusing a program compiles in half the time (decision 0014).
QUICKLY = "--xla_backend_optimization_level=0 --xla_cpu_use_fusion_emitters=false"
if QUICKLY not in os.environ.get("XLA_FLAGS", ""):
    os.environ["XLA_FLAGS"] = f"{os.environ.get('XLA_FLAGS', '')} {QUICKLY}".strip()
# There are test processes enough for all cores: more threads would wait for each other.
THREADS = ("OPENBLAS_NUM_THREADS", "POLARS_MAX_THREADS")
for name in THREADS:
    os.environ.setdefault(name, "1")
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # each process that a test starts would compile every module anew
if os.environ.get("LAYERWISE_DATA"):
    os.environ["LAYERWISE_DATA"] = str((ROOT / os.environ["LAYERWISE_DATA"]).resolve())

import jaxtyping  # noqa: E402
import pytest  # noqa: E402
from beartype import BeartypeConf  # noqa: E402
from browser import MISSING, PROGRAM  # noqa: E402
from hypothesis import HealthCheck, settings  # noqa: E402

# ── types ───────────────────────────────────────────────────────────────────────────────────────

_with_shapes: Any = jaxtyping.jaxtyped
AS_WITH_SHAPES = BeartypeConf(violation_type=jaxtyping.TypeCheckError)  # a `TypeError`


def _checked(*, typechecker: Callable[..., Any]) -> Callable[[Any], Any]:
    """What decorates every function and class of the package: its types are checked, and the shapes it names.

    `jaxtyped` binds the arguments anew at each call, which took two fifths of the time of the tests that compile
    nothing. What names no shape needs the type checker only.
    """

    def decorate(given: Any) -> Any:
        if inspect.isfunction(given) and not any(map(_names_shapes, given.__annotations__.values())):
            return typechecker(given, conf=AS_WITH_SHAPES)
        return _with_shapes(given, typechecker=typechecker)

    return decorate


def _names_shapes(annotation: Any) -> bool:
    """Whether an array's shape is anywhere in an annotation; a text may hold anything."""
    if isinstance(annotation, list):  # the arguments of a callable
        return any(map(_names_shapes, annotation))
    if isinstance(annotation, str | typing.ForwardRef) or getattr(annotation, "__module__", "") == "jaxtyping":
        return True
    return typing.get_origin(annotation) is not Literal and any(map(_names_shapes, typing.get_args(annotation)))


jaxtyping.jaxtyped = _checked  # where `--jaxtyping-packages` looks it up, at the import of each module

# Time is not tested: two busy cores and a first compilation make any limit a matter of luck.
SHARED = {"deadline": None, "suppress_health_check": [HealthCheck.too_slow]}
settings.register_profile("ci", derandomize=True, max_examples=50, **SHARED)
settings.register_profile("explore", max_examples=2000, **SHARED)  # pytest --hypothesis-profile=explore
settings.load_profile("ci")

# A pattern for the reason, and whether a skip for it is right on this machine.
EXPECTED_SKIPS: list[tuple[str, Callable[[], bool]]] = [
    ("LAYERWISE_DATA", lambda: not os.environ.get("LAYERWISE_DATA")),
    (MISSING, lambda: PROGRAM is None),
    ("PostgreSQL's server is not installed", lambda: not list(Path("/usr/lib/postgresql").glob("*/bin/postgres"))),
]

skipped: Counter[str] = Counter()


def pytest_configure(config: pytest.Config) -> None:
    folder = os.environ.get("LAYERWISE_DATA")
    if folder and not Path(folder).is_dir():
        raise pytest.UsageError(f"LAYERWISE_DATA names a folder that does not exist: {folder}")


# Files that take minutes, the longest first: begun last, one process would wait for the other.
LONG = (
    "tests/test_readme.py",
    "tests/training/test_lanes.py",
    "tests/estimators/test_search.py",
    "tests/report/test_pages.py",
    "tests/data/test_malformed.py",
    "tests/training/test_padded.py",
    "tests/tuning/test_kills.py",
    "tests/training/test_kills.py",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put long files first; all others stay in their order."""
    order = {name: place for place, name in enumerate(LONG)}
    items.sort(key=lambda item: order.get(item.nodeid.partition("::")[0], len(LONG)))


def reason_of(report: pytest.TestReport | pytest.CollectReport) -> str | None:
    """Why a test was skipped; None where it was not."""
    if report.outcome != "skipped" or hasattr(report, "wasxfail"):
        return None
    reason = report.longrepr[2] if isinstance(report.longrepr, tuple | list) else str(report.longrepr)
    return str(reason).removeprefix("Skipped: ")


def refuse_unexpected(report: pytest.TestReport | pytest.CollectReport) -> None:
    """Turn a skip that nobody expects into a failure."""
    reason = reason_of(report)
    if reason is not None and not any(re.search(pattern, reason) and holds() for pattern, holds in EXPECTED_SKIPS):
        report.outcome = "failed"
        report.longrepr = f"unexpected skip: {reason}\nEXPECTED_SKIPS in tests/conftest.py lists the expected reasons"


def count(report: pytest.TestReport | pytest.CollectReport) -> None:
    """Count the expected skips, in the process that writes the summary."""
    if (reason := reason_of(report)) is not None:
        skipped[reason] += 1


pytest_runtest_logreport = pytest_collectreport = count


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    refuse_unexpected(report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(
    collector: pytest.Collector,
) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    report = yield
    refuse_unexpected(report)
    return report


def pytest_terminal_summary(terminalreporter: Any) -> None:
    for reason, count in skipped.most_common():
        terminalreporter.write_line(f"skipped {count}: {reason}")


@pytest.fixture(scope="session")
def chromium() -> str:
    """The browser's program; tests that ask for it skip where there is none."""
    if PROGRAM is None:
        pytest.skip(MISSING)
    return PROGRAM


# ── compiled programs ───────────────────────────────────────────────────────────────────────────

AS_FOR_USERS: dict[str, bool | int] = {"xla_backend_optimization_level": 3, "xla_cpu_use_fusion_emitters": True}
MOST_MAPPINGS = 20_000  # of the 65,530 that Linux gives a process; each compiled program takes several


@pytest.fixture(autouse=True, scope="session")
def compiled_quickly() -> None:
    """Have this process compile by the flags above, and the processes that it starts by those of the user."""
    import jax
    import polars

    from layerwise.training import kept

    jax.jit(abs)(0)  # at the first compilation XLA reads them, then never again
    assert QUICKLY in (kept.FLAGS or ""), "programs that are kept are named after them"
    os.environ["XLA_FLAGS"] = os.environ["XLA_FLAGS"].replace(QUICKLY, "").strip()
    if polars.thread_pool_size() == 1:  # from now on
        for name in THREADS:
            os.environ.pop(name, None)


@pytest.fixture(scope="module")
def compiled_alike() -> Generator[None]:
    """Processes that tests start compile as this one does: for tests that compare their numbers to its own."""
    from layerwise.training import kept

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XLA_FLAGS", kept.FLAGS or "")
        yield


@pytest.fixture(scope="module")
def compiled_as_for_users() -> Generator[None]:
    """Programs of training as users have them, in this process too: docs/decisions/0014-tests-compile-quickly.md."""
    from layerwise.training import compile as compiling
    from layerwise.training import lanes, loop, padded

    def forget() -> None:
        for made in (loop._compiled, lanes._compiled_stack, padded.compiled):
            made.cache_clear()

    with pytest.MonkeyPatch.context() as patch:
        for options in (compiling.ORDINARY, compiling.TINY):
            for name, value in AS_FOR_USERS.items():
                patch.setitem(options, name, value)
        forget()
        yield
    forget()


@pytest.fixture(autouse=True, scope="module")
def let_programs_go() -> Generator[None]:
    """Thousands of programs are compiled in one test run: past the limit of mappings XLA ends in a fault."""
    yield
    mappings = Path("/proc/self/maps")
    if "jax" in sys.modules and mappings.exists() and mappings.read_bytes().count(b"\n") > MOST_MAPPINGS:
        sys.modules["jax"].clear_caches()
        gc.collect()


# ── studies without their training ──────────────────────────────────────────────────────────────

SPACE: dict[str, Any] = {"train.learning_rate": {"log": [1e-4, 1e-2]}, "train.dropout": {"uniform": [0, 0.5]}}


@pytest.fixture
def invent(tmp_path: Path) -> Callable[..., Path]:
    """A function that writes the folder of a study which nobody searched, by its values; see `_invented`."""

    def invented(values: Sequence[float | None], name: str = "study", **given: Any) -> Path:
        return _invented(tmp_path / name, values, **given)

    return invented


@pytest.fixture(scope="session")
def inventing() -> Callable[..., Path]:
    """The same for whoever has a folder: `_invented` itself."""
    return _invented


def _invented(
    path: Path,
    values: Sequence[float | None],
    *,
    settings: Sequence[Mapping[str, Any]] = (),
    states: Mapping[int, str] = {},
    curves: bool = True,
    finals: Mapping[int | None, Sequence[float]] = {},
    status: str = "finished",
    monitor: str = "loss",
    space: Mapping[str, Any] = SPACE,
    remarks: Sequence[str] = (),
    storage: str | None = None,
) -> Path:
    """Trials in the order of their ends, a second each; None diverged. `states` by number, if not "finished".

    `finals` has the values of each finalist by its trial's number, None being the recipe as written; the best
    of them won. A `status` of "" is that of a study that is going on.
    """
    from layerwise.recipe import decode
    from layerwise.training.events import TestTouched
    from layerwise.tuning import events as e
    from layerwise.tuning.folder import StudyFolder

    folder = StudyFolder(path)
    recipe: dict[str, Any] = {"data": {"kind": "toy", "name": "moons"}, "train": {"monitor": monitor}}
    folder.found(decode({**recipe, "search": {"space": space, "trials": max(1, len(values))}}), storage, "owner")
    settings = settings or [{"train.learning_rate": 1e-3, "train.dropout": n / 100} for n in range(len(values))]
    rows = {"train": 60, "validation": 20, "test": 20}
    folder.append(
        e.StudyStarted(
            seconds=0, method="random", trials=len(values), done=0, monitor=monitor, axes={}, rows=rows, notes=()
        )
    )
    for number, (value, chosen) in enumerate(zip(values, settings, strict=True)):
        state = states.get(number, "finished" if value is not None else "diverged")
        curve = ((1.0, None), (0.5, value)) if curves and value is not None else ()
        folder.append(
            e.TrialEnded(
                seconds=number + 1, number=number, settings=dict(chosen), state=state, value=value, epochs=len(curve),
                curve=curve,
            )
        )  # fmt: skip
    given = [(number, {} if number is None else dict(settings[number]), seen) for number, seen in finals.items()]
    known = [_finalist(number, chosen, seen, values) for number, chosen, seen in given]
    for final in known:
        folder.append(final)
    if known and status:
        folder.append(TestTouched(seconds=len(values) + 2, count=1, reason="end of training"))
    if status:
        winner = min(known, key=lambda final: final.mean * (1 if monitor == "loss" else -1), default=None)
        folder.append(_ending(status, winner, len(values), remarks))
    return path


def _finalist(number: int | None, settings: dict[str, Any], seen: Sequence[float], values: Sequence[Any]) -> Any:
    import msgspec

    from layerwise.tuning.events import Finalist
    from layerwise.tuning.winner import interval

    mean, low, high = msgspec.structs.astuple(interval("", list(seen)))
    return Finalist(
        seconds=len(values) + 1,
        number=number,
        settings=settings,
        searched=None if number is None else values[number],
        values=tuple(seen),
        mean=mean,
        low=low,
        high=high,
    )


def _ending(status: str, winner: Any, done: int, remarks: Sequence[str]) -> Any:
    from layerwise.tasks.intervals import Interval
    from layerwise.tuning.events import StudyFinished

    scores = {"test": {"accuracy": Interval(0.75, 0.625, 0.875), "macro_f1": Interval(0.5, 0.25, 0.75)}}
    baselines = {"rbf_svm": {"test": {"accuracy": Interval(0.5, 0.375, 0.625)}}}
    return StudyFinished(
        seconds=done + 2,
        status=status,
        done=done,
        winner=winner,
        metrics=scores if winner else {},
        baselines=baselines if winner else {},
        remarks=tuple(remarks),
    )


# ── processes to be killed ──────────────────────────────────────────────────────────────────────


class ForkServer:
    """A process that runs `script`, which forks a child for each line it reads and says what becomes of it."""

    def __init__(self, script: str) -> None:
        self._process = subprocess.Popen([sys.executable, "-W", "ignore", "-c", script], stdin=-1, stdout=-1)
        self._unread = b""
        assert self.line(60) == "ready"

    def line(self, seconds: float) -> str | None:
        """The next line that comes within `seconds`, or None."""
        assert self._process.stdout is not None
        until = time.monotonic() + seconds
        while b"\n" not in self._unread:
            left = max(0.0, until - time.monotonic())
            if not select.select([self._process.stdout], [], [], left)[0]:
                return None
            self._unread += os.read(self._process.stdout.fileno(), 1000)
        line, _, self._unread = self._unread.partition(b"\n")
        return line.decode()

    def begin(self, folder: Path, recipe: Mapping[str, Any]) -> int:
        """Have a child train or resume; its number."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps([str(folder), recipe]).encode() + b"\n")
        self._process.stdin.flush()
        return int(self.line(60) or "")

    def end(self, child: int, said: str | None) -> bool:
        """Kill the child unless it has `said` something; whether it came to its end before."""
        if said is None:
            os.kill(child, signal.SIGKILL)
            said = self.line(60)
        done = said == "done"
        assert (self.line(60) if done else said) == "over"
        return done

    def close(self) -> None:
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(60)
        self._process.stdout.close()


@pytest.fixture(scope="session")
def fork_server() -> type[ForkServer]:
    """What starts processes that a test kills."""
    return ForkServer
