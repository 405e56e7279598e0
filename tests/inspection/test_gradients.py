"""Finite differences of every layer kind, activation and loss; and that a wrong gradient is found out."""

from typing import get_args, get_type_hints

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from layerwise.errors import LayerwiseError
from layerwise.inspection import gradcheck, miniature, plain
from layerwise.nets import dense
from layerwise.nets.activation import activate
from layerwise.nets.build import build
from layerwise.nets.dense import MLP, Dense, Embed
from layerwise.recipe import records as r
from layerwise.tasks.objective import Kind, Objective

BINARY = Objective("binary", 1, 2)
CLASSES = Objective("classes", 10, 10)


def numbers(loss="mse"):
    return Objective("quantities", 2, loss=loss)


# Hidden activations, the output's, the objective, the task's settings and those of training.
CASES = {
    "sigmoid and tanh, binary smoothed": (
        (r.Sigmoid(), r.Tanh()), r.Linear(), BINARY, r.Classify(label_smoothing=0.2), {},
    ),
    "ReLU, classes": ((r.Relu(),), r.Linear(), CLASSES, r.Classify(), {}),
    "leaky ReLU, classes smoothed": (
        (r.LeakyRelu(slope=0.3),), r.Linear(), CLASSES, r.Classify(label_smoothing=0.2), {},
    ),
    "noisy ReLU and ELU, labels smoothed": (
        (r.NoisyRelu(), r.Elu(alpha=0.7)), r.Linear(), Objective("labels", 3), r.MultiLabel(label_smoothing=0.1), {},
    ),
    "GELU, MSE of a tanh": ((r.Gelu(),), r.Tanh(), numbers(), r.Regress(), {}),
    "SiLU, MAE": ((r.Silu(),), r.Linear(), numbers("mae"), r.Regress(), {}),
    "softplus, Huber": ((r.Softplus(),), r.Linear(), numbers("huber"), r.Regress(delta=0.6), {}),
    "linear, perceptron": ((r.Linear(),), r.Linear(), Objective("perceptron", 1, 2), r.Classify(), {}),
    "no hidden layer, perceptron of classes": ((), r.Linear(), Objective("perceptron", 7, 7), r.Classify(), {}),
    "step, probability": ((r.Step(),), r.Step(), Objective("probability", 1, 2), r.Classify(), {}),
    "two layers with all penalties, dropout and noise": (
        (r.Tanh(), r.Relu()), r.Linear(), CLASSES, r.Classify(),
        {"l1": 0.01, "l2": 0.1, "dropout": 0.2, "input_dropout": 0.1, "noise": 0.1},
    ),
}  # fmt: skip


def network(hidden, output, objective, embeds=()):
    """Larger than what is checked, so that the small copy has something to leave out."""
    kind = r.Mlp(hidden=(9,) * len(hidden), activation=hidden or r.Relu())
    if not hidden:
        kind = r.LinearNet()
    net = build(kind, inputs=6, outputs=objective.outputs, codes=(), seed=0)
    return MLP(embeds, net.layers, (0, 2) if embeds else (), (*hidden, output))


def checked(net, objective, task=None, **train):
    small = miniature(net, objective)
    settings = r.Train(optimizer=r.Sgd(), **train)
    return gradcheck(small.network, small.x, small.y, small.objective, settings, task, small.weight)


@pytest.mark.parametrize("name", CASES)
def test_gradients_are_slopes(name):
    hidden, output, objective, task, train = CASES[name]
    found = checked(network(hidden, output, objective), objective, task, **train)
    assert found.passed, found.worst
    assert found.parameters == sum((a + 1) * b for a, b in zip(found.widths, found.widths[1:], strict=False))
    assert found.kinks == 0, "the parameters are drawn, so none stands at a kink by chance"
    if "step" not in name:
        assert all(layer.automatic for layer in found.layers), "nothing was compared"


def test_every_activation_loss_and_kind_of_layer_is_among_them():
    activations = {type(kind) for hidden, output, *_ in CASES.values() for kind in (*hidden, output)}
    assert activations == {*r.Activation.__args__}
    objectives = [case[2] for case in CASES.values()]
    assert {objective.kind for objective in objectives} == {*get_args(Kind)}
    assert {objective.loss for objective in objectives} == {*get_args(get_type_hints(Objective)["loss"])}
    layers = {kind for kind in vars(dense).values() if isinstance(kind, type) and issubclass(kind, eqx.Module)}
    assert layers - {MLP, dense.Training} == {Dense, Embed}  # the next test has embeddings


def test_embeddings_are_checked_too():
    embeds = (Embed(jnp.zeros((30, 5)), 1), Embed(jnp.zeros((2, 2)), 3))
    found = checked(network((r.Tanh(),), r.Linear(), BINARY, embeds), BINARY, l2=0.1)
    assert [layer.name for layer in found.layers] == ["embedding 1", "embedding 2", "hidden 1", "output"]
    assert found.widths == (2 + 3 + 2, 4, 1)
    assert found.passed and found.layers[0].parameters == 5 * 3
    assert found.layers[0].worst.startswith("number ")


# ── what is wrong, and what only looks so ───────────────────────────────────────────────────────


def test_a_gradient_wrong_by_a_thousandth_fails(monkeypatch):
    """Of tanh alone: the layers before it fail, the output's own weights do not."""

    @jax.custom_vjp
    def wrong(z):
        return jnp.tanh(z)

    wrong.defvjp(lambda z: (jnp.tanh(z), z), lambda z, g: (1.001 * g * (1 - jnp.tanh(z) ** 2),))
    monkeypatch.setattr(
        dense, "activate", lambda kind, z, key=None: wrong(z) if kind == r.Tanh() else activate(kind, z)
    )
    found = checked(network((r.Tanh(),), r.Linear(), BINARY), BINARY)
    hidden, output = found.layers
    assert not found.passed and not hidden.passed and output.passed
    assert hidden.failed == hidden.parameters and found.kinks == 0
    assert hidden.difference == pytest.approx(1e-3, rel=0.1)
    assert hidden.automatic == pytest.approx(1.001 * hidden.finite, rel=1e-6)
    assert found.worst is hidden


def by_hand(weights, activation):
    kind = r.Mlp(hidden=(2,), activation=activation, weights=weights)
    return build(kind, inputs=2, outputs=1, codes=(), seed=0)


AT_KINK = (((-0.5, 0.5, 1.0), (0.1, 0.2, 0.3)), ((0.0, 1.0, 1.0),))  # at x = (1, 0) the first unit's sum is 0
X, Y = np.array([[1, 0]], np.float32), np.array([[2.0]], np.float32)


def test_kinks_are_counted_and_do_not_fail():
    """The first hidden unit stands at z = 0: its bias and its weight for the input of 1 have no slope."""
    net = by_hand(AT_KINK, r.Relu())
    found = gradcheck(net, X, Y, numbers())
    assert found.passed
    assert [layer.kinks for layer in found.layers] == [2, 0]
    assert gradcheck(by_hand(AT_KINK, r.Tanh()), X, Y, numbers()).kinks == 0


def test_a_jump_is_a_kink():
    net = by_hand(AT_KINK, r.Step())
    found = gradcheck(net, X, Y, numbers())
    assert found.passed and [layer.kinks for layer in found.layers] == [2, 0]


def test_a_loss_that_is_not_a_number_fails():
    net = by_hand((((np.nan, 0.5, 1.0), (0.1, 0.2, 0.3)), AT_KINK[1]), r.Tanh())
    found = gradcheck(net, X, Y, numbers())
    assert not found.passed
    assert plain(found)["layers"][0]["difference"] is None


def test_parameters_are_named_as_they_stand():
    """The gradient of a linear unit is what came in, so each one is known by its value."""
    net = MLP((), (Dense(jnp.zeros((1, 3)), jnp.zeros(1)),), (), (r.Linear(),))
    found = gradcheck(
        net, np.array([[1, 5, 2]], np.float32), np.array([[-0.5]], np.float32), Objective("quantities", 1)
    )
    layer = found.layers[0]
    expected = {"weight of unit 1 for input 1": 1, "weight of unit 1 for input 2": 5, "weight of unit 1 for input 3": 2,
                "bias of unit 1": 1}  # fmt: skip
    assert layer.automatic == pytest.approx(expected[layer.worst])


def test_large_networks_are_refused_and_their_copies_small():
    net = build(r.Mlp(hidden=(300, 300)), inputs=50, outputs=10, codes=(), seed=0)
    with pytest.raises(LayerwiseError, match="at most 20,000 parameters"):
        gradcheck(net, np.zeros((1, 50), np.float32), np.zeros(1, np.int32), CLASSES)
    small = miniature(net, CLASSES)
    assert [layer.weight.shape for layer in small.network.layers] == [(4, 4), (4, 4), (4, 4)]
    assert small.objective == Objective("classes", 4, 4) and small.y.max() < 4
    assert small.network.activations == net.activations
    assert jnp.ones(()).dtype == jnp.float32
