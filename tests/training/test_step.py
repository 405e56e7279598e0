"""One step of training: worked by hand, by finite differences, and what each setting does to it."""

from dataclasses import replace
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.flatten_util import ravel_pytree

from layerwise.nets.build import build
from layerwise.recipe import records as r
from layerwise.tasks.objective import Objective, example_losses
from layerwise.training.hyper import hyper
from layerwise.training.step import SWITCHES, Batch, fresh, penalty, program, step, training

BINARY = Objective("binary", 1, 2)
KEY = np.array([1, 2], np.uint32)
RNG = np.random.default_rng(0)
X = RNG.standard_normal((7, 3)).astype(np.float32)
WEIGHT = np.array([1, 2, 0.5, 1, 0, 3, 1], np.float32)

take_step = jax.jit(step, static_argnums=0)


def settings(task=None, **train):
    """The records of a program and the arrays of its settings."""
    train = r.Train(**{"learning_rate": 1.0, "weight_decay": 0.0, "optimizer": r.Sgd()} | train)
    return train, hyper(train, task or r.Classify())


def targets(objective):
    match objective.kind:
        case "quantities":
            return RNG.standard_normal((7, objective.outputs)).astype(np.float32)
        case "labels":
            return RNG.integers(0, 2, (7, objective.outputs)).astype(np.float32)
        case _:
            return RNG.integers(0, objective.classes, 7).astype(np.int32)


def once(train, arrays, objective, net, batch, rate=1.0):
    """The network after one step, and the batch's summed loss and weight."""
    made = program(train, objective, 7)
    weights, loss, weight = take_step(made, fresh(made, net, arrays), batch, arrays, np.float32(rate), KEY)
    return weights.network, float(loss), float(weight)


# ── by hand ─────────────────────────────────────────────────────────────────────────────────────


def test_back_propagation_worked_by_hand():
    """A 2-2-1 network of sigmoids, one example x = (0.5, 1), y = 1, at rate 0.5.

    Forward:   z1 = 0.1 + 0.2 * 0.5 - 0.4 * 1 = -0.2         h1 = sigmoid(z1) = 0.450166
               z2 = -0.1 - 0.3 * 0.5 + 0.6 * 1 = 0.35        h2 = sigmoid(z2) = 0.586618
               z  = 0.2 + 0.5 * h1 - 0.7 * h2 = 0.014451     p  = sigmoid(z)  = 0.503613
    Loss:      -ln p = 0.685948
    Backward:  d  = p - y               = -0.496387    (cross-entropy and sigmoid cancel)
               d1 = d * 0.5 * h1 (1-h1) = -0.496387 * 0.5 * 0.247517  = -0.061432
               d2 = d * -0.7 * h2 (1-h2) = -0.496387 * -0.7 * 0.242497 = 0.084261
    Gradients: output   bias d, weights d * (h1, h2)
               hidden   biases d1, d2, weights d1 * (0.5, 1) and d2 * (0.5, 1)
    """
    by_hand = (((0.1, 0.2, -0.4), (-0.1, -0.3, 0.6)), ((0.2, 0.5, -0.7),))
    net = build(r.Mlp(hidden=(2,), activation=r.Sigmoid(), weights=by_hand), inputs=2, outputs=1, codes=(), seed=0)
    batch = Batch(np.array([[0.5, 1]], np.float32), np.array([1], np.int32), np.ones(1, np.float32))
    train, arrays = settings()
    new, loss, weight = once(train, arrays, BINARY, net, batch, rate=0.5)
    assert loss == pytest.approx(0.685948, abs=1e-6)
    assert weight == 1
    hidden, output = new.layers
    near = partial(pytest.approx, abs=1e-6)
    assert output.bias.tolist() == [near(0.2 + 0.5 * 0.496387)]
    assert output.weight.tolist() == [[near(0.5 + 0.5 * 0.223457), near(-0.7 + 0.5 * 0.291190)]]
    assert hidden.bias.tolist() == [near(0.1 + 0.5 * 0.061432), near(-0.1 - 0.5 * 0.084261)]
    assert hidden.weight.tolist() == [
        [near(0.2 + 0.5 * 0.030716), near(-0.4 + 0.5 * 0.061432)],
        [near(-0.3 - 0.5 * 0.042130), near(0.6 - 0.5 * 0.084261)],
    ]


# ── finite differences ──────────────────────────────────────────────────────────────────────────

SMOOTHED = r.Classify(label_smoothing=0.2)
HUBER = r.Regress(delta=0.6)
CASES = {
    "sigmoid, binary": (r.Sigmoid(), BINARY, r.Classify(), {}),
    "tanh, binary smoothed": (r.Tanh(), BINARY, SMOOTHED, {}),
    "relu, classes": (r.Relu(), Objective("classes", 4, 4), r.Classify(), {}),
    "leaky relu, classes smoothed": (r.LeakyRelu(slope=0.3), Objective("classes", 4, 4), SMOOTHED, {}),
    "elu, labels": (r.Elu(alpha=0.7), Objective("labels", 3), r.MultiLabel(), {}),
    "gelu, mse": (r.Gelu(), Objective("quantities", 2), r.Regress(), {}),
    "silu, mae": (r.Silu(), Objective("quantities", 2, loss="mae"), r.Regress(), {}),
    "softplus, huber": (r.Softplus(), Objective("quantities", 2, loss="huber"), HUBER, {}),
    "linear, perceptron": (r.Linear(), Objective("perceptron", 1, 2), r.Classify(), {}),
    "two activations, perceptron": ((r.Relu(), r.Gelu()), Objective("perceptron", 3, 3), r.Classify(), {}),
    "penalties": (r.Tanh(), BINARY, r.Classify(), {"l1": 0.03, "l2": 0.2}),
    "dropout and noise": (r.Tanh(), BINARY, r.Classify(), {"dropout": 0.3, "input_dropout": 0.2, "noise": 0.1}),
}


def test_every_activation_is_among_them():
    """But for the step, whose derivative is zero, and the noisy ReLU, whose noise counts as constant."""
    kinds = {type(kind) for case in CASES.values() for kind in np.atleast_1d(np.array(case[0], object))}
    assert kinds == set(r.Activation.__args__) - {r.Step, r.NoisyRelu}


# Called once for each: code that runs faster would take longer to make.
@partial(jax.jit, static_argnums=(0, 1), compiler_options={"xla_backend_optimization_level": 0})
def gradients(made, structure, flat, batch, arrays):
    """The gradient that a step subtracts, and the central differences of the loss it minimizes."""

    def loss(flat):
        net = structure(flat)
        each = example_losses(
            made.objective,
            net(batch.x, training(made, arrays, jnp.asarray(KEY))),
            batch.y,
            arrays.label_smoothing,
            arrays.delta,
        )
        shared = 1 if made.objective.kind == "perceptron" else batch.weight.sum()
        return (each * batch.weight).sum() / shared + penalty(made, net, arrays)

    net = structure(flat)
    new, _, _ = step(made, fresh(made, net, arrays), batch, arrays, jnp.ones(()), jnp.asarray(KEY))
    shifts = 1e-6 * jnp.eye(flat.size)
    return flat - ravel_pytree(new.network)[0], jax.vmap(lambda s: (loss(flat + s) - loss(flat - s)) / 2e-6)(shifts)


@pytest.mark.parametrize("name", CASES)
def test_a_step_follows_the_gradient(name):
    activation, objective, task, switches = CASES[name]
    train, arrays = settings(task, **switches)
    network = r.Mlp(
        hidden=(4, 3), activation=activation, initialization="uniform"
    )  # with zero biases a ReLU may be at 0
    net = build(network, inputs=3, outputs=objective.outputs, codes=(), seed=3)
    batch = Batch(X, targets(objective), WEIGHT)
    with jax.enable_x64(True):
        flat, structure = ravel_pytree(jax.tree.map(lambda leaf: jnp.asarray(leaf, jnp.float64), net))
        found, finite = gradients(program(train, objective, 7), structure, flat, batch, arrays)
        assert found.dtype == jnp.float64
        np.testing.assert_allclose(np.asarray(found), np.asarray(finite), rtol=1e-5, atol=2e-8)
        assert np.abs(finite).max() > 1e-3


def test_the_penalty_is_what_it_says():
    net = build(r.Mlp(hidden=(4,)), inputs=3, outputs=1, codes=(), seed=3)
    train, arrays = settings(l1=0.25, l2=0.5)
    matrices = [np.asarray(layer.weight, np.float64) for layer in net.layers]
    expected = sum(0.25 * np.abs(w).sum() + 0.5 / 2 * (w**2).sum() for w in matrices)
    assert float(penalty(program(train, BINARY, 7), net, arrays)) == pytest.approx(expected, rel=1e-6)


# ── what each setting does ──────────────────────────────────────────────────────────────────────


@pytest.fixture(scope="module")
def net():
    """Biases that are not zero, so that it shows what acts on them."""
    made = build(r.Mlp(hidden=(4,), initialization="uniform"), inputs=3, outputs=1, codes=(), seed=3)
    assert all(np.all(layer.bias) for layer in made.layers)
    return made


BATCH = Batch(X, RNG.integers(0, 2, 7).astype(np.int32), WEIGHT)
NOTHING = BATCH._replace(weight=np.zeros(7, np.float32))


def leaves(network):
    return [np.asarray(leaf) for layer in network.layers for leaf in (layer.weight, layer.bias)]


@pytest.mark.parametrize("setting", ["l2", "l1", "weight_decay"])
def test_decay_acts_on_weights_and_spares_biases(net, setting):
    """A batch of weight zero has no loss, so that only the decay moves."""
    train, arrays = settings(**{setting: 0.1})
    new, loss, weight = once(train, arrays, BINARY, net, NOTHING, rate=0.5)
    assert (loss, weight) == (0, 0)
    for (w, b), (new_w, new_b) in zip(
        np.reshape(np.array(leaves(net), object), (-1, 2)),
        np.reshape(np.array(leaves(new), object), (-1, 2)),
        strict=True,
    ):
        decayed = w - 0.5 * 0.1 * (np.sign(w) if setting == "l1" else w)
        np.testing.assert_allclose(new_w.astype(float), decayed.astype(float), rtol=1e-6)
        assert (new_b == b).all()


def test_decoupled_decay_ignores_the_optimizers_memory(net):
    """AdamW: new = old - rate * direction - rate * decay * old; with L2 Adam's denominator would swallow it."""
    plain, _, _ = once(*settings(optimizer=r.AdamW()), BINARY, net, BATCH, rate=0.1)
    decayed, _, _ = once(*settings(optimizer=r.AdamW(), weight_decay=0.3), BINARY, net, BATCH, rate=0.1)
    for number, (old, a, b) in enumerate(zip(leaves(net), leaves(plain), leaves(decayed), strict=True)):
        expected = a - (0.1 * 0.3 * old if number % 2 == 0 else 0)
        np.testing.assert_allclose(b, expected, rtol=1e-5, atol=1e-7)


def test_clipping_bounds_the_gradients_norm(net):
    def moved(**switches):
        new, _, _ = once(*settings(**switches), BINARY, net, BATCH)
        return np.concatenate([np.ravel(a - b) for a, b in zip(leaves(net), leaves(new), strict=True)])

    free = moved()
    norm = np.linalg.norm(free)
    np.testing.assert_allclose(moved(clip=float(norm / 4)), free / 4, rtol=1e-4, atol=1e-7)
    np.testing.assert_allclose(moved(clip=float(norm * 4)), free, rtol=1e-5, atol=1e-7)


def test_max_norm_bounds_each_units_weights(net):
    new, _, _ = once(*settings(max_norm=0.4), BINARY, net, BATCH)
    free, _, _ = once(*settings(), BINARY, net, BATCH)
    shrunk = 0
    for a, b in zip(new.layers, free.layers, strict=True):
        norms = np.linalg.norm(np.asarray(b.weight), axis=1, keepdims=True)
        np.testing.assert_allclose(a.weight, np.asarray(b.weight) * np.minimum(1, 0.4 / norms), rtol=1e-5)
        np.testing.assert_array_equal(a.bias, b.bias)
        shrunk += int((norms > 0.4).sum())
    assert shrunk > 0


def test_max_norm_survives_units_without_weights():
    """A row of zeros has no direction to be scaled in."""
    zeros = build(r.Mlp(hidden=(4,), initialization="zeros"), inputs=3, outputs=1, codes=(), seed=0)
    new, _, _ = once(*settings(max_norm=0.4), BINARY, zeros, NOTHING)
    assert all((leaf == 0).all() for leaf in leaves(new))


def test_the_loss_returned_is_without_penalties(net):
    _, plain, weight = once(*settings(), BINARY, net, BATCH)
    _, penalized, _ = once(*settings(l1=1.0, l2=1.0), BINARY, net, BATCH)
    assert plain == penalized
    assert weight == pytest.approx(WEIGHT.sum())


def test_a_weight_is_a_repetition(net):
    """Weight 2 is the example twice, weight 0 the example left out."""
    twice = np.repeat(np.arange(7), [1, 2, 1, 0, 1, 2, 1])
    weighted = BATCH._replace(weight=np.array([1, 2, 1, 0, 1, 2, 1], np.float32))
    repeated = Batch(X[twice], BATCH.y[twice], np.ones(8, np.float32))
    a, loss_a, weight_a = once(*settings(), BINARY, net, weighted)
    b, loss_b, weight_b = once(*settings(), BINARY, net, repeated)
    assert (loss_a, weight_a) == (pytest.approx(loss_b, rel=1e-6), weight_b)
    for one, other in zip(leaves(a), leaves(b), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-7)


def stepped(net, batch=BATCH, rate=1.0, *, train=None, **fields):
    """The network after one step of a program with some fields of its own, and the loss it reports."""
    train, arrays = settings(**train or {})
    made = replace(program(train, BINARY, 7), **fields)
    weights, loss, _ = take_step(made, fresh(made, net, arrays), batch, arrays, np.float32(rate), KEY)
    return weights.network, float(loss)


def test_without_biases_they_stay_and_the_weights_move_as_ever(net):
    (free, _), (kept, _) = stepped(net), stepped(net, biases=False)
    for old, a, b in zip(net.layers, free.layers, kept.layers, strict=True):
        np.testing.assert_array_equal(b.bias, old.bias)
        assert (np.asarray(a.bias) != np.asarray(old.bias)).any()
        np.testing.assert_allclose(b.weight, a.weight, rtol=1e-6)


def test_shrinking_is_the_proximal_step_and_makes_zeros(net):
    """w <- sign(w) max(|w| - rate l1, 0) after the gradient's step; L1 as a penalty never gives exact zeros."""
    (free, _), (shrunk, _) = stepped(net, rate=0.5), stepped(net, rate=0.5, train={"l1": 0.6}, shrink=True)
    zeros = 0
    for a, b in zip(free.layers, shrunk.layers, strict=True):
        w = np.asarray(a.weight)
        np.testing.assert_allclose(b.weight, np.sign(w) * np.maximum(np.abs(w) - 0.3, 0), rtol=1e-5, atol=1e-7)
        np.testing.assert_allclose(b.bias, a.bias, rtol=1e-6)
        zeros += int((np.asarray(b.weight) == 0).sum())
    assert zeros > 0
    penalized, _ = stepped(net, rate=0.5, train={"l1": 0.6})
    assert all((np.asarray(layer.weight) != 0).all() for layer in penalized.layers)


def test_a_penalized_loss_adds_the_penalty_for_each_weight_of_the_batch(net):
    train = {"l1": 0.25, "l2": 0.5}
    _, plain = stepped(net, train=train)
    _, more = stepped(net, train=train, penalized=True)
    made = program(settings(**train)[0], BINARY, 7)
    assert more - plain == pytest.approx(WEIGHT.sum() * float(penalty(made, net, settings(**train)[1])), rel=1e-5)


def test_what_is_off_is_left_out_of_the_program():
    assert program(settings()[0], BINARY, 7).uses == frozenset()
    assert program(settings(**dict.fromkeys(SWITCHES, 0.1))[0], BINARY, 7).uses == frozenset(SWITCHES)
    assert program(settings(optimizer=r.Lbfgs(memory=4))[0], BINARY, 7).memory == 4
    assert program(settings()[0], BINARY, 7).memory == 0
