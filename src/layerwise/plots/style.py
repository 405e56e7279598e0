"""How figures look: the Studio's colors and type, axes by scale, and where a value is put that has no place.

Lines and points are ink; what is better is darker. Only the surface of a search has a color of its own.
"""

import math
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from layerwise.progress import wording
from layerwise.tuning.picture import SearchedAxis

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

PAPER, FILL, LINE, EDGE = "#fcfbf9", "#f1efea", "#e6e3dc", "#8f8a81"
INK, INK2, INK3 = "#1b1a18", "#57544e", "#706c65"
FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', 'Liberation Sans', Arial, sans-serif"
RAMP = ("#1b1a18", "#57544e", "#86817a", "#aaa59c", "#c6c2b9", "#dad7cf")  # best to worst
NEGATIVE, ZERO, POSITIVE = "#bf5208", "#f6f4f0", "#1d5db6"  # of numbers; also class 1 and 2 of two
CLASSES = ("#0a8f7a", "#7d1f74", "#bd8600", "#416407", "#944ec1", "#453c2b", NEGATIVE, POSITIVE)  # of more
DARK = {  # what the Studio's dark page has in place of each color
    PAPER: "#131416", FILL: "#202226", LINE: "#2a2c31", EDGE: "#75777c", INK: "#f1f0ed", INK2: "#b5b3ad",
    INK3: "#989690", RAMP[2]: "#83858a", RAMP[3]: "#66686d", RAMP[4]: "#4c4e53", RAMP[5]: "#393b40",
    "#ffffff": "#1b1d20",
    # the blues of `surfaces.COLORS`
    "#f6f4f0": "#1b1d20", "#dde2ea": "#232a33", "#c3d0e2": "#2c3747", "#a6bcda": "#34445b", "#85a5d2": "#3d5271",
    "#6b93ca": "#466087",
    NEGATIVE: "#f39a4b", POSITIVE: "#74acff", CLASSES[0]: "#34c6a8", CLASSES[1]: "#bb5ab0", CLASSES[2]: "#f7d774",
    CLASSES[3]: "#59880a", CLASSES[4]: "#95f4f9", CLASSES[5]: "#d3a813",
}  # fmt: skip
HEIGHT = 320
TICKS = 6
LOGARITHMIC = 5.0  # times as large must the largest loss be for its axis to be logarithmic


def blank(height: int = HEIGHT, **layout: Any) -> "Figure":
    """A figure with nothing in it yet; `layout` is Plotly's."""
    import plotly.graph_objects as go

    axis = {
        "gridcolor": LINE,
        "linecolor": LINE,
        "zeroline": False,
        "tickcolor": LINE,
        "tickfont": {"color": INK2, "size": 12},
        "title": {"font": {"color": INK2, "size": 12}, "standoff": 8},
        "automargin": True,
        "fixedrange": True,
    }
    template = go.layout.Template(
        layout={
            "font": {"family": FONT, "size": 13, "color": INK},
            "title": {
                "font": {"size": 15, "color": INK},
                "x": 0,
                "xref": "container",
                "y": 1,
                "yanchor": "top",
                "pad": {"l": 12, "t": 12},
            },
            "paper_bgcolor": PAPER,
            "plot_bgcolor": PAPER,
            "colorway": [INK, INK2, INK3, EDGE],
            "hoverlabel": {"bgcolor": "#ffffff", "bordercolor": EDGE, "font": {"color": INK, "size": 12}},
            "hovermode": "closest",
            "dragmode": False,
            "margin": {"l": 12, "r": 16, "t": 84, "b": 12},
            "legend": {
                "orientation": "h",
                "x": 0,
                "xanchor": "left",
                "y": 1.02,
                "yanchor": "bottom",
                "font": {"size": 12, "color": INK2},
                "itemclick": False,
                "itemdoubleclick": False,
                "bgcolor": "rgba(0,0,0,0)",
            },
            "xaxis": {**axis, "showgrid": False, "tickangle": 0},
            "yaxis": axis,
        }
    )
    return go.Figure(layout={"template": template, "height": height, **layout})


def untitled(figure: "Figure") -> "Figure":
    """The figure for a page that has the heading itself: without a title, and no more room above than it needs."""
    legend = figure.layout.showlegend is not False and sum(trace.showlegend is not False for trace in figure.data) > 1
    figure.update_layout(title={"text": ""}, margin={"t": 40 if legend else 24})
    return figure


def color_bar(values: Sequence[float], texts: Sequence[str], title: str, length: float) -> dict[str, Any]:
    """What the colors of a surface mean, in a bar below it, `length` of the figure's width; Plotly's settings."""
    font = {"size": 12, "color": INK2}
    return {
        "orientation": "h",
        "x": 0.5,
        "y": 0,
        "yref": "container",
        "yanchor": "bottom",
        "len": length,
        "thickness": 8,
        "outlinewidth": 0,
        "tickvals": values,
        "ticktext": texts,
        "tickfont": font,
        "title": {"text": title, "side": "top", "font": font},
    }


def say(figure: "Figure", sentence: str) -> "Figure":
    """The figure with a sentence in the place of what cannot be drawn."""
    figure.update_xaxes(visible=False, range=[0, 1])
    figure.update_yaxes(visible=False, range=[0, 1])
    figure.add_annotation(
        text=folded(sentence, 44), x=0.5, y=0.5, xref="paper", yref="paper", showarrow=False, font={"color": INK3}
    )
    return figure


def folded(sentence: str, width: int) -> str:
    """Plotly's line breaks, so that no line is longer than `width` letters where it has spaces."""
    import textwrap

    return "<br>".join(escaped(line) for line in textwrap.wrap(sentence, width, break_long_words=False)) or " "


def escaped(text: str) -> str:
    """Text that Plotly shows as it is; it reads some HTML in texts.

    >>> escaped("<b> & co")
    '&lt;b&gt; &amp; co'
    """
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def quantity(monitor: str) -> str:
    """What trials are compared by, for an axis.

    >>> quantity("macro_f1")
    'validation macro F1'
    """
    return f"validation {wording.label(monitor)}"


def value_of(setting: Any) -> str:
    """A setting's value for people.

    >>> value_of(0.0031234), value_of([128, 64]), value_of({"kind": "adam"}), value_of("cosine")
    ('0.003123', '128, 64', 'adam', 'cosine')
    """
    if isinstance(setting, bool):
        return str(setting).lower()
    if isinstance(setting, float):
        return f"{setting:.4g}"
    if isinstance(setting, list | tuple):
        return ", ".join(value_of(item) for item in setting) or "none"
    if isinstance(setting, dict):
        rest = [f"{name} {value_of(item)}" for name, item in setting.items() if name != "kind"]
        return " ".join([str(setting.get("kind", "")), *rest]).strip()
    return str(setting)


def settings_of(settings: dict[str, Any]) -> list[str]:
    """A line for each setting.

    >>> settings_of({"train.learning_rate": 0.01})
    ['learning rate 0.01']
    """
    return [f"{path.rpartition('.')[2].replace('_', ' ')} {value_of(value)}" for path, value in settings.items()]


# ── axes of values ──────────────────────────────────────────────────────────────────────────────


class Scale:
    """The axis of a monitored quantity, over the values that it is to show.

    Losses that differ much have a logarithmic axis. A few values far on the worse side of all others do
    not stretch it: they are put at its worse end, as are those that are none. `sign` is 1 where lower is
    better.
    """

    def __init__(self, values: Iterable[float], sign: int) -> None:
        found = sorted(sign * value for value in values if math.isfinite(value))  # best first
        self.sign, self.empty = sign, not found
        self.log = bool(found) and sign > 0 and found[0] > 0 and found[-1] > LOGARITHMIC * found[0]
        best, worst = (found[0], found[-1]) if found else (0.0, 1.0)
        if len(found) > 3 and not self.log:  # Tukey's far-out fence
            lower, upper = found[len(found) // 4], found[3 * len(found) // 4]
            fence = upper + 3 * (upper - lower)
            worst = max(value for value in found if value <= fence)
        self._best, self._worst = sign * best, sign * worst
        low, high = sorted(self._axis(value) for value in (self._best, self._worst))
        gap = 0.08 * (high - low) or 0.05 * (abs(high) or 1.0)
        self.ends = (low - gap, high + gap)  # of the axis, as Plotly wants them

    @property
    def worst(self) -> float:
        """Where what has no value is put."""
        end = self.ends[1] if self.sign > 0 else self.ends[0]
        return 10.0**end if self.log else end

    def place(self, value: float | None) -> float:
        """Where a value is put."""
        if value is None or not math.isfinite(value) or self.beyond(value):
            return self.worst
        return value

    def beyond(self, value: float) -> bool:
        """Whether a value lies so far out that it is put at the end."""
        return self.sign * value > self.sign * self.worst

    @property
    def axis(self) -> dict[str, Any]:
        """Plotly's settings of the axis."""
        if not self.log:
            return {"range": list(self.ends), "showticklabels": not self.empty, "showgrid": not self.empty}
        ticks = log_ticks(10.0 ** self.ends[0], 10.0 ** self.ends[1], fine=150.0)
        return {"type": "log", "range": list(self.ends), "tickvals": ticks, "ticktext": [f"{t:g}" for t in ticks]}

    def _axis(self, value: float) -> float:
        return math.log10(value) if self.log else value


def searched(axis: SearchedAxis) -> dict[str, Any]:
    """Plotly's settings of an axis over a searched setting; a choice stands at its number."""
    if axis.scale == "choice":
        numbers = list(range(len(axis.choices)))
        texts = [escaped(value_of(value)) for value in axis.choices]
        return {"tickvals": numbers, "ticktext": texts, "range": [-0.5, len(numbers) - 0.5]}
    if axis.scale == "log":
        low, high = math.log10(axis.low), math.log10(axis.high)
        ticks = log_ticks(axis.low, axis.high, fine=99.0)
        gap = 0.04 * (high - low)
        return {
            "type": "log",
            "tickvals": ticks,
            "ticktext": [f"{tick:g}" for tick in ticks],
            "range": [low - gap, high + gap],
        }
    gap = 0.04 * (axis.high - axis.low)
    return {"range": [axis.low - gap, axis.high + gap], "nticks": TICKS}


def spot(axis: SearchedAxis, setting: Any) -> float:
    """Where a setting stands on the axis of `searched`."""
    return float(axis.choices.index(setting)) if axis.scale == "choice" else float(setting)


def log_ticks(low: float, high: float, *, fine: float) -> list[float]:
    """Round values between two positive ones; finer than powers of ten where the ends are within `fine` times.

    >>> log_ticks(1e-4, 1e-1, fine=99.0), log_ticks(0.03, 0.5, fine=99.0)
    ([0.0001, 0.001, 0.01, 0.1], [0.05, 0.1, 0.2, 0.5])
    """
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    steps: Sequence[int] = (1,) if high > fine * low else (1, 2, 5)
    every = max(1, (last - first) // 8)
    rounded = [float(f"{step}e{power}") for power in range(first, last + 1, every) for step in steps]
    return [tick for tick in rounded if low * 0.999 <= tick <= high * 1.001]
