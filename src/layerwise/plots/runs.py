"""The figures of one run: how it compares, and where it errs."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from layerwise.data.dataset import spread
from layerwise.inspection.evaluations import Calibration, Curve, Decisions, Values
from layerwise.plots import style
from layerwise.plots.style import EDGE, FILL, INK, INK2, INK3, LINE, PAPER, RAMP
from layerwise.progress import wording
from layerwise.tasks.intervals import Interval

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

MOST_NUMBERS = 12  # classes up to which a confusion matrix shows its counts
MOST_VALUES = 2000  # points of predicted against true values


def rivals(own: Interval, baselines: Mapping[str, Interval], metric: str) -> "Figure":
    """The network's figure beside those of the classical models, each with its 95% interval; the best on top."""
    sign = -1 if metric in wording.ERRORS else 1
    every = {"the network": own, **{wording.rival(name): value for name, value in baselines.items()}}
    order = sorted(every, key=lambda name: sign * every[name].value)
    low, high = _ends([every[name] for name in order], sign)
    figure = style.blank(
        60 + 30 * len(order),
        title={"text": wording.label(metric)},
        showlegend=False,
        xaxis={"title": {"text": wording.label(metric)}, "showgrid": True, "range": [low, high], "nticks": style.TICKS},
        yaxis={"showgrid": False, "range": [-0.6, len(order) - 0.4], "tickvals": list(range(len(order))),
               "ticktext": [style.escaped(name) for name in order]},
    )  # fmt: skip
    for place, name in enumerate(order):
        value = every[name]
        if low <= value.value <= high:
            figure.add_trace(_rival(place, name, value, metric))
            continue
        left, words = value.value < low, wording.figure(value.value, wording.decimals(metric, value.value))
        figure.add_annotation(
            x=0 if left else 1, xref="paper", y=place, xanchor="left" if left else "right", showarrow=False,
            text=f"\N{LEFTWARDS ARROW} {words}" if left else f"{words} \N{RIGHTWARDS ARROW}",
            font={"size": 12, "color": INK2},
        )  # fmt: skip
    return figure


def _ends(values: Sequence[Interval], sign: int) -> tuple[float, float]:
    """The axis of all figures; the worst ones may lie beyond its end, where they would press the others together.

    `values` come worst first. Beyond is what is farther from the next better one than all better ones are apart.
    """
    shown = list(values)
    while len(shown) > 2 and abs(shown[0].value - shown[1].value) > abs(shown[1].value - shown[-1].value):
        del shown[0]
    low, high = min(value.low for value in shown), max(value.high for value in shown)
    gap = 0.06 * (high - low) or 0.05 * (abs(high) or 1.0)
    return low - gap, high + gap


def _rival(place: int, name: str, value: Interval, metric: str) -> Any:
    import plotly.graph_objects as go

    first = name == "the network"
    ink, places = INK if first else INK3, wording.decimals(metric, value.value)
    words = " to ".join(wording.figure(end, places) for end in (value.low, value.high))
    return go.Scatter(
        x=[value.value], y=[place], mode="markers",
        marker={"symbol": "diamond" if first else "circle", "size": 12 if first else 8, "color": ink},
        error_x={
            "type": "data", "symmetric": False, "array": [value.high - value.value],
            "arrayminus": [value.value - value.low], "color": ink, "thickness": 1.5, "width": 0,
        },
        hovertemplate=f"{style.escaped(name)}: {wording.figure(value.value, places)} ({words})<extra></extra>",
    )  # fmt: skip


def confusion(found: Decisions) -> "Figure":
    """Rows of each true class (down) that were taken for each class (across); shades are shares of the true class."""
    import plotly.graph_objects as go

    counts = found.confusion
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    numbered = len(found.names) <= MOST_NUMBERS
    side = max(360, min(110 + 26 * len(found.names), 720))
    names = [style.escaped(name) for name in found.names]
    figure = style.blank(
        side,
        title={"text": "confusion"},
        xaxis={"title": {"text": "predicted"}, "type": "category", "showgrid": False, "side": "bottom"},
        yaxis={"title": {"text": "true"}, "type": "category", "showgrid": False, "autorange": "reversed"},
    )
    figure.add_trace(
        go.Heatmap(
            z=shares, x=names, y=names, xgap=1, ygap=1, zmin=0, zmax=1, showscale=False,
            colorscale=[[0, PAPER], [0.001, FILL], [0.15, RAMP[5]], [0.4, RAMP[3]], [1, INK]],
            customdata=counts,
            hovertemplate="true %{y}, predicted %{x}: %{customdata:,} rows (%{z:.1%} of the class)<extra></extra>",
        )
    )  # fmt: skip
    if numbered:
        for i, j in np.ndindex(counts.shape):
            if counts[i, j]:
                figure.add_annotation(
                    x=names[j], y=names[i], text=f"{counts[i, j]:,}", showarrow=False,
                    font={"size": 12, "color": PAPER if shares[i, j] > 0.6 else INK},
                )  # fmt: skip
    return figure


def roc(curves: Sequence[Curve]) -> "Figure":
    """Of each class against the rest: its rows found, against others taken for it, over all thresholds."""
    figure = _unit("false positives, share of the others", "true positives, share of the class", "ROC")
    figure.add_trace(_chance([0.0, 1.0], [0.0, 1.0]))
    for number, curve in enumerate(curves):
        figure.add_trace(_stroke(curve.false_positive, curve.true_positive, curve.name, number, len(curves)))
    return figure


def precision_recall(curves: Sequence[Curve]) -> "Figure":
    """Of each class against the rest: how many of those found are right, against how many are found.

    A level line is the prevalence of each class, which is the precision of guessing.
    """
    figure = _unit(
        "recall: share of the class that is found", "precision: share of those found", "precision and recall"
    )
    for curve in curves:
        figure.add_trace(_prevalence(curve))
    if len(curves) == 1:
        high = curves[0].prevalence > 0.5  # the words stand where the curve is not
        figure.add_annotation(
            x=0, y=curves[0].prevalence, xanchor="left", yanchor="top" if high else "bottom", showarrow=False,
            text=f"prevalence {curves[0].prevalence:.3f}", font={"size": 12, "color": INK2},
        )  # fmt: skip
    for number, curve in enumerate(curves):
        figure.add_trace(_stroke(curve.true_positive, curve.precision, curve.name, number, len(curves)))
    return figure


def _unit(x: str, y: str, title: str) -> "Figure":
    ends = {"range": [-0.02, 1.02], "dtick": 0.25}
    return style.blank(
        360, title={"text": title}, xaxis={**ends, "title": {"text": x}}, yaxis={**ends, "title": {"text": y}}
    )


def _chance(x: Sequence[float], y: Sequence[float]) -> Any:
    import plotly.graph_objects as go

    line = {"color": LINE, "width": 1.5}
    return go.Scatter(x=list(x), y=list(y), mode="lines", line=line, hoverinfo="skip", showlegend=False)


def _prevalence(curve: Curve) -> Any:
    """Where guessing stands."""
    import plotly.graph_objects as go

    share = curve.prevalence
    hover = f"{style.escaped(curve.name)}: prevalence {share:.3f}<extra></extra>"
    line = {"color": EDGE, "width": 1, "dash": "dash"}
    return go.Scatter(x=[0.0, 1.0], y=[share, share], mode="lines", line=line, hovertemplate=hover, showlegend=False)


def _stroke(x: np.ndarray, y: np.ndarray, name: str, number: int, of: int) -> Any:
    """One class's curve; a few are told apart by their dashes, many only by hovering."""
    import plotly.graph_objects as go

    few = of <= 4
    dash = ("solid", "dash", "dot", "dashdot")[number] if few else "solid"
    line = {"color": INK, "width": 2 if few else 1.25, "dash": dash}
    return go.Scatter(
        x=x, y=y, mode="lines", line=line, opacity=1 if few else 0.55, name=style.escaped(name), showlegend=1 < of <= 4,
        hovertemplate=f"{style.escaped(name)}: %{{x:.3f}}, %{{y:.3f}}<extra></extra>",
    )  # fmt: skip


def calibration(found: Calibration) -> "Figure":
    """How often predictions of a probability are right; on the diagonal they are as sure as they may be."""
    import plotly.graph_objects as go

    figure = _unit("mean probability of the predicted class", "share that is right", "calibration")
    figure.add_trace(_chance([0.0, 1.0], [0.0, 1.0]))
    bars = {}
    if found.low is not None and found.high is not None:
        above, below = found.high - found.accuracy, found.accuracy - found.low
        bars = {"type": "data", "symmetric": False, "array": above, "arrayminus": below, "color": EDGE,
                "thickness": 1, "width": 0}  # fmt: skip
    sizes = 5 + 13 * np.sqrt(found.rows / max(int(found.rows.max(initial=1)), 1))
    figure.add_trace(
        go.Scatter(
            x=found.confidence, y=found.accuracy, mode="markers", showlegend=False, cliponaxis=False,
            marker={"color": INK, "size": sizes, "line": {"width": 0}}, customdata=found.rows,
            error_y=bars,
            hovertemplate="%{customdata:,} rows: sure %{x:.1%}, right %{y:.1%}<extra></extra>",
        )
    )  # fmt: skip
    return figure


def predicted(found: Values) -> "Figure":
    """Predicted against true values, in the quantity's own unit; on the diagonal they agree."""
    import plotly.graph_objects as go

    kept = spread(np.arange(found.true.size), MOST_VALUES)
    true, said = found.true[kept], found.said[kept]
    finite = np.isfinite(said)
    every = np.concatenate([true, said[finite]]) if true.size else np.array([0.0, 1.0])
    low, high = float(every.min()), float(every.max())
    gap = 0.04 * (high - low) or 1.0
    ends = {"range": [low - gap, high + gap], "nticks": style.TICKS}
    name = style.escaped(found.name)
    figure = style.blank(
        360,
        title={"text": name},
        xaxis={**ends, "title": {"text": f"true {name}"}, "showgrid": True},
        yaxis={**ends, "title": {"text": f"predicted {name}"}},
    )
    figure.add_trace(_chance([low, high], [low, high]))
    opacity = float(np.clip(60 / np.sqrt(max(true.size, 1)) / 4, 0.15, 0.6))
    figure.add_trace(
        go.Scatter(
            x=true[finite], y=said[finite], mode="markers", showlegend=False,
            marker={"color": INK, "size": 6, "opacity": opacity},
            hovertemplate="true %{x:.4g}, predicted %{y:.4g}<extra></extra>",
        )
    )  # fmt: skip
    return figure
