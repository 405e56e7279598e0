"""The built-in recipes: valid, short, explained, and true where a proof is possible."""

import tomllib

import numpy as np
import pytest

from layerwise.data.catalogue import entries
from layerwise.data.toy import make
from layerwise.recipe import builtin, load, to_toml
from layerwise.recipe import records as r

RECIPES = builtin()

ASKED_FOR = [
    "and",
    "breast-cancer",
    "circle",
    "diabetes",
    "digits",
    "fashion-mlp",
    "iris",
    "mnist-logistic",
    "mnist-mlp",
    "moons",
    "or",
    "perceptron-xor",
    "plane",
    "spiral",
    "wine",
    "xor",
    "xor-by-hand",
]


def test_all_are_there_in_order():
    assert list(RECIPES) == sorted(ASKED_FOR)


@pytest.mark.parametrize("name", RECIPES)
def test_each_is_valid_short_and_explained(name):
    text = RECIPES[name]
    recipe = load(name)
    assert load(tomllib.loads(to_toml(recipe))) == recipe
    assert text.startswith("# "), "the first line says what it shows"
    assert "layerwise = 1\n" in text, "a recipe names its schema"
    assert text.count("\n") <= 16
    assert max(map(len, text.splitlines())) <= 105


@pytest.mark.parametrize("name", RECIPES)
def test_named_data_stands_in_the_catalogue(name):
    data = load(name).data
    if isinstance(data, r.NamedData):
        assert data.name in {listed.entry.name for listed in entries()}
    else:
        assert isinstance(data, r.ToyData)


def test_the_weights_by_hand_are_xor():
    recipe = load("xor-by-hand")
    toy = make("xor", recipe.data.n, recipe.data.noise, recipe.seed)
    layer = toy.x
    for matrix in recipe.network.weights:
        rows = np.array(matrix)
        layer = (rows[:, 0] + layer @ rows[:, 1:].T > 0).astype(float)
    assert layer[:, 0].tolist() == toy.y.tolist() == [0, 1, 1, 0]
    assert recipe.train == "auto", "weights by hand are evaluated, not trained"


def test_digits_is_quick():
    train = load("digits").train
    assert train.epochs <= 30
    assert train.patience == 5
