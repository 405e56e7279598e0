"""Figures of single trials: where they stand on every axis, and the course each of them took."""

import math
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from layerwise.plots import style
from layerwise.plots.style import EDGE, INK, INK2, PAPER, RAMP, Scale
from layerwise.progress import wording
from layerwise.tuning.picture import SearchedAxis, ShownTrial, StudyPicture

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

MOST_LINES = 256  # that are drawn: the best trials', and of the others' an even sample
CROWD = 300  # points from which on they are smaller and paler
TRAINED, FINAL, WINNER, DROPPED, NONE = "trained to its end", "finalist", "winner", "dropped by halving", "no value"
MARKERS: dict[str, dict[str, Any]] = {
    TRAINED: {"symbol": "circle", "size": 7, "color": INK, "opacity": 0.5},
    DROPPED: {"symbol": "circle-open", "size": 6, "color": EDGE, "line": {"width": 1}},
    NONE: {"symbol": "x-thin", "size": 7, "color": INK2, "line": {"width": 1.5, "color": INK2}},
    FINAL: {"symbol": "circle", "size": 9, "color": INK, "line": {"width": 1.5, "color": PAPER}},
    WINNER: {"symbol": "diamond", "size": 13, "color": INK, "line": {"width": 2, "color": PAPER}},
}


class Group(NamedTuple):
    """Trials that are drawn alike."""

    name: str
    trials: list[ShownTrial]


def groups(picture: StudyPicture) -> list[Group]:
    """The trials by how they are drawn, those that matter most last; no group is empty."""
    finals = {final.number for final in picture.finalists}
    winner = picture.winner.number if picture.winner is not None else None
    found: dict[str, list[ShownTrial]] = {name: [] for name in MARKERS}
    for trial in picture.trials:
        if trial.value is None or not math.isfinite(trial.value):
            found[NONE].append(trial)
        elif trial.number == winner:
            found[WINNER].append(trial)
        elif trial.number in finals:
            found[FINAL].append(trial)
        else:
            found[TRAINED if trial.completed else DROPPED].append(trial)
    return [Group(name, trials) for name, trials in found.items() if trials]


def told(picture: StudyPicture, trial: ShownTrial) -> str:
    """What hovering over a trial shows."""
    value = "" if trial.value is None else f"{style.quantity(picture.monitor)} {trial.value:.4g}"
    epochs = "" if trial.epochs is None else f" after {wording.counted(trial.epochs, 'epoch')}"
    lines = [value, *style.settings_of(trial.settings), trial.state.replace("_", " ") + epochs, trial.reason]
    return "<br>".join([f"<b>trial {trial.number}</b>", *(style.folded(line, 60) for line in lines if line)])


def scale(picture: StudyPicture) -> Scale:
    """The axis of the trials' values."""
    values = [trial.value for trial in picture.trials if trial.value is not None]
    # The interval of the winner is shown on the same axis; it may reach below what a loss can be.
    means = [final.mean for final in picture.finalists]
    return Scale([*values, *means], picture.sign)


def dots(picture: StudyPicture, group: Group, x: Sequence[float], y: Scale) -> Any:
    """Trials as points, each with what hovering shows."""
    import plotly.graph_objects as go

    marker = dict(MARKERS[group.name])
    crowd = min(1.0, CROWD / len(group.trials))
    marker |= {"size": max(3, marker["size"] * crowd**0.25), "opacity": marker.get("opacity", 1) * max(0.2, crowd**0.5)}
    return go.Scatter(
        x=np.array(x, float),
        y=np.array([y.place(trial.value) for trial in group.trials]),
        mode="markers",
        marker=marker,
        name=group.name,
        hovertext=[told(picture, trial) for trial in group.trials],
        hoverinfo="text",
        customdata=[trial.number for trial in group.trials],
        cliponaxis=False,
    )


def slice_of(picture: StudyPicture, path: str) -> "Figure":
    """The value of every trial against one searched setting. Raises `KeyError` for a path that was not searched."""
    axis = {axis.path: axis for axis in picture.axes}[path]
    y = scale(picture)
    figure = style.blank(
        title={"text": style.escaped(axis.name)},
        xaxis={**style.searched(axis), "title": {"text": style.escaped(path)}},
        yaxis={**y.axis, "title": {"text": style.quantity(picture.monitor)}},
    )
    for group in groups(picture):
        spots = [style.spot(axis, trial.settings[path]) + _jitter(axis, trial) for trial in group.trials]
        figure.add_trace(dots(picture, group, spots, y))
    if axis.written is not None:
        _mark_written(figure, axis)
    return figure


def _jitter(axis: SearchedAxis, trial: ShownTrial) -> float:
    """Choices are spread a little, so that trials do not hide each other; always alike."""
    return (trial.number * 0.6180339887 % 1 - 0.5) * 0.4 if axis.scale == "choice" else 0.0


def _mark_written(figure: "Figure", axis: SearchedAxis) -> None:
    """A dotted line at what the recipe says without the search."""
    at = style.spot(axis, axis.written)
    if 0 <= axis.share(axis.written) <= 1:
        place = math.log10(at) if axis.scale == "log" else at
        line = {"color": EDGE, "width": 1, "dash": "dot"}
        figure.add_shape(type="line", x0=at, x1=at, xref="x", y0=0, y1=1, yref="y domain", line=line, layer="below")
        figure.add_annotation(
            x=place, y=0.0, yref="y domain", text="as written", showarrow=False, xanchor="left", yanchor="bottom",
            font={"size": 11, "color": INK2}, xshift=3,
        )  # fmt: skip


# ── parallel coordinates ────────────────────────────────────────────────────────────────────────


def parallel(picture: StudyPicture) -> "Figure":
    """Every trial as a line through its settings to its value; what is better is darker, and its value higher."""
    figure = style.blank(
        400,
        title={"text": "every trial through its settings"},
        xaxis=_columns(picture),
        yaxis={"visible": False, "range": [-0.06, 1.06]},
    )
    y = scale(picture)
    for place, axis in enumerate(picture.axes):
        _upright(figure, place, [(axis.share(value), text) for value, text in _ticks(axis)])
    _upright(figure, len(picture.axes), _value_ticks(y))
    for name, color, width, trials in _bands(picture, drawn(picture.trials, picture)):
        lines = [[_height(axis, trial) for axis in picture.axes] + [_goodness(y, trial)] for trial in trials]
        texts = [told(picture, trial) for trial in trials]
        figure.add_trace(
            _lines(name, color, width, [list(map(float, range(len(line)))) for line in lines], lines, texts)
        )
    return figure


def _columns(picture: StudyPicture) -> dict[str, Any]:
    names = [style.folded(axis.name, 12) for axis in picture.axes] + [style.folded(style.quantity(picture.monitor), 12)]
    return {
        "tickvals": list(range(len(names))),
        "ticktext": names,
        "range": [-0.12, len(names) - 0.75],
        "side": "bottom",
        "ticks": "",
        "tickangle": 0,
    }


def _height(axis: SearchedAxis, trial: ShownTrial) -> float:
    spread = _jitter(axis, trial) * 0.25 / max(1, len(axis.choices))
    return axis.share(trial.settings[axis.path]) + spread


def _goodness(y: Scale, trial: ShownTrial) -> float:
    """Where a value stands between the worst (0) and the best (1)."""
    low, high = y.ends
    value = y.place(trial.value)
    share = ((math.log10(value) if y.log else value) - low) / (high - low)
    return 1 - share if y.sign > 0 else share


def _ticks(axis: SearchedAxis) -> list[tuple[Any, str]]:
    if axis.scale == "choice":
        return [(value, style.value_of(value)) for value in axis.choices]
    if axis.scale == "log":
        return [(tick, f"{tick:g}") for tick in style.searched(axis)["tickvals"]]
    steps = [axis.low + share * (axis.high - axis.low) for share in (0, 0.25, 0.5, 0.75, 1)]
    if axis.scale == "whole":
        steps = [float(step) for step in sorted({round(step) for step in steps})]
    return [(step, f"{step:.4g}") for step in steps]


def _value_ticks(y: Scale) -> list[tuple[float, str]]:
    low, high = y.ends
    if y.empty:
        return []
    values = y.axis.get("tickvals") or [low + share * (high - low) for share in (0.1, 0.3, 0.5, 0.7, 0.9)]
    shares = [((math.log10(value) if y.log else value) - low) / (high - low) for value in values]
    return [(1 - share if y.sign > 0 else share, f"{value:.3g}") for share, value in zip(shares, values, strict=True)]


def _upright(figure: "Figure", place: int, ticks: Iterable[tuple[float, str]]) -> None:
    """An axis of its own at `place`, with its labels."""
    figure.add_shape(type="line", x0=place, x1=place, y0=-0.03, y1=1.03, line={"color": EDGE, "width": 1})
    for height, text in ticks:
        figure.add_annotation(
            x=place, y=height, text=style.folded(text, 14), showarrow=False, xanchor="left", xshift=4,
            font={"size": 11, "color": INK2}, bgcolor=PAPER, opacity=0.85, borderpad=1,
        )  # fmt: skip


def drawn(some: Sequence[ShownTrial], picture: StudyPicture) -> set[int]:
    """The numbers of at most `MOST_LINES` of some trials: half of them the best, the others an even sample."""
    place = {trial.number: n for n, trial in enumerate(picture.completed())}
    order = sorted((trial.number for trial in some), key=lambda number: (place.get(number, len(place)), number))
    if len(order) <= MOST_LINES:
        return set(order)
    best, rest = order[: MOST_LINES // 2], order[MOST_LINES // 2 :]
    places = np.linspace(0, len(rest) - 1, MOST_LINES - len(best)).astype(int)
    return {*best, *(rest[n] for n in places)}


def _bands(picture: StudyPicture, keep: set[int]) -> list[tuple[str, str, float, list[ShownTrial]]]:
    """The trials to keep by how dark they are drawn, the best last: name, color, width, trials."""
    completed = picture.completed()
    dropped = [trial for trial in picture.trials if not trial.completed]
    size = max(1, math.ceil(len(completed) / len(RAMP)))
    bands = [(f"band {n + 1}", color, 1.2, completed[n * size : (n + 1) * size]) for n, color in enumerate(RAMP)]
    winner = picture.winner.number if picture.winner is not None else None
    best = [trial for trial in completed if trial.number == winner]
    found = [("not trained to its end", RAMP[-2], 0.8, dropped), *reversed(bands), ("winner", INK, 3.0, best)]
    kept = ((name, color, width, [t for t in trials if t.number in keep]) for name, color, width, trials in found)
    return [band for band in kept if band[3]]


def _lines(
    name: str, color: str, width: float, x: Sequence[Sequence[float]], y: Sequence[Sequence[float]], texts: list[str]
) -> Any:
    """Several lines in one trace, with gaps between them."""
    import plotly.graph_objects as go

    return go.Scatter(
        x=np.concatenate([[*line, np.nan] for line in x]).astype(np.float32),
        y=np.concatenate([[*line, np.nan] for line in y]).astype(np.float32),
        mode="lines",
        line={"color": color, "width": width},
        name=name,
        hovertext=[part for line, text in zip(y, texts, strict=True) for part in [text] * len(line) + [""]],
        hoverinfo="text",
        showlegend=False,
    )


# ── curves ──────────────────────────────────────────────────────────────────────────────────────


def curves(picture: StudyPicture) -> "Figure":
    """The validation curves of the trials, epoch by epoch; the better the best epoch, the darker."""
    figure = style.blank(360, title={"text": "every trial's validation curve"})
    keep = drawn([trial for trial in picture.trials if any(value is not None for _, value in trial.curve)], picture)
    if not keep:
        return style.say(figure, "No trial's curve is in this folder.")
    values = [value for trial in picture.trials for _, value in trial.curve if value is not None]
    y = Scale(values, picture.sign)
    for name, color, width, trials in _bands(picture, keep):
        epochs = [[float(epoch) for epoch in range(1, len(trial.curve) + 1)] for trial in trials]
        heights = [[np.nan if v is None or y.beyond(v) else v for _, v in trial.curve] for trial in trials]
        texts = [told(picture, trial) for trial in trials]
        figure.add_trace(_lines(name, color, width, epochs, heights, texts))
    figure.update_xaxes(title={"text": "epoch"})
    figure.update_yaxes(**y.axis, title={"text": style.quantity(picture.monitor)})
    return figure
