"""The page of `layerwise inspect overfit`: which cures for over-fitting work on this network and data."""

import math

from jaxtyping import Float64
from numpy import ndarray

from layerwise.inspection.cures import LARGE, Arm, Overfitting, Settings
from layerwise.plots import overfitting as plots
from layerwise.progress import wording
from layerwise.report.page import Figures, Html, section, table, tag, text, titled
from layerwise.tasks.intervals import Interval, mean_within

HEADING = ("", "strength", "epoch", "training loss", "validation loss", "gap")


def overfitting(name: str, found: Overfitting) -> bytes:
    """The page."""
    figures = Figures()
    lead = f"The same network without and with each cure, trained on {wording.counted(len(found.seeds), 'seed')} each."
    content = [_findings(found, figures), _curves(found, figures), _table(found), _strengths(found), _method(found)]
    return titled(f"{name}: over-fitting", lead, content, figures)


def _findings(found: Overfitting, figures: Figures) -> Html:
    aside = (
        "The same seed is the same initialization and the same batches, so each cure is compared with none seed by "
        "seed. The intervals hold all together with 95% (Bonferroni); more seeds make them narrower."
    )
    caption = "Left of zero the cure helps. Filled: the difference is real. Small dots: the seeds."
    place = figures.add(
        plots.differences(found), "Validation loss with each cure, less that without", caption, wide=True
    )
    said = tag("ul", *(tag("li", text(words)) for words in findings(found)))
    return section("Findings", aside, tag("p", text(found.words), kind="lead"), said, place)


def _curves(found: Overfitting, figures: Figures) -> Html:
    aside = (
        "The mean over seeds, within a band from the lowest to the highest. With dropout the training loss is that of "
        "the thinned network, so it lies higher. With early stopping each seed has its own lines, and a dot where its "
        "weights were taken."
    )
    places = [figures.add(figure, name) for name, figure in plots.learning(found).items()]
    return section("Curves", aside, tag("div", *places, kind="figures"))


def _table(found: Overfitting) -> Html:
    heading, rows = figures_of(found)
    aside = "The mean over seeds with its own 95% interval. Training losses are without dropout and penalties."
    return section("Figures", aside, table(heading, [[text(cell) for cell in row] for row in rows], name="figures"))


def _strengths(found: Overfitting) -> Html:
    aside = f"Tried on seeds {wording.listed([str(seed) for seed in found.choosing_seeds])}, which are not judged."
    rows = [
        [rung.arm, settings_of(rung.settings), wording.loss(rung.loss), "chosen" if rung.chosen else ""]
        for rung in found.rungs
    ]
    heading = ("cure", "strength", "loss on the choosing half", "")
    return section("Strengths", aside, table(heading, [[text(cell) for cell in row] for row in rows], name="strengths"))


def _method(found: Overfitting) -> Html:
    return section("How it is judged", "", tag("ul", *(tag("li", text(words)) for words in method(found))))


# ── in words, for the terminal, too ─────────────────────────────────────────────────────────────


def findings(found: Overfitting) -> list[str]:
    """A sentence for each cure, the real ones first, and what there is to note."""
    ordered = sorted(found.comparisons, key=lambda comparison: not comparison.real)
    said = [comparison.words for comparison in ordered]
    return [f"{words[0].upper()}{words[1:]}." for words in (*said, *found.notes)]


def figures_of(found: Overfitting) -> tuple[list[str], list[list[str]]]:
    """The table of all figures: its heading, and a row for each way to train."""
    rows = []
    for arm in found.arms:
        means = [_mean("loss", values) for values in (arm.training, arm.validation, arm.gap)]
        cells = [wording.loss(means[0].value), _told("loss", means[1]), wording.loss(means[2].value)]
        rows.append(
            [
                arm.name,
                settings_of(arm.settings) or "-",
                _epochs(arm),
                *cells,
                _told(found.metric, _mean(found.metric, arm.metric)),
            ]
        )
    return [*HEADING, wording.label(found.metric)], rows


def method(found: Overfitting) -> list[str]:
    """What is compared, and what the intervals do not say."""
    rows = found.rows
    said = [
        f"The validation part is dealt into two halves: {rows['choosing']:,} rows choose the strengths and when early "
        f"stopping stops, the other {rows['judging']:,} judge. The test part is not touched.",
        "Judged are the weights at the end of training; with early stopping those of the epoch that was best on the "
        "choosing half. The curves show the choosing half.",
        f"The intervals are over seeds, for these {rows['judging']:,} rows: other rows may differ by more.",
    ]
    if not all(comparison.told or comparison.diverged for comparison in found.comparisons):
        said.append(
            f"Seeds are too few to tell where the interval holds zero and differences of {LARGE:.0%} of the loss, too: "
            "more of them make it narrower."
        )
    if found.loss != "loss":
        said.append(f"The loss is the {found.loss.upper()} of the target in units of its standard deviation.")
    if found.removed:
        said.append(f"The recipe's own regularization is left out of none: {settings_of(found.removed)}.")
    return said


def settings_of(settings: Settings) -> str:
    """Settings for people.

    >>> settings_of({"l2": 0.01, "patience": 10})
    'L2 0.01, patience 10'
    """
    names = {"l1": "L1", "l2": "L2"}
    return ", ".join(f"{names.get(name, name.replace('_', ' '))} {value:.2g}" for name, value in settings.items())


def _mean(metric: str, values: Float64[ndarray, " seeds"]) -> Interval:
    return mean_within(metric, values.tolist(), len(values) ** -0.5)


def _told(metric: str, value: Interval) -> str:
    """A mean with its interval."""
    if not math.isfinite(value.value):
        return "diverged"
    places = wording.decimals(metric, value.value)
    shown, low, high = (wording.figure(part, places) for part in (value.value, value.low, value.high))
    return f"{shown} ({low} to {high})"


def _epochs(arm: Arm) -> str:
    """The epochs whose weights are compared."""
    low, high = int(arm.epoch.min()), int(arm.epoch.max())
    return f"{low:,}" if low == high else f"{low:,} to {high:,}"
