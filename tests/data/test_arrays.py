"""Generated and published arrays as datasets."""

import numpy as np
import pytest

from layerwise.data import Classes, Quantities, load
from layerwise.errors import DataError
from layerwise.recipe import records as r


@pytest.mark.parametrize("name", ["iris", "wine", "breast-cancer", "diabetes", "digits"])
def test_named(name):
    data = load(r.NamedData(name), r.AutoTask(), seed=0)
    rows = np.concatenate([data.train, data.validation, data.test])
    assert sorted(rows) == list(range(len(data.x)))
    if name == "digits":
        assert data.x.min() == 0 and data.x.max() == 1
        assert data.raw(data.train[:2]).max() <= 16
    else:
        np.testing.assert_allclose(data.x[data.train].mean(axis=0), 0, atol=1e-5)
        np.testing.assert_allclose(data.x[data.train].std(axis=0), 1, atol=1e-5)
    assert isinstance(data.target, Quantities if name == "diabetes" else Classes)
    assert data.encoder.encode(data.raw(rows)).tobytes() == data.x[rows].tobytes()
    assert data.encoder.encode_row(data.raw(rows[:1])[0]).tobytes() == data.x[rows[:1]].tobytes()


def test_toys_are_left_as_they_are():
    data = load(r.ToyData("xor", n=4, split=r.NoSplit()), r.AutoTask(), seed=0)
    assert data.x.tolist() == [[0, 0], [0, 1], [1, 0], [1, 1]]
    assert data.y.tolist() == [0, 1, 1, 0]
    assert data.target == Classes("class", ("0", "1"))
    assert data.notes == ()
    data = load(r.ToyData("plane", n=50), r.AutoTask(), seed=0)
    assert data.target == Quantities(("y",), (0.0,), (1.0,))
    np.testing.assert_allclose(data.y[:, 0], data.x.sum(axis=1) / 4, atol=1e-6)


def test_a_task_that_does_not_fit():
    for data, task in (
        (r.NamedData("iris"), r.Regress()),
        (r.NamedData("diabetes"), r.Classify()),
        (r.ToyData("xor"), r.MultiLabel()),
    ):
        with pytest.raises(DataError, match="the task fits"):
            load(data, task, seed=0)


def test_quantities_are_standardized_unless_told_otherwise():
    data = load(r.NamedData("diabetes"), r.Regress(), seed=0)
    assert abs(data.y[data.train].mean()) < 1e-5
    data = load(r.NamedData("diabetes"), r.Regress(standardize=False), seed=0)
    assert data.y.min() == 25
