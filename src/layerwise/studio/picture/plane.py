"""The square that the page shows: over both raw inputs of a plane, two columns of a table, or two components."""

from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from jaxtyping import Float32, Float64, Int64

from layerwise.data.dataset import Dataset, Rows
from layerwise.errors import DataError
from layerwise.inspection import planes
from layerwise.nets.dense import MLP
from layerwise.recipe import records as r
from layerwise.studio.picture import drawing, views

Over = tuple[str, str] | Literal["auto", "pca"]
Spots = Float64[np.ndarray, "rows 2"]


@dataclass(frozen=True)
class Square:
    """What the network gets over the square, where the rows of the data stand on it, and what its axes are.

    Both go from -`reach` to `reach`. `axes` says of each what it is called, and its ends in the data's own unit
    or its levels; `held` are the values of the columns that do not vary. What has no place on the square is NaN.
    """

    inputs: Float32[np.ndarray, "points width"]
    spots: Spots
    reach: float
    axes: tuple[dict[str, Any], dict[str, Any]]
    held: dict[str, str] = field(default_factory=dict)

    def placeless(self, rows: Rows) -> int:
        """How many of the rows have no place: a value that an axis needs is missing in them."""
        return int(np.isnan(self.spots[rows]).any(axis=1).sum())

    def points(self, rows: Rows, values: Float64[np.ndarray, " rows"]) -> list[list[float]]:
        """Row, place along both axes, and value of the rows that have a place."""
        spots = self.spots[rows]
        found: list[list[float]] = np.column_stack([rows, spots, values])[np.isfinite(spots).all(axis=1)].tolist()
        return found

    def coarse(self, side: int) -> Float32[np.ndarray, "points width"]:
        """The inputs at fewer points: `side` of them along each axis."""
        every = views.GRID // side
        some: Float32[np.ndarray, "points width"] = self.inputs.reshape(views.GRID, views.GRID, -1)[
            every // 2 :: every, every // 2 :: every
        ].reshape(side * side, -1)
        return some


def square(network: MLP, dataset: Dataset, data: r.Data, over: Over, width: int, reach: float) -> Square:
    """The square of a data set in arrays of a `width`; `reach` is that of before, kept while points are drawn.

    Raises `DataError` where a column does not exist.
    """
    encoder = dataset.encoder
    if isinstance(over, tuple) and not set(over) <= set(encoder.names):
        unknown = next(name for name in over if name not in encoder.names)
        raise DataError("the square is over two of the inputs", received=unknown, remedy=", ".join(encoder.names[:20]))
    if drawing.planar(encoder) or (len(encoder.names) == 1 and encoder.width == 1):
        reach = drawing.reach(dataset, data, reach)
        spots = drawing.places(dataset, np.arange(len(dataset.x)))
        flat = np.zeros((len(spots), 2))
        flat[:, : spots.shape[1]] = spots[:, :2]
        names = [*encoder.names, ""][:2]
        axes = tuple({"name": name, "low": -reach, "high": reach, "levels": []} for name in names)
        inputs = drawing.encoded(encoder, views.square(-reach, reach))
        return Square(_padded(inputs[:, :width], width), flat, reach, (axes[0], axes[1]))
    plane = planes.plane(network, dataset, over, np.arange(len(dataset.x)))
    (columns, x), (lines, y) = _along(plane.x), _along(plane.y)
    points = plane.origin + plane.along_y[lines, None] + plane.along_x[None, columns]
    ends = np.array([[axis["low"], axis["high"]] for axis in (x, y)])
    spots = 2 * (plane.spots - ends[:, 0]) / (ends[:, 1] - ends[:, 0]) - 1
    for axis, component in zip((x, y), plane.components, strict=False):
        axis["name"] += f", {component.share:.0%} of the variance".replace("%", " %")
    flat_points = points.reshape(-1, plane.origin.size).astype(np.float32)
    return Square(_padded(flat_points, width), spots, 1.0, (x, y), dict(plane.held))


def _along(axis: planes.Axis) -> tuple[Int64[np.ndarray, " side"], dict[str, Any]]:
    """Which of an axis's points are taken for those of the square, and the axis; levels are bands of one width."""
    values = axis.values
    low, high = (-0.5, len(values) - 0.5) if axis.kind == "levels" else (float(values[0]), float(values[-1]))
    wanted = np.linspace(low, high, views.GRID)
    places = np.abs(values[None] - wanted[:, None]).argmin(axis=1)
    return places, {"name": axis.name, "low": low, "high": high, "levels": list(axis.levels)}


def _padded(inputs: Float32[np.ndarray, "points inputs"], width: int) -> Float32[np.ndarray, "points width"]:
    found = np.zeros((len(inputs), width), np.float32)
    found[:, : inputs.shape[1]] = inputs
    return found
