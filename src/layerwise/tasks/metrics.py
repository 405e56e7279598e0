"""How good predictions are: figures with 95% bootstrap intervals, for classes, labels and quantities.

**The bootstrap** (Efron 1979). A part of n rows is drawn n times with replacement, 1,000 times over;
`low` and `high` are the 2.5 and 97.5 percentiles of a figure over these resamples (widened where
they would not hold the figure itself). The resamples depend on the seed and on n alone, so two
models scored on the same rows are scored on the same resamples and their intervals compare. What no
row shows, no resample can, so shares of rows that are all right or all wrong get the exact binomial
bound (Clopper & Pearson 1934) at the other end: without a mistake in n rows, (0.025^(1/n), 1).

**How it is fast.** A resample is a vector of counts, one for each row. Every figure but the ROC AUC
is a function of sums over rows (of a confusion matrix, of a loss), so that all resamples of it come
from one matrix product of the counts with the summands. Up to 10,000 rows this is the bootstrap
exactly. Above, rows are dealt at random into 10,000 buckets of equal size, and buckets are drawn:
the variance of a sum is the same in expectation, known to 1.4%, at a cost that no longer grows with n.

**The ROC AUC** is not a sum. Up to 100,000 rows x classes each resample's own value is worked out
from the counts in the order of the scores. Above, it is replaced by its first-order expansion, the
mean of every example's *placement* among the other class (DeLong, DeLong & Clarke-Pearson 1988),
which is a sum; the neglected term falls as 1/n.

A figure that the part does not define (the ROC AUC where only one class occurs, R2 where the target
does not vary) is left out, and all are where there are no rows or a prediction is not a finite
number. A resample that does not define a figure is left out of its interval.
"""

from collections.abc import Mapping
from functools import lru_cache

import numpy as np
from jaxtyping import Bool, Float, Float32, Float64, Int, Int64, Num

from layerwise.tasks.intervals import Interval, exact

RESAMPLES = 1_000
BUCKETS = 10_000  # rows up to which every row is drawn by itself
EXACT_AUC = 100_000  # rows x classes up to which the ROC AUC is worked out for every resample
BINS = 15  # of the calibration error
SMALLEST = float(np.finfo(np.float32).eps)  # probabilities are kept this far from 0 and 1 in the log loss

# A figure on every draw: the first is the part as it is, the others its resamples.
Draws = Float64[np.ndarray, " draws"]


def classification(
    probabilities: Float[np.ndarray, "rows classes"], y: Int[np.ndarray, " rows"], seed: int
) -> dict[str, Interval]:
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
    >>> figures = classification(p, np.array([0, 1, 1, 1]), seed=0)
    >>> figures["accuracy"].value, figures["roc_auc"].value
    (0.75, 1.0)
    """
    if not _scorable(probabilities):
        return {}
    resampling = _resampling(len(y), seed)
    predicted = probabilities.argmax(axis=1)
    rows = np.arange(len(y))
    true = np.clip(probabilities[rows, y].astype(np.float64), SMALLEST, 1 - SMALLEST)
    figures = _decisions(predicted, y, probabilities.shape[1], resampling)
    figures["log_loss"] = resampling.mean(-np.log(true))
    figures["roc_auc"] = _one_against_rest(probabilities, y, resampling)
    figures["calibration_error"] = _calibration(probabilities[rows, predicted], predicted == y, resampling)
    return _widened(_intervals(figures), np.bincount(y))


def classification_by_score(
    scores: Float[np.ndarray, "rows classes"], y: Int[np.ndarray, " rows"], seed: int
) -> dict[str, Interval]:
    """The figures of `classification` which need no probabilities, for models that give mere scores.

    `scores` are larger for likelier classes, such as a support vector machine's distances; log loss
    and calibration error mean nothing for them.

    >>> sorted(classification_by_score(np.array([[2.0, -2.0], [-1.0, 1.0]]), np.array([0, 1]), seed=0))
    ['accuracy', 'balanced_accuracy', 'macro_f1', 'roc_auc']
    """
    if not _scorable(scores):
        return {}
    resampling = _resampling(len(y), seed)
    figures = _decisions(scores.argmax(axis=1), y, scores.shape[1], resampling)
    figures["roc_auc"] = _one_against_rest(scores, y, resampling)
    return _widened(_intervals(figures), np.bincount(y))


def multilabel(
    probabilities: Float[np.ndarray, "rows labels"], y: Num[np.ndarray, "rows labels"], seed: int
) -> dict[str, Interval]:
    """The figures of several yes/no labels; `y` is 0 or 1. A label is predicted above 0.5.

    * `accuracy`: the share of single labels predicted rightly (1 - Hamming loss).
    * `exact_match`: the share of rows whose labels are all right.
    * `balanced_accuracy`, `roc_auc`: the mean over the labels of which both values occur.
    * `macro_f1`: the mean F1 of "yes" over the labels which occur or are predicted.
    * `log_loss`: the mean over rows and labels of -ln p(true value).
    * `calibration_error`: as for two classes, over all labels of all rows.

    >>> p, y = np.array([[0.9, 0.2], [0.4, 0.7]]), np.array([[1, 0], [1, 1]])
    >>> multilabel(p, y, seed=0)["accuracy"].value, multilabel(p, y, seed=0)["exact_match"].value
    (0.75, 0.5)
    """
    if not _scorable(probabilities):
        return {}
    resampling = _resampling(len(y), seed)
    truth, predicted = y > 0.5, probabilities > 0.5
    figures = _label_decisions(predicted, truth, resampling)
    figures["roc_auc"] = _mean(_areas(probabilities, truth, resampling))
    true = np.where(truth, probabilities, 1 - probabilities).astype(np.float64)
    figures["log_loss"] = resampling.mean(-np.log(np.clip(true, SMALLEST, 1 - SMALLEST)).mean(axis=1))
    top = np.where(predicted, probabilities, 1 - probabilities)
    figures["calibration_error"] = _calibration(top, predicted == truth, resampling)
    return _widened(_intervals(figures), np.array([len(y)]))


def multilabel_by_score(
    scores: Float[np.ndarray, "rows labels"], y: Num[np.ndarray, "rows labels"], seed: int
) -> dict[str, Interval]:
    """The figures of `multilabel` which need no probabilities; a label is predicted above a score of 0.

    >>> multilabel_by_score(np.array([[2.0, -1.0], [-0.5, 1.0]]), np.array([[1, 0], [1, 1]]), seed=0)["accuracy"].value
    0.75
    """
    if not _scorable(scores):
        return {}
    resampling = _resampling(len(y), seed)
    figures = _label_decisions(scores > 0, y > 0.5, resampling)
    figures["roc_auc"] = _mean(_areas(scores, y > 0.5, resampling))
    return _widened(_intervals(figures), np.array([len(y)]))


def regression(
    prediction: Float[np.ndarray, "rows quantities"], y: Float[np.ndarray, "rows quantities"], seed: int
) -> dict[str, Interval]:
    """The figures of a regression, in the unit of `prediction` and `y`; the mean over quantities.

    * `rmse`: the root of the mean squared error. * `mae`: the mean absolute error.
    * `r2`: 1 - (squared errors) / (squared deviations from the part's own mean), over the quantities
      that vary in the part.

    >>> figures = regression(np.array([[1.0], [2.0], [4.0]]), np.array([[1.0], [2.0], [3.0]]), seed=0)
    >>> round(figures["rmse"].value, 4), round(figures["mae"].value, 4), figures["r2"].value
    (0.5774, 0.3333, 0.5)
    """
    if not _scorable(prediction):
        return {}
    resampling = _resampling(len(y), seed)
    error = prediction.astype(np.float64) - y
    centered = y - y.mean(axis=0, dtype=np.float64)
    squares = resampling.sums(error**2)
    spread = resampling.sums(centered**2) - resampling.sums(centered) ** 2 / resampling.size
    # a target that does not vary leaves only rounding behind
    spread[spread <= 1e-12 * resampling.sums(y.astype(np.float64) ** 2)] = 0
    return _intervals(
        {
            "rmse": _mean(np.sqrt(squares / resampling.size)),
            "mae": _mean(resampling.sums(np.abs(error)) / resampling.size),
            "r2": _mean(1 - _ratio(squares, spread)),
        }
    )


# ── differences on the same rows ────────────────────────────────────────────────────────────────


def accuracy_draws(right: Bool[np.ndarray, "rows *labels"], seed: int) -> Draws:
    """The accuracy on a part and on each of its resamples; `right` says which rows, or labels of them, are."""
    shares = right.reshape(len(right), -1).mean(axis=1)
    return _resampling(len(right), seed).mean(shares)


def rmse_draws(
    prediction: Float[np.ndarray, "rows quantities"], y: Float[np.ndarray, "rows quantities"], seed: int
) -> Draws:
    """The root of the mean squared error on a part and on each of its resamples; the mean over quantities."""
    resampling = _resampling(len(y), seed)
    return _mean(np.sqrt(resampling.sums((prediction.astype(np.float64) - y) ** 2) / resampling.size))


def difference(one: Float64[np.ndarray, " _"], other: Float64[np.ndarray, " _"]) -> Interval | None:
    """one - other on the same rows, with its 95% interval over the same resamples of them: the paired bootstrap
    (Efron & Tibshirani 1993). None where they were not scored on as many resamples, or a figure is not finite.

    It says more than whether two intervals overlap: most rows are as hard for one as for the other.

    >>> first, second = np.array([True] * 95 + [False] * 5), np.array([True] * 90 + [False] * 10)
    >>> found = difference(accuracy_draws(first, 0), accuracy_draws(second, 0))
    >>> round(found.value, 3), found.low > 0
    (0.05, True)
    """
    if one.shape != other.shape or not one.size:
        return None
    return _intervals({"": one - other}).get("")


# ── the resamples ───────────────────────────────────────────────────────────────────────────────


class _Resampling:
    """How often each bucket of rows is drawn.

    `counts` has a column a draw: the first is the part as it is (ones), the others its resamples.
    `bucket` is the bucket of each row; up to `BUCKETS` rows it is the row itself.
    """

    def __init__(self, rows: int, seed: int) -> None:
        rng = np.random.default_rng((seed, rows))
        buckets = min(rows, BUCKETS)
        self.counts: Float32[np.ndarray, "buckets draws"] = np.empty((buckets, RESAMPLES + 1), np.float32)
        self.counts[:, 0] = 1
        for first in range(1, RESAMPLES + 1, 50):  # some at a time: columns written one by one would miss the cache
            drawn = rng.integers(0, buckets, (50, buckets)) + np.arange(50)[:, None] * buckets
            table = np.bincount(drawn.ravel(), minlength=50 * buckets).reshape(50, buckets)
            self.counts[:, first : first + 50] = table.T
        self.by_row = rows <= BUCKETS
        self.bucket = np.arange(rows) if self.by_row else rng.permutation(rows) % buckets
        self.size: Draws = self.tally(np.zeros(rows, np.int64), 1)[0]  # rows of each draw

    def sums(self, values: Float64[np.ndarray, "rows columns"]) -> Float64[np.ndarray, "columns draws"]:
        """The sum of each column of `values` over the rows of each draw."""
        if self.by_row:
            return self._draw(values)
        columns = [np.bincount(self.bucket, column, len(self.counts)) for column in values.T]
        return self._draw(np.stack(columns, axis=1))

    def mean(self, values: Float64[np.ndarray, " rows"]) -> Draws:
        """The mean of `values` over the rows of each draw."""
        return np.asarray(self.sums(values[:, None])[0] / self.size)

    def tally(
        self,
        cell: Int64[np.ndarray, " rows"],
        cells: int,
        values: Float64[np.ndarray, " rows"] | Bool[np.ndarray, " rows"] | None = None,
    ) -> Float64[np.ndarray, "cells draws"]:
        """For each cell, the rows of each draw that stand in it, or the sum of their `values`."""
        buckets = len(self.counts)
        flat = np.bincount(self.bucket * cells + cell, values, buckets * cells)
        return self._draw(flat.reshape(buckets, cells))

    def _draw(self, summands: Num[np.ndarray, "buckets columns"]) -> Float64[np.ndarray, "columns draws"]:
        total = np.zeros((summands.shape[1], self.counts.shape[1]))
        for first in range(0, len(summands), 512):  # counts in double precision, without a second copy of them all
            block = slice(first, first + 512)
            total += summands[block].T.astype(np.float64) @ self.counts[block].astype(np.float64)
        return total


@lru_cache(maxsize=2)  # the validation and the test part, scored by the network and every baseline
def _resampling(rows: int, seed: int) -> _Resampling:
    return _Resampling(rows, seed)


# ── the figures, on every draw ──────────────────────────────────────────────────────────────────


def _decisions(
    predicted: Int64[np.ndarray, " rows"], y: Int[np.ndarray, " rows"], classes: int, resampling: _Resampling
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
    predicted: Bool[np.ndarray, "rows labels"], truth: Bool[np.ndarray, "rows labels"], resampling: _Resampling
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
    confidence: Float[np.ndarray, "*shape"], right: Bool[np.ndarray, "*shape"], resampling: _Resampling
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
    scores: Float[np.ndarray, "rows classes"], y: Int[np.ndarray, " rows"], resampling: _Resampling
) -> Draws:
    if scores.shape[1] == 2:
        return np.asarray(_areas(scores[:, 1:], y[:, None] == 1, resampling)[0])
    return _mean(_areas(scores, y[:, None] == np.arange(scores.shape[1]), resampling))


def _areas(
    scores: Float[np.ndarray, "rows outputs"], positive: Bool[np.ndarray, "rows outputs"], resampling: _Resampling
) -> Float64[np.ndarray, "outputs draws"]:
    """The area under the ROC curve of each output, NaN where a draw holds only one of the two classes."""
    exact = resampling.by_row and scores.size <= EXACT_AUC
    area = _area if exact else _area_by_placements
    return np.stack([area(scores[:, j], positive[:, j], resampling) for j in range(scores.shape[1])])


def _area(score: Float[np.ndarray, " rows"], positive: Bool[np.ndarray, " rows"], resampling: _Resampling) -> Draws:
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
    score: Float[np.ndarray, " rows"], positive: Bool[np.ndarray, " rows"], resampling: _Resampling
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


def _widened(found: dict[str, Interval], counts: Int[np.ndarray, " classes"]) -> dict[str, Interval]:
    """The intervals, those of shares at 0 or 1 widened to the exact bound; `counts` are the rows of each class.

    A mean over classes is bounded by the mean of their bounds.
    """
    each = [int(count) for count in counts if count]
    for name in ("accuracy", "exact_match", "balanced_accuracy", "macro_f1"):
        if name not in found or not found[name].low == found[name].high == found[name].value in (0, 1):
            continue
        value, sizes = found[name].value, each if name in ("balanced_accuracy", "macro_f1") else [sum(each)]
        bounds = [exact(int(value) * size, size) for size in sizes]
        low, high = (sum(ends) / len(ends) for ends in zip(*((bound.low, bound.high) for bound in bounds), strict=True))
        found[name] = Interval(value, low, high)
    return found


def _intervals(figures: Mapping[str, Draws]) -> dict[str, Interval]:
    """Each figure on the part as it is, between the percentiles of its resamples."""
    intervals = {}
    for name, draws in figures.items():
        value = float(draws[0])
        if not np.isfinite(value):
            continue
        resamples = draws[1:][np.isfinite(draws[1:])]
        low, high = np.percentile(resamples, [2.5, 97.5]) if len(resamples) else (value, value)
        intervals[name] = Interval(value, min(value, float(low)), max(value, float(high)))
    return intervals
