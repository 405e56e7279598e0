"""The course of training by epoch, of one run or of several: lines in ink, named at their ends."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from layerwise.data.dataset import spread
from layerwise.plots import style
from layerwise.plots.style import EDGE, INK, INK2, INK3, PAPER
from layerwise.progress import wording
from layerwise.training.events import AnyEvent, Epoch

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

MOST_EPOCHS = 2000  # that are drawn; more are thinned evenly, the last stays
DASHES = ("solid", "dash", "dot", "dashdot", "longdash", "longdashdot")
SPIKE = {"spikecolor": EDGE, "spikethickness": 1, "spikedash": "solid"}  # where one hovers
GAP = 0.06  # of the axis that is free above the highest and below the lowest value
LETTER, LINE_OF_TEXT = 7.2, 17  # pixels that a letter is wide and a name is high, about
EDGES = 0.2  # of an axis: words nearer to its ends are not centered
ROOM = 200  # pixels that an axis of values is high, about: what is below and above it varies


class _Line(NamedTuple):
    name: str
    x: Sequence[float]
    y: Sequence[float]
    ink: dict[str, Any]  # Plotly's settings of its line


def course(events: Sequence[AnyEvent], monitor: str) -> "Figure":
    """A quantity over the epochs: the loss on the training and the validation part, or a metric on the latter.

    A vertical line stands at the epoch whose weights were kept.
    """
    epochs = [event for event in events if isinstance(event, Epoch)]
    name = style.escaped(wording.label(monitor))
    if not epochs:
        return style.say(style.blank(), "Nothing was trained: there are no epochs to draw.")
    lines = []
    if monitor == "loss":
        thin = {"color": INK3, "width": 1.5, "dash": "dot"}
        lines.append(_Line("training", *_values(epochs, lambda epoch: epoch.loss), thin))
    x, held = _values(epochs, lambda epoch: epoch.validation.get(monitor, np.nan))
    if np.isfinite(held).any():
        lines.append(_Line("validation", x, held, {"color": INK, "width": 2.25}))
    figure = _drawn(lines, name)
    if best := [event for event in epochs if event.best]:
        _mark(figure, best[-1].epoch, f"kept: epoch {best[-1].epoch:,}", best[-1].epoch / epochs[-1].epoch)
    return figure


def together(runs: Mapping[str, Sequence[AnyEvent]]) -> "Figure":
    """The loss of several runs, on the validation part where there is one; each line has its run's name."""
    lines = []
    for number, (name, events) in enumerate(runs.items()):
        epochs = [event for event in events if isinstance(event, Epoch)]
        if not epochs:
            continue
        held_out = any(np.isfinite(epoch.validation.get("loss", np.nan)) for epoch in epochs)
        x, y = _values(epochs, (lambda e: e.validation.get("loss", np.nan)) if held_out else (lambda e: e.loss))
        round_, dash = divmod(number, len(DASHES))
        ink = {"color": INK3 if round_ % 2 else INK, "width": 1.75, "dash": DASHES[dash]}
        lines.append(_Line(name, x, y, ink))
    if not lines:
        return style.say(style.blank(), "Nothing was trained: there are no epochs to draw.")
    return _drawn(lines, "loss")


def _values(epochs: Sequence[Epoch], of: Any) -> tuple[list[float], list[float]]:
    shown = [epochs[at] for at in spread(np.arange(len(epochs)), MOST_EPOCHS)]
    return [float(epoch.epoch) for epoch in shown], [float(of(epoch)) for epoch in shown]


def _drawn(lines: Sequence[_Line], name: str) -> "Figure":
    import plotly.graph_objects as go

    axis = _axis([value for line in lines for value in line.y])
    widest = max((len(line.name) for line in lines), default=0)
    last = max((line.x[-1] for line in lines), default=1.0)
    figure = style.blank(
        title={"text": name},
        showlegend=False,
        hovermode="x unified",
        margin={"r": 16 + LETTER * widest},
        xaxis={
            **SPIKE,
            "title": {"text": "epoch"},
            "range": [0, 1.01 * last],
            "nticks": style.TICKS,
            "hoverformat": ",d",
        },
        yaxis={**axis, "title": {"text": name}},
    )
    for line in lines:
        hover = f"{style.escaped(line.name)}: %{{y:.4g}}<extra></extra>"
        mode = "lines+markers" if len(line.x) < 3 else "lines"
        x, y = np.array(line.x), np.array(line.y)
        figure.add_trace(go.Scatter(x=x, y=y, mode=mode, name=line.name, line=line.ink, hovertemplate=hover))
    _name(figure, lines, axis)
    return figure


def _axis(values: Sequence[float]) -> dict[str, Any]:
    """Logarithmic where the values differ much; it leaves none out, so that a curve is seen as it was."""
    known = [value for value in values if np.isfinite(value)]
    if not known:
        return {}
    low, high = min(known), max(known)
    more: dict[str, Any] = {"nticks": style.TICKS}
    if low > 0 and high >= style.LOGARITHMIC * low:
        ticks = style.log_ticks(low, high, fine=150.0)
        more = {"type": "log", "tickvals": ticks, "ticktext": [f"{tick:g}" for tick in ticks]}
        low, high = np.log10(low), np.log10(high)
    gap = GAP * (high - low) or 0.05 * (abs(high) or 1.0)
    return {**more, "range": [float(low - gap), float(high + gap)]}


def _name(figure: "Figure", lines: Sequence[_Line], axis: dict[str, Any]) -> None:
    """Names at the lines' ends, moved apart so that each can be read."""
    ends = [(line.name, *_end(line)) for line in lines if np.isfinite(line.y).any()]
    if not ends:
        return
    low, high = axis["range"]
    scale = np.log10 if axis.get("type") == "log" else np.float64
    inks = {line.name: INK2 if line.ink["color"] == INK3 else INK for line in lines}
    order = sorted(range(len(ends)), key=lambda place: ends[place][2])
    heights = apart([float(scale(ends[place][2])) for place in order], LINE_OF_TEXT * (high - low) / ROOM, low, high)
    for place, height in zip(order, heights, strict=True):
        name, x, _ = ends[place]
        figure.add_annotation(
            x=x, y=height, xanchor="left", yanchor="middle", xshift=7, showarrow=False, text=style.escaped(name),
            font={"size": 12, "color": inks[name]}, bgcolor=PAPER, borderpad=1,
        )  # fmt: skip


def _end(line: _Line) -> tuple[float, float]:
    """The last point that is a number."""
    place = int(np.flatnonzero(np.isfinite(line.y))[-1])
    return line.x[place], line.y[place]


def apart(heights: Sequence[float], least: float, low: float, high: float) -> list[float]:
    """Heights from the lowest up, each moved no farther than `least` between neighbors asks for, within the ends.

    >>> apart([0.0, 0.1, 0.9], 0.2, 0.0, 1.0)
    [0.0, 0.2, 0.9]
    >>> apart([0.9, 1.0], 0.2, 0.0, 1.0)
    [0.8, 1.0]
    """
    found = list(heights)
    for place in range(1, len(found)):
        found[place] = max(found[place], found[place - 1] + least)
    found[-1] = min(found[-1], max(high, low + least * (len(found) - 1)))
    for place in reversed(range(len(found) - 1)):
        found[place] = min(found[place], found[place + 1] - least)
    return found


def _mark(figure: "Figure", x: int, words: str, share: float) -> None:
    """A vertical line with words above it, which stay within the axis; the line is at a `share` of it."""
    figure.add_vline(x=x, line={"color": EDGE, "width": 1, "dash": "dash"})
    side = "left" if share < EDGES else "right" if share > 1 - EDGES else "center"
    figure.add_annotation(
        x=x, y=1, yref="paper", yanchor="bottom", xanchor=side, text=words, showarrow=False,
        font={"size": 12, "color": INK2},
    )  # fmt: skip
