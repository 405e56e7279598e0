"""Each loss against its formula as others write it, and its derivative against finite differences."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.special import expit, huber, log_softmax
from sklearn.metrics import hinge_loss, log_loss

from layerwise.nets import loss

RNG = np.random.default_rng(0)
LOGITS = 3 * RNG.standard_normal((12, 4))
BITS = RNG.integers(0, 2, (12, 4)).astype(np.float64)
CLASSES = RNG.integers(0, 4, 12)
TARGETS = RNG.standard_normal((12, 4))


def in_float64(function, *arguments):
    with jax.enable_x64(True):
        return np.asarray(jax.jit(function)(*map(jnp.asarray, arguments)))


LOSSES = {
    "binary": lambda o: loss.binary_cross_entropy(o, jnp.asarray(BITS), jnp.float32(0)),
    "binary, smoothed": lambda o: loss.binary_cross_entropy(o, jnp.asarray(BITS), jnp.float32(0.3)),
    "categorical": lambda o: loss.categorical_cross_entropy(o, jnp.asarray(CLASSES), jnp.float32(0)),
    "categorical, smoothed": lambda o: loss.categorical_cross_entropy(o, jnp.asarray(CLASSES), jnp.float32(0.3)),
    "squared": lambda o: loss.squared_error(o, jnp.asarray(TARGETS)),
    "absolute": lambda o: loss.absolute_error(o, jnp.asarray(TARGETS)),
    "huber": lambda o: loss.huber(o, jnp.asarray(TARGETS), jnp.float32(0.7)),
    "perceptron": lambda o: loss.perceptron(o, jnp.asarray(CLASSES)),
    "perceptron of one score": lambda o: loss.perceptron(o[:, :1], jnp.asarray(CLASSES % 2)),
}


@pytest.fixture(scope="module")
def computed():
    """Gradients and central differences of all of them in float64, compiled together."""

    def finite(function, outputs, shifts):
        return jax.vmap(lambda s: (function(outputs + s).sum() - function(outputs - s).sum()) / 2e-6)(shifts)

    @jax.jit
    def of_all(o, shifts):
        return [
            (jax.grad(lambda o, f=f: f(o).sum())(o).ravel(), finite(f, o, shifts), f(o.astype(jnp.float32)))
            for f in LOSSES.values()
        ]

    with jax.enable_x64(True):
        shifts = 1e-6 * np.eye(LOGITS.size).reshape(-1, *LOGITS.shape)
        return dict(zip(LOSSES, jax.device_get(of_all(LOGITS, shifts)), strict=True))


@pytest.mark.parametrize("name", LOSSES)
def test_derivatives(name, computed):
    gradient, finite, _ = computed[name]
    np.testing.assert_allclose(gradient, finite, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("name", LOSSES)
def test_one_value_an_example(name, computed):
    values = computed[name][2]
    assert values.shape == (12,)
    assert (values >= 0).all()


def test_float32_stays():
    def of_all(o, y, bits, t, e):
        return [
            loss.binary_cross_entropy(o, bits, e),
            loss.categorical_cross_entropy(o, y, e),
            loss.squared_error(o, t),
            loss.absolute_error(o, t),
            loss.huber(o, t, e),
            loss.perceptron(o, y),
        ]

    o = jnp.asarray(LOGITS, jnp.float32)
    assert {a.dtype for a in jax.eval_shape(of_all, o, jnp.asarray(CLASSES, jnp.int32), o, o, jnp.float32(0.1))} == {
        jnp.dtype("float32")
    }


def test_binary_is_the_log_loss():
    found = in_float64(loss.binary_cross_entropy, LOGITS, BITS, np.float32(0))
    by_column = [log_loss(BITS[:, k], expit(LOGITS[:, k]), labels=[0, 1]) for k in range(4)]
    np.testing.assert_allclose(found.mean(), np.mean(by_column), rtol=1e-12)


@pytest.mark.parametrize("smoothing", [0.0, 0.1, 0.9])
def test_binary_smoothing_moves_the_targets(smoothing):
    found = in_float64(loss.binary_cross_entropy, LOGITS, BITS, np.float64(smoothing))
    p, target = expit(LOGITS), np.where(BITS == 1, 1 - smoothing / 2, smoothing / 2)
    np.testing.assert_allclose(found, -(target * np.log(p) + (1 - target) * np.log(1 - p)).mean(1), rtol=1e-10)


def test_categorical_is_the_log_loss():
    found = in_float64(loss.categorical_cross_entropy, LOGITS, CLASSES, np.float32(0))
    p = np.exp(log_softmax(LOGITS, axis=1))
    np.testing.assert_allclose(found.mean(), log_loss(CLASSES, p / p.sum(1, keepdims=True)), rtol=1e-12)


@pytest.mark.parametrize("smoothing", [0.0, 0.1, 0.9])
def test_categorical_smoothing_is_the_explicit_sum(smoothing):
    found = in_float64(loss.categorical_cross_entropy, LOGITS, CLASSES, np.float64(smoothing))
    for row, label in enumerate(CLASSES):
        explicit = 0.0
        for k in range(4):
            target = (1 - smoothing) * (k == label) + smoothing / 4
            explicit -= target * log_softmax(LOGITS[row])[k]
        assert found[row] == pytest.approx(explicit, rel=1e-12)


def test_two_logits_are_one_logit():
    """softmax of (0, z) is sigmoid of z, so both cross-entropies agree, smoothed or not."""
    z, y = LOGITS[:, :1], CLASSES % 2
    both = np.concatenate([np.zeros_like(z), z], axis=1)
    for smoothing in (0.0, 0.2):
        np.testing.assert_allclose(
            in_float64(loss.categorical_cross_entropy, both, y, np.float64(smoothing)),
            in_float64(loss.binary_cross_entropy, z, y[:, None].astype(float), np.float64(smoothing)),
            rtol=1e-12,
        )


def test_huge_logits_neither_overflow_nor_vanish():
    logits = jnp.array([[1e4, -1e4], [-1e4, 1e4], [1e30, -1e30]], jnp.float32)
    y = jnp.array([1, 1, 0])

    @jax.jit
    def both(o):
        losses = (
            lambda o: loss.categorical_cross_entropy(o, y, jnp.float32(0)),
            lambda o: loss.binary_cross_entropy(o[:, :1], jnp.ones((3, 1)), jnp.float32(0)),
        )
        return [(f(o), jax.grad(lambda o, f=f: f(o).sum())(o)) for f in losses]

    (categorical, first), (binary, second) = both(logits)
    assert categorical.tolist() == [2e4, 0.0, 0.0]
    assert binary.tolist() == [0.0, 1e4, 0.0]
    assert np.isfinite(first).all() and np.isfinite(second).all()


def test_categorical_derivative_is_softmax_minus_target_even_where_logits_tie():
    logits = np.array([[2.0, 2.0, 2.0], [1.0, 1.0, -3.0]])
    y, smoothing = np.array([0, 2]), 0.3
    found = in_float64(jax.grad(lambda o, y, e: loss.categorical_cross_entropy(o, y, e).sum()), logits, y, smoothing)
    target = (1 - smoothing) * np.eye(3)[y] + smoothing / 3
    np.testing.assert_allclose(found, np.exp(log_softmax(logits, axis=1)) - target, atol=1e-12)


def test_squared_and_absolute_error():
    np.testing.assert_allclose(
        in_float64(loss.squared_error, LOGITS, TARGETS), ((LOGITS - TARGETS) ** 2).mean(1), rtol=1e-12
    )
    np.testing.assert_allclose(
        in_float64(loss.absolute_error, LOGITS, TARGETS), np.abs(LOGITS - TARGETS).mean(1), rtol=1e-12
    )


@pytest.mark.parametrize("delta", [0.1, 1.0, 50.0])
def test_huber_is_scipys(delta):
    found = in_float64(loss.huber, LOGITS, TARGETS, np.float64(delta))
    np.testing.assert_allclose(found, huber(delta, LOGITS - TARGETS).mean(1), rtol=1e-12)


def test_perceptron_of_one_score():
    scores = np.array([[2.0], [-3.0], [0.0], [1.5], [-0.5]])
    found = in_float64(loss.perceptron, scores, np.array([1, 1, 1, 0, 0]))
    assert found.tolist() == [0.0, 3.0, 0.0, 1.5, 0.0]


def test_a_score_of_zero_is_a_mistake_that_moves():
    gradient = jax.grad(lambda s, y: loss.perceptron(s, y).sum())
    found = in_float64(gradient, np.array([[0.0], [0.0], [1.0]]), np.array([1, 0, 1]))
    assert found[:, 0].tolist() == [-1.0, 1.0, 0.0]


def test_perceptron_of_many_scores_is_the_hinge_without_margin():
    scores, y = np.array([[1.0, 4.0, 2.0], [5.0, 1.0, 3.0], [2.0, 2.0, 0.0]]), np.array([0, 0, 1])
    assert in_float64(loss.perceptron, scores, y).tolist() == [3.0, 0.0, 0.0]
    # scikit-learn's multiclass hinge is max(0, 1 - margin): moving every wrong score down by one takes the 1 away.
    moved = LOGITS - (np.arange(4) != CLASSES[:, None])
    found = in_float64(loss.perceptron, LOGITS, CLASSES)
    assert found.mean() == pytest.approx(hinge_loss(CLASSES, moved, labels=[0, 1, 2, 3]), rel=1e-12)


def test_a_tie_between_classes_is_a_mistake_that_moves():
    gradient = jax.grad(lambda s, y: loss.perceptron(s, y).sum())
    found = in_float64(gradient, np.array([[2.0, 2.0, 0.0]]), np.array([1]))
    assert found.tolist() == [[1.0, -1.0, 0.0]]
