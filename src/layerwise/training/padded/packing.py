"""Between recipes and networks on one side and the padded program's arrays on the other."""

from typing import Any

import jax
import numpy as np
from jaxtyping import Float32

from layerwise.data.dataset import Dataset, Rows
from layerwise.nets.dense import MLP, Dense
from layerwise.recipe import records as r
from layerwise.tasks.objective import Objective
from layerwise.training.hyper import hyper
from layerwise.training.padded.records import (
    ACTIVATIONS,
    LOSSES,
    RUNNING,
    SCHEDULES,
    STANDARD,
    Law,
    Parameters,
    Point,
    Room,
    Settings,
    Shape,
    State,
    Table,
)


def shape(network: MLP, room: Room = STANDARD) -> Shape:
    """Which layers and units a network has."""
    units, kinds, slopes = _floats(room.layers, room.width), _integers(room.layers), _floats(room.layers)
    *hidden, last = network.layers
    for number, (own, kind) in enumerate(zip(hidden, network.activations[:-1], strict=True)):
        units[number, : own.bias.size] = 1
        kinds[number] = ACTIVATIONS.index(type(kind))
        slopes[number] = getattr(kind, "slope", getattr(kind, "alpha", 0.0))
    outputs = _floats(room.width)
    outputs[: last.bias.size] = 1
    return Shape(_integer(len(hidden)), units, outputs, kinds, slopes)


def _floats(*shape: int) -> Any:
    """Zeros; NumPy's arrays serve wherever JAX's do, and cost no call."""
    return np.zeros(shape, np.float32)


def _integers(*shape: int) -> Any:
    return np.zeros(shape, np.int32)


def _integer(value: int) -> Any:
    return np.int32(value)


def pack(network: MLP, room: Room = STANDARD) -> Parameters:
    """A network's weights and biases in the padded program's arrays."""
    layers, width, _ = room
    weight, bias = _floats(layers + 1, width, width), _floats(layers + 1, width)
    for number, own in enumerate(network.layers):
        place = -1 if number == len(network.layers) - 1 else number
        units, inputs = own.weight.shape
        weight[place, :units, :inputs] = own.weight
        bias[place, :units] = own.bias
    return Parameters(weight, bias)


def unpack(parameters: Parameters, like: MLP) -> MLP:
    """The network of the padded program's arrays, in the shape of `like`."""
    layers = []
    for number, own in enumerate(like.layers):
        place = -1 if number == len(like.layers) - 1 else number
        units, inputs = own.weight.shape
        weight = np.array(parameters.weight[place])[:units, :inputs]
        layers.append(
            Dense(jax.device_put(weight.copy()), jax.device_put(np.array(parameters.bias[place])[:units].copy()))
        )
    return MLP((), tuple(layers), (), like.activations)


def settings(train: r.Train, task: r.Task, objective: Objective) -> Settings:
    """The arrays of a resolved recipe."""
    loss = objective.loss if objective.kind == "quantities" else "classes" if objective.kind == "classes" else "binary"
    return Settings(
        hyper=hyper(train, task),
        law=law(train.optimizer),
        schedule=_integer(SCHEDULES.index(type(train.schedule))),
        batch_size=_integer(train.batch_size),
        loss=_integer(LOSSES.index(loss)),
    )


def table(dataset: Dataset, weight: Float32[np.ndarray, " rows"], objective: Objective, room: Room = STANDARD) -> Table:
    """The rows on the device, `weight` being each one's in the loss; several classes become one-hot rows."""
    x, y = dataset.x, dataset.y
    padded_x, padded_y, heavy = _floats(room.rows, room.width), _floats(room.rows, room.width), _floats(room.rows)
    rows = order(dataset)
    padded_x[: len(x), : x.shape[1]] = x[rows]
    match objective.kind:
        case "classes":
            padded_y[np.arange(len(y)), y[rows]] = 1
        case "quantities" | "labels":
            padded_y[: len(y), : y.shape[1]] = y[rows]
        case _:
            padded_y[: len(y), 0] = y[rows]
    heavy[: len(x)] = weight[rows]
    train, validation = dataset.train.size, dataset.validation.size
    spread = _floats(2, room.width)
    spread[:] = np.nan
    for number, part in enumerate((padded_y[:train], padded_y[train : train + validation])):
        if len(part):
            spread[number] = len(part) * part.var(axis=0, dtype=np.float64)
    x_columns, y_columns = (_floats(room.width, room.rows) for _ in range(2))
    x_columns[:], y_columns[:] = padded_x.T, padded_y.T
    placed: Table = jax.device_put(
        Table(padded_x, padded_y, heavy, x_columns, y_columns, spread, _integer(train), _integer(validation))
    )
    return placed


def order(dataset: Dataset) -> Rows:
    """The rows of a data set as they follow one another in its table: the two parts that are looked at, the others."""
    parts = np.concatenate([dataset.train, dataset.validation])
    return np.concatenate([parts, np.setdiff1d(np.arange(len(dataset.x)), parts)])


def fresh(parameters: Parameters) -> State:
    """The state before the first step. Every array is its own, since the state will be donated."""

    def point() -> Point:
        return Point(_own(parameters), zeros(), zeros(), _number(0), _number(0))

    def zeros() -> Parameters:
        return _own(Parameters(*(_floats(*part.shape) for part in parameters)))

    return State(
        now=point(),
        good=point(),
        best=_own(parameters),
        best_value=jax.device_put(np.array(np.inf, np.float32)),
        best_step=_number(0),
        waited=_number(0),
        status=_number(RUNNING),
    )


def _own(parameters: Parameters) -> Parameters:
    """A copy on the device."""
    return Parameters(*(jax.device_put(np.array(part, np.float32)) for part in parameters))


def _number(value: int) -> Any:
    return jax.device_put(np.array(value, np.int32))


def law(optimizer: r.Optimizer) -> Law:
    """The coefficients of an optimizer of the recipe."""
    keep, take, v_keep, v_take, old, new, g, epsilon, division = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0
    match optimizer:
        case r.Momentum(momentum=b):
            keep, take, new, g = b, 1.0, 1.0, 0.0
        case r.Nesterov(momentum=b):
            keep, take, new, g = b, 1.0, b, 1.0
        case r.Adagrad(epsilon=e):
            v_keep, v_take, epsilon, division = 1.0, 1.0, e, 1
        case r.RmsProp(decay=b, epsilon=e):
            v_keep, v_take, epsilon, division = b, 1 - b, e, 1
        case r.Adam(beta1=b1, beta2=b2, epsilon=e) | r.AdamW(beta1=b1, beta2=b2, epsilon=e):
            keep, take, v_keep, v_take, new, g, epsilon, division = b1, 1 - b1, b2, 1 - b2, 1.0, 0.0, e, 2
        case r.Lion(beta1=b1, beta2=b2):
            keep, take, old, g, division = b2, 1 - b2, b1, 1 - b1, 3
        case _:
            pass
    floats = (np.float32(value) for value in (keep, take, v_keep, v_take, old, new, g, epsilon))
    coefficients: Any = (*floats, np.int32(division))  # NumPy's scalars serve as arrays
    return Law(*coefficients)
