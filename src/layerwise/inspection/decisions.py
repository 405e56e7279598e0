"""What a network decides at every point of a plane through its inputs, and what each hidden unit computes there."""

from collections.abc import Mapping
from dataclasses import dataclass

import jax
import numpy as np
from jaxtyping import Array, Float, Float32, Float64, Int64, Shaped

from layerwise.data.dataset import Classes, Dataset, Quantities, Target, spread
from layerwise.inspection.planes import Axis, Component, Over, Plane, plane
from layerwise.nets.dense import MLP
from layerwise.tasks.objective import Kind, Objective, accuracy_or_r2, decide, probabilities
from layerwise.training.forward import Forward

SHOWN = 400  # rows of each part
AT_ONCE = 1 << 24  # numbers of inputs that are made at a time
UNIT_STEP = 3  # of the plane's points every so many are taken for hidden units

Grid = Float32[np.ndarray, "ys xs outputs"]


@dataclass(frozen=True)
class Points:
    """Rows of a part where they stand on the plane: their numbers, and their targets.

    A target is the number of a class, 0 or 1 for each label, or quantities in their own unit. Places are NaN
    where a row has none, since a value is missing or of a category that is not shown.
    """

    part: str
    rows: Int64[np.ndarray, " points"]
    at_x: Float64[np.ndarray, " points"]
    at_y: Float64[np.ndarray, " points"]
    target: Shaped[np.ndarray, "points *outputs"]


@dataclass(frozen=True)
class HiddenUnits:
    """The activation of every hidden unit on the plane: for each layer an array of shape (ys, xs, units)."""

    x: Float64[np.ndarray, " xs"]
    y: Float64[np.ndarray, " ys"]
    layers: tuple[Float32[np.ndarray, "ys xs _"], ...]  # layers differ in width


@dataclass(frozen=True)
class DecisionSurface:
    """What a network says at the points of a plane.

    `values` are of shape (ys, xs, outputs): for classes the probability of each (a perceptron's are 0 and
    1), for labels each label's own, for quantities the value in its unit; `outputs` are their names.
    `held` are the columns that do not vary and what they are held at; `components` describe the axes where
    these are principal components. `points` are rows of the training and the validation part; the test
    part is left out. `fidelity` says how far the plane shows what the network does with those rows: the
    share of their decisions that are the same at their place on the plane, where their other inputs are
    not their own; for quantities R2 of the plane's values for the network's, the mean over them.
    """

    kind: Kind
    outputs: tuple[str, ...]
    x: Axis
    y: Axis
    values: Grid
    points: tuple[Points, ...]
    held: Mapping[str, str]
    components: tuple[Component, ...]
    fidelity: float
    units: HiddenUnits | None = None


def surface(
    network: MLP, objective: Objective, dataset: Dataset, over: Over = "auto", *, units: bool = False
) -> DecisionSurface:
    """The network's decisions over two columns, by name, or over the first two principal components ("pca").

    "auto" takes the columns where there are just two, else the components. With `units` the hidden units'
    activations come along. Raises `DataError` where a column does not exist, or where there are no two.

    >>> from layerwise.inspection import subject
    >>> found = subject({"data": {"kind": "named", "name": "iris"}})
    >>> told = surface(found.network, found.objective, found.dataset, ("petal length (cm)", "petal width (cm)"))
    >>> told.x.name, told.values.shape, sorted(told.held)
    ('petal length (cm)', (128, 128, 3), ['sepal length (cm)', 'sepal width (cm)'])
    """
    parts = {part: spread(dataset.part(part), SHOWN) for part in ("train", "validation")}
    shown = np.concatenate(list(parts.values()))
    found = plane(network, dataset, over, shown)
    forward = Forward(found.network)

    lines = max(1, AT_ONCE // found.along_x.size)
    ys = range(0, found.y.values.size, lines)
    outputs = np.concatenate([forward(found.inputs(slice(start, start + lines))) for start in ys])
    values = _meaning(objective, dataset.target, outputs)
    starts = np.cumsum([0, *(rows.size for rows in parts.values())]).tolist()
    return DecisionSurface(
        kind=objective.kind,
        outputs=_names(dataset.target),
        x=found.x,
        y=found.y,
        values=values.reshape(found.y.values.size, found.x.values.size, -1),
        points=tuple(
            Points(
                part,
                rows,
                found.spots[start:, 0][: rows.size],
                found.spots[start:, 1][: rows.size],
                _targets(dataset, rows),
            )
            for (part, rows), start in zip(parts.items(), starts, strict=False)
        ),
        held=found.held,
        components=found.components,
        fidelity=_fidelity(objective, Forward(network)(dataset.x[shown]), forward(found.projected)),
        units=_units(found) if units else None,
    )


def _names(target: Target) -> tuple[str, ...]:
    return target.names if isinstance(target, Classes) else target.columns


def _targets(dataset: Dataset, rows: Int64[np.ndarray, " rows"]) -> Shaped[np.ndarray, "rows *outputs"]:
    """What is true of some rows; quantities in their own unit."""
    y = dataset.y[rows]
    return dataset.target.in_units(y).astype(np.float32) if isinstance(dataset.target, Quantities) else y


def _meaning(
    objective: Objective, target: Target, outputs: Float32[np.ndarray, "rows outputs"]
) -> Float32[np.ndarray, "rows values"]:
    """Probabilities, or quantities in their own unit."""
    if isinstance(target, Quantities):
        return target.in_units(outputs).astype(np.float32)
    return probabilities(objective, outputs)


def _fidelity(
    objective: Objective, own: Float32[np.ndarray, "rows outputs"], there: Float32[np.ndarray, "rows outputs"]
) -> float:
    """How far the outputs on the plane are the network's own; see `DecisionSurface`."""
    match objective.kind:
        case "quantities":
            return accuracy_or_r2(objective, there, own)
        case "labels":
            return accuracy_or_r2(objective, there, (own > 0).astype(np.float32))
        case _:
            return accuracy_or_r2(objective, there, decide(objective, own))


@jax.jit
def _activations(network: MLP, x: Float[Array, "rows inputs"]) -> list[Float[Array, "rows _"]]:
    """The deterministic outputs of every hidden layer."""
    return [found.values for found in network.layerwise(x)[:-1]]


def _units(found: Plane) -> HiddenUnits:
    """The hidden units at every few points of a plane; at every level of a category."""
    steps = [1 if axis.levels else UNIT_STEP for axis in (found.x, found.y)]
    x, y = (axis.values[::step] for axis, step in zip((found.x, found.y), steps, strict=True))
    layers = _activations(found.network, found.inputs(slice(None, None, steps[1]), steps[0]))
    return HiddenUnits(x, y, tuple(np.asarray(layer).reshape(y.size, x.size, -1) for layer in layers))
