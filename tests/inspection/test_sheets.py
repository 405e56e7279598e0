"""The back-propagation sheet: worked by hand, against automatic differentiation, and against training's own step."""

import json
from itertools import pairwise
from typing import get_args, get_type_hints

import jax
import jax.numpy as jnp
import msgspec
import numpy as np
import pytest

from layerwise.inspection import backprop, chainrule, plain
from layerwise.inspection.sheets import Checked
from layerwise.nets.build import build
from layerwise.nets.dense import MLP, Dense, Embed
from layerwise.recipe import records as r
from layerwise.tasks.objective import Kind, Objective

BY_HAND = (((0.1, 0.2, -0.4), (-0.1, -0.3, 0.6)), ((0.2, 0.5, -0.7),))
X, Y = np.array([[0.5, 1]], np.float32), np.array([1], np.int32)


def small(activation=None, output="auto", weights=BY_HAND):
    """The 2-2-1 network of the lecture, in float32 as all networks are."""
    kind = r.Mlp(hidden=(2,), activation=activation or r.Sigmoid(), output=output, weights=weights)
    return build(kind, inputs=2, outputs=1, codes=(), seed=0)


def near(values, tolerance=1e-7):
    """Close to numbers with ten digits; the network's weights have seven."""
    return pytest.approx(values, abs=tolerance)


# ── by hand ─────────────────────────────────────────────────────────────────────────────────────


def test_a_2_2_1_network_worked_by_hand():
    """Sigmoids, one example f = (0.5, 1) with y = 1, plain gradient descent at rate 0.5.

    Forward:   z1 = 0.1 + 0.2 * 0.5 - 0.4 * 1 = -0.2              g1 = σ(z1) = 0.4501660027
               z2 = -0.1 - 0.3 * 0.5 + 0.6 * 1 = 0.35             g2 = σ(z2) = 0.5866175789
               z  = 0.2 + 0.5 g1 - 0.7 g2 = 0.0144506961          p  = σ(z)  = 0.5036126112
    Loss:      E  = -ln p = 0.6859479351
    Errors:    ∂E/∂z  = p - y = -0.4963873888
               ∂E/∂g1 = 0.5 ∂E/∂z = -0.2481936944                 ∂E/∂g2 = -0.7 ∂E/∂z = 0.3474711722
               ∂E/∂z1 = g1 (1 - g1) ∂E/∂g1 = 0.2475165727 * ... = -0.0614320526
               ∂E/∂z2 = g2 (1 - g2) ∂E/∂g2 = 0.2424973950 * ... = 0.0842608541
    Gradients: an error times what came in; of a bias the error itself
    Update:    u - 0.5 ∂E/∂u
    """
    sheet = backprop(small(), X, Y, train=r.Train(optimizer=r.Sgd(), learning_rate=0.5))
    hidden, output = sheet.layers
    assert hidden.inputs.tolist() == X.tolist()
    assert hidden.z.worked[0].tolist() == near([-0.2, 0.35])
    assert hidden.g.worked[0].tolist() == near([0.4501660027, 0.5866175789])
    assert hidden.slope.worked[0].tolist() == near([0.2475165727, 0.2424973950])
    assert output.z.worked.item() == near(0.0144506961)
    assert sheet.predicted.item() == near(0.5036126112)
    assert sheet.loss == sheet.losses.worked.item() == near(0.6859479351)
    assert output.error.worked.item() == near(-0.4963873888)
    assert hidden.arriving[0].tolist() == near([-0.2481936944, 0.3474711722])
    assert hidden.error.worked[0].tolist() == near([-0.0614320526, 0.0842608541])
    assert output.bias_gradient.worked.item() == near(-0.4963873888)
    assert output.weight_gradient.worked[0].tolist() == near([-0.2234567266, -0.2911895682])
    assert hidden.bias_gradient.worked.tolist() == near([-0.0614320526, 0.0842608541])
    assert hidden.weight_gradient.worked.ravel().tolist() == near(
        [-0.0307160263, -0.0614320526, 0.0421304271, 0.0842608541]
    )
    assert output.new_bias.item() == near(0.4481936944)
    assert output.new_weight[0].tolist() == near([0.6117283633, -0.5544052159])
    assert hidden.new_bias.tolist() == near([0.1307160263, -0.1421304271])
    assert hidden.new_weight.ravel().tolist() == near([0.2153580132, -0.3692839737, -0.3210652135, 0.5578695729])
    assert sheet.difference < 1e-14


def test_all_errors_come_before_any_update():
    """At a rate that moves the output's weights far, the hidden errors are still those of the old weights."""
    sheet = backprop(small(), X, Y, train=r.Train(optimizer=r.Sgd(), learning_rate=50.0))
    hidden, output = sheet.layers
    old = output.error.worked @ output.weight.astype(np.float64)
    moved = output.error.worked @ output.new_weight.astype(np.float64)
    assert hidden.arriving == near(old, 1e-12)
    assert np.abs(moved - old).max() > 1
    assert hidden.new_weight == near(hidden.weight - 50 * hidden.weight_gradient.worked, 1e-5)


def test_a_step_passes_no_error_back():
    sheet = backprop(small(r.Step(), "step"), X, np.array([0], np.int32), Objective("probability", 1, 2))
    hidden, output = sheet.layers
    assert hidden.g.worked.tolist() == [[0, 1]]
    assert output.slope.worked.item() == 0 and output.arriving.item() == 0  # z = -0.5: the answer is right
    assert not hidden.error.worked.any() and not hidden.weight_gradient.worked.any()
    assert (hidden.new_weight == hidden.weight).all()
    assert any("0 everywhere" in note for note in sheet.notes)


# ── against automatic differentiation ───────────────────────────────────────────────────────────

# One layer each, in one deep network; nothing comes back to what is before a step, so it is the first.
ACTIVATIONS = (
    r.Step(), r.Sigmoid(), r.Tanh(), r.Relu(), r.LeakyRelu(slope=0.3), r.NoisyRelu(), r.Elu(), r.Gelu(), r.Silu(),
    r.Elu(alpha=0.7), r.LeakyRelu(), r.Linear(), r.Softplus(),
)  # fmt: skip
SMOOTHED = r.Classify(label_smoothing=0.2)
LOSSES = {
    "binary": (Objective("binary", 1, 2), r.Classify()),
    "binary, smoothed": (Objective("binary", 1, 2), SMOOTHED),
    "classes": (Objective("classes", 4, 4), r.Classify()),
    "classes, smoothed": (Objective("classes", 4, 4), SMOOTHED),
    "labels": (Objective("labels", 4), r.MultiLabel()),
    "labels, smoothed": (Objective("labels", 4), r.MultiLabel(label_smoothing=0.1)),
    "mse": (Objective("quantities", 4), r.Regress()),
    "mae": (Objective("quantities", 4, loss="mae"), r.Regress()),
    "huber": (Objective("quantities", 4, loss="huber"), r.Regress(delta=0.6)),
    "perceptron": (Objective("perceptron", 1, 2), r.Classify()),
    "perceptron of classes": (Objective("perceptron", 4, 4), r.Classify()),
    "probability": (Objective("probability", 1, 2), r.Classify()),
}
ROWS = 6


def targets(objective, random):
    match objective.kind:
        case "quantities":
            return random.standard_normal((ROWS, objective.outputs)).astype(np.float32)
        case "labels":
            return random.integers(0, 2, (ROWS, objective.outputs)).astype(np.float32)
        case _:
            return random.integers(0, objective.classes, ROWS).astype(np.int32)


def dense(outputs, activations, random, embeds=()):
    """Random weights and biases: three plain inputs, then hidden layers of one width, which is compiled for once."""
    widths = [3 + sum(embed.table.shape[1] for embed in embeds)]
    widths += [4] * (len(activations) - 1) + [outputs]
    layers = tuple(
        Dense(
            jnp.asarray(random.standard_normal((units, inputs)) / np.sqrt(inputs), jnp.float32),
            jnp.asarray(random.standard_normal(units), jnp.float32),
        )
        for inputs, units in pairwise(widths)
    )
    return MLP(tuple(embeds), layers, (0, 1, 2) if embeds else (), tuple(activations))


@pytest.mark.parametrize("name", LOSSES)
def test_formulas_agree_with_automatic_differentiation(name):
    """All activations under the first loss, three in turn under each other; of numbers, with one of the output."""
    objective, task = LOSSES[name]
    random = np.random.default_rng(0)
    last = r.Tanh() if objective.kind in ("quantities", "probability") else r.Linear()
    step, *others = ACTIVATIONS
    turn = [*LOSSES].index(name)
    hidden = ACTIVATIONS if turn == 0 else (step, *(others * 2)[turn : turn + 3])
    net = dense(objective.outputs, (*hidden, last), random)
    x, weight = random.standard_normal((ROWS, 3)).astype(np.float32), random.uniform(0.5, 2, ROWS).astype(np.float32)
    with jax.disable_jit():
        sheet = backprop(net, x, targets(objective, random), objective, task=task, weight=weight)
    assert sheet.difference < 1e-9
    assert not sheet.layers[0].error.worked.any()
    for layer in sheet.layers[1:]:
        assert layer.error.worked.any(), "nothing was compared"


def test_every_activation_and_loss_is_among_them():
    assert {*map(type, ACTIVATIONS)} == {*r.Activation.__args__}
    objectives = [objective for objective, _ in LOSSES.values()]
    assert {objective.kind for objective in objectives} == {*get_args(Kind)}
    assert {objective.loss for objective in objectives} == {*get_args(get_type_hints(Objective)["loss"])}


def test_a_wrong_formula_shows(monkeypatch):
    right = chainrule.activation
    monkeypatch.setattr(chainrule, "activation", lambda kind, z: (right(kind, z)[0], 1.001 * right(kind, z)[1]))
    assert backprop(small(), X, Y).difference > 5e-4


def test_embeddings_penalties_and_weights():
    """Two embedded columns, of which categories repeat in the batch; L1 and L2; an example of no weight."""
    random = np.random.default_rng(0)
    tables = (random.standard_normal(shape) for shape in ((4, 2), (3, 1)))
    embeds = tuple(Embed(jnp.asarray(table, jnp.float32), column) for table, column in zip(tables, (1, 3), strict=True))
    net = dense(2, (r.Tanh(), r.Linear()), random, embeds)
    net = MLP(net.embeds, net.layers, (0, 2, 4), net.activations)
    x = random.standard_normal((5, 5)).astype(np.float32)
    x[:, 1], x[:, 3] = [0, 3, 3, 1, 3], [2, 2, 0, 2, 2]
    y, weight = random.standard_normal((5, 2)).astype(np.float32), np.array([1, 2, 0, 0.5, 1], np.float32)
    train = r.Train(optimizer=r.Sgd(), learning_rate=0.1, l1=0.03, l2=0.2)
    sheet = backprop(net, x, y, Objective("quantities", 2), train, weight=weight)
    assert sheet.difference < 1e-9
    first, second = sheet.tables
    assert first.codes.tolist() == [0, 3, 3, 1, 3]
    untouched = 0.2 * first.table[2] + 0.03 * np.sign(first.table[2])
    assert first.gradient.worked[2] == near(untouched)  # category 2 does not occur: only the penalties pull
    assert second.new_table == near(second.table - 0.1 * second.gradient.worked, 1e-6)
    matrices = [first.table, second.table, *(layer.weight for layer in sheet.layers)]
    penalty = sum(0.1 * (m.astype(float) ** 2).sum() + 0.03 * np.abs(m.astype(float)).sum() for m in matrices)
    assert sheet.penalty == pytest.approx(penalty)
    assert sheet.share[2] == 0 and not sheet.layers[1].error.worked[2].any()


def test_a_batch_is_the_weighted_mean_of_its_examples():
    random, objective = np.random.default_rng(0), Objective("classes", 4, 4)
    net = dense(4, (r.Gelu(), r.Linear()), random)
    x, y, weight = (
        random.standard_normal((ROWS, 3)).astype(np.float32),
        np.array([0, 3, 1, 2, 1, 0], np.int32),
        np.array([1, 2, 5, 3, 1, 4], np.float32),
    )
    together = backprop(net, x, y, objective, weight=weight)
    # Over and over, for the batch's shape has been compiled for.
    alone = [backprop(net, np.tile(x[n], (ROWS, 1)), np.full(ROWS, y[n]), objective) for n in range(ROWS)]
    assert together.loss == pytest.approx(sum(w * sheet.loss for w, sheet in zip(weight, alone, strict=True)) / 16)
    for at in range(2):
        mean = sum(
            w * sheet.layers[at].weight_gradient.worked for w, sheet in zip(weight, alone, strict=True)
        ) / np.float64(16)
        assert together.layers[at].weight_gradient.worked == near(mean, 1e-12)


def test_ties_of_a_perceptron_share_the_error():
    """All scores zero, as before the first step: a mistake, of which the other classes take equal parts."""
    net = MLP((), (Dense(jnp.zeros((3, 2)), jnp.zeros(3)),), (), (r.Linear(),))
    sheet = backprop(net, X, np.array([1], np.int32), Objective("perceptron", 3, 3))
    assert sheet.layers[0].error.worked.tolist() == [[0.5, -1.0, 0.5]]
    assert sheet.difference == 0


def test_whole_numbers_are_classes_and_others_quantities():
    assert "ln p" in backprop(small(), X, Y).loss_equation.function
    assert backprop(small(), X, np.array([[0.5]], np.float32)).loss_equation.function == "E = (g - y)²"


@pytest.mark.parametrize("values", [(0.0, 0.0), (np.nan, np.nan), (np.inf, np.inf)])
def test_equal_figures_do_not_differ(values):
    assert Checked(*(np.array([value]) for value in values)).difference == 0


def test_difference_is_relative():
    assert Checked(np.array([1e-3, 5.0]), np.array([2e-3, 5.0])).difference == pytest.approx(0.5)
    assert Checked(np.array([1e-12, 5.0]), np.array([2e-12, 5.0])).difference == pytest.approx(1e-12 / 5e-6)
    assert Checked(np.array([np.nan, 5.0]), np.array([1.0, 5.0])).difference == np.inf
    assert Checked(np.zeros((0, 3)), np.zeros((0, 3))).difference == 0


def test_weights_that_have_diverged_are_shown_too():
    net = small(weights=(((np.nan, 0.2, -0.4), (-0.1, -0.3, 0.6)), ((0.2, 0.5, -0.7),)))
    sheet = backprop(net, X, Y)
    assert np.isnan(sheet.loss) and sheet.difference == 0
    assert plain(sheet)["loss"] is None


# ── the step ────────────────────────────────────────────────────────────────────────────────────

FIRST_STEPS = {
    r.Sgd(): lambda g: g,
    r.Momentum(momentum=0.8): lambda g: g,
    r.Nesterov(momentum=0.8): lambda g: 1.8 * g,
    r.Adagrad(epsilon=1e-3): lambda g: g / np.sqrt(g**2 + 1e-3),
    r.RmsProp(decay=0.7, epsilon=1e-3): lambda g: g / np.sqrt(0.3 * g**2 + 1e-3),
    r.Adam(epsilon=1e-3): lambda g: g / (np.abs(g) + 1e-3),
    r.AdamW(epsilon=1e-3): lambda g: g / (np.abs(g) + 1e-3),
    r.Lion(): np.sign,
}


@pytest.mark.parametrize("optimizer", FIRST_STEPS, ids=lambda kind: type(kind).__name__)
def test_first_steps_by_hand(optimizer):
    """The equations that stand beside the numbers; every optimizer but L-BFGS, whose length is searched for."""
    train = r.Train(optimizer=optimizer, learning_rate=0.1, weight_decay=0.0)
    sheet = backprop(small(), X, Y, train=train)
    for layer in sheet.layers:
        for old, gradient, new in (
            (layer.weight, layer.weight_gradient, layer.new_weight),
            (layer.bias, layer.bias_gradient, layer.new_bias),
        ):
            assert new == near(old - 0.1 * FIRST_STEPS[optimizer](gradient.worked), 1e-6)
    assert {*map(type, FIRST_STEPS)} == {*r.Optimizer.__args__} - {r.Lbfgs}


def test_lbfgs_goes_downhill_along_the_gradient():
    sheet = backprop(small(), X, Y, train=r.Train(optimizer=r.Lbfgs(), learning_rate=1.0))
    moved = [layer.new_weight - layer.weight for layer in sheet.layers]
    ratios = np.concatenate([
        (m / -layer.weight_gradient.worked).ravel() for m, layer in zip(moved, sheet.layers, strict=True)
    ])  # fmt: skip
    assert ratios.min() > 0 and ratios == pytest.approx(ratios[0], rel=1e-4)


def test_clipping_decay_and_max_norm_are_in_the_step_and_said():
    train = r.Train(
        optimizer=r.Sgd(), learning_rate=0.1, clip=0.1, weight_decay=0.5, max_norm=0.5, l1=0.01, l2=0.02, dropout=0.5,
        noise=0.1, warmup=2.0,
    )  # fmt: skip
    sheet = backprop(small(), X, Y, train=train)
    hidden, output = sheet.layers
    gradients = [g for layer in sheet.layers for g in (layer.weight_gradient.worked, layer.bias_gradient.worked)]
    scale = 0.1 / np.sqrt(sum((g**2).sum() for g in gradients))
    assert scale < 1
    assert hidden.new_bias == near(hidden.bias - 0.1 * scale * hidden.bias_gradient.worked)
    decayed = output.weight - 0.1 * scale * output.weight_gradient.worked - 0.1 * 0.5 * output.weight
    assert output.new_weight == near(decayed * 0.5 / np.linalg.norm(decayed))
    said = " ".join((*sheet.updates, *sheet.notes))
    for word in ("L1", "L2", "clipping", "weight decay", "max-norm", "dropout and noise", "warm-up"):
        assert word in said
    assert backprop(small(), X, Y, train=msgspec.structs.replace(train, dropout=0.0, noise=0.0)).loss == sheet.loss


def test_what_the_recipe_leaves_open():
    train = r.Train(optimizer=r.AdamW(), learning_rate="find")
    sheet = backprop(small(), X, Y, train=train)
    assert sheet.learning_rate == pytest.approx(0.001)
    assert any("found when training begins" in note for note in sheet.notes)
    assert any("weight decay" in line for line in sheet.updates)


def test_json_has_everything():
    sheet = backprop(small(r.NoisyRelu()), X, Y)
    found = json.loads(json.dumps(plain(sheet)))
    assert found["layers"][0]["error"]["worked"] == sheet.layers[0].error.worked.tolist()
    assert found["layers"][0]["weight_gradient"].keys() == {"worked", "automatic", "difference"}
    assert found["loss"] == sheet.loss and found["difference"] == sheet.difference
    assert found["notes"] == ["the noisy ReLUs have no noise here"]


def test_nothing_is_changed_by_looking():
    net = small()
    before = jax.tree.map(np.array, net)
    backprop(net, X, Y)
    assert all((a == b).all() for a, b in zip(jax.tree.leaves(before), jax.tree.leaves(net), strict=True))
    assert jnp.ones(()).dtype == jnp.float32
