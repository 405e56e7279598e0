"""How sure a figure is: an interval, and those that have a formula. The bootstrap's are in `metrics`.

A share seen in n independent rows has Clopper and Pearson's interval, which is never too short, or Wilson's,
which is as short as it may be and right on average: the first where one share is judged, the second where many
are drawn. The mean of a few values has Student's t.
"""

import math
from collections.abc import Sequence

import msgspec
import numpy as np
from jaxtyping import Float64, Int64

SHARES = ("accuracy", "exact_match", "balanced_accuracy", "macro_f1", "roc_auc", "calibration_error")
RANGES = {
    **dict.fromkeys(SHARES, (0.0, 1.0)),
    **dict.fromkeys(("log_loss", "rmse", "mae"), (0.0, math.inf)),
    "r2": (-math.inf, 1.0),
}
Z = 1.959964  # the 97.5 percentile of the normal distribution


class Interval(msgspec.Struct, frozen=True):
    """A figure with its 95% interval; all three in the figure's own unit."""

    value: float
    low: float
    high: float


def exact(count: int, of: int) -> Interval:
    """A share with its exact binomial 95% interval (Clopper & Pearson 1934).

    Where all are counted, or none, that is (0.025^(1/n), 1) or (0, 1 - 0.025^(1/n)).

    >>> found = exact(0, 100)
    >>> found.value, found.low, round(found.high, 4)
    (0.0, 0.0, 0.0362)
    """
    from scipy.special import betaincinv

    low = 0.0 if count == 0 else float(betaincinv(count, of - count + 1, 0.025))
    high = 1.0 if count == of else float(betaincinv(count + 1, of - count, 0.975))
    return Interval(count / of, low, high)


def wilson(
    share: Float64[np.ndarray, " shares"], rows: Int64[np.ndarray, " shares"]
) -> tuple[Float64[np.ndarray, " shares"], Float64[np.ndarray, " shares"]]:
    """The 95% score interval of shares, each seen in so many rows (Wilson 1927), which holds also near 0 and 1.

    >>> low, high = wilson(np.array([1.0]), np.array([10]))
    >>> round(float(low[0]), 4), round(float(high[0]), 4)
    (0.7225, 1.0)
    """
    middle = (share + Z**2 / (2 * rows)) / (1 + Z**2 / rows)
    half = Z / (1 + Z**2 / rows) * np.sqrt(share * (1 - share) / rows + Z**2 / (4 * rows**2))
    return np.clip(middle - half, 0, share), np.clip(middle + half, share, 1)


def deviation(values: Sequence[float]) -> float:
    """The standard deviation of at least two values, with n - 1 below."""
    mean = math.fsum(values) / len(values)
    return math.sqrt(math.fsum((value - mean) ** 2 for value in values) / (len(values) - 1))


def mean_within(metric: str, values: Sequence[float], error: float, comparisons: int = 1) -> Interval:
    """The mean of at least two values with its 95% interval by Student's t,

        mean +- t(1 - 0.025 / comparisons; n - 1) * s * error,

    n being the values, s their standard deviation and `error` the mean's error in units of s: 1 / sqrt(n)
    where they are independent. Of several such intervals, `comparisons` of them, all hold together with
    95% (Bonferroni's correction). Cut off where `metric` cannot be.

    >>> found = mean_within("loss", [1.0, 2.0, 3.0], 1 / math.sqrt(3))
    >>> [round(x, 3) for x in (found.value, found.low, found.high)]
    [2.0, -0.484, 4.484]
    """
    from scipy.special import stdtrit

    mean = math.fsum(values) / len(values)
    width = float(stdtrit(len(values) - 1, 1 - 0.025 / comparisons)) * deviation(values) * error
    low, high = RANGES.get(metric, (-math.inf, math.inf))
    return Interval(mean, min(mean, max(low, mean - width)), max(mean, min(high, mean + width)))
