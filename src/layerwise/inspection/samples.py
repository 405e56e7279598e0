"""Rows that a loss is measured on, and the loss itself: what the surface, its curvature and its minima are of."""

from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree
from jaxtyping import Array, Float, Float32, Shaped

from layerwise.data.dataset import Dataset, Rows, spread
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
