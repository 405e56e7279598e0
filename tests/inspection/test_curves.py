"""Activation functions: slopes against automatic differentiation and finite differences, zones against brute force."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from layerwise.inspection import KINDS, activation
from layerwise.inspection.curves import SATURATED, at, kinks, zones
from layerwise.inspection.plain import name
from layerwise.nets import noise
from layerwise.nets.activation import activate
from layerwise.recipe import records as r

ALL = (*KINDS, r.LeakyRelu(slope=0.3), r.LeakyRelu(slope=0.0), r.Elu(alpha=0.5), r.Elu(alpha=3.0))
every = pytest.mark.parametrize("kind", ALL, ids=str)


def test_all_of_the_project_are_there() -> None:
    assert {type(kind) for kind in KINDS} == set(r.Activation.__args__)


@every
def test_values_and_slopes_are_those_of_training(kind: r.Activation) -> None:
    found = activation(kind, -8.0, 8.0)
    z = jnp.asarray(found.z, jnp.float32)
    np.testing.assert_allclose(found.value, activate(kind, z), rtol=1e-5, atol=1e-6)
    slopes = jax.vmap(jax.grad(lambda z: activate(kind, z)))(z)
    apart = ~np.isin(found.z, found.kinks)
    np.testing.assert_allclose(found.slope[apart], np.asarray(slopes)[apart], rtol=1e-4, atol=1e-6)


@every
def test_slopes_are_finite_differences(kind: r.Activation) -> None:
    z, h = np.linspace(-7.9, 8.1, 400), 1e-5  # no kink among them, nor within h
    difference = (at(kind, z + h)[0] - at(kind, z - h)[0]) / (2 * h)
    np.testing.assert_allclose(at(kind, z)[1], difference, atol=1e-8)


@every
def test_at_kinks_and_only_there_the_sides_differ(kind: r.Activation) -> None:
    h = 1e-6
    z = np.array([-2.0, -0.5, 0.0, 0.5, 2.0])
    value, slope = at(kind, z)
    left, right = (value - at(kind, z - h)[0]) / h, (at(kind, z + h)[0] - value) / h
    assert z[np.abs(left - right) > 1e-3].tolist() == list(kinks(kind))
    np.testing.assert_allclose(slope, left, atol=1e-5)  # training takes the left side's


@every
def test_zones_are_where_slopes_are_small(kind: r.Activation) -> None:
    z = np.random.default_rng(0).uniform(-14.9, 14.9, 20_000)
    slope = np.abs(at(kind, z)[1])
    largest = np.abs(at(kind, np.linspace(-15, 15, 30_001))[1]).max()
    found = zones(kind)
    saturated, dead = (np.any([(z >= low) & (z <= high) for low, high in some] or [z > 99], axis=0) for some in found)
    assert (slope[saturated] <= SATURATED * largest * 1.001).all() and (slope[saturated] > 0).all()
    assert (dead == (slope == 0)).all()
    # Between the zones lies the steepest place; just inside of them the slope is larger than in them.
    assert not saturated[slope == slope.max()].any()
    for low, high in found.saturated:
        edge = high if np.isinf(low) else low
        inside = edge + (0.002 if np.isinf(low) else -0.002)
        assert np.abs(at(kind, np.array([inside]))[1].item()) > SATURATED * largest


def test_zones_by_formula() -> None:
    """g (1 - g) = 1/80 at the logit of the root of g^2 - g + 1/80; 1 - tanh^2 = 1/20 at artanh(sqrt(19/20))."""
    g = (1 + np.sqrt(1 - 4 / 80)) / 2
    assert zones(r.Sigmoid()).saturated[1].low == pytest.approx(np.log(g / (1 - g)), abs=2e-3)
    assert zones(r.Tanh()).saturated[1].low == pytest.approx(np.arctanh(np.sqrt(0.95)), abs=2e-3)
    assert zones(r.Elu()).saturated == ((-np.inf, pytest.approx(np.log(0.05), abs=2e-3)),)
    assert zones(r.Softplus()).saturated == ((-np.inf, pytest.approx(-np.log(19), abs=2e-3)),)
    assert zones(r.Relu()) == ((), ((-np.inf, 0.0),))
    assert zones(r.LeakyRelu(slope=0.0)) == zones(r.Relu())
    assert zones(r.LeakyRelu()) == zones(r.Linear()) == ((), ())
    assert zones(r.Step()) == ((), ((-np.inf, np.inf),))


def test_the_noise_of_the_noisy_relu() -> None:
    """Two thirds of what training draws lie between `low` and `high`."""
    found = activation(r.NoisyRelu(), -3.0, 3.0)
    places = [0, 200, 240, 300, 480]
    z = jnp.broadcast_to(jnp.asarray(found.z[places], jnp.float32)[None], (20_000, 5))
    drawn = np.asarray(activate(r.NoisyRelu(), z, noise.key(0)))
    low, high = np.quantile(drawn, (0.1587, 0.8413), axis=0)
    np.testing.assert_allclose(low, found.low[places], atol=0.03)
    np.testing.assert_allclose(high, found.high[places], atol=0.03)


@every
def test_others_have_no_noise(kind: r.Activation) -> None:
    if not isinstance(kind, r.NoisyRelu):
        found = activation(kind)
        assert (found.low == found.value).all() and (found.high == found.value).all()
        assert found.name == name(kind)
