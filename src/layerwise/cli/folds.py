"""What came of a cross-validation, as tables and as JSON."""

import shlex
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from layerwise.cli import results
from layerwise.cli.results import GAP, Result
from layerwise.progress import wording

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table

    from layerwise.training.folds import CrossValidation, Fold

MEANING = (
    "Each fold was held out once and scored once, by a network that had not seen it. The interval is that of the "
    "mean: 95%, wide enough for folds that share their training rows (Nadeau and Bengio 2003)."
)


def payload(found: "CrossValidation") -> dict[str, Any]:
    """The object that ``--json`` prints: as for a run, with each fold's own and the spread from fold to fold."""
    return {
        **results.payload(_whole(found)),
        "model": None,  # there is one in each fold
        "folds": [results.payload(_single(fold)) for fold in found.folds],
        "spread": found.spread,
    }


def summary(found: "CrossValidation", width: int) -> "list[RenderableType]":
    """What is printed at the end, from top to bottom, for a console of `width` columns."""
    from rich.text import Text

    whole = _whole(found)
    blocks: list[RenderableType] = [Text(_ending(found), style="bold red" if found.status == "diverged" else "bold")]
    part = wording.scored_part(found.metrics)
    if part:
        blocks += [line for table in _tables(found, part, width) for line in ("", table)]
        if any(rival.get(part) for rival in found.baselines.values()):
            tables = results.rivals_tables(whole, part, width, "mean over the folds")
            blocks += [line for table in tables for line in ("", table)]
        said = results.readable(whole)
        blocks += ["", *(results.bullet(sentence) for sentence in ([MEANING, *said] if found.spread else said))]
    return [*blocks, "", _places(found)]


def _whole(found: "CrossValidation") -> Result:
    return Result(
        run=found.folder,
        model=found.folder,
        status=found.status,
        epochs=found.epochs,
        seconds=found.seconds,
        metrics=found.metrics,
        baselines=found.baselines,
        remarks=found.remarks,
    )


def _single(fold: "Fold") -> Result:
    return Result(
        run=fold.folder,
        model=fold.folder / "model.safetensors",
        status=fold.status,
        epochs=fold.epochs,
        seconds=fold.seconds,
        metrics=fold.metrics,
        baselines=fold.baselines,
    )


def _ending(found: "CrossValidation") -> str:
    time = wording.duration(found.seconds)
    over = wording.counted(len(found.folds), "fold")
    epochs = [fold.epochs for fold in found.folds]
    if not epochs:
        return "Interrupted before the first fold was over."
    each = f"{min(epochs)} to {max(epochs)} epochs each" if min(epochs) < max(epochs) else f"{epochs[0]} epochs each"
    match found.status:
        case "interrupted":
            return f"Interrupted after {over} in {time}; they are kept."
        case "diverged" | "time_limit" as status:
            ends = sum(fold.status == status for fold in found.folds)
            how = "diverged" if status == "diverged" else "ran out of time"
            return f"Trained {over} in {time}, {each}; {ends} of them {how}."
        case _:
            return f"Trained {over} in {time}, {each}."


def _tables(found: "CrossValidation", part: str, width: int) -> "list[Table]":
    """A row a fold, then what they come to; more than one table where it is narrow."""
    from rich.table import Table

    rows = _rows(found, part)
    metrics = list(found.metrics[part])
    first = max(map(len, rows)) + GAP
    needed = {
        metric: GAP
        + max(len(text) for text in (*results.heading(metric, False).split("\n"), *(row[i] for row in rows.values())))
        for i, metric in enumerate(metrics)
    }
    tables = []
    for block in results.blocks(needed, width - first):
        table = Table(box=None, pad_edge=False, padding=(0, GAP, 0, 0), header_style="bold")
        table.add_column("held out" if part == "test" else f"{part} part", no_wrap=True)
        for metric in block:
            table.add_column(results.heading(metric, False), justify="right", no_wrap=True, vertical="bottom")
        for name, cells in rows.items():
            chosen = [cells[metrics.index(metric)] for metric in block]
            table.add_row(name, *chosen, style="bold" if name == "mean" else "", end_section=name == _last(found))
        tables.append(table)
    return tables


def _last(found: "CrossValidation") -> str:
    return f"fold {found.folds[-1].number}"


def _rows(found: "CrossValidation", part: str) -> dict[str, list[str]]:
    """name -> a cell a metric."""
    rows: dict[str, list[str]] = {}
    places = {metric: wording.decimals(metric, interval.value) for metric, interval in found.metrics[part].items()}

    def cells(values: "Sequence[float]") -> list[str]:
        return [wording.figure(value, places[metric]) for metric, value in zip(places, values, strict=True)]

    for fold in found.folds:
        rows[f"fold {fold.number}"] = cells([fold.metrics[part][metric].value for metric in places])
    if found.spread:
        means = found.metrics[part].values()
        rows["mean"] = cells([mean.value for mean in means])
        rows["  95% from"] = cells([mean.low for mean in means])
        rows["  95% to"] = cells([mean.high for mean in means])
        rows["spread"] = cells([found.spread[part][metric] for metric in places])
    return rows


def _places(found: "CrossValidation") -> "Table":
    from rich.table import Table
    from rich.text import Text

    table = Table.grid(padding=(0, GAP, 0, 0))
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    table.add_row("folds", f"{found.folder}, a run in each of fold-1, fold-2, ...")
    if found.can_go_on:
        table.add_row("go on", Text(f"layerwise resume {shlex.quote(str(found.folder))}", style="cyan"))
    return table
