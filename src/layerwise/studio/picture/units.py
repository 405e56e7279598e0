"""Which hidden units are dead or saturated, by the rows that training sees: for each frame."""

import numpy as np
from jaxtyping import Bool, Float64, UInt8

from layerwise.data.dataset import Dataset, spread
from layerwise.inspection.curves import Zone, at, zones
from layerwise.recipe import records as r
from layerwise.training.padded import Parameters

ROWS = 128  # of the training part that are looked at
WELL, DEAD, SATURATED = range(3)


def ailments(
    parameters: Parameters, kinds: tuple[r.Activation, ...], widths: tuple[int, ...], dataset: Dataset
) -> UInt8[np.ndarray, "layers units"]:
    """Of each hidden unit whether it is `WELL`, `DEAD`, or `SATURATED`; what is not there is well.

    A unit is dead where its slope is exactly 0 on every row, and saturated where on every row it is at most a
    twentieth of its function's largest (see `layerwise.inspection.curves.Zones`). Dropout and noise are left out.
    """
    found = np.full(np.asarray(parameters.bias[:-1]).shape, WELL, np.uint8)
    h: Float64[np.ndarray, "rows units"] = dataset.x[spread(dataset.train, ROWS)].astype(np.float64)
    for number, (kind, width) in enumerate(zip(kinds, widths, strict=True)):
        weight = np.asarray(parameters.weight[number], np.float64)[:width, : h.shape[1]]
        z = h @ weight.T + np.asarray(parameters.bias[number], np.float64)[:width]
        flat = zones(kind)
        off, stuck = _inside(z, flat.dead), _inside(z, flat.dead + flat.saturated)
        found[number, :width] = np.where(off, DEAD, np.where(stuck, SATURATED, WELL)) if len(h) else WELL
        h = at(kind, z.ravel())[0].reshape(z.shape)
    return found


def _inside(z: Float64[np.ndarray, "rows units"], parts: tuple[Zone, ...]) -> Bool[np.ndarray, " units"]:
    """The units all of whose weighted sums lie in some of the zones."""
    inside = np.zeros(z.shape, bool)
    for low, high in parts:
        np.logical_or(inside, (z >= low) & (z <= high), out=inside)
    found: Bool[np.ndarray, " units"] = np.logical_and.reduce(inside, axis=0)
    return found
