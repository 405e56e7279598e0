"""Which units dropout left out of a step: as all that is random, it follows from the seed and the step."""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Float32, Int

from layerwise.nets import noise
from layerwise.training.kept import Kept
from layerwise.training.padded.records import BATCH, Settings, Shape, Table


def left_out(
    shape: Shape, settings: Settings, table: Table, seed: noise.Key, step: int
) -> Float32[np.ndarray, "layers units"]:
    """For how many of its batch's rows, as a share, each hidden unit was left out by the step that led to `step`.

    Dropout draws anew for every row. Zeros where there is none, or where no step was made yet.
    """
    batch, last = int(settings.batch_size), step - 1
    if last < 0:
        return np.zeros(np.shape(shape.units), np.float32)
    rows = int(table.train_rows)
    first = last % -(-rows // batch) * batch
    real = np.int32(min(batch, rows - first))
    # Without dropout, too, so that nothing is left to be compiled when it is turned on.
    drawn = _program(shape.units, seed, np.int32(last), np.float32(settings.hyper.dropout), real)
    return np.array(drawn, np.float32)


def _shares(
    units: Float[Array, "layers units"], seed: noise.Key, step: Array, rate: Array, rows: Int[Array, ""]
) -> Float[Array, "layers units"]:
    key = noise.stream(noise.stream(seed, 2), step)
    real = (jnp.arange(BATCH) < rows)[:, None]

    def of(number: Array) -> Array:
        out = noise.uniform(noise.stream(key, 2 * (number + 1) + 2), (BATCH, units.shape[1])) < rate
        return jnp.sum(out & real, axis=0) / rows

    return jax.vmap(of)(jnp.arange(units.shape[0])) * units


_program = Kept(_shares, tiny=True)
