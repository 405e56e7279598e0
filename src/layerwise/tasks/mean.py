"""The mean of a few values with what it can be: Student's t, cut off where a metric cannot be."""

import math
from collections.abc import Sequence

from layerwise.tasks.metrics import Interval

SHARES = ("accuracy", "exact_match", "balanced_accuracy", "macro_f1", "roc_auc", "calibration_error")
RANGES = {
    **dict.fromkeys(SHARES, (0.0, 1.0)),
    **dict.fromkeys(("log_loss", "rmse", "mae"), (0.0, math.inf)),
    "r2": (-math.inf, 1.0),
}


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
