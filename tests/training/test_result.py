"""The fingerprint of a split, and the baselines' thread."""

import dataclasses
import threading

import numpy as np
import pytest

from layerwise.data import load as load_data
from layerwise.recipe import decode
from layerwise.training.result import Baselines, fingerprint


@pytest.fixture(scope="module")
def data():
    recipe = decode({"data": {"kind": "toy", "name": "circle", "n": 60}})
    return load_data(recipe.data, recipe.task, 0)


def test_the_fingerprint_is_that_of_the_rows_in_their_parts(data):
    same = fingerprint(data)
    assert len(same) == 16
    assert fingerprint(dataclasses.replace(data, x=data.x + 1, notes=("other",))) == same
    swapped = dataclasses.replace(data, validation=data.test, test=data.validation)
    moved = dataclasses.replace(data, train=data.train[:-1], validation=np.append(data.validation, data.train[-1]))
    turned = dataclasses.replace(data, train=data.train[::-1])
    assert len({same, *map(fingerprint, (swapped, moved, turned))}) == 4


def test_baselines_begin_when_told_and_once(data):
    before = threading.active_count()
    baselines = Baselines(data, 0, data.weight)
    assert threading.active_count() == before
    baselines.start()
    baselines.start()
    found, remarks = baselines.result({})
    assert threading.active_count() == before
    assert {"majority_class", "logistic_regression"} <= set(found)
    assert all(set(parts) == {"validation", "test"} for parts in found.values())
    assert isinstance(remarks, tuple)


def test_cancelled_before_they_begin_there_are_none(data):
    baselines = Baselines(data, 0, data.weight)
    baselines.cancel()
    assert baselines.result({}) == ({}, ())
