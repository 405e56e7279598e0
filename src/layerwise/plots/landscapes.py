"""The loss around a solution: its surface with the path that led there, the cut across it, and many starts.

On the surface blue is low, and the bluer the lower; all else is ink.
"""

from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float64

from layerwise.inspection.basins import Minima
from layerwise.inspection.curvatures import Curvature
from layerwise.inspection.landscapes import Landscape
from layerwise.plots import style
from layerwise.plots.style import EDGE, INK, INK3
from layerwise.plots.surfaces import COLORS

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

LINES = 12  # of equal loss, about
LOGARITHMIC = 5.0  # times as large must the largest loss be for heights to be logarithms
FALL = 1e-4  # of the largest loss, below which heights are not told apart
HALO = "#ffffff"


def landscape(found: Landscape) -> "Figure":
    """The surface from above, with the path of training on it."""
    import plotly.graph_objects as go

    heights = Heights(found.losses)
    figure = style.blank(560, margin={"l": 12, "r": 12, "b": 84}, showlegend=False)
    low, high = heights.ends
    shades = [[number / (len(COLORS) - 1), color] for number, color in enumerate(COLORS)]
    figure.add_trace(
        go.Contour(
            x=found.xs,
            y=found.ys,
            z=-heights.of(found.losses),
            zmin=-high,
            zmax=-low,
            colorscale=shades,
            contours={"start": -high, "end": -low, "size": (high - low) / LINES},
            line={"width": 0.6, "color": EDGE},
            hovertemplate="loss %{text}<extra></extra>",
            text=[[f"{loss:.4g}" for loss in row] for row in found.losses],
            connectgaps=False,
            colorbar=_bar(heights),
        )
    )
    if len(found.path):
        figure.add_trace(_path(found))
    _mark(figure, (0.0, 0.0), "diamond", f"solution<br>loss {found.loss:.4g}", 11)
    for number, axis in enumerate((figure.layout.xaxis, figure.layout.yaxis)):
        ends = (found.xs, found.ys)[number][[0, -1]].tolist()
        axis.update(title={"text": _axis(found, number)}, range=ends, showgrid=False, nticks=style.TICKS)
    return figure


def _path(found: Landscape) -> Any:
    import plotly.graph_objects as go

    texts = [
        f"{'before training' if epoch == 0 else f'epoch {epoch}'}<br>loss {loss:.4g}"
        for epoch, loss in zip(found.epochs, found.path_losses, strict=True)
    ]
    sizes = [10, *[4] * (len(texts) - 1)]
    return go.Scatter(
        x=found.path[:, 0],
        y=found.path[:, 1],
        mode="lines+markers",
        line={"color": INK, "width": 1.5},
        marker={"size": sizes, "color": INK, "opacity": 1, "line": {"width": 1, "color": HALO}},
        text=texts,
        hoverinfo="text",
    )


def _axis(found: Landscape, number: int) -> str:
    name = ("first", "second")[number]
    if found.directions == "random":
        return f"{name} random direction, in lengths of the weights"
    return f"{name} principal component of the path, {found.shares[number]:.1%} of it"


def _mark(figure: "Figure", place: tuple[float, float], symbol: str, text: str, size: int) -> None:
    import plotly.graph_objects as go

    marker = {"symbol": symbol, "size": size, "color": INK, "line": {"width": 1.2, "color": HALO}}
    figure.add_trace(
        go.Scatter(x=[place[0]], y=[place[1]], mode="markers", marker=marker, hovertext=text, hoverinfo="text")
    )


class Heights:
    """How high losses are drawn: by their logarithm where they differ much."""

    def __init__(self, losses: Float64[np.ndarray, "*shape"]) -> None:
        finite = losses[np.isfinite(losses)]
        lowest, highest = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 1.0)
        self._floor = max(lowest, FALL * highest, 1e-12)
        self.log = finite.size > 0 and highest > LOGARITHMIC * self._floor
        low, high = (float(end) for end in self.of(np.array([lowest, highest])))
        self.ends = (low, high) if high > low else (low - 0.5, low + 0.5)

    def of(self, losses: Float64[np.ndarray, "*shape"]) -> Float64[np.ndarray, "*shape"]:
        """The heights, NaN where a loss is not finite."""
        known = np.where(np.isfinite(losses), losses, np.nan)
        return np.log10(np.maximum(known, self._floor)) if self.log else known

    def loss(self, height: float) -> float:
        """The loss that is drawn so high."""
        return 10.0**height if self.log else height


def _bar(heights: Heights) -> dict[str, Any]:
    """What the colors mean, below the surface."""
    ticks = np.linspace(*heights.ends, 5)
    return style.color_bar((-ticks).tolist(), [f"{heights.loss(tick):.2g}" for tick in ticks], "loss", 0.6)


def curvature(found: Curvature) -> "Figure":
    """The loss along the sharpest direction, and the parabola that its curvature makes."""
    import plotly.graph_objects as go

    figure = style.blank()
    lines = (
        ("the loss", found.losses, {"color": INK, "width": 2}),
        ("its parabola", found.parabola, {"color": EDGE, "width": 2, "dash": "dash"}),
    )
    for name, values, line in lines:
        figure.add_trace(
            go.Scatter(x=found.distances, y=values, name=name, mode="lines", line=line, hovertemplate="%{y:.4g}")
        )
    _mark(figure, (0.0, found.loss), "diamond", f"solution<br>loss {found.loss:.4g}", 9)
    figure.data[-1].showlegend = False
    figure.update_xaxes(title={"text": "distance from the solution"}, nticks=style.TICKS)
    figure.update_yaxes(title={"text": "loss"}, nticks=style.TICKS)
    return figure


def minima(found: Minima) -> "Figure":
    """The final losses of all starts, the lowest first: a dot each, a ring where it is stuck."""
    import plotly.graph_objects as go

    order = np.argsort(np.where(np.isfinite(found.losses), found.losses, np.inf), kind="stable")
    shown = [found.losses, found.validation] if np.isfinite(found.validation).any() else [found.losses]
    scale = style.Scale([*np.concatenate(shown).tolist(), found.constant], 1)
    figure = style.blank()
    ranks = np.arange(1, order.size + 1)
    if len(shown) > 1:
        figure.add_trace(
            go.Scatter(
                x=ranks,
                y=[scale.place(float(value)) for value in found.validation[order]],
                name="on the validation part",
                mode="markers",
                marker={"symbol": "line-ew-open", "size": 8, "color": EDGE, "line": {"width": 1.5}},
                hoverinfo="skip",
            )
        )
    for name, stuck, marker in (
        ("trained well", False, {"symbol": "circle", "color": INK}),
        ("far off", True, {"symbol": "circle-open", "color": INK, "line": {"width": 1.5}}),
    ):
        here = found.stuck[order] == stuck
        if not here.any():
            continue
        figure.add_trace(
            go.Scatter(
                x=ranks[here],
                y=[scale.place(float(value)) for value in found.losses[order][here]],
                name=name,
                mode="markers",
                marker={"size": 7, **marker},
                text=[
                    f"basin {found.basin[place] + 1}<br>loss {found.losses[place]:.4g}"
                    f"<br>{found.score} {found.scores[place]:.3g}"
                    for place in order[here]
                ],
                hoverinfo="text",
            )
        )
    figure.add_hline(y=scale.place(found.constant), line={"color": INK3, "width": 1, "dash": "dot"})
    figure.add_annotation(
        text="the best constant output",
        x=0,
        xref="paper",
        y=np.log10(found.constant) if scale.log else found.constant,
        xanchor="left",
        yanchor="top",
        showarrow=False,
        font={"size": 12, "color": INK3},
    )
    figure.update_xaxes(title={"text": "starts, the lowest loss first"}, nticks=style.TICKS)
    figure.update_yaxes(title={"text": "final loss"}, **scale.axis)
    return figure
