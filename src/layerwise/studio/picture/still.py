"""What the page is told of a network and its data beside what changes many times a second."""

from itertools import pairwise
from typing import Any

import numpy as np

from layerwise.data.dataset import Dataset, Quantities
from layerwise.nets.dense import MLP
from layerwise.studio.picture.drawing import PICTURED
from layerwise.training.padded import Parameters

UNITS = 12  # of a hidden layer that are drawn, where there are more
LINKS = 200  # that are drawn


def still(network: MLP, dataset: Dataset, now: Parameters) -> dict[str, Any]:
    """Four things of a scene.

    architecture   the layers' widths, inputs first, and the number of parameters
    spread         of a quantity: mean and standard deviation of the training part, in its own unit; else None
    typical        the mean of the training rows where inputs are too many to have a picture each, else nothing
    drawn          which units of each column are drawn, and which links, as layer, unit, source: the strongest `of` all
    """
    widths = [dataset.encoder.width, *(len(layer.bias) for layer in network.layers)]
    parameters = sum(layer.weight.size + layer.bias.size for layer in network.layers)
    return {
        "architecture": {"widths": widths, "parameters": int(parameters)},
        "spread": _spread(dataset),
        "typical": _typical(dataset),
        "drawn": drawn(widths, _weights(widths, now)),
    }


def _spread(dataset: Dataset) -> list[float] | None:
    if not isinstance(dataset.target, Quantities):
        return None
    y = dataset.target.in_units(dataset.y[dataset.train])[:, 0].astype(np.float64)
    return [float(y.mean()), float(y.std()) or 1.0] if y.size else [0.0, 1.0]


def _typical(dataset: Dataset) -> list[float]:
    if dataset.encoder.width <= PICTURED:
        return []
    found: list[float] = dataset.x[dataset.train].mean(axis=0).round(3).astype(float).tolist()
    return found


def _weights(widths: list[int], now: Parameters) -> list[np.ndarray]:
    """Of each layer its weights, units x sources, out of the padded arrays."""
    padded = np.asarray(now.weight)
    last = len(widths) - 2
    return [
        np.abs(padded[-1 if layer == last else layer, : widths[layer + 1], : widths[layer]])
        for layer in range(len(widths) - 1)
    ]


def drawn(widths: list[int], sizes: list[np.ndarray]) -> dict[str, Any]:
    """Which units and links are drawn, where there are too many for all; `sizes` are those of the weights.

    A unit is as strong as what it sends on, in sum. Outputs are drawn all; inputs too, unless they are so many
    that they are drawn as one block, without links of their own.

    >>> drawn([1, 2, 1], [np.array([[0.1], [2.0]]), np.array([[1.0, 3.0]])])
    {'units': [[0], [0, 1], [0]], 'links': [[1, 0, 1], [0, 1, 0], [1, 0, 0], [0, 0, 0]], 'of': 4}
    """
    block = widths[0] > PICTURED
    units = [[0] if block else list(range(widths[0]))]
    for column in range(1, len(widths)):
        count = widths[column]
        if count > UNITS and column < len(widths) - 1:
            strength = sizes[column].sum(axis=0)
            units.append(sorted(np.argsort(-strength, kind="stable")[:UNITS].tolist()))
        else:
            units.append(list(range(count)))
    first = 1 if block else 0
    links = [
        (float(sizes[layer][unit, source]), layer, unit, source)
        for layer in range(first, len(sizes))
        for unit in units[layer + 1]
        for source in units[layer]
    ]
    links.sort(key=lambda link: -link[0])
    every = sum(a * b for a, b in pairwise(widths[first:]))
    return {"units": units, "links": [list(place) for _, *place in links[:LINKS]], "of": every}
