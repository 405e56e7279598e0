"""The figures of a decision surface: what the network says on a plane, the data on it, and its hidden units."""

import datetime
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from jaxtyping import Float32, Float64, Int64

from layerwise.inspection.decisions import DecisionSurface, Points
from layerwise.inspection.planes import Axis
from layerwise.plots import style
from layerwise.plots.style import CLASSES, INK, INK2, INK3, NEGATIVE, PAPER, POSITIVE, ZERO

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

STRENGTH = 0.52  # of a color on the surface, so that points at full strength stand out
SYMBOLS = ("circle", "square", "triangle-up", "diamond", "cross", "x", "triangle-down", "star")
HEIGHT = 520
COLUMNS = 8  # of small pictures
MOST_UNITS = 64  # of a layer that are drawn
UNIT_HEIGHT = 96
SPREAD = 0.6  # points of a level are spread over so much of its width


class _Classes(NamedTuple):
    """A surface as a choice between classes: how probable each is, which is each point's, and its color."""

    names: Sequence[str]
    probability: Float32[np.ndarray, "ys xs classes"]
    colors: Sequence[str]
    labels: Sequence[Int64[np.ndarray, " points"]]  # of the points of each part


def decision_surface(found: DecisionSurface, output: str | None = None) -> "Figure":
    """Classes by color, paler where less sure, with an ink line between them; quantities from pale to dark.

    Filled points are training rows, hollow ones validation rows. `output` is the label or the quantity that
    is shown, else the first.
    """
    place = found.outputs.index(output) if output in found.outputs else 0
    figure = style.blank(HEIGHT, xaxis=_axis(found.x), yaxis=_axis(found.y))
    if found.kind == "quantities":
        _quantity(figure, found, place)
    else:
        _decided(figure, found, _classes(found, place))
    return figure


def _classes(found: DecisionSurface, place: int) -> _Classes:
    """The classes; of several labels one, which is there or not."""
    if found.kind == "labels":
        name, yes = found.outputs[place], found.values[..., place]
        labels = [(points.target[:, place] > 0.5).astype(np.int64) for points in found.points]
        return _Classes((f"not {name}", name), np.stack([1 - yes, yes], axis=-1), colors(2), labels)
    labels = [points.target.astype(np.int64) for points in found.points]
    return _Classes(found.outputs, found.values, colors(len(found.outputs)), labels)


def colors(classes: int) -> list[str]:
    """A color for each of some classes; of many, some share one, and differ by symbol."""
    return [NEGATIVE, POSITIVE] if classes == 2 else [CLASSES[number % len(CLASSES)] for number in range(classes)]


def _axis(axis: Axis) -> dict[str, Any]:
    """Plotly's settings; dates are drawn as dates."""
    shown: dict[str, Any] = {"title": {"text": style.escaped(axis.name)}, "showgrid": False, "nticks": style.TICKS}
    if axis.levels:
        names = [style.folded(level, 14) for level in axis.levels]
        half = [-0.5, len(axis.levels) - 0.5]
        return {**shown, "tickvals": axis.values.tolist(), "ticktext": names, "range": half, "nticks": None}
    ends = _spots(axis, axis.values[[0, -1]])
    return {**shown, "range": list(ends), **({"type": "date"} if axis.kind == "date" else {})}


def _spots(axis: Axis, values: Float64[np.ndarray, " points"]) -> Any:
    """Places on an axis as Plotly wants them."""
    if axis.kind != "date":
        return values
    start = datetime.datetime(1970, 1, 1)
    return [None if np.isnan(day) else (start + datetime.timedelta(days=day)).isoformat() for day in values.tolist()]


def _ground(figure: "Figure", found: DecisionSurface, z: Float32[np.ndarray, "ys xs"], **settings: Any) -> None:
    import plotly.graph_objects as go

    x, y = _spots(found.x, found.x.values), _spots(found.y, found.y.values)
    figure.add_trace(go.Heatmap(x=x, y=y, z=z, opacity=STRENGTH, **settings))


def _line(figure: "Figure", found: DecisionSurface, z: Float32[np.ndarray, "ys xs"]) -> None:
    """The line where z is zero; between levels there is none."""
    import plotly.graph_objects as go

    if found.x.levels or found.y.levels or z.min() > 0 or z.max() < 0:
        return
    figure.add_trace(
        go.Contour(
            x=_spots(found.x, found.x.values), y=_spots(found.y, found.y.values), z=z, showscale=False,
            hoverinfo="skip", contours={"start": 0, "end": 0, "size": 1, "coloring": "none"},
            line={"color": INK, "width": 1.5}, showlegend=False,
        )
    )  # fmt: skip


def _decided(figure: "Figure", found: DecisionSurface, shown: _Classes) -> None:
    """Each class in its color, from zero where all are as probable to full where it is certain."""
    count = len(shown.names)
    chosen = shown.probability.argmax(axis=2)
    sure = (shown.probability.max(axis=2) - 1 / count) / (1 - 1 / count)
    # One color scale for all classes, a piece of it for each.
    scale = [stop for n, c in enumerate(shown.colors) for stop in ([n / count, ZERO], [(n + 1) / count, c])]
    z = (chosen + 0.001 + 0.998 * np.clip(sure, 0, 1)).astype(np.float32)
    _ground(figure, found, z, colorscale=scale, zmin=0, zmax=count, showscale=False, hoverinfo="skip")
    present = np.unique(chosen).tolist()
    for place in present if count > 2 else present[-1:]:
        others = np.delete(shown.probability, place, axis=2).max(axis=2)
        _line(figure, found, shown.probability[..., place] - others)
    for number, name in enumerate(shown.names):
        for points, labels in zip(found.points, shown.labels, strict=True):
            _points(figure, found, points, labels == number, name, number, shown.colors[number])


def _points(
    figure: "Figure", found: DecisionSurface, points: Points, own: Any, name: str, number: int, color: str
) -> None:
    """The points of one class in one part."""
    import plotly.graph_objects as go

    hollow = points.part != "train"
    x, y = (_spots(axis, _apart(axis, spots, points)[own]) for axis, spots in _pairs(found, points))
    symbol = SYMBOLS[(number + number // len(CLASSES)) % len(SYMBOLS)]  # classes of one color differ by it
    marker = {
        "symbol": symbol, "size": 7.5, "color": PAPER if hollow else color,
        "line": {"color": color if hollow else PAPER, "width": 1.75 if hollow else 0.75},
    }  # fmt: skip
    words = style.escaped(name)
    rows = [f"row {row + 1:,}: {words} ({points.part})" for row in points.rows[own].tolist()]
    figure.add_trace(
        go.Scatter(
            x=x, y=y, mode="markers", marker=marker, name=words, legendgroup=name, showlegend=not hollow,
            hovertext=rows, hoverinfo="text",
        )
    )  # fmt: skip


def _pairs(found: DecisionSurface, points: Points) -> list[tuple[Axis, Float64[np.ndarray, " points"]]]:
    return [(found.x, points.at_x), (found.y, points.at_y)]


def _apart(axis: Axis, spots: Float64[np.ndarray, " points"], points: Points) -> Float64[np.ndarray, " points"]:
    """Points of one level side by side, by their row's number, so that they can be told apart."""
    if not axis.levels:
        return spots
    share = (points.rows * 0.6180339887498949) % 1  # the golden ratio spreads any numbers evenly
    return np.asarray(spots + SPREAD * (share - 0.5))


def _quantity(figure: "Figure", found: DecisionSurface, place: int) -> None:
    """A quantity from low, pale, to high; the points by their own values on the same scale."""
    import plotly.graph_objects as go

    z = found.values[..., place]
    low, high = float(z.min()), float(z.max())
    scale = [[0, ZERO], [1, POSITIVE]]
    bar = {
        "thickness": 8, "outlinewidth": 0, "tickfont": {"size": 12, "color": INK2}, "nticks": 6,
        "title": {"text": style.escaped(found.outputs[place]), "font": {"size": 12, "color": INK2}},
    }  # fmt: skip
    _ground(
        figure, found, z, colorscale=scale, zmin=low, zmax=high, colorbar=bar, hovertemplate="%{z:.4g}<extra></extra>"
    )
    for points in found.points:
        hollow = points.part != "train"
        value = points.target[:, place]
        x, y = (_spots(axis, _apart(axis, spots, points)) for axis, spots in _pairs(found, points))
        marker = {
            "symbol": "diamond" if hollow else "circle", "size": 7.5, "color": value, "colorscale": scale,
            "cmin": low, "cmax": high, "line": {"color": INK, "width": 1}, "showscale": False,
        }  # fmt: skip
        rows = [
            f"row {r + 1:,}: {v:.4g} ({points.part})" for r, v in zip(points.rows.tolist(), value.tolist(), strict=True)
        ]
        name = "validation" if hollow else "training"
        figure.add_trace(
            go.Scatter(x=x, y=y, mode="markers", marker=marker, name=name, hovertext=rows, hoverinfo="text")
        )


# ── hidden units ────────────────────────────────────────────────────────────────────────────────


def hidden_units(found: DecisionSurface) -> "list[Figure]":
    """A figure for each hidden layer: every unit's activation on the plane, blue where positive, orange where
    negative, each unit to its own largest value. Of wide layers the first 64 units.
    """
    return [] if found.units is None else [_layer(found, layer) for layer in found.units.layers]


def _layer(found: DecisionSurface, layer: Float32[np.ndarray, "ys xs units"]) -> "Figure":
    import plotly.graph_objects as go

    units = min(layer.shape[2], MOST_UNITS)
    columns = min(COLUMNS, units)
    rows = -(-units // columns)
    figure = style.blank(UNIT_HEIGHT * rows + 20, showlegend=False, margin={"t": 14, "r": 8, "b": 8, "l": 8})
    scale = [[0, NEGATIVE], [0.5, ZERO], [1, POSITIVE]]
    for unit in range(units):
        row, column = divmod(unit, columns)
        z = layer[..., unit]
        most = float(np.abs(z).max())
        number = "" if unit == 0 else str(unit + 1)
        hover = f"unit {unit + 1}: %{{z:.3g}}<extra></extra>"
        figure.add_trace(
            go.Heatmap(
                z=z, colorscale=scale, zmin=-(most or 1), zmax=most or 1, showscale=False, hovertemplate=hover,
                xaxis=f"x{number}", yaxis=f"y{number}",
            )
        )  # fmt: skip
        left, top = column / columns, 1 - row / rows
        inside = {"visible": False, "showgrid": False}
        across, down = [left, left + 0.94 / columns], [top - 0.8 / rows, top]
        figure.update_layout({
            f"xaxis{number}": {**inside, "domain": across, "anchor": f"y{number}"},
            f"yaxis{number}": {**inside, "domain": down, "anchor": f"x{number}"},
        })  # fmt: skip
        same = float(z.max() - z.min()) <= 1e-6 * max(most, 1e-12)
        figure.add_annotation(
            text=f"{unit + 1}{' flat' if same else ''}", x=across[0], y=down[0], xref="paper", yref="paper",
            xanchor="left", yanchor="top", showarrow=False, font={"size": 11, "color": INK3},
        )  # fmt: skip
    return figure
