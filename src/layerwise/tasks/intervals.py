"""How sure a figure is: an interval, and those that have a formula. The others are the bootstrap's.

A share seen in n independent rows has Clopper and Pearson's interval, which is never too short, or Wilson's,
which is as short as it may be and right on average: the first where one share is judged, the second where many
are drawn. The mean of a few values has Student's t.

**Without a mistake.** What no row shows, no resample can: where all rows are right, or all wrong, every resample
says the same, and the bootstrap's interval has no width. Such figures get a bound from the exact binomial one:
with 97.5%, a kind of row of which n seen rows hold none makes up at most q = 1 - 0.025^(1/n) of all.

* Shares of rows: (1 - q, 1), or (0, q). A mean over classes takes the mean of their bounds.
* The ROC AUC of u examples of a class that all score above all d others: (1 - q, 1) with n = min(u, d). So many
  pairs without a row in common are independent trials (Hoeffding 1963, section 5), and none of them failed. No
  narrower bound holds for every distribution: if each of the fewer ones scores below all the others with chance
  1 - a, the area is a, and all are in order with chance a^n.
* The calibration error where all rows are right: up to q, where the bootstrap ends below.
* The log loss where every row has the same: as if a share q of rows had the largest that is counted.
* The errors of quantities have no largest one. Where none is seen, a share q of rows is taken to be missed as
  the part's own mean would miss them; so R2 is (1 - q, 1).

One row alone that is missed shows nothing of how others are: the interval of its errors has no width.
"""

import math
from collections.abc import Mapping, Sequence

import msgspec
import numpy as np
from jaxtyping import Float, Float64, Int64

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


Shares = Mapping[str, Sequence[int]]  # metric -> the rows of each of the shares that it is the mean of


def without_mistake(found: Mapping[str, Interval], shares: Shares, worst: float) -> dict[str, Interval]:
    """The intervals, those of figures without a mistake, or without a hit, widened to a bound that holds.

    `shares["accuracy"]` are the part's rows; `worst` is the largest log loss that is counted.

    >>> separated = {"accuracy": Interval(0.97, 0.92, 1.0), "roc_auc": Interval(1.0, 1.0, 1.0)}
    >>> found = without_mistake(separated, {"accuracy": [100], "roc_auc": [20]}, worst=16.0)["roc_auc"]
    >>> round(found.low, 3), found.high
    (0.832, 1.0)
    """
    found, rare = dict(found), exact(0, shares["accuracy"][0]).high
    for name, sizes in shares.items():
        if name in found and _narrow(found[name]) and found[name].value in (0, 1):
            bounds = [exact(int(found[name].value) * size, size) for size in sizes]
            low, high = (math.fsum(ends) / len(sizes) for ends in zip(*((b.low, b.high) for b in bounds), strict=True))
            found[name] = Interval(found[name].value, low, high)
    if (loss := found.get("log_loss")) and _narrow(loss):
        found["log_loss"] = Interval(loss.value, loss.low, loss.value + rare * (worst - loss.value))
    if (error := found.get("calibration_error")) and found["accuracy"].value == 1:
        found["calibration_error"] = Interval(error.value, error.low, max(error.high, rare))
    return found


def without_error(found: Mapping[str, Interval], centered: Float[np.ndarray, "rows quantities"]) -> dict[str, Interval]:
    """The intervals of quantities, those without any error widened; `centered` are the true ones less their means.

    >>> met = {"rmse": Interval(0.0, 0.0, 0.0), "r2": Interval(1.0, 1.0, 1.0)}
    >>> found = without_error(met, np.array([[-3.0], [3.0]] * 50))
    >>> round(found["r2"].low, 3), round(found["rmse"].high, 3)
    (0.964, 0.571)
    """
    rare = exact(0, len(centered)).high
    perfect = {
        "rmse": Interval(0.0, 0.0, float(np.sqrt(rare * (centered**2).mean(axis=0)).mean())),
        "mae": Interval(0.0, 0.0, float(rare * np.abs(centered).mean())),
        "r2": Interval(1.0, 1 - rare, 1.0),
    }
    return {
        name: perfect[name] if _narrow(interval) and interval.value == perfect[name].value else interval
        for name, interval in found.items()
    }


def _narrow(interval: Interval) -> bool:
    """Whether it has no width but by rounding."""
    return interval.high - interval.low <= 1e-9 * abs(interval.value)


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
