"""What the units of a network do on data: their values, which are saturated or dead, how errors reach them.

All of it belongs to the deterministic pass, without dropout and noise. Beside it stands one training step: what
it changes the weights by, and whose step it is.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Float64, Int64

from layerwise.errors import RunError
from layerwise.inspection.curves import Zone, zones
from layerwise.inspection.gradients import settled
from layerwise.inspection.plain import layer_name, name
from layerwise.inspection.samples import Sample, mean_of
from layerwise.inspection.subjects import Subject
from layerwise.nets import noise
from layerwise.nets.dense import MLP, Dense, Pass
from layerwise.recipe import records as r
from layerwise.tasks.objective import Objective
from layerwise.training import checkpoint
from layerwise.training.hyper import Hyper
from layerwise.training.loop import State, start_purely
from layerwise.training.optimizer import rate_factor
from layerwise.training.step import Batch, Program, fresh, step

BINS = 40  # of a histogram


@dataclass(frozen=True)
class Update:
    """What one step of the recipe's optimizer changes: `change` is new minus old weights.

    `words` say which step it is: the next one of a run, with the optimizer's memory that its folder
    keeps; or the first one, with none.
    """

    change: MLP
    words: str


@dataclass(frozen=True)
class Histogram:
    """How many values lie between one edge and the next; the last bin holds its upper edge, too."""

    edges: Float64[np.ndarray, " edges"]
    counts: Int64[np.ndarray, " bins"]


@dataclass(frozen=True)
class LayerActivations:
    """One layer on the rows looked at.

    `sums` are the weighted sums z of all units and rows, `values` are g(z). `saturated` is the share of all
    (unit, row) pairs whose slope g'(z) is at most a twentieth of the function's largest, on a side where it
    tends to 0; `off` that of those where it is exactly 0. `dead` are the units, from 1, that are off on
    every row, and `stuck` those that are saturated or off on every row.

    `gradients` are the derivatives of the loss, the mean over the rows, by each of the layer's weights and
    biases, and `gradient_norm` is their Euclidean norm. `weight_norm` is that of weights and biases, and
    `update_norm` that of what one training step changes them by (NaN where nothing is trained).
    """

    name: str
    activation: str
    units: int
    sums: Histogram
    values: Histogram
    gradients: Histogram
    saturated: float
    off: float
    dead: tuple[int, ...]
    stuck: tuple[int, ...]
    gradient_norm: float
    weight_norm: float
    update_norm: float

    @property
    def update_ratio(self) -> float:
        """The size of a step beside that of the weights; NaN where there is either none."""
        return self.update_norm / self.weight_norm if self.weight_norm else float("nan")


@dataclass(frozen=True)
class Activations:
    """The layers of a network, the output last, on `rows` rows, and the mean loss over these.

    `step` says which training step the update norms are of, in words; empty where nothing is trained.
    """

    rows: int
    loss: float
    step: str
    layers: tuple[LayerActivations, ...]

    @property
    def gradient_ratio(self) -> float:
        """The gradient's norm in the first layer beside that in the last; NaN where the last has none."""
        first, last = self.layers[0].gradient_norm, self.layers[-1].gradient_norm
        return first / last if last else float("nan")


class Measured(NamedTuple):
    """What every layer computes, the mean loss and its gradient."""

    layers: list[Pass]
    loss: Float[Array, ""]
    gradient: MLP


def activations(network: MLP, objective: Objective, rows: Sample, update: Update | None = None) -> Activations:
    """The statistics of every layer on some rows. `update` is the training step that the update norms are of.

    >>> from layerwise.inspection import subject
    >>> from layerwise.inspection.samples import sample
    >>> found = subject("xor-by-hand")
    >>> seen = activations(found.network, found.objective, sample(found))
    >>> int(seen.layers[0].values.counts.sum()), seen.layers[0].off
    (8, 1.0)
    """
    measured = _measured(objective, network, rows)
    last = len(network.layers)
    layers = tuple(
        _layer(
            layer_name(number, last),
            kind,
            np.asarray(measured.layers[number - 1].sums, np.float64),
            np.asarray(measured.layers[number - 1].values, np.float64),
            gradient=measured.gradient.layers[number - 1],
            weight_norm=norm(network.layers[number - 1]),
            update_norm=float("nan") if update is None else norm(update.change.layers[number - 1]),
        )
        for number, kind in enumerate(network.activations, start=1)
    )
    return Activations(len(rows.x), float(measured.loss), "" if update is None else update.words, layers)


@partial(jax.jit, static_argnums=0)
def _measured(objective: Objective, network: MLP, rows: Sample) -> Measured:
    def loss(network: MLP) -> tuple[Float[Array, ""], list[Pass]]:
        layers = network.layerwise(rows.x)
        return mean_of(objective, layers[-1].values, rows), layers

    (mean, layers), gradient = jax.value_and_grad(loss, has_aux=True)(network)
    return Measured(layers, mean, gradient)


def _layer(
    title: str,
    kind: r.Activation,
    sums: Float64[np.ndarray, "rows units"],
    values: Float64[np.ndarray, "rows units"],
    *,
    gradient: Dense,
    weight_norm: float,
    update_norm: float,
) -> LayerActivations:
    saturated, off = (_within(some, sums) for some in zones(kind))
    return LayerActivations(
        name=title,
        activation=name(kind),
        units=int(sums.shape[1]),
        sums=histogram(sums),
        values=histogram(values),
        gradients=histogram(np.concatenate([np.ravel(leaf) for leaf in jax.tree.leaves(gradient)]).astype(np.float64)),
        saturated=float(saturated.mean()),
        off=float(off.mean()),
        dead=_numbers(off),
        stuck=_numbers(off | saturated),
        gradient_norm=norm(gradient),
        weight_norm=weight_norm,
        update_norm=update_norm,
    )


def _within(some: Iterable[Zone], z: Float64[np.ndarray, "rows units"]) -> Bool[np.ndarray, "rows units"]:
    found = np.zeros(z.shape, np.bool_)
    for zone in some:
        found |= (z >= zone.low) & (z <= zone.high)
    return found


def _numbers(condition: Bool[np.ndarray, "rows units"]) -> tuple[int, ...]:
    """The units, from 1, that it holds for on every row."""
    return tuple((np.flatnonzero(condition.all(axis=0)) + 1).tolist())


def histogram(values: Float64[np.ndarray, "*shape"]) -> Histogram:
    """Forty bins over the values that are finite; those of an activation's bounds have bins of their own.

    >>> histogram(np.array([0.0, 0.0, 1.0])).counts[[0, -1]]
    array([2, 1])
    """
    finite = values[np.isfinite(values)]
    low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 0.0)
    narrowest = 2 * BINS * float(np.spacing(max(abs(low), abs(high))))  # below it edges of bins would be one number
    if high - low < narrowest:
        low, high = low - max(0.5, narrowest), high + max(0.5, narrowest)
    counts, edges = np.histogram(finite, BINS, (low, high))
    return Histogram(edges.astype(np.float64), counts.astype(np.int64))


def norm(tree: object) -> float:
    """The Euclidean norm over all arrays of a tree."""
    return float(np.sqrt(sum(np.square(np.asarray(leaf, np.float64)).sum() for leaf in jax.tree.leaves(tree))))


# ── one training step, to be looked at ────────────────────────────────────────────────────────────


def update(found: Subject) -> Update | None:
    """The next step of a run, or else the first of the network; None where the recipe trains nothing.

    A run goes on from its last weights, which need not be its best. The batch is spread evenly over the
    training part; the learning rate is that of the schedule at this step, from the usual one where the
    recipe has it found.

    >>> from layerwise.inspection import subject
    >>> update(subject("xor")).words
    'the first step of adam from these weights, learning rate 0.01, a batch of 32'
    """
    train = found.recipe.train
    if not isinstance(train, r.Train):
        return None
    law, settings, notes = settled(train, found.recipe.task, found.objective, train.batch_size)
    whole = isinstance(train.optimizer, r.Lbfgs)
    rows = found.dataset.train if whole else found.sample("train", train.batch_size)
    batch = Batch(*map(jnp.asarray, found.batch(rows)))
    kept = _state(found, law, settings)
    weights = fresh(law, found.network, settings) if kept is None else kept.weights
    number, scale = (jnp.int32(0), jnp.float32(1)) if kept is None else (kept.step, kept.scale)
    per_epoch = jnp.int32(-(-found.dataset.train.size // train.batch_size))
    rate = settings.learning_rate * scale * rate_factor(law.schedule, number, per_epoch, settings)
    # Compiled as a whole, since bit by bit it takes longer.
    advance = jax.jit(partial(step, law))
    after, _, _ = advance(weights, batch, settings, rate, noise.key(found.recipe.seed))
    change = jax.tree.map(lambda new, old: new - old, after.network, weights.network)
    which = "the first step of {} from these weights" if kept is None else "the next step of {} in this run"
    said = which.format(name(train.optimizer))
    told = f"{said}, learning rate {float(rate):.3g}, a batch of {rows.size:,}"
    return Update(change, "; ".join((told, *notes)))


def _state(found: Subject, law: Program, settings: Hyper) -> State | None:
    """The state of training in a run's folder, where there is one that fits."""
    if found.folder is None or not found.folder.state.is_file():
        return None
    like = jax.eval_shape(partial(start_purely, law), found.network, settings)
    try:
        return checkpoint.read(found.folder.state, like)
    except RunError:  # of another version, or broken: the run itself can still be looked at
        return None
