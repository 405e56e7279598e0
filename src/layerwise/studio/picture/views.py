"""What the page draws, computed by one compiled program: the output and every unit over a square of inputs."""

from collections.abc import Callable
from functools import lru_cache
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Float32

from layerwise.studio.history.timeline import Curve
from layerwise.studio.picture import frames, scores
from layerwise.studio.picture.marks import marks
from layerwise.studio.picture.shades import shades, small
from layerwise.tasks.objective import Objective
from layerwise.training.kept import Kept
from layerwise.training.padded import NARROW, STANDARD, Parameters, Shape
from layerwise.training.padded.network import layer, sums

EPOCHS = 1024  # of the curve that are sent
GRID = 64  # points a side of the output's surface
UNIT_STEP = 4  # of them every so many are taken for a unit's
CLASS_LOSSES = 2  # losses below are of classes


class Surfaces(NamedTuple):
    """Over the square, rows from low to high x2: the outputs' values (before their link), and every hidden unit's."""

    outputs: Float32[np.ndarray, "ys xs outputs"]
    units: Float32[np.ndarray, "layers units unit_ys unit_xs"]


def _over(parameters: Parameters, shape: Shape, x: Float[Array, "points width"]) -> tuple[Array, Array]:
    few = _few(x).T
    empty = jnp.zeros((len(shape.units), *few.shape))

    def on(number: Array, carry: tuple[Array, Array, Array]) -> tuple[Array, Array, Array]:
        h, small, units = carry
        h, small = (layer(parameters, shape, number, part) for part in (h, small))
        return h, small, jax.lax.dynamic_update_index_in_dim(units, small, number, 0)

    h, _, units = jax.lax.fori_loop(0, shape.depth, on, (x.T, few, empty))
    return sums(parameters, -1, h).T, units


@lru_cache
def _program(narrow: bool) -> Kept:
    return Kept(_over, tiny=narrow)


def _few(x: Array) -> Array:
    """Every so many of the square's points, from the middle of each patch."""
    square = x.reshape(GRID, GRID, -1)[UNIT_STEP // 2 :: UNIT_STEP, UNIT_STEP // 2 :: UNIT_STEP]
    return square.reshape(-1, x.shape[1])


def square(low: float, high: float) -> Float32[np.ndarray, "points width"]:
    """The points of the square from `low` to `high` in both inputs, line by line from the lowest x2."""
    ends = np.linspace(low, high, GRID, dtype=np.float32)
    x1, x2 = np.meshgrid(ends, ends)
    points = np.zeros((GRID * GRID, STANDARD.width), np.float32)
    points[:, 0], points[:, 1] = x1.ravel(), x2.ravel()
    return points


def surfaces(parameters: Parameters, shape: Shape, points: Float32[np.ndarray, "points width"]) -> Surfaces:
    """The network over a square that `square` made, encoded as the network takes it."""
    outputs, units = _program(parameters.weight.shape[-1] <= NARROW)(parameters, shape, points)
    side, (layers, width) = GRID // UNIT_STEP, shape.units.shape
    return Surfaces(
        np.asarray(outputs).reshape(GRID, GRID, width),
        np.asarray(units).reshape(layers, width, side, side),
    )


def framed(
    revision: int,
    step: int,
    now: Parameters,
    shape: Shape,
    square: Any,
    objective: Objective,
    curve: Curve,
    scored: Callable[[], scores.Sections],
    spoken: Callable[[Curve], scores.Sections],
) -> bytes:
    """The frame of a session: its weights and its curve, what is drawn over the square, and what is said of it."""
    drawn = surfaces(now, shape, square)
    surface = np.ascontiguousarray(drawn.outputs[:, :, : objective.outputs])
    sections = {
        "weights": np.asarray(now.weight),
        "biases": np.asarray(now.bias),
        "curve": curve.array(EPOCHS).astype(np.float32),
        "marks": marks(curve, step),
        "surface": surface,
        "shades": shades(objective.kind, surface),
        "outs": small(objective.kind, surface),
        "units": drawn.units[:, : max(STANDARD.width, int(np.asarray(shape.units).sum(axis=1).max()))],
        **scored(),
        **spoken(curve),
    }
    return frames.packed(revision, step, sections)
