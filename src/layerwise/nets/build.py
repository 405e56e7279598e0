"""From the recipe's network record to a network with initial weights: one literal `match`."""

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple, Protocol, runtime_checkable

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


class Layer(NamedTuple):
    """A fully connected layer to be: so many `units`, each with a weight for each of the `inputs` and a bias."""

    inputs: int
    units: int
    activation: r.Activation


class Layout(NamedTuple):
    """The shapes of a network: `tables` are the (categories, width) of what is embedded, in the order of the codes."""

    tables: tuple[tuple[int, int], ...]
    layers: tuple[Layer, ...]

    @property
    def parameters(self) -> int:
        """Weights, biases and embedded numbers together."""
        return sum(a * b for a, b in self.tables) + sum((layer.inputs + 1) * layer.units for layer in self.layers)


def layout(network: r.Network, *, inputs: int, outputs: int, codes: Sequence[Code] = ()) -> Layout:
    """The shapes of a recipe's network, without making it.

    Raises `RecipeError` where the kind of network is not one that this version trains.

    >>> layout(r.Mlp(hidden=(1000, 1000, 1000)), inputs=100 * 100, outputs=10).parameters
    12013010
    """
    hidden: tuple[int, ...] = ()
    activations: tuple[r.Activation, ...] = ()
    output: r.Activation = r.Linear()
    match network:
        case r.Mlp(hidden=hidden, activation=activation, output=name):
            activations = activation if isinstance(activation, tuple) else (activation,) * len(hidden)
            output = _output(name)
        case r.Cnn() | r.Lstm() | r.ConvAutoencoder():
            raise RecipeError(
                "this version trains perceptron, linear and mlp networks",
                received=str(type(network).__struct_config__.tag),
                remedy='use network = { kind = "mlp" }',
            )
    coded = {code.column for code in codes}
    width = inputs - len(coded) + sum(code.width for code in codes)
    layers = zip(pairwise((width, *hidden, outputs)), (*activations, output), strict=True)
    return Layout(
        tuple((code.size, code.width) for code in codes),
        tuple(Layer(fan_in, units, activation) for (fan_in, units), activation in layers),
    )


def build(network: r.Network, *, inputs: int, outputs: int, codes: Sequence[Code], seed: int) -> MLP:
    """The network of a recipe, its weights drawn from `seed`.

    Raises `RecipeError` where weights given by hand do not fit the data's inputs and outputs, or the
    kind of network is not one that this version trains.

    >>> net = build(r.Mlp(hidden=(3,)), inputs=2, outputs=1, codes=(), seed=0)
    >>> [layer.weight.shape for layer in net.layers]
    [(3, 2), (1, 3)]
    """
    shapes = layout(network, inputs=inputs, outputs=outputs, codes=codes)
    if shapes.parameters > MAX_PARAMETERS:
        widths = (shapes.layers[0].inputs, *(layer.units for layer in shapes.layers))
        raise RecipeError(
            f"a network has at most {MAX_PARAMETERS:,} parameters",
            received=f"{shapes.parameters:,} parameters with layers of {widths}",
            remedy="make the hidden layers smaller",
        )
    random = np.random.default_rng(seed)
    weights: r.HandWeights = getattr(network, "weights", ())
    layers = _by_hand(weights, shapes.layers) if weights else _drawn(_initialization(network), shapes.layers, random)
    embeds = tuple(
        Embed(jax.device_put(0.1 * random.standard_normal((code.size, code.width), np.float32)), code.column)
        for code in codes
    )
    coded = {code.column for code in codes}
    kept = tuple(column for column in range(inputs) if column not in coded) if coded else ()
    return MLP(embeds, layers, kept, tuple(layer.activation for layer in shapes.layers))


def _initialization(network: r.Network) -> r.Initialization:
    """How its weights are drawn; without hidden layers zeros are as good a start as any."""
    kind: r.Initialization = getattr(network, "initialization", "zeros")
    return "zeros" if kind == "auto" and not isinstance(network, r.Mlp) else kind


def _output(name: str) -> r.Activation:
    """The output's own activation; where the task applies its link (sigmoid, softmax), linear."""
    match name:
        case "tanh":
            return r.Tanh()
        case "step":
            return r.Step()
        case _:
            return r.Linear()


def _drawn(kind: r.Initialization, layers: Sequence[Layer], random: np.random.Generator) -> tuple[Dense, ...]:
    return tuple(
        _layer(
            *initial(for_activation(layer.activation) if kind == "auto" else kind, random, layer.units, layer.inputs)
        )
        for layer in layers
    )


def _layer(weight: np.ndarray, bias: np.ndarray) -> Dense:
    return Dense(jax.device_put(weight), jax.device_put(bias))


def _by_hand(weights: r.HandWeights, layers: Sequence[Layer]) -> tuple[Dense, ...]:
    """Layers from rows of [bias, w1, w2, ...]."""
    for number, (matrix, (fan_in, units, _)) in enumerate(zip(weights, layers, strict=True), start=1):
        if len(matrix) != units or len(matrix[0]) != fan_in + 1:
            raise RecipeError(
                f"the weights of layer {number} are {units} rows of {fan_in + 1} numbers: a bias and {fan_in} weights",
                received=f"{len(matrix)} rows of {len(matrix[0])} numbers",
                remedy="write each unit as [bias, w1, w2, ...]",
            )
    matrices = [np.array(matrix, np.float32) for matrix in weights]
    return tuple(_layer(matrix[:, 1:].copy(), matrix[:, 0].copy()) for matrix in matrices)
