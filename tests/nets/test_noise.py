"""The counter-based random numbers: uniform, normal, and independent from stream to stream."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from layerwise.nets import noise

N = 1 << 17
uniform = jax.jit(noise.uniform, static_argnums=1)
stream = jax.jit(noise.stream)
mix = jax.jit(noise.mix)
SEEDS = (0, 1, 2, 12345, 2**31, 2**32 - 1)


def chi_square(values, cells):
    """The p-value of `values` in [0, 1) being spread evenly over `cells` cells."""
    counts = np.bincount((values * cells).astype(int), minlength=cells)
    return stats.chisquare(counts).pvalue


@pytest.mark.parametrize("seed", SEEDS)
def test_uniform(seed):
    drawn = np.asarray(uniform(noise.key(seed), (N,)), np.float64)
    assert drawn.dtype == np.float64 and drawn.min() > 0 and drawn.max() < 1
    assert chi_square(drawn, 256) > 1e-4
    assert chi_square((drawn * 256) % 1, 256) > 1e-4, "the lower digits"
    pairs = np.floor(drawn[:-1] * 16) * 16 + np.floor(drawn[1:] * 16)
    assert chi_square(pairs / 256, 256) > 1e-4, "neighbors"


@pytest.mark.parametrize("seed", SEEDS)
def test_every_bit_is_fair(seed):
    drawn = np.asarray(jax.jit(noise.bits, static_argnums=1)(noise.key(seed), (N,)))
    ones = ((drawn[:, None] >> np.arange(32, dtype=np.uint32)) & 1).mean(axis=0)
    assert np.abs(ones - 0.5).max() < 5 * 0.5 / np.sqrt(N)


@pytest.mark.parametrize("seed", SEEDS)
def test_normal(seed):
    drawn = np.asarray(jax.jit(noise.normal, static_argnums=1)(noise.key(seed), (N,)), np.float64)
    assert np.isfinite(drawn).all()
    for power, expected, variance in ((1, 0, 1), (2, 1, 2), (3, 0, 15), (4, 3, 96)):
        assert abs((drawn**power).mean() - expected) < 5 * np.sqrt(variance / N), f"moment {power}"
    assert stats.kstest(drawn, "norm").pvalue > 1e-4


def test_the_ends_of_uniform_give_finite_normals():
    smallest, largest = np.float32(0.5 * 2.0**-23), np.float32((2**23 - 0.5) * 2.0**-23)
    assert smallest > 0 and largest < 1
    assert np.isfinite(jax.lax.erf_inv(2 * jnp.array([smallest, largest]) - 1)).all()


@partial(jax.jit, static_argnums=1)
def streams(parent, count):
    return jax.vmap(lambda number: noise.stream(parent, number))(jnp.arange(count))


def test_streams_differ_and_are_independent():
    keys = np.asarray(streams(noise.key(7), 100_000)).astype(np.uint64)
    assert np.unique(keys[:, 0] << np.uint64(32) | keys[:, 1]).size == 100_000
    drawn = np.asarray(jax.jit(jax.vmap(lambda key: noise.uniform(key, (512,))))(jnp.asarray(keys[:256], jnp.uint32)))
    assert chi_square(drawn[:, 0], 16) > 1e-4, "the first draw of each stream"
    for place in (0, 511):
        pairs = np.floor(drawn[:-1, place] * 4) * 4 + np.floor(drawn[1:, place] * 4)
        assert chi_square(pairs / 16, 16) > 1e-4, "neighboring streams"
    correlation = np.corrcoef(drawn) - np.eye(256)
    assert np.abs(correlation).max() < 5.5 / np.sqrt(512)


def test_neighboring_seeds_and_generations_are_unrelated():
    seeds = [uniform(noise.key(seed), (4096,)) for seed in range(8)]
    below = [uniform(stream(stream(noise.key(0), i), j), (4096,)) for i in range(3) for j in range(3)]
    correlation = np.corrcoef(np.array(seeds + below)) - np.eye(17)
    assert np.abs(correlation).max() < 5 / np.sqrt(4096)


def test_a_draw_is_a_function_of_key_and_position():
    key = noise.key(3)
    drawn = np.asarray(uniform(key, (30, 60)))
    assert np.asarray(uniform(key, (30, 20))).tolist() == drawn[:, :20].tolist(), "however many columns there are"
    assert np.asarray(uniform(key, (7, 60))).tolist() == drawn[:7].tolist(), "however many rows there are"
    assert np.asarray(uniform(key, (60,))).tolist() == drawn[0].tolist()
    assert np.asarray(noise.stream(key, 5)).tolist() == np.asarray(stream(key, jnp.int32(5))).tolist()


def test_both_halves_of_a_key_matter():
    first, second = jnp.array([1, 2], jnp.uint32), jnp.array([1, 3], jnp.uint32)
    third = jnp.array([2, 2], jnp.uint32)
    drawn = [np.asarray(uniform(key, (4096,))) for key in (first, second, third)]
    assert np.abs(np.corrcoef(drawn) - np.eye(3)).max() < 5 / np.sqrt(4096)


def test_mix_can_be_undone():
    """A function with an inverse is a bijection; the odd factors have inverses modulo 2^32."""
    given = np.random.default_rng(0).integers(0, 2**32, 10_000, dtype=np.uint64)
    x = np.asarray(mix(jnp.asarray(given, jnp.uint32))).astype(np.uint64)
    mask = np.uint64(0xFFFFFFFF)
    x = x ^ (x >> np.uint64(16))
    x = x * np.uint64(pow(0x846CA68B, -1, 2**32)) & mask
    x = x ^ (x >> np.uint64(15)) ^ (x >> np.uint64(30))
    x = x * np.uint64(pow(0x7FEB352D, -1, 2**32)) & mask
    x = x ^ (x >> np.uint64(16))
    assert (x == given).all()


def test_every_bit_of_mix_depends_on_every_other():
    given = np.random.default_rng(1).integers(0, 2**32, 20_000, dtype=np.uint64).astype(np.uint32)
    for bit in range(32):
        changed = np.asarray(mix(given)) ^ np.asarray(mix(given ^ np.uint32(1 << bit)))
        share = ((changed[:, None] >> np.arange(32, dtype=np.uint32)) & 1).mean(axis=0)
        assert np.abs(share - 0.5).max() < 0.05


def test_rows_share_no_draws():
    drawn = np.asarray(jax.jit(noise.bits, static_argnums=1)(noise.key(1), (70_000, 16)))
    # 1.1 million values of 2^32 meet by chance n^2 / 2^33 = 146 times; shared rows would by tens of thousands.
    assert drawn.size - np.unique(drawn).size < 250
    tall = np.asarray(jax.jit(noise.uniform, static_argnums=1)(noise.key(2), (4096, 8)))
    for a, b in ((tall[:-1], tall[1:]), (tall[:, :-1], tall[:, 1:])):
        assert abs(np.corrcoef(a.ravel(), b.ravel())[0, 1]) < 5 / np.sqrt(a.size)
