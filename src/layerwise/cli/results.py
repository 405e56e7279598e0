"""What came of a run: the figures beside those of the baselines, as tables and as JSON."""

import shlex
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from layerwise.progress import wording
from layerwise.tasks.intervals import Interval

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table
    from rich.text import Text

    from layerwise.training.run import Run

Figures = Mapping[str, Mapping[str, Interval]]  # part -> metric -> interval

PARTS = ("train", "validation", "test")
NETWORK = "the network"
GAP = 2  # between columns
STAR = "★"


class Result(msgspec.Struct, frozen=True):
    """The end of a run, as the command line tells it."""

    run: Path
    model: Path
    status: str
    epochs: int
    seconds: float
    metrics: Figures
    baselines: Mapping[str, Figures]
    remarks: Sequence[str] = ()
    can_go_on: bool = False
    best_epoch: int = 0
    test_touches: int = 0


def of(run: "Run") -> Result:
    """The end of a run."""
    return Result(
        run=run.folder,
        model=run.model_path,
        status=run.status,
        epochs=run.epochs,
        seconds=run.seconds,
        metrics=run.metrics,
        baselines=run.baselines,
        remarks=run.remarks,
        can_go_on=run.can_go_on,
        best_epoch=run.best_epoch,
        test_touches=run.test_touches,
    )


def payload(result: Result) -> dict[str, Any]:
    """The object that ``--json`` prints."""
    return {
        "run": str(result.run),
        "model": str(result.model),
        "status": result.status,
        "epochs": result.epochs,
        "seconds": round(result.seconds, 3),
        "metrics": result.metrics,
        "baselines": result.baselines,
    }


def summary(result: Result, width: int) -> "list[RenderableType]":
    """What is printed at the end of a run, from top to bottom, for a console of `width` columns."""
    from rich.text import Text

    ending = wording.ended(result.status, result.epochs, result.seconds, result.best_epoch)
    if is_empty(result):
        ending = f"Interrupted after {wording.duration(result.seconds)}, before the first step."
    style = "bold red" if result.status == "diverged" else "bold"
    blocks: list[RenderableType] = [Text(ending, style=style)]
    if any(result.metrics.values()):
        blocks += ["", figures_table(result.metrics)]
    part = wording.scored_part(result.metrics)
    if part and any(rival.get(part) for rival in result.baselines.values()):
        tables = rivals_tables(result, part, width, f"{part} part")
        blocks += [line for table in tables for line in ("", table)]
    if remarks := readable(result):
        blocks += ["", *map(bullet, remarks)]
    return [*blocks, "", _places(result)]


def figures_table(metrics: Figures) -> "Table":
    """Each figure of each part with its interval."""
    from rich.table import Table
    from rich.text import Text

    parts = [part for part in dict.fromkeys([*PARTS, *metrics]) if metrics.get(part)]
    table = Table(box=None, pad_edge=False, padding=(0, GAP, 0, 0), header_style="bold")
    table.add_column(Text("95% intervals", style="dim"), no_wrap=True)
    for part in parts:
        table.add_column(part, no_wrap=True)
    names = dict.fromkeys(metric for part in parts for metric in metrics[part])
    for metric in names:
        cells = [_with_interval(metric, metrics[part].get(metric)) for part in parts]
        table.add_row(wording.label(metric), *cells)
    return table


def _with_interval(metric: str, interval: Interval | None) -> "Text":
    from rich.text import Text

    if interval is None:
        return Text("-", style="dim")
    places = wording.decimals(metric, interval.value)
    return Text.assemble((wording.figure(interval.value, places), "bold"), " ", (_range(interval, places), "dim"))


def _range(interval: Interval, places: int) -> str:
    return f"{wording.figure(interval.low, places)}..{wording.figure(interval.high, places)}"


def rivals_tables(result: Result, part: str, width: int, title: str) -> "list[Table]":
    """The network and the baselines on one part, best marked; more than one table where it is narrow.

    A wide console shows every interval.
    """
    scores = {NETWORK: result.metrics[part]}
    scores |= {wording.rival(name): figures[part] for name, figures in result.baselines.items() if figures.get(part)}
    metrics = list(result.metrics[part])
    headline = metrics[0]
    known = {name: figures[headline].value for name, figures in scores.items() if headline in figures}
    sign = 1 if headline in wording.ERRORS else -1
    order = sorted(known, key=lambda name: sign * known[name]) + [name for name in scores if name not in known]
    names = max(*map(len, scores), len(title)) + GAP
    wide = names + sum(_column_width(metric, scores, True) for metric in metrics) - GAP <= width
    needed = {metric: _column_width(metric, scores, wide) for metric in metrics}
    return [_rivals_table(title, block, scores, order, wide) for block in blocks(needed, width - names)]


def blocks(needed: Mapping[str, int], width: int) -> Iterator[list[str]]:
    """The columns, each with the width it needs, in as few tables as have room for them.

    >>> list(blocks({"a": 5, "b": 5, "c": 5}, 10))
    [['a', 'b'], ['c']]
    """
    block, used = list[str](), 0
    for column, own in needed.items():
        if block and used + own - GAP > width:
            yield block
            block, used = [], 0
        block.append(column)
        used += own
    yield block


def _column_width(metric: str, scores: Figures, wide: bool) -> int:
    cells = [_cell(metric, figures, scores, wide) for figures in scores.values()]
    title = max(map(len, heading(metric, False).split("\n")))
    return max(title, *(cell.cell_len for cell in cells)) + GAP


def _rivals_table(title: str, metrics: Sequence[str], scores: Figures, order: Sequence[str], wide: bool) -> "Table":
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, padding=(0, GAP, 0, 0), header_style="bold")
    table.add_column(title, no_wrap=True)
    for metric in metrics:
        table.add_column(heading(metric, wide), justify="right", no_wrap=True, vertical="bottom")
    for name in order:
        cells = [_cell(metric, scores[name], scores, wide) for metric in metrics]
        table.add_row(Text(name, style="bold" if name == NETWORK else ""), *cells)
    return table


def heading(metric: str, wide: bool) -> str:
    """A metric's column heading; one word a line where there is little room."""
    label = wording.label(metric)
    return label if wide else label.replace("calibration", "calib.").replace(" ", "\n")


def _cell(metric: str, figures: Mapping[str, Interval], scores: Figures, wide: bool) -> "Text":
    """A figure, marked where it is the best of its column."""
    from rich.text import Text

    interval = figures.get(metric)
    if interval is None:
        return Text("-", style="dim")
    values = [other[metric].value for other in scores.values() if metric in other]
    places = wording.decimals(metric, scores[NETWORK][metric].value)
    shown = wording.figure(interval.value, places)
    top = len(values) > 1 and shown == wording.figure(wording.best(metric, values), places)
    cell = Text.assemble((f"{STAR} ", "green") if top else "", (shown, "bold green" if top else ""))
    if wide:
        cell.append(f" {_range(interval, places)}", style="dim")
    return cell


def readable(result: Result) -> list[str]:
    """The remarks with the baselines' names as the table writes them, and that the test part is no longer new."""
    seen = [wording.no_longer_new(result.test_touches)] if result.test_touches > 1 else []
    return [*seen, *(wording.readable(remark, result.baselines) for remark in result.remarks)]


def bullet(sentence: str) -> "Table":
    """A remark with its lines under each other."""
    from rich.table import Table
    from rich.text import Text

    row = Table.grid(padding=(0, 1, 0, 0))
    row.add_row(Text("•", style="yellow"), Text(sentence))
    return row


def is_empty(result: Result) -> bool:
    """Whether a run was interrupted before there was anything to keep."""
    return result.status == "interrupted" and not any(result.metrics.values())


def _places(result: Result) -> "Table":
    from rich.table import Table
    from rich.text import Text

    table = Table.grid(padding=(0, GAP, 0, 0))
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    table.add_row("run", str(result.run))
    if not is_empty(result):
        table.add_row("model", str(result.model))
        command = f"layerwise predict {shlex.quote(str(result.model))} DATA --out FILE"
        table.add_row("predict", Text(command, style="cyan"))
    if result.can_go_on:
        table.add_row("go on", Text(f"layerwise resume {shlex.quote(str(result.run))}", style="cyan"))
    return table
