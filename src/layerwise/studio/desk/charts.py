"""The curves of runs and the trials of searches as figures: Plotly's, made as for a report, drawn by the page.

The page draws them with the script that Plotly's own package carries. It is large, so it is served under an
address of its version, to be kept by the browser, and asked for where a figure is to be drawn.
"""

import re
from collections.abc import Mapping
from functools import cache
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from layerwise.errors import LayerwiseError
from layerwise.progress import wording
from layerwise.studio.desk import courses
from layerwise.training.events import Epoch
from layerwise.tuning.listing import Record

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

KEPT = "private, max-age=31536000, immutable"  # what is under an address of its version never changes
# A style of maps, which no figure here has, under an id of its own. Where an element has that id Plotly leaves
# the style out, which the page's policy would refuse.
STYLE = re.compile(rb'if\(!document\.getElementById\("([0-9a-f]{64})"\)\)')
WHOSE = {"run": "", "study": "First those of the winner. ", "folds": "Those of the first fold. "}
KEPT_EPOCH = "The dashed line is the epoch whose weights were kept."
LETTERS = "ABCDEFGHIJKL"  # of runs side by side

Charts = dict[str, Any]


@cache
def script() -> Path:
    """Plotly's script in its installed package."""
    return Path(str(files("plotly"))) / "package_data" / "plotly.min.js"


@cache
def address() -> str:
    """Where that script is served."""
    return f"/plotly-{version('plotly')}.js"


@cache
def _styles() -> list[str]:
    """The ids of the styles that the script adds to a page by itself."""
    return [found.decode() for found in STYLE.findall(script().read_bytes())]


def charts(drawn: "Mapping[str, tuple[Figure, str]]", about: str = "") -> Charts:
    """Figures by their headings, each with what it says in words, and `about` them all; and what draws them.

    `script` is where Plotly's is, `styles` are ids that an element should have before it is run, and `dark`
    is what a dark page has in place of each color.
    """
    if not drawn:
        return {"figures": [], "about": ""}
    from layerwise.plots import style  # with all figures, which are not needed at the start

    shown = [
        {"heading": heading, "told": told, "figure": msgspec.Raw(style.untitled(figure).to_json().encode())}
        for heading, (figure, told) in drawn.items()
    ]
    return {"figures": shown, "about": about, "script": address(), "styles": _styles(), "dark": style.DARK}


def of_run(folder: Path, record: Record) -> Charts:
    """The loss of a run by epoch, and its first other figure; of a search those of its winner, and its trials.

    Nothing where it was not trained, or for no more than an epoch.
    """
    from layerwise.plots import course

    epochs = courses.epochs(courses.log_of(folder, record.kind))
    drawn: dict[str, tuple[Figure, str]] = {}
    if len(epochs) > 1:
        others = (name for epoch in epochs for name in epoch.validation if name != "loss")
        for monitor in ("loss", *([first] if (first := next(others, None)) is not None else [])):
            heading = wording.label(monitor)
            heading = heading[:1].upper() + heading[1:]
            drawn[heading] = course(epochs, monitor), _told(epochs, monitor)
    whose = WHOSE[record.kind] if drawn else ""
    kept = KEPT_EPOCH if any(epoch.best for epoch in epochs) and drawn else ""
    if record.kind == "study":
        drawn |= _trials(folder)
    return charts(drawn, f"{whose}{kept}")


def _told(epochs: list[Epoch], monitor: str) -> str:
    """What a course shows, for those who do not see it."""
    last = epochs[-1]
    ends = [f"training ends at {last.loss:.3g}"] if monitor == "loss" else []
    if monitor in last.validation:
        ends.append(f"validation ends at {last.validation[monitor]:.3g}")
    best = next((f"; kept: epoch {epoch.epoch:,}" for epoch in reversed(epochs) if epoch.best), "")
    return f"over {last.epoch:,} epochs {', '.join(ends)}{best}"


def _trials(folder: Path) -> "dict[str, tuple[Figure, str]]":
    """Every trial of a search, the best so far, and the course that each took; nothing where none can be read."""
    from layerwise.plots import best_so_far, curves, style
    from layerwise.tuning.picture import picture

    try:
        shown = picture(folder)
    except LayerwiseError:
        return {}
    if not shown.trials:
        return {}
    records = shown.best_so_far()
    best = f", the best {style.quantity(shown.monitor)} {records[-1].value:.4g}" if records else ""
    told = f"{wording.counted(len(shown.trials), 'trial')}{best}"
    found = {"Best so far, against trials": (best_so_far(shown, "trials"), told)}
    if any(trial.curve for trial in shown.trials):
        found["Every trial's validation curve"] = curves(shown), told
    return found


def side_by_side(folders: Mapping[str, Path], records: Mapping[str, Record]) -> Charts:
    """The loss of several runs in one figure; each is called by its letter."""
    from layerwise.plots import together

    runs = {
        letter: courses.epochs(courses.log_of(folders[name], record.kind))
        for letter, (name, record) in zip(LETTERS, records.items(), strict=False)
    }
    runs = {letter: epochs for letter, epochs in runs.items() if len(epochs) > 1}
    if not runs:
        return charts({})
    lasts = {letter: epochs[-1] for letter, epochs in runs.items()}
    ends = [f"{letter} ends at {last.validation.get('loss', last.loss):.3g}" for letter, last in lasts.items()]
    return charts({"Loss": (together(runs), ", ".join(ends))}, "Validation loss; where there is none, training loss.")
