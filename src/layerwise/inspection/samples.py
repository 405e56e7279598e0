"""Rows that a loss is measured on, and the loss itself: what the surface, its curvature and its minima are of.

The rows of the validation part come in two halves where one chooses, so that nothing is judged by what chose it.
"""

from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree
from jaxtyping import Array, Bool, Float, Float32, Int64, Shaped

from layerwise.data.dataset import Classes, Dataset, Rows, spread
from layerwise.data.split import group_codes
from layerwise.inspection.subjects import MOST_ROWS, Subject
from layerwise.nets.dense import MLP
from layerwise.recipe import records as r
from layerwise.tasks.objective import Objective, example_losses
from layerwise.training import compile as _  # noqa: F401  (prepares JAX before the first compilation)


class Sample(NamedTuple):
    """Rows with their weights in the loss, and the two numbers that a loss may have of its own.

    `smoothing` is that of the labels, `delta` where Huber's loss turns linear.
    """

    x: Float[Any, "rows inputs"]
    y: Shaped[Any, "rows *outputs"]
    weight: Float[Any, " rows"]
    smoothing: Float[Any, ""] = np.zeros((), np.float32)
    delta: Float[Any, ""] = np.ones((), np.float32)


def sample(subject: Subject, part: str = "train", most: int = MOST_ROWS) -> Sample:
    """The rows of a part that weigh anything, evenly spread over it where there are more than `most`.

    >>> from layerwise.inspection.subjects import subject
    >>> sample(subject({"data": {"kind": "named", "name": "digits"}})).x.shape
    (1000, 64)
    """
    rows, weights = subject.dataset.part(part), subject.weights()
    rows = spread(rows[weights[rows] > 0], most)
    return sample_of(subject.recipe.task, subject.dataset, rows, weights[rows])


def sample_of(task: r.Task, dataset: Dataset, rows: Rows, weight: Float32[np.ndarray, " rows"]) -> Sample:
    """Certain rows of a dataset with their weights, under a task."""
    return Sample(
        dataset.x[rows],
        dataset.y[rows],
        weight,
        smoothing=np.asarray(getattr(task, "label_smoothing", 0.0), np.float32),
        delta=np.asarray(getattr(task, "delta", 1.0), np.float32),
    )


def mean_loss(objective: Objective, network: MLP, sample: Sample) -> Float[Array, ""]:
    """The weighted mean of the examples' losses in the deterministic pass, without penalties; NaN over no rows."""
    return mean_of(objective, network(sample.x), sample)


def mean_of(objective: Objective, outputs: Float[Any, "rows outputs"], sample: Sample) -> Float[Array, ""]:
    """The same of the outputs."""
    each = example_losses(objective, outputs, sample.y, sample.smoothing, sample.delta)
    return jnp.sum(each * sample.weight) / jnp.sum(sample.weight)


def flat(network: MLP) -> Float32[np.ndarray, " parameters"]:
    """All parameters in a row."""
    return np.asarray(ravel_pytree(network)[0])


def shaped(vector: Float[np.ndarray, " parameters"], like: MLP) -> MLP:
    """The network, or direction, that `flat` gives this vector for."""
    network: MLP = ravel_pytree(like)[1](jnp.asarray(vector, jnp.float32))
    return network


# ── the validation part in two halves ─────────────────────────────────────────────────────────────


def halves(dataset: Dataset) -> tuple[Rows, Rows]:
    """The validation rows that choose, and those that judge.

    Dealt at random, within each class where there are classes. Where the split is by group, whole groups are
    dealt; where it is by time, what is earlier chooses and what is later judges. The halves of these are as
    even as groups and moments allow, and one is empty where there is only one.
    """
    rows = np.sort(dataset.validation)
    if dataset.groups is not None:
        groups = group_codes(dataset.groups[rows])
        sizes = np.bincount(groups)
        judges = (_later if dataset.split == "time" else _dealt)(sizes)[groups]
        return rows[~judges], rows[judges]
    mixed = np.random.default_rng(rows.size).permutation(rows)
    if isinstance(dataset.target, Classes):
        mixed = mixed[np.argsort(dataset.y[mixed], kind="stable")]
    return np.sort(mixed[::2]), np.sort(mixed[1::2])


def _dealt(sizes: Int64[np.ndarray, " groups"]) -> Bool[np.ndarray, " groups"]:
    """The groups that judge: from the largest on, each goes to the half that has fewer rows."""
    judges, more = np.zeros(sizes.size, np.bool_), 0  # rows that choose, less those that judge
    for group in np.argsort(-sizes, kind="stable"):
        judges[group] = more > 0
        more += int(sizes[group]) * (-1 if judges[group] else 1)
    return judges


def _later(sizes: Int64[np.ndarray, " moments"]) -> Bool[np.ndarray, " moments"]:
    """The moments that judge: those after the change of time that is nearest to the middle."""
    ends = np.cumsum(sizes)
    last = int(np.abs(2 * ends[:-1] - ends[-1]).argmin()) if sizes.size > 1 else 0
    return np.arange(sizes.size) > last
