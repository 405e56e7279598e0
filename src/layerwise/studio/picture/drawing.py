"""Points of a plane as the page shows and edits them: where they stand, what the inputs are over it, and toys as
points that were drawn.
"""

from typing import Any

import msgspec
import numpy as np
from jaxtyping import Float, Float32

from layerwise.data.dataset import Dataset, Encoder, Quantities, Rows
from layerwise.data.features import RAW
from layerwise.errors import RecipeError
from layerwise.recipe import Recipe, load, plain
from layerwise.recipe import records as r
from layerwise.studio.picture.views import GRID, UNIT_STEP

MARGIN = 1.15  # times the data's reach is shown
PICTURED = 12  # inputs at most that have a picture each
DIGITS = 3  # of a drawn point's coordinates: finer than a pixel


def planar(encoder: Encoder) -> bool:
    """Whether rows are points x1 and x2, of which the network gets features."""
    return encoder.names == RAW


def places(dataset: Dataset, rows: Rows) -> Float[np.ndarray, "rows columns"]:
    """Where rows stand on the page: at x1 and x2, or at their encoded inputs."""
    return np.asarray(dataset.raw(rows) if planar(dataset.encoder) else dataset.x[rows])


def reach(dataset: Dataset, data: r.Data, before: float) -> float:
    """How far from zero the page shows both inputs; while points are drawn it stays what it was where they fit in."""
    known = np.abs(places(dataset, np.arange(len(dataset.x))))
    farthest = float(known.max()) if known.size else 1.0
    if isinstance(data, r.PointsData) and farthest <= before:
        return before
    return float(np.ceil(MARGIN * farthest * 10) / 10) or 1.0


def encoded(encoder: Encoder, square: Float32[np.ndarray, "points 8"]) -> Float32[np.ndarray, "points 8"]:
    """The points of a square, x1 and x2 in its first columns, as the network takes them."""
    if not planar(encoder):
        return square
    inputs = np.zeros_like(square)
    inputs[:, : encoder.width] = encoder.encode(square[:, :2])
    return inputs


def pictures(encoder: Encoder, inputs: Float32[np.ndarray, "points width"]) -> list[list[float]]:
    """What each input is over the square, from -1 to 1, at every few points from low to high x2."""
    if encoder.width > PICTURED:
        return []
    some = slice(UNIT_STEP // 2, None, UNIT_STEP)
    found = []
    for column in range(encoder.width):
        values = inputs[:, column].reshape(GRID, GRID)[some, some]
        found.append((values / max(float(np.abs(values).max()), 1e-9)).round(2).ravel().astype(float).tolist())
    return found


def drawn(recipe: Recipe, dataset: Dataset) -> Recipe:
    """The recipe with its generated points as drawn ones, which stay where they are, in the part they are in.

    Raises `RecipeError` where the data is neither generated nor drawn points.
    """
    data, target = recipe.data, dataset.target
    if isinstance(data, r.PointsData):
        return recipe
    if not isinstance(data, r.ToyData):
        raise RecipeError("the points of a figure are edited", received=f"data of the kind {_kind(data)!r}")
    rows = np.arange(len(dataset.x))
    y = target.in_units(dataset.y)[:, 0] if isinstance(target, Quantities) else dataset.y
    table = np.column_stack([dataset.raw(rows), y]).astype(np.float64).round(DIGITS)
    raw: dict[str, Any] = plain(recipe)
    raw["data"] = {
        "kind": "points",
        "points": table.tolist(),
        "classes": list(getattr(target, "names", ())),
        "features": list(data.features),
        "split": msgspec.to_builtins(data.split),
    }
    return load(raw)


def _kind(data: r.Data) -> str:
    return str(type(data).__struct_config__.tag)
