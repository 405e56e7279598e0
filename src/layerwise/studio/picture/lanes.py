"""What is drawn of many networks of one shape: what they say, and how well, each in one program for all of them."""

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Float32

from layerwise.training.kept import Kept
from layerwise.training.padded import Parameters, Settings, Shape, Table
from layerwise.training.padded.network import outputs
from layerwise.training.padded.program import evaluate

SMALL = 32  # points a side of each one's surface


def _outputs(networks: Parameters, shape: Shape, points: Float[Array, "points width"]) -> Array:
    return jax.vmap(lambda network: outputs(network, shape, points.T).T)(networks)


def _losses(networks: Parameters, shape: Shape, settings: Settings, table: Table) -> Array:
    return jax.vmap(lambda network: evaluate(network, shape, settings, table, jnp.bool_(True)).reshape(4))(networks)


_output_program, _loss_program = Kept(_outputs, tiny=True), Kept(_losses, tiny=True)


def outputs_of(
    networks: Sequence[Parameters], shape: Shape, points: Float[Any, "points width"]
) -> Float32[np.ndarray, "networks points width"]:
    """What they say at some points, before their link."""
    stacked = _stacked(networks)
    found: Float32[np.ndarray, "networks points width"] = np.asarray(_output_program(stacked, shape, points))
    return found


def losses_of(
    networks: Sequence[Parameters], shape: Shape, settings: Settings, table: Table
) -> Float32[np.ndarray, "networks 4"]:
    """Each one's training loss and figure, validation loss and figure, as the program evaluates an epoch."""
    stacked = _stacked(networks)
    found: Float32[np.ndarray, "networks 4"] = np.asarray(_loss_program(stacked, shape, settings, table))
    return found


def _stacked(networks: Sequence[Parameters]) -> Any:
    return Parameters(*(np.stack(part) for part in zip(*networks, strict=True)))  # type: ignore[arg-type]
