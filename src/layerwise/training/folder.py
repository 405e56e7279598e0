"""The run folder: what is in it, and how it is written so that no crash leaves it unreadable.

recipe.toml          the resolved recipe, every value written out
events.jsonl         one event a line, appended
state.safetensors    the exact state of training, for `layerwise resume`
model.safetensors    the best model
metrics.json         scores, baselines, rows, environment
baselines.json       the baselines' answers, while the run can go on: then they need not be asked for again
data.parquet         the table, where it was given in memory
report.html          the report, where one was asked for
.lock                held by the process that trains
"""

import contextlib
import io
import json
import os
import platform
import shlex
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from importlib import metadata
from pathlib import Path
from typing import IO, Any, TypeVar

import msgspec

from layerwise import files
from layerwise.errors import RunError
from layerwise.recipe import Recipe, Source, load, plain, to_toml
from layerwise.tasks.baselines import Answered
from layerwise.training.checkpoint import Mark
from layerwise.training.events import AnyEvent, TestTouched

Event = TypeVar("Event")

_DECODER: msgspec.json.Decoder[AnyEvent] = msgspec.json.Decoder(AnyEvent)


class Folder:
    """The files of one run. Opening writes nothing; `hold` and `write_recipe` make the folder."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.recipe = path / "recipe.toml"
        self.log = path / "events.jsonl"
        self.state = path / "state.safetensors"
        self.model = path / "model.safetensors"
        self.metrics = path / "metrics.json"
        self.baselines = path / "baselines.json"
        self.data = path / "data.parquet"
        self.report = path / "report.html"
        self.lock = path / ".lock"
        self._lock: IO[bytes] | None = None

    def hold(self, *, fresh: bool) -> bool:
        """Make the folder and keep other processes out of it until `release`; False where one is at work in it.

        For a fresh run also where there is a run already. Raises `StorageError`.
        """
        if self._lock is None:
            files.make_folder(self.path)
            self._lock = files.hold(self.lock)
            if fresh and self.recipe.exists():
                self.release()
        return self._lock is not None

    def release(self) -> None:
        """Let others in."""
        if self._lock is not None:
            self._lock.close()  # closing unlocks
            self._lock = None

    def abandon(self) -> None:
        """Let others in, and leave nothing where nothing was written."""
        if self._lock is not None and all(path == self.lock for path in self.path.iterdir()):
            with contextlib.suppress(OSError):
                self.lock.unlink()
                self.path.rmdir()
        self.release()

    def taken(self, *, fresh: bool) -> RunError:
        """The error for a folder that is not to be had, by a fresh run or by one that goes on."""
        received, remedy = "in which another is at work", "wait until it is over"
        if fresh and self.recipe.exists() and not files.held(self.lock):
            word = shlex.quote(str(self.path))
            received = "which holds a run"
            remedy = f"go on with it: layerwise resume {word}; or remove it: layerwise runs remove {word}"
        return RunError(
            "a run has a folder of its own" if fresh else "one process at a time works in a run's folder",
            received=f"{self.path}, {received}",
            remedy=f"choose another folder; or {remedy}" if fresh else remedy,
        )

    def begin(self, recipe: Recipe) -> None:
        """Write the resolved recipe of a run that begins, which nobody is to go on with from an earlier state."""
        with files.storing(self.state):
            self.state.unlink(missing_ok=True)
        self.write_recipe(recipe)

    def write_recipe(self, recipe: Recipe) -> None:
        """Make the folder and write the resolved recipe. Raises `StorageError`."""
        files.make_folder(self.path)
        files.write(self.recipe, to_toml(recipe).encode())

    def read_recipe(self) -> Recipe:
        """The recipe of an existing run. Raises `RunError` where the folder is not one."""
        if not self.recipe.is_file():
            raise RunError(
                "a run is a folder with a recipe.toml in it",
                received=str(self.path),
                remedy="list the runs with: layerwise runs list",
            )
        if (self.path / "study.json").is_file():  # a run written into it would bury what the study came to
            raise RunError(
                "a run goes on in its own folder",
                received=f"{self.path}, which holds a study",
                remedy=f"go on with: layerwise tune --resume {self.path}; its winner is in {self.path / 'best'}",
            )
        return load(self.recipe)

    def write_data(self, table: Any) -> None:
        """Keep a table given in memory, so that the run can be resumed. Raises `StorageError`, `DataError`."""
        from layerwise.data.read import frame_of

        content = io.BytesIO()
        frame_of(table).write_parquet(content)
        files.write(self.data, content.getvalue())

    def append(self, events: Iterable[AnyEvent]) -> None:
        """Append events to the log. Raises `StorageError`."""
        with files.storing(self.log), self.log.open("ab") as file:
            file.write(_lines(events))

    def log_bytes(self) -> int:
        """How long the log is."""
        return self.log.stat().st_size if self.log.exists() else 0

    def rewind(self, mark: Mark) -> None:
        """Cut the log back to where a checkpoint was taken: what came after will happen again.

        That the test part was looked at cannot be undone, so those events are kept.
        """
        touches = [event for event in self.events(mark.log_bytes) if isinstance(event, TestTouched)]
        kept = self.log.read_bytes()[: mark.log_bytes] if self.log.exists() else b""
        files.write(self.log, kept + _lines(touches))
        for path in (self.recipe, self.log, self.state, self.model, self.metrics, self.baselines, self.data):
            files.sweep(path)

    def events(self, start: int = 0) -> list[AnyEvent]:
        """The events logged from byte `start` on; a last line that a crash cut short is left out."""
        return logged(self.log, _DECODER, start)

    def write_metrics(self, result: dict[str, Any]) -> None:
        """Write metrics.json, the environment included. Raises `StorageError`."""
        text = json.dumps({**result, "environment": environment()}, indent=2, allow_nan=False)
        files.write(self.metrics, text.encode() + b"\n")

    def read_metrics(self) -> dict[str, Any]:
        """What `write_metrics` wrote; empty where the run has not come so far."""
        try:
            found: dict[str, Any] = json.loads(self.metrics.read_bytes())
        except (OSError, ValueError):
            return {}
        return found

    def write_answered(self, answered: Answered | None) -> None:
        """Keep what the baselines have answered, or nothing of it. Raises `StorageError`."""
        if answered is not None:
            files.write(self.baselines, msgspec.json.encode(answered))
            return
        with files.storing(self.baselines):
            self.baselines.unlink(missing_ok=True)

    def read_answered(self) -> Answered | None:
        """What `write_answered` wrote."""
        try:
            return msgspec.json.decode(self.baselines.read_bytes(), type=Answered)
        except (OSError, msgspec.DecodeError):
            return None


def logged(log: Path, decoder: msgspec.json.Decoder[Event], start: int = 0) -> list[Event]:
    """The events in a log from byte `start` on; a last line that a crash cut short is left out."""
    if not log.exists():
        return []
    found: list[Event] = []
    for line in log.read_bytes()[start:].splitlines():
        try:
            found.append(decoder.decode(line))
        except msgspec.DecodeError:
            break
    return found


def _lines(events: Iterable[AnyEvent]) -> bytes:
    return b"".join(msgspec.json.encode(event) + b"\n" for event in events)


def claimed(folder: Folder, name: str | None, *, fresh: bool) -> Folder:
    """A run's folder, made and held; where it is not to be had, the next of `name`, if there is a name.

    Not to be had is one in which another process is at work, and for a fresh run one in which there is a run.
    Raises `RunError` where there is no name, and `StorageError`.
    """
    while not folder.hold(fresh=fresh):
        if name is None:
            raise folder.taken(fresh=fresh)
        folder = Folder(new_folder(name))
    return folder


def name_of(recipe: Source) -> str:
    """What a run of the recipe is called."""
    if isinstance(recipe, str | Path):
        return Path(recipe).stem or "run"
    return "run"


def begun(
    recipe: Source, table: Any, out: Path | str | None, name: str | None, check: Callable[[Source], Recipe]
) -> tuple[Folder, Recipe]:
    """The folder of a new run, at `out` or the next of `name`, and its recipe as `check` gives it.

    A table in memory is kept in the folder, which is claimed for it, and is the recipe's data. Raises what `check`
    does, and `RunError` where there is a run at `out`.
    """
    folder = Folder(Path(out) if out is not None else new_folder(name or "run"))
    if folder.recipe.exists():
        raise folder.taken(fresh=True)
    if table is None:
        return folder, check(recipe)
    folder = claimed(folder, name, fresh=True)
    try:
        tree = dict(recipe) if isinstance(recipe, Mapping) else plain(load(recipe))
        data = {**tree.get("data", {}), "kind": "table", "path": str(folder.data.absolute())}
        checked = check({**tree, "data": data})
        folder.write_data(table)
    except BaseException:
        folder.abandon()
        raise
    return folder, checked


def new_folder(name: str, base: Path | None = None) -> Path:
    """A folder for a new run that does not exist yet: runs/digits-1, runs/digits-2, ..."""
    base = base or Path("runs")
    taken = {entry.name for entry in base.iterdir()} if base.is_dir() else set()
    number = 1
    while f"{name}-{number}" in taken:
        number += 1
    return base / f"{name}-{number}"


@lru_cache(maxsize=1)
def environment() -> dict[str, Any]:
    """What a result may depend on: versions, processor count, platform."""
    import jax

    packages = ("layerwise", "jax", "jaxlib", "equinox", "optax", "numpy", "polars", "scikit-learn")
    return {
        "python": platform.python_version(),
        "platform": platform.platform(terse=True),
        "machine": platform.machine(),
        "cores": os.cpu_count(),
        "device": f"{jax.default_backend()}: {jax.devices()[0].device_kind}",
        "versions": {name: version(name) for name in packages},
    }


def version(package: str) -> str:
    """The installed version of a package, or "not installed"."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "not installed"
