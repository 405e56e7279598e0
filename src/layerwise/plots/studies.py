"""The figures of a study: its course, its trials, what mattered, and the finalists."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from layerwise.plots import style, trials
from layerwise.plots.style import EDGE, INK, INK2, INK3, PAPER
from layerwise.tuning.events import Finalist
from layerwise.tuning.picture import StudyPicture, picture

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

    from layerwise.tuning.study import Study


@dataclass(frozen=True)
class StudyFigures:
    """The figures of one study, each Plotly's; what cannot be drawn says why in its place."""

    best_by_trial: "Figure"
    best_by_second: "Figure"
    parallel: "Figure"
    slices: "dict[str, Figure]"  # by recipe path
    importance: "Figure"
    curves: "Figure"
    finalists: "Figure"

    def all(self) -> "dict[str, Figure]":
        """Every figure by its name, a slice by its path, in the order in which they are read."""
        return {
            "finalists": self.finalists,
            "best_by_trial": self.best_by_trial,
            "best_by_second": self.best_by_second,
            "importance": self.importance,
            **self.slices,
            "parallel": self.parallel,
            "curves": self.curves,
        }

    def show(self) -> None:
        """Show all of them, where Plotly shows figures: in the notebook or the browser."""
        for figure in self.all().values():
            figure.show()

    def _ipython_display_(self) -> None:
        self.show()


def study(source: "Study | StudyPicture | Path | str") -> StudyFigures:
    """The figures of a study or of its folder; it may be going on.

    Raises `RunError` where the folder is not a study's, or nothing began in it.
    """
    shown = source if isinstance(source, StudyPicture) else picture(source)
    return StudyFigures(
        best_by_trial=best_so_far(shown, "trials"),
        best_by_second=best_so_far(shown, "seconds"),
        parallel=trials.parallel(shown),
        slices={axis.path: trials.slice_of(shown, axis.path) for axis in shown.axes},
        importance=importance(shown),
        curves=trials.curves(shown),
        finalists=finalists(shown),
    )


def best_so_far(shown: StudyPicture, over: Literal["trials", "seconds"]) -> "Figure":
    """The best value found so far, against trials or seconds, above all trials; at its end what the winner really
    comes to, on seeds that the search did not see.
    """
    import plotly.graph_objects as go

    y = trials.scale(shown)
    order = {trial.number: float(place) for place, trial in enumerate(shown.trials, start=1)}
    end = float(len(shown.trials)) if over == "trials" else max((t.seconds for t in shown.trials), default=0.0)
    title = "trials that are over" if over == "trials" else "seconds"
    figure = style.blank(
        title={"text": f"best so far, against {over}"},
        xaxis={"title": {"text": title}, "range": [0, 1.08 * end]},
        yaxis={**y.axis, "title": {"text": style.quantity(shown.monitor)}},
    )
    for group in trials.groups(shown):
        x = [order[trial.number] if over == "trials" else trial.seconds for trial in group.trials]
        figure.add_trace(trials.dots(shown, group, x, y))
    records = shown.best_so_far()
    if records:
        x = [record.ended if over == "trials" else record.seconds for record in records]
        heights = [record.value for record in records]
        figure.add_trace(
            go.Scatter(
                x=np.array([*x, end], float), y=np.array([*heights, heights[-1]]), mode="lines", name="best so far",
                line={"color": INK, "width": 2, "shape": "hv"}, hoverinfo="skip",
            )
        )  # fmt: skip
    if shown.winner is not None:
        figure.add_trace(_confirmed(shown.winner, 1.04 * end, y))
    return figure


def _confirmed(winner: Finalist, x: float, y: style.Scale) -> Any:
    """The winner's mean over further seeds, with its interval."""
    import plotly.graph_objects as go

    figures = f"{winner.mean:.4g} ({winner.low:.4g} to {winner.high:.4g})"
    low = max(winner.low, 10.0 ** y.ends[0]) if y.log else winner.low  # a logarithmic axis has no place for zero
    return go.Scatter(
        x=[x],
        y=[winner.mean],
        error_y={
            "type": "data", "symmetric": False, "array": [winner.high - winner.mean],
            "arrayminus": [winner.mean - low], "color": INK, "thickness": 1.5, "width": 4,
        },
        mode="markers",
        marker={"symbol": "diamond-open", "size": 10, "color": INK, "line": {"width": 2}},
        name="winner on further seeds",
        hovertext=[f"<b>{label(winner)}</b> on further seeds<br>{figures}"],
        hoverinfo="text",
        cliponaxis=True,
    )  # fmt: skip


def label(final: Finalist) -> str:
    """What a finalist is called."""
    return "recipe as written" if final.number is None else f"trial {final.number}"


def importance(shown: StudyPicture) -> "Figure":
    """The share of every setting in how much the trials differ, by a random forest."""
    import plotly.graph_objects as go

    found = shown.importance()
    names = {axis.path: axis.name for axis in shown.axes}
    figure = style.blank(max(160, 96 + 36 * len(found.shares)), title={"text": "what mattered"})
    if not found.shares:
        return style.say(figure, found.reason[:1].upper() + found.reason[1:] + ".")
    figure.add_trace(
        go.Bar(
            x=np.array(list(found.shares.values())),
            y=[style.escaped(names[path]) for path in found.shares],
            orientation="h",
            marker={"color": INK2},
            width=0.5,
            text=[f" {share:.0%}" for share in found.shares.values()],
            textposition="outside",
            textfont={"color": INK},
            hovertext=[f"{path}: {share:.1%}" for path, share in found.shares.items()],
            hoverinfo="text",
            cliponaxis=False,
        )
    )
    figure.update_xaxes(range=[0, 1.12], visible=False)
    figure.update_yaxes(autorange="reversed", showgrid=False, ticksuffix="  ")
    return figure


def finalists(shown: StudyPicture) -> "Figure":
    """Each finalist's values over seeds, their mean with its 95% interval, and what the search had seen."""
    import plotly.graph_objects as go

    finals = shown.finalists
    figure = style.blank(112 + 44 * max(2, len(finals)), title={"text": "on seeds that the search did not see"})
    if not finals:
        return style.say(figure, "No finalists were trained on further seeds.")
    rows = np.arange(len(finals), dtype=float)
    means = np.array([final.mean for final in finals])
    figure.add_trace(
        go.Scatter(
            x=np.array([value for final in finals for value in final.values]),
            y=np.repeat(rows, [len(final.values) for final in finals]) + 0.22,
            mode="markers",
            name="a seed each",
            marker={"symbol": "line-ns-open", "size": 9, "color": INK3, "line": {"width": 1.5}},
            hovertemplate="%{x:.4g}<extra></extra>",
        )
    )
    figure.add_trace(
        go.Scatter(
            x=means,
            y=rows,
            error_x={
                "type": "data", "symmetric": False, "array": np.array([final.high - final.mean for final in finals]),
                "arrayminus": np.array([final.mean - final.low for final in finals]),
                "color": INK, "thickness": 1.5, "width": 5,
            },
            mode="markers",
            name="mean, 95% interval",
            marker={"symbol": "diamond", "size": 11, "color": INK},
            hovertext=[f"<b>{label(f)}</b><br>{f.mean:.4g} ({f.low:.4g} to {f.high:.4g})" for f in finals],
            hoverinfo="text",
        )
    )  # fmt: skip
    seen = [(final.searched, row) for final, row in zip(finals, rows, strict=True) if final.searched is not None]
    if seen:
        figure.add_trace(
            go.Scatter(
                x=np.array([value for value, _ in seen]), y=np.array([row for _, row in seen]), mode="markers",
                name="what the search saw", hovertemplate="%{x:.4g}<extra>in the search</extra>",
                marker={"symbol": "circle-open", "size": 10, "color": EDGE, "line": {"width": 1.5}},
            )
        )  # fmt: skip
    won = shown.winner.number if shown.winner is not None else -1
    texts = [f"<b>{label(f)}</b>" if f.number == won else label(f) for f in finals]
    figure.update_xaxes(title={"text": style.quantity(shown.monitor)}, showgrid=True)
    if all(final.low == final.high == finals[0].mean for final in finals):  # nothing that an axis could be fitted to
        figure.update_xaxes(range=style.Scale([finals[0].mean], shown.sign).ends)
    figure.update_yaxes(tickvals=rows, ticktext=texts, range=[len(finals) - 0.4, -0.6], showgrid=False, ticksuffix="  ")
    figure.update_layout(plot_bgcolor=PAPER)
    return figure
