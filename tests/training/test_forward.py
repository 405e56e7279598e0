"""Outputs for any number of rows: the same as all at once, from few programs."""

import jax
import numpy as np
import pytest

from layerwise.nets.build import build
from layerwise.recipe import records as r
from layerwise.training.forward import SIZES, Forward


@pytest.fixture(scope="module")
def net():
    return build(r.Mlp(hidden=(5,), activation=r.Tanh()), inputs=3, outputs=2, codes=(), seed=0)


@pytest.mark.parametrize("rows", [0, 1, 2, 15, 16, 17, 256, 257, 4096, 4097, 9000])
def test_any_number_of_rows(net, rows):
    x = np.random.default_rng(rows).standard_normal((rows, 3)).astype(np.float32)
    found = Forward(net)(x)
    first, second = net.layers
    hidden = np.tanh(x @ np.asarray(first.weight).T + np.asarray(first.bias))
    expected = hidden @ np.asarray(second.weight).T + np.asarray(second.bias)
    assert isinstance(found, np.ndarray) and found.dtype == np.float32
    assert found.shape == (rows, 2)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


def test_other_weights_compile_nothing_new(net, compilations):
    x = np.zeros((7, 3), np.float32)
    before = Forward(net)(x)
    compiled = compilations()
    other = jax.tree.map(lambda leaf: leaf + 1, net)
    other = jax.device_get(other)
    already = compilations()
    after = Forward(other)(x)
    assert compilations() == already
    assert compiled <= already
    assert (before != after).any()


def test_few_programs_serve_all_sizes(net, compilations):
    forward = Forward(net)
    for size in SIZES:
        forward(np.zeros((size, 3), np.float32))
    compiled = compilations()
    for rows in (2, 3, 11, 100, 300, 5000):
        forward(np.zeros((rows, 3), np.float32))
    assert compilations() == compiled
