"""Spaces: what is refused before anything trains, how a grid is laid, and the way from a point to a recipe."""

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from layerwise.errors import RecipeError
from layerwise.recipe import load
from layerwise.recipe import records as r
from layerwise.tuning.search import planned
from layerwise.tuning.space import Space, axes_in_words

BASE = {"data": {"kind": "toy", "name": "circle", "n": 60}, "network": {"kind": "mlp", "hidden": [4]}}
RATE = {"log": [1e-3, 1e-1]}


def space_of(axes, **changes):
    return Space(load({**BASE, **changes, "search": {"space": axes}}))


@pytest.mark.parametrize(
    ("path", "axis", "words"),
    [
        ("train.learning_rat", RATE, "did you mean 'learning_rate'?"),
        ("trian.learning_rate", RATE, "did you mean 'train'?"),
        ("network.layers", {"int": [1, 3]}, "valid keys: activation, hidden"),
        ("network.hidden.1", {"int": [2, 8]}, "a list of 1 items"),
        ("train.optimizer.momentum", {"uniform": [0, 0.9]}, "has no key 'momentum' (adam)"),
        ("", RATE, "a recipe has no key ''"),
        ("train..epochs", {"int": [1, 2]}, "train has no key ''"),
        ("train.learning_rate", {"choice": [0.1, "fast"]}, 'must be a number > 0 or "auto" or "find"'),
        ("train.epochs", {"uniform": [1, 5]}, "must be a whole number"),
        ("train.epochs", {"int": [1.5, 5]}, "int takes two whole numbers"),
        ("train.epochs", {"int": [True, 5]}, "int takes two whole numbers"),
        ("train.dropout", {"uniform": [0, 1.5]}, "must be a number >= 0 and < 1"),
        ("train.learning_rate", {"log": [1e-1, 1e-3]}, "the smaller first"),
        ("train.learning_rate", {"log": [0.1, 0.1]}, "low < high"),
        ("train.learning_rate", {"log": [0.1]}, "low < high"),
        ("train.learning_rate", {"log": [0, 1]}, "start above zero"),
        ("train.learning_rate", {"log": [math.nan, 1]}, "must be finite"),
        ("train.learning_rate", {"uniform": [0.1, math.inf]}, "must be finite"),
        ("train.learning_rate", {}, "one of log, uniform, int, choice"),
        ("train.learning_rate", {"choice": []}, "one of log, uniform, int, choice"),
        ("train.learning_rate", {**RATE, "uniform": [0, 1]}, "one of log, uniform, int, choice"),
        ("train.learning_rate", {"choice": [0.1, 0.1]}, "every choice stands once"),
        ("network.weights", {"choice": [[[[0, 1, 1]]]]}, "one matrix for each layer"),
        ("seed", {"int": [0, 3]}, "does not vary the seed"),
        ("search.trials", {"int": [1, 3]}, "does not vary the search"),
        ("data", {"choice": [{"kind": "toy", "name": "xor"}]}, "does not vary the data"),
        ("data.name", {"choice": ["xor"]}, "does not vary the data"),
        ("data.n", {"int": [50, 60]}, "does not vary the data"),
        ("data.split.validation", {"uniform": [0.1, 0.5]}, "does not vary the data"),
        ("task.kind", {"choice": ["classify"]}, "does not vary the task"),
        ("task", {"choice": [{"kind": "classify"}]}, "search single settings in it"),
        ("train", {"choice": [{"epochs": 3}, {"monitor": "accuracy"}]}, "search single settings in it"),
        ("train.monitor", {"choice": ["loss"]}, "does not vary what trials are compared by"),
        ("train.time_limit", {"choice": ["1s"]}, "does not vary the time limit"),
        ("task.label_smoothing", {"uniform": [0, 0.3]}, "another task has another loss"),
    ],
)
def test_an_axis_that_is_none_is_refused(path, axis, words):
    with pytest.raises(RecipeError) as refused:
        space_of({path: axis})
    assert words in str(refused.value)
    assert "search.space" in str(refused.value), "the message says where"


@pytest.mark.parametrize(
    "axes",
    [
        {"train.optimizer": {"choice": ["adam", "sgd"]}, "train.optimizer.beta1": {"uniform": [0.8, 0.99]}},
        {"network.hidden": {"choice": [[3], [3, 3]]}, "network.activation": {"choice": ["relu", ["relu", "tanh"]]}},
    ],
)
def test_choices_that_do_not_fit_each_other_are_refused(axes):
    with pytest.raises(RecipeError, match=r", with \{"):
        space_of(axes)


def test_a_recipe_without_training_is_refused():
    with pytest.raises(RecipeError, match="a search trains its recipe"):
        space_of({"train.epochs": {"int": [1, 3]}}, train="none")
    by_hand = {"kind": "mlp", "hidden": [1], "weights": [[[0, 1, 1]], [[0, 1]]]}
    with pytest.raises(RecipeError, match="a search trains its recipe"):
        space_of({"train.epochs": {"int": [1, 3]}}, network=by_hand)


EVERYTHING = {
    "train.learning_rate": RATE,
    "train.optimizer": {"choice": ["adam", "sgd", {"kind": "momentum", "momentum": 0.5}]},
    "train.schedule": {"choice": ["constant", {"kind": "cosine", "floor": 0.1}]},
    "train.batch_size": {"choice": [8, 16]},
    "train.patience": {"int": [0, 9]},
    "train.dropout": {"uniform": [0, 0.5]},
    "train.l1": {"log": [1e-6, 1e-2]},
    "train.l2": {"log": [1e-6, 1e-2]},
    "train.noise": {"uniform": [0, 0.2]},
    "network.hidden": {"choice": [[4], [8, 4]]},
    "network.activation": {"choice": ["relu", "tanh", "noisy_relu"]},
    "network.initialization": {"choice": ["he", "glorot"]},
    "task.label_smoothing": {"uniform": [0, 0.2]},
}


@pytest.mark.parametrize("method", ["random", "sobol"])
def test_every_field_of_a_recipe_can_be_searched(method):
    space = space_of(EVERYTHING, train={"monitor": "accuracy"}, task="classify")
    assert set(space.switches()) == {"dropout", "l1", "l2", "noise"}
    for params in planned(space, method, 16, seed=3):
        settings = space.settings(params)
        assert space.params(settings) == params
        recipe = space.recipe(settings)
        assert recipe.search == "none"
        assert recipe.train.learning_rate == settings["train.learning_rate"]
        assert 1e-3 <= recipe.train.learning_rate <= 1e-1
        assert recipe.network.hidden in ((4,), (8, 4))
        assert isinstance(recipe.train.optimizer, r.Adam | r.Sgd | r.Momentum)
        assert recipe.train.patience in range(10)


@pytest.mark.parametrize("network", ["linear", "perceptron", {"kind": "mlp", "hidden": [3]}])
@pytest.mark.parametrize("optimizer", ["adam", "lbfgs"])
def test_there_is_a_space_where_the_recipe_names_none(network, optimizer):
    space = Space(load({**BASE, "network": network, "train": {"optimizer": optimizer}}))
    assert "train.learning_rate" in space.axes or optimizer == "lbfgs"
    for settings in space.grid(64):
        space.recipe(settings)


def test_a_grid_has_all_choices_and_evenly_spaced_levels():
    space = space_of({"train.learning_rate": {"log": [1e-3, 1e-1]}, "network.activation": {"choice": ["relu", "tanh"]}})
    points = space.grid(7)  # 2 choices leave room for 3 levels
    rates = [point["train.learning_rate"] for point in points[::2]]
    assert rates == [1e-3, pytest.approx(1e-2), 1e-1], "the ends exactly as written"
    assert [point["network.activation"] for point in points] == ["relu", "tanh"] * 3
    whole = space_of({"train.patience": {"int": [1, 3]}})
    assert [point["train.patience"] for point in whole.grid(10)] == [1, 2, 3], "no level twice"
    with pytest.raises(RecipeError, match="4 trials here"):
        space.grid(3)
    choices = space_of({"train.batch_size": {"choice": [4, 8, 16]}})
    assert len(choices.grid(3)) == 3
    with pytest.raises(RecipeError, match="3 trials here"):
        choices.grid(2)


@given(st.integers(2, 300), st.integers(1, 3), st.integers(1, 4))
def test_a_grid_has_no_point_twice_and_none_too_many(trials, ranges, choices):
    names = ["train.l1", "train.l2", "train.noise"][:ranges]
    axes = {name: {"uniform": [0.1, 0.9]} for name in names}
    axes["train.batch_size"] = {"choice": [2**n for n in range(choices)]}
    space = space_of(axes)
    try:
        points = [json.dumps(point) for point in space.grid(trials)]
    except RecipeError:
        assert trials < choices * 2**ranges
        return
    assert len(set(points)) == len(points) <= trials
    levels = round((len(points) / choices) ** (1 / ranges))
    assert choices * (levels + 1) ** ranges > trials, "another level would not have fitted"


@pytest.mark.parametrize("method", ["grid", "random", "sobol"])
def test_a_plan_follows_from_its_seed(method):
    space = space_of({"train.learning_rate": RATE, "network.hidden": {"choice": [[4], [8]]}})
    first = planned(space, method, 16, seed=1)
    assert first == planned(space, method, 16, seed=1)
    assert (first == planned(space, method, 16, seed=2)) == (method == "grid")
    assert len({json.dumps(params) for params in first}) == len(first) == 16
    if method != "grid":
        assert planned(space, method, 8, seed=1) == first[:8], "more trials begin with the fewer"


def test_sobol_leaves_no_large_holes():
    """Of 64 points after the first, each sixteenth of the range has its share."""
    space = space_of({"train.dropout": {"uniform": [0, 0.5]}, "train.noise": {"uniform": [0, 1]}})
    points = planned(space, "sobol", 65, seed=0)[1:]
    for path, top in (("train.dropout", 0.5), ("train.noise", 1)):
        counts = [0] * 16
        for point in points:
            counts[min(15, int(point[path] / top * 16))] += 1
        assert min(counts) >= 3 and max(counts) <= 5


def test_an_axis_is_described_in_words():
    axes = {"train.learning_rate": RATE, "train.patience": {"int": [1, 3]}, "network.hidden": {"choice": [[4], [8]]}}
    assert dict(axes_in_words(space_of({**axes, "train.noise": {"uniform": [0, 0.5]}}))) == {
        "train.learning_rate": "0.001 to 0.1, logarithmic",
        "train.patience": "1 to 3, whole",
        "train.noise": "0 to 0.5",
        "network.hidden": "one of [4], [8]",
    }
