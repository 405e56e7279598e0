"""Curves from the logs of runs, thinned to what a page can draw."""

import math
from collections.abc import Sequence
from pathlib import Path

import msgspec

from layerwise.training.events import Epoch, RolledBack

SMALL = 40  # points of a curve in the list
LOG_BYTES = 8 << 20  # of a log that is read; of a longer one, its beginning and its end

_DECODER = msgspec.json.Decoder(Epoch | RolledBack)


def log_of(folder: Path, kind: str) -> Path:
    """The log with the epochs of a run; of a study its winner's, of a cross-validation its first fold's."""
    inner = {"study": "best", "folds": "fold-1"}.get(kind, "")
    return folder / inner / "events.jsonl"


def epochs(log: Path) -> list[Epoch]:
    """The epochs of a log, in order; a line that is damaged is left out."""
    found: list[Epoch] = []
    for line in _lines(log):
        if b'"epoch"' not in line[:40] and b'"rolled_back"' not in line[:40]:
            continue  # most lines are of progress between epochs
        try:
            event = _DECODER.decode(line)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            continue
        if isinstance(event, RolledBack):
            found = [epoch for epoch in found if epoch.epoch < event.epoch]
        else:
            found.append(event)
    return found


def _lines(log: Path) -> list[bytes]:
    try:
        with log.open("rb") as file:
            size = file.seek(0, 2)
            file.seek(0)
            if size <= LOG_BYTES:
                return file.read().splitlines()
            first = file.read(LOG_BYTES // 2).splitlines()[:-1]
            file.seek(size - LOG_BYTES // 2)
            return first + file.read().splitlines()[1:]
    except OSError:
        return []


def small(folder: Path, kind: str) -> list[float]:
    """The validation loss, or where there is none the training loss, in a few points."""
    course = epochs(log_of(folder, kind))
    held_out = [epoch.validation.get("loss", math.nan) for epoch in course]
    values = held_out if any(map(math.isfinite, held_out)) else [epoch.loss for epoch in course]
    return [values[at] for at in spread(len(values), SMALL) if math.isfinite(values[at])]


def spread(count: int, most: int) -> Sequence[int]:
    """Up to `most` of `count` places, evenly, the first and the last among them.

    >>> spread(3, 5), spread(9, 5)
    ([0, 1, 2], [0, 2, 4, 6, 8])
    """
    if count <= most:
        return list(range(count))
    return [round(at * (count - 1) / (most - 1)) for at in range(most)]
