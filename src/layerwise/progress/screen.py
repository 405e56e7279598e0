"""Where progress is shown: the console of standard error, or the output of a notebook's cell."""

import sys
from io import StringIO
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

CELL_WIDTH = 88  # columns of a notebook's output


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
