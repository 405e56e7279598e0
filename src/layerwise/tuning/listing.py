"""What the folders of earlier runs and studies tell, read without starting anything heavy."""

import re
import shlex
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from layerwise import files
from layerwise.errors import LayerwiseError
from layerwise.tasks.intervals import Interval
from layerwise.training.events import AnyEvent, Epoch
from layerwise.tuning.events import AnyStudyEvent, Searching, StudyFinished, StudyStarted

OWN_FILES = {
    "recipe.toml", "events.jsonl", "state.safetensors", "model.safetensors", "metrics.json", "baselines.json",
    "data.parquet", "report.html", ".lock",
}  # fmt: skip
STUDY_FILES = OWN_FILES | {"study.json", "trials.journal"}
RUNS_IN_STUDY = ("best", ".best", ".old")


class Record(msgspec.Struct, frozen=True):
    """What a run's folder tells of it, or a study's.

    `kind` is "run", "folds" or "study". `settings` are the resolved recipe's, by dotted path, of a study
    its winner's, where there is one; `trials` are those of a study that are over. Runs of one `split`
    were judged on the same rows, "" where it is not known.
    """

    folder: Path
    settings: dict[str, Any]
    status: str
    epochs: int
    seconds: float
    metrics: dict[str, dict[str, Interval]]
    split: str = ""
    kind: str = "run"
    trials: int = 0


def run_folders(folder: Path) -> list[Path]:
    """The runs directly below a folder, the newest first."""
    if not folder.is_dir():
        return []
    found = [(entry / "recipe.toml") for entry in folder.iterdir()]
    return [file.parent for file in sorted(filter(Path.is_file, found), key=lambda file: -file.stat().st_mtime)]


def read(folder: Path) -> Record:
    """What a run's or a study's folder tells of it; what is missing or damaged counts as not there yet."""
    if (folder / "study.json").is_file():
        return _read_study(folder)
    record = _read_run(folder)
    if not (folder / "fold-1").is_dir():
        return record
    resolved = _settings(folder / "fold-1")  # each fold's recipe is written out in full, that of all as it was given
    settings = {**resolved, "data.split.fold": "all"} if resolved else record.settings
    return msgspec.structs.replace(record, kind="folds", settings=settings)


def _read_study(folder: Path) -> Record:
    best = _read_run(folder / "best")
    settings = best.settings or _settings(folder)
    status, seconds, trials, metrics = "unfinished", 0.0, 0, best.metrics
    decoder = msgspec.json.Decoder(AnyStudyEvent)
    for line in _last_lines(folder / "events.jsonl"):
        try:
            event = decoder.decode(line)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            continue
        seconds, status = event.seconds, "unfinished"  # also where an ended study has been taken up again
        if isinstance(event, StudyStarted | Searching | StudyFinished):
            trials = event.done
        if isinstance(event, StudyFinished):
            status, metrics = event.status, event.metrics
    return Record(folder, settings, status, best.epochs, seconds, metrics, best.split, "study", trials)


def _settings(folder: Path) -> dict[str, Any]:
    try:
        return flat(tomllib.loads((folder / "recipe.toml").read_text("utf-8")))
    except (OSError, ValueError):
        return {}


def _read_run(folder: Path) -> Record:
    settings = _settings(folder)
    try:
        result = msgspec.json.decode((folder / "metrics.json").read_bytes(), type=_Metrics)
        split = str(result.split.get("fingerprint", ""))
        return Record(folder, settings, result.status, result.epochs, result.seconds, result.metrics, split)
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError):
        pass
    epochs, seconds = 0, 0.0
    decoder = msgspec.json.Decoder(AnyEvent)
    for line in _last_lines(folder / "events.jsonl"):
        try:
            event = decoder.decode(line)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            continue
        seconds = event.seconds
        epochs = event.epoch if isinstance(event, Epoch) else epochs
    return Record(folder, settings, "unfinished", epochs, seconds, {})


class _Metrics(msgspec.Struct):
    status: str
    epochs: int
    seconds: float
    metrics: dict[str, dict[str, Interval]]
    split: dict[str, Any] = {}


def _last_lines(path: Path) -> list[bytes]:
    """The lines in the last part of a log."""
    try:
        with path.open("rb") as file:
            file.seek(0, 2)
            file.seek(max(0, file.tell() - 65_536))
            return file.read().splitlines()
    except OSError:
        return []


def flat(tree: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """A nested mapping by dotted path.

    >>> flat({"seed": 0, "train": {"epochs": 3, "optimizer": {"kind": "adam"}}})
    {'seed': 0, 'train.epochs': 3, 'train.optimizer.kind': 'adam'}
    """
    found: dict[str, Any] = {}
    for key, value in tree.items():
        found |= flat(value, f"{prefix}{key}.") if isinstance(value, Mapping) else {f"{prefix}{key}": value}
    return found


def differences(settings: Sequence[Mapping[str, Any]]) -> dict[str, list[str]]:
    """The settings in which recipes differ, by dotted path, with each recipe's value.

    >>> differences([{"seed": 0, "train.epochs": 3}, {"seed": 0, "train.epochs": 5}])
    {'train.epochs': ['3', '5']}
    """
    absent = object()
    paths = dict.fromkeys(path for each in settings for path in each)
    values = {path: [each.get(path, absent) for each in settings] for path in paths}
    return {
        path: ["-" if value is absent else str(value) for value in row]
        for path, row in values.items()
        if any(value != row[0] for value in row)
    }


def strangers(folder: Path) -> list[str]:
    """What layerwise has not written in a run's or study's folder: names, below it for those in its runs."""
    study = (folder / "study.json").is_file()
    files = STUDY_FILES if study else OWN_FILES
    found = []
    for entry in sorted(folder.iterdir()):
        inner = entry.name in RUNS_IN_STUDY if study else re.fullmatch(r"fold-\d+", entry.name)
        if inner and entry.is_dir() and not entry.is_symlink():
            found += [f"{entry.name}/{name}" for name in strangers(entry)]
        elif not any(entry.name == own or entry.name.startswith(f".{own}.") for own in files):
            found.append(entry.name)
    return found


def check_removable(folder: Path) -> None:
    """Raise `LayerwiseError` unless a folder holds nothing but what layerwise wrote, and stands where it is named."""
    if folder.is_symlink():
        raise LayerwiseError(
            "a run is removed where it stands",
            received=f"{folder}, a link to {folder.readlink()}",
            remedy="remove that folder, or delete the link yourself",
        )
    if strange := strangers(folder):
        raise LayerwiseError(
            "only what a run has written is removed",
            received=f"{folder} also holds {', '.join(strange[:3])}",
            remedy="move that elsewhere, or delete the folder yourself",
        )
    if in_use(folder):
        raise LayerwiseError(
            "a run is removed once it is over",
            received=f"{folder}, in which a process is at work",
            remedy="wait for it, or end it",
        )


def in_use(folder: Path) -> bool:
    """Whether a process is at work on a run, one of its folds or a study."""
    return any(files.held(lock) for lock in (folder / ".lock", *folder.glob("*/.lock")))


def model_file(path: Path) -> Path:
    """The model file at `path`, or in the folder of a run or study that `path` is.

    Raises `LayerwiseError` for a cross-validation, and for a study without a winner yet.
    """
    if (path / "fold-1").is_dir():
        raise LayerwiseError(
            "a cross-validation has a model for each fold",
            received=str(path),
            remedy=f"name one, e.g. {path / 'fold-1'}; or train one on all folds: layerwise train RECIPE",
        )
    if (path / "study.json").is_file():
        path = path / "best"
        if not (path / "model.safetensors").is_file():
            raise LayerwiseError(
                "a study has a model once its winner is trained",
                received=str(path.parent),
                remedy=f"go on with it: layerwise tune --resume {shlex.quote(str(path.parent))}",
            )
    return path / "model.safetensors" if path.is_dir() else path
