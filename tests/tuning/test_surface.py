"""The true surface of a search: its shares and means by hand, its values by studies of the same settings."""

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from layerwise.errors import RecipeError
from layerwise.tuning.picture import SearchedAxis
from layerwise.tuning.study import Study
from layerwise.tuning.surface import Surface, surface

NAN = math.nan


def made(values: Any, monitor: str = "accuracy") -> Surface:
    array = np.array(values, float)
    array = array[:, :, None] if array.ndim == 2 else array
    rows, columns = array.shape[:2]
    axes = SearchedAxis("train.dropout", "linear", 0.0, 1.0), SearchedAxis("train.noise", "linear", 0.0, 1.0)
    return Surface(monitor, *axes, list(range(columns)), list(range(rows)), array)


@pytest.mark.parametrize(
    ("values", "shares"),
    [
        ([[0, 1], [0, 1]], (1, 0, 0)),
        ([[0, 0], [1, 1]], (0, 1, 0)),
        ([[0, 1], [1, 0]], (0, 0, 1)),
        ([[0, 1], [2, 3]], (0.2, 0.8, 0)),  # x moves by 1, y by 2: variances 1/4 and 1
        ([[0, 0], [0, 4]], (1 / 3, 1 / 3, 1 / 3)),
        ([[5, 5], [5, 5]], (0, 0, 0)),
    ],
)
def test_shares_by_hand(values: Any, shares: tuple[float, ...]) -> None:
    assert made(values).shares() == pytest.approx(shares)


def test_losses_count_by_their_logarithm() -> None:
    """0.1 and 10 are as far from 1 as each other: their mean is 1, and neither axis' share is larger."""
    found = made([[0.1, 1], [1, 10]], "loss")
    assert found.along_x() == pytest.approx([math.sqrt(0.1), math.sqrt(10)])
    assert found.along_y() == pytest.approx([math.sqrt(0.1), math.sqrt(10)])
    assert found.shares() == pytest.approx((0.5, 0.5, 0))


def test_means_over_seeds() -> None:
    values = [[[0.1, 0.3], [0.5, 0.5]]]
    assert made(values).mean() == pytest.approx(np.array([[0.2, 0.5]]))
    assert made(values).along_y() == pytest.approx([0.35])


@pytest.mark.parametrize(("monitor", "worst"), [("loss", 4.0), ("accuracy", 0.5)])
def test_what_diverged_counts_as_the_worst(monitor: str, worst: float) -> None:
    assert made([[0.5, 4.0], [NAN, 1.0]], monitor).mean()[1, 0] == pytest.approx(worst)


def test_where_everything_diverged() -> None:
    found = made([[NAN, NAN]], "loss")
    assert np.isfinite(found.mean()).all() and found.shares() == (0, 0, 0)


@given(arrays(float, (3, 4), elements=st.floats(0.01, 100)))
def test_shares_are_those_of_a_whole(values: np.ndarray) -> None:
    x, y, both = made(values).shares()
    turned = made(values.T).shares()
    assert min(x, y, both) >= 0
    assert x + y + both == pytest.approx(1) or np.ptp(values) == 0
    assert turned == pytest.approx((y, x, both))


def test_the_surface_is_what_a_study_sees(recipe_with: Any, tmp_path: Any) -> None:
    """Each point of a grid search, at its place, to the last bit."""
    recipe = recipe_with(search__method="grid", search__trials=6)
    recipe["search"]["space"] = {"train.learning_rate": {"log": [1e-3, 1e-1]}, "network.hidden": {"choice": [[4], [3]]}}
    with Study(recipe, out=tmp_path) as study:
        for _ in study:
            pass
    found = surface(recipe, "train.learning_rate", "network.hidden", levels=3, seeds=2)
    assert found.values.shape == (2, 3, 2)
    for row in study.trials.rows(named=True):
        x, y = found.xs.index(row["train.learning_rate"]), found.ys.index(row["network.hidden"])
        assert found.values[y, x, 0] == row["value"]
    assert not np.array_equal(found.values[..., 0], found.values[..., 1])


def test_a_surface_turned_is_the_same(recipe_with: Any) -> None:
    rate, dropout = "train.learning_rate", "train.dropout"
    one, other = (surface(recipe_with(), *paths, levels=2, seeds=1) for paths in ((rate, dropout), (dropout, rate)))
    assert np.array_equal(one.values, other.values.swapaxes(0, 1))
    assert one.xs == other.ys and one.x == other.y


def test_lanes_that_diverge_leave_holes(recipe_with: Any) -> None:
    recipe = recipe_with(train__optimizer={"kind": "momentum", "momentum": 0.9}, network__activation="relu")
    recipe["search"]["space"]["train.learning_rate"] = {"log": [1e-2, 1e38]}
    found = surface(recipe, "train.learning_rate", "train.dropout", levels=2, seeds=1)
    assert np.isfinite(found.values[:, 0]).all() and np.isnan(found.values[:, 1]).all()


@pytest.mark.parametrize("paths", [("train.learning_rate", "train.l2"), ("train.dropout", "train.dropout")])
def test_only_searched_settings_have_a_surface(recipe_with: Any, paths: tuple[str, str]) -> None:
    with pytest.raises(RecipeError, match=r"searched are: train\.learning_rate, train\.dropout"):
        surface(recipe_with(), *paths, levels=2, seeds=1)
