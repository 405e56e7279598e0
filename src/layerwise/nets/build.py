"""From the recipe's network record to a network with initial weights: one literal `match`."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Protocol, runtime_checkable

import jax
import numpy as np

from layerwise.errors import RecipeError
from layerwise.nets.dense import MLP, Dense, Embed
from layerwise.nets.initialize import for_activation, initial
from layerwise.recipe import records as r

MAX_PARAMETERS = 2_000_000_000


@runtime_checkable
class Code(Protocol):
    """An input column that holds category codes 0 .. size-1, to be embedded in `width` numbers."""

    @property
    def column(self) -> int: ...
    @property
    def size(self) -> int: ...
    @property
    def width(self) -> int: ...


def build(network: r.Network, *, inputs: int, outputs: int, codes: Sequence[Code], seed: int) -> MLP:
    """The network of a recipe, its weights drawn from `seed`.

    Raises `RecipeError` where weights given by hand do not fit the data's inputs and outputs, or the
    kind of network is not one that this version trains.

    >>> net = build(r.Mlp(hidden=(3,)), inputs=2, outputs=1, codes=(), seed=0)
    >>> [layer.weight.shape for layer in net.layers]
    [(3, 2), (1, 3)]
    """
    match network:
        case r.PerceptronNet(weights=weights):
            return _dense((), (), r.Linear(), "zeros", weights, inputs, outputs, codes, seed)
        case r.LinearNet(initialization=kind, weights=weights):
            return _dense(
                (), (), r.Linear(), "zeros" if kind == "auto" else kind, weights, inputs, outputs, codes, seed
            )
        case r.Mlp(hidden=hidden, activation=activation, output=output, initialization=kind, weights=weights):
            per_layer = activation if isinstance(activation, tuple) else (activation,) * len(hidden)
            return _dense(hidden, per_layer, _output(output), kind, weights, inputs, outputs, codes, seed)
        case r.Cnn() | r.Lstm() | r.ConvAutoencoder():
            raise RecipeError(
                "this version trains perceptron, linear and mlp networks",
                received=str(type(network).__struct_config__.tag),
                remedy='use network = { kind = "mlp" }',
            )


def _output(name: str) -> r.Activation:
    """The output's own activation; where the task applies its link (sigmoid, softmax), linear."""
    match name:
        case "tanh":
            return r.Tanh()
        case "step":
            return r.Step()
        case _:
            return r.Linear()


def _dense(
    hidden: tuple[int, ...],
    activations: tuple[r.Activation, ...],
    output: r.Activation,
    kind: r.Initialization,
    weights: r.HandWeights,
    inputs: int,
    outputs: int,
    codes: Sequence[Code],
    seed: int,
) -> MLP:
    coded = {code.column for code in codes}
    kept = tuple(column for column in range(inputs) if column not in coded) if coded else ()
    width = (len(kept) if coded else inputs) + sum(code.width for code in codes)
    widths = (width, *hidden, outputs)
    count = sum(a * b + b for a, b in pairwise(widths))
    if count > MAX_PARAMETERS:
        raise RecipeError(
            f"a network has at most {MAX_PARAMETERS:,} parameters",
            received=f"{count:,} parameters with layers of {widths}",
            remedy="make the hidden layers smaller",
        )
    every = (*activations, output)
    random = np.random.default_rng(seed)
    if weights:
        layers = _by_hand(weights, widths)
    else:
        layers = tuple(
            _layer(*initial(for_activation(activation) if kind == "auto" else kind, random, units, fan_in))
            for (fan_in, units), activation in zip(pairwise(widths), every, strict=True)
        )
    embeds = tuple(
        Embed(jax.device_put(0.1 * random.standard_normal((code.size, code.width), np.float32)), code.column)
        for code in codes
    )
    return MLP(embeds, layers, kept, every)


def _layer(weight: np.ndarray, bias: np.ndarray) -> Dense:
    return Dense(jax.device_put(weight), jax.device_put(bias))


def _by_hand(weights: r.HandWeights, widths: Sequence[int]) -> tuple[Dense, ...]:
    """Layers from rows of [bias, w1, w2, ...]."""
    for number, (matrix, fan_in, units) in enumerate(zip(weights, widths[:-1], widths[1:], strict=True), start=1):
        if len(matrix) != units or len(matrix[0]) != fan_in + 1:
            raise RecipeError(
                f"the weights of layer {number} are {units} rows of {fan_in + 1} numbers: a bias and {fan_in} weights",
                received=f"{len(matrix)} rows of {len(matrix[0])} numbers",
                remedy="write each unit as [bias, w1, w2, ...]",
            )
    matrices = [np.array(matrix, np.float32) for matrix in weights]
    return tuple(_layer(matrix[:, 1:].copy(), matrix[:, 0].copy()) for matrix in matrices)
