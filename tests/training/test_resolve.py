"""Every "auto" becomes what data and network call for, once and for all."""

import dataclasses

import numpy as np
import pytest

from layerwise.data import load as load_data
from layerwise.errors import DataError, RecipeError
from layerwise.recipe import decode
from layerwise.recipe import records as r
from layerwise.training.optimizer import DEFAULT_RATES
from layerwise.training.resolve import resolve, seconds


def resolved(name="circle", n=50, split="auto", **parts):
    recipe = decode({"data": {"kind": "toy", "name": name, "n": n, "split": split}, **parts})
    return resolve(recipe, load_data(recipe.data, recipe.task, recipe.seed))


def test_the_task_follows_from_the_target():
    assert resolved("circle").recipe.task == r.Classify()
    assert resolved("plane").recipe.task == r.Regress()
    assert resolved("circle", task={"kind": "classify", "label_smoothing": 0.1}).recipe.task == r.Classify("none", 0.1)


@pytest.mark.parametrize("kind", DEFAULT_RATES, ids=lambda kind: kind.__name__)
def test_each_optimizer_has_its_usual_rate(kind):
    train = resolved(train={"optimizer": kind.__struct_config__.tag}).recipe.train
    assert train.learning_rate == DEFAULT_RATES[kind]
    assert train.weight_decay == (0.01 if kind is r.AdamW else 0.0)


def test_what_was_given_stays():
    given = {"learning_rate": 0.5, "weight_decay": 0.2, "patience": 3, "batch_size": 7, "optimizer": "adamw"}
    train = resolved(train=given).recipe.train
    assert (train.learning_rate, train.weight_decay, train.patience, train.batch_size) == (0.5, 0.2, 3, 7)
    assert resolved(train={"learning_rate": "find"}).recipe.train.learning_rate == "find"


def test_resolving_twice_changes_nothing():
    for parts in (
        {},
        {"train": {"optimizer": "lbfgs", "learning_rate": "find"}},
        {"network": "perceptron"},
        {"split": "none", "train": {"batch_size": 500}},
        {"name": "plane", "train": {"optimizer": "adamw"}},
    ):
        once = resolved(**parts)
        again = resolve(once.recipe, load_data(once.recipe.data, once.recipe.task, once.recipe.seed))
        assert again.recipe == once.recipe
        assert again.objective == once.objective


def test_a_batch_larger_than_the_data_is_reduced_and_said():
    found = resolved(train={"batch_size": 1000})
    assert found.recipe.train.batch_size == 30
    assert "batch_size 1000 is more than the 30 training rows: reduced to 30" in found.notes


def test_without_a_validation_part_patience_is_off_and_said():
    found = resolved(split="none")
    assert found.recipe.train.patience == 0
    assert any("early stopping is off" in note for note in found.notes)
    assert not resolved(split="none", train={"patience": 0}).notes


def test_a_function_that_the_task_puts_in_another_ones_place_is_said():
    def notes(data, output):
        recipe = decode({"data": {"kind": "named", "name": data}, "network": {"kind": "mlp", "output": output}})
        return resolve(recipe, load_data(recipe.data, recipe.task, recipe.seed)).notes

    assert notes("iris", "sigmoid") == (
        'network.output = "sigmoid": the task adds softmax to the last layer, as with "auto"',
    )
    assert notes("breast-cancer", "linear")[0].startswith('network.output = "linear": the task adds sigmoid')
    for data, output in (("iris", "auto"), ("breast-cancer", "sigmoid"), ("diabetes", "linear"), ("diabetes", "tanh")):
        assert notes(data, output) == ()


def test_a_perceptron_learns_by_its_own_rule():
    train = resolved(network="perceptron").recipe.train
    assert (train.optimizer, train.batch_size, train.learning_rate) == (r.Sgd(), 1, 1.0)
    told = resolved(network="perceptron", train={"optimizer": "adam"})
    assert any("own rule" in note for note in told.notes)


def test_lbfgs_takes_all_rows_and_finds_its_own_steps():
    found = resolved(train={"optimizer": "lbfgs", "batch_size": 4, "learning_rate": "find"})
    assert (found.recipe.train.batch_size, found.recipe.train.learning_rate) == (30, 1.0)
    assert any("no range test" in note for note in found.notes)


def test_weights_by_hand_are_evaluated_unless_training_is_asked_for():
    by_hand = {"kind": "linear", "weights": [[[0.1, 1, 2]]]}
    assert resolved(network=by_hand).recipe.train == "none"
    assert isinstance(resolved(network=by_hand, train={}).recipe.train, r.Train)
    assert isinstance(resolved().recipe.train, r.Train)


@pytest.mark.parametrize(
    ("parts", "rule"),
    [
        ({"train": {"monitor": "r2"}}, "train.monitor is one of"),
        ({"name": "plane", "train": {"monitor": "accuracy"}}, "train.monitor is one of loss, r2"),
        ({"name": "plane", "network": "perceptron"}, "yes or no"),
    ],
)
def test_what_does_not_fit_the_data_is_refused(parts, rule):
    with pytest.raises(RecipeError, match=rule):
        resolved(**parts)


def test_lbfgs_is_not_for_large_data():
    recipe = decode(
        {"data": {"kind": "toy", "name": "circle", "n": 150_000, "split": "none"}, "train": {"optimizer": "lbfgs"}}
    )
    with pytest.raises(RecipeError, match="up to 100,000"):
        resolve(recipe, load_data(recipe.data, recipe.task, 0))


def test_training_rows_without_weight_are_refused():
    recipe = decode({"data": {"kind": "toy", "name": "circle", "n": 50}})
    data = load_data(recipe.data, recipe.task, 0)
    weight = np.ones(50, np.float32)
    weight[data.train] = 0
    with pytest.raises(DataError, match="weight above 0") as refused:
        resolve(recipe, dataclasses.replace(data, weight=weight))
    assert "30 training rows" in refused.value.received


@pytest.mark.parametrize(
    ("text", "found"),
    [("90s", 90), ("5m", 300), ("1h30m", 5400), ("250ms", 0.25), ("1.5h", 5400), ("2m3s4ms", 123.004)],
)
def test_durations(text, found):
    assert seconds(text) == pytest.approx(found)
    assert seconds("none") == float("inf")
