"""Where progress is shown: the console of standard error, or the output of a notebook's cell.

`showing` ties what is known of a run or a search to it: redrawn on a terminal and in a notebook, lines in a log.
"""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import StringIO
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar, runtime_checkable

from layerwise.progress import wording

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

CELL_WIDTH = 88  # columns of a notebook's output
REFRESHES = 8  # of the live lines in a second
TERMINAL_STOP, NOTEBOOK_STOP = "Ctrl-C", "interrupting the kernel"

Event = TypeVar("Event", contravariant=True)
Heard = TypeVar("Heard")


def messages() -> "Console":
    """The console for progress, notes and errors: standard error."""
    from rich.console import Console

    return Console(file=sys.stderr, highlight=False, markup=False, emoji=False)


def redraws(console: "Console") -> bool:
    """Whether someone looks on where lines can be drawn anew: at a terminal, or at a notebook."""
    return console.is_jupyter or (console.is_terminal and not console.is_dumb_terminal)


class Cell:
    """A part of a notebook's output that can be drawn anew; what it shows last is kept in the notebook.

    It needs nothing but IPython, which every notebook has: Rich's own live view asks for ipywidgets
    besides, and what widgets show is gone when the notebook is opened again.
    """

    def __init__(self) -> None:
        from IPython.display import HTML, display

        self._html = HTML
        self._handle: Any = display(HTML(""), display_id=True)

    def draw(self, *blocks: "RenderableType") -> None:
        """Show the blocks, one below the other, in place of what was shown before."""
        self._handle.update(self._html(page(*blocks)))


def page(*blocks: "RenderableType") -> str:
    """The blocks as HTML, in the page's own colors where they have none."""
    from rich.console import Console

    console = Console(
        file=StringIO(), record=True, width=CELL_WIDTH, color_system="truecolor", force_terminal=True,
        force_jupyter=False, highlight=False, markup=False, emoji=False,
    )  # fmt: skip
    for block in blocks:
        console.print(block)
    shape = '<pre style="line-height:1.25;white-space:pre;overflow-x:auto">{code}</pre>'
    return console.export_html(inline_styles=True, code_format=shape)


# ── what is known of a run or a search, tied to a console ─────────────────────────────────────────


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
