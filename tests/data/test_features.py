"""Features of points and points drawn by hand: what the network gets of them, and that a model keeps it."""

import math
from typing import get_args

import msgspec
import numpy as np
import pytest

import layerwise
from layerwise.data import Classes, Quantities, encoder_from, load
from layerwise.data.features import FUNCTIONS
from layerwise.errors import DataError
from layerwise.inspection import subject, surface
from layerwise.recipe import records as r
from layerwise.training.model import Model

ALL = get_args(r.Feature)
TASK = r.AutoTask()
XOR = [[0.0, 0.0, 0], [0.0, 1.0, 1], [1.0, 0.0, 1], [1.0, 1.0, 0]]


def by_hand(x1, x2):
    return [x1, x2, x1**2, x2**2, x1 * x2, math.sin(3 * x1), math.sin(3 * x2)]


def test_every_feature_is_the_function_it_is_named_after():
    assert tuple(FUNCTIONS) == ALL
    data = load(r.ToyData("moons", n=40, noise=0.2, features=ALL), TASK, seed=0)
    rows = np.arange(40)
    wanted = [by_hand(*point) for point in data.raw(rows).astype(float).tolist()]
    assert data.x.dtype == np.float32 and data.x.shape == (40, 7)
    np.testing.assert_array_equal(data.x, np.array(wanted, np.float32))
    assert data.encoder.features == ALL and data.encoder.names == ("x1", "x2") and data.encoder.width == 7


@pytest.mark.parametrize("features", [("x1*x2",), ("x2",), ("x1^2", "x2^2"), ("x2", "sin(3*x1)")])
def test_any_subset_is_its_columns_and_the_split_stays(features):
    plain, some = (load(r.ToyData("circle", n=50, features=chosen), TASK, seed=1) for chosen in (ALL, features))
    np.testing.assert_array_equal(some.x, plain.x[:, [ALL.index(feature) for feature in features]])
    assert (some.train == plain.train).all() and (some.y == plain.y).all()
    again = encoder_from(some.encoder.spec, some.encoder.arrays)
    assert again.features == features
    point = [0.5, -0.25]
    expected = np.array([by_hand(*point)], np.float32)[:, [ALL.index(feature) for feature in features]]
    for raw in ([point], np.array([point]), [{"x2": -0.25, "x1": 0.5}]):
        np.testing.assert_array_equal(again.encode(raw), expected)
    np.testing.assert_array_equal(again.encode_row({"x1": 0.5, "x2": -0.25}), expected)
    np.testing.assert_array_equal(again.encode_row(point), expected)


def test_far_points_stay_finite_and_misshapen_ones_are_refused():
    encoder = load(r.ToyData("circle", n=50, features=ALL), TASK, seed=1).encoder
    assert np.isfinite(encoder.encode([[1e38, -1e38]])).all()
    assert encoder.report([[1e3, 0.0]]).keys() == {"x1"}
    for raw, words in (([[1.0] * 7], "a row has 2 values"), ([[math.nan, 0.0]], "finite")):
        with pytest.raises(DataError, match=words):
            encoder.encode(raw)
    spec = {"kind": "array", "names": ["a", "b"], "shape": [2], "scaling": "none", "features": ["x1"]}
    with pytest.raises(DataError, match="features are computed of the columns x1 and x2"):
        encoder_from(spec, encoder.arrays)


def test_without_other_features_the_description_is_that_of_older_versions():
    encoder = load(r.ToyData("circle", n=50), TASK, seed=1).encoder
    spec = {"kind": "array", "names": ("x1", "x2"), "shape": (2,), "scaling": "none"}
    assert msgspec.to_builtins(encoder.spec) == spec


# ── points drawn by hand ────────────────────────────────────────────────────────────────────────


def test_drawn_points_are_rows_as_written():
    data = load(r.PointsData(tuple(map(tuple, XOR)), ("no", "yes"), split=r.NoSplit()), TASK, seed=0)
    assert data.x.tolist() == [row[:2] for row in XOR] and data.y.tolist() == [0, 1, 1, 0]
    assert data.target == Classes("class", ("no", "yes"))
    data = load(r.PointsData(tuple(map(tuple, XOR)), features=("x1*x2",), split=r.NoSplit()), TASK, seed=0)
    assert data.target == Quantities(("y",), (0.5,), (0.5,)), "quantities are standardized"
    assert data.x.tolist() == [[0], [0], [0], [1]] and data.y[:, 0].tolist() == [-1, 1, 1, -1]


def test_a_class_without_points_yet_is_a_class():
    data = load(r.PointsData(tuple(map(tuple, XOR)), ("a", "b", "c"), split=r.NoSplit()), TASK, seed=0)
    assert data.target == Classes("class", ("a", "b", "c"))


# ── what is made of them ────────────────────────────────────────────────────────────────────────


def test_the_product_solves_xor_and_the_model_keeps_it(tmp_path):
    recipe = {
        "data": {"kind": "points", "classes": ["same", "other"], "features": ["x1*x2"], "split": "none",
                 "points": [[a, b, int(a * b < 0)] for a in (-1.5, -1, -0.5, 0.5, 1, 1.5) for b in (-1, 0.7)]},
        "network": "linear",
        "train": {"epochs": 60, "learning_rate": 0.3, "patience": 0},
    }  # fmt: skip
    run = layerwise.train(recipe, out=tmp_path / "run")
    rows = [[1.3, 1.2], [-0.8, -0.6], [0.9, -1.1], [-1.2, 0.8]]
    assert run.model.predict(rows).tolist() == ["same", "same", "other", "other"]
    kept = layerwise.load(run.model_path)
    assert kept.predict(rows).tolist() == ["same", "same", "other", "other"]
    assert kept.predict({"x1": 1.0, "x2": -1.0}).tolist() == ["other"]
    assert kept.recipe.data.points == run.recipe.data.points and kept.encoder.features == ("x1*x2",)


@pytest.mark.parametrize("over", ["auto", ("x2", "x1"), "pca"])
def test_the_surface_is_over_the_points_and_says_what_the_network_says(over):
    features = ["x1", "x1*x2", "sin(3*x1)"]
    data = {"kind": "toy", "name": "circle", "n": 60, "features": features}
    found = subject({"data": data, "network": {"kind": "mlp", "hidden": [4]}})
    told = surface(found.network, found.objective, found.dataset, over, units=True)
    if over == "pca":
        assert {name for part in told.components for name, _ in part.loadings} <= set(features)
        return
    names = ("x1", "x2") if over == "auto" else over
    assert (told.x.name, told.y.name) == names and told.fidelity == 1
    i, j = 20, 90
    at = dict(zip(names, (told.x.values[i], told.y.values[j]), strict=True))
    model = Model(found.recipe, found.network, found.dataset.encoder, found.dataset.target)
    np.testing.assert_allclose(told.values[j, i], model.predict_proba(at)[0], atol=1e-5)
    for part in told.points:
        spots = np.stack([part.at_x, part.at_y], axis=1)
        assert np.array_equal(spots, found.dataset.raw(part.rows)[:, [("x1", "x2").index(name) for name in names]])
    x = found.dataset.encoder.encode_row({names[0]: told.units.x[3], names[1]: told.units.y[7]})
    first = found.network.layers[0]
    np.testing.assert_allclose(
        told.units.layers[0][7, 3], np.maximum(x[0] @ np.asarray(first.weight).T + np.asarray(first.bias), 0), atol=1e-5
    )
