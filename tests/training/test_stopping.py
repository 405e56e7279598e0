"""What the loop decides at the end of an epoch: the best weights, patience, going back, giving up."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from layerwise.nets import noise
from layerwise.nets.build import build
from layerwise.recipe import records as r
from layerwise.tasks.objective import Objective
from layerwise.training import loop
from layerwise.training.shuffle import shuffled

BY_LOSS, BY_ACCURACY = "adam, l2", "rmsprop, l1, accuracy"
EPOCHS = 30


def arrays(network):
    return [np.asarray(leaf) for leaf in jax.tree.leaves(network)]


def equal(one, other):
    return all((a == b).all() for a, b in zip(arrays(one), arrays(other), strict=True))


# ── the best weights and patience ───────────────────────────────────────────────────────────────


def judged(values, patience, tolerance):
    """Best epochs, stopping epoch and status by the rule as the recipe states it: lower is better."""
    best = reference = np.float32(np.inf)
    improved, waited = [], 0
    for epoch, value in enumerate(values, start=1):
        improved.append(bool(value < best))
        best = min(best, value)
        if np.isinf(reference) or value < reference - np.float32(tolerance) * abs(reference):
            reference, waited = value, 0
        else:
            waited += 1
        if epoch == len(values):
            return improved, epoch, loop.FINISHED
        if patience and waited >= patience:
            return improved, epoch, loop.STOPPED_EARLY
    raise AssertionError


@given(
    st.sampled_from([BY_LOSS, BY_ACCURACY]),
    st.integers(0, 30),
    st.integers(0, 12),
    st.sampled_from([0.0, 1e-4, 0.003, 0.03, 0.3]),
    st.sampled_from([0.02, 0.1, 0.5]),
)
def test_patience_and_best_weights_follow_the_rule(bench_of, name, seed, patience, tolerance, rate):
    settings = {"tolerance": tolerance, "learning_rate": rate, "epochs": EPOCHS}

    def run(**more):
        bench = bench_of(name, **settings | more)
        bench.seed = seed
        return bench.finish()

    _, free = run(patience=0)
    values = free["validation"][:, 0] if name == BY_LOSS else -free["validation"][:, 1]
    improved, last, status = judged(values, patience, tolerance)
    state, history = run(patience=patience)
    assert int(state.status) == status
    assert len(history["step"]) == last
    assert history["best"].tolist() == improved
    assert int(state.best_epoch) == 1 + max(np.flatnonzero(improved))
    assert float(state.best_value) == values[:last].min()
    shorter, _ = run(patience=0, epochs=int(state.best_epoch))
    assert equal(state.best, shorter.weights.network), "the weights are those of the best epoch"


def test_the_rule_is_seen_at_work(bench_of):
    """The examples above meet both ends: some runs stop early, some do not."""
    ends = {int(bench_of(BY_LOSS, patience=p, epochs=EPOCHS).finish()[0].status) for p in (1, 29)}
    assert ends == {loop.STOPPED_EARLY, loop.FINISHED}


def test_without_a_validation_part_the_latest_weights_are_the_best(bench_of):
    bench = bench_of(BY_LOSS, learning_rate=0.5)
    bench.data = bench.data._replace(validation_rows=jnp.int32(0))
    state, history = bench.finish()
    assert history["best"].all()
    assert np.isnan(history["validation"]).all()
    assert int(state.best_epoch) == 6
    assert equal(state.best, state.weights.network)


def test_without_a_validation_part_patience_looks_at_the_training_loss(bench_of):
    data = bench_of(BY_LOSS).data._replace(validation_rows=jnp.int32(0))
    settings = {"data": data, "epochs": EPOCHS, "learning_rate": 0.3, "tolerance": 0.02}
    _, free = bench_of(BY_LOSS, patience=0, **settings).finish()
    _, last, status = judged(free["loss"], 2, 0.02)
    state, history = bench_of(BY_LOSS, patience=2, **settings).finish()
    assert (len(history["loss"]), int(state.status)) == (last, status)
    assert status == loop.STOPPED_EARLY


def test_a_validation_loss_that_is_not_finite_is_never_best(bench_of):
    """One validation row beyond all bounds: the loss there overflows, the training goes on."""
    bench = bench_of(BY_LOSS)
    held_out = bench.data.validation[0]
    bench.data = bench.data._replace(x=bench.data.x.at[held_out].set(jnp.inf))
    state, history = bench.finish()
    assert not np.isfinite(history["validation"][:, 0]).any()
    assert not history["best"].any()
    assert int(state.best_epoch) == 0
    assert int(state.status) == loop.FINISHED
    assert np.isfinite(history["loss"]).all()
    assert not history["rolled_back"].any()


# ── divergence ──────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def steep(bench_of):
    """Linear regression by SGD on targets so large that a loss which grows soon overflows."""

    def made(**changes):
        bench = bench_of("sgd, dropout", dropout=0.0, schedule=r.StepRate(every=1000.0), epochs=20, **changes)
        bench.objective, bench.task = Objective("quantities", 1), r.Regress()
        bench.network = build(r.LinearNet(), inputs=3, outputs=1, codes=(), seed=0)
        y = 3e17 * (np.asarray(bench.data.x) @ [[1.0], [-2.0], [0.5]] + 0.1)
        bench.data = bench.data._replace(y=jnp.asarray(y, jnp.float32))
        return bench

    return made


@pytest.mark.parametrize(("rate", "times"), [(0.5, 0), (1.0, 1), (2.0, 2), (4.0, 3)])
def test_a_diverging_run_goes_back_and_on_at_half_the_rate(steep, rate, times):
    bench = steep(learning_rate=rate)
    state, history = bench.finish()
    back = history["rolled_back"]
    assert back.sum() == times == int(state.rollbacks)
    assert float(state.scale) == 0.5**times
    np.testing.assert_array_equal(history["rate"], np.float32(rate) * 0.5 ** np.cumsum(back))
    assert np.isfinite(history["loss"][~back]).all()
    assert (~back).sum() == 20, "no epoch is lost"
    assert int(state.status) == loop.FINISHED
    assert history["loss"][-1] < 1e-10 * 3e17**2, "and it has learned"


def test_going_back_is_to_the_end_of_the_last_healthy_epoch(steep):
    bench = steep(learning_rate=2.0)
    state, good = bench.start(), bench.network
    seen = []
    while int(state.status) == loop.RUNNING:
        state, history = bench.advance(state, 1)
        for back in history["rolled_back"]:
            seen.append(bool(back))
            if back:
                assert equal(state.weights.network, good)
                assert int(state.step) % 6 == 0
                assert float(state.loss) == float(state.weight) == 0
            good = jax.tree.map(np.asarray, state.weights.network)
    assert seen[:4] == [True, False, True, False]
    whole, _ = steep(learning_rate=2.0).finish()
    assert equal(whole.weights.network, state.weights.network)
    assert int(whole.step) == int(state.step) == 120


@pytest.mark.parametrize("rate", [8.0, 16.0, 1e30])
def test_after_three_times_it_has_diverged(steep, rate):
    state, history = steep(learning_rate=rate).finish()
    assert int(state.status) == loop.DIVERGED
    assert history["rolled_back"].sum() == 4, "the fourth ends it"
    np.testing.assert_array_equal(
        history["rate"][history["rolled_back"]], np.float32(rate) * np.array([0.5, 0.25, 0.125, 0.125], np.float32)
    )
    for network in (state.best, state.weights.network):
        assert all(np.isfinite(leaf).all() for leaf in arrays(network))
    assert (int(state.best_epoch) > 0) == bool(history["best"].any()) == np.isfinite(float(state.best_value))


def test_weights_that_overflow_in_an_epochs_last_step_are_no_good_state(steep):
    """Its loss was finite: it is that of the weights before."""
    state, history = steep(learning_rate=1e25, batch_size=64).finish()
    assert history["rolled_back"].all()
    assert int(state.status) == loop.DIVERGED
    assert equal(state.best, steep().network)
    calmer, history = steep(learning_rate=2.0**70, batch_size=64).finish()
    assert np.isfinite(history["loss"][~history["rolled_back"]]).all()
    assert all(np.isfinite(leaf).all() for leaf in arrays(calmer.best))


# ── the perceptron ──────────────────────────────────────────────────────────────────────────────

CORNERS = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], np.float32)
GATES = {"and": [0, 0, 0, 1], "or": [0, 1, 1, 1], "xor": [0, 1, 1, 0]}


@pytest.fixture
def perceptron(bench_of):
    """Rosenblatt's: one example a step, at rate 1, from zero weights."""

    def made(x, y, *, classes=2, epochs=50, seed=0, weight=None):
        bench = bench_of("sgd, dropout", dropout=0.0, batch_size=1, learning_rate=1.0, epochs=epochs)
        outputs = 1 if classes == 2 else classes
        bench.objective, bench.seed = Objective("perceptron", outputs, classes), seed
        bench.network = build(r.PerceptronNet(), inputs=x.shape[1], outputs=outputs, codes=(), seed=0)
        rows = np.arange(64) % len(x)  # padded to the shape all share
        bench.data = loop.Data(
            x=jnp.asarray(x[rows]),
            y=jnp.asarray(np.asarray(y, np.int32)[rows]),
            weight=jnp.asarray(np.ones(64, np.float32) if weight is None else weight[rows]),
            train=jnp.asarray(rows.astype(np.int32)),
            train_rows=jnp.int32(len(x)),
            validation=jnp.zeros(16, jnp.int32),
            validation_rows=jnp.int32(0),
        )
        return bench

    return made


@partial(jax.jit, static_argnums=2)
def order_of(key, epoch, n):
    return shuffled(noise.stream(noise.stream(key, 1), epoch), jnp.int32(0), n, jnp.int32(n))


def rosenblatt(x, y, seed, epochs, weight=None):
    """The rule in plain Python: the weights after each epoch, until an epoch's end finds no mistake."""
    w, b, after = [0.0] * x.shape[1], 0.0, []
    for epoch in range(epochs):
        for row in np.asarray(order_of(noise.key(seed), epoch, len(x))):
            score = sum(wi * float(xi) for wi, xi in zip(w, x[row], strict=True)) + b
            sign = 1 if y[row] else -1
            if sign * score <= 0:
                by = sign * (1.0 if weight is None else float(weight[row]))
                w, b = [wi + by * float(xi) for wi, xi in zip(w, x[row], strict=True)], b + by
        after.append(([*w], b))
        said = [sum(wi * float(xi) for wi, xi in zip(w, row, strict=True)) + b > 0 for row in x]
        if said == [bool(label) for label in y]:
            break
    return after


@pytest.mark.parametrize("gate", GATES)
@pytest.mark.parametrize("seed", range(3))
def test_rosenblatts_rule_step_by_step(perceptron, gate, seed):
    bench = perceptron(CORNERS, GATES[gate], seed=seed)
    expected = rosenblatt(CORNERS, GATES[gate], seed, 50)
    state = bench.start()
    for w, b in expected:
        state, _ = bench.advance(state, 4)
        layer = state.weights.network.layers[0]
        assert (layer.weight.tolist(), layer.bias.tolist()) == ([w], [b])
    assert int(state.status) == (loop.FINISHED if gate == "xor" else loop.CONVERGED)
    assert len(expected) == 50 if gate == "xor" else len(expected) < 20
    whole, history = bench.finish()
    assert len(history["loss"]) == len(expected)
    assert equal(whole.best, state.weights.network)


def test_a_perceptron_tells_many_separable_points_apart(perceptron):
    random = np.random.default_rng(0)
    x = random.standard_normal((60, 2)).astype(np.float32)
    x = x[np.abs(x @ [1.0, -2.0] + 0.3) > 0.3]
    y = x @ [1.0, -2.0] + 0.3 > 0
    state, history = perceptron(x, y, epochs=1000).finish()
    layer = state.best.layers[0]
    assert ((x @ np.asarray(layer.weight)[0] + np.asarray(layer.bias)[0] > 0) == y).all()
    assert len(history["loss"]) < 1000


def test_a_weighted_mistake_moves_as_far_as_it_weighs(perceptron):
    weight = np.array([1, 2, 0.5, 3], np.float32)
    state, _ = perceptron(CORNERS, GATES["or"], weight=weight, epochs=3).finish()
    w, b = rosenblatt(CORNERS, GATES["or"], 0, 3, weight)[-1]
    layer = state.weights.network.layers[0]
    assert (layer.weight.tolist(), layer.bias.tolist()) == ([w], [b])


def test_a_perceptron_of_three_classes(perceptron):
    """Kesler's construction: three clouds around the corners of a triangle."""
    random = np.random.default_rng(1)
    y = np.arange(30) % 3
    x = (np.array([[2, 0], [-1, 2], [-1, -2]])[y] + 0.3 * random.standard_normal((30, 2))).astype(np.float32)
    state, history = perceptron(x, y, classes=3).finish()
    layer = state.best.layers[0]
    scores = x @ np.asarray(layer.weight).T + np.asarray(layer.bias)
    assert (scores.argmax(1) == y).all()
    assert len(history["loss"]) < 50
    assert int(state.status) == loop.CONVERGED
