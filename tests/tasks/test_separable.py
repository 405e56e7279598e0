"""Lines and proofs: each found one is checked here from first principles."""

from fractions import Fraction
from itertools import combinations

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from layerwise.errors import DataError
from layerwise.tasks import separable as module
from layerwise.tasks.separable import Separability, separable

XOR = np.array([[0.0, 0], [0, 1], [1, 0], [1, 1]])
Point = tuple[int, int]


def holds(found: Separability, x: np.ndarray, y: np.ndarray) -> bool:
    """Whether what was found is so, whatever it is."""
    precise = x.astype(np.float64)
    if found.verdict == "separable":
        sides = (precise @ found.weights + found.bias) * (2 * y - 1)
        distance = sides.min() / np.linalg.norm(found.weights)
        return bool(sides.min() > 1 - 1e-6 and np.isclose(distance, found.margin) and found.certificate is None)
    proof = found.certificate
    if found.verdict != "inseparable" or proof is None:
        return False
    first = proof.labels == 0
    meeting = [proof.multipliers[part] @ proof.points[part] for part in (first, ~first)]
    extent = np.abs(precise - precise.mean(axis=0)).max() + 1e-300
    return bool(
        (proof.multipliers > 0).all()
        and np.isclose(proof.multipliers[first].sum(), 1, atol=1e-9)
        and np.isclose(proof.multipliers[~first].sum(), 1, atol=1e-9)
        and np.abs(meeting[0] - meeting[1]).max() <= 1e-8 * extent
        and np.array_equal(proof.points, precise[proof.indices])
        and np.array_equal(proof.labels, y[proof.indices])
        and len(proof.indices) <= x.shape[1] + 2  # Kirchberger's bound
        and np.allclose(proof.meeting, meeting[0])
    )


def said(found: Separability, names: tuple[str, str] = ("0", "1")) -> str:
    """In words, rows counted from 1."""
    return found.explain(names, np.arange(1, 10_000))


def test_xor_is_refuted_by_its_diagonals() -> None:
    y = np.array([0, 1, 1, 0])
    found = separable(XOR, y)
    assert holds(found, XOR, y)
    assert found.certificate is not None
    assert found.certificate.indices.tolist() == [0, 3, 1, 2]
    assert found.certificate.multipliers == pytest.approx([0.5] * 4)
    assert "rows 1 and 4 (0) and rows 2 and 3 (1) have the same midpoint (0.5, 0.5)" in said(found)


def test_and_has_a_line() -> None:
    y = np.array([0, 0, 0, 1])
    found = separable(XOR, y)
    assert found.verdict == "separable"
    assert holds(found, XOR, y)
    # no line keeps further away than the one halfway between (1, 1) and the diagonal of the other two
    assert 0 < found.margin <= 0.5**0.5 / 2 + 1e-9
    assert said(found).startswith("A line separates the classes, with every example at least 0.")


def test_rows_alike_in_all_but_the_class() -> None:
    x, y = np.array([[3.0, 1], [2, 2], [2, 2], [2, 2]], np.float32), np.array([0, 0, 1, 1], np.int32)
    found = separable(x, y)
    assert holds(found, x, y)
    assert found.certificate is not None and len(found.certificate.indices) == 2
    assert "rows 2 (cat) and 3 (dog) hold the same values (2, 2)" in said(found, ("cat", "dog"))


def test_a_point_inside_a_triangle_is_named_as_their_mean() -> None:
    x, y = np.array([[0.0, 0], [0, 4], [4, 0], [1, 1]]), np.array([0, 0, 0, 1])
    found = separable(x, y)
    assert holds(found, x, y)
    assert found.certificate is not None
    assert found.certificate.multipliers == pytest.approx([0.5, 0.25, 0.25, 1])
    assert "(0.5 of row 1, 0.25 of row 2, 0.25 of row 3) and row 4 (1) are the same point (1, 1)" in said(found)


def test_a_constant_column_and_large_offsets_do_no_harm() -> None:
    rng = np.random.default_rng(0)
    x = np.column_stack([1e6 + rng.normal(size=60), np.full(60, 7.0), 1e-6 * rng.normal(size=60)])
    y = (x[:, 2] > 0).astype(np.int64)
    assert separable(x, y).verdict == "separable"
    assert holds(separable(x, y), x, y)


@given(st.integers(0, 2**32 - 1), st.integers(1, 8), st.integers(4, 60))
def test_a_gap_is_found(seed: int, columns: int, rows: int) -> None:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(rows, columns))
    normal = rng.normal(size=columns)
    normal /= np.linalg.norm(normal)
    y = (x @ normal > 0).astype(np.int64)
    assume(0 < y.sum() < rows)
    x += 0.05 * (2 * y - 1)[:, None] * normal
    found = separable(x, y)
    assert found.verdict == "separable"
    assert holds(found, x, y)


@given(st.integers(0, 2**32 - 1), st.integers(1, 8), st.integers(1, 5))
def test_hulls_that_meet_are_proved_to(seed: int, columns: int, inside: int) -> None:
    rng = np.random.default_rng(seed)
    around = rng.normal(size=(columns + 4, columns))
    shares = rng.dirichlet(np.ones(len(around)))
    others = rng.normal(size=(inside, columns))
    # a mean of the first class lies at the mean of the second
    others += shares @ around - others.mean(axis=0)
    x = np.concatenate([around, others])
    y = np.repeat([0, 1], [len(around), inside])
    mixed = rng.permutation(len(x))
    found = separable(x[mixed], y[mixed])
    assert found.verdict == "inseparable"
    assert holds(found, x[mixed], y[mixed])


@given(st.lists(st.tuples(st.integers(-50, 50), st.booleans()), min_size=2, max_size=30))
def test_on_a_line_two_intervals(rows: list[tuple[int, bool]]) -> None:
    x, y = np.array([[float(v)] for v, _ in rows]), np.array([int(b) for _, b in rows])
    assume(0 < y.sum() < len(y))
    low, high = x[y == 0, 0], x[y == 1, 0]
    apart = low.max() < high.min() or high.max() < low.min()
    found = separable(x, y)
    assert found.verdict == ("separable" if apart else "inseparable")
    assert holds(found, x, y)


def turn(a: Point, b: Point, c: Point) -> int:
    return (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])


def apart(first: list[Point], second: list[Point]) -> bool:
    """Whether a line strictly separates whole-numbered points, exactly: by every direction that could.

    If two hulls are apart, the widest gap is normal to an edge of one or joins their nearest corners.
    """
    everything = first + second
    directions = [(b[1] - a[1], a[0] - b[0]) for a, b in combinations(everything, 2)]
    directions += [(b[0] - a[0], b[1] - a[1]) for a, b in combinations(everything, 2)]
    for u, v in directions:
        one, two = ([Fraction(u * p + v * q) for p, q in points] for points in (first, second))
        if max(one) < min(two) or max(two) < min(one):
            return True
    return False


points = st.lists(st.tuples(st.integers(-4, 4), st.integers(-4, 4)), min_size=1, max_size=6)


@given(points, points)
def test_in_the_plane_every_direction_is_tried(first: list[Point], second: list[Point]) -> None:
    x, y = np.array(first + second, np.float32), np.repeat([0, 1], [len(first), len(second)])
    found = separable(x, y)
    assert found.verdict == ("separable" if apart(first, second) else "inseparable")
    assert holds(found, x, y)


# ── large data ──────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("noise", [0.0, 0.02])
def test_growing_the_program_finds_what_one_program_finds(noise: float, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(1)
    # far from the line on one side: least squares tilts towards the far rows and gets near ones wrong
    x = rng.uniform(0, 1, (3000, 2))
    x[1500:, 0] += 30
    y = (x[:, 1] > 0.5 + 0.01 * x[:, 0]).astype(np.int64)
    x[:, 1] += np.where(y, 0.01, -0.01)
    y ^= rng.random(3000) < noise
    monkeypatch.setattr(module, "ALL_AT_ONCE", 50)
    monkeypatch.setattr(module, "STEP", 20)
    solved: list[int] = []
    solve = module._Problem.solve

    def counted(self: module._Problem, working: np.ndarray) -> object:
        solved.append(len(working))
        return solve(self, working)

    monkeypatch.setattr(module._Problem, "solve", counted)
    grown = separable(x.astype(np.float32), y)
    assert solved[0] == 40 and (noise or len(solved) > 1)
    monkeypatch.setattr(module, "ALL_AT_ONCE", 5000)
    whole = separable(x.astype(np.float32), y)
    assert grown.verdict == whole.verdict == ("inseparable" if noise else "separable")
    assert holds(grown, x.astype(np.float32), y) and holds(whole, x.astype(np.float32), y)


def test_what_is_not_settled_is_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SECONDS", 0.0)
    found = separable(XOR, np.array([0, 1, 1, 0]))
    assert found.verdict == "unknown"
    assert found.certificate is None
    assert "could not be settled" in said(found)


def test_a_room_too_small_is_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(2)
    x = rng.normal(size=(300, 20))
    y = (x[:, 0] > 0).astype(np.int64)
    x[:, 0] *= np.exp(3 * rng.normal(size=300))
    monkeypatch.setattr(module, "WORKING", 12)
    assert separable(x, y).verdict == "unknown"


def test_what_cannot_be_asked_is_refused() -> None:
    with pytest.raises(DataError, match="finite"):
        separable(np.array([[np.nan], [1.0]]), np.array([0, 1]))
    with pytest.raises(DataError, match="two classes"):
        separable(XOR, np.array([0, 1, 2, 0]))
    with pytest.raises(DataError, match="two classes"):
        separable(XOR, np.zeros(4, np.int64))
