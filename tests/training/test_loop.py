"""The compiled loop: any call length, true weights, every row once, and no setting baked in."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.special import expit
from sklearn.metrics import accuracy_score, balanced_accuracy_score, f1_score

from layerwise.nets import noise
from layerwise.nets.build import build
from layerwise.recipe import records as r
from layerwise.tasks.objective import Objective
from layerwise.training import loop
from layerwise.training.hyper import Hyper
from layerwise.training.shuffle import shuffled
from layerwise.training.step import SWITCHES, Program, switched_on

ADAM = "adam, l2"
EVERYTHING = "adam, everything"


def bits(tree):
    return [(np.asarray(leaf).dtype.name, np.asarray(leaf).tobytes()) for leaf in jax.tree.leaves(tree)]


def test_the_table_has_every_optimizer_and_every_switch(benches):
    assert {bench.program.optimizer for bench in benches} == set(r.Optimizer.__args__)
    for switch in SWITCHES:
        assert any(switch in switched_on(bench.train) for bench in benches)


def test_any_call_length_gives_the_same_bits(bench):
    check_calls(bench)


def check_calls(bench):
    whole, history = bench.finish()
    assert int(whole.step) == bench.steps
    assert int(whole.status) == loop.FINISHED
    assert np.isfinite(history["loss"]).all()
    for calls in (1, 7, 64):
        state, again = bench.finish(calls)
        assert bits(state) == bits(whole), f"calls of {calls}"
        assert bits(again) == bits(history), f"calls of {calls}"


def test_training_helps(bench):
    """Whatever the optimizer and the switch, the loss falls."""
    _, history = bench.finish()
    assert history["loss"][-1] < history["loss"][0]


def test_the_seed_settles_everything(bench_of):
    bench = bench_of(EVERYTHING)
    one, _ = bench.finish()
    bench.seed = 1
    other, _ = bench.finish()
    bench.seed = 0
    again, _ = bench.finish()
    assert bits(one) == bits(again)
    assert bits(one) != bits(other)


def test_the_bound_holds_at_every_step(bench_of):
    bench = bench_of(EVERYTHING, max_norm=0.8, learning_rate=0.3)
    state, most = bench.start(), 0.0
    for _ in range(36):
        state, _ = bench.advance(state, 1)
        norms = [np.linalg.norm(np.asarray(layer.weight), axis=1).max() for layer in state.weights.network.layers]
        most = max(most, *norms)
    assert 0.79 < most <= 0.8 * (1 + 1e-6)


# ── the data ────────────────────────────────────────────────────────────────────────────────────


def mean_loss(network, data, rows):
    """The weighted mean cross-entropy, in NumPy."""
    x, y, weight = (np.asarray(a, np.float64)[rows] for a in (data.x, data.y, data.weight))
    (w1, b1), (w2, b2) = ((np.asarray(layer.weight), np.asarray(layer.bias)) for layer in network.layers)
    z = (np.tanh(x @ w1.T + b1) @ w2.T + b2)[:, 0]
    return (weight * (np.logaddexp(0, z) - z * y)).sum() / weight.sum()


def test_the_epochs_loss_is_the_mean_over_all_rows_by_weight(bench_of):
    """At rate 0 no step changes the network, so that the epoch's loss has a closed form in any order."""
    bench = bench_of(ADAM, learning_rate=0.0)
    _, history = bench.finish()
    rows = np.asarray(bench.data.train)[:45]
    np.testing.assert_allclose(history["loss"], mean_loss(bench.network, bench.data, rows), rtol=1e-5)


@pytest.mark.parametrize("shuffle", [True, False])
def test_each_row_once_an_epoch(bench_of, shuffle):
    data = bench_of(ADAM).data._replace(x=jnp.tile(jnp.arange(64.0)[:, None], (1, 3)))

    @jax.jit
    def epoch(number):
        order = noise.stream(noise.key(5), number)
        return [loop.rows_of_epoch(8, data, order, jnp.int32(first), 3, shuffle=shuffle) for first in (0, 3)]

    seen = []
    for number in range(3):
        batch = jax.tree.map(lambda *parts: np.concatenate(parts), *epoch(number))
        rows = batch.x[:, 0].astype(int)
        assert sorted(rows[:45].tolist()) == sorted(np.asarray(data.train)[:45].tolist())
        assert batch.weight[:45].tolist() == np.asarray(data.weight)[rows[:45]].tolist()
        assert (batch.weight[45:] == 0).all(), "what fills the last batch up weighs nothing"
        assert (batch.y == np.asarray(data.y)[rows]).all()
        seen.append(rows[:45].tolist())
    assert (seen[0] != seen[1] != seen[2]) == shuffle
    assert shuffle or seen[0] == np.asarray(data.train)[:45].tolist()


def test_the_padding_of_rows_changes_nothing(bench_of):
    """Neither which rows the padding names, nor what stands in rows that no part names."""
    bench = bench_of(EVERYTHING)
    expected, history = bench.finish()
    data = bench.data
    used = np.concatenate([np.asarray(data.train)[:45], np.asarray(data.validation)[:13]])
    unused = np.setdiff1d(np.arange(64), used)
    bench.data = data._replace(
        x=data.x.at[unused].set(jnp.nan),
        weight=data.weight.at[unused].set(1e30),
        train=data.train.at[45:].set(int(used[3])),
        validation=data.validation.at[13:].set(int(used[-2])),
    )
    found, again = bench.finish()
    assert bits(found) == bits(expected)
    assert bits(again) == bits(history)


def test_a_row_of_weight_zero_is_a_row_left_out(bench_of):
    """In one batch of all rows, where leaving one out does not deal the others anew."""
    data = bench_of("lbfgs, l2").data
    weighted = data._replace(weight=data.weight.at[data.train[44]].set(0))
    shorter = data._replace(train_rows=jnp.int32(44))
    (a, _), (b, _), (c, _) = (logistic(bench_of, epochs=8, data=d).finish() for d in (weighted, shorter, data))
    for one, other in zip(jax.tree.leaves(a.weights.network), jax.tree.leaves(b.weights.network), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-3, atol=1e-4)
    assert np.abs(np.asarray(a.weights.network.layers[0].weight - c.weights.network.layers[0].weight)).max() > 1e-3


def logistic(bench_of, **changes):
    """Logistic regression by L-BFGS."""
    bench = bench_of("lbfgs, l2", **changes)
    bench.network = build(r.LinearNet(), inputs=3, outputs=1, codes=(), seed=0)
    return bench


def test_a_plain_loop_in_numpy_gives_the_same(bench_of):
    """Linear regression by SGD with a step schedule: order, incomplete batch, weights, rate, losses."""
    random = np.random.default_rng(3)
    x = random.standard_normal((64, 3)).astype(np.float32)
    y = (x @ [[1.0], [-2.0], [0.5]] + 0.1 * random.standard_normal((64, 1))).astype(np.float32)
    bench = regression(bench_of, y=jnp.asarray(y), x=jnp.asarray(x))
    state, history = bench.finish()

    x, y, weight = x.astype(np.float64), y.astype(np.float64), np.asarray(bench.data.weight, np.float64)
    w, b, losses, validation = np.zeros((1, 3)), np.zeros(1), [], []
    for epoch in range(6):
        order = noise.stream(noise.stream(noise.key(0), 1), epoch)
        places = np.asarray(shuffled(order, jnp.int32(0), 45, jnp.int32(45)))
        rows, total = np.asarray(bench.data.train)[places], 0.0
        for first in range(0, 45, 8):
            batch = rows[first : first + 8]
            share = weight[batch, None] / weight[batch].sum()
            error = x[batch] @ w.T + b - y[batch]
            total += (weight[batch, None] * error**2).sum()
            rate = 0.05 * 0.5 ** (epoch // 2)
            w, b = w - rate * 2 * (share * error).T @ x[batch], b - rate * 2 * (share * error).sum()
        losses.append(total / weight[rows].sum())
        held_out = np.asarray(bench.data.validation)[:13]
        error = x[held_out] @ w.T + b - y[held_out]
        loss = (weight[held_out, None] * error**2).sum() / weight[held_out].sum()
        validation.append([loss, 1 - (error**2).sum() / ((y[held_out] - y[held_out].mean()) ** 2).sum()])
    np.testing.assert_allclose(history["loss"], losses, rtol=1e-4)
    np.testing.assert_allclose(history["validation"], validation, rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(state.weights.network.layers[0].weight, w, rtol=1e-4)
    np.testing.assert_allclose(state.weights.network.layers[0].bias, b, rtol=1e-3)
    np.testing.assert_allclose(history["rate"], 0.05 * 0.5 ** (np.arange(6) // 2), rtol=1e-6)


def regression(bench_of, *, x, y, **changes):
    """Linear regression by plain SGD on the shapes of the table."""
    changes = {"schedule": r.StepRate(every=2.0, factor=0.5), "learning_rate": 0.05} | changes
    bench = bench_of("sgd, dropout", dropout=0.0, **changes)
    bench.objective, bench.task = Objective("quantities", 1), r.Regress()
    bench.network = build(r.LinearNet(), inputs=3, outputs=1, codes=(), seed=0)
    bench.data = bench.data._replace(x=x, y=y)
    return bench


# ── validation ──────────────────────────────────────────────────────────────────────────────────


def test_validation_figures_are_scikit_learns(bench_of):
    bench = bench_of(ADAM)
    state, rows = bench.start(), np.asarray(bench.data.validation)[:13]
    x, y = np.asarray(bench.data.x)[rows], np.asarray(bench.data.y)[rows]
    for _ in range(6):
        state, history = bench.advance(state, 6)
        network = state.weights.network
        said = np.asarray(jax.jit(lambda net, x: net(x))(network, x))[:, 0] > 0
        expected = [
            mean_loss(network, bench.data, rows),
            accuracy_score(y, said),
            balanced_accuracy_score(y, said),
            f1_score(y, said, average="macro"),
        ]
        np.testing.assert_allclose(history["validation"][0], expected, rtol=1e-5)


@pytest.mark.parametrize("rows", [1, 1023, 1024, 1025, 2900])
def test_validation_in_chunks_counts_every_row_once(rows):
    """More rows than are evaluated at once, the last chunk moved back to fit."""
    random = np.random.default_rng(rows)
    x, weight = random.standard_normal((3000, 2)).astype(np.float32), random.uniform(0.5, 2, 3000).astype(np.float32)
    y = random.integers(0, 2, 3000).astype(np.int32)
    order = random.permutation(3000).astype(np.int32)
    data = loop.Data(*map(jnp.asarray, (x, y, weight, order[:1])), jnp.int32(1), jnp.asarray(order), jnp.int32(rows))
    net = build(r.LinearNet(initialization="lecun"), inputs=2, outputs=1, codes=(), seed=0)
    found = np.asarray(evaluate(net, data, jnp.int32(rows)))
    held_out = order[:rows]
    z = (x[held_out] @ np.asarray(net.layers[0].weight, np.float64).T)[:, 0]
    losses = np.logaddexp(0, z) - z * y[held_out]
    assert found[0] == pytest.approx((weight[held_out] * losses).sum() / weight[held_out].sum(), rel=1e-5)
    assert found[1] == pytest.approx(((z > 0) == y[held_out]).mean(), rel=1e-6)


@jax.jit
def evaluate(net, data, count):
    made = Program(Objective("binary", 1, 2), r.Sgd, r.ConstantRate, 8, "loss", frozenset())
    zeros = Hyper(*[jnp.float32(0)] * len(Hyper._fields))
    return loop.evaluate(made, net, data, data.validation, count, zeros)


# ── one program for all settings ────────────────────────────────────────────────────────────────


def test_the_second_call_is_the_first_ones_program(bench):
    """A state of other types than `start` gives, weak ones say, would compile the second call anew."""

    def types(tree):
        return [(leaf.dtype, leaf.shape, leaf.weak_type) for leaf in jax.tree.leaves(tree)]

    state = bench.start()
    given = types(state)
    assert types(bench.advance(state, 1)[0]) == given
    assert types(bench.finish()[0]) == given


def test_no_setting_is_baked_into_the_program(bench_of, compilations):
    """Another value of any setting: another result from the same compiled program."""
    plain = bench_of(EVERYTHING, patience=5)
    reference, _ = plain.finish()
    compiled = len(loop._compiled(True))
    changed = {
        "learning_rate": 0.04,
        "warmup": 0.5,
        "l1": 0.002,
        "l2": 0.02,
        "weight_decay": 0.03,
        "dropout": 0.2,
        "input_dropout": 0.2,
        "noise": 0.2,
        "max_norm": 1.0,
        "clip": 0.1,
        "tolerance": 0.5,
        "epochs": 7,
        "schedule": r.StepRate(every=3.0, factor=0.5),
        "optimizer": r.Adam(beta1=0.8),
    }
    more = [
        {"patience": 1, "tolerance": 0.5},
        {"schedule": r.StepRate(every=2.0, factor=0.4)},
        {"optimizer": r.Adam(beta2=0.9)},
    ]
    more += [{"optimizer": r.Adam(epsilon=0.1)}, {"task": r.Classify(label_smoothing=0.1)}]
    for changes in [{key: value} for key, value in changed.items()] + more:
        state, _ = bench_of(EVERYTHING, **{"patience": 5} | changes).finish()
        assert bits(state) != bits(reference), changes
    assert len(loop._compiled(True)) == compiled


def test_nor_is_hubers_delta(bench_of, compilations):
    y = jnp.asarray(3 * np.random.default_rng(0).standard_normal((64, 1)), jnp.float32)
    found, compiled = [], []
    for delta in (0.1, 1.0):
        bench = regression(bench_of, x=bench_of(ADAM).data.x, y=y)
        bench.objective = Objective("quantities", 1, loss="huber")
        bench.task = r.Regress(loss="huber", delta=delta)
        found.append(bits(bench.finish()[0]))
        compiled.append(compilations())
    assert found[0] != found[1]
    assert compiled[0] == compiled[1]


def test_large_networks_take_the_ordinary_one(bench_of):
    bench = bench_of("sgd, dropout", epochs=1)
    bench.network = build(r.Mlp(hidden=(1700,)), inputs=3, outputs=1, codes=(), seed=0)
    tiny, ordinary = (len(loop._compiled(small)) for small in (True, False))
    state, _ = bench.finish()
    assert [len(loop._compiled(small)) for small in (True, False)] == [tiny, ordinary + 1]
    assert int(state.status) == loop.FINISHED


# ── L-BFGS ──────────────────────────────────────────────────────────────────────────────────────


def test_lbfgs_finds_the_optimum_of_logistic_regression(bench_of):
    """And stays there: at the optimum the line search has nothing to gain, which is no divergence."""
    bench = logistic(bench_of, epochs=100)
    state, history = bench.finish()
    rows = np.asarray(bench.data.train)[:45]
    x, y, weight = (np.asarray(a, np.float64)[rows] for a in (bench.data.x, bench.data.y, bench.data.weight))

    def penalized(p):
        z = x @ p[:3] + p[3]
        return (weight * (np.logaddexp(0, z) - z * y)).sum() / weight.sum() + 0.05 / 2 * (p[:3] ** 2).sum()

    def slope(p):
        error = weight * (expit(x @ p[:3] + p[3]) - y) / weight.sum()
        return np.append(error @ x + 0.05 * p[:3], error.sum())

    best = minimize(penalized, np.zeros(4), jac=slope, method="BFGS", options={"gtol": 1e-10})
    layer = state.weights.network.layers[0]
    np.testing.assert_allclose(np.append(layer.weight, layer.bias), best.x, rtol=1e-3, atol=1e-4)
    assert not history["rolled_back"].any()
    assert int(state.status) == loop.FINISHED
    assert len(history["loss"]) == 100


# ── compiled as for users: last in this file, since what follows would be, too ──────────────────


@pytest.mark.parametrize("name", ["sgd, dropout", EVERYTHING, "lbfgs, l2"])
@pytest.mark.usefixtures("compiled_as_for_users")
def test_nor_does_it_in_optimized_code(bench_of, name):
    check_calls(bench_of(name))


@pytest.mark.usefixtures("compiled_as_for_users")
def test_tiny_and_ordinary_compilations_agree(bench_of):
    """Two ways of compiling the same loop differ by rounding at most."""
    bench = bench_of(ADAM)
    arguments = bench.program, bench.data, bench.hyper, noise.key(0), jnp.int32(1000)
    (tiny, _), (ordinary, _) = (
        loop._compiled(small)(arguments[0], bench.start(), *arguments[1:]) for small in (True, False)
    )
    for one, other in zip(jax.tree.leaves(tiny), jax.tree.leaves(ordinary), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-3, atol=1e-5)
