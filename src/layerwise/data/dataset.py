"""The dataset: arrays with a schema and a split, and the fitted transforms that made them."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

import msgspec
import numpy as np
from jaxtyping import Float, Float32, Float64, Int64, Shaped

from layerwise.data.transform import Spec

Rows = Int64[np.ndarray, " _"]  # row numbers; parts differ in length, so the axis is anonymous


class Embedding(msgspec.Struct, frozen=True):
    """A column of `x` that holds category codes 0 .. size-1 (as floats) for the network to embed."""

    column: int
    size: int
    width: int


@runtime_checkable
class Encoder(Protocol):
    """Turns raw rows into network input; fitted on the training part, kept in the model file.

    `names` are the raw columns it reads, in order; `features` the columns it makes, `width` of them;
    `embeddings` says which of those are codes. `encode` takes whatever a user may hold (a table, an array, a list of
    mappings) and returns float32 of shape (rows, width); `encode_row` does the same for one row
    without the cost of building a table. `spec` (a JSON-able record) and `arrays` are all that
    `layerwise.data.encode.encoder_from` needs to make the encoder again. `report` counts what `encode`
    met that training did not hold (unseen categories, values out of range), by column.
    """

    @property
    def spec(self) -> Spec: ...
    @property
    def arrays(self) -> dict[str, np.ndarray]: ...
    @property
    def names(self) -> tuple[str, ...]: ...
    @property
    def features(self) -> tuple[str, ...]: ...
    @property
    def width(self) -> int: ...
    @property
    def embeddings(self) -> tuple[Embedding, ...]: ...
    def encode(self, raw: Any) -> Float32[np.ndarray, "rows width"]: ...
    def encode_row(self, row: Any) -> Float32[np.ndarray, "1 width"]: ...
    def report(self, raw: Any) -> dict[str, str]: ...


class Classes(msgspec.Struct, frozen=True, tag_field="kind", tag="classes"):
    """The target is one class of several; `y` is int32 of shape (rows,), an index into `names`."""

    column: str
    names: tuple[str, ...]


class Labels(msgspec.Struct, frozen=True, tag_field="kind", tag="labels"):
    """Several yes/no targets at once; `y` is float32 of shape (rows, labels), each 0 or 1."""

    columns: tuple[str, ...]


class Quantities(msgspec.Struct, frozen=True, tag_field="kind", tag="quantities"):
    """One quantity or several; `y` is float32 of shape (rows, quantities), (raw - mean) / scale.

    `mean` and `scale` come from the training part; `in_units` is the inverse.
    """

    columns: tuple[str, ...]
    mean: tuple[float, ...]
    scale: tuple[float, ...]

    def in_units(self, standardized: Float[np.ndarray, "*rows quantities"]) -> Float64[np.ndarray, "*rows quantities"]:
        """Standardized quantities in their own units: ``y * scale + mean``, in double precision.

        >>> Quantities(("price",), (100.0,), (20.0,)).in_units(np.array([[0.0], [-1.5]], np.float32)).tolist()
        [[100.0], [70.0]]
        """
        return np.asarray(standardized.astype(np.float64) * np.array(self.scale) + np.array(self.mean))


Target = Classes | Labels | Quantities


def spread(rows: Rows, most: int) -> Rows:
    """At most so many of some rows, evenly spread over them, the first and the last among them.

    >>> spread(np.arange(10, 20), 4), spread(np.arange(3), 4)
    (array([10, 13, 16, 19]), array([0, 1, 2]))
    """
    return rows if rows.size <= most else rows[np.linspace(0, rows.size - 1, most).astype(int)]


@dataclass(frozen=True)
class Dataset:
    """Encoded arrays of all rows, which rows form which part, and how they were made.

    The parts are row numbers into one array rather than copies, so ten million rows exist once.
    `weight` is each example's own weight (ones unless a column gives it). `raw(rows)` gives rows as
    the user wrote them (a list of mappings for tables, an array for arrays), for examples kept in
    the model file and for showing mistakes. `notes` are sentences for the user about what was found
    and done (identifier columns dropped, duplicates across parts, ...). `groups` numbers the groups of a
    split by group and, in their order, the moments of a split by time: rows of one number stay together.
    """

    name: str
    x: Float32[np.ndarray, "rows width"]
    y: Shaped[np.ndarray, "rows *outputs"]
    weight: Float32[np.ndarray, " rows"]
    train: Rows
    validation: Rows
    test: Rows
    encoder: Encoder
    target: Target
    raw: "RawRows"
    split: str = "none"
    notes: Sequence[str] = field(default=())
    groups: Int64[np.ndarray, " rows"] | None = None

    def part(self, name: str) -> Rows:
        """Row numbers of "train", "validation" or "test"."""
        parts = {"train": self.train, "validation": self.validation, "test": self.test}
        return parts[name]


@runtime_checkable
class RawRows(Protocol):
    """Gives rows as the user wrote them."""

    def __call__(self, rows: Rows) -> Any: ...
