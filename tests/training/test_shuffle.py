"""The shuffled order: a bijection, the same however it is read, and uniform over keys."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from layerwise.nets import noise
from layerwise.training.shuffle import shuffled

SIZE = 4096
read = jax.jit(shuffled, static_argnums=2)


def order(seed, n):
    """The whole permutation, read in segments of one size, so that one program serves every n."""
    key = noise.key(seed)
    parts = [np.asarray(read(key, jnp.int32(start), SIZE, jnp.int32(n))) for start in range(0, n, SIZE)]
    return np.concatenate(parts)[:n]


@given(st.integers(1, 100_000), st.integers(0, 2**32 - 1))
def test_a_bijection(n, seed):
    assert (np.sort(order(seed, n)) == np.arange(n)).all()


@pytest.mark.parametrize("n", [1, 2, 3, 4, 5, 8, 9, 10, 63, 64, 65, 4096, 65_536, 65_537])
def test_a_bijection_at_the_edges(n):
    for seed in range(3):
        assert (np.sort(order(seed, n)) == np.arange(n)).all()


@pytest.mark.parametrize("n", [10_000_019, 2**31 - 1, 2**30])
def test_huge_ones_stay_inside_without_repetition(n):
    """As much as can be looked at: a hundred thousand positions, at both ends."""
    key = noise.key(1)
    starts = [*range(0, 50_000, SIZE), *range(n - 50_000, n - SIZE, SIZE)]
    seen = np.concatenate([np.asarray(read(key, jnp.int32(start), SIZE, jnp.int32(n))) for start in starts])
    assert np.unique(seen).size == seen.size
    assert seen.min() >= 0 and seen.max() < n
    assert stats.kstest(seen / n, "uniform").pvalue > 1e-4


@given(st.integers(1, 5000), st.integers(0, 4999), st.integers(0, 2**32 - 1))
def test_read_anywhere_it_is_the_same(n, start, seed):
    start %= n
    whole = order(seed, n)
    found = np.asarray(read(noise.key(seed), jnp.int32(start), 64, jnp.int32(n)))
    assert found.tolist() == np.append(whole, [whole[-1]] * 64)[start : start + 64].tolist(), (
        "past the end the last one"
    )


# Compiling costs more than running, so it is done without the passes that make it faster.
@partial(jax.jit, static_argnums=(1, 2), compiler_options={"xla_backend_optimization_level": 0})
def many(key, keys, n):
    """The permutations of 0 .. n-1 that `keys` streams below `key` give."""
    streams = jax.vmap(lambda number: noise.stream(key, number))(jnp.arange(keys))
    return jax.vmap(lambda k: shuffled(k, jnp.int32(0), n, jnp.int32(n)))(streams)


@pytest.mark.parametrize("n", [2, 3, 4])
def test_every_permutation_is_as_likely(n):
    found = np.asarray(many(noise.key(0), 20_000, n))
    codes = np.unique(found @ n ** np.arange(n), return_counts=True)[1]
    factorial = {2: 2, 3: 6, 4: 24}[n]
    assert codes.size == factorial
    assert stats.chisquare(codes).pvalue > 1e-4


@pytest.mark.parametrize("n", [10, 23])
def test_every_value_comes_everywhere_as_often(n):
    """Single places, and neighboring pairs, which show whether runs of the data stay together."""
    found = np.asarray(many(noise.key(1), 20_000, n))
    for place in range(n):
        assert stats.chisquare(np.bincount(found[:, place], minlength=n)).pvalue > 1e-5
    steps = (found[:, 1:] - found[:, :-1]) % n
    counts = np.bincount(steps.ravel(), minlength=n)[1:]
    # Neighbors in one permutation depend on one another a little, hence the wide bound.
    assert np.abs(counts / counts.mean() - 1).max() < 0.05


def test_a_long_one_is_well_mixed():
    found = order(3, 100_000)
    assert abs(np.corrcoef(found, np.arange(found.size))[0, 1]) < 5 / np.sqrt(found.size)
    assert abs(np.corrcoef(found[1:], found[:-1])[0, 1]) < 5 / np.sqrt(found.size)
    fixed = (found == np.arange(found.size)).sum()
    assert fixed < 10, "one fixed point is expected"
    batches = found.reshape(-1, 100) // 10_000
    assert stats.chisquare(batches.mean(axis=1) * 100 / 4.5).pvalue > 1e-4, "each batch holds rows from everywhere"


def test_epochs_and_seeds_differ():
    orders = [tuple(order(seed, 50)) for seed in range(20)]
    below = np.asarray(many(noise.key(9), 100, 50))
    assert len({*orders, *map(tuple, below)}) == 120
