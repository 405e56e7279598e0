"""The lecture's picture of search methods: the points that each chose, over the true surface.

Beside every panel stands what either axis does by itself, with the places that the points try of it. Where
one axis matters little, a grid tries the other at a few places only, again and again; random points try it
at as many places as there are points.
"""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from jaxtyping import Float64

from layerwise.plots import style
from layerwise.plots.style import EDGE, INK, INK2, LINE
from layerwise.tuning.picture import SearchedAxis, ShownTrial, StudyPicture, picture
from layerwise.tuning.surface import Surface

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

    from layerwise.tuning.study import Study

# From what is worst to what is best: the Studio's zero to half of its positive blue.
COLORS = ("#f6f4f0", "#dde2ea", "#c3d0e2", "#a6bcda", "#85a5d2", "#6b93ca")
METHODS = {"grid": "Grid", "random": "Random", "sobol": "Quasi-random (Sobol)", "bayes": "Bayesian (TPE)"}
MARGIN, GAP = 0.15, 0.02  # of a panel: its marginals, and what is between


class Panel(NamedTuple):
    """Where one method is drawn: its axes by Plotly's names, and its place on the paper."""

    main: tuple[str, str]
    top: tuple[str, str]
    right: tuple[str, str]
    place: tuple[float, float, float, float]  # left, right, bottom, top


def surface(true: Surface, studies: "Mapping[str, Study | StudyPicture | Path | str]") -> "Figure":
    """A panel for every study, by the name it is given: "grid", "random", "sobol", "bayes" or your own.

    Raises `RunError` where a folder is not a study's.
    """
    shown = {name: study if isinstance(study, StudyPicture) else picture(study) for name, study in studies.items()}
    names = list(shown) or [""]
    columns = min(2, len(names))
    rows = -(-len(names) // columns)
    margin = {"t": 16, "r": 8, "b": 60, "l": 16}
    figure = style.blank(60 + 460 * rows, showlegend=False, margin=margin)
    for number, name in enumerate(names):
        panel = _panel(number, columns, rows)
        _axes(figure, panel, true)
        _ground(figure, panel, true, bar=number == 0)
        if name:
            trials = [trial for trial in shown[name].trials if {true.x.path, true.y.path} <= set(trial.settings)]
            _points(figure, panel, true, trials)
            _heading(figure, panel, METHODS.get(name, name), _summary(true, shown[name], trials))
    return figure


def _panel(number: int, columns: int, rows: int) -> Panel:
    row, column = divmod(number, columns)
    width, height = 1 / columns, 1 / rows
    place = (
        (column + 0.1) * width,
        (column + 0.98) * width,
        1 - (row + 0.87) * height,
        1 - (row + 0.1) * height,
    )
    ids = ["" if n == 1 else str(n) for n in range(3 * number + 1, 3 * number + 4)]
    main, top, right = ((f"x{n}", f"y{n}") for n in ids)
    return Panel(main, top, right, place)


def _axes(figure: "Figure", panel: Panel, true: Surface) -> None:
    """The panel's own axes, in shares of the searched ones, and those of its marginals, which share a scale."""
    left, right, bottom, top = panel.place
    inner = 1 - MARGIN - GAP
    wide, high = [left, left + inner * (right - left)], [bottom, bottom + inner * (top - bottom)]
    (x, y), (top_x, top_y), (right_x, right_y) = panel.main, panel.top, panel.right
    worst, best = _ends(true)
    ticks = {
        "tickvals": [0, best - worst],
        "ticktext": [f"{_value(true, end):.2g}" for end in (worst, best)],
        "range": [0, 1.08 * (best - worst)],
    }
    settings: dict[str, dict[str, Any]] = {
        x: {**_ticks(true.x), "domain": wide, "anchor": y, "title": {"text": style.escaped(true.x.name)}},
        y: {**_ticks(true.y), "domain": high, "anchor": x, "title": {"text": style.escaped(true.y.name)}},
        top_x: {"domain": wide, "anchor": top_y, "matches": x, "showticklabels": False},
        top_y: {**ticks, "domain": [top - MARGIN * (top - bottom), top], "anchor": top_x},
        right_x: {
            **ticks, "domain": [right - MARGIN * (right - left), right], "anchor": right_y, "showticklabels": False,
        },
        right_y: {"domain": high, "anchor": right_x, "matches": y, "showticklabels": False},
    }  # fmt: skip
    for name, own in settings.items():
        figure.update_layout({f"{name[0]}axis{name[1:]}": {"showgrid": False, "automargin": False, **own}})


def _ticks(axis: SearchedAxis) -> dict[str, Any]:
    """Ticks at the shares of the axis that round values have."""
    known = style.searched(axis)
    if axis.scale == "choice":
        gap = 0.5 / max(1, len(axis.choices) - 1)
        return {
            "tickvals": [axis.share(value) for value in axis.choices],
            "ticktext": known["ticktext"],
            "range": [-gap, 1 + gap],
        }
    values = known.get("tickvals") or [axis.low + share * (axis.high - axis.low) for share in (0, 0.5, 1)]
    return {
        "tickvals": [axis.share(value) for value in values],
        "ticktext": [f"{value:g}" for value in values],
        "range": [-0.03, 1.03],
    }


# ── better is higher ────────────────────────────────────────────────────────────────────────────


def _height(true: Surface, values: Any) -> Any:
    """Values so that better is higher; losses by their logarithm."""
    return -np.log10(np.maximum(values, 1e-12)) if true.sign > 0 else np.asarray(values)


def _value(true: Surface, height: float) -> float:
    return 10.0**-height if true.sign > 0 else height


def _ends(true: Surface) -> tuple[float, float]:
    heights = _height(true, true.mean())
    low, high = float(heights.min()), float(heights.max())
    return (low, high) if high > low else (low - 0.5, low + 0.5)


def _ground(figure: "Figure", panel: Panel, true: Surface, *, bar: bool) -> None:
    """The surface and the means along its axes."""
    import plotly.graph_objects as go

    mean = true.mean()
    xs, ys = [true.x.share(value) for value in true.xs], [true.y.share(value) for value in true.ys]
    low, high = _ends(true)
    columns = [f"{true.x.name} {style.value_of(x)}" for x in true.xs]
    rows = [f"{true.y.name} {style.value_of(y)}" for y in true.ys]
    figure.add_trace(
        go.Heatmap(
            x=xs,
            y=ys,
            z=_height(true, mean).astype(np.float32),
            xaxis=panel.main[0],
            yaxis=panel.main[1],
            zmin=low,
            zmax=high,
            zsmooth="fast" if min(mean.shape) > 2 else False,
            text=[[f"{x}<br>{y}<br>{mean[j, i]:.4g}" for i, x in enumerate(columns)] for j, y in enumerate(rows)],
            hoverinfo="text",
            colorscale=[[n / (len(COLORS) - 1), color] for n, color in enumerate(COLORS)],
            showscale=bar,
            colorbar=_bar(true),
        )
    )
    along = {"mode": "lines", "line": {"color": EDGE, "width": 1.5}, "fillcolor": LINE, "hoverinfo": "skip"}
    heights = _height(true, true.along_x()) - low, _height(true, true.along_y()) - low
    figure.add_trace(go.Scatter(x=xs, y=heights[0], fill="tozeroy", xaxis=panel.top[0], yaxis=panel.top[1], **along))
    figure.add_trace(
        go.Scatter(x=heights[1], y=ys, fill="tozerox", xaxis=panel.right[0], yaxis=panel.right[1], **along)
    )


def _bar(true: Surface) -> dict[str, Any]:
    """What the colors mean, below all panels."""
    ticks = np.linspace(*_ends(true), 5)
    texts = [f"{_value(true, tick):.2g}" for tick in ticks]
    return style.color_bar(ticks.tolist(), texts, f"{style.quantity(true.monitor)}, darker is better", 0.4)


def _points(figure: "Figure", panel: Panel, true: Surface, trials: Sequence[ShownTrial]) -> None:
    """The chosen points on the surface, and on the means along its axes."""
    import plotly.graph_objects as go

    x = np.array([true.x.share(trial.settings[true.x.path]) for trial in trials])
    y = np.array([true.y.share(trial.settings[true.y.path]) for trial in trials])
    texts = ["<br>".join(style.settings_of(trial.settings)) for trial in trials]
    marker = {"size": 8, "color": INK, "line": {"width": 1.2, "color": "#ffffff"}}
    common = {"mode": "markers", "hovertext": texts, "hoverinfo": "text"}
    figure.add_trace(go.Scatter(x=x, y=y, xaxis=panel.main[0], yaxis=panel.main[1], marker=marker, **common))
    small = {"size": 5, "color": INK}
    on_x = _on(true, true.x, true.xs, true.along_x(), x)
    on_y = _on(true, true.y, true.ys, true.along_y(), y)
    figure.add_trace(go.Scatter(x=x, y=on_x, xaxis=panel.top[0], yaxis=panel.top[1], marker=small, **common))
    figure.add_trace(go.Scatter(x=on_y, y=y, xaxis=panel.right[0], yaxis=panel.right[1], marker=small, **common))


def _on(
    true: Surface, axis: SearchedAxis, settings: list[Any], means: Float64[np.ndarray, " levels"], shares: Any
) -> Float64[np.ndarray, " points"]:
    """How far above the worst the mean along an axis is, at some shares of it."""
    known = [axis.share(value) for value in settings]
    order = np.argsort(known)
    return np.asarray(np.interp(shares, np.array(known)[order], _height(true, means)[order] - _ends(true)[0]))


def _heading(figure: "Figure", panel: Panel, name: str, summary: str) -> None:
    left, _, _, top = panel.place
    figure.add_annotation(
        text=f"<b>{style.escaped(name)}</b><br><span style='color:{INK2}'>{style.escaped(summary)}</span>",
        x=left,
        y=top,
        xref="paper",
        yref="paper",
        xanchor="left",
        yanchor="bottom",
        align="left",
        yshift=6,
        showarrow=False,
        font={"size": 14, "color": INK},
    )


def _summary(true: Surface, shown: StudyPicture, trials: Sequence[ShownTrial]) -> str:
    """How many places the more important axis was tried at, and the best that came of it."""
    x_share, y_share, _ = true.shares()
    axis = true.x if x_share >= y_share else true.y
    places = len({round(axis.share(trial.settings[axis.path]), 9) for trial in trials})
    best = shown.completed()[:1]
    found = f"; best {best[0].value:.3g}" if best and best[0].value is not None and math.isfinite(best[0].value) else ""
    return f"{len(trials)} trials, {places} values of {axis.name}{found}"
