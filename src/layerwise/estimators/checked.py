"""What estimators check of their input, beyond scikit-learn's own validation."""

from typing import Any

import numpy as np
from jaxtyping import Float, Float32, Shaped
from sklearn.utils.validation import _check_sample_weight

from layerwise.data.dataset import Rows


def weights(sample_weight: Any, x: Any) -> Float[np.ndarray, " rows"]:
    """The weight of each row, ones where none are given. Raises `ValueError` where one is negative or all are zero."""
    if sample_weight is None:
        return np.ones(x.shape[0])
    found: Float[np.ndarray, " rows"] = _check_sample_weight(sample_weight, x, dtype=np.float64)
    if (found < 0).any():
        raise ValueError("Negative values in data passed to `sample_weight`")
    if not found.any():
        raise ValueError("Sample weights must contain at least one non-zero number.")
    return found


def dense(x: Any) -> Float[np.ndarray, "rows columns"]:
    """A validated matrix without its sparseness, which the engine makes no use of."""
    found: Float[np.ndarray, "rows columns"] = x if isinstance(x, np.ndarray) else x.toarray()
    return found


def single(array: Shaped[np.ndarray, "*shape"], name: str) -> Float32[np.ndarray, "*shape"]:
    """In single precision, in which networks train. Raises `ValueError` where that overflows."""
    with np.errstate(over="ignore"):
        found = array.astype(np.float32)
    if not np.isfinite(found).all():
        raise ValueError(f"Input {name} contains a value too large for dtype('float32'), in which networks train.")
    return found


def weighing(train: Rows, weight: Float[np.ndarray, " rows"]) -> Rows:
    """The rows of `train` whose weight is not zero, of which there must be one."""
    found: Rows = train[weight[train] > 0]
    if found.size == 0:
        raise ValueError("Sample weights must contain at least one non-zero number in the training part.")
    return found
