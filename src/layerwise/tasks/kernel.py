"""Answers of scikit-learn's RBF support vector machines by matrix products.

libsvm answers one row at a time, which for thousands of rows and support vectors takes longer than
to learn; a matrix product answers them together.
"""

from itertools import combinations
from typing import Any

import numpy as np
from jaxtyping import Float32, Float64

CHUNK = 1_024  # rows answered at a time, to bound the memory of the kernel's matrix


def scale(x: Float32[np.ndarray, "rows width"]) -> float:
    """The kernel's width as scikit-learn's ``gamma="scale"``: 1 / (columns * variance of all numbers).

    >>> scale(np.array([[0, 2], [2, 0]], np.float32))
    0.5
    """
    variance = float(x.var(dtype=np.float64))
    return 1 / (x.shape[1] * variance) if variance > 0 else 1.0


def decision(machine: Any, x: Float32[np.ndarray, "rows width"]) -> Float64[np.ndarray, "rows outputs"]:
    """The machine's answer to each row: the prediction of an `SVR`, the class scores of an `SVC`.

    ``k(x, s) = exp(-gamma |x - s|^2)`` over the support vectors s. Two classes get (-d, d) of the
    one distance d; more are decided pair by pair, and a class's score is the pairs it wins plus its
    summed distances, squashed below 1/3, as scikit-learn's ``decision_function_shape="ovr"``.

    >>> from sklearn.svm import SVC
    >>> x = np.array([[0, 0], [1, 1], [0, 1], [1, 0]], np.float32)
    >>> decision(SVC(gamma=1.0).fit(x, [0, 0, 1, 1]), x).argmax(axis=1)
    array([0, 0, 1, 1])
    """
    vectors = np.asarray(machine.support_vectors_)
    center = vectors.mean(axis=0)
    vectors = (vectors - center).astype(np.float32)
    classes = len(getattr(machine, "classes_", ()))
    weights = machine.dual_coef_.T if classes <= 2 else _pairwise(machine.dual_coef_, machine.n_support_)
    weights = weights.astype(np.float32)
    answers = np.empty((len(x), weights.shape[1]))
    squares = np.square(vectors).sum(axis=1)
    for first in range(0, len(x), CHUNK):
        rows = (x[first : first + CHUNK] - center).astype(np.float32)
        exponent = rows @ (2 * vectors.T)
        exponent -= squares
        exponent -= np.square(rows).sum(axis=1)[:, None]
        exponent *= np.float32(machine.gamma)
        np.exp(np.minimum(exponent, 0, out=exponent), out=exponent)
        answers[first : first + CHUNK] = exponent @ weights + machine.intercept_
    if classes == 0:
        return answers
    return np.concatenate([-answers, answers], axis=1) if classes == 2 else _votes(answers, classes)


def _pairwise(dual: Float64[np.ndarray, "others vectors"], members: np.ndarray) -> Float64[np.ndarray, "vectors pairs"]:
    """A column of weights for each pair of classes, from libsvm's table.

    There the vectors stand class by class, and row r holds a vector's weight against the r-th of
    the *other* classes.
    """
    classes = len(members)
    ends = np.concatenate([[0], np.cumsum(members)])
    columns = np.zeros((dual.shape[1], classes * (classes - 1) // 2))
    for pair, (i, j) in enumerate(combinations(range(classes), 2)):
        columns[ends[i] : ends[i + 1], pair] = dual[j - 1, ends[i] : ends[i + 1]]
        columns[ends[j] : ends[j + 1], pair] = dual[i, ends[j] : ends[j + 1]]
    return columns


def _votes(answers: Float64[np.ndarray, "rows pairs"], classes: int) -> Float64[np.ndarray, "rows classes"]:
    votes = np.zeros((len(answers), classes))
    distances = np.zeros((len(answers), classes))
    for pair, (i, j) in enumerate(combinations(range(classes), 2)):
        distance = answers[:, pair]  # above zero: class i
        votes[:, i] += distance >= 0
        votes[:, j] += distance < 0
        distances[:, i] += distance
        distances[:, j] -= distance
    return np.asarray(votes + distances / (3 * (np.abs(distances) + 1)))
