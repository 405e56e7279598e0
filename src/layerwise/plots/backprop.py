"""Both passes of back-propagation in one drawing: forward values in one color, backward errors in another.

A small network is drawn unit by unit with its numbers; of a large one every layer is two fields of cells. It
is SVG text that takes the ink of the page around it.
"""

from html import escape
from itertools import pairwise
from math import ceil, sqrt
from typing import NamedTuple

import numpy as np
from jaxtyping import Float64

from layerwise.inspection.sheets import BackpropSheet
from layerwise.plots.style import CLASSES, DARK, EDGE, FILL, FONT, INK, INK2, LINE

FORWARD, BACKWARD = CLASSES[3], CLASSES[1]
MOST_BOXES, MOST_COLUMNS = 8, 5  # units of a layer and layers, inputs among them, that are drawn one by one
MOST_LABELS = 6  # links between two layers that are labelled
PITCH, NARROW, BOX, ROW = 250, 200, 132, 118  # pixels: between columns, without labels, a box's width, between boxes
TOP, FOOT = 74, 12
CELL, FIELD = 14, 256  # a cell's pixels, cells of a layer at most
STYLE = (
    f".bp-f{{fill:{FORWARD}}}.bp-b{{fill:{BACKWARD}}}@media (prefers-color-scheme:dark)"
    f"{{.bp-f{{fill:{DARK[FORWARD]}}}.bp-b{{fill:{DARK[BACKWARD]}}}}}"
)


class _Column(NamedTuple):
    """What is drawn of a layer: its values, its errors (none of the inputs), and words."""

    name: str
    kind: str
    values: Float64[np.ndarray, " units"]
    errors: Float64[np.ndarray, " units"] | None


def backprop_picture(sheet: BackpropSheet) -> str:
    """The drawing. Of a batch it shows the mean values, and the errors summed as they are in the gradients.

    >>> from layerwise.inspection import backprop
    >>> from layerwise.nets.build import build
    >>> from layerwise.recipe import records
    >>> net = build(records.Mlp(hidden=(2,)), inputs=2, outputs=1, codes=(), seed=0)
    >>> drawn = backprop_picture(backprop(net, np.ones((1, 2), np.float32), np.array([1], np.int32)))
    >>> drawn.count("<rect"), drawn.count("<line")
    (6, 7)
    """
    columns = [_Column("inputs", "", sheet.layers[0].inputs.mean(axis=0), None)]
    for layer in sheet.layers:
        kind = layer.activation.replace("_", " ")
        columns.append(_Column(layer.name, kind, layer.g.worked.mean(axis=0), layer.error.worked.sum(axis=0)))
    small = max(column.values.size for column in columns) <= MOST_BOXES and len(columns) <= MOST_COLUMNS
    return _boxes(sheet, columns) if small else _fields(columns)


def number(value: float, digits: int = 4) -> str:
    """A number for people, short.

    >>> number(-0.25), number(1e-9), number(12345678.0), number(1.0), number(float("nan"))
    ('-0.2500', '1.0e-09', '1.2e+07', '1', 'nan')
    """
    size = abs(value)
    if not np.isfinite(value) or (value == round(value) and size < 1e5):
        return f"{value:g}"
    return f"{value:.{digits}f}" if 10.0 ** (1 - digits) <= size < 1e5 else f"{value:.1e}"


# ── unit by unit ────────────────────────────────────────────────────────────────────────────────

Pixels = float | int
Place = tuple[Pixels, Pixels]
Row = tuple[str, str, str]  # what it is, its number, and its color


def _boxes(sheet: BackpropSheet, columns: list[_Column]) -> str:
    """A box for each unit, a line for each weight, and the loss at the end."""
    tall = max(column.values.size for column in columns) * ROW
    pitch = PITCH if any(layer.weight.size <= MOST_LABELS for layer in sheet.layers) else NARROW
    sizes = [column.values.size for column in (*columns, columns[-1])]
    places = [_places(pitch * at, size, tall) for at, size in enumerate(sizes)]
    drawn = [link for at, pair in enumerate(pairwise(places[:-1])) for link in _links(sheet, at, *pair)]
    drawn += [_line(left, right, 1.2) for left, right in zip(places[-2], places[-1], strict=True)]
    for k, (place, value) in enumerate(zip(places[0], columns[0].values, strict=True), start=1):
        drawn.append(_box(place, [(f"f {k}", number(value), "bp-f")]))
    for layer, column, middles in zip(sheet.layers, columns[1:], places[1:], strict=False):
        errors, sums = layer.error.worked.sum(axis=0), layer.z.worked.mean(axis=0)
        for j, place in enumerate(middles):
            rows = [
                (f"unit {j + 1}", f"bias {number(float(layer.bias[j]), 3)}", ""),
                ("z", number(sums[j]), ""),
                ("g(z)", number(column.values[j]), "bp-f"),
                ("∂E/∂z", number(errors[j]), "bp-b"),
            ]
            drawn.append(_box(place, rows))
    drawn += _losses(sheet, places[-1])
    drawn += [
        _heading(column.name, column.kind, middles[0][0]) for column, middles in zip(columns, places, strict=False)
    ]
    drawn.append(_heading("loss", f"E {number(sheet.loss)}", places[-1][0][0]))
    return _svg(pitch * len(columns) + BOX + 24, TOP + tall + FOOT, drawn)


def _places(left: Pixels, units: int, tall: Pixels) -> list[Place]:
    """The middles of a column's boxes."""
    return [(12 + left + BOX / 2, TOP + tall / 2 + ROW * (unit - (units - 1) / 2)) for unit in range(units)]


def _links(sheet: BackpropSheet, at: int, left: list[Place], right: list[Place]) -> list[str]:
    """A line for each weight, wider for larger ones; where they are few each has its weight and its gradient."""
    layer = sheet.layers[at]
    largest = float(np.abs(layer.weight).max()) or 1.0
    lines, labels = [], []
    for j, end in enumerate(right):
        for k, start in enumerate(left):
            weight = float(layer.weight[j, k])
            lines.append(_line(start, end, 0.6 + 2.4 * abs(weight) / largest))
            if layer.weight.size <= MOST_LABELS:
                (x1, y1), (x2, y2) = (start[0] + BOX / 2, start[1]), (end[0] - BOX / 2, end[1])
                x, y = x1 + 0.32 * (x2 - x1), y1 + 0.32 * (y2 - y1)
                gradient = number(layer.weight_gradient.worked[j, k])
                labels.append(_text(x, y - 2, number(weight, 3), 11, "middle", halo=True))
                labels.append(_text(x, y + 11, gradient, 11, "middle", "bp-b", halo=True))
    return [*lines, *labels]


def _line(start: Place, end: Place, width: Pixels) -> str:
    return (
        f'<line x1="{start[0] + BOX / 2:g}" y1="{start[1]:g}" x2="{end[0] - BOX / 2:g}" y2="{end[1]:g}" '
        f'stroke-width="{width:.2g}" stroke-opacity=".5" style="stroke:var(--edge,{EDGE})"/>'
    )


def _box(place: Place, rows: list[Row]) -> str:
    """A box around rows of a name at the left and a number at the right."""
    high = 12 + 18 * len(rows)
    x, y = place[0] - BOX / 2, place[1] - high / 2
    parts = [
        f'<rect x="{x:g}" y="{y:g}" width="{BOX}" height="{high}" rx="6" '
        f'style="fill:var(--fill,{FILL});stroke:var(--edge,{EDGE})"/>'
    ]
    for at, (name, value, color) in enumerate(rows):
        line = y + 19 + 18 * at
        parts.append(_text(x + 9, line, name, 12, "start", color))
        parts.append(_text(x + BOX - 9, line, value, 12 if color else 11, "end", color, bold=bool(color)))
    return "".join(parts)


def _losses(sheet: BackpropSheet, places: list[Place]) -> list[str]:
    """Beside each output what it should have been."""
    m = len(places)
    wanted = np.asarray(sheet.y, np.float64)
    if wanted.ndim == 1 and m > 1:  # classes, by number
        wanted = np.arange(m) == wanted[:, None]
    wanted = wanted.reshape(len(sheet.y), m).mean(axis=0)
    told = sheet.predicted.mean(axis=0)
    return [
        _box(place, [("y", number(float(wanted[i])), ""), ("predicted", number(told[i]), "bp-f")])
        for i, place in enumerate(places)
    ]


# ── layer by layer ──────────────────────────────────────────────────────────────────────────────


def _fields(columns: list[_Column]) -> str:
    """For each layer a field of cells for its values, and below it one for its errors."""
    grids = [_grid(column.values.size) for column in columns]
    tall = max(rows for rows, _ in grids) * CELL
    below = TOP + tall + 64
    drawn, x, ends = [], 12.0, []
    for column, (rows, wide) in zip(columns, grids, strict=True):
        width = max(wide * CELL, 96)
        middle = x + width / 2
        shown = min(column.values.size, rows * wide)
        count = f"{shown:,} of {column.values.size:,} units" if shown < column.values.size else f"{shown:,} units"
        drawn.append(_heading(column.name, column.kind, middle))
        drawn.append(_cells(column.values, rows, wide, middle, TOP + (tall - rows * CELL) / 2, "bp-f"))
        drawn.append(_text(middle, TOP + tall + 20, _range(column.values), 11, "middle"))
        drawn.append(_text(middle, TOP + tall + 36, count, 11, "middle"))
        if column.errors is not None:
            drawn.append(_cells(column.errors, rows, wide, middle, below + (tall - rows * CELL) / 2, "bp-b"))
            drawn.append(_text(middle, below + tall + 20, _range(column.errors), 11, "middle"))
        ends.append((x, x + width))
        x += width + 64
    for (_, start), (end, _) in pairwise(ends):
        drawn.append(_text((start + end) / 2, TOP + tall / 2 + 6, "→", 18, "middle", "bp-f"))
    for (_, start), (end, _) in pairwise(ends[1:]):
        drawn.append(_text((start + end) / 2, below + tall / 2 + 6, "←", 18, "middle", "bp-b"))
    return _svg(x - 52, below + tall + 34, drawn)


def _grid(units: int) -> tuple[int, int]:
    """Rows and columns of cells: one column where that is not too high, else a square."""
    if units <= 16:
        return units, 1
    side = ceil(sqrt(min(units, FIELD)))
    return ceil(min(units, FIELD) / side), side


def _cells(values: Float64[np.ndarray, " units"], rows: int, wide: int, middle: Pixels, top: Pixels, color: str) -> str:
    """A cell for each unit, row by row, fuller the larger its number is in size."""
    finite = np.abs(values[np.isfinite(values)])
    largest = float(finite.max()) if finite.size and finite.max() else 1.0
    left = middle - wide * CELL / 2
    found = []
    for unit, value in enumerate(values[: rows * wide].tolist()):
        row, column = divmod(unit, wide)
        x, y = left + column * CELL, top + row * CELL
        share = min(1.0, abs(value) / largest) if np.isfinite(value) else 1.0
        found.append(
            f'<rect x="{x:g}" y="{y:g}" width="{CELL - 1}" height="{CELL - 1}" rx="1.5" class="{color}" '
            f'fill-opacity="{0.04 + 0.96 * share:.2f}"><title>{unit + 1}: {number(value)}</title></rect>'
        )
    edge = f'width="{wide * CELL + 3}" height="{rows * CELL + 3}" rx="4" style="fill:none;stroke:var(--line,{LINE})"'
    return f'<rect x="{left - 2:g}" y="{top - 2:g}" {edge}/>' + "".join(found)


def _range(values: Float64[np.ndarray, " units"]) -> str:
    return f"{values.min():.2g} to {values.max():.2g}"


# ── what both have ──────────────────────────────────────────────────────────────────────────────


def _heading(name: str, kind: str, x: Pixels) -> str:
    return _text(x, 42, name, 13, "middle", bold=True, ink=True) + _text(x, 58, kind, 12, "middle")


def _text(
    x: Pixels,
    y: Pixels,
    words: str,
    size: int,
    anchor: str,
    color: str = "",
    *,
    bold: bool = False,
    ink: bool = False,
    halo: bool = False,
) -> str:
    """A word; with a `halo` the lines behind it are covered."""
    style = "" if color else f"fill:var(--ink,{INK});" if ink else f"fill:var(--ink2,{INK2});"
    style += "font-weight:600;" if bold else ""
    style += "paint-order:stroke;stroke:var(--paper,#fcfbf9);stroke-width:4px;stroke-linejoin:round;" if halo else ""
    kind = f' class="{color}"' if color else ""
    return (
        f'<text x="{x:g}" y="{y:g}" font-size="{size}" text-anchor="{anchor}"{kind} style="{style}">'
        f"{escape(words)}</text>"
    )


def _svg(width: Pixels, height: Pixels, drawn: list[str]) -> str:
    key = _text(12, 16, "forward: values →", 12, "start", "bp-f", bold=True)
    key += _text(150, 16, "← backward: errors and gradients", 12, "start", "bp-b", bold=True)
    width = max(width, 380)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height:g}" width="{width:g}" '
        f'height="{height:g}" role="img" aria-label="both passes of back-propagation through the network" '
        f'font-family="{escape(FONT)}"><style>{STYLE}</style>{key}{"".join(drawn)}</svg>'
    )
