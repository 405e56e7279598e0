"""Initial weights: their variance, bounds, right angles, and that a seed settles them."""

import math
from itertools import pairwise

import numpy as np
import pytest

from layerwise.nets.build import build
from layerwise.nets.initialize import for_activation, initial
from layerwise.recipe import records as r

SHAPE = (300, 500)  # outputs, inputs


def drawn(kind, shape=SHAPE, seed=0):
    return initial(kind, np.random.default_rng(seed), *shape)


@pytest.mark.parametrize(
    ("kind", "variance"),
    [("he", 2 / 500), ("glorot", 2 / 800), ("auto", 2 / 800), ("lecun", 1 / 500), ("uniform", 1 / 1500)],
)
def test_variance(kind, variance):
    weight, bias = drawn(kind)
    # The fourth moment of none of these exceeds a normal's, so 5 sqrt(2/n) is five standard deviations or more.
    assert abs(weight.var() / variance - 1) < 5 * math.sqrt(2 / weight.size)
    assert abs(weight.mean()) < 5 * math.sqrt(variance / weight.size)
    assert weight.dtype == bias.dtype == np.float32
    assert weight.shape == SHAPE and bias.shape == (300,)
    assert (bias == 0).all() == (kind != "uniform")


@pytest.mark.parametrize(("kind", "variance"), [("he", 2 / 500), ("glorot", 2 / 800), ("lecun", 1 / 500)])
def test_normals_are_cut_off_at_two_deviations(kind, variance):
    weight, _ = drawn(kind)
    bound = 2 * math.sqrt(variance) / 0.8796256610342398
    assert 0.99 * bound < np.abs(weight).max() <= bound * (1 + 1e-6)


def test_uniform_bounds():
    weight, bias = drawn("uniform")
    bound = 1 / math.sqrt(500)
    for values in (weight, bias):
        assert 0.9 * bound < np.abs(values).max() <= bound * (1 + 1e-6)


@pytest.mark.parametrize("shape", [(30, 50), (50, 30), (40, 40), (1, 7), (7, 1)])
def test_orthogonal(shape):
    weight, bias = drawn("orthogonal", shape)
    assert weight.shape == shape and not bias.any()
    short = weight @ weight.T if shape[0] <= shape[1] else weight.T @ weight
    np.testing.assert_allclose(short, np.eye(min(shape)), atol=1e-6)


def test_orthogonal_favors_no_rotation():
    """Over many draws each entry of a 2 x 2 rotation has mean 0 and mean square 1/2."""
    random = np.random.default_rng(0)
    many = np.array([initial("orthogonal", random, 2, 2)[0] for _ in range(4000)])
    assert np.abs(many.mean(0)).max() < 5 * math.sqrt(0.5 / 4000)
    assert np.abs((many**2).mean(0) - 0.5).max() < 5 * math.sqrt(1 / 8 / 4000)
    assert abs((np.linalg.det(many) > 0).mean() - 0.5) < 5 * 0.5 / math.sqrt(4000)


def test_zeros():
    weight, bias = drawn("zeros")
    assert not weight.any() and not bias.any()


@pytest.mark.parametrize("activation", r.Activation.__args__)
def test_relus_get_hes_and_the_others_glorots(activation):
    kin = (r.Relu, r.LeakyRelu, r.NoisyRelu, r.Elu, r.Gelu, r.Silu, r.Softplus)
    assert for_activation(activation()) == ("he" if activation in kin else "glorot")


@pytest.mark.parametrize("activation", [r.Relu(), r.Tanh()])
def test_signals_keep_their_size_through_many_layers(activation):
    net = build(r.Mlp(hidden=(200,) * 8, activation=activation), inputs=200, outputs=200, codes=(), seed=1)
    h = np.random.default_rng(0).standard_normal((64, 200))
    for layer in net.layers[:-1]:
        z = h @ np.asarray(layer.weight).T
        h = np.maximum(z, 0) if isinstance(activation, r.Relu) else z
    assert 0.3 < (h**2).mean() < 3


def test_a_seed_settles_the_weights():
    def flat(seed):
        net = build(r.Mlp(hidden=(5, 4)), inputs=3, outputs=2, codes=(), seed=seed)
        return np.concatenate([np.ravel(layer.weight) for layer in net.layers])

    assert (flat(1) == flat(1)).all()
    assert all((flat(a) != flat(b)).any() for a, b in pairwise(range(5)))
