"""From a recipe to a network: shapes, weights by hand, and what is refused."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.special import expit

from layerwise.errors import RecipeError
from layerwise.nets.build import MAX_PARAMETERS, build
from layerwise.nets.dense import MLP
from layerwise.recipe import records as r

CORNERS = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], np.float32)
forward = jax.jit(MLP.__call__)
# The lecture's XOR: one hidden unit says "x1 and not x2", the other "x2 and not x1", the output "or".
XOR = (((-0.5, 1.0, -1.0), (-0.5, -1.0, 1.0)), ((-0.5, 1.0, 1.0),))


class Code(NamedTuple):
    column: int
    size: int
    width: int


def made(network, inputs=2, outputs=1, codes=(), seed=0):
    return build(network, inputs=inputs, outputs=outputs, codes=codes, seed=seed)


def test_shapes():
    net = made(r.Mlp(hidden=(7, 5), activation=(r.Tanh(), r.Elu()), output="tanh"), inputs=3, outputs=2)
    assert [layer.weight.shape for layer in net.layers] == [(7, 3), (5, 7), (2, 5)]
    assert [layer.bias.shape for layer in net.layers] == [(7,), (5,), (2,)]
    assert net.activations == (r.Tanh(), r.Elu(), r.Tanh())
    assert {leaf.dtype for leaf in jax.tree.leaves(net)} == {jnp.dtype("float32")}


def test_one_activation_serves_every_hidden_layer():
    assert made(r.Mlp(hidden=(2, 2, 2), activation=r.Silu())).activations == (r.Silu(),) * 3 + (r.Linear(),)


@pytest.mark.parametrize("output", ["auto", "linear", "sigmoid"])
def test_the_link_is_left_to_the_task(output):
    assert made(r.Mlp(hidden=(2,), output=output)).activations[-1] == r.Linear()


@pytest.mark.parametrize("network", [r.PerceptronNet(), r.LinearNet()])
def test_linear_ones_start_at_zero(network):
    net = made(network, inputs=4, outputs=3)
    assert [layer.weight.shape for layer in net.layers] == [(3, 4)]
    assert not any(np.any(leaf) for leaf in jax.tree.leaves(net))


def test_the_initialization_asked_for():
    net = made(r.Mlp(hidden=(4,), initialization="orthogonal"), inputs=9)
    np.testing.assert_allclose(
        np.asarray(net.layers[0].weight) @ np.asarray(net.layers[0].weight).T, np.eye(4), atol=1e-6
    )
    assert np.any(made(r.LinearNet(initialization="lecun")).layers[0].weight)


def test_codes_become_embeddings_before_the_first_layer():
    net = made(r.Mlp(hidden=(4,)), inputs=5, codes=(Code(1, 30, 6), Code(4, 20, 3)))
    assert net.kept == (0, 2, 3)
    assert [embed.table.shape for embed in net.embeds] == [(30, 6), (20, 3)]
    assert [embed.column for embed in net.embeds] == [1, 4]
    assert net.layers[0].weight.shape == (4, 3 + 6 + 3)
    assert 0.07 < np.std(np.asarray(net.embeds[0].table)) < 0.13
    assert made(r.Mlp(hidden=(4,)), inputs=1, codes=(Code(0, 3, 2),)).layers[0].weight.shape == (4, 2)


# ── by hand ─────────────────────────────────────────────────────────────────────────────────────


def xor(activation, factor=1):
    weights = tuple(tuple(tuple(factor * w for w in unit) for unit in layer) for layer in XOR)
    output = "step" if isinstance(activation, r.Step) else "auto"
    return made(r.Mlp(hidden=(2,), activation=activation, output=output, weights=weights))


def test_the_lectures_xor_with_steps():
    assert forward(xor(r.Step()), CORNERS)[:, 0].tolist() == [0, 1, 1, 0]


def test_the_lectures_xor_with_sigmoids():
    found = expit(np.asarray(forward(xor(r.Sigmoid()), CORNERS)[:, 0]))
    assert np.round(found, 3).tolist() == pytest.approx([0.563, 0.576, 0.576, 0.563])


def test_the_lectures_xor_with_sigmoids_and_tenfold_weights():
    found = expit(np.asarray(forward(xor(r.Sigmoid(), factor=10), CORNERS)[:, 0]))
    assert np.round(found, 3).tolist() == pytest.approx([0.008, 0.993, 0.993, 0.008])


def test_rows_by_hand_are_bias_then_weights():
    layer = made(r.LinearNet(weights=(((1.0, 2.0, 3.0),),))).layers[0]
    assert layer.bias.tolist() == [1]
    assert layer.weight.tolist() == [[2, 3]]


@pytest.mark.parametrize(
    ("network", "inputs", "outputs", "received"),
    [
        (r.LinearNet(weights=(((1.0, 2.0, 3.0),),)), 3, 1, "1 rows of 3 numbers"),
        (r.LinearNet(weights=(((1.0, 2.0, 3.0),),)), 2, 2, "1 rows of 3 numbers"),
        (r.PerceptronNet(weights=(((1.0, 2.0, 3.0), (1.0, 2.0, 3.0)),)), 2, 1, "2 rows of 3 numbers"),
        (r.Mlp(hidden=(2,), weights=XOR), 2, 3, "1 rows of 3 numbers"),
    ],
)
def test_weights_that_do_not_fit_the_data_are_refused(network, inputs, outputs, received):
    with pytest.raises(RecipeError, match="rows of") as refused:
        made(network, inputs=inputs, outputs=outputs)
    assert refused.value.received == received
    assert "[bias, w1, w2, ...]" in refused.value.remedy


def test_a_network_beyond_all_memory_is_refused():
    with pytest.raises(RecipeError, match="at most") as refused:
        made(r.Mlp(hidden=(100_000, 100_000)))
    assert f"{100_000**2 + 3 * 100_000 + 100_000 + 100_000 + 1:,}" in refused.value.received
    assert MAX_PARAMETERS < 100_000**2


@pytest.mark.parametrize("network", [r.Cnn(), r.Lstm(), r.ConvAutoencoder()])
def test_networks_to_come_are_refused_with_what_to_use(network):
    with pytest.raises(RecipeError, match="trains perceptron, linear and mlp") as refused:
        made(network)
    assert "mlp" in refused.value.remedy
