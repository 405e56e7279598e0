"""Predictions as a table, as they are written to a file."""

import math
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float

from layerwise.data.dataset import Classes, Labels
from layerwise.tasks.objective import probabilities
from layerwise.training.model import Model

if TYPE_CHECKING:
    import polars as pl


def predictions(model: Model, raw: Any) -> "pl.DataFrame":
    """Row number, prediction and probabilities of every raw row, as a table.

    The network computes in 32 bits: probabilities are given in these, and quantities in the seven digits that they
    leave of a standardized one.
    """
    import polars as pl

    outputs = model.outputs(model.encoded(raw))
    said = model.decided(outputs)
    columns: list[tuple[str, np.ndarray | pl.Series]] = [("row", pl.int_range(1, len(outputs) + 1, eager=True))]
    match model.target:
        case Classes(column=target, names=names):
            columns.append((target, said))
            shares = probabilities(model.objective, outputs).astype(np.float32)
            columns += [(f"p_{name}", shares[:, i]) for i, name in enumerate(names)]
        case Labels(columns=targets):
            shares = probabilities(model.objective, outputs).astype(np.float32)
            for i, name in enumerate(targets):
                columns += [(name, said[:, i]), (f"p_{name}", shares[:, i])]
        case quantities:
            values = said.reshape(len(outputs), -1)
            for i, name in enumerate(quantities.columns):
                columns.append((name, _rounded(values[:, i], quantities.mean[i], quantities.scale[i])))
    return pl.DataFrame(_distinct(columns))


def _rounded(values: Float[np.ndarray, " rows"], mean: float, scale: float) -> Float[np.ndarray, " rows"]:
    """Quantities without the digits that are below a ten-millionth of their scale."""
    if (mean, scale) == (0, 1):  # what the network itself computed
        return values.astype(np.float32)
    places = max(0, 6 - math.floor(math.log10(scale)))
    return values.round(places) + 0.0 if places <= 15 else values  # + 0.0: no -0


def _distinct(columns: "list[tuple[str, np.ndarray | pl.Series]]") -> "dict[str, np.ndarray | pl.Series]":
    """The columns by name; a name that occurs twice ("row" as a target) gets a number."""
    named: dict[str, Any] = {}
    for name, values in columns:
        unique, number = name, 2
        while unique in named:
            unique, number = f"{name}_{number}", number + 1
        named[unique] = values
    return named
