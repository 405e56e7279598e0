"""One table of all optimizers, crossed with what every one of them must do; and the schedules."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from layerwise.recipe import records as r
from layerwise.training.hyper import hyper
from layerwise.training.optimizer import DEFAULT_RATES, optimizer, rate_factor

START = {"w": np.array([[1.0, -2.0], [0.5, 3.0]]), "b": np.array([0.25, -1.0])}
RNG = np.random.default_rng(0)
GRADIENTS = [{name: RNG.standard_normal(leaf.shape) for name, leaf in START.items()} for _ in range(4)]


def arrays(kind):
    return hyper(r.Train(optimizer=kind, learning_rate=0.1, weight_decay=0.0), r.Classify())


# ── the laws, as their papers write them; each yields the direction to subtract ─────────────────


def sgd(gradients):
    yield from gradients


def momentum(gradients, mu):
    v = 0.0
    for g in gradients:
        v = mu * v + g
        yield v


def nesterov(gradients, mu):
    v = 0.0
    for g in gradients:
        v = mu * v + g
        yield g + mu * v


def adagrad(gradients, epsilon):
    total = 0.0
    for g in gradients:
        total = total + g**2
        yield g / np.sqrt(total + epsilon)


def rmsprop(gradients, decay, epsilon):
    mean = 0.0
    for g in gradients:
        mean = decay * mean + (1 - decay) * g**2
        yield g / np.sqrt(mean + epsilon)


def adam(gradients, b1, b2, epsilon):
    m = v = 0.0
    for t, g in enumerate(gradients, start=1):
        m, v = b1 * m + (1 - b1) * g, b2 * v + (1 - b2) * g**2
        yield m / (1 - b1**t) / (np.sqrt(v / (1 - b2**t)) + epsilon)


def lion(gradients, b1, b2):
    m = 0.0
    for g in gradients:
        yield np.sign(b1 * m + (1 - b1) * g)
        m = b2 * m + (1 - b2) * g


# record, its law, a rate at which it converges on the bowl below
TABLE = {
    "sgd": (r.Sgd(), sgd, 0.2),
    "momentum": (r.Momentum(momentum=0.7), partial(momentum, mu=0.7), 0.1),
    "nesterov": (r.Nesterov(momentum=0.7), partial(nesterov, mu=0.7), 0.1),
    "adagrad": (r.Adagrad(epsilon=0.01), partial(adagrad, epsilon=0.01), 0.5),
    "rmsprop": (r.RmsProp(decay=0.8, epsilon=0.01), partial(rmsprop, decay=0.8, epsilon=0.01), 0.02),
    "adam": (r.Adam(beta1=0.8, beta2=0.95, epsilon=0.01), partial(adam, b1=0.8, b2=0.95, epsilon=0.01), 0.1),
    "adamw": (r.AdamW(beta1=0.8, beta2=0.95, epsilon=0.01), partial(adam, b1=0.8, b2=0.95, epsilon=0.01), 0.1),
    "lion": (r.Lion(beta1=0.8, beta2=0.95), partial(lion, b1=0.8, b2=0.95), 0.01),
    "lbfgs": (r.Lbfgs(memory=3), None, 1.0),
}
FIRST_ORDER = [name for name in TABLE if name != "lbfgs"]


def test_every_optimizer_is_here():
    assert {type(record) for record, *_ in TABLE.values()} == set(r.Optimizer.__args__) == set(DEFAULT_RATES)


def bowl(p):
    """A quadratic of condition 20, its lowest point (value 0) at START."""
    w, b = p["w"] - START["w"], p["b"] - START["b"]
    return 0.5 * (4 * w[0] ** 2).sum() + 0.5 * (0.4 * w[1] ** 2).sum() + 0.5 * (b**2).sum()


@partial(jax.jit, static_argnums=(0, 1))
def descend(kind, memory, steps, settings, rate):
    """`steps` steps down the bowl from zero."""
    law = optimizer(kind, settings, memory)
    sign = 1 if memory else -1

    def one(_, carry):
        p, state = carry
        value, g = jax.value_and_grad(bowl)(p)
        extra = {"value": value, "grad": g, "value_fn": bowl} if memory else {}
        d, state = law.update(g, state, p, **extra)
        return jax.tree.map(lambda p, d: p + sign * rate * d, p, d), state

    zero = jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, jnp.float32), START)
    return jax.lax.fori_loop(0, steps, one, (zero, law.init(zero)))


@pytest.mark.parametrize("name", TABLE)
def test_converges_and_stays_float32(name):
    record, _, rate = TABLE[name]
    memory = record.memory if name == "lbfgs" else 0
    p, state = descend(type(record), memory, 400, arrays(record), np.float32(rate))
    # The sign of Lion, and RMSprop's division by the last gradients, keep them about one rate away.
    near = {"lion": 0.02, "rmsprop": 0.02}.get(name, 1e-3)
    for leaf, goal in zip(jax.tree.leaves(p), jax.tree.leaves(START), strict=True):
        np.testing.assert_allclose(leaf, goal, atol=near)
    floats = [leaf for leaf in jax.tree.leaves((p, state)) if jnp.issubdtype(leaf.dtype, jnp.inexact)]
    assert {leaf.dtype for leaf in floats} == {jnp.dtype("float32")}


@pytest.mark.parametrize("name", FIRST_ORDER)
def test_the_first_updates_are_the_papers(name):
    record, law, _ = TABLE[name]

    @jax.jit
    def directions(settings):
        ours = optimizer(type(record), settings)
        state = ours.init(START)
        found = []
        for g in GRADIENTS:
            direction, state = ours.update(g, state, START)
            found.append(direction)
        return found

    found = directions(arrays(record))
    for leaf in START:
        expected = law([g[leaf] for g in GRADIENTS])
        for ours, theirs in zip(found, expected, strict=True):
            np.testing.assert_allclose(ours[leaf], theirs, rtol=2e-5)


def test_nesterov_looks_ahead_as_sutskever_writes_it():
    """v <- mu v - rate f'(p + mu v), p <- p + v; ours holds the point looked ahead to."""
    mu, rate = 0.7, 0.1
    gradient = jax.jit(jax.grad(bowl))
    p, v = jax.tree.map(np.zeros_like, START), jax.tree.map(np.zeros_like, START)
    for _ in range(6):
        ahead = jax.tree.map(lambda p, v: p + mu * v, p, v)
        g = gradient(ahead)
        v = jax.tree.map(lambda v, g: mu * v - rate * np.asarray(g, np.float64), v, g)
        p = jax.tree.map(np.add, p, v)
    ours, _ = descend(r.Nesterov, 0, 6, arrays(r.Nesterov(momentum=mu)), np.float32(rate))
    ahead = jax.tree.map(lambda p, v: p + mu * v, p, v)
    for leaf in START:
        np.testing.assert_allclose(ours[leaf], ahead[leaf], rtol=1e-4, atol=1e-6)


def test_lbfgs_follows_the_two_loop_recursion():
    """Its steps are positive multiples of -H g by Nocedal's two loops, and satisfy Wolfe's conditions."""

    def flat(p):
        return np.concatenate([np.ravel(leaf) for leaf in jax.tree.leaves(p)]).astype(np.float64)

    value_and_gradient = jax.jit(jax.value_and_grad(bowl))
    settings, memory = arrays(r.Lbfgs(memory=3)), 3
    points = [descend(r.Lbfgs, memory, steps, settings, np.float32(1))[0] for steps in range(4)]
    values, gradients = zip(*(value_and_gradient(p) for p in points), strict=True)
    x, g = [flat(p) for p in points], [flat(g) for g in gradients]
    for k in range(3):
        s = [x[i + 1] - x[i] for i in range(k)]
        y = [g[i + 1] - g[i] for i in range(k)]
        q, kept = g[k], []
        for i in reversed(range(k)):
            alpha = s[i] @ q / (y[i] @ s[i])
            q = q - alpha * y[i]
            kept.append(alpha)
        if k:
            q = q * (s[-1] @ y[-1]) / (y[-1] @ y[-1])
        for i, alpha in zip(range(k), reversed(kept), strict=True):
            q = q + s[i] * (alpha - y[i] @ q / (y[i] @ s[i]))
        step = x[k + 1] - x[k]
        cosine = -step @ q / (np.linalg.norm(step) * np.linalg.norm(q))
        assert cosine > 1 - 1e-6
        assert values[k + 1] <= values[k] + 1e-4 * g[k] @ step + 1e-6
        assert abs(g[k + 1] @ step) <= 0.9 * abs(g[k] @ step) + 1e-6


# ── schedules ───────────────────────────────────────────────────────────────────────────────────


@partial(jax.jit, static_argnums=0)
def factors(kind, steps, per_epoch, settings):
    return jax.vmap(lambda step: rate_factor(kind, step, per_epoch, settings))(steps)


def course(schedule, *, epochs=10, per_epoch=4, warmup=0.0, steps=48):
    train = r.Train(schedule=schedule, epochs=epochs, warmup=warmup, learning_rate=1.0, weight_decay=0.0)
    settings = hyper(train, r.Classify())
    return np.asarray(factors(type(schedule), jnp.arange(steps), jnp.int32(per_epoch), settings))


EPOCH = np.arange(48) / 4  # epochs done before each step
SHARE = np.minimum(EPOCH / 10, 1)


@pytest.mark.parametrize(
    ("schedule", "expected"),
    [
        (r.ConstantRate(), np.ones(48)),
        (r.StepRate(every=2.5, factor=0.3), 0.3 ** np.floor(EPOCH / 2.5)),
        (r.ExponentialRate(factor=0.8), 0.8**EPOCH),
        (r.CosineRate(floor=0.1), 0.1 + 0.9 * (1 + np.cos(np.pi * SHARE)) / 2),
        (
            r.OneCycleRate(peak=0.25),
            np.where(
                SHARE < 0.25,
                1 / 25 + 24 / 25 * (1 - np.cos(np.pi * SHARE / 0.25)) / 2,
                1e-4 + (1 - 1e-4) * (1 + np.cos(np.pi * (SHARE - 0.25) / 0.75)) / 2,
            ),
        ),
    ],
    ids=lambda value: type(value).__name__,
)
def test_schedules(schedule, expected):
    np.testing.assert_allclose(course(schedule), expected, rtol=1e-5, atol=1e-6)


def test_every_schedule_has_its_corner_points():
    assert course(r.CosineRate())[[0, 20, 40]].tolist() == pytest.approx([1, 0.5, 0], abs=1e-6)
    assert course(r.OneCycleRate(peak=0.25))[[0, 10, 40]].tolist() == pytest.approx([0.04, 1, 1e-4], abs=1e-6)
    assert course(r.StepRate(every=1.0, factor=0.5))[[0, 3, 4, 8]].tolist() == [1, 1, 0.5, 0.25]


@pytest.mark.parametrize("schedule", [kind() for kind in r.Schedule.__args__], ids=lambda s: type(s).__name__)
def test_warm_up_rises_in_a_line_and_then_the_schedule_begins(schedule):
    warm = course(schedule, warmup=2.0)
    np.testing.assert_allclose(warm[:8], np.arange(1, 9) / 8, rtol=1e-6)
    shorter = course(schedule, epochs=8)
    np.testing.assert_allclose(warm[8:], shorter[:40], rtol=1e-4, atol=1e-6)


@given(
    st.sampled_from([kind() for kind in r.Schedule.__args__]),
    st.integers(1, 30),
    st.integers(1, 9),
    st.floats(0, 40, allow_subnormal=False),
)
def test_a_factor_is_a_share(schedule, epochs, per_epoch, warmup):
    """Whatever the settings, even a warm-up longer than the training: finite, from 0 to 1."""
    found = course(schedule, epochs=epochs, per_epoch=per_epoch, warmup=warmup)
    assert found.dtype == np.float32
    assert np.isfinite(found).all()
    assert (found >= 0).all() and (found <= 1 + 1e-6).all()
