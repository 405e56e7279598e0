"""Activation functions with their slopes, and what the layers of a network do on data.

Lines are ink, the slope dashed; grey grounds are where little of an error comes back, darker ones where nothing does.
"""

from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float64

from layerwise.inspection.curves import Curve, Zone
from layerwise.inspection.units import Activations, Histogram, LayerActivations
from layerwise.plots import style
from layerwise.plots.style import EDGE, INK, INK3, LINE, RAMP

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

BAND = "rgba(143,138,129,.3)"  # a grey that shows on paper as on slate
HEIGHT, SMALL = 230, 210
CEILING, FLOOR = 3.0, -1.5  # of a function without bounds, so that its bend is seen
GAP = 0.12  # between the two halves of a figure, of its width


def activation(found: Curve) -> "Figure":
    """g (a line) and g' (dashed) over the weighted sum, on the zones where g' is small or 0."""
    import plotly.graph_objects as go

    low, high = float(found.z[0]), float(found.z[-1])
    both = np.concatenate([found.value, found.slope])
    bottom, top = max(float(both.min()), FLOOR), min(float(both.max()), CEILING)
    gap = 0.08 * (top - bottom) or 0.1
    figure = style.blank(
        HEIGHT,
        showlegend=False,
        xaxis={"title": {"text": "weighted sum z"}, "range": [low, high], "nticks": 7},
        yaxis={"range": [bottom - gap, top + gap], "nticks": 5, "zeroline": False},
    )
    _ground(figure, found.zones.saturated, low, high, style.FILL)
    _ground(figure, found.zones.dead, low, high, LINE)
    if (found.low != found.high).any():
        x, y = np.concatenate([found.z, found.z[::-1]]), np.concatenate([found.high, found.low[::-1]])
        figure.add_trace(
            go.Scatter(
                x=x, y=y, mode="lines", fill="toself", line={"width": 0}, fillcolor=BAND, name="noise",
                hoverinfo="skip",
            )
        )  # fmt: skip
    lines = (("g(z)", found.value, {"color": INK, "width": 2.25}), ("g'(z)", found.slope, _dashed()))
    for name, values, line in lines:
        x, y = _broken(found, values)
        hover = f"{name} = %{{y:.4g}} at z = %{{x:.3g}}<extra></extra>"
        figure.add_trace(go.Scatter(x=x, y=y, mode="lines", name=name, line=line, hovertemplate=hover))
    return figure


def _dashed() -> dict[str, Any]:
    return {"color": INK3, "width": 1.75, "dash": "dash"}


def _broken(
    found: Curve, values: Float64[np.ndarray, " points"]
) -> tuple[Float64[np.ndarray, " more"], Float64[np.ndarray, " more"]]:
    """A line, broken behind each kink where it jumps there."""
    x, y = found.z, values
    step = 4 * float(np.max(np.abs(np.diff(found.z)))) * max(1.0, float(np.abs(found.slope).max()))
    for kink in found.kinks:
        place = int(np.searchsorted(x, kink, side="right"))
        if 0 < place < len(x) and abs(y[place] - y[place - 1]) > step:
            x, y = np.insert(x, place, kink), np.insert(y, place, np.nan)
    return x, y


def _ground(figure: "Figure", zones: tuple[Zone, ...], low: float, high: float, color: str, **where: Any) -> None:
    """Rectangles behind the lines, from end to end of the figure."""
    for zone in zones:
        left, right = max(zone.low, low), min(zone.high, high)
        if left < right:
            figure.add_shape(
                type="rect", x0=left, x1=right, y0=0, y1=1, fillcolor=color, line={"width": 0}, layer="below",
                **{"xref": "x", "yref": "y domain", **where},
            )  # fmt: skip


# ── a network on data ───────────────────────────────────────────────────────────────────────────


def layer(found: LayerActivations, zones: tuple[tuple[Zone, ...], tuple[Zone, ...]]) -> "Figure":
    """How often each weighted sum (left) and each value (right) occurs, over all units and rows.

    `zones` are those of its function: the saturated and the dead ones.
    """
    figure = style.blank(SMALL, showlegend=False, bargap=0)
    halves = ((found.sums, "weighted sums z", "", 0.0), (found.values, "values g(z)", "2", 0.5 + GAP / 2))
    for histogram, title, number, start in halves:
        shares = _bars(figure, histogram, number)
        domain = [start, start + 0.5 - GAP / 2]
        ends = [float(histogram.edges[0]), float(histogram.edges[-1])]
        figure.update_layout(
            {
                f"xaxis{number}": {"domain": domain, "title": {"text": title}, "nticks": 5, "anchor": f"y{number}",
                                   "range": ends},
                f"yaxis{number}": {"anchor": f"x{number}", "nticks": 4, "tickformat": ".0%", "rangemode": "tozero",
                                   "range": [0, 1.08 * shares]},
            }
        )  # fmt: skip
    low, high = float(found.sums.edges[0]), float(found.sums.edges[-1])
    for some, color in zip(zones, (style.FILL, LINE), strict=True):
        _ground(figure, some, low, high, color)
    return figure


def _bars(figure: "Figure", histogram: Histogram, number: str) -> float:
    """Draw a histogram in shares of all values; returns the largest."""
    import plotly.graph_objects as go

    shares = histogram.counts / max(1, int(histogram.counts.sum()))
    edges = histogram.edges
    figure.add_trace(
        go.Bar(
            x=(edges[:-1] + edges[1:]) / 2, y=shares, width=np.diff(edges), xaxis=f"x{number}", yaxis=f"y{number}",
            marker={"color": RAMP[2], "line": {"width": 0}}, customdata=np.stack([edges[:-1], edges[1:]], axis=1),
            hovertemplate="%{y:.2%} from %{customdata[0]:.3g} to %{customdata[1]:.3g}<extra></extra>",
        )
    )  # fmt: skip
    return float(shares.max()) or 1.0


def norms(found: Activations) -> "Figure":
    """Layer by layer the norms of the weights, of the gradient, and of one training step."""
    import plotly.graph_objects as go

    names = [part.name for part in found.layers]
    kinds = [
        ("weights", [part.weight_norm for part in found.layers], {"color": INK, "symbol": "circle"}),
        ("gradient", [part.gradient_norm for part in found.layers], {"color": INK3, "symbol": "circle-open"}),
        ("one step", [part.update_norm for part in found.layers], {"color": EDGE, "symbol": "diamond"}),
    ]
    shown = [value for _, values, _ in kinds for value in values if np.isfinite(value) and value > 0]
    low, high = (min(shown), max(shown)) if shown else (0.1, 1.0)
    ticks = style.log_ticks(low / 2, high * 2, fine=20.0)
    figure = style.blank(
        300,
        xaxis={"tickvals": list(range(len(names))), "ticktext": names, "range": [-0.3, len(names) - 0.7]},
        yaxis={
            "type": "log", "range": [np.log10(low) - 0.2, np.log10(high) + 0.2], "tickvals": ticks,
            "ticktext": [f"{tick:g}" for tick in ticks], "title": {"text": "norm"},
        },
    )  # fmt: skip
    for name, values, marker in kinds:
        drawn = [value if np.isfinite(value) and value > 0 else None for value in values]
        if any(value is not None for value in drawn):
            hover = f"{name}: %{{y:.3g}} in %{{text}}<extra></extra>"
            figure.add_trace(
                go.Scatter(
                    x=list(range(len(names))), y=drawn, text=names, mode="lines+markers", name=name,
                    marker={"size": 8, **marker}, line={"color": marker["color"], "width": 1.25}, hovertemplate=hover,
                )
            )  # fmt: skip
    return figure
