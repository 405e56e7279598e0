"""The bootstrap (Efron 1979): how sure a figure of some rows is, by drawing them again and again.

A part of n rows is drawn n times with replacement, 1,000 times over;
`low` and `high` are the 2.5 and 97.5 percentiles of a figure over these resamples (widened where
they would not hold the figure itself). The resamples depend on the seed and on n alone, so two
models scored on the same rows are scored on the same resamples and their intervals compare.

**How it is fast.** A resample is a vector of counts, one for each row. Every figure but the ROC AUC
is a function of sums over rows (of a confusion matrix, of a loss), so that all resamples of it come
from one matrix product of the counts with the summands. Up to 10,000 rows this is the bootstrap
exactly. Above, rows are dealt at random into 10,000 buckets of equal size, and buckets are drawn:
the variance of a sum is the same in expectation, known to 1.4%, at a cost that no longer grows with n.
"""

from collections.abc import Mapping
from functools import lru_cache

import numpy as np
from jaxtyping import Bool, Float32, Float64, Int64, Num

from layerwise.tasks.intervals import Interval

RESAMPLES = 1_000
BUCKETS = 10_000  # rows up to which every row is drawn by itself

# A figure on every draw: the first is the part as it is, the others its resamples.
Draws = Float64[np.ndarray, " draws"]


class Resampling:
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
def resampled(rows: int, seed: int) -> Resampling:
    """The resamples of so many rows."""
    return Resampling(rows, seed)


def percentiles(figures: Mapping[str, Draws]) -> dict[str, Interval]:
    """Each figure on the part as it is, between the percentiles of its resamples; those undefined left out."""
    intervals = {}
    for name, draws in figures.items():
        value = float(draws[0])
        if not np.isfinite(value):
            continue
        resamples = draws[1:][np.isfinite(draws[1:])]
        low, high = np.percentile(resamples, [2.5, 97.5]) if len(resamples) else (value, value)
        intervals[name] = Interval(value, min(value, float(low)), max(value, float(high)))
    return intervals


def difference(one: Float64[np.ndarray, " _"], other: Float64[np.ndarray, " _"]) -> Interval | None:
    """one - other on the same rows, with its 95% interval over the same resamples of them: the paired bootstrap
    (Efron & Tibshirani 1993). None where they were not scored on as many resamples, or a figure is not finite.

    It says more than whether two intervals overlap: most rows are as hard for one as for the other.

    >>> right, better = np.arange(100.0) < 90, np.arange(100.0) < 95
    >>> found = difference(*(resampled(100, 0).mean(rows.astype(float)) for rows in (better, right)))
    >>> round(found.value, 3), found.low > 0
    (0.05, True)
    """
    if one.shape != other.shape or not one.size:
        return None
    return percentiles({"": one - other}).get("")
