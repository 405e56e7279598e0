"""The best constant answer: what a network that sees no inputs could reach at most."""

import numpy as np
from jaxtyping import Float, Float64, Shaped

from layerwise.tasks.objective import Objective

HALVINGS = 60  # of the range of the target: the last place of a double


def constant_loss(
    objective: Objective,
    y: Shaped[np.ndarray, "rows *outputs"],
    weight: Float[np.ndarray, " rows"],
    smoothing: float = 0.0,
    delta: float = 1.0,
) -> float:
    """The weighted mean loss of the constant output that makes it least.

    With weighted shares q of the classes, moved by the `smoothing`, the cross-entropy is at least the entropy
    -sum q ln q. The squared error is least at the weighted mean, the absolute one at the weighted median, and
    Huber's, which turns linear at `delta`, where the errors cut off at `delta` have the weighted mean 0. A step
    unit says 0 or 1, so it errs on the rarer. NaN for a perceptron: the constant 0 is never wrong by anything.

    >>> round(constant_loss(Objective("binary", 1, 2), np.array([0, 1, 0, 1]), np.ones(4)), 4)
    0.6931
    >>> constant_loss(Objective("quantities", 1, loss="mae"), np.array([[0.0], [1.0]]), np.array([3.0, 1.0]))
    0.25
    """
    share = weight.astype(np.float64) / weight.sum(dtype=np.float64)
    match objective.kind:
        case "perceptron":
            return float("nan")
        case "quantities":
            columns = y.astype(np.float64).T
            return float(np.mean([_of_quantity(objective, column, share, delta) for column in columns]))
        case "labels":
            yes = share @ y.astype(np.float64)
            return float(np.mean([_entropy(np.array([1 - p, p]), smoothing) for p in yes]))
        case "probability":
            return float(np.bincount(y.astype(np.int64), share, 2).min())
        case "binary" | "classes":
            return _entropy(np.bincount(y.astype(np.int64), share, objective.classes), smoothing)


def _entropy(shares: Float64[np.ndarray, " classes"], smoothing: float) -> float:
    moved = shares * (1 - smoothing) + smoothing / len(shares)
    return float(-np.sum(moved * np.log(np.maximum(moved, 1e-300))))


def _of_quantity(
    objective: Objective, y: Float64[np.ndarray, " rows"], share: Float64[np.ndarray, " rows"], delta: float
) -> float:
    match objective.loss:
        case "mse":
            return float(share @ np.square(y - share @ y))
        case "mae":
            order = np.argsort(y)
            median = y[order][np.searchsorted(np.cumsum(share[order]), 0.5)]
            return float(share @ np.abs(y - median))
        case "huber":
            error = np.abs(y - _huber_middle(y, share, delta))
            inside = np.minimum(error, delta)
            return float(share @ (inside * (error - inside / 2)))


def _huber_middle(y: Float64[np.ndarray, " rows"], share: Float64[np.ndarray, " rows"], delta: float) -> float:
    """Where Huber's loss is least: its derivative only grows, so the range is halved."""
    low, high = float(y.min()), float(y.max())
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        if share @ np.clip(y - middle, -delta, delta) > 0:
            low = middle
        else:
            high = middle
    return (low + high) / 2
