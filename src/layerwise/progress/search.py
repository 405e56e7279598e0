"""A search while it happens: what is known of it, and the lines that show it."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

from layerwise.progress import wording
from layerwise.progress.screen import TERMINAL_STOP, Look, showing
from layerwise.training.events import Scoring
from layerwise.tuning.events import (
    AnyStudyEvent,
    Best,
    Finalist,
    LanesChosen,
    Searching,
    StudyFinished,
    StudyStarted,
    TrialEnded,
)

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

Watch = Callable[[AnyStudyEvent], None]

SCORING = "scoring network and baselines"
BAR = 40
SHORTEST_BAR = 8
PLAIN_LINES = 20  # of trials in a search, where nothing can be redrawn
WAYS = {
    "alone": "one after another, each on all cores",
    "threads": "one on each core at a time",
    "stacked": "all in one program",
}


@dataclass
class SearchBoard:
    """What is known of a search from its events so far."""

    name: str
    phase: str = "reading the data"
    started: StudyStarted | None = None
    searching: Searching | None = None
    ended: int = 0
    best: Best | None = None
    course: list[float] = field(default_factory=list)  # the best value after each trial
    states: dict[str, int] = field(default_factory=dict)
    clock: Callable[[], float] = time.monotonic
    began: float = 0.0

    def hear(self, event: AnyStudyEvent) -> None:
        """Take in an event."""
        match event:
            case StudyStarted():
                self.started, self.phase, self.began = event, "searching", self.clock()
                self.ended, self.best = event.done, event.best
            case Searching():
                self.searching = event
                self.ended = max(self.ended, event.done)
                if self.started and event.done >= self.started.trials:
                    self.phase = "training the best on further seeds"
            case TrialEnded():
                self.ended += 1
                self.states[event.state] = self.states.get(event.state, 0) + 1
                if event.value is not None and event.state != "dropped" and self._better(event.value):
                    self.best = Best(event.number, event.settings, event.value)
                if self.best:
                    self.course.append(self.best.value)
            case Scoring():
                self.phase = SCORING
            case StudyFinished():
                self.phase = "done"
            case _:
                pass

    def _better(self, value: float) -> bool:
        if self.best is None or self.started is None:
            return True
        return value < self.best.value if self.started.monitor == "loss" else value > self.best.value

    @property
    def left(self) -> float | None:
        """Seconds to the last trial, at the pace so far; None where that is not known."""
        if not self.started or self.phase != "searching":
            return None
        done, all_of_them = self.ended - self.started.done, self.started.trials - self.started.done
        if done < 3:
            return None
        return (self.clock() - self.began) / done * (all_of_them - done)


def watching(board: SearchBoard, console: "Console") -> AbstractContextManager[Watch]:
    """Show a search on `console` within the block, which hands its events to the function it gets."""
    look = Look[AnyStudyEvent](
        board,
        partial(live_lines, board),
        partial(said, board),
        partial(_plain, board),
        (Searching, TrialEnded),
    )
    return showing(look, console)


def live_lines(
    board: SearchBoard, width: int, spinner: "RenderableType", stop: str = TERMINAL_STOP
) -> "list[RenderableType]":
    """The lines that are redrawn while a search lasts, for `width` columns; `stop` is how the user ends it."""
    from rich.table import Table
    from rich.text import Text

    if not board.started or not board.searching:
        waiting = Table.grid(padding=(0, 1, 0, 0))
        phase = "compiling the training programs" if board.started else board.phase
        waiting.add_row(spinner, Text(f"{board.name}: {phase} ..."))
        return [waiting]
    lines: list[RenderableType] = [_head(board, width, spinner)]
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(style="dim", no_wrap=True)
    table.add_column(no_wrap=True, justify="right", min_width=8)
    table.add_column(overflow="fold")
    if board.best:
        curve = wording.sparkline(board.course, max(8, min(BAR, width - 40)))
        label = f"  best {wording.label(board.started.monitor)}"
        table.add_row(label, Text(f"{board.best.value:.4g}", style="bold green"), Text(curve, style="magenta"))
        table.add_row("  with", Text(f"trial {board.best.number}"), Text(in_words(board.best.settings), style="green"))
    ended = [f"{count} {state.replace('_', ' ')}" for state, count in sorted(board.states.items())]
    if ended:
        table.add_row("  trials", Text(str(sum(board.states.values()))), Text(", ".join(ended), style="dim"))
    lines.append(table)
    ends = "leaves out baselines not yet begun" if board.phase == SCORING else "ends it and keeps the best so far"
    lines.append(Text(f"  {board.phase}; {stop} {ends}" if board.phase != "done" else "  done", style="dim"))
    return lines


def _head(board: SearchBoard, width: int, spinner: "RenderableType") -> "RenderableType":
    """How far the search is; where there is little room, first the bar and then the speed are left out."""
    from rich.progress_bar import ProgressBar
    from rich.table import Table
    from rich.text import Text

    assert board.started and board.searching
    total = board.started.trials
    count = Text(f"{board.ended:,}/{total:,} trials", style="bold")
    alive = board.searching.alive if board.phase == "searching" else 0
    cells = [Text(wording.counted(alive, "lane") + " alive")] if alive else []
    seconds = board.clock() - board.began
    if board.ended > board.started.done and seconds > 0:
        cells.append(Text(f"{(board.ended - board.started.done) / seconds:.3g} trials/s"))
    if board.left is not None:
        cells.append(Text(f"{wording.clock(board.left)} left", style="dim"))
    free = width - 3 - sum(cell.cell_len + 2 for cell in (count, *cells))
    while free < 0 and cells:
        free += cells.pop(0).cell_len + 2
    row: list[RenderableType] = [spinner, count]
    if free >= SHORTEST_BAR:
        row.append(ProgressBar(total, min(board.ended, total), width=min(BAR, free)))
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_row(*row, *cells)
    return table


def said(board: SearchBoard, event: AnyStudyEvent) -> Iterator[tuple[str, str]]:
    """The sentences an event is worth for good, each with its style."""
    match event:
        case StudyStarted():
            rows = wording.listed([f"{count:,} to {part}" for part, count in _rows(event.rows)])
            yield f"{board.name}: {event.method} search, {wording.counted(event.trials, 'trial')} ({rows})", "bold"
            for path, axis in event.axes.items():
                yield f"  {path}: {axis}", ""
            if event.done:
                yield f"resumed after {wording.counted(event.done, 'trial')}", ""
            for note in event.notes:
                yield f"note: {note}", ""
        case LanesChosen():
            found = [f"{rate:,.0f} steps/s {way}" for way, rate in event.rates.items()]
            found += [f"one lane kept {event.busy:.1f} cores busy"] if event.busy else []
            measured = f" (measured: {', '.join(found)})" if found else ""
            lanes = f"{wording.counted(event.lanes, 'lane')} of {event.parameters:,} parameters"
            yield f"{lanes}: {WAYS[event.way]}{measured}", "dim"
        case TrialEnded(state="diverged" | "refused"):
            why = event.reason or "its loss was not finite"
            yield f"trial {event.number} {event.state}: {why} ({in_words(event.settings)})", "yellow"
        case Finalist():
            name = "as written" if event.number is None else f"trial {event.number}"
            yield f"{name}: {event.mean:.4g} on {len(event.values)} further seeds ({in_words(event.settings)})", ""
        case _:
            pass


_PARTS = {"train": "train on", "validation": "validate", "test": "test"}


def _rows(rows: Mapping[str, int]) -> Iterator[tuple[str, int]]:
    for part, verb in _PARTS.items():
        if rows.get(part):
            yield verb, rows[part]


def in_words(settings: Mapping[str, Any]) -> str:
    """Settings in one line, their paths as short as they are clear.

    >>> in_words({"train.learning_rate": 0.0031234, "network.hidden": [64]})
    'learning_rate 0.003123, hidden [64]'
    """
    if not settings:
        return "the recipe's own settings"
    return ", ".join(
        f"{path.rpartition('.')[2]} {value:.4g}" if isinstance(value, float) else f"{path.rpartition('.')[2]} {value}"
        for path, value in settings.items()
    )


def _plain(board: SearchBoard, console: "Console") -> Watch:
    shown = 0

    def watch(event: AnyStudyEvent) -> None:
        nonlocal shown
        board.hear(event)
        for sentence, _ in said(board, event):
            console.print(wording.printable(sentence), soft_wrap=True)
        if isinstance(event, StudyStarted) and event.done < event.trials:
            console.print("compiling the training programs", soft_wrap=True)
        if isinstance(event, TrialEnded) and board.started and board.best:
            step = max(1, board.started.trials // PLAIN_LINES)
            if board.ended // step > shown // step or board.ended == board.started.trials:
                shown = board.ended
                best = f"best {wording.label(board.started.monitor)} {board.best.value:.4g}"
                console.print(
                    f"{board.ended}/{board.started.trials} trials  {best} (trial {board.best.number})", soft_wrap=True
                )
        if isinstance(event, Scoring):
            console.print(board.phase, soft_wrap=True)

    return watch
