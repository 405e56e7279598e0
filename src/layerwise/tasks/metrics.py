"""How good predictions are: figures with 95% intervals, for classes, labels and quantities.

The intervals are those of the bootstrap (`layerwise.tasks.bootstrap`), and where all rows are right or all wrong
those of `layerwise.tasks.intervals`.

**The ROC AUC** is not a sum. Up to 100,000 rows x classes each resample's own value is worked out
from the counts in the order of the scores. Above, it is replaced by its first-order expansion, the
mean of every example's *placement* among the other class (DeLong, DeLong & Clarke-Pearson 1988),
which is a sum; the neglected term falls as 1/n.

A figure that the part does not define (the ROC AUC where only one class occurs, R2 where the target
does not vary) is left out, and all are where there are no rows or a prediction is not a finite
number. A resample that does not define a figure is left out of its interval.
"""

import math
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Float32, Float64, Int, Int64, Num

from layerwise.tasks.bootstrap import Draws, Resampling, percentiles, resampled
from layerwise.tasks.intervals import Interval, Shares, without_error, without_mistake

EXACT_AUC = 100_000  # rows x classes up to which the ROC AUC is worked out for every resample
BINS = 15  # of the calibration error
SMALLEST = float(np.finfo(np.float32).eps)  # probabilities are kept this far from 0 and 1 in the log loss
WORST = -math.log(SMALLEST)  # and so it is 15.9 at most


class Scored(NamedTuple):
    """The figures with their intervals, and the headline figure, the accuracy or else the RMSE, on every draw."""

    metrics: dict[str, Interval]
    draws: Draws


NOTHING = Scored({}, np.empty(0))


def classification(probabilities: Float[np.ndarray, "rows classes"], y: Int[np.ndarray, " rows"], seed: int) -> Scored:
    """The figures of a classifier: `probabilities` of every class, `y` the index of the true one.

    The predicted class is the most probable one, the first of equals.

    * `accuracy`: the share of rows whose class is predicted.
    * `balanced_accuracy`: the mean over the classes that occur of the share predicted.
    * `macro_f1`: the mean F1 over the classes that occur or are predicted.
    * `log_loss`: the mean of -ln p(true class), p kept within [1.2e-7, 1 - 1.2e-7].
    * `roc_auc`: the chance that an example of the class scores above another one, ties counting
      half; for two classes that of the second, for more the mean over the classes that occur, each
      against the rest.
    * `calibration_error`: the expected calibration error (Guo, Pleiss, Sun & Weinberger 2017, "On
      calibration of modern neural networks"): rows are put into 15 bins of equal width by the
      probability of the predicted class, and
      ``ECE = sum over bins of (rows in bin / rows) * |accuracy - mean probability|``. Resampling
      adds noise which the absolute value counts as error; the resamples are shifted so that their
      mean is the figure itself.

    >>> p = np.array([[0.9, 0.1], [0.2, 0.8], [0.6, 0.4], [0.3, 0.7]])
    >>> figures = classification(p, np.array([0, 1, 1, 1]), seed=0).metrics
    >>> figures["accuracy"].value, figures["roc_auc"].value
    (0.75, 1.0)
    """
    if not _scorable(probabilities):
        return NOTHING
    resampling = resampled(len(y), seed)
    predicted = probabilities.argmax(axis=1)
    rows = np.arange(len(y))
    true = np.clip(probabilities[rows, y].astype(np.float64), SMALLEST, 1 - SMALLEST)
    figures = _decisions(predicted, y, probabilities.shape[1], resampling)
    figures["log_loss"] = resampling.mean(-np.log(true))
    figures["roc_auc"] = _one_against_rest(probabilities, y, resampling)
    figures["calibration_error"] = _calibration(probabilities[rows, predicted], predicted == y, resampling)
    return Scored(without_mistake(percentiles(figures), _shares_of_classes(y), WORST), figures["accuracy"])


def classification_by_score(
    scores: Float[np.ndarray, "rows classes"], y: Int[np.ndarray, " rows"], seed: int
) -> Scored:
    """The figures of `classification` which need no probabilities, for models that give mere scores.

    `scores` are larger for likelier classes, such as a support vector machine's distances; log loss
    and calibration error mean nothing for them.

    >>> sorted(classification_by_score(np.array([[2.0, -2.0], [-1.0, 1.0]]), np.array([0, 1]), seed=0).metrics)
    ['accuracy', 'balanced_accuracy', 'macro_f1', 'roc_auc']
    """
    if not _scorable(scores):
        return NOTHING
    resampling = resampled(len(y), seed)
    figures = _decisions(scores.argmax(axis=1), y, scores.shape[1], resampling)
    figures["roc_auc"] = _one_against_rest(scores, y, resampling)
    return Scored(without_mistake(percentiles(figures), _shares_of_classes(y), WORST), figures["accuracy"])


def multilabel(probabilities: Float[np.ndarray, "rows labels"], y: Num[np.ndarray, "rows labels"], seed: int) -> Scored:
    """The figures of several yes/no labels; `y` is 0 or 1. A label is predicted above 0.5.

    * `accuracy`: the share of single labels predicted rightly (1 - Hamming loss).
    * `exact_match`: the share of rows whose labels are all right.
    * `balanced_accuracy`, `roc_auc`: the mean over the labels of which both values occur.
    * `macro_f1`: the mean F1 of "yes" over the labels which occur or are predicted.
    * `log_loss`: the mean over rows and labels of -ln p(true value).
    * `calibration_error`: as for two classes, over all labels of all rows.

    >>> p, y = np.array([[0.9, 0.2], [0.4, 0.7]]), np.array([[1, 0], [1, 1]])
    >>> figures = multilabel(p, y, seed=0).metrics
    >>> figures["accuracy"].value, figures["exact_match"].value
    (0.75, 0.5)
    """
    if not _scorable(probabilities):
        return NOTHING
    resampling = resampled(len(y), seed)
    truth, predicted = y > 0.5, probabilities > 0.5
    figures = _label_decisions(predicted, truth, resampling)
    figures["roc_auc"] = _mean(_areas(probabilities, truth, resampling))
    true = np.where(truth, probabilities, 1 - probabilities).astype(np.float64)
    figures["log_loss"] = resampling.mean(-np.log(np.clip(true, SMALLEST, 1 - SMALLEST)).mean(axis=1))
    top = np.where(predicted, probabilities, 1 - probabilities)
    figures["calibration_error"] = _calibration(top, predicted == truth, resampling)
    return Scored(without_mistake(percentiles(figures), _shares_of_labels(truth), WORST), figures["accuracy"])


def multilabel_by_score(
    scores: Float[np.ndarray, "rows labels"], y: Num[np.ndarray, "rows labels"], seed: int
) -> Scored:
    """The figures of `multilabel` which need no probabilities; a label is predicted above a score of 0.

    >>> found = multilabel_by_score(np.array([[2.0, -1.0], [-0.5, 1.0]]), np.array([[1, 0], [1, 1]]), seed=0)
    >>> found.metrics["accuracy"].value
    0.75
    """
    if not _scorable(scores):
        return NOTHING
    resampling = resampled(len(y), seed)
    truth = y > 0.5
    figures = _label_decisions(scores > 0, truth, resampling)
    figures["roc_auc"] = _mean(_areas(scores, truth, resampling))
    return Scored(without_mistake(percentiles(figures), _shares_of_labels(truth), WORST), figures["accuracy"])


def regression(
    prediction: Float[np.ndarray, "rows quantities"], y: Float[np.ndarray, "rows quantities"], seed: int
) -> Scored:
    """The figures of a regression, in the unit of `prediction` and `y`; the mean over quantities.

    * `rmse`: the root of the mean squared error. * `mae`: the mean absolute error.
    * `r2`: 1 - (squared errors) / (squared deviations from the part's own mean), over the quantities
      that vary in the part.

    >>> figures = regression(np.array([[1.0], [2.0], [4.0]]), np.array([[1.0], [2.0], [3.0]]), seed=0).metrics
    >>> round(figures["rmse"].value, 4), round(figures["mae"].value, 4), figures["r2"].value
    (0.5774, 0.3333, 0.5)
    """
    if not _scorable(prediction):
        return NOTHING
    resampling = resampled(len(y), seed)
    error = prediction.astype(np.float64) - y
    centered = y - y.mean(axis=0, dtype=np.float64)
    squares = resampling.sums(error**2)
    spread = resampling.sums(centered**2) - resampling.sums(centered) ** 2 / resampling.size
    # a target that does not vary leaves only rounding behind
    spread[spread <= 1e-12 * resampling.sums(y.astype(np.float64) ** 2)] = 0
    figures = {
        "rmse": _mean(np.sqrt(squares / resampling.size)),
        "mae": _mean(resampling.sums(np.abs(error)) / resampling.size),
        "r2": _mean(1 - _ratio(squares, spread)),
    }
    return Scored(without_error(percentiles(figures), centered), figures["rmse"])


# ── the figures, on every draw ──────────────────────────────────────────────────────────────────


def _decisions(
    predicted: Int64[np.ndarray, " rows"], y: Int[np.ndarray, " rows"], classes: int, resampling: Resampling
) -> dict[str, Draws]:
    """Accuracy, balanced accuracy and macro F1 from the margins and the diagonal of the confusion matrix."""
    hit = resampling.tally(predicted, classes, predicted == y)
    occurs = resampling.tally(y.astype(np.int64), classes)
    said = resampling.tally(predicted, classes)
    return {
        "accuracy": hit.sum(axis=0) / resampling.size,
        "balanced_accuracy": _mean(_ratio(hit, occurs)),
        "macro_f1": _mean(_ratio(2 * hit, occurs + said)),
    }


def _label_decisions(
    predicted: Bool[np.ndarray, "rows labels"], truth: Bool[np.ndarray, "rows labels"], resampling: Resampling
) -> dict[str, Draws]:
    """Accuracy, exact matches, balanced accuracy and macro F1 from every label's own two-by-two table."""
    right = predicted == truth
    yes, said, hit = (resampling.sums(table.astype(np.float64)) for table in (truth, predicted, truth & predicted))
    no, silent = resampling.size - yes, resampling.size - yes - said + hit
    return {
        "accuracy": resampling.mean(right.mean(axis=1)),
        "exact_match": resampling.mean(right.all(axis=1).astype(np.float64)),
        "balanced_accuracy": _mean(0.5 * (_ratio(hit, yes) + _ratio(silent, no))),
        "macro_f1": _mean(_ratio(2 * hit, yes + said)),
    }


def calibration_bin(confidence: Float[np.ndarray, "*shape"]) -> Int64[np.ndarray, "*shape"]:
    """Which of the `BINS` bins of equal width a probability is in; each is open below and closed above.

    >>> calibration_bin(np.array([0.0, 1 / 15, 0.07, 1.0]))
    array([ 0,  0,  1, 14])
    """
    return np.asarray(np.clip(np.ceil(confidence.astype(np.float64) * BINS).astype(np.int64) - 1, 0, BINS - 1))


def _calibration(
    confidence: Float[np.ndarray, "*shape"], right: Bool[np.ndarray, "*shape"], resampling: Resampling
) -> Draws:
    """The expected calibration error; several decisions of one row (labels) are drawn together."""
    gap = confidence.astype(np.float64) - right
    labels = calibration_bin(confidence).reshape(len(confidence), -1)
    gaps = gap.reshape(len(gap), -1)
    total = sum(resampling.tally(labels[:, j], BINS, gaps[:, j]) for j in range(labels.shape[1]))
    error = np.abs(total).sum(axis=0) / (resampling.size * labels.shape[1])
    error[1:] = np.maximum(error[1:] - error[1:].mean() + error[0], 0)
    return np.asarray(error, np.float64)


def _one_against_rest(
    scores: Float[np.ndarray, "rows classes"], y: Int[np.ndarray, " rows"], resampling: Resampling
) -> Draws:
    if scores.shape[1] == 2:
        return np.asarray(_areas(scores[:, 1:], y[:, None] == 1, resampling)[0])
    return _mean(_areas(scores, y[:, None] == np.arange(scores.shape[1]), resampling))


def _areas(
    scores: Float[np.ndarray, "rows outputs"], positive: Bool[np.ndarray, "rows outputs"], resampling: Resampling
) -> Float64[np.ndarray, "outputs draws"]:
    """The area under the ROC curve of each output, NaN where a draw holds only one of the two classes."""
    exact = resampling.by_row and scores.size <= EXACT_AUC
    area = _area if exact else _area_by_placements
    return np.stack([area(scores[:, j], positive[:, j], resampling) for j in range(scores.shape[1])])


def _area(score: Float[np.ndarray, " rows"], positive: Bool[np.ndarray, " rows"], resampling: Resampling) -> Draws:
    """Every draw's own area: ``sum over positives of (negatives below + half of the tied ones)``.

    Runs of rows of one class, and rows tied in score, are summed first: what is left is a few
    blocks where the classes are well told apart.
    """
    from scipy.sparse import csr_array

    order = np.argsort(score)
    label, ranked = positive[order], score[order]
    tied = np.concatenate([[0], np.cumsum(ranked[1:] != ranked[:-1])])  # number of the score's value
    positives = np.bincount(tied, label)
    kind = np.where(positives == 0, 0, np.where(positives == np.bincount(tied), 1, 2))  # 2: both classes tied
    starts = np.concatenate([[0], np.cumsum((kind[1:] != kind[:-1]) | (kind[1:] == 2))])
    block = starts[tied]
    blocks = int(block[-1]) + 1

    def of(rows: Bool[np.ndarray, " rows"]) -> Float32[np.ndarray, "blocks draws"]:
        first = np.concatenate([[0], np.cumsum(np.bincount(block[rows], minlength=blocks))])
        ones = np.ones(int(first[-1]), np.float32)
        gather = csr_array((ones, order[rows], first), shape=(blocks, len(resampling.counts)))
        return np.asarray(gather @ resampling.counts)

    up, down = of(label), of(~label)
    below = np.cumsum(down, axis=0, dtype=np.float32) - down / 2  # whole and half counts are exact in float32
    pairs = np.einsum("bd,bd->d", up.astype(np.float64), below.astype(np.float64))
    return _ratio(pairs, up.sum(axis=0, dtype=np.float64) * down.sum(axis=0, dtype=np.float64))


def _area_by_placements(
    score: Float[np.ndarray, " rows"], positive: Bool[np.ndarray, " rows"], resampling: Resampling
) -> Draws:
    """The first-order expansion of every draw's area around that of the part (DeLong et al. 1988)."""
    order = np.argsort(score)
    label, ranked = positive[order], score[order]
    last = np.flatnonzero(np.concatenate([ranked[1:] != ranked[:-1], [True]]))  # of each value of the score
    members = np.diff(last, prepend=-1)

    def below(rows: Bool[np.ndarray, " rows"]) -> Float64[np.ndarray, " rows"]:
        upto = np.cumsum(rows)[last]
        return np.repeat(upto - np.diff(upto, prepend=0) / 2, members)

    up = int(label.sum())
    down = len(label) - up
    if up == 0 or down == 0:
        return np.full(resampling.counts.shape[1], np.nan)
    placement = np.empty(len(score))
    placement[order] = np.where(label, below(~label) / down, 1 - below(label) / up)
    total = resampling.tally(positive.astype(np.int64), 2, placement)
    count = resampling.tally(positive.astype(np.int64), 2)
    area = float(total[1, 0] / up)
    return np.asarray(_ratio(total, count).sum(axis=0) - area)


def _scorable(predictions: Float[np.ndarray, "rows outputs"]) -> bool:
    return predictions.size > 0 and bool(np.isfinite(predictions).all())


def _ratio(above: Float64[np.ndarray, "*shape"], below: Float64[np.ndarray, "*shape"]) -> Float64[np.ndarray, "*shape"]:
    """above / below, NaN where below is zero."""
    return np.asarray(np.divide(above, below, out=np.full(below.shape, np.nan), where=below != 0))


def _mean(figures: Float64[np.ndarray, "outputs draws"]) -> Draws:
    """The mean over those outputs which a draw defines, NaN where it defines none."""
    defined = ~np.isnan(figures)
    return _ratio(np.where(defined, figures, 0).sum(axis=0), defined.sum(axis=0).astype(np.float64))


# ── the rows behind a figure, for those without a mistake ───────────────────────────────────────


def _shares_of_classes(y: Int[np.ndarray, " rows"]) -> Shares:
    classes = np.bincount(y)
    each = [int(rows) for rows in classes[classes > 0]]
    pairs = [min(rows, len(y) - rows) for rows in each]
    return {"accuracy": [len(y)], "balanced_accuracy": each, "macro_f1": each, "roc_auc": pairs}


def _shares_of_labels(truth: Bool[np.ndarray, "rows labels"]) -> Shares:
    """A label's balanced accuracy is the mean of two shares: of the rows with it, and of those without."""
    rows, yes = len(truth), [int(many) for many in truth.sum(axis=0)]
    both = [(many, rows - many) for many in yes if 0 < many < rows]
    return {
        "accuracy": [rows],
        "exact_match": [rows],
        "balanced_accuracy": [many for pair in both for many in pair],
        "macro_f1": [many for many in yes if many] or [rows],
        "roc_auc": [min(pair) for pair in both],
    }
