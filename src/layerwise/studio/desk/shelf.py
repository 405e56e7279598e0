"""The list of all runs and studies of a workspace, by pages, quick also where there are thousands.

A folder is read again only when it has changed: its own time of change tells of every file that was
renamed into it, those of its recipe and log of what is written in place.
"""

import os
import stat
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from layerwise.progress import wording
from layerwise.recipe import Recipe
from layerwise.studio.allowed import UPLOAD
from layerwise.studio.desk.courses import small
from layerwise.studio.desk.uploads import owners_name
from layerwise.studio.desk.workspace import Workspace
from layerwise.tuning.listing import Record, read

SORTS = ("when", "name", "kind", "status", "score", "length", "seconds")
PAGE = 200  # rows of one answer, at most
BREATH = 0.002  # seconds between two folders that are read before anybody asks, so that who asks goes first

Stamp = tuple[int, ...]


class Row(msgspec.Struct, frozen=True):
    """What the list shows of a run. `when` is in seconds since 1970; `score` is ready to read."""

    name: str
    kind: str
    status: str
    data: str
    network: str
    score: str
    part: str
    metric: str
    value: float | None
    length: str
    steps: int
    seconds: float
    time: str
    when: float
    curve: tuple[float, ...] = ()  # of the rows of a page only


class Found(NamedTuple):
    """A folder of a run, when its recipe was written, and what tells whether it has changed."""

    name: str
    when: float
    stamp: Stamp


class Page(NamedTuple):
    """Some rows of the list, from `offset` on, of `found` that fit the words, of `total`."""

    rows: list[Row]
    offset: int
    found: int
    total: int


class Shelf:
    """The runs of one folder. `page` may be called from several threads."""

    def __init__(self, runs: Path) -> None:
        self._runs = runs
        self._rows: dict[str, tuple[Stamp, Row]] = {}
        self._lock = threading.Lock()

    def page(
        self, *, words: str = "", sort: str = "when", reverse: bool = False, offset: int = 0, limit: int = PAGE
    ) -> Page:
        """The rows that hold all `words`, sorted; "when" has the newest first, "score" the best."""
        with self._lock:
            found = folders(self._runs)
            total = len(found)
            self._forget({each.name for each in found})
            wanted = words.casefold().split()
            if wanted:
                found = [each for each in found if _holds(self._row(each), wanted)]
            if sort in ("when", "name"):
                found.sort(key=_known(sort))
            else:
                found.sort(key=lambda each: _ORDERS[sort](self._row(each)))
            if reverse:
                found.reverse()
            offset = max(0, min(offset, len(found)))
            shown = found[offset : offset + max(0, min(limit, PAGE))]
            return Page([self._drawn(each) for each in shown], offset, len(found), total)

    def warm(self) -> None:
        """Read all folders, a few at a time, so that the first search need not."""
        for each in folders(self._runs):
            with self._lock:
                self._row(each)
            time.sleep(BREATH)

    def _row(self, found: Found) -> Row:
        known = self._rows.get(found.name)
        if known is None or known[0] != found.stamp:
            known = (found.stamp, row(self._runs / found.name, found.when))
            self._rows[found.name] = known
        return known[1]

    def _drawn(self, found: Found) -> Row:
        """The row with its curve, which is read from the log only here."""
        known = self._row(found)
        if not known.curve and known.steps:
            known = msgspec.structs.replace(known, curve=tuple(small(self._runs / found.name, known.kind)))
            self._rows[found.name] = (found.stamp, known)
        return known

    def _forget(self, names: set[str]) -> None:
        for gone in self._rows.keys() - names:
            del self._rows[gone]


def folders(runs: Path) -> list[Found]:
    """Every run and study directly below a folder, in no order; what is a link is none."""
    try:
        names = [entry.name for entry in os.scandir(runs) if entry.is_dir(follow_symlinks=False)]
    except OSError:
        return []
    found = []
    for name in names:
        if name.startswith("."):
            continue
        path = f"{runs}{os.sep}{name}{os.sep}"
        recipe = _lstat(f"{path}recipe.toml")
        if recipe is None or not stat.S_ISREG(recipe.st_mode):
            continue
        others = [_lstat(path + part) for part in ("", "events.jsonl")]
        if any(each is not None and stat.S_ISLNK(each.st_mode) for each in others):
            continue
        stamp = [recipe.st_mtime_ns, recipe.st_size]
        for each in others:
            stamp += [each.st_mtime_ns, each.st_size] if each is not None else [0, 0]
        found.append(Found(name, recipe.st_mtime, tuple(stamp)))
    return found


def _lstat(path: str) -> os.stat_result | None:
    try:
        return os.lstat(path)
    except OSError:
        return None


def row(folder: Path, when: float) -> Row:
    """What the list shows of one folder."""
    record = read(folder)
    part, metric, value, score = headline(record)
    begun = record.epochs or record.trials
    return Row(
        name=folder.name,
        kind=record.kind,
        status=record.status,
        data=data_of(record.settings),
        network=network_of(record.settings),
        score=score,
        part=part,
        metric=metric,
        value=value,
        length=length(record),
        steps=record.trials if record.kind == "study" else record.epochs,
        seconds=record.seconds,
        time=wording.duration(record.seconds) if begun else "",
        when=when,
    )


def length(record: Record) -> str:
    """How long it went on, in words."""
    if record.kind == "study":
        return wording.counted(record.trials, "trial")
    return wording.counted(record.epochs, "epoch")


def headline(record: Record) -> tuple[str, str, float | None, str]:
    """Part, name, value and words of the figure that counts; empty where nothing was scored."""
    part = wording.scored_part(record.metrics)
    for name, interval in record.metrics.get(part, {}).items():
        shown = wording.figure(interval.value, wording.decimals(name, interval.value))
        return part, wording.label(name), interval.value, shown
    return "", "", None, ""


def data_of(settings: dict[str, Any]) -> str:
    """What a run learns from, in a word: a name, or a file's; of an upload the one that its owner gave it."""
    path = Path(str(settings.get("data.path", "")))
    named = settings.get("data.name") or (UPLOAD.fullmatch(f"{path.parent.name}/{path.name}") and owners_name(path))
    return str(named or path.name)[:80]


def called(workspace: Workspace, recipe: Recipe) -> str:
    """What its owner calls the file that a recipe of a page learns from; "" where it names none."""
    path = str(getattr(recipe.data, "path", ""))
    known = owners_name(workspace.within(workspace.root / path)) if UPLOAD.fullmatch(path) else ""
    return known or ("" if path == "none" else Path(path).name[:80])


def network_of(settings: dict[str, Any]) -> str:
    """A network in a word: its hidden layers, or its kind."""
    hidden = settings.get("network.hidden")
    if isinstance(hidden, list) and hidden:
        return "-".join(map(str, hidden))[:80]
    return str(settings.get("network.kind", ""))[:80]


def _holds(row: Row, words: Sequence[str]) -> bool:
    text = " ".join((row.name, row.kind, row.status.replace("_", " "), row.data, row.network)).casefold()
    return all(word in text for word in words)


def _known(sort: str) -> Callable[[Found], Any]:
    return (lambda found: (found.name.casefold(), found.name)) if sort == "name" else (lambda found: -found.when)


def _by_score(row: Row) -> tuple[Any, ...]:
    """Scores of one kind together, the best first; those without any last."""
    if row.value is None:
        return (1, "", "", 0.0)
    falling = row.metric in {wording.label(name) for name in wording.ERRORS}
    return (0, row.metric, row.part, row.value if falling else -row.value)


_ORDERS: dict[str, Callable[[Row], Any]] = {
    "kind": lambda row: (row.kind, -row.when),
    "status": lambda row: (row.status, -row.when),
    "score": _by_score,
    "length": lambda row: -row.steps,
    "seconds": lambda row: -row.seconds,
}
