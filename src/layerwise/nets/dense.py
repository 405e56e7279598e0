"""Fully connected networks: from a single unit to a multi-layer perceptron of any depth.

Networks are batch-first: they take a whole batch of shape (batch, inputs).
"""

from typing import NamedTuple

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from layerwise.nets import noise
from layerwise.nets.activation import activate
from layerwise.recipe import records as r

NOISE, DROPOUT = 1, 2  # what is drawn at a layer, in this order


class Training(eqx.Module):
    """What a forward pass needs only while training: randomness and how much of it.

    `dropout`, `input_dropout` (probabilities) and `noise` (a standard deviation, in the units of the
    encoded inputs) are None where the program leaves them out altogether.
    """

    key: noise.Key
    dropout: Float[Array, ""] | None
    input_dropout: Float[Array, ""] | None
    noise: Float[Array, ""] | None


class Dense(eqx.Module):
    """x W^T + b: `weight` of shape (outputs, inputs), one row a unit; `bias` of shape (outputs,)."""

    weight: Float[Array, "outputs inputs"]
    bias: Float[Array, " outputs"]

    def __call__(self, x: Float[Array, "batch inputs"]) -> Float[Array, "batch outputs"]:
        return x @ self.weight.T + self.bias


class Embed(eqx.Module):
    """Replaces a column of category codes by the code's row of `table`, of shape (categories, width)."""

    table: Float[Array, "categories width"]
    column: int = eqx.field(static=True)

    def __call__(self, x: Float[Array, "batch inputs"]) -> Float[Array, "batch width"]:
        return self.table[x[:, self.column].astype(jnp.int32)]


class Pass(NamedTuple):
    """A layer's weighted sums z and its values g(z); in training these are after dropout, as they go on."""

    sums: Float[Array, "batch units"]
    values: Float[Array, "batch units"]


class MLP(eqx.Module):
    """A multi-layer perceptron; without hidden layers a single linear one.

    `kept` are the input columns that go in as they are, before the embedded ones; empty where all do.
    `activations` has one entry a layer, the last being the output's.
    """

    embeds: tuple[Embed, ...]
    layers: tuple[Dense, ...]
    kept: tuple[int, ...] = eqx.field(static=True)
    activations: tuple[r.Activation, ...] = eqx.field(static=True)

    def __call__(
        self, x: Float[Array, "batch inputs"], training: Training | None = None
    ) -> Float[Array, "batch outputs"]:
        """The outputs (for classes: logits) for a batch. `training` None is the deterministic pass."""
        return self.layerwise(x, training)[-1].values

    def layerwise(self, x: Float[Array, "batch inputs"], training: Training | None = None) -> list[Pass]:
        """What every layer computes, the output's last."""
        h = self.inputs(x)
        if training is not None and training.noise is not None:
            h = h + training.noise * noise.normal(_key(training, 0, NOISE), h.shape)
        if training is not None and training.input_dropout is not None:
            h = dropout(h, training.input_dropout, _key(training, 0, DROPOUT))
        passes = []
        for number, (layer, kind) in enumerate(zip(self.layers, self.activations, strict=True), start=1):
            z = layer(h)
            draws = training is not None and isinstance(kind, r.NoisyRelu)
            h = activate(kind, z, _key(training, number, NOISE) if training is not None and draws else None)
            if training is not None and training.dropout is not None and number < len(self.layers):
                h = dropout(h, training.dropout, _key(training, number, DROPOUT))
            passes.append(Pass(z, h))
        return passes

    def inputs(self, x: Float[Array, "batch inputs"]) -> Float[Array, "batch width"]:
        """What the first layer sees: the plain columns and the embedded codes side by side."""
        if not self.embeds:
            return x
        plain = [x[:, jnp.array(self.kept, jnp.int32)]] if self.kept else []
        return jnp.concatenate([*plain, *(embed(x) for embed in self.embeds)], axis=1)


def _key(training: Training, layer: int, what: int) -> noise.Key:
    """The key of what is drawn at a layer (0 is the input), whatever else is drawn in the same pass."""
    return noise.stream(training.key, 2 * layer + what)


def dropout(x: Float[Array, "*shape"], rate: Float[Array, ""], key: noise.Key) -> Float[Array, "*shape"]:
    """Zero each value with probability `rate`, scale the others by 1/(1 - rate) (Srivastava et al. 2014)."""
    return jnp.where(noise.uniform(key, x.shape) < rate, 0, x / (1 - rate))
