"""How a trained network errs on one part of its data: every kind of mistake, and the worst by themselves.

The figures are of the very predictions that were scored at the end of training. Mistakes are shown one by
one from the validation part only: whoever looks at rows of the test part and then changes something has
begun to choose by it.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Float64, Int64

from layerwise.data.dataset import Classes, Labels, Quantities, spread
from layerwise.inspection.subjects import Subject
from layerwise.tasks.intervals import wilson
from layerwise.tasks.metrics import BINS, calibration_bin
from layerwise.tasks.objective import decide, probabilities
from layerwise.training.forward import Forward
from layerwise.training.wording import rounded

POINTS = 200  # of a curve at most


@dataclass(frozen=True)
class Curve:
    """How well scores tell one class (or label) from all others, over every threshold.

    From the highest threshold to the lowest: the share of the others and of the class itself that score
    above it (together the ROC curve), and the precision, which is defined from the first row on. `prevalence`
    is the class's share of the rows, the precision of taking every row, or any at random, for it.
    """

    name: str
    positives: int
    prevalence: float
    false_positive: Float64[np.ndarray, " thresholds"]
    true_positive: Float64[np.ndarray, " thresholds"]
    precision: Float64[np.ndarray, " thresholds"]


@dataclass(frozen=True)
class Calibration:
    """Whether the probability of the predicted class is also how often it is right, bin by bin.

    Bins of equal width, the calibration error's, that hold no row are left out; `confidence` is the mean
    probability in a bin, `accuracy` the share predicted rightly, from `low` to `high` its 95% interval (Wilson
    1927), `rows` how many. Of labels `rows` counts single decisions; several of them are about one row, so they
    are not independent, and the interval is left out (None).
    """

    confidence: Float64[np.ndarray, " bins"]
    accuracy: Float64[np.ndarray, " bins"]
    low: Float64[np.ndarray, " bins"] | None
    high: Float64[np.ndarray, " bins"] | None
    rows: Int64[np.ndarray, " bins"]


@dataclass(frozen=True)
class Decisions:
    """Of classes or labels. `confusion[i, j]` counts the rows of class i that were taken for class j; labels
    have none, nor has a perceptron `curves` of probability or a `calibration`.
    """

    part: str
    names: tuple[str, ...]
    confusion: Int64[np.ndarray, "true said"]
    curves: tuple[Curve, ...]
    calibration: Calibration | None


@dataclass(frozen=True)
class Values:
    """Of one quantity, in its own unit: what it was and what was predicted, row by row of the part."""

    part: str
    name: str
    true: Float64[np.ndarray, " rows"]
    said: Float64[np.ndarray, " rows"]


@dataclass(frozen=True)
class Mistake:
    """One row that the network got wrong: its number in the data from 1, the row as the user wrote it, what
    is true and what was said. `badness` orders mistakes: the true class's lack of probability, the share of
    labels that are wrong and how surely, or the error in standard deviations of the target.
    """

    row: int
    raw: Any
    true: str
    said: str
    badness: float


def evaluation(subject: Subject, part: str) -> Decisions | tuple[Values, ...]:
    """How the network decides on a part's rows; for a regression, what it predicts of each quantity."""
    rows = subject.dataset.part(part)
    outputs, y = Forward(subject.network).over(subject.dataset.x, rows), subject.dataset.y[rows]
    match subject.dataset.target:
        case Classes(names=names):
            return _of_classes(subject, part, names, outputs, y)
        case Labels(columns=columns):
            shares = probabilities(subject.objective, outputs)
            curves = tuple(curve(name, shares[:, i], y[:, i] > 0.5) for i, name in enumerate(columns))
            right = (shares > 0.5) == (y > 0.5)
            sure = np.where(shares > 0.5, shares, 1 - shares)
            none = np.zeros((0, 0), np.int64)
            return Decisions(part, columns, none, curves, calibration(sure, right))
        case Quantities() as target:
            true, said = target.in_units(y), target.in_units(outputs)
            return tuple(Values(part, name, true[:, i], said[:, i]) for i, name in enumerate(target.columns))


def mistakes(subject: Subject, part: str, most: int) -> tuple[Mistake, ...]:
    """The worst mistakes on a part, the worst first."""
    rows = subject.dataset.part(part)
    outputs, y = Forward(subject.network).over(subject.dataset.x, rows), subject.dataset.y[rows]
    badness, true, said = _judged(subject, outputs, y)
    worst = [int(i) for i in np.argsort(-badness, kind="stable")[:most] if badness[i] > 0]
    if not worst:
        return ()
    raw = subject.dataset.raw(rows[np.array(worst)])
    return tuple(
        Mistake(int(rows[i]) + 1, raw[place], true(i), said(i), float(badness[i])) for place, i in enumerate(worst)
    )


def curve(name: str, scores: Float[np.ndarray, " rows"], positive: np.ndarray) -> Curve:
    """The curve over all thresholds, thinned to `POINTS` points; the first is that of no row at all.

    >>> found = curve("yes", np.array([0.9, 0.8, 0.3, 0.1]), np.array([True, False, True, False]))
    >>> found.false_positive.tolist(), found.true_positive.tolist()
    ([0.0, 0.0, 0.5, 0.5, 1.0], [0.0, 0.5, 0.5, 1.0, 1.0])
    >>> [round(float(value), 2) for value in found.precision]
    [1.0, 1.0, 0.5, 0.67, 0.5]
    >>> found.prevalence
    0.5
    """
    order = np.argsort(-scores, kind="stable")
    ranked, hits = scores[order], positive[order].astype(np.int64)
    last = np.flatnonzero(np.append(np.diff(ranked) != 0, True)) if ranked.size else np.zeros(0, np.int64)
    true, above = np.cumsum(hits)[last], last + 1
    if last.size > POINTS:
        kept = spread(np.arange(last.size), POINTS)
        true, above = true[kept], above[kept]
    positives, others = int(hits.sum()), int(hits.size - hits.sum())
    return Curve(
        name=name,
        positives=positives,
        prevalence=positives / max(hits.size, 1),
        false_positive=np.append(0.0, (above - true) / max(others, 1)),
        true_positive=np.append(0.0, true / max(positives, 1)),
        precision=np.append(1.0, true / above),
    )


def calibration(sure: Float[np.ndarray, "rows *labels"], right: Bool[np.ndarray, "rows *labels"]) -> Calibration:
    """Mean probability and share of right predictions in bins of equal width, as the calibration error has them."""
    bins = calibration_bin(sure).ravel()
    counts = np.bincount(bins, minlength=BINS)
    held = counts > 0
    rows = counts[held].astype(np.int64)
    accuracy = np.bincount(bins, right.ravel(), BINS)[held] / rows
    low, high = wilson(accuracy, rows) if sure.ndim == 1 else (None, None)
    return Calibration(np.bincount(bins, sure.ravel(), BINS)[held] / rows, accuracy, low, high, rows)


def _of_classes(subject: Subject, part: str, names: tuple[str, ...], outputs: np.ndarray, y: np.ndarray) -> Decisions:
    said = decide(subject.objective, outputs)
    confusion = np.bincount(y.astype(np.int64) * len(names) + said, minlength=len(names) ** 2)
    square = confusion.reshape(len(names), len(names)).astype(np.int64)
    if subject.objective.kind == "perceptron":
        return Decisions(part, names, square, (), None)
    shares = probabilities(subject.objective, outputs)
    told = (len(names) - 1,) if len(names) == 2 else range(len(names))  # of two classes one tells all
    curves = tuple(curve(names[i], shares[:, i], y == i) for i in told)
    sure = shares[np.arange(len(y)), said]
    return Decisions(part, names, square, curves, calibration(sure, said == y))


def _judged(subject: Subject, outputs: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, Any, Any]:
    """How bad each row is (0 where it is right), and the words for what is true and what was said."""
    match subject.dataset.target:
        case Classes(names=names):
            said, shares = decide(subject.objective, outputs), probabilities(subject.objective, outputs)
            badness = np.where(said == y, 0.0, 1 - shares[np.arange(len(y)), y])
            return badness, lambda i: names[y[i]], lambda i: f"{names[said[i]]} ({shares[i, said[i]]:.0%})"
        case Labels(columns=columns):
            shares = probabilities(subject.objective, outputs)
            off = np.where((shares > 0.5) == (y > 0.5), 0.0, np.abs(shares - y))

            def labels(values: np.ndarray) -> str:
                return ", ".join(name for name, on in zip(columns, values > 0.5, strict=True) if on) or "none"

            return off.sum(axis=1), lambda i: labels(y[i]), lambda i: labels(shares[i])
        case Quantities() as target:

            def words(values: np.ndarray) -> str:
                return ", ".join(rounded(value) for value in target.in_units(values).tolist())

            deviation = np.maximum(y.std(axis=0), 1e-12) if len(y) else 1.0
            return (np.abs(outputs - y) / deviation).max(axis=1), lambda i: words(y[i]), lambda i: words(outputs[i])
