"""The learning-rate range test (Smith 2017): raise the rate step by step and watch the loss.

It works on a copy: weights, optimizer and random streams are as they were when it returns.
"""

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Float32, Int

from layerwise.nets import noise
from layerwise.nets.dense import MLP
from layerwise.recipe import records as r
from layerwise.training.hyper import Hyper, hyper
from layerwise.training.loop import Data, rows_of_epoch
from layerwise.training.step import Batch, Program, Weights, fresh, step

STEPS = 100
LOWEST, HIGHEST = 1e-6, 10.0
DECADE = 15  # steps


class RateCurve(NamedTuple):
    """Rates tried, of shape (steps,), the smoothed loss at each, and the rate suggested; None where it only rose."""

    rates: Float32[np.ndarray, " steps"]
    losses: Float32[np.ndarray, " steps"]
    suggestion: float | None


def find_learning_rate(
    program: Program, network: MLP, data: Data, train: r.Train, task: r.Task, seed: int
) -> RateCurve:
    """Train a copy for 100 steps at rates from 1e-6 to 10, evenly in the logarithm.

    The suggestion is the middle of the decade of rates over which the loss falls most steeply in the
    logarithm of the rate (by least squares: between single steps the batches' own differences would
    decide), before the minimum of the smoothed loss. Random streams are its own, so that a run after
    it is the run without it.
    """
    import msgspec

    settings = hyper(msgspec.structs.replace(train, learning_rate=1.0), task)
    weights = jax.tree.map(jnp.array, fresh(program, network, settings))
    rates = np.geomspace(LOWEST, HIGHEST, STEPS).astype(np.float32)
    losses = np.asarray(_sweep(program, weights, data, settings, noise.stream(noise.key(seed), 3), jnp.asarray(rates)))
    return RateCurve(rates, *_suggestion(rates, losses))


@partial(jax.jit, static_argnums=0)
def _sweep(
    program: Program, weights: Weights, data: Data, settings: Hyper, key: noise.Key, rates: Float[Array, " steps"]
) -> Float[Array, " steps"]:
    def one(carry: Weights, i: Int[Array, ""]) -> tuple[Weights, Float[Array, ""]]:
        batch: Batch = rows_of_epoch(program.batch_size, data, noise.stream(key, 1), i, steps=1)
        weights, loss, weight = step(program, carry, batch, settings, rates[i], noise.stream(noise.stream(key, 2), i))
        return weights, loss / jnp.maximum(weight, 1e-12)

    _, losses = jax.lax.scan(one, weights, jnp.arange(STEPS))
    return losses


def _suggestion(
    rates: Float32[np.ndarray, " steps"], losses: Float32[np.ndarray, " steps"]
) -> tuple[Float32[np.ndarray, " steps"], float | None]:
    smoothed = np.empty_like(losses)
    average = 0.0
    for i, loss in enumerate(losses):  # exponential smoothing with the bias of its start removed
        average = 0.9 * average + 0.1 * float(loss)
        smoothed[i] = average / (1 - 0.9 ** (i + 1))
    worse = ~np.isfinite(smoothed) | (smoothed / 4 > np.minimum.accumulate(np.nan_to_num(smoothed, nan=np.inf)))
    end = int(np.argmax(worse)) if worse.any() else STEPS
    lowest = int(np.argmin(smoothed[: max(end, 2)]))
    if lowest < DECADE:
        return smoothed, None
    places = np.arange(DECADE, dtype=np.float64) - DECADE // 2
    slopes = np.correlate(losses[: lowest + 1].astype(np.float64), places, "valid")
    return smoothed, float(rates[int(np.argmin(slopes)) + DECADE // 2])
