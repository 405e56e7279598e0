"""Can one line tell two classes apart? With the line, or with a proof that there is none.

Either there are weights w and a bias b with ``s_i (w . x_i + b) >= 1`` for every example, s_i = +1
for the second class and -1 for the first; or, by Farkas' lemma, there are multipliers ``m_i >= 0``,
not all zero, with ``sum_i m_i s_i (x_i, 1) = 0``. The latter says that a weighted mean of examples of
one class is also one of examples of the other: the classes' convex hulls meet, and at most
(columns + 2) examples show it (Kirchberger 1903). One linear program decides which it is: minimize
the sum of the slacks needed; where that is above zero its dual solution holds the multipliers.

Nothing is claimed on the solver's word: a line is checked on every example, a proof by adding it up.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from jaxtyping import Float, Float64, Int, Int64

from layerwise.errors import DataError

TOLERANCE = 1e-9  # of a proof's sum, as a share of each column's range; hulls this near count as meeting
ALL_AT_ONCE = 2_000  # rows up to which all enter the first linear program
WORKING = 4_000  # rows in a linear program at most ...
ENTRIES = 1_000_000  # ... and numbers
STEP = 500  # rows of each class that are added at a time
SECONDS = 20.0  # for all linear programs together
CHUNK = 65_536  # rows brought to double precision at a time


@dataclass(frozen=True)
class Certificate:
    """Proof that no line separates: the same point as a mean of rows of either class.

    `indices` are the rows, first those of class 0; `multipliers` are positive and sum to one within
    each class; `points` are the rows themselves and `labels` their classes.
    """

    indices: Int64[np.ndarray, " proof"]
    multipliers: Float64[np.ndarray, " proof"]
    points: Float64[np.ndarray, "proof columns"]
    labels: Int64[np.ndarray, " proof"]

    @property
    def meeting(self) -> Float64[np.ndarray, " columns"]:
        """The point that both classes surround."""
        first = self.labels == 0
        return np.asarray(self.multipliers[first] @ self.points[first])


@dataclass(frozen=True)
class Separability:
    """Whether a line separates two classes, and why.

    `weights` and `bias` give w . x + b >= 1 on class 1 and <= -1 on class 0 where the verdict is
    "separable", and are zero elsewhere; `margin` is the distance of this line (not the best one) to
    the nearest example. `certificate` is there where it is "inseparable". "unknown": the data was
    too large, or too near the edge for the arithmetic, to settle it.
    """

    verdict: Literal["separable", "inseparable", "unknown"]
    weights: Float64[np.ndarray, " columns"]
    bias: float = 0.0
    margin: float = 0.0
    certificate: Certificate | None = None

    def explain(self, names: Sequence[str], numbers: Int64[np.ndarray, " rows"]) -> str:
        """The finding in plain words; `names` are the classes', `numbers` those of the rows as people count them.

        >>> x = np.array([[0.0, 0], [0, 1], [1, 0], [1, 1]])
        >>> print(separable(x, np.array([0, 1, 1, 0])).explain(["even", "odd"], np.arange(1, 5)))
        No line separates the classes: rows 1 and 4 (even) and rows 2 and 3 (odd) have the same midpoint (0.5, 0.5). A
        line with both rows of one class on one side has their midpoint on that side too, and it cannot be on both.
        """
        line = {1: "threshold", 2: "line", 3: "plane"}.get(len(self.weights), "hyperplane")
        if self.certificate is not None:
            proof = replace(self.certificate, indices=numbers[self.certificate.indices])
            return f"No {line} separates the classes: {_reason(proof, line, names)}"
        if self.verdict == "unknown":
            return f"Whether a {line} separates the classes could not be settled within the limits set for it."
        return f"A {line} separates the classes, with every example at least {self.margin:.3g} away from it."


def separable(x: Float[np.ndarray, "rows columns"], y: Int[np.ndarray, " rows"]) -> Separability:
    """Whether a line (a plane, a hyperplane) has all rows with y = 0 on one side and all with y = 1 on the other.

    Above 2,000 rows the linear program begins with the rows nearest to the other class and takes in
    those it gets wrong: a proof for some rows is a proof for all, and a line is checked on all.
    Raises `DataError` where x is not finite or only one class occurs.

    >>> found = separable(np.array([[0.0], [1.0], [3.0]]), np.array([0, 0, 1]))
    >>> found.verdict, bool(found.weights @ [1.5] + found.bias <= 1)
    ('separable', True)
    """
    if not np.isfinite(x).all():
        raise DataError("the inputs are finite numbers", received="NaN or infinity", remedy="fill or drop those rows")
    if not np.array_equal(np.unique(y), [0, 1]):
        raise DataError("there are two classes, 0 and 1", received=f"{np.unique(y)[:5].tolist()}")
    problem = _Problem(x, y)
    most = min(WORKING, ENTRIES // (x.shape[1] + 1))
    if len(x) <= min(ALL_AT_ONCE, most):
        working = np.arange(len(x))
    else:
        weights, bias = problem.least_squares()
        if found := problem.checked(weights, bias):
            return found
        working = problem.worst(weights, bias, np.empty(0, np.int64), most)
    while True:
        weights, bias, suspects = problem.solve(working)
        if found := problem.checked(weights, bias) or problem.refuted(suspects):
            return found
        larger = problem.worst(weights, bias, working, most)
        if len(larger) == len(working):  # full, or nothing left that could change the answer
            return Separability("unknown", np.zeros(x.shape[1]))
        working = larger


class _Problem:
    """The rows, each column brought to [-1, 1] as they are used: separability does not depend on it."""

    def __init__(self, x: Float[np.ndarray, "rows columns"], y: Int[np.ndarray, " rows"]) -> None:
        low, high = x.min(axis=0).astype(np.float64), x.max(axis=0).astype(np.float64)
        self.x, self.y = x, y.astype(np.int64)
        self.center = (low + high) / 2
        self.half = np.where(high > low, (high - low) / 2, 1.0)
        self.deadline = time.monotonic() + SECONDS

    def rows(self, which: Int64[np.ndarray, " some"] | slice) -> Float64[np.ndarray, "_ columns"]:
        """Some rows, scaled."""
        return np.asarray((self.x[which].astype(np.float64) - self.center) / self.half)

    def unscaled(
        self, weights: Float64[np.ndarray, " columns"], bias: float
    ) -> tuple[Float64[np.ndarray, " columns"], float]:
        """The same line for rows as they are."""
        weights = weights / self.half
        return weights, bias - float(weights @ self.center)

    def sides(self, weights: Float64[np.ndarray, " columns"], bias: float) -> Float64[np.ndarray, " rows"]:
        """s_i (w . x_i + b) of an unscaled line for every row: above zero where it is on its class's side."""
        starts = range(0, len(self.x), CHUNK)
        values = np.concatenate([self.x[start : start + CHUNK].astype(np.float64) @ weights for start in starts])
        return np.asarray((values + bias) * (2 * self.y - 1))

    def least_squares(self) -> tuple[Float64[np.ndarray, " columns"], float]:
        """The line that regression of s on x gives; often it separates what can be separated."""
        size = self.x.shape[1] + 1
        gram, right = np.zeros((size, size)), np.zeros(size)
        for start in range(0, len(self.x), CHUNK):
            rows = self.rows(slice(start, start + CHUNK))
            rows = np.concatenate([rows, np.ones((len(rows), 1))], axis=1)
            gram += rows.T @ rows
            right += rows.T @ (2 * self.y[start : start + CHUNK] - 1)
        solution = np.linalg.lstsq(gram, right, rcond=1e-12)[0]
        return solution[:-1], float(solution[-1])

    def worst(
        self, weights: Float64[np.ndarray, " columns"], bias: float, known: Int64[np.ndarray, " known"], most: int
    ) -> Int64[np.ndarray, " working"]:
        """The known rows, and of either class those not known that stand worst; `most` in all."""
        sides = self.sides(*self.unscaled(weights, bias))
        sides[known] = np.inf
        step = min(STEP, max(1, most // 4), (most - len(known)) // 2)
        added = []
        for label in (0, 1):
            # the first rows of a class may all be on their side: its nearest ones then
            rows = np.flatnonzero((self.y == label) & (sides < (1 if len(known) else np.inf)))
            added.append(rows[np.argsort(sides[rows], kind="stable")[:step]])
        return np.concatenate([known, *added])

    def solve(
        self, working: Int64[np.ndarray, " working"]
    ) -> tuple[Float64[np.ndarray, " columns"], float, Int64[np.ndarray, " suspects"]]:
        """The line of least total slack on the working rows, and the rows that hold it back.

        Minimize sum t over w, b and t >= 0 with s_i (w . x_i + b) + t_i >= 1.
        """
        from scipy import sparse

        rows, width = self.rows(working), self.x.shape[1]
        _, first = np.unique(np.column_stack([rows, self.y[working]]), axis=0, return_index=True)
        working, rows = working[first], rows[first]
        sign = 2.0 * self.y[working] - 1
        slack = -sparse.eye_array(len(rows))
        line = -sign[:, None] * np.column_stack([rows, np.ones(len(rows))])
        result = self.linear_program(
            np.concatenate([np.zeros(width + 1), np.ones(len(rows))]),
            A_ub=sparse.hstack([sparse.csr_array(line), slack]).tocsc(),
            b_ub=-np.ones(len(rows)),
            bounds=[(None, None)] * (width + 1) + [(0, None)] * len(rows),
        )
        if result.x is None or result.status != 0:
            return np.zeros(width), 0.0, np.empty(0, np.int64)
        multipliers = -result.ineqlin.marginals
        return result.x[:width], float(result.x[width]), working[multipliers > 1e-9]

    def checked(self, weights: Float64[np.ndarray, " columns"], bias: float) -> Separability | None:
        """The line, scaled so that the nearest row is at 1, if every row is on its side for certain."""
        weights, bias = self.unscaled(weights, bias)
        nearest = float(self.sides(weights, bias).min())
        largest = np.abs(self.center) + self.half
        rounding = 4 * np.finfo(np.float64).eps * len(weights) * (float(np.abs(weights) @ largest) + abs(bias))
        if not nearest > rounding:
            return None
        weights, bias = weights / nearest, bias / nearest
        return Separability("separable", weights, bias, float(1 / np.linalg.norm(weights)))

    def refuted(self, suspects: Int64[np.ndarray, " suspects"]) -> Separability | None:
        """A proof from some of the suspects, if there is one and it adds up.

        Find m >= 0 with equal means of both classes; a corner of that set has at most columns + 2
        rows. The corner is made exact by least squares, since the solver stops at its own tolerance.
        """
        labels = self.y[suspects]
        if len(np.unique(labels)) < 2:
            return None
        rows, sign = self.rows(suspects), 2.0 * labels - 1
        equations = np.vstack([(sign[:, None] * rows).T, labels == 1, labels == 0]).astype(np.float64)
        wanted = np.concatenate([np.zeros(rows.shape[1]), [1.0, 1.0]])
        result = self.linear_program(np.zeros(len(rows)), A_eq=equations, b_eq=wanted, bounds=(0, None))
        if result.x is None or result.status != 0:
            return None
        kept = result.x > 1e-9
        corner = equations[:, kept]
        multipliers = result.x[kept] + np.linalg.lstsq(corner, wanted - corner @ result.x[kept], rcond=1e-12)[0]
        if (multipliers <= 0).any() or np.abs(corner @ multipliers - wanted).max() > TOLERANCE:
            return None
        order = np.lexsort((suspects[kept], labels[kept]))
        indices = suspects[kept][order]
        proof = Certificate(indices, multipliers[order], self.x[indices].astype(np.float64), self.y[indices])
        return Separability("inseparable", np.zeros(self.x.shape[1]), certificate=proof)

    def linear_program(self, cost: Float64[np.ndarray, " variables"], **constraints: Any) -> Any:
        """HiGHS's result in the time that is left; its status is 0 where it found the optimum."""
        from scipy.optimize import linprog

        options = {
            "time_limit": max(0.0, self.deadline - time.monotonic()),
            "primal_feasibility_tolerance": 1e-10,
            "dual_feasibility_tolerance": 1e-10,
        }
        return linprog(cost, method="highs", options=options, **constraints)


# ── in words ────────────────────────────────────────────────────────────────────────────────────


def _reason(proof: Certificate, line: str, names: Sequence[str]) -> str:
    first, second = proof.indices[proof.labels == 0], proof.indices[proof.labels == 1]
    point = f" ({', '.join(f'{value:.4g}' for value in proof.meeting)})" if len(proof.meeting) <= 4 else ""
    if len(first) == len(second) == 1:
        return (
            f"rows {first[0]} ({names[0]}) and {second[0]} ({names[1]}) hold the same values{point}, so nothing that "
            "sees only these can tell them apart."
        )
    if len(first) == len(second) == 2 and np.allclose(proof.multipliers, 0.5):
        return (
            f"rows {first[0]} and {first[1]} ({names[0]}) and rows {second[0]} and {second[1]} ({names[1]}) have the "
            f"same midpoint{point}. A {line} with both rows of one class on one side has their midpoint on that side "
            "too, and it cannot be on both."
        )
    mixtures = " and ".join(_mixture(proof, label, names[label]) for label in (0, 1))
    return (
        f"{mixtures} are the same point{point}. A {line} with all rows of a class on one side has every mean of them "
        "on that side too, and this one would have to be on both."
    )


def _mixture(proof: Certificate, label: int, name: str) -> str:
    """The mean of one class's rows, the heaviest three with their shares."""
    rows, shares = proof.indices[proof.labels == label], proof.multipliers[proof.labels == label]
    if len(rows) == 1:
        return f"row {rows[0]} ({name})"
    heaviest = np.argsort(-shares, kind="stable")[:3]
    parts = ", ".join(f"{shares[i]:.3g} of row {rows[i]}" for i in heaviest)
    more = f" and {len(rows) - 3} more" if len(rows) > 3 else ""
    return f"a mean of rows of class {name} ({parts}{more})"
