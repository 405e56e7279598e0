"""What is drawn of many networks of one shape: what they say, and how well, each in one program for all of them."""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Float32

from layerwise.training.compile import options
from layerwise.training.padded import Parameters, Settings, Shape, Table
from layerwise.training.padded.network import outputs
from layerwise.training.padded.program import evaluate

SMALL = 32  # points a side of each one's surface


@lru_cache(maxsize=1)
def _outputs() -> Any:
    def over(parameters: Parameters, shape: Shape, points: Array) -> Array:
        return outputs(parameters, shape, points.T).T

    return jax.jit(jax.vmap(over, (0, None, None)), compiler_options=options(tiny=True))


def outputs_of(
    networks: Sequence[Parameters], shape: Shape, points: Float[Any, "points width"]
) -> Float32[np.ndarray, "networks points width"]:
    """What they say at some points, before their link."""
    found: Float32[np.ndarray, "networks points width"] = np.asarray(_outputs()(_stacked(networks), shape, points))
    return found


@lru_cache(maxsize=1)
def _losses() -> Any:
    def both(parameters: Parameters, shape: Shape, settings: Settings, table: Table) -> Array:
        return evaluate(parameters, shape, settings, table, jnp.bool_(True)).reshape(4)

    return jax.jit(jax.vmap(both, (0, None, None, None)), compiler_options=options(tiny=True))


def losses_of(
    networks: Sequence[Parameters], shape: Shape, settings: Settings, table: Table
) -> Float32[np.ndarray, "networks 4"]:
    """Each one's training loss and figure, validation loss and figure, as the program evaluates an epoch."""
    found: Float32[np.ndarray, "networks 4"] = np.asarray(_losses()(_stacked(networks), shape, settings, table))
    return found


def _stacked(networks: Sequence[Parameters]) -> Any:
    return Parameters(*(np.stack(part) for part in zip(*networks, strict=True)))  # type: ignore[arg-type]
