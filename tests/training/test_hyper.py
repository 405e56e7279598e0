"""The numeric settings: each arrives where the program looks for it."""

import jax
import numpy as np
import pytest

from layerwise.recipe import records as r
from layerwise.training.hyper import Hyper, hyper

GIVEN = {
    "learning_rate": 0.5, "warmup": 2.0, "l1": 0.1, "l2": 0.2, "weight_decay": 0.3, "dropout": 0.4,
    "input_dropout": 0.15, "noise": 0.25, "max_norm": 3.0, "clip": 4.0, "tolerance": 0.01, "patience": 7, "epochs": 9,
}  # fmt: skip


def test_settings_keep_their_names():
    found = hyper(r.Train(**GIVEN), r.Classify(label_smoothing=0.05))
    for name, value in GIVEN.items():
        assert getattr(found, name) == np.float32(value), name
    assert found.label_smoothing == np.float32(0.05)
    assert hyper(r.Train(**GIVEN), r.Regress(delta=2.5)).delta == 2.5


@pytest.mark.parametrize(
    ("optimizer", "momentum", "beta2", "epsilon"),
    [
        (r.Sgd(), 0, 0, 0),
        (r.Momentum(0.7), 0.7, 0, 0),
        (r.Nesterov(0.7), 0.7, 0, 0),
        (r.Adagrad(0.01), 0, 0, 0.01),
        (r.RmsProp(0.8, 0.02), 0, 0.8, 0.02),
        (r.Adam(0.6, 0.7, 0.03), 0.6, 0.7, 0.03),
        (r.AdamW(0.6, 0.7, 0.03), 0.6, 0.7, 0.03),
        (r.Lion(0.6, 0.7), 0.6, 0.7, 0),
        (r.Lbfgs(5), 0, 0, 0),
    ],
)
def test_those_of_optimizers(optimizer, momentum, beta2, epsilon):
    found = hyper(r.Train(**GIVEN, optimizer=optimizer), r.Classify())
    expected = np.array([momentum, beta2, epsilon], np.float32)
    assert [found.momentum, found.beta2, found.epsilon] == expected.tolist()


@pytest.mark.parametrize(
    ("schedule", "every", "factor"),
    [
        (r.ConstantRate(), 1, 1),
        (r.StepRate(3.0, 0.25), 3, 0.25),
        (r.ExponentialRate(0.75), 1, 0.75),
        (r.CosineRate(0.125), 1, 0.125),
        (r.OneCycleRate(0.375), 1, 0.375),
    ],
)
def test_those_of_schedules(schedule, every, factor):
    found = hyper(r.Train(**GIVEN, schedule=schedule), r.Classify())
    assert (found.every, found.factor) == (every, factor)


def test_all_are_scalars_of_single_precision():
    found = hyper(r.Train(**GIVEN), r.Classify())
    assert len(found) == len(Hyper._fields)
    assert {leaf.shape for leaf in jax.tree.leaves(found)} == {()}
    assert {leaf.dtype.name for leaf in jax.tree.leaves(found)} == {"float32", "int32"}
