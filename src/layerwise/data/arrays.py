"""From generated, drawn and published arrays to a `Dataset`."""

from collections.abc import Sequence
from typing import Literal

import msgspec
import numpy as np
from jaxtyping import Shaped

from layerwise.data import catalogue, features, toy
from layerwise.data.dataset import Classes, Dataset, Rows, Target
from layerwise.data.encode import ArrayEncoder
from layerwise.data.leaks import check_duplicates
from layerwise.data.split import split
from layerwise.data.target import standardized
from layerwise.data.transform import ArraySpec
from layerwise.errors import DataError
from layerwise.recipe import records

Scaling = Literal["none", "standard"] | float


class ArrayRows:
    """Gives rows of an array as they were."""

    def __init__(self, x: Shaped[np.ndarray, "rows ..."]) -> None:
        self._x = x

    def __call__(self, rows: Rows) -> Shaped[np.ndarray, "rows ..."]:
        return np.take(self._x, rows, axis=0)


def load_toy(data: records.ToyData, task: records.Task, seed: int) -> Dataset:
    """A generated figure; as it has unit size already, neither inputs nor target are scaled."""
    made = toy.make(data.name, data.n, data.noise, seed)
    classes = made.names if made.kind == "classes" else ()
    target = "class" if classes else made.names[0]
    return from_arrays(
        data.name, made.x, made.y, features.RAW, target, classes, data.split, task, seed,
        scaling="none", standardize=False, made=data.features,
    )  # fmt: skip


def load_points(data: records.PointsData, task: records.Task, seed: int) -> Dataset:
    """Points drawn by hand. The inputs are not scaled; a quantity, of which any size may be drawn, is."""
    rows = np.array(data.points)
    x, y = rows[:, :2], rows[:, 2]
    return from_arrays(
        "points", x, y, features.RAW, "class" if data.classes else "y", data.classes, data.split, task, seed,
        scaling="none", standardize=True, made=data.features,
    )  # fmt: skip


def load_named(data: records.NamedData, task: records.Task, seed: int) -> Dataset:
    """A data set of the catalogue: pixels divided by their range, measurements standardized."""
    published = catalogue.fetch(data.name)
    entry = published.entry
    return from_arrays(
        entry.name, published.x, published.y, entry.features, entry.target, entry.classes, data.split, task, seed,
        scaling=entry.scaling, standardize=True, shape=entry.shape,
        official_test=published.official_test, examine=True,
    )  # fmt: skip


def from_arrays(
    name: str,
    x: Shaped[np.ndarray, "rows width"],
    y: Shaped[np.ndarray, " rows"],
    names: Sequence[str],
    target: str,
    classes: Sequence[str],
    spec: records.Split,
    task: records.Task,
    seed: int,
    *,
    scaling: Scaling,
    standardize: bool,
    shape: tuple[int, ...] = (),
    made: Sequence[records.Feature] = (),
    official_test: Rows | None = None,
    examine: bool = False,
) -> Dataset:
    """The dataset of numbers `x` and of `y`, indices into `classes` or, where there are none, quantities.

    Quantities are scaled where `standardize` and the task say so; `made` are features to be made of points.
    `examine` looks for rows that stand in two parts. Raises `DataError` where task and target differ.
    """
    _check_task(task, bool(classes), name)
    parts = split(spec, len(x), seed, classes=y.astype(np.int64) if classes else None, official_test=official_test)
    encoder = fit_array(x, parts.train, names, shape or (x.shape[1],), scaling)
    if made and tuple(made) != tuple(names):
        encoder = ArrayEncoder(msgspec.structs.replace(encoder.spec, features=tuple(made)), encoder.arrays)
    if classes:
        outputs, kind = y.astype(np.int32), Classes(target, tuple(classes))
        described: Target = kind
    else:
        standardize &= not isinstance(task, records.Regress) or task.standardize
        outputs, described = standardized(y.astype(np.float64)[:, None], [target], parts.train, standardize)
    inputs = encoder.encode(x)
    notes = [*parts.notes, *(check_duplicates(inputs, outputs, parts) if examine else [])]
    return Dataset(
        name=name, x=inputs, y=outputs, weight=np.ones(len(x), dtype=np.float32), train=parts.train,
        validation=parts.validation, test=parts.test, encoder=encoder, target=described, raw=ArrayRows(x),
        split=parts.name, notes=tuple(notes),
    )  # fmt: skip


def fit_array(
    x: Shaped[np.ndarray, "rows width"], train: Rows, names: Sequence[str], shape: tuple[int, ...], scaling: Scaling
) -> ArrayEncoder:
    """The encoder of columns of numbers, fitted on the training rows.

    `scaling` is "none", "standard" (each column's mean and standard deviation) or a divisor for all.

    >>> fit_array(np.array([[0.0], [2.0], [9.0]]), np.array([0, 1]), ["a"], (1,), "standard").encode_row([4.0])
    array([[3.]], dtype=float32)
    """
    known = x[train]
    mean, scale = np.zeros(1), np.ones(1)
    if scaling == "standard":
        mean, scale = known.mean(axis=0, dtype=np.float64), known.std(axis=0, dtype=np.float64)
        scale = np.where(scale > 0, scale, 1.0)
    elif scaling != "none":
        scale = np.array([float(scaling)])
    kind: Literal["none", "range", "standard"] = scaling if isinstance(scaling, str) else "range"
    ends = {"low": known.min(axis=0), "high": known.max(axis=0)}
    return ArrayEncoder(ArraySpec(tuple(names), shape, kind), {"mean": mean, "scale": scale, **ends})


def _check_task(task: records.Task, classes: bool, name: str) -> None:
    match task:
        case records.Regress() if classes:
            received, remedy = "regress", 'the target is classes: use task = "classify"'
        case records.Classify() if not classes:
            received, remedy = "classify", 'the target is a quantity: use task = "regress"'
        case records.MultiLabel():
            received, remedy = "multilabel", "the target is one column"
        case _:
            return
    raise DataError(f"the task fits the target of {name}", received=f"task = {received!r}", remedy=remedy, place="task")
