"""The figures of the over-fitting laboratory: what each cure changes, and how training went with it."""

from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Bool, Float64

from layerwise.inspection.cures import Arm, Comparison, Overfitting
from layerwise.plots import style
from layerwise.plots.style import EDGE, INK, INK3, LINE

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

BAND = "rgba(143,138,129,.3)"  # a grey that shows on paper as on slate
MOST_EPOCHS = 500  # that are drawn; more are thinned evenly

Means = Float64[np.ndarray, " epochs"]


def differences(found: Overfitting) -> "Figure":
    """Each cure's difference to none in validation loss, with its interval; small dots are the seeds.

    Dark where the difference is real, pale where it is not.
    """
    import plotly.graph_objects as go

    none, cures = found.arms[0], found.arms[:0:-1]
    figure = style.blank(
        70 + 44 * len(cures),
        showlegend=False,
        xaxis={"title": {"text": "difference in validation loss"}, "showgrid": True, "nticks": style.TICKS},
        yaxis={
            "showgrid": False, "range": [-0.6, len(cures) - 0.4], "tickvals": list(range(len(cures))),
            "ticktext": [arm.name for arm in cures],
        },
    )  # fmt: skip
    figure.add_vline(x=0, line={"color": EDGE, "width": 1})
    for place, (arm, comparison) in enumerate(zip(cures, found.comparisons[::-1], strict=True)):
        seeds = arm.validation - none.validation
        seeds = seeds[np.isfinite(seeds)]
        dots = {"size": 5, "color": EDGE, "opacity": 0.75}
        height = np.full(seeds.size, place - 0.22)
        figure.add_trace(go.Scatter(x=seeds, y=height, mode="markers", marker=dots, hoverinfo="skip"))
        if not comparison.diverged:
            figure.add_trace(_interval(place, comparison))
    return figure


def _interval(place: int, comparison: Comparison) -> Any:
    import plotly.graph_objects as go

    value, low, high = (getattr(comparison.difference, part) for part in ("value", "low", "high"))
    ink = INK if comparison.real else INK3
    return go.Scatter(
        x=[value], y=[place], mode="markers",
        marker={"size": 11, "color": ink, "symbol": "circle" if comparison.real else "circle-open"},
        error_x={"type": "data", "symmetric": False, "array": [high - value], "arrayminus": [value - low],
                 "color": ink, "thickness": 1.75, "width": 0},
        hovertemplate=f"{comparison.words}<extra></extra>",
    )  # fmt: skip


def learning(found: Overfitting) -> "dict[str, Figure]":
    """The curves of each way to train, by its name, all on the same axes: means over seeds in bands from the
    lowest to the highest seed. With early stopping each seed has its own lines, since they end at different
    epochs; a dot stands where its weights were taken.
    """
    shown = [curve for arm in found.arms for curve in (arm.training_curve, arm.validation_curve)]
    values = np.concatenate([curve[np.isfinite(curve)] for curve in shown])
    low, high = (float(values.min()), float(values.max())) if values.size else (0.0, 1.0)
    axis: dict[str, Any] = {"range": [low - 0.05 * (high - low), high + 0.05 * (high - low)]}
    if low > 0 and high > style.LOGARITHMIC * low:
        ticks = style.log_ticks(low, high, fine=150.0)
        ends = [float(np.log10(low)) - 0.05, float(np.log10(high)) + 0.05]
        axis = {"type": "log", "range": ends, "tickvals": ticks, "ticktext": [f"{tick:g}" for tick in ticks]}
    return {arm.name: _learning(arm, axis) for arm in found.arms}


def _learning(arm: Arm, axis: dict[str, Any]) -> "Figure":
    epochs = arm.training_curve.shape[1]
    figure = style.blank(
        240,
        title={"text": arm.name},
        xaxis={"title": {"text": "epoch"}, "range": [0, 1.02 * epochs], "nticks": style.TICKS},
        yaxis={**axis, "gridcolor": LINE},
        showlegend=arm.name == "none",
    )
    draw = _seeds if "patience" in arm.settings else _band
    draw(figure, "training", arm.training_curve, {"color": INK3, "width": 1.5, "dash": "dot"})
    draw(figure, "validation", arm.validation_curve, {"color": INK, "width": 2.25})
    if "patience" in arm.settings:
        _kept(figure, arm)
    return figure


def _seeds(figure: "Figure", name: str, curves: Float64[np.ndarray, "seeds epochs"], line: dict[str, Any]) -> None:
    """A thin line for each seed."""
    import plotly.graph_objects as go

    thin = {**line, "width": 1}
    for curve in curves:
        y = curve[np.isfinite(curve)]
        hover = f"{name}: %{{y:.4g}} after epoch %{{x}}<extra></extra>"
        figure.add_trace(
            go.Scatter(x=np.arange(1, y.size + 1), y=y, mode="lines", name=name, line=thin, hovertemplate=hover)
        )


def _kept(figure: "Figure", arm: Arm) -> None:
    """Where the weights of each seed were taken."""
    import plotly.graph_objects as go

    y = arm.validation_curve[np.arange(arm.epoch.size), np.maximum(arm.epoch, 1) - 1]
    hover = "weights of epoch %{x}<extra></extra>"
    marker = {"size": 7, "color": INK}
    figure.add_trace(go.Scatter(x=arm.epoch, y=y, mode="markers", name="kept", marker=marker, hovertemplate=hover))


def _band(figure: "Figure", name: str, curves: Float64[np.ndarray, "seeds epochs"], line: dict[str, Any]) -> None:
    """The mean over seeds within a band, up to where the first seed ended."""
    import plotly.graph_objects as go

    every: Bool[np.ndarray, " epochs"] = np.isfinite(curves).all(axis=0)
    epochs = np.flatnonzero(every)
    epochs = epochs[:: -(-max(epochs.size, 1) // MOST_EPOCHS)]
    low, mean, high = (
        (take(curves[:, epochs], axis=0) for take in (np.min, np.mean, np.max)) if epochs.size else [np.zeros(0)] * 3
    )
    x = epochs + 1
    figure.add_trace(
        go.Scatter(
            x=np.concatenate([x, x[::-1]]), y=np.concatenate([high, low[::-1]]), mode="lines", fill="toself",
            line={"width": 0}, fillcolor=BAND, hoverinfo="skip", showlegend=False,
        )
    )  # fmt: skip
    hover = f"{name}: %{{y:.4g}} after epoch %{{x}}<extra></extra>"
    figure.add_trace(go.Scatter(x=x, y=mean, mode="lines", name=name, line=line, hovertemplate=hover))
