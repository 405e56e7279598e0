"""Each activation against its closed form, and its derivative against that and finite differences."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.special import erf, expit

from layerwise.nets import noise
from layerwise.nets.activation import activate, noisy_relu
from layerwise.recipe import records as r

Z = np.concatenate([np.linspace(-6, 6, 41) + 0.013, [-40.0, 40.0]])  # no kink is met


def name(kind):
    return type(kind).__name__


def positive(z):
    return (z > 0).astype(np.float64)


def density(z):
    return np.exp(-z * z / 2) / math.sqrt(2 * math.pi)


def normal(z):
    return (1 + erf(z / math.sqrt(2))) / 2


# record: g(z), g'(z)
FORMS = {
    r.Sigmoid(): (expit, lambda z: expit(z) * (1 - expit(z))),
    r.Tanh(): (np.tanh, lambda z: 1 - np.tanh(z) ** 2),
    r.Relu(): (lambda z: np.maximum(z, 0), positive),
    r.LeakyRelu(slope=0.2): (lambda z: np.where(z > 0, z, 0.2 * z), lambda z: np.where(z > 0, 1, 0.2)),
    r.NoisyRelu(): (lambda z: np.maximum(z, 0), positive),  # without a key: after training
    r.Elu(alpha=0.5): (
        lambda z: np.where(z > 0, z, 0.5 * np.expm1(np.minimum(z, 0))),
        lambda z: np.where(z > 0, 1, 0.5 * np.exp(np.minimum(z, 0))),
    ),
    r.Gelu(): (lambda z: z * normal(z), lambda z: normal(z) + z * density(z)),
    r.Silu(): (lambda z: z * expit(z), lambda z: expit(z) * (1 + z * (1 - expit(z)))),
    r.Softplus(): (lambda z: np.logaddexp(0, z), expit),
    r.Linear(): (lambda z: z, np.ones_like),
    r.Step(): (positive, np.zeros_like),
}


def derivative(kind, z):
    return jax.vmap(jax.grad(lambda v: activate(kind, v)))(z)


@pytest.fixture(scope="module")
def computed():
    """Values, derivatives and central differences of all of them in float64, compiled together."""
    h = 1e-6

    @jax.jit
    def of_all(z):
        return [
            (activate(kind, z), derivative(kind, z), (activate(kind, z + h) - activate(kind, z - h)) / (2 * h))
            for kind in FORMS
        ]

    with jax.enable_x64(True):
        return dict(zip(FORMS, jax.device_get(of_all(jnp.asarray(Z))), strict=True))


def test_every_activation_is_here():
    assert {type(kind) for kind in FORMS} == set(r.Activation.__args__)


@pytest.mark.parametrize("kind", FORMS, ids=name)
def test_values_and_derivatives(kind, computed):
    value, slope = FORMS[kind]
    values, slopes, finite = computed[kind]
    np.testing.assert_allclose(values, value(Z), rtol=1e-12, atol=1e-15)
    np.testing.assert_allclose(slopes, slope(Z), rtol=1e-9, atol=1e-15)
    np.testing.assert_allclose(slopes, finite, atol=1e-8)


def test_nothing_overflows():
    @jax.jit
    def of_all(z):
        return [(activate(kind, z), derivative(kind, z)) for kind in FORMS]

    z = jnp.array([-1e30, -1e4, -100.0, 100.0, 1e4, 1e30], jnp.float32)
    for kind, (values, slopes) in zip(FORMS, of_all(z), strict=True):
        assert np.isfinite(values).all() and np.isfinite(slopes).all(), kind
        assert values.dtype == slopes.dtype == jnp.float32


@pytest.mark.parametrize(("kind", "slope"), [(r.Relu(), 0.0), (r.LeakyRelu(slope=0.2), 0.2), (r.Step(), 0.0)], ids=name)
def test_at_the_kink(kind, slope):
    """At 0 the derivative is that of the left side, and the step is down."""
    assert derivative(kind, jnp.zeros(1)).tolist() == [np.float32(slope)]
    assert activate(kind, jnp.zeros(1)).tolist() == [0.0]


def test_noisy_relu_adds_noise_of_the_variance_sigmoid():
    sample = jax.jit(lambda z, key: noisy_relu(jnp.full(200_000, z, jnp.float32), key))
    for number, z in enumerate((-1.0, 0.0, 3.0)):
        drawn = np.asarray(sample(z, noise.key(number)))
        sigma = math.sqrt(expit(z))
        # E max(0, N(z, sigma^2)) = z Phi(z/sigma) + sigma phi(z/sigma)
        expected = z * normal(z / sigma) + sigma * density(z / sigma)
        assert abs(drawn.mean() - expected) < 5 * sigma / math.sqrt(drawn.size)
        assert abs((drawn > 0).mean() - normal(z / sigma)) < 5 * 0.5 / math.sqrt(drawn.size)


def test_noisy_relu_is_differentiated_as_if_its_noise_were_constant():
    z = jnp.linspace(-2, 2, 101)
    key = noise.key(5)
    values, slopes = jax.jit(jax.vmap(jax.value_and_grad(noisy_relu), (0, None)))(z, key)
    assert slopes.tolist() == (np.asarray(values) > 0).astype(float).tolist()
    assert 0 < slopes.sum() < 101
