"""Hidden layers padded to common widths, so that networks of several sizes share one program.

The added units have weight 0 into and out of them. Into them that stays so by itself, since nothing
comes back from units that lead nowhere; out of them the gradient is kept at 0, because a unit of
sigmoids gives 1/2 at 0. What the network computes is unchanged but for the order of its sums.
"""

from collections.abc import Sequence
from itertools import pairwise

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from layerwise.nets.dense import MLP, Dense

Units = tuple[Float[Array, " width"], ...]  # per hidden layer, 1 for the units that are there and 0 for padding


def hidden_widths(network: MLP) -> tuple[int, ...]:
    """How many units each hidden layer has."""
    return tuple(int(layer.weight.shape[0]) for layer in network.layers[:-1])


def widened(network: MLP, hidden: Sequence[int]) -> MLP:
    """The same network with hidden layers of `hidden` units, none fewer than it has."""
    inputs, outputs = network.layers[0].weight.shape[1], network.layers[-1].weight.shape[0]
    layers = tuple(
        Dense(_padded(layer.weight, (units, fan_in)), _padded(layer.bias, (units,)))
        for layer, (fan_in, units) in zip(network.layers, pairwise((inputs, *hidden, outputs)), strict=True)
    )
    changed: MLP = eqx.tree_at(lambda net: net.layers, network, layers)
    return changed


def units(network: MLP, hidden: Sequence[int]) -> Units:
    """Which units of the widened network are there."""
    real = zip(hidden_widths(network), hidden, strict=True)
    return tuple(jnp.asarray((np.arange(wide) < width).astype(np.float32)) for width, wide in real)


def masked(gradient: MLP, units: Units) -> MLP:
    """The gradient of a widened network with the padding's share left out."""
    one = jnp.ones(())
    layers = tuple(
        Dense(
            layer.weight * (after[:, None] if after.ndim else after) * (before if before.ndim else one),
            layer.bias * after,
        )
        for layer, before, after in zip(gradient.layers, (one, *units), (*units, one), strict=True)
    )
    changed: MLP = eqx.tree_at(lambda net: net.layers, gradient, layers)
    return changed


def _padded(array: Array, shape: tuple[int, ...]) -> Array:
    return jnp.asarray(np.pad(np.asarray(array), [(0, n - m) for m, n in zip(array.shape, shape, strict=True)]))
