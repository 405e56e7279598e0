"""A run while it happens: a few lines drawn anew on a terminal and in a notebook, sparse plain lines in a log.

`live_lines` draws what a `Board` knows; `watching` hands it the events and ties it to a console.
"""

import math
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from functools import partial
from typing import TYPE_CHECKING

from layerwise.progress import wording
from layerwise.progress.board import SCORING, Board
from layerwise.progress.screen import TERMINAL_STOP, Look, showing
from layerwise.training.events import AnyEvent, Epoch, Finished, Progress, RolledBack, Started

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

Watch = Callable[[AnyEvent], None]

PLAIN_LINES = 20  # of epochs in a run, where nothing can be redrawn
QUIET_SECONDS = 30.0  # after which a plain line is due however short the way was
CURVE = 40  # signs of a curve or bar at most
SHORTEST_BAR = 8


def watching(board: Board, console: "Console") -> AbstractContextManager[Watch]:
    """Show a run on `console` within the block, which hands its events to the function it gets."""
    look = Look[AnyEvent](
        board,
        partial(live_lines, board),
        partial(said, board),
        partial(_plain, board),
        (Epoch, Progress),
    )
    return showing(look, console)


# ── on a terminal and in a notebook ─────────────────────────────────────────────────────────────


def live_lines(
    board: Board, width: int, spinner: "RenderableType", stop: str = TERMINAL_STOP
) -> "list[RenderableType]":
    """The lines that are redrawn while a run lasts, for `width` columns.

    `stop` is how the user ends it, "" where nothing is left to end.
    """
    from rich.table import Table
    from rich.text import Text

    if not board.started or not board.progress:
        waiting = Table.grid(padding=(0, 1, 0, 0))
        waiting.add_row(
            spinner, Text(f"{board.name}: {board.phase} ..." if not board.started else f"{board.phase} ...")
        )
        return [waiting]
    lines = [_head(board, width, spinner), _curves(board, width)]
    if not stop:
        return lines
    if board.phase == "training":
        kept = "the folds that are over" if board.several else "the best weights"
        lines.append(Text(f"  {stop} ends the training and keeps {kept}", style="dim"))
    elif board.phase != "done":
        # after a Ctrl-C that ended the training, another one would end everything
        skip = "" if board.interrupted else f"; {stop} ends it"
        lines.append(Text(f"  {board.phase}, {wording.clock(board.clock() - board.heard)}{skip}", style="dim"))
    return lines


def _head(board: Board, width: int, spinner: "RenderableType") -> "RenderableType":
    """How far the run is; where there is little room, first the bar and then the rate are left out."""
    from rich.progress_bar import ProgressBar
    from rich.table import Table
    from rich.text import Text

    assert board.started and board.progress
    total, done = board.started.epochs, board.progress.epoch
    count = Text(f"epoch {min(int(done) + 1, total):,}/{total:,}", style="bold")
    if board.folds:
        count = Text.assemble((f"fold {board.fold}/{board.folds}  ", "bold cyan"), count)
    cells = []
    if board.phase == "training" and board.left is not None:
        left = max(0.0, board.left - (board.clock() - board.heard))
        cells = [
            Text(wording.rate(board.progress.examples_per_second)),
            Text(f"{wording.clock(left)} left", style="dim"),
        ]
    free = width - 3 - sum(cell.cell_len + 2 for cell in (count, *cells))
    if free < 0 and cells:
        free += cells.pop(0).cell_len + 2
    row: list[RenderableType] = [spinner, count]
    if free >= SHORTEST_BAR:
        row.append(ProgressBar(total, done, width=min(CURVE, free)))
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_row(*row, *cells)
    return table


def _curves(board: Board, width: int) -> "RenderableType":
    """The loss and the validation figures, each with its curve or its best so far."""
    from rich.table import Table
    from rich.text import Text

    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(style="dim", no_wrap=True)
    table.add_column(no_wrap=True, justify="right", min_width=8)
    table.add_column(no_wrap=True)
    signs = max(8, min(CURVE, width - 36))
    loss = board.progress.loss if board.progress else math.nan
    table.add_row("  training loss", wording.loss(loss), Text(wording.sparkline(board.losses, signs), style="cyan"))
    if board.last:
        for name, value in _validation(board, board.last):
            if name == board.monitor:
                curve = Text(wording.sparkline(board.watched, signs), style="magenta")
                table.add_row(f"  validation {wording.label(name)}", _value(name, value), curve)
                if board.best and (top := board.best.validation.get(name)) is not None:
                    note = f"at epoch {board.best.epoch:,}"
                    table.add_row(
                        "  best so far", Text(_value(name, top), style="bold green"), Text(note, style="green")
                    )
            else:
                table.add_row(f"  validation {wording.label(name)}", _value(name, value))
    return table


def _validation(board: Board, epoch: Epoch) -> list[tuple[str, float]]:
    """The monitored figure of an epoch, and the first other one that is no loss."""
    figures = epoch.validation
    others = [name for name in figures if name not in (board.monitor, "loss")]
    return [(name, figures[name]) for name in (board.monitor, *others[:1]) if name in figures]


def _value(name: str, value: float) -> str:
    return wording.figure(value, wording.decimals(name, value))


# ── what is said once, on a terminal and elsewhere ──────────────────────────────────────────────


def said(board: Board, event: AnyEvent) -> Iterator[tuple[str, str]]:
    """The sentences an event is worth for good, each with its style."""
    match event:
        case Started():
            if board.runs <= 1:
                yield _introduction(board, event), "bold"
            if event.first_step:
                yield f"resumed after step {event.first_step:,}", ""
            for note in board.news:
                yield f"note: {note}", ""
        case Finished() if board.several:
            yield _outcome(board, event), ""
        case RolledBack():
            yield (
                f"epoch {event.epoch}: the loss was not finite; back to the last good weights, "
                f"learning rate halved to {event.learning_rate:.3g} (attempt {event.attempt} of 3)",
                "yellow",
            )
        case _:
            pass


_VERBS = {"train": "train on", "validation": "validate", "test": "test"}


def _introduction(board: Board, event: Started) -> str:
    rows = [
        f"{count:,} rows to {verb}" if part == "train" else f"{count:,} to {verb}"
        for part, verb in _VERBS.items()
        if (count := event.rows.get(part))
    ]
    fold = f", fold {board.fold} of {board.folds}" if board.folds else ""
    return f"{board.name}{fold}: {wording.listed(rows)} ({wording.listed(_sizes(event))})"


def _outcome(board: Board, event: Finished) -> str:
    """What a fold came to, by its first figure."""
    figures = [f"{wording.label(name)} {_value(name, found.value)}" for name, found in event.metrics["test"].items()]
    epochs = wording.counted(event.epochs, "epoch")
    return f"fold {board.fold} of {board.folds}: {(figures or [event.status])[0]} after {epochs}"


def _sizes(event: Started) -> list[str]:
    return [
        wording.counted(event.inputs, "input"),
        wording.counted(event.outputs, "output"),
        wording.counted(event.parameters, "parameter"),
    ]


# ── in a log ────────────────────────────────────────────────────────────────────────────────────


def _plain(board: Board, console: "Console") -> Watch:
    shown: list[Epoch] = []
    phases = {board.phase, "training", "done"}

    def show(epoch: Epoch) -> None:
        shown[:] = [epoch]
        console.print(epoch_line(board, epoch), soft_wrap=True)

    def watch(event: AnyEvent) -> None:
        board.hear(event)
        if isinstance(event, Started):
            shown.clear()
        for sentence, _ in said(board, event):
            console.print(wording.printable(sentence), soft_wrap=True)
        if isinstance(event, Epoch) and due(board, event, shown[0] if shown else None):
            show(event)
        if board.phase in (SCORING, "done") and board.last and shown[-1:] != [board.last]:
            show(board.last)  # where training ended
        if board.phase not in phases:
            phases.add(board.phase)
            console.print(board.phase, soft_wrap=True)

    return watch


def due(board: Board, epoch: Epoch, shown: Epoch | None) -> bool:
    """Whether an epoch gets a plain line after `shown`: some twenty a run, more where they are slow."""
    total = board.started.epochs if board.started else 0
    step = max(1, math.ceil(total * (board.folds if board.several else 1) / PLAIN_LINES))
    return (
        shown is None
        or epoch.epoch == total
        or epoch.epoch // step > shown.epoch // step
        or epoch.seconds - shown.seconds >= QUIET_SECONDS
    )


def epoch_line(board: Board, epoch: Epoch) -> str:
    """An epoch in one plain line."""
    total = board.started.epochs if board.started else epoch.epoch
    parts = [f"epoch {epoch.epoch:>{len(str(total))}}/{total}", f"loss {wording.loss(epoch.loss)}"]
    known = [f"validation {wording.label(name)} {_value(name, value)}" for name, value in _validation(board, epoch)]
    if epoch.best and known:
        known[0] += " (best)"  # by the monitored figure, which comes first
    parts += known
    if board.progress and board.left is not None:
        parts += [wording.rate(board.progress.examples_per_second), f"{wording.clock(board.left)} left"]
    return "  ".join(parts)
