"""From a `Dataset` to the arrays on the device, in shapes that compiled programs can share."""

import jax
import jax.numpy as jnp
import numpy as np

from layerwise.data.dataset import Dataset, Rows
from layerwise.recipe import records as r
from layerwise.tasks.objective import training_weights
from layerwise.train.loop import Data

SHARED_UP_TO = 16_384


def room(rows: int) -> int:
    """Rows to make room for: a power of two for small data, so that data sets of about one size share
    one compiled program; just as many as there are for large data, where a copy would cost memory.

    >>> room(1437), room(1_000_003)
    (2048, 1000003)
    """
    return max(rows, 1) if rows > SHARED_UP_TO else 1 << max(rows - 1, 0).bit_length()


def place(dataset: Dataset, task: r.Task) -> Data:
    """The data on the device. Large aligned arrays are shared with NumPy, not copied."""
    rows = room(dataset.x.shape[0])
    return Data(
        x=_whole(dataset.x, rows),
        y=_whole(dataset.y, rows),
        weight=_whole(training_weights(task, dataset), rows),
        train=_padded(dataset.train),
        train_rows=jnp.int32(dataset.train.size),
        validation=_padded(dataset.validation),
        validation_rows=jnp.int32(dataset.validation.size),
    )


def _whole(array: np.ndarray, rows: int) -> jax.Array:
    if array.shape[0] < rows:
        array = np.concatenate([array, np.zeros((rows - array.shape[0], *array.shape[1:]), array.dtype)])
    return jax.device_put(array, may_alias=True)


def _padded(rows: Rows) -> jax.Array:
    """Row numbers, the last repeated to fill the room; what is padding is never counted."""
    numbers = rows.astype(np.int32) if rows.size else np.zeros(1, np.int32)
    return jnp.asarray(np.concatenate([numbers, np.full(room(numbers.size) - numbers.size, numbers[-1])]))
