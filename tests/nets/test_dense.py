"""The forward pass against NumPy, and what it does only while training."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.special import expit

from layerwise.nets import noise
from layerwise.nets.build import build
from layerwise.nets.dense import MLP, Dense, Embed, Training, dropout
from layerwise.recipe import records as r

RNG = np.random.default_rng(0)
X = RNG.standard_normal((6, 3)).astype(np.float32)
RATE = jnp.float32(0.3)


forward = jax.jit(MLP.__call__)
masked = jax.jit(dropout)


def training(key, **settings):
    return Training(noise.key(key), **{"dropout": None, "input_dropout": None, "noise": None} | settings)


@pytest.fixture(scope="module")
def net():
    return build(r.Mlp(hidden=(5, 4), activation=(r.Sigmoid(), r.Tanh())), inputs=3, outputs=2, codes=(), seed=0)


def test_forward_is_the_formula(net):
    (w1, b1), (w2, b2), (w3, b3) = ((np.asarray(layer.weight), np.asarray(layer.bias)) for layer in net.layers)
    expected = np.tanh(expit(X @ w1.T + b1) @ w2.T + b2) @ w3.T + b3
    np.testing.assert_allclose(forward(net, X), expected, rtol=1e-5, atol=1e-6)


def test_every_layer_s_sums_and_values(net):
    found, g = jax.jit(MLP.layerwise)(net, X), X
    for layer, function, (z, values) in zip(net.layers, (expit, np.tanh, lambda z: z), found, strict=True):
        np.testing.assert_allclose(z, g @ np.asarray(layer.weight).T + np.asarray(layer.bias), rtol=1e-5, atol=1e-6)
        g = function(np.asarray(z))
        np.testing.assert_allclose(values, g, rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(found[-1].values, forward(net, X))


def test_values_in_training_are_those_that_go_on(net):
    found = jax.jit(MLP.layerwise)(net, X, training(3, dropout=RATE))
    first, second = found[:2]
    assert (np.asarray(first.values) == 0).any() and (np.asarray(found[-1].values) != 0).all()
    weight, bias = np.asarray(net.layers[1].weight), np.asarray(net.layers[1].bias)
    np.testing.assert_allclose(second.sums, np.asarray(first.values) @ weight.T + bias, rtol=1e-5, atol=1e-6)


def test_an_example_does_not_depend_on_its_batch(net):
    whole = np.asarray(forward(net, X))
    alone = np.concatenate([forward(net, X[i : i + 1]) for i in range(6)])
    np.testing.assert_allclose(whole, alone, rtol=1e-5, atol=1e-6)


def test_embedding_looks_rows_up():
    table = RNG.standard_normal((4, 2)).astype(np.float32)
    x = np.array([[0.5, 3, -1], [0.25, 0, -2]], np.float32)
    found = Embed(jnp.asarray(table), 1)(jnp.asarray(x))
    assert found.tolist() == table[[3, 0]].tolist()


def test_columns_and_embeddings_stand_side_by_side():
    first, second = RNG.standard_normal((3, 2)).astype(np.float32), RNG.standard_normal((5, 1)).astype(np.float32)
    x = np.array([[2, 0.5, 4, -1], [1, 0.25, 0, -2]], np.float32)
    weight = RNG.standard_normal((1, 5)).astype(np.float32)
    net = MLP(
        (Embed(jnp.asarray(first), 0), Embed(jnp.asarray(second), 2)),
        (Dense(jnp.asarray(weight), jnp.zeros(1)),),
        (1, 3),
        (r.Linear(),),
    )
    seen = np.array([[0.5, -1, *first[2], *second[4]], [0.25, -2, *first[1], *second[0]]])
    np.testing.assert_allclose(jax.jit(MLP.inputs)(net, x), seen)
    np.testing.assert_allclose(forward(net, x), seen @ weight.T, rtol=1e-5, atol=1e-6)


def test_only_embeddings():
    net = MLP((Embed(jnp.eye(3), 0),), (Dense(jnp.ones((1, 3)), jnp.zeros(1)),), (), (r.Linear(),))
    assert jax.jit(MLP.inputs)(net, jnp.array([[2.0], [0.0]])).tolist() == [[0, 0, 1], [1, 0, 0]]


def test_only_the_embedded_rows_get_a_gradient():
    def total(table):
        return Embed(table, 0)(jnp.array([[2.0], [2.0], [0.0]])).sum()

    assert jax.jit(jax.grad(total))(jnp.zeros((4, 2))).tolist() == [[1, 1], [0, 0], [2, 2], [0, 0]]


# ── dropout and noise ───────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("rate", [0.1, 0.5, 0.9])
def test_dropout_rate_scale_and_expectation(rate):
    n = 200_000
    found = np.asarray(masked(jnp.full(n, 2.0), jnp.float32(rate), noise.key(1)))
    kept = found != 0
    deviation = np.sqrt(rate * (1 - rate) / n)
    assert abs(kept.mean() - (1 - rate)) < 5 * deviation
    np.testing.assert_allclose(found[kept], 2 / (1 - rate), rtol=1e-6)
    assert abs(found.mean() / 2 - 1) < 5 * deviation / (1 - rate)


def test_a_rate_of_zero_drops_nothing():
    x = jnp.linspace(-1, 1, 1000)
    assert masked(x, jnp.float32(0), noise.key(1)).tolist() == x.tolist()


def test_the_mask_follows_the_key():
    x = jnp.ones(1000)
    masks = [np.asarray(masked(x, RATE, noise.key(seed))) != 0 for seed in (1, 1, 2)]
    assert (masks[0] == masks[1]).all()
    assert 0.3 < (masks[0] != masks[2]).mean() < 0.54, "2 * 0.3 * 0.7 = 0.42 where masks are independent"


@pytest.mark.parametrize("setting", ["dropout", "input_dropout", "noise"])
def test_training_differs_by_key_and_evaluation_does_not(net, setting):
    passes = [np.asarray(forward(net, X, training(key, **{setting: RATE}))) for key in (1, 1, 2)]
    assert (passes[0] == passes[1]).all()
    assert (passes[0] != passes[2]).any()
    assert (passes[0] != np.asarray(forward(net, X))).any()
    assert (np.asarray(forward(net, X)) == np.asarray(forward(net, X, training(1)))).all(), "nothing switched on"


def test_each_layer_draws_anew():
    """Two identity layers: what the first lets through, the second drops at its own places."""
    eye = Dense(jnp.eye(200), jnp.zeros(200))
    net = MLP((), (eye, eye, eye), (), (r.Linear(),) * 3)
    found = np.asarray(forward(net, np.ones((50, 200), np.float32), training(3, dropout=jnp.float32(0.5))))
    assert set(np.unique(found)) == {0.0, 4.0}
    assert abs((found > 0).mean() - 0.25) < 5 * np.sqrt(0.25 * 0.75 / found.size)


def test_the_output_is_never_dropped():
    net = MLP((), (Dense(jnp.eye(4), jnp.zeros(4)),), (), (r.Linear(),))
    x = np.ones((100, 4), np.float32)
    assert (np.asarray(forward(net, x, training(1, dropout=RATE))) == x).all()
    assert not (np.asarray(forward(net, x, training(1, input_dropout=RATE))) == x).all()


def test_input_noise_has_its_deviation():
    net = MLP((), (Dense(jnp.eye(2), jnp.zeros(2)),), (), (r.Linear(),))
    found = np.asarray(forward(net, np.zeros((100_000, 2), np.float32), training(4, noise=jnp.float32(0.2))))
    assert abs(found.std() / 0.2 - 1) < 5 / np.sqrt(2 * found.size)
    assert abs(np.corrcoef(found.T)[0, 1]) < 5 / np.sqrt(100_000)
    assert abs(found.mean()) < 5 * 0.2 / np.sqrt(found.size)


def test_noisy_relu_is_noisy_only_while_training():
    net = build(r.Mlp(hidden=(8,), activation=r.NoisyRelu()), inputs=3, outputs=1, codes=(), seed=0)
    assert (np.asarray(forward(net, X)) == np.asarray(forward(net, X))).all()
    assert (np.asarray(forward(net, X, training(1))) != np.asarray(forward(net, X, training(2)))).any()
