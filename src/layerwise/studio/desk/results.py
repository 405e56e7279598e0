"""What a run of the workspace came to: scores, curves, recipe, diagnosis, report; and several side by side."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from layerwise.errors import LayerwiseError
from layerwise.inspection import diagnose, subject
from layerwise.progress import wording
from layerwise.recipe import Recipe, load, to_toml
from layerwise.recipe import records as r
from layerwise.studio.allowed import files_of
from layerwise.studio.desk import charts, shelf
from layerwise.studio.desk.workspace import Workspace
from layerwise.tasks.intervals import Interval
from layerwise.training.folder import Folder
from layerwise.training.padded import LAYERS, UNITS
from layerwise.tuning.events import StudyFinished
from layerwise.tuning.folder import StudyFolder
from layerwise.tuning.listing import Record, differences, model_file, read

MOST = 12  # runs side by side
PARTS = ("train", "validation", "test")
EPOCHS, WAITED = 500, 50  # of a recipe of the playground that is trained for real

Figures = Mapping[str, Mapping[str, Interval]]  # part -> metric -> interval


def details(workspace: Workspace, name: str) -> dict[str, Any]:
    """All of a run or study that its page shows at once. Raises `LayerwiseError` where there is none."""
    folder = workspace.run(name)
    record = read(folder)
    baselines, remarks = _compared(folder, record)
    part = wording.scored_part(record.metrics)
    return {
        "row": shelf.row(folder, (folder / "recipe.toml").stat().st_mtime),
        "ending": _ending(record),
        "charts": charts.of_run(folder, record),
        "part": part,
        "scores": scores({"the network": record.metrics}, "the network"),
        "rivals": _rivals(record.metrics, baselines, part),
        "remarks": [wording.readable(remark, baselines) for remark in remarks],
        "toml": recipe_of(workspace, folder),
        "playable": playable(workspace, folder),
        "model": _has_model(folder),
        "report": (folder / "report.html").is_file(),
    }


def _compared(folder: Path, record: Record) -> tuple[Mapping[str, Figures], Sequence[str]]:
    """The baselines' figures and the remarks."""
    if record.kind == "study":
        ended = next((e for e in reversed(StudyFolder(folder).events()) if isinstance(e, StudyFinished)), None)
        return (ended.baselines, ended.remarks) if ended is not None else ({}, ())
    known = Folder(folder).read_metrics()
    try:
        found = msgspec.convert(known, _Compared)
    except msgspec.ValidationError:
        return {}, ()
    return found.baselines, found.remarks


class _Compared(msgspec.Struct):
    baselines: dict[str, dict[str, dict[str, Interval]]] = {}
    remarks: tuple[str, ...] = ()


def _ending(record: Record) -> str:
    if record.kind == "study" or record.status not in wording.ENDINGS:
        how = record.status.replace("_", " ").capitalize()
        return f"{how} after {shelf.length(record)}."
    return wording.ended(record.status, record.epochs, record.seconds)


def _has_model(folder: Path) -> bool:
    try:
        return model_file(folder).is_file()
    except LayerwiseError:
        return False


# ── figures ─────────────────────────────────────────────────────────────────────────────────────


def scores(metrics: Mapping[str, Figures], own: str) -> list[dict[str, Any]]:
    """Every figure with its interval, ready to read: a line a part and metric, with a cell for each name."""
    lines = []
    for part in PARTS:
        for metric in dict.fromkeys(key for figures in metrics.values() for key in figures.get(part, {})):
            intervals = {name: figures.get(part, {}).get(metric) for name, figures in metrics.items()}
            known = [interval.value for interval in intervals.values() if interval is not None]
            top = wording.best(metric, known)
            first = intervals.get(own) or next(each for each in intervals.values() if each is not None)
            cells = [_cell(metric, interval, first, top, len(known)) for interval in intervals.values()]
            lines.append({"part": part, "label": wording.label(metric), "cells": cells})
    return lines


def _cell(metric: str, interval: Interval | None, own: Interval, top: float, of: int) -> dict[str, Any] | None:
    if interval is None:
        return None
    places = wording.decimals(metric, own.value)
    value, low, high = (wording.figure(each, places) for each in (interval.value, interval.low, interval.high))
    best = of > 1 and value == wording.figure(top, places)
    return {"value": value, "low": low, "high": high, "best": best}


def _rivals(metrics: Figures, baselines: Mapping[str, Figures], part: str) -> dict[str, Any]:
    """The network and the classical models on the part that counts, the best by its first figure first.

    `places` are where each figure and its interval stand between the lowest and the highest end of all.
    """
    if not part:
        return {"names": [], "lines": [], "places": []}
    headline = next(iter(metrics[part]))
    every = {"the network": metrics} | {wording.rival(name): figures for name, figures in baselines.items()}
    known = {name: figures[part][headline] for name, figures in every.items() if headline in figures.get(part, {})}
    sign = 1 if headline in wording.ERRORS else -1
    order = sorted(known, key=lambda name: sign * known[name].value)
    low = min(known[name].low for name in order)
    span = (max(known[name].high for name in order) - low) or 1.0
    ends = [[(end - low) / span for end in (known[n].low, known[n].value, known[n].high)] for n in order]
    lines = scores({n: {part: every[n][part]} for n in order}, "the network")
    return {"names": order, "label": wording.label(headline), "lines": lines, "places": ends}


# ── the recipe ──────────────────────────────────────────────────────────────────────────────────


def recipe_of(workspace: Workspace, folder: Path) -> str:
    """The recipe as pages may use it; as it stands where it cannot be read."""
    try:
        return to_toml(workspace.relative(load(folder / "recipe.toml")))
    except LayerwiseError:
        return (folder / "recipe.toml").read_text("utf-8", "replace")[:100_000]


def playable(workspace: Workspace, folder: Path) -> bool:
    """Whether the recipe's network is small enough for the playground, as far as the recipe tells."""
    try:
        recipe = load(folder / "recipe.toml")
    except LayerwiseError:
        return False
    hidden = getattr(recipe.network, "hidden", ())
    fits = isinstance(recipe.network, r.Mlp | r.LinearNet) and len(hidden) <= LAYERS and max(hidden, default=0) <= UNITS
    return fits and isinstance(recipe.train, r.Train)


def serious(recipe: Recipe) -> tuple[Recipe, list[str]]:
    """A recipe of the playground as it is trained for real: with an end; and sentences on what was changed.

    There training goes on until it is paused, so the recipe has a million epochs and no patience.
    """
    train, said = recipe.train, list[str]()
    if not isinstance(train, r.Train):
        return recipe, said
    if train.epochs > EPOCHS:
        said.append(f"epochs = {EPOCHS}: the playground's {train.epochs:,} would take long")
        train = msgspec.structs.replace(train, epochs=EPOCHS)
        if not train.patience and not isinstance(recipe.data.split, r.NoSplit):
            said.append(f"patience = {WAITED}: it ends where the validation part no longer improves")
            train = msgspec.structs.replace(train, patience=WAITED)
    return msgspec.structs.replace(recipe, train=train), said


# ── side by side, and a closer look ─────────────────────────────────────────────────────────────


def compared(workspace: Workspace, names: Sequence[str]) -> dict[str, Any]:
    """Runs side by side: the settings in which they differ, scores, and curves. Raises `LayerwiseError`."""
    if not 2 <= len(names) <= MOST:
        raise LayerwiseError(
            f"2 to {MOST} runs are compared", received=str(len(names)), remedy="select others in the list"
        )
    folders = {name: workspace.run(name) for name in dict.fromkeys(names)}
    records = {name: read(folder) for name, folder in folders.items()}
    alike = len({record.split for record in records.values()}) == 1
    lines = scores({name: record.metrics for name, record in records.items()}, next(iter(records)))
    if not alike:
        lines = [{**line, "cells": [cell and {**cell, "best": False} for cell in line["cells"]]} for line in lines]
    return {
        "names": list(records),
        "rows": [shelf.row(folder, (folder / "recipe.toml").stat().st_mtime) for folder in folders.values()],
        "settings": differences([record.settings for record in records.values()]),
        "scores": lines,
        "alike": alike,
        "charts": charts.side_by_side(folders, records),
    }


def diagnosis(workspace: Workspace, name: str) -> dict[str, Any]:
    """The diagnosis of a run in sentences. Raises `LayerwiseError` where it, or its data, cannot be read."""
    from layerwise.report.diagnoses import opening, sentence

    found = diagnose(subject(_own(workspace, workspace.run(name))))
    findings = [
        {
            "severity": each.severity,
            "rule": each.rule,
            "evidence": sentence(each.evidence),
            "remedy": sentence(each.remedy),
        }
        for each in found.findings
    ]
    healthy = [{"rule": each.rule, "evidence": sentence(each.evidence)} for each in found.healthy]
    return {"opening": opening(found), "findings": findings, "healthy": healthy}


def report(workspace: Workspace, name: str) -> Path:
    """The report of a run, written now unless it is newer than what it tells of. Raises `LayerwiseError`."""
    from layerwise import report as reports  # with its figures, which are not needed at the start

    folder = workspace.run(name)
    path, log = folder / "report.html", folder / "events.jsonl"
    if path.is_file() and log.is_file() and path.stat().st_mtime >= log.stat().st_mtime:
        return path
    if (folder / "study.json").is_file():
        return reports.study(_own(workspace, folder))
    model_file(folder)  # says of a cross-validation that it has one for each fold
    return reports.run(_own(workspace, folder))


def own_recipe(workspace: Workspace, name: str) -> Recipe:
    """The recipe of a run that learnt from nothing outside of the workspace, as pages have it."""
    return workspace.relative(load(_own(workspace, workspace.run(name)) / "recipe.toml"))


def _own(workspace: Workspace, folder: Path) -> Path:
    """The folder, if the data that its run learnt from may be read: no files but those of the workspace."""
    for path in files_of(load(folder / "recipe.toml").data):
        if not workspace.holds(path):
            raise LayerwiseError(
                "the Studio reads no data outside of its workspace",
                received=f"{folder.name}, which learnt from {Path(path).name} elsewhere",
                remedy=f"use the command line: layerwise report {folder.name}",
            )
    return folder
