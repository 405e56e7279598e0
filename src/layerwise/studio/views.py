"""What the page draws, computed by one compiled program: the output and every unit over a square of inputs."""

from functools import lru_cache
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Float32

from layerwise.training.compile import options
from layerwise.training.padded import LAYERS, UNITS, Parameters, Shape
from layerwise.training.padded.network import layer

GRID = 64  # points a side of the output's surface
UNIT_STEP = 4  # of them every so many are taken for a unit's
CLASS_LOSSES = 2  # losses below are of classes


class Surfaces(NamedTuple):
    """Over the square, rows from low to high x2: the outputs' values (before their link), and every hidden unit's."""

    outputs: Float32[np.ndarray, "ys xs 8"]
    units: Float32[np.ndarray, "6 8 unit_ys unit_xs"]


@lru_cache(maxsize=1)
def _program() -> Any:
    def over(parameters: Parameters, shape: Shape, x: Float[Array, "points 8"]) -> tuple[Array, Array]:
        empty = jnp.zeros((LAYERS, (GRID // UNIT_STEP) ** 2, UNITS))
        few = _few(x)

        def on(number: Array, carry: tuple[Array, Array, Array]) -> tuple[Array, Array, Array]:
            h, small, units = carry
            h, small = (layer(parameters, shape, number, part, None)[0] for part in (h, small))
            return h, small, jax.lax.dynamic_update_index_in_dim(units, small, number, 0)

        h, _, units = jax.lax.fori_loop(0, shape.depth, on, (x, few, empty))
        return h @ parameters.weight[LAYERS].T + parameters.bias[LAYERS], units

    return jax.jit(over, compiler_options=options(tiny=True))


def _few(x: Array) -> Array:
    """Every so many of the square's points, from the middle of each patch."""
    square = x.reshape(GRID, GRID, UNITS)[UNIT_STEP // 2 :: UNIT_STEP, UNIT_STEP // 2 :: UNIT_STEP]
    return square.reshape(-1, UNITS)


def square(low: float, high: float) -> Float32[np.ndarray, "points 8"]:
    """The points of the square from `low` to `high` in both inputs, line by line from the lowest x2."""
    ends = np.linspace(low, high, GRID, dtype=np.float32)
    x1, x2 = np.meshgrid(ends, ends)
    points = np.zeros((GRID * GRID, UNITS), np.float32)
    points[:, 0], points[:, 1] = x1.ravel(), x2.ravel()
    return points


def surfaces(parameters: Parameters, shape: Shape, points: Float32[np.ndarray, "points 8"]) -> Surfaces:
    """The network over a square that `square` made, encoded as the network takes it."""
    outputs, units = _program()(parameters, shape, points)
    side = GRID // UNIT_STEP
    return Surfaces(
        np.asarray(outputs).reshape(GRID, GRID, UNITS),
        np.ascontiguousarray(np.asarray(units).reshape(LAYERS, side, side, UNITS).transpose(0, 3, 1, 2)),
    )
