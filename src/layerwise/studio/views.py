"""What the page draws, computed by one compiled program: the output and every unit over a square of inputs."""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Float32

from layerwise.training.compile import options
from layerwise.training.padded import NARROW, STANDARD, Parameters, Shape
from layerwise.training.padded.network import forward, layer
from layerwise.training.padded.network import outputs as padded_outputs

GRID = 64  # points a side of the output's surface
UNIT_STEP = 4  # of them every so many are taken for a unit's
CLASS_LOSSES = 2  # losses below are of classes


class Surfaces(NamedTuple):
    """Over the square, rows from low to high x2: the outputs' values (before their link), and every hidden unit's."""

    outputs: Float32[np.ndarray, "ys xs outputs"]
    units: Float32[np.ndarray, "layers units unit_ys unit_xs"]


@lru_cache
def _program(tiny: bool) -> Any:
    def over(parameters: Parameters, shape: Shape, x: Float[Array, "points width"]) -> tuple[Array, Array]:
        few = _few(x)
        empty = jnp.zeros((len(shape.units), *few.shape))

        def on(number: Array, carry: tuple[Array, Array, Array]) -> tuple[Array, Array, Array]:
            h, small, units = carry
            h, small = (layer(parameters, shape, number, part, None)[0] for part in (h, small))
            return h, small, jax.lax.dynamic_update_index_in_dim(units, small, number, 0)

        h, _, units = jax.lax.fori_loop(0, shape.depth, on, (x, few, empty))
        return forward(parameters, -1, h), units

    return jax.jit(over, compiler_options=options(tiny=tiny))


def _few(x: Array) -> Array:
    """Every so many of the square's points, from the middle of each patch."""
    square = x.reshape(GRID, GRID, -1)[UNIT_STEP // 2 :: UNIT_STEP, UNIT_STEP // 2 :: UNIT_STEP]
    return square.reshape(-1, x.shape[1])


def square(low: float, high: float, side: int = GRID) -> Float32[np.ndarray, "points width"]:
    """The points of the square from `low` to `high` in both inputs, line by line from the lowest x2."""
    ends = np.linspace(low, high, side, dtype=np.float32)
    x1, x2 = np.meshgrid(ends, ends)
    points = np.zeros((side * side, STANDARD.width), np.float32)
    points[:, 0], points[:, 1] = x1.ravel(), x2.ravel()
    return points


def surfaces(parameters: Parameters, shape: Shape, points: Float32[np.ndarray, "points width"]) -> Surfaces:
    """The network over a square that `square` made, encoded as the network takes it."""
    outputs, units = _program(points.shape[1] <= NARROW)(parameters, shape, points)
    side, (layers, width) = GRID // UNIT_STEP, shape.units.shape
    return Surfaces(
        np.asarray(outputs).reshape(GRID, GRID, width),
        np.ascontiguousarray(np.asarray(units).reshape(layers, side, side, width).transpose(0, 3, 1, 2)),
    )


# ── many networks ───────────────────────────────────────────────────────────────────────────────

SMALL = 32  # points a side of each one's surface: as many as a table has rows, so that one program serves both


@lru_cache(maxsize=1)
def _many() -> Any:
    return jax.jit(jax.vmap(padded_outputs, (0, None, None)), compiler_options=options(tiny=True))


def outputs_of(
    networks: Sequence[Parameters], shape: Shape, points: Float[Any, "points width"]
) -> Float32[np.ndarray, "networks points width"]:
    """What networks of one shape say at some points, before their link."""
    stacked = Parameters(*(np.stack(part) for part in zip(*networks, strict=True)))
    found: Float32[np.ndarray, "networks points width"] = np.asarray(_many()(stacked, shape, points))
    return found
