"""Candidates: spaces in every form, each method against what it should try."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from sklearn.model_selection import ParameterSampler

from layerwise.errors import RecipeError
from layerwise.estimators.candidates import Candidate, Candidates
from layerwise.recipe import records as r

METHODS = ("random", "grid", "sobol", "bayes")
SPACE = {
    "rate": {"log": [1e-4, 1e-1]},
    "dropout": r.Axis(uniform=(0.0, 0.5)),
    "units": {"int": [2, 9]},
    "kind": {"choice": ["a", "b"]},
    "momentum": stats.beta(5, 2),
    "noise": stats.norm(0, 1),  # its range has no end
    "sizes": [(8,), (8, 8)],
}


def tried(space: Any, method: Any, count: int, seed: int = 0) -> list[Candidate]:
    found: list[Candidate] = []

    def evaluate(batch: Sequence[Candidate]) -> Sequence[float]:
        found.extend(batch)
        return [0.0] * len(batch)

    Candidates(space, method, count, seed).run(evaluate)
    return found


@pytest.mark.parametrize("method", METHODS)
def test_values_lie_in_their_axes(method: str) -> None:
    found = tried(SPACE, method, 128)
    assert len(found) == 128  # the grid's are 2 x 2 choices with 2 levels of 5 ranges
    for candidate in found:
        assert candidate.keys() == SPACE.keys()
        assert 1e-4 <= candidate["rate"] <= 1e-1
        assert 0 <= candidate["dropout"] <= 0.5
        assert 2 <= candidate["units"] <= 9 and isinstance(candidate["units"], int | np.integer)
        assert candidate["kind"] in ("a", "b") and candidate["sizes"] in SPACE["sizes"]
        assert 0 <= candidate["momentum"] <= 1
        assert math.isfinite(candidate["noise"])
    assert {candidate["kind"] for candidate in found} == {"a", "b"}


@pytest.mark.parametrize("method", METHODS)
def test_a_seed_decides(method: str) -> None:
    space = {"a": {"log": [1e-4, 1e-1]}, "b": ["x", "y"]}
    assert tried(space, method, 20, seed=3) == tried(space, method, 20, seed=3)
    assert method == "grid" or tried(space, method, 20, seed=3) != tried(space, method, 20, seed=4)


@given(st.integers(0, 2**31 - 1), st.integers(1, 20))
def test_random_tries_what_scikit_learn_would(seed: int, count: int) -> None:
    space = {"C": stats.loguniform(1e-3, 1e3), "fit_intercept": [True, False]}
    assert tried(space, "random", count, seed) == list(ParameterSampler(space, count, random_state=seed))
    ours = {**space, "C": {"log": [1e-3, 1e3]}}
    assert tried(ours, "random", count, seed) == list(ParameterSampler(space, count, random_state=seed))


def test_random_draws_from_several_spaces() -> None:
    space = [{"solver": ["lbfgs"]}, {"solver": ["sgd"], "momentum": {"uniform": [0, 1]}}]
    found = tried(space, "random", 20)
    assert {tuple(candidate) for candidate in found} == {("solver",), ("momentum", "solver")}


def test_grid_by_hand() -> None:
    found = tried({"a": {"uniform": [0, 1]}, "b": {"int": [1, 3]}, "c": ["x"]}, "grid", 9)
    assert sorted((c["a"], c["b"]) for c in found) == [(a, b) for a in (0.0, 0.5, 1.0) for b in (1, 2, 3)]
    log = [candidate["a"] for candidate in tried({"a": {"log": [1e-4, 1e-1]}}, "grid", 4)]
    np.testing.assert_allclose(log, [1e-4, 1e-3, 1e-2, 1e-1])
    middles = [candidate["a"] for candidate in tried({"a": stats.norm()}, "grid", 2)]
    np.testing.assert_allclose(middles, stats.norm.ppf([0.25, 0.75]))


def test_a_grid_of_lists_is_taken_whole() -> None:
    assert len(tried([{"a": [1, 2, 3], "b": [1, 2]}, {"a": [4]}], "grid", 1)) == 7


def test_a_grid_too_small_is_refused() -> None:
    with pytest.raises(RecipeError, match="n_iter=12 or more"):
        tried({"a": {"uniform": [0, 1]}, "b": {"uniform": [0, 1]}, "c": [1, 2, 3]}, "grid", 11)


def test_sobol_leaves_smaller_holes_than_chance() -> None:
    space = {"a": {"uniform": [0, 1]}, "b": {"log": [1, math.e]}}

    def discrepancy(method: str, seed: int) -> float:
        points = [[candidate["a"], math.log(candidate["b"])] for candidate in tried(space, method, 64, seed)]
        return float(stats.qmc.discrepancy(np.clip(points, 0, 1)))

    assert all(discrepancy("sobol", seed) < discrepancy("random", seed) / 2 for seed in range(3))
    sizes = [candidate["size"] for candidate in tried({"size": list(range(8)), "b": [0, 1]}, "sobol", 33)]
    assert min(np.bincount(sizes)) >= 3


def test_bayes_learns() -> None:
    """A peak beside a region of failures: the later batches lie nearer to it than the first two."""
    early: list[float] = []
    late: list[float] = []
    for seed in range(3):
        tries: list[float] = []

        def evaluate(batch: Sequence[Candidate], tries: list[float] = tries) -> Sequence[float]:
            tries.extend(candidate["a"] for candidate in batch)
            return [math.nan if c["a"] < 0.2 else -abs(c["a"] - 0.7) for c in batch]

        Candidates({"a": {"uniform": [0, 1]}}, "bayes", 43, seed).run(evaluate)
        assert len(tries) == 43
        early, late = early + tries[:16], late + tries[16:]
    assert np.median(np.abs(np.array(late) - 0.7)) < 0.75 * np.median(np.abs(np.array(early) - 0.7))


@pytest.mark.parametrize(
    ("axis", "words"),
    [
        ({"log": [0, 1]}, "above zero"),
        ({"logg": [1, 2]}, "did you mean 'log'"),
        ({"uniform": [2, 1]}, "low < high"),
        ({"log": [1, 2], "int": [1, 2]}, "one of log, uniform, int, choice"),
        ({"int": [0.5, 2]}, "two whole numbers"),
        ({}, "one of log, uniform, int, choice"),
        (r.Axis(), "one of log, uniform, int, choice"),
        ("relu", "a list, a distribution or an axis"),
        (0.1, "a list, a distribution or an axis"),
        ([], "a list, a distribution or an axis"),
        ({"choice": []}, "a list, a distribution or an axis"),
    ],
)
def test_what_is_no_axis_is_refused(axis: Any, words: str) -> None:
    with pytest.raises(RecipeError, match=words):
        Candidates({"a": axis}, "random", 4)


class OnlyDraws:
    """What scikit-learn asks of a distribution, and no more."""

    def rvs(self, size: Any = None, random_state: Any = None) -> Any:
        return 0.5 if size is None else [0.5] * size


def test_optunas_methods_need_quantiles_and_one_space() -> None:
    assert tried({"a": OnlyDraws()}, "random", 1) == [{"a": 0.5}]
    for method in ("sobol", "bayes"):
        with pytest.raises(RecipeError, match="ppf"):
            tried({"a": OnlyDraws()}, method, 4)
        with pytest.raises(RecipeError, match="one space"):
            tried([{"a": [1]}, {"a": [2]}], method, 4)
