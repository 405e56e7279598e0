"""From a `Dataset` to the arrays on the device, in shapes that compiled programs can share."""

import jax
import numpy as np
from jaxtyping import Float32, Shaped

from layerwise.data.dataset import Dataset, Rows
from layerwise.training.loop import Data

SHARED_UP_TO = 16_384


def room(rows: int, least: int = 1) -> int:
    """Rows to make room for: a power of two for small data, so that data sets of about one size share
    one compiled program; just as many as there are for large data, where a copy would cost memory.
    At least `least`.

    >>> room(1437), room(1_000_003), room(20, least=512)
    (2048, 1000003, 512)
    """
    return max(rows if rows > SHARED_UP_TO else 1 << max(rows - 1, 0).bit_length(), least)


def place(dataset: Dataset, weight: Float32[np.ndarray, " rows"]) -> Data:
    """The data on the device, `weight` being each row's in the loss. Large aligned arrays are shared, not copied."""
    return place_arrays(dataset.x, dataset.y, weight, dataset.train, dataset.validation)


def place_arrays(
    x: Float32[np.ndarray, "rows inputs"],
    y: Shaped[np.ndarray, "rows *outputs"],
    weight: Float32[np.ndarray, " rows"],
    train: Rows,
    validation: Rows,
    least: int = 1,
) -> Data:
    """The same for bare arrays, with room for at least `least` rows in each part that has any."""
    rows = room(x.shape[0], least)
    return Data(
        x=_whole(x, rows),
        y=_whole(y, rows),
        weight=_whole(weight, rows),
        train=_padded(train, least),
        train_rows=_placed(np.int32(train.size)),
        validation=_padded(validation, least),
        validation_rows=_placed(np.int32(validation.size)),
    )


def _whole(array: np.ndarray, rows: int) -> jax.Array:
    if array.shape[0] < rows:
        array = np.concatenate([array, np.zeros((rows - array.shape[0], *array.shape[1:]), array.dtype)])
    return _placed(array)


def _padded(rows: Rows, least: int) -> jax.Array:
    """Row numbers, the last repeated to fill the room; what is padding is never counted."""
    if not rows.size:
        return _placed(np.zeros(1, np.int32))
    numbers = rows.astype(np.int32)
    return _placed(np.concatenate([numbers, np.full(room(numbers.size, least) - numbers.size, numbers[-1])]))


def _placed(array: np.ndarray | np.int32) -> jax.Array:
    """On the device without a compiled program, which jax.numpy makes for each shape; not copied where aligned."""
    placed: jax.Array = jax.device_put(array, may_alias=True)
    return placed
