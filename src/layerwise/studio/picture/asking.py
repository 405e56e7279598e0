"""What the network says of a row that somebody types in, or of a digit that is drawn."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float32, Float64

from layerwise.data.dataset import Classes, Dataset, Quantities
from layerwise.errors import DataError, RecipeError
from layerwise.inspection.curves import at
from layerwise.nets.dense import MLP
from layerwise.recipe import records as r
from layerwise.tasks.objective import Objective, probabilities

SIDE = 64  # points a side of a drawing as a page sends it
BITMAP, CELLS, FULL = 32, 8, 16  # as the digits data were made: from bitmaps, cells a side, dots of a full cell


def row(dataset: Dataset, inputs: Mapping[str, Any] | Sequence[Any]) -> Float32[np.ndarray, "1 width"]:
    """The network's input for one row: values in the columns' order, or by name. Raises `DataError`."""
    if not inputs:
        raise DataError("a row has a value for each column", received="none")
    try:
        found: Float32[np.ndarray, "1 width"] = dataset.encoder.encode_row(inputs)
    except (TypeError, ValueError, OverflowError):
        raise DataError("a row has a value for each column", received=repr(inputs)[:80]) from None
    if not np.isfinite(found).all():
        raise DataError("a row's values are within reach of the data's", received=repr(inputs)[:80])
    return found


def digit(dots: str) -> Float64[np.ndarray, " 64"]:
    """The 8 x 8 cells of a drawing, as those of the digits data: how many of its 4 x 4 dots are ink.

    `dots` are "0" and "1", line by line from the top. As in the data, the figure is made as large as it fits in
    32 x 32 dots, its proportions kept, and set in the middle (E. Alpaydin and C. Kaynak, Optical Recognition of
    Handwritten Digits, 1998).
    """
    ink = np.frombuffer(dots.encode(), np.uint8).reshape(SIDE, SIDE) == ord("1")
    lines, columns = np.flatnonzero(ink.any(axis=1)), np.flatnonzero(ink.any(axis=0))
    if not lines.size:
        raise DataError("a digit is drawn with ink", received="an empty sheet", remedy="draw one")
    figure = ink[lines[0] : lines[-1] + 1, columns[0] : columns[-1] + 1]
    scale = max(figure.shape) / BITMAP
    height, width = (max(1, round(size / scale)) for size in figure.shape)
    rows, across = (
        np.minimum(((np.arange(n) + 0.5) * size / n).astype(int), size - 1)
        for n, size in zip((height, width), figure.shape, strict=True)
    )
    bitmap = np.zeros((BITMAP, BITMAP))
    top, left = (BITMAP - height) // 2, (BITMAP - width) // 2
    bitmap[top : top + height, left : left + width] = figure[np.ix_(rows, across)]
    cell = BITMAP // CELLS
    counted: Float64[np.ndarray, " 64"] = bitmap.reshape(CELLS, cell, CELLS, cell).sum(axis=(1, 3)).ravel()
    return counted


def drawn(data: r.Data, dataset: Dataset, dots: str) -> Float32[np.ndarray, "1 width"]:
    """The network's input for a digit that was drawn. Raises `RecipeError` where the data are not the digits."""
    if not (isinstance(data, r.NamedData) and data.name == "digits"):
        raise RecipeError("a drawing is recognized by a network for digits", remedy="choose the digits as data")
    return row(dataset, digit(dots).tolist())


def answer(
    network: MLP,
    kinds: Sequence[r.Activation],
    objective: Objective,
    dataset: Dataset,
    x: Float32[np.ndarray, "1 width"],
) -> dict[str, Any]:
    """What the network makes of one encoded row: each hidden layer's values, and what it says at its end.

    "probabilities" of each class or label, or "values" of quantities in their own units.
    """
    h, layers = x.astype(np.float64), []
    for number, layer in enumerate(network.layers):
        h = h @ np.asarray(layer.weight, np.float64).T + np.asarray(layer.bias, np.float64)
        if number < len(kinds):
            h = at(kinds[number], h[0])[0][None]
            layers.append(h[0].tolist())
    outputs, target = h.astype(np.float32), dataset.target
    said: dict[str, Any] = {"inputs": x[0].astype(float).tolist(), "layers": layers}
    if isinstance(target, Quantities):
        return {**said, "values": dict(zip(target.columns, target.in_units(outputs)[0].tolist(), strict=True))}
    names = target.names if isinstance(target, Classes) else target.columns
    return {**said, "probabilities": dict(zip(names, probabilities(objective, outputs)[0].tolist(), strict=True))}
