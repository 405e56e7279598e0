"""What units do on data: by hand, against automatic differentiation, and against one more step of training."""

import dataclasses
from pathlib import Path
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from layerwise.inspection import Sample, Subject, activations, plain, sample, subject, update
from layerwise.inspection.samples import mean_loss
from layerwise.inspection.units import histogram
from layerwise.nets.dense import MLP, Dense
from layerwise.recipe import records as r
from layerwise.tasks.objective import Objective
from layerwise.training.run import Run

KINDS = (r.Sigmoid(), r.Tanh(), r.Relu(), r.LeakyRelu(), r.NoisyRelu(), r.Elu(), r.Gelu(), r.Silu(), r.Softplus())
DATA: dict[str, Any] = {"kind": "named", "name": "iris"}


def small(kind: r.Activation, bias: tuple[float, float] = (0.0, 0.0)) -> MLP:
    """A 2-2-1 network whose weighted sums are easy."""
    hidden = Dense(jnp.array([[1.0, 0.0], [0.0, -1.0]]), jnp.array(bias))
    return MLP((), (hidden, Dense(jnp.array([[3.0, 4.0]]), jnp.zeros(1))), (), (kind, r.Linear()))


ROWS = Sample(np.array([[1.0, 1.0], [3.0, 2.0]], np.float32), np.array([1.0, 0.0], np.float32)[:, None], np.ones(2))
SQUARED = Objective("quantities", 1)


def test_by_hand() -> None:
    """z = (1, -1) and (3, -2): the second ReLU is dead. Outputs 3 and 9, the loss (2^2 + 9^2) / 2."""
    found = activations(small(r.Relu()), SQUARED, ROWS)
    hidden, output = found.layers
    assert (found.rows, found.loss) == (2, 42.5)
    assert (hidden.off, hidden.saturated, hidden.dead, hidden.stuck) == (0.5, 0.0, (2,), (2,))
    assert (output.off, output.dead) == (0, ())
    assert hidden.weight_norm == pytest.approx(np.sqrt(2)) and output.weight_norm == 5
    # dE/dout = (2, 9); back through 3 to the one unit that is on: (6, 27), times the inputs, and the bias.
    gradient = np.array([6 * 1 + 27 * 3, 6 * 1 + 27 * 2, 6 + 27])
    assert hidden.gradient_norm == pytest.approx(np.linalg.norm(gradient))
    assert output.gradient_norm == pytest.approx(np.linalg.norm([2 * 1 + 9 * 3, 0, 2 + 9]))
    assert found.gradient_ratio == pytest.approx(hidden.gradient_norm / output.gradient_norm)
    assert np.isnan(hidden.update_norm) and found.step == ""


def test_saturated_is_not_dead() -> None:
    """Sigmoids at 11 and 13 on one side, at -1 and -2 on the other: half of the pairs, one unit always."""
    found = activations(small(r.Sigmoid(), (10.0, 0.0)), SQUARED, ROWS).layers[0]
    assert (found.saturated, found.off, found.dead, found.stuck) == (0.5, 0.0, (), (1,))
    assert (found.sums.edges[0], found.sums.edges[-1]) == (-2, 13)
    assert found.sums.counts.sum() == found.values.counts.sum() == 4


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_gradients_are_those_of_the_loss(kind: r.Activation) -> None:
    network = small(kind, (0.3, -0.2))
    found = activations(network, SQUARED, ROWS)
    rows = jax.device_put(ROWS)
    gradient = jax.grad(lambda network: mean_loss(SQUARED, network, rows))(network)
    for layer, own in zip(found.layers, gradient.layers, strict=True):
        assert layer.gradient_norm == pytest.approx(
            float(jnp.sqrt(jnp.sum(own.weight**2) + jnp.sum(own.bias**2))), rel=1e-5
        )


def test_histograms_count_everything_finite() -> None:
    values = np.array([0.0, 0.0, 0.5, 1.0, np.inf, np.nan])
    found = histogram(values)
    assert found.counts.sum() == 4 and found.counts[0] == 2 and found.counts[-1] == 1
    assert found.edges[[0, -1]].tolist() == [0, 1]
    assert histogram(np.full((3, 2), np.nan)).counts.sum() == 0
    assert histogram(np.full((3, 2), 7.0)).counts.sum() == 6
    for huge in (np.full(5, 1e37), np.array([1e30, np.nextafter(1e30, 2e30)]), np.array([-3e38, 3e38])):
        assert histogram(huge).counts.sum() == huge.size and (np.diff(histogram(huge).edges) > 0).all()


@pytest.mark.parametrize(
    "recipe",
    [
        {"data": {"kind": "named", "name": "diabetes"}, "task": {"kind": "regress", "loss": "huber"}},
        {"data": {"kind": "toy", "name": "and"}, "network": {"kind": "perceptron"}},
        {"data": DATA, "train": {"learning_rate": "find"}},
        {
            "data": DATA,
            "network": {"kind": "linear"},
            "task": {"kind": "classify", "label_smoothing": 0.1, "class_weight": "balanced"},
            "train": {"optimizer": "lbfgs"},
        },
        {"data": DATA, "train": {"dropout": 0.5, "noise": 0.1, "clip": 1, "max_norm": 2, "schedule": "one_cycle"}},
    ],
    ids=str,
)
def test_every_kind_of_recipe(recipe: dict[str, Any]) -> None:
    found = subject(recipe)
    seen = activations(found.network, found.objective, sample(found), update(found))
    assert all(np.isfinite(layer.gradient_norm) for layer in seen.layers)
    assert seen.step and all(layer.update_norm > 0 for layer in seen.layers)
    assert plain(seen)["layers"][-1]["name"] == "output"


def test_a_rate_to_be_found_is_the_usual_one() -> None:
    usual, to_find = (update(subject({"data": DATA, "train": {"learning_rate": rate}})) for rate in ("auto", "find"))
    assert usual is not None and to_find is not None
    jax.tree.map(np.testing.assert_array_equal, to_find.change, usual.change)
    assert (
        to_find.words == f"{usual.words}; the learning rate is found when training begins; here it is the usual 0.001"
    )


def test_embedded_columns(tmp_path: Path) -> None:
    lines = [f"w{n % 40},{n * 7 % 61},{n % 2}" for n in range(200)]
    (tmp_path / "rows.csv").write_text("\n".join(["word,size,yes", *lines]))
    found = subject({"data": {"kind": "table", "path": str(tmp_path / "rows.csv"), "target": "yes", "one_hot": 2}})
    assert found.network.embeds
    assert activations(found.network, found.objective, sample(found), update(found)).layers[0].update_norm > 0


def test_hand_set_weights_have_no_step() -> None:
    found = subject("xor-by-hand")
    assert update(found) is None
    assert all(layer.dead for layer in activations(found.network, found.objective, sample(found)).layers)


# ── steps ───────────────────────────────────────────────────────────────────────────────────────


def test_a_step_of_plain_descent_is_the_rate_times_the_gradient() -> None:
    train = {"optimizer": "sgd", "learning_rate": 0.25, "batch_size": 1000}
    found = subject({"data": DATA, "train": train})
    seen = activations(found.network, found.objective, sample(found), update(found))
    for layer in seen.layers:
        assert layer.update_norm == pytest.approx(0.25 * layer.gradient_norm, rel=1e-5)
        assert layer.update_ratio == pytest.approx(layer.update_norm / layer.weight_norm)
    assert seen.step.startswith("the first step of sgd from these weights, learning rate 0.25, a batch of 90")


def trained(folder: Path, epochs: int) -> Subject:
    """Whole batches and no randomness, so that one epoch more is one step more."""
    train = {"epochs": epochs, "batch_size": 1000, "patience": 0, "schedule": "exponential", "optimizer": "adam"}
    with Run({"data": DATA, "network": {"kind": "mlp", "hidden": [8]}, "train": train}, out=folder) as run:
        for _ in run:
            pass
    return subject(str(folder))


def test_the_next_step_of_a_run_is_what_training_does_next(tmp_path: Path) -> None:
    shorter, longer = trained(tmp_path / "a", 3), trained(tmp_path / "b", 4)
    found = update(shorter)
    assert found is not None and found.words.startswith("the next step of adam in this run, learning rate 0.000857")
    # Every epoch was the best so far, so that the models are the last weights.
    went = jax.tree.map(lambda new, old: new - old, longer.network, shorter.network)
    for told, real in zip(jax.tree.leaves(found.change), jax.tree.leaves(went), strict=True):
        np.testing.assert_allclose(told, real, rtol=1e-3, atol=1e-6)
    # Without the optimizer's memory it is another one.
    assert shorter.folder is not None
    shorter.folder.state.write_bytes(b"broken")
    first = update(shorter)
    assert first is not None and first.words.startswith("the first step of adam")
    alone = update(dataclasses.replace(shorter, folder=None))
    assert alone is not None and eqx.tree_equal(alone.change, first.change)
