"""Many starts: who ended in the same function, who got stuck, and what that says about the share of all starts."""

from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from layerwise.errors import LayerwiseError
from layerwise.inspection import Minima, Starts, Subject, minima, sample, subject
from layerwise.inspection.samples import Sample, flat, shaped
from layerwise.nets.build import build
from layerwise.nets.dense import MLP, Dense
from layerwise.recipe import records as r
from layerwise.tasks.objective import Objective
from layerwise.training.run import Run

XOR = {"kind": "toy", "name": "xor", "n": 4, "split": "none"}


def two_two_one(activation: str, seed: int = 0, epochs: int = 500) -> Subject:
    network = {"kind": "mlp", "hidden": [2], "activation": activation}
    train = {"epochs": epochs, "batch_size": 4, "optimizer": "adam", "learning_rate": 0.1, "patience": 0}
    return subject({"data": XOR, "network": network, "train": train, "seed": seed})


def ended(found: Subject, count: int) -> Minima:
    starts = Starts(found, count)
    for _ in starts:
        pass
    return minima(starts.networks, found.objective, sample(found), sample(found, "validation"))


def permuted(network: MLP, order: list[int], signs: list[int]) -> MLP:
    """The same function: hidden units in another order, the signs of odd ones turned."""
    first, second = network.layers
    sign = np.array(signs, np.float32)
    return MLP(
        (),
        (
            Dense((first.weight * sign[:, None])[np.array(order)], (first.bias * sign)[np.array(order)]),
            Dense((second.weight * sign)[:, np.array(order)], second.bias),
        ),
        (),
        network.activations,
    )


def test_symmetric_copies_are_one_basin_and_others_are_not() -> None:
    found = subject(
        {"data": {"kind": "named", "name": "iris"}, "network": {"kind": "mlp", "hidden": [3], "activation": "tanh"}}
    )
    one = shaped(3 * flat(found.network), found.network)
    other = shaped(3 * flat(build(found.recipe.network, inputs=4, outputs=3, codes=(), seed=9)), found.network)
    networks = [one, other, permuted(one, [2, 0, 1], [1, -1, 1]), permuted(other, [1, 0, 2], [-1, -1, -1]), one]
    assert not np.allclose(flat(networks[0]), flat(networks[2]), atol=0.1)
    seen = minima(networks, found.objective, sample(found), sample(found, "validation"))
    assert seen.basin[0] == seen.basin[2] == seen.basin[4] != seen.basin[1] == seen.basin[3]
    assert_array_equal([basin.starts for basin in seen.basins], [3, 2] if seen.losses[0] < seen.losses[1] else [2, 3])
    assert seen.basins[0].loss <= seen.basins[1].loss


@pytest.mark.parametrize("scale", [1.0, 1000.0])
def test_basins_of_a_regression_do_not_depend_on_the_unit(scale: float) -> None:
    objective = Objective("quantities", 1)
    x = np.linspace(-1, 1, 30, dtype=np.float32)[:, None]
    rows = Sample(x, (scale * x).astype(np.float32), np.ones(30, np.float32))
    none = Sample(x[:0], rows.y[:0], rows.weight[:0])

    def line(slope: float) -> MLP:
        weight = np.array([[scale * slope]], np.float32)
        return MLP((), (Dense(jnp.asarray(weight), jnp.zeros(1)),), (), (r.Linear(),))

    seen = minima([line(1.0), line(1.05), line(0.5), line(0.52), line(-1.0)], objective, rows, none)
    assert_array_equal(seen.basin, [0, 0, 1, 1, 2])
    assert_allclose(seen.scores, [1, 1 - 0.05**2, 0.75, 1 - 0.48**2, -3], atol=1e-4)
    assert_array_equal(seen.stuck, [False, False, True, True, True])  # 0.25 of the variance is more than a tenth
    assert np.isnan(seen.validation).all()


def test_a_loss_that_is_not_finite_is_stuck_and_like_nothing() -> None:
    found = two_two_one("tanh")
    broken = shaped(np.full(9, np.nan), found.network)
    seen = minima([broken, found.network, broken], found.objective, sample(found), sample(found, "validation"))
    assert seen.basin[1] == 0 and seen.basin[0] != seen.basin[2]
    assert seen.stuck[0] and seen.stuck[2]


def test_silu_learns_xor_from_every_one_of_100_seeds() -> None:
    """A learned 2-2-1 network succeeds, where one of sigmoid units often gets stuck."""
    good, plain = ended(two_two_one("silu"), 100), ended(two_two_one("sigmoid"), 100)
    assert not good.stuck.any() and (good.scores == 1).all()
    assert [basin.starts for basin in good.basins] == [100]
    assert 20 < plain.stuck.sum() < 80 and len(plain.basins) > 2
    assert_array_equal(plain.stuck, plain.scores < 1)
    # Where training stays: two points merged in the middle, ln(2) for each, or three at 1/3 or 2/3.
    for loss in plain.losses[plain.stuck]:
        assert min(abs(loss - np.log(2) / 2), abs(loss - 0.75 * (np.log(3) - 2 / 3 * np.log(2)))) < 0.01


def test_the_first_start_is_the_run_itself(tmp_path: Path) -> None:
    recipe = {
        "data": {"kind": "toy", "name": "moons", "n": 100},  # as many rows and units as in test_subjects.py
        "network": {"kind": "mlp", "hidden": [3]},
        "train": {"epochs": 8},
        "seed": 4,
    }
    with Run(recipe, out=tmp_path / "run") as run:
        for _ in run:
            pass
    starts = Starts(subject(tmp_path / "run"), 3)
    lanes = {report.lane for report in starts}
    assert lanes == {0, 1, 2} and len(starts.networks) == 3
    assert_array_equal(flat(starts.networks[0]), flat(run.model.network))
    assert not np.array_equal(flat(starts.networks[1]), flat(starts.networks[0]))


def test_after_the_largest_seed_comes_the_first() -> None:
    found, zero = (Starts(two_two_one("sigmoid", seed, epochs=2), 100) for seed in (2**32 - 1, 0))
    for starts in (found, zero):
        for _ in starts:
            pass
    assert_array_equal(flat(found.networks[1]), flat(zero.networks[0]))
    assert_array_equal(flat(found.networks[2]), flat(zero.networks[1]))


@pytest.mark.parametrize("recipe", ["perceptron-xor", "xor-by-hand"])
def test_where_seeds_change_nothing(recipe: str) -> None:
    with pytest.raises(LayerwiseError, match="--starts out"):
        Starts(subject(recipe), 5)
