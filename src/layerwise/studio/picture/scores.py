"""How well the network does on rows that it does not learn from, as things are now: for each frame."""

from functools import lru_cache

import numpy as np
from jaxtyping import Float, Int, Int32, Shaped

from layerwise.data.dataset import Dataset, Quantities, Rows
from layerwise.data.leaks import duplicates
from layerwise.data.split import Parts
from layerwise.tasks.intervals import wilson
from layerwise.tasks.metrics import regression
from layerwise.training import padded
from layerwise.training.kept import Kept
from layerwise.training.padded.network import outputs

Sections = dict[str, np.ndarray]  # of a frame
Values = Float[np.ndarray, "rows outputs"]


@lru_cache
def _program(narrow: bool) -> Kept:
    return Kept(outputs, tiny=narrow)


def said(
    parameters: padded.Parameters, shape: padded.Shape, table: padded.Table, dataset: Dataset, count: int
) -> Values:
    """The outputs before their link, the first `count` of them, for every row of a data set with that table."""
    narrow = len(table.x_columns) <= padded.NARROW
    found = np.asarray(_program(narrow)(parameters, shape, table.x_columns))
    rows = padded.order(dataset)
    values = np.empty((len(rows), count), found.dtype)
    values[rows] = found[:count, : len(rows)].T
    return values


def sections(kind: str, dataset: Dataset, values: Values, test: bool) -> Sections:
    """The validation part's figures, and with `test` the test part's, as sections of a frame.

    confusion (int32, classes x classes)   rows of each class by what they were taken for
    fit (float32, rows x 2)                of a quantity: the truth and what was said, in its own unit
    score (float32, parts x 3)             accuracy or R2 with its 95% interval, of each part; NaN where unknown

    Accuracy has Wilson's interval, R2 the bootstrap's.
    """
    parts = [dataset.validation, *([dataset.test] if test else [])]
    found: Sections = {"score": np.array([_score(kind, dataset, values, rows) for rows in parts], np.float32)}
    if kind in ("binary", "classes"):
        classes = 2 if kind == "binary" else values.shape[1]
        rows = dataset.validation
        found["confusion"] = _confusion(dataset.y[rows], _taken(kind, values[rows]), classes)
    elif isinstance(dataset.target, Quantities):
        rows = dataset.validation
        both = (dataset.target.in_units(each)[:, 0] for each in (dataset.y[rows], values[rows]))
        found["fit"] = np.column_stack(list(both)).astype(np.float32)
    return found


def copied(dataset: Dataset) -> bool:
    """Whether at least half of the validation part are copies of rows that are trained on: it measures memory then."""
    parts = Parts(dataset.split, dataset.train, dataset.validation, dataset.test)
    found = {repeated.part: repeated.repeated for repeated in duplicates(dataset.x, dataset.y, parts)}
    return 2 * found.get("validation", 0) >= len(dataset.validation) > 0


def _score(kind: str, dataset: Dataset, values: Values, rows: Rows) -> tuple[float, float, float]:
    y, own = dataset.y[rows], values[rows]
    if not rows.size or not np.isfinite(own).all():
        return (np.nan,) * 3
    if kind == "quantities":
        figure = regression(own, y, seed=0).metrics.get("r2")
        return (figure.value, figure.low, figure.high) if figure else (np.nan,) * 3
    right = ((own > 0) == (y > 0.5)).all(axis=1) if kind == "labels" else _taken(kind, own) == y
    share = np.array([right.mean()])
    low, high = wilson(share, np.array([rows.size]))
    return float(share[0]), float(low[0]), float(high[0])


def _taken(kind: str, values: Values) -> Int[np.ndarray, " rows"]:
    """The class that each row is taken for."""
    found: Int[np.ndarray, " rows"] = (values[:, 0] > 0).astype(int) if kind == "binary" else values.argmax(axis=1)
    return found


def _confusion(
    y: Shaped[np.ndarray, " rows"], taken: Int[np.ndarray, " rows"], classes: int
) -> Int32[np.ndarray, "classes classes"]:
    found = np.zeros((classes, classes), np.int32)
    np.add.at(found, (y.astype(int), taken), 1)
    return found
