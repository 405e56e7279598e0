"""What a network consists of and what it costs, before anything is trained or even read."""

from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import msgspec

from layerwise.data.dataset import Encoder
from layerwise.inspection.plain import layer_name, name
from layerwise.nets.build import Layout, layout
from layerwise.recipe import records as r
from layerwise.tasks.objective import Objective
from layerwise.training.hyper import hyper
from layerwise.training.optimizer import optimizer

FLOAT = 4  # bytes


@dataclass(frozen=True)
class LayerSummary:
    """One layer: what goes in and comes out, its parameters, and its work.

    `forward` are the floating-point operations for one example, a multiplication and an addition
    counted as two; those of the activation function are not counted. `training` are those of one
    example's forward and backward pass: beside the outputs the weights' gradient, and the error of the
    inputs where something before them learns.
    """

    name: str
    kind: str
    activation: str
    inputs: int
    units: int
    weights: int
    biases: int
    forward: int
    training: int

    @property
    def parameters(self) -> int:
        """Weights and biases."""
        return self.weights + self.biases


@dataclass(frozen=True)
class Summary:
    """A network layer by layer, with its totals; memory in bytes.

    `activations` is what one batch keeps between the forward and the backward pass: the inputs and
    every layer's weighted sums and outputs. `optimizer_state` holds the optimizer's moments;
    `gradients` are as large as the parameters.
    """

    inputs: int
    layers: tuple[LayerSummary, ...]
    batch_size: int
    optimizer: str
    parameter_bytes: int
    activation_bytes: int
    optimizer_bytes: int

    @property
    def weights(self) -> int:
        """All weights, embedded numbers among them."""
        return sum(layer.weights for layer in self.layers)

    @property
    def biases(self) -> int:
        """All biases."""
        return sum(layer.biases for layer in self.layers)

    @property
    def parameters(self) -> int:
        """All that is learned."""
        return self.weights + self.biases

    @property
    def forward(self) -> int:
        """Operations of one example's forward pass."""
        return sum(layer.forward for layer in self.layers)

    @property
    def training(self) -> int:
        """Operations of one training step on a whole batch, the optimizer's own left out."""
        return self.batch_size * sum(layer.training for layer in self.layers)


def summary(layout: Layout, inputs: int, train: r.Train | None = None) -> Summary:
    """The summary of a network of this `layout`, which `inputs` numbers go into.

    `train` says the batch size and the optimizer; else they are the recipe's defaults.

    >>> from layerwise.nets.build import layout
    >>> shapes = layout(r.Mlp(hidden=(1000, 1000, 1000)), inputs=100 * 100, outputs=10)
    >>> found = summary(shapes, 100 * 100)
    >>> found.weights, found.biases, found.parameters
    (12010000, 3010, 12013010)
    """
    train = train or r.Train()
    layers = [_table(number, table) for number, table in enumerate(layout.tables, start=1)]
    last = len(layout.layers)
    for number, (fan_in, units, activation) in enumerate(layout.layers, start=1):
        product = 2 * fan_in * units
        backward = product if number > 1 or layout.tables else 0
        layers.append(
            LayerSummary(
                name=layer_name(number, last),
                kind="dense",
                activation=name(activation),
                inputs=fan_in,
                units=units,
                weights=fan_in * units,
                biases=units,
                forward=product + units,
                training=2 * product + 2 * units + backward,
            )
        )
    kept = layout.layers[0].inputs + sum(
        layer.units * (1 if isinstance(layer.activation, r.Linear) else 2) for layer in layout.layers
    )
    return Summary(
        inputs=inputs,
        layers=tuple(layers),
        batch_size=train.batch_size,
        optimizer=name(train.optimizer),
        parameter_bytes=FLOAT * layout.parameters,
        activation_bytes=FLOAT * train.batch_size * kept,
        optimizer_bytes=_optimizer_bytes(layout, train),
    )


def summary_of(recipe: r.Recipe, objective: Objective, encoder: Encoder) -> Summary:
    """The summary of a resolved recipe's network, for data encoded so."""
    codes, train = encoder.embeddings, recipe.train
    shapes = layout(recipe.network, inputs=encoder.width, outputs=objective.outputs, codes=codes)
    return summary(shapes, encoder.width, train if isinstance(train, r.Train) else None)


def _table(number: int, table: tuple[int, int]) -> LayerSummary:
    """An embedding: rows are looked up, and only those of the batch get a gradient."""
    categories, width = table
    return LayerSummary(
        name=f"embedding {number}",
        kind="embedding",
        activation="linear",
        inputs=1,
        units=width,
        weights=categories * width,
        biases=0,
        forward=0,
        training=width,
    )


def _optimizer_bytes(layout: Layout, train: r.Train) -> int:
    """The size of the optimizer's own arrays, as Optax would make them; no number is computed."""
    shapes = [shape for layer in layout.layers for shape in ((layer.units, layer.inputs), (layer.units,))]
    struct: Any = jax.ShapeDtypeStruct  # untyped
    parameters = [struct(shape, jnp.float32) for shape in (*layout.tables, *shapes)]
    settings = hyper(msgspec.structs.replace(train, learning_rate=1.0, weight_decay=0.0), r.Classify())
    memory = train.optimizer.memory if isinstance(train.optimizer, r.Lbfgs) else 0
    state = jax.eval_shape(lambda p: optimizer(type(train.optimizer), settings, memory).init(p), parameters)
    return sum(leaf.size * leaf.dtype.itemsize for leaf in jax.tree.leaves(state))
