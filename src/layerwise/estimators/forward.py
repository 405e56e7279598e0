"""Predicting with NumPy: from few rows to many, without compiling anything.

A fitted estimator holds nothing but NumPy arrays, in the precision of its input, and may be asked
for any number of rows at a time.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from jaxtyping import Float
from scipy import special
from sklearn.utils.extmath import safe_sparse_dot

from layerwise.recipe import records as r

ROWS_AT_ONCE = 8192  # so that the hidden values of many rows need not all be held


def _leaky_relu(z: Float[np.ndarray, "*shape"]) -> Float[np.ndarray, "*shape"]:
    return np.where(z > 0, z, z * np.asarray(r.LeakyRelu().slope, z.dtype))


def _elu(z: Float[np.ndarray, "*shape"]) -> Float[np.ndarray, "*shape"]:
    return np.where(z > 0, z, np.expm1(np.minimum(z, 0)))


def _softplus(z: Float[np.ndarray, "*shape"]) -> Float[np.ndarray, "*shape"]:
    found: Float[np.ndarray, "*shape"] = np.logaddexp(z, np.zeros((), z.dtype))
    return found


# The engine's record of an activation, and the same function for prediction.
ACTIVATIONS: dict[str, tuple[r.Activation, Callable[[Any], Any]]] = {
    "identity": (r.Linear(), lambda z: z),
    "logistic": (r.Sigmoid(), special.expit),
    "tanh": (r.Tanh(), np.tanh),
    "relu": (r.Relu(), lambda z: np.maximum(z, 0)),
    "leaky_relu": (r.LeakyRelu(), _leaky_relu),
    "elu": (r.Elu(), _elu),
    "gelu": (r.Gelu(), lambda z: z * special.ndtr(z)),
    "silu": (r.Silu(), lambda z: z * special.expit(z)),
    "softplus": (r.Softplus(), _softplus),
}


def outputs(
    x: Any, coefs: list[Float[np.ndarray, "_ _"]], intercepts: list[Float[np.ndarray, " _"]], activation: str
) -> Float[np.ndarray, "rows outputs"]:
    """The last layer's outputs for rows, dense or sparse, before its own activation."""
    _, function = ACTIVATIONS[activation]
    found = []
    for start in range(0, x.shape[0], ROWS_AT_ONCE):
        h = safe_sparse_dot(x[start : start + ROWS_AT_ONCE], coefs[0]) + intercepts[0]
        for coef, intercept in zip(coefs[1:], intercepts[1:], strict=True):
            h = function(h) @ coef + intercept
        found.append(h)
    return found[0] if len(found) == 1 else np.concatenate(found)


def sigmoid(z: Float[np.ndarray, "*shape"]) -> Float[np.ndarray, "*shape"]:
    """1 / (1 + exp(-z))."""
    found: Float[np.ndarray, "*shape"] = special.expit(z)
    return found


def softmax(z: Float[np.ndarray, "rows classes"]) -> Float[np.ndarray, "rows classes"]:
    """exp(z) over its sum along each row."""
    found: Float[np.ndarray, "rows classes"] = special.softmax(z, axis=1)
    return found
