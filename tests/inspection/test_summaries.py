"""What a network consists of: counted by hand, and against the arrays that training makes."""

import jax
import numpy as np
import pytest

from layerwise.inspection import plain, subject, summary
from layerwise.nets.build import layout
from layerwise.recipe import load
from layerwise.recipe import records as r
from layerwise.training.hyper import hyper
from layerwise.training.loop import start
from layerwise.training.resolve import resolve
from layerwise.training.step import program

OPTIMIZERS = ("sgd", "momentum", "nesterov", "adagrad", "rmsprop", "adam", "adamw", "lion", "lbfgs")


def test_the_lecture_s_large_network() -> None:
    found = summary(layout(r.Mlp(hidden=(1000, 1000, 1000)), inputs=100 * 100, outputs=10), 100 * 100)
    assert (found.weights, found.biases, found.parameters) == (12_010_000, 3_010, 12_013_010)
    assert [layer.parameters for layer in found.layers] == [10_001_000, 1_001_000, 1_001_000, 10_010]
    assert found.forward == 2 * 12_010_000 + 3_010
    assert found.parameter_bytes == 4 * 12_013_010


def test_operations_by_hand() -> None:
    """2-2-1, a batch of 10: products of 2x2 and 2x1 weights forward, for the weights and for the inner error."""
    found = summary(layout(r.Mlp(hidden=(2,)), inputs=2, outputs=1), 2, r.Train(batch_size=10))
    assert [layer.forward for layer in found.layers] == [2 * 4 + 2, 2 * 2 + 1]
    assert found.training == 10 * ((2 * 8 + 2 * 2) + (2 * 4 + 2 * 1 + 4))
    assert found.activation_bytes == 4 * 10 * (2 + 2 * 2 + 1)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_memory_is_what_training_takes(name: str) -> None:
    """The very arrays of a run."""
    found = subject({"data": {"kind": "named", "name": "iris"}, "train": {"optimizer": name, "epochs": 1}})
    resolved = resolve(load(found.recipe), found.dataset)
    train = resolved.recipe.train
    assert isinstance(train, r.Train)
    shapes = layout(found.recipe.network, inputs=4, outputs=3)
    told = summary(shapes, 4, train)
    settings = hyper(train, resolved.recipe.task)
    state = start(program(train, resolved.objective, train.batch_size), found.network, settings)
    leaves = jax.tree.leaves(state.weights.optimizer)
    assert told.optimizer_bytes == sum(np.asarray(leaf).nbytes for leaf in leaves)
    assert told.parameter_bytes == sum(np.asarray(leaf).nbytes for leaf in jax.tree.leaves(found.network))


def test_layouts_are_what_is_built() -> None:
    found = subject("digits")
    shapes = layout(found.recipe.network, inputs=found.dataset.x.shape[1], outputs=found.objective.outputs)
    assert [layer.weight.shape for layer in found.network.layers] == [(s.units, s.inputs) for s in shapes.layers]


def test_embedded_columns_count() -> None:
    class Code:
        column, size, width = 0, 30, 5

    shapes = layout(r.Mlp(hidden=(4,)), inputs=3, outputs=1, codes=[Code()])
    found = summary(shapes, 3)
    assert shapes.layers[0].inputs == 2 + 5
    assert found.parameters == 30 * 5 + (7 + 1) * 4 + (4 + 1)
    # The error goes back through the first layer, to the embedded numbers.
    assert found.layers[1].training == 3 * 2 * 7 * 4 + 2 * 4


def test_json_has_the_totals() -> None:
    found = plain(summary(layout(r.Mlp(hidden=(2,)), inputs=2, outputs=1), 2))
    assert found["parameters"] == 9 and found["layers"][0]["parameters"] == 6
