"""Planes through a network's inputs: over two columns of the user's, or over two principal components.

On either, a point is origin + along_x[i] + along_y[j], in encoded inputs. For two columns the origin has all
others at their median or most frequent value, and zeros in the columns' own places; for components it is the
training part's mean, and the other two parts point along the components. Where the inputs are features of x1
and x2, such as their product, that sum is of x1 and x2, and the features are made of it.
"""

import datetime
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, assert_never

import jax.numpy as jnp
import numpy as np
from jaxtyping import Float32, Float64

from layerwise.data.dataset import Dataset, Rows, spread
from layerwise.data.transform import (
    ArraySpec,
    BooleanColumn,
    CategoryColumn,
    DateColumn,
    FittedColumn,
    NumericColumn,
    TableSpec,
)
from layerwise.errors import DataError
from layerwise.nets.dense import MLP
from layerwise.recipe.wording import nearest

POINTS = 128  # along a side: a plane is then four full calls of the compiled forward pass
LEVELS = 24  # of a category that are shown: the most frequent ones
MARGIN = 0.06  # of the data's range, beyond it on either side
LOOKED_AT = 1000  # training rows from which medians, frequencies and components are taken
TOLD = 3  # inputs that a component is described by
ABSENT = "(missing)"

Encoded = Float32[np.ndarray, "rows width"]
Spots = Float64[np.ndarray, " rows"]  # along an axis; NaN where a row has no place on it
Over = tuple[str, str] | Literal["auto", "pca"]


@dataclass(frozen=True)
class Axis:
    """An axis of a plane: `values` are its points, ascending.

    "number": in the column's own unit. "date": days since 1970. "levels": 0, 1, ... of `levels`.
    "component": in units of the encoded inputs.
    """

    name: str
    kind: Literal["number", "date", "levels", "component"]
    values: Float64[np.ndarray, " points"]
    levels: tuple[str, ...] = ()


class Component(NamedTuple):
    """A principal component: its share of the inputs' variance, and the inputs that weigh most in it."""

    share: float
    loadings: tuple[tuple[str, float], ...]


@dataclass(frozen=True)
class Plane:
    """A plane's axes, the inputs on it, and where some rows of the data stand.

    `network` takes the plane's inputs: it is the given one, but for the embeddings where components stand
    behind them. `held` are the values of the columns that do not vary. `spots` has x and y of each row, and
    `projected` the inputs there: the row's own but for what the plane holds. `encode` makes the inputs of the
    plane's points where these are not inputs yet.
    """

    x: Axis
    y: Axis
    network: MLP
    origin: Float32[np.ndarray, " width"]
    along_x: Float32[np.ndarray, "xs width"]
    along_y: Float32[np.ndarray, "ys width"]
    held: Mapping[str, str]
    components: tuple[Component, ...]
    spots: Float64[np.ndarray, "rows 2"]
    projected: Float32[np.ndarray, "rows inputs"]
    encode: Callable[[np.ndarray], np.ndarray] | None = None

    def inputs(self, lines: slice, step: int = 1) -> Encoded:
        """The inputs at some lines of constant y, every `step`-th point of each: of shape (ys * xs, width)."""
        ys, xs = self.along_y[lines, None], self.along_x[None, ::step]
        points: Encoded = np.reshape(self.origin + xs + ys, (-1, self.origin.size))
        return points if self.encode is None else self.encode(points)


def plane(network: MLP, dataset: Dataset, over: Over, rows: Rows) -> Plane:
    """The plane over two columns, by name, or over the first two principal components of the inputs ("pca").

    "auto" takes the columns where there are just two, else the components. `rows` are those that the plane
    has to hold. Raises `DataError` where a column does not exist, or where there are no two inputs.
    """
    names = dataset.encoder.names
    if over == "auto":
        over = (names[0], names[1]) if len(names) == 2 else "pca"
    if over == "pca":
        return _over_components(network, dataset, rows)
    _check_columns(over, names)
    if getattr(dataset.encoder.spec, "features", ()):
        return _over_points(network, dataset, over, rows)
    return _over_columns(network, dataset, over, rows)


def _looked_at(dataset: Dataset) -> Encoded:
    """Training rows, evenly spread where there are many."""
    found: Encoded = dataset.x[spread(dataset.train, LOOKED_AT)]
    return found


def _span(spots: Spots) -> Float64[np.ndarray, " points"]:
    """Points over the range of the data and a bit beyond."""
    known = spots[np.isfinite(spots)]
    low, high = (float(known.min()), float(known.max())) if known.size else (0.0, 1.0)
    margin = MARGIN * (high - low) or 0.5 * abs(high) or 0.5
    return np.linspace(low - margin, high + margin, POINTS)


# ── two columns ─────────────────────────────────────────────────────────────────────────────────


class _Column(NamedTuple):
    """A column of the user's: its places among the inputs, what it is held at, and its axis.

    `spots` gives the place on the axis of encoded rows (of this column's inputs alone); `axis` makes the
    axis for such places, with the raw value at each of its points.
    """

    where: slice
    usual: Any
    spots: Callable[[Encoded], Spots]
    axis: Callable[[Spots], tuple[Axis, list[Any]]]


def _check_columns(over: tuple[str, str], names: Sequence[str]) -> None:
    unknown = [name for name in over if name not in names]
    if unknown or over[0] == over[1]:
        near = nearest(unknown[0], names) if unknown else ""
        raise DataError(
            "a decision surface is over two different input columns",
            received=", ".join(over),
            remedy=near or f"the columns are: {', '.join(names[:20])}",
        )


def _over_points(network: MLP, dataset: Dataset, names: tuple[str, str], rows: Rows) -> Plane:
    """The plane of x1 and x2, or of x2 and x1, on which features of both are the inputs."""
    places = [dataset.encoder.names.index(name) for name in names]
    spots = np.asarray(dataset.raw(rows), np.float64)[:, places]
    spans = [_span(spots[:, part]) for part in (0, 1)]
    along = [np.outer(span, np.eye(2)[place]).astype(np.float32) for span, place in zip(spans, places, strict=True)]
    x, y = (Axis(name, "number", span) for name, span in zip(names, spans, strict=True))
    return Plane(
        x=x,
        y=y,
        network=network,
        origin=np.zeros(2, np.float32),
        along_x=along[0],
        along_y=along[1],
        held={},
        components=(),
        spots=spots,
        projected=dataset.x[rows],
        encode=dataset.encoder.encode,
    )


def _over_columns(network: MLP, dataset: Dataset, names: tuple[str, str], rows: Rows) -> Plane:
    encoder = dataset.encoder
    columns = _columns(dataset)
    base = {name: column.usual for name, column in columns.items()}
    usual = encoder.encode([base])[0]
    origin = usual.copy()
    shown = dataset.x[rows]
    projected = np.tile(usual, (rows.size, 1))
    axes, along, spots = [], [], []
    for name in names:
        column = columns[name]
        spots.append(column.spots(shown[:, column.where]))
        axis, values = column.axis(spots[-1])
        part = np.zeros((len(values), encoder.width), np.float32)
        part[:, column.where] = encoder.encode([{**base, name: value} for value in values])[:, column.where]
        origin[column.where] = 0
        projected[:, column.where] = shown[:, column.where]
        axes.append(axis)
        along.append(part)
    held = {name: _said(value) for name, value in base.items() if name not in names}
    return Plane(
        x=axes[0],
        y=axes[1],
        network=network,
        origin=origin,
        along_x=along[0],
        along_y=along[1],
        held=held,
        components=(),
        spots=np.stack(spots, axis=1),
        projected=projected,
    )


def _said(value: Any) -> str:
    """A raw value for people."""
    if isinstance(value, datetime.datetime):
        return value.date().isoformat()
    return ABSENT if value is None else f"{value:.4g}" if isinstance(value, float) else str(value)


def _columns(dataset: Dataset) -> dict[str, _Column]:
    """The columns of a data set, by name."""
    encoder, known = dataset.encoder, _looked_at(dataset)
    match encoder.spec:
        case TableSpec(columns=fitted):
            found, start = {}, 0
            for column in fitted:
                where = slice(start, start + len(column.features))
                found[column.name] = _fitted(column, where, known[:, where])
                start = where.stop
            return found
        case ArraySpec(names=names):
            mean, scale = (np.broadcast_to(encoder.arrays[part], len(names)) for part in ("mean", "scale"))
            ends = zip(names, mean.tolist(), scale.tolist(), strict=True)
            return {
                name: _number(name, slice(place, place + 1), mean, scale, _middle(known[:, place], mean, scale))
                for place, (name, mean, scale) in enumerate(ends)
            }
        case unknown:
            assert_never(unknown)


def _middle(encoded: Float32[np.ndarray, " rows"], mean: float, scale: float) -> float:
    """The median in the column's own unit."""
    return float(np.median(encoded)) * scale + mean


def _fitted(column: FittedColumn, where: slice, known: Encoded) -> _Column:
    match column:
        case NumericColumn(boolean=True):
            return _level(column.name, where, column.fill, {"0": 0.0, "1": 1.0}, _two_words(column.missing))
        case NumericColumn():
            shift = column.mean + column.shift
            return _number(column.name, where, shift, column.scale, column.fill + column.shift, column.missing)
        case BooleanColumn(words=(no, yes)):
            usual = yes if column.fill else no
            return _level(column.name, where, usual, {no: no, yes: yes}, _two_words(column.missing))
        case CategoryColumn():
            return _category(column, where, known)
        case DateColumn():
            return _date(column, where)


def _number(name: str, where: slice, mean: float, scale: float, usual: float, missing: bool = False) -> _Column:
    """A column of numbers, (v - mean) / scale; with `missing` its last input says where there is none."""

    def spots(encoded: Encoded) -> Spots:
        found = encoded[:, 0].astype(np.float64) * scale + mean
        return np.where(encoded[:, -1] > 0, np.nan, found) if missing else found

    def axis(spots: Spots) -> tuple[Axis, list[Any]]:
        values = _span(spots)
        return Axis(name, "number", values), values.tolist()

    return _Column(where, usual, spots, axis)


def _date(column: DateColumn, where: slice) -> _Column:
    """A column of dates, by its days."""
    trend = column.trend
    number = _number(column.name, where, trend.mean + trend.shift, trend.scale, trend.fill, trend.missing)
    start = datetime.datetime(1970, 1, 1)

    def axis(spots: Spots) -> tuple[Axis, list[Any]]:
        values = _span(spots)
        if not column.clock:
            values = np.unique(np.round(values))
        return Axis(column.name, "date", values), [start + datetime.timedelta(days=day) for day in values.tolist()]

    usual = trend.fill + trend.shift
    return number._replace(
        usual=start + datetime.timedelta(days=usual if column.clock else float(round(usual))), axis=axis
    )


def _two_words(missing: bool) -> Callable[[Encoded], Spots]:
    """0 or 1 as they are; 2 where there is no value."""

    def spots(encoded: Encoded) -> Spots:
        found = encoded[:, 0].astype(np.float64)
        return np.where(encoded[:, -1] > 0, 2.0, found) if missing else found

    return spots


def _category(column: CategoryColumn, where: slice, known: Encoded) -> _Column:
    """A column of categories, the most frequent of them in alphabetical order."""
    names = [*column.categories, *([None] if column.missing else [])]

    def codes(encoded: Encoded) -> Spots:
        found = encoded[:, 0] - 1.0 if column.embed else np.where(encoded.any(axis=1), encoded.argmax(axis=1), -1.0)
        return np.asarray(found, np.float64)

    counts = np.bincount(codes(known).astype(int) + 1, minlength=len(names) + 1)[1:]
    frequent = np.sort(np.argsort(-counts, kind="stable")[:LEVELS])
    values = {ABSENT if names[code] is None else str(names[code]): names[code] for code in frequent.tolist()}
    place = np.full(len(names) + 1, np.nan)  # of each code; the last is that of categories unseen in training
    place[frequent] = np.arange(frequent.size)
    usual = names[int(counts.argmax())]
    return _level(column.name, where, usual, values, lambda encoded: place[codes(encoded).astype(int)])


def _level(
    name: str, where: slice, usual: Any, values: Mapping[str, Any], spots: Callable[[Encoded], Spots]
) -> _Column:
    """A column of a few values, by what they are called."""
    levels = dict(values)

    def axis(spots: Spots) -> tuple[Axis, list[Any]]:
        if np.any(spots == len(values)):  # the level after the last is that of the missing values
            levels[ABSENT] = None
        return Axis(name, "levels", np.arange(float(len(levels))), tuple(levels)), list(levels.values())

    return _Column(where, usual, spots, axis)


# ── principal components ────────────────────────────────────────────────────────────────────────


def _over_components(network: MLP, dataset: Dataset, rows: Rows) -> Plane:
    """The plane that holds most of the inputs' variance, behind the embeddings where there are some."""
    known = _first(network, _looked_at(dataset))
    width = known.shape[1]
    if width < 2:
        raise DataError(
            "a decision surface is over two inputs",
            received=f"a network with the one input {dataset.encoder.names[0]!r}",
            remedy="add a column to the data",
        )
    mean = known.mean(axis=0)
    _, sizes, directions = np.linalg.svd(known - mean, full_matrices=False)
    two = np.zeros((2, width))
    two[: len(directions)] = directions[:2]
    two *= np.where(two[[0, 1], np.abs(two).argmax(axis=1)] < 0, -1.0, 1.0)[:, None]  # the largest part is positive
    shares = np.append(sizes**2, 0.0)[:2] / max(float((sizes**2).sum()), 1e-12)
    names = _input_names(network, dataset)
    components = []
    for share, direction in zip(shares.tolist(), two, strict=True):
        most = np.argsort(-np.abs(direction), kind="stable")[:TOLD].tolist()
        components.append(Component(share, tuple((names[place], float(direction[place])) for place in most)))
    spots = (_first(network, dataset.x[rows]) - mean) @ two.T
    spans = [_span(spots[:, part]) for part in (0, 1)]
    x, y = (Axis(f"component {part + 1}", "component", span) for part, span in enumerate(spans))
    return Plane(
        x=x,
        y=y,
        network=MLP(embeds=(), layers=network.layers, kept=(), activations=network.activations),
        origin=mean.astype(np.float32),
        along_x=np.outer(spans[0], two[0]).astype(np.float32),
        along_y=np.outer(spans[1], two[1]).astype(np.float32),
        held={},
        components=tuple(components),
        spots=spots,
        projected=(mean + spots @ two).astype(np.float32),
    )


def _first(network: MLP, x: Encoded) -> Float64[np.ndarray, "rows inputs"]:
    """What the first layer sees."""
    return np.asarray(network.inputs(jnp.asarray(x)), np.float64)


def _input_names(network: MLP, dataset: Dataset) -> list[str]:
    """What each input of the first layer is."""
    features = list(dataset.encoder.features)
    if not network.embeds:
        return features
    embedded = [f"{features[e.column]} [{n + 1}]" for e in network.embeds for n in range(e.table.shape[1])]
    return [features[column] for column in network.kept] + embedded
