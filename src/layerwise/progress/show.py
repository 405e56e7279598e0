"""Ties what is known of a run or a search to a console: redrawn on a terminal and in a notebook, lines in a log."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar, runtime_checkable

from layerwise.progress import wording
from layerwise.progress.screen import CELL_WIDTH, Cell, redraws

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

REFRESHES = 8  # of the live lines in a second
TERMINAL_STOP, NOTEBOOK_STOP = "Ctrl-C", "interrupting the kernel"

Event = TypeVar("Event", contravariant=True)
Heard = TypeVar("Heard")


@runtime_checkable
class Knowing(Protocol[Event]):
    """What is known so far; `phase` is "done" at the end."""

    name: str
    phase: str

    @property
    def clock(self) -> Callable[[], float]: ...

    def hear(self, event: Event) -> None: ...


@dataclass(frozen=True)
class Look(Generic[Heard]):
    """How it is drawn.

    `lines(width, sign, stop)` are redrawn all the time, `said(event)` gives the sentences that stay, each
    with its style, and `plain(console)` a function that writes lines to a log. Events of the `frequent`
    kinds need not all be drawn.
    """

    board: Knowing[Heard]
    lines: "Callable[[int, RenderableType, str], list[RenderableType]]"
    said: Callable[[Heard], Iterator[tuple[str, str]]]
    plain: "Callable[[Console], Callable[[Heard], None]]"
    frequent: tuple[type, ...]


@contextmanager
def showing(look: Look[Heard], console: "Console") -> Iterator[Callable[[Heard], None]]:
    """Show on `console` what happens within the block, which hands its events to the function it gets."""
    if console.is_jupyter:
        with _in_notebook(look) as watch:
            yield watch
    elif redraws(console):
        with _live(look, console) as watch:
            yield watch
    else:
        console.print(f"{look.board.name}: {look.board.phase}", soft_wrap=True)
        yield look.plain(console)


@contextmanager
def silently() -> Iterator[Callable[[Any], None]]:
    """Show nothing."""
    yield lambda event: None


@contextmanager
def _live(look: Look[Heard], console: "Console") -> Iterator[Callable[[Heard], None]]:
    from rich.console import Group
    from rich.live import Live
    from rich.spinner import Spinner

    spinner = Spinner("dots", style="cyan")

    def draw() -> "RenderableType":
        return Group(*look.lines(console.width, spinner, TERMINAL_STOP))

    def watch(event: Heard) -> None:
        look.board.hear(event)
        for sentence, style in look.said(event):
            live.console.print(wording.printable(sentence), style=style)

    with Live(
        get_renderable=draw, console=console, refresh_per_second=REFRESHES, transient=True, redirect_stdout=False
    ) as live:
        yield watch


@contextmanager
def _in_notebook(look: Look[Heard]) -> Iterator[Callable[[Heard], None]]:
    """What was said and, below, the live lines; the last of them stay."""
    from rich.text import Text

    board = look.board
    cell, kept, drawn = Cell(), list["RenderableType"](), 0.0

    def draw(sign: Text) -> None:
        nonlocal drawn
        drawn = board.clock()
        cell.draw(*kept, *look.lines(CELL_WIDTH, sign, NOTEBOOK_STOP))

    def watch(event: Heard) -> None:
        board.hear(event)
        kept.extend(Text(wording.printable(sentence), style=style) for sentence, style in look.said(event))
        if not isinstance(event, look.frequent) or board.clock() - drawn > 1 / REFRESHES:
            draw(Text("•", style="cyan"))

    draw(Text("•", style="cyan"))
    try:
        yield watch
    finally:
        draw(Text("✓", style="green") if board.phase == "done" else Text("✗", style="red"))
