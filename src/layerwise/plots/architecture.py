"""A network's drawing as SVG: nodes and links where they can be told apart, else a block for each layer.

It takes its colors from the page around it, and has its own where there is none.
"""

from html import escape
from itertools import pairwise
from math import log

from layerwise.inspection.summaries import LayerSummary, Summary
from layerwise.plots.style import EDGE, FILL, FONT, INK, INK2

MOST_NODES = 16  # of a layer, to be drawn one by one
MOST_LINKS = 256
COLUMN, NODE, STEP = 132, 11, 34  # pixels: between layers, a node's radius, between nodes
TOP, LABEL = 16, 58  # room above the drawing and for the words below it


def architecture(found: Summary) -> str:
    """The drawing of a network, from its inputs at the left to its outputs at the right.

    >>> from layerwise.inspection.summaries import summary
    >>> from layerwise.nets.build import layout
    >>> from layerwise.recipe import records
    >>> small = architecture(summary(layout(records.Mlp(hidden=(2,)), inputs=2, outputs=1), 2))
    >>> small.count("<circle"), small.count("<line")
    (5, 6)
    """
    layers = [layer for layer in found.layers if layer.kind != "embedding"]
    widths = [layers[0].inputs, *(layer.units for layer in layers)]
    links = max(a * b for a, b in pairwise(widths))
    columns = _nodes(widths) if max(widths) <= MOST_NODES and links <= MOST_LINKS else _blocks(widths, layers)
    height = TOP + max(part[1] for part in columns) + LABEL
    drawn = [markup for markup, _ in columns]
    labels = [_label(number, words, height) for number, words in enumerate(_words(found, layers))]
    width = COLUMN * len(widths)
    words = "network of " + ", ".join(f"{width:,}" for width in widths) + " units, inputs first"
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
        f'role="img" aria-label="{escape(words)}" font-family="{escape(FONT)}" font-size="12">'
        f"{''.join(drawn)}{''.join(labels)}</svg>"
    )


def _words(found: Summary, layers: list[LayerSummary]) -> list[tuple[str, str, str]]:
    """Below each column: its name, its size, and what happens in it."""
    tables = len(found.layers) - len(layers)
    inputs = ("inputs", f"{found.inputs:,}", f"{tables} embedded" if tables else "")
    return [inputs, *((layer.name, f"{layer.units:,}", layer.activation.replace("_", " ")) for layer in layers)]


def _label(number: int, words: tuple[str, str, str], height: float) -> str:
    x, y = COLUMN * (number + 0.5), height - LABEL + 20
    styles = (f"fill:var(--ink2,{INK2})", f"fill:var(--ink,{INK});font-weight:600", f"fill:var(--ink2,{INK2})")
    return "".join(
        f'<text x="{x:g}" y="{y + 16 * line:g}" text-anchor="middle" style="{style}">{escape(word)}</text>'
        for line, (word, style) in enumerate(zip(words, styles, strict=True))
    )


def _nodes(widths: list[int]) -> list[tuple[str, float]]:
    """A circle for each unit and a line for each weight, and how far down they reach."""
    height = float(max(widths) * STEP)
    places = [
        [(COLUMN * (column + 0.5), TOP + height / 2 + STEP * (unit - (width - 1) / 2)) for unit in range(width)]
        for column, width in enumerate(widths)
    ]
    style = f'stroke-opacity=".55" style="stroke:var(--edge,{EDGE})"'
    lines = [
        f'<line x1="{x1:g}" y1="{y1:g}" x2="{x2:g}" y2="{y2:g}" {style}/>'
        for left, right in pairwise(places)
        for x1, y1 in left
        for x2, y2 in right
    ]
    circles = [
        f'<circle cx="{x:g}" cy="{y:g}" r="{NODE}" style="fill:var(--fill,{FILL});stroke:var(--ink,{INK})"/>'
        for column in places
        for x, y in column
    ]
    return [("".join((*lines, *circles)), height)]


def _blocks(widths: list[int], layers: list[LayerSummary]) -> list[tuple[str, float]]:
    """A block for each layer, higher for more units; between them how many weights join them."""
    heights = [28 + 18 * log(width) for width in widths]
    tallest, half = max(heights), 22
    found = []
    for column, height in enumerate(heights):
        x, middle = COLUMN * (column + 0.5), TOP + tallest / 2
        block = (
            f'<rect x="{x - half:g}" y="{middle - height / 2:g}" width="{2 * half}" height="{height:g}" rx="6" '
            f'style="fill:var(--fill,{FILL});stroke:var(--ink,{INK})"/>'
        )
        dots = "" if widths[column] <= 3 else "\N{VERTICAL ELLIPSIS}"
        inside = (
            f'<text x="{x:g}" y="{middle + 5:g}" text-anchor="middle" font-size="15" style="fill:var(--ink2,{INK2})">'
            f"{dots}</text>"
        )
        link = ""
        if column:
            start, end, weights = x - COLUMN + half, x - half, layers[column - 1].weights
            link = (
                f'<line x1="{start:g}" y1="{middle:g}" x2="{end:g}" y2="{middle:g}" style="stroke:var(--edge,{EDGE})"/>'
                f'<text x="{(start + end) / 2:g}" y="{middle - 7:g}" text-anchor="middle" font-size="11" '
                f'style="fill:var(--ink2,{INK2})">{weights:,}</text>'
            )
        found.append((block + inside + link, tallest))
    return found
