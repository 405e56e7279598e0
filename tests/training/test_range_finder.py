"""The range test: sane where there is something to learn, harmless where not, and without a trace."""

import jax
import jax.numpy as jnp
import msgspec
import numpy as np
import pytest

from layerwise.recipe import records as r
from layerwise.training.range_finder import HIGHEST, LOWEST, STEPS, _suggestion, find_learning_rate

NAME = "adamw, weight_decay"


def bits(tree):
    return [np.asarray(leaf).tobytes() for leaf in jax.tree.leaves(tree)]


def find(bench):
    return find_learning_rate(bench.program, bench.network, bench.data, bench.train, bench.task, bench.seed)


def test_training_after_it_is_training_without_it(bench_of):
    calm, _ = bench_of(NAME).finish()
    bench = bench_of(NAME)
    network, data = bits(bench.network), bits(bench.data)
    first = find(bench)
    after, _ = bench.finish()
    assert bits(after) == bits(calm)
    assert (bits(bench.network), bits(bench.data)) == (network, data)
    second = find(bench)
    assert first.suggestion == second.suggestion
    assert bits(first.losses) == bits(second.losses)


def test_it_suggests_a_rate_that_trains_well(bench_of):
    """Ten epochs at its rate do better than at a hundredth of it, and no worse than at ten times it."""
    rate = find(bench_of(NAME)).suggestion
    assert 1e-3 < rate < 1

    def loss_at(factor):
        return bench_of(NAME, learning_rate=rate * factor, epochs=10).finish()[1]["loss"][-1]

    assert loss_at(1) < loss_at(0.01) - 0.01
    assert loss_at(1) < loss_at(100) + 0.01


def test_the_curve_goes_through_the_whole_range(bench_of):
    curve = find(bench_of(NAME))
    assert curve.rates.shape == curve.losses.shape == (STEPS,)
    assert curve.rates[[0, -1]].tolist() == pytest.approx([LOWEST, HIGHEST])
    np.testing.assert_allclose(np.diff(np.log(curve.rates)), np.log(HIGHEST / LOWEST) / (STEPS - 1), rtol=1e-3)
    assert curve.suggestion in curve.rates


def test_the_rate_of_the_recipe_plays_no_part(bench_of):
    given = find(bench_of(NAME, learning_rate=0.5))
    asked = bench_of(NAME)
    asked.train = msgspec.structs.replace(asked.train, learning_rate="find")
    assert given.suggestion == find(asked).suggestion


def test_it_survives_divergence(bench_of):
    """Targets so large that every loss overflows at the higher rates, or at all of them."""
    for scale in (1e15, 1e38):
        bench = bench_of(NAME)
        bench.data = bench.data._replace(x=bench.data.x * jnp.float32(scale))
        assert LOWEST <= find(bench).suggestion <= HIGHEST


RATES = np.geomspace(LOWEST, HIGHEST, STEPS).astype(np.float32)


@pytest.mark.parametrize(
    "losses",
    [
        np.full(STEPS, np.nan),
        np.full(STEPS, np.inf),
        np.linspace(1, 9, STEPS),
        np.r_[np.linspace(1, 9, 50), np.full(STEPS - 50, np.nan)],
        np.r_[1.0, np.full(STEPS - 1, np.inf)],
        np.full(STEPS, 3e38),
        np.zeros(STEPS),
    ],
    ids=["nan", "inf", "rising", "rising to nan", "inf at once", "huge", "zero"],
)
def test_where_nothing_falls_nothing_is_suggested(losses):
    smoothed, rate = _suggestion(RATES, losses.astype(np.float32))
    assert rate is None
    assert smoothed.shape == (STEPS,)


def test_the_suggestion_is_where_the_loss_falls_most_steeply():
    """A sigmoid in the logarithm of the rate, then up."""
    place = np.arange(STEPS)
    losses = 2 - 1 / (1 + np.exp(-(place - 40) / 4)) + np.where(place > 70, 0.2 * (place - 70), 0)
    _, rate = _suggestion(RATES, losses.astype(np.float32))
    assert abs(int(np.argmin(np.abs(rate - RATES))) - 40) <= 1


@pytest.mark.parametrize("seed", range(5))
def test_the_differences_between_batches_do_not_decide(seed):
    """As in the last test, under noise as large as the fall: rates at which nothing happens are not taken."""
    place = np.arange(STEPS)
    losses = 2 - 1 / (1 + np.exp(-(place - 60) / 4)) + np.where(place > 75, 0.3 * (place - 75), 0)
    losses += 0.3 * np.random.default_rng(seed).standard_normal(STEPS)
    _, rate = _suggestion(RATES, losses.astype(np.float32))
    assert abs(int(np.argmin(np.abs(rate - RATES))) - 60) <= 12


def test_find_is_one_word_in_a_recipe(tmp_path):
    from layerwise import train

    recipe = {
        "data": {"kind": "toy", "name": "circle", "n": 60},
        "network": {"kind": "mlp", "hidden": [4], "activation": "tanh"},
        "train": {"learning_rate": "find", "epochs": 3, "batch_size": 8},
    }
    run = train(recipe, out=tmp_path / "run")
    found = run.recipe.train.learning_rate
    assert isinstance(found, float) and LOWEST <= found <= HIGHEST
    given = train({**recipe, "train": {**recipe["train"], "learning_rate": found}}, out=tmp_path / "given")
    assert bits(given.model.network) == bits(run.model.network)
    assert f"learning_rate = {found}" in (tmp_path / "run" / "recipe.toml").read_text()


def test_every_first_order_optimizer_can_be_asked(bench_of):
    assert isinstance(bench_of(NAME).train.optimizer, r.AdamW)
    for name in ("sgd, dropout", "lion, input_dropout"):
        assert LOWEST <= find(bench_of(name)).suggestion <= HIGHEST
