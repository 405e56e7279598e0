"""The picture in the README: a training run as a terminal shows it, drawn as an SVG.

    python docs/picture.py [--recipe digits] [--out docs/training.svg]

The run is a real one, made in a temporary folder, and its figures are those of the machine that drew
it. Shown are the lines that move, as they stood when most epochs were done, and of what is printed at
the end the first line and the table of baselines.
"""

import argparse
import contextlib
import tempfile
from collections.abc import Iterator
from html import escape
from io import StringIO
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.segment import Segment
from rich.style import Style
from rich.terminal_theme import TerminalTheme
from rich.text import Text

from layerwise.cli import results
from layerwise.progress.board import Board
from layerwise.progress.view import live_lines, said
from layerwise.training.events import Progress, Started
from layerwise.training.run import Run

if TYPE_CHECKING:
    from rich.console import RenderableType

COLUMNS = 60  # few, so that a telephone shows letters and not dust
SHOWN_AT = 0.8  # of the epochs
WIDE, HIGH, FONT, MARGIN = 12.0, 25.0, 19.5, 26.0  # of a cell, its letters and the frame
THEME = TerminalTheme(
    (24, 26, 36),
    (217, 222, 233),
    [
        (70, 76, 96), (242, 119, 122), (139, 213, 153), (242, 200, 112),
        (122, 172, 255), (203, 154, 236), (102, 208, 220), (217, 222, 233),
    ],
)  # fmt: skip
# Letters in fonts that every device has, since a picture in a page may fetch none.
FONTS = "ui-monospace,SFMono-Regular,Menlo,Consolas,'DejaVu Sans Mono','Roboto Mono',monospace"
# Signs that fonts draw in widths of their own are shapes: (from the left, from the top, width, height) of a cell.
SHAPES = {sign: (0.02, 0.9 - height / 10, 0.96, height / 10) for height, sign in enumerate("▁▂▃▄▅▆▇█", start=1)}
SHAPES |= {"━": (0.0, 0.46, 1.0, 0.12), "╸": (0.0, 0.46, 0.5, 0.12), "╺": (0.5, 0.46, 0.5, 0.12)}


def shown(recipe: str) -> "list[RenderableType]":
    """What the terminal shows of a run, from top to bottom."""
    board, kept, moving = Board(recipe, clock=lambda: 0.0), list["RenderableType"](), list["RenderableType"]()
    with Run(recipe, out="run") as run:
        for event in run:
            if isinstance(event, Started):
                board.follow(run.recipe)
            board.hear(event)
            kept += [Text(sentence, style=style) for sentence, style in said(board, event)]
            if isinstance(event, Progress) and (not moving or event.epoch <= SHOWN_AT * board.started.epochs):
                moving = live_lines(board, COLUMNS, Text("⠹", style="cyan"))
    result = results.of(run)
    ending = results.summary(result, COLUMNS)[0]
    rivals = results.rivals_tables(result, "test", COLUMNS, "test part")[0]
    prompt = Text.assemble(("$ ", "bold green"), (f"layerwise train {recipe}", "bold"))
    return [prompt, *kept, "", *moving, "", ending, "", rivals]


def drawn(blocks: "list[RenderableType]", title: str) -> str:
    """The blocks as an SVG whose letters stand in a grid."""
    console = Console(file=StringIO(), width=COLUMNS, force_terminal=True, color_system="truecolor", highlight=False)
    lines = [line for block in blocks for line in console.render_lines(block, pad=False)]
    width, height = 2 * MARGIN + WIDE * COLUMNS, 2 * MARGIN + HIGH * len(lines)
    body = "\n".join(sign for number, line in enumerate(lines) for sign in _signs(line, MARGIN + HIGH * number))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height:g}" role="img">\n'
        f"<title>{escape(title)}</title>\n"
        f'<rect x="1" y="1" width="{width - 2:g}" height="{height - 2:g}" rx="12" '
        f'fill="{THEME.background_color.hex}" stroke="{THEME.ansi_colors[0].hex}" stroke-width="2"/>\n'
        f'<g font-family="{FONTS}" font-size="{FONT:g}" xml:space="preserve">\n{body}\n</g>\n</svg>\n'
    )


def _signs(line: list[Segment], top: float) -> Iterator[str]:
    """The signs of a line, each word and each run of shapes at its place."""
    column = 0
    for text, style, _ in line:
        look = _look(style or Style())
        for shaped, run in groupby(text, key=lambda sign: sign in SHAPES):
            signs = "".join(run)
            left = MARGIN + WIDE * column
            if shaped:
                shapes = "".join(_shape(sign, left + WIDE * i, top) for i, sign in enumerate(signs))
                yield f'<path {look} d="{shapes}"/>'
            elif signs.strip():
                spare = len(signs) - len(signs.lstrip())
                word = signs.strip()
                yield (
                    f'<text {look} x="{left + WIDE * spare:g}" y="{top + 0.74 * HIGH:g}" '
                    f'textLength="{WIDE * len(word):g}">{escape(word)}</text>'
                )
            column += len(signs)


def _shape(sign: str, left: float, top: float) -> str:
    x, y, width, height = SHAPES[sign]
    return f"M{left + WIDE * x:.4g} {top + HIGH * y:.4g}h{WIDE * width:.4g}v{HIGH * height:.4g}h{-WIDE * width:.4g}z"


def _look(style: Style) -> str:
    plain = style.color is None or style.color.is_default
    color = THEME.foreground_color if plain else style.color.get_truecolor(THEME)
    faint = ' opacity=".6"' if style.dim else ""
    return f'fill="{color.hex}"{faint}{" font-weight=" + chr(34) + "bold" + chr(34) if style.bold else ""}'


def main() -> None:
    """Train, draw, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--recipe", default="digits")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "training.svg")
    arguments = parser.parse_args()
    target = arguments.out.absolute()
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        svg = drawn(shown(arguments.recipe), f"layerwise train {arguments.recipe}, as a terminal shows it")
    target.write_text(svg, "utf-8")


if __name__ == "__main__":
    main()
