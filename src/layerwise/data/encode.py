"""Encoders: from raw rows, as users write them, to network input.

`TableEncoder` for named columns of mixed kinds, `ArrayEncoder` for columns of one unit (pixels,
measurements). Both are a record that JSON can hold plus named arrays, from which `encoder_from`
makes them again. A batch and a single row give the same bits.
"""

import difflib
import math
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec
import numpy as np
from jaxtyping import Float32, Float64, Shaped

from layerwise.data import columns, dates
from layerwise.data.columns import BadValue, Notation
from layerwise.data.dataset import Embedding
from layerwise.data.dialect import Usual
from layerwise.data.features import RAW, computed
from layerwise.data.read import MISSING, Table, frame_of, open_table
from layerwise.data.transform import (
    FARTHEST,
    ArraySpec,
    BooleanColumn,
    CategoryColumn,
    ColumnInfo,
    DateColumn,
    FittedColumn,
    NumericColumn,
    Spec,
    TableSpec,
    standardized,
)
from layerwise.errors import DataError

if TYPE_CHECKING:
    import polars as pl

AS_USUAL = TableSpec((), MISSING)  # how a table is written where nothing is known of it
SLICE = 8192  # rows encoded at a time: few enough for the processor's cache

Encoded = Float32[np.ndarray, "rows width"]


def aligned(rows: int, width: int) -> Float32[np.ndarray, "rows width"]:
    """An uninitialized array on a 64-byte boundary, which JAX can use on the CPU without a copy."""
    buffer = np.empty(rows * width + 16, dtype=np.float32)
    start = (-buffer.ctypes.data % 64) // 4
    return buffer[start : start + rows * width].reshape(rows, width)


Arrays = Mapping[str, np.ndarray]


def encoder_from(spec: Any, arrays: Arrays) -> "TableEncoder | ArrayEncoder":
    """The encoder of a `spec` (a record, or the plain mapping it became in JSON) and its `arrays`.

    Raises `DataError` where they do not belong together.
    """
    try:
        record: Spec = msgspec.convert(msgspec.to_builtins(spec), Spec)
    except (msgspec.ValidationError, TypeError) as error:
        raise DataError("an encoder's record is one this version knows", received=str(error)) from None
    if isinstance(record, TableSpec):
        return TableEncoder(record)
    if record.features and (record.names != RAW or record.scaling != "none"):
        raise DataError("features are computed of the columns x1 and x2 as they are", received=str(record.names))
    width = len(record.names)
    shapes = {"mean": ((1,), (width,)), "scale": ((1,), (width,)), "low": ((width,),), "high": ((width,),)}
    for name, possible in shapes.items():
        if name not in arrays or np.shape(arrays[name]) not in possible:
            raise DataError(f"an encoder has the array {name!r} of {width} columns", received=str(sorted(arrays)))
    return ArrayEncoder(record, arrays)


# ── raw rows ────────────────────────────────────────────────────────────────────────────────────


class Batch(NamedTuple):
    """Raw rows that hold the wanted columns; the first is row `start` of `table`, or of what was given."""

    frame: "pl.DataFrame"
    notation: Notation
    table: Table | None
    start: int

    def error(self, bad: BadValue, column: str) -> DataError:
        row = self.start + bad.index
        where = f"row {row} (the first is 0)" if self.table is None else self.table.place(row)
        return bad.error(where, column)


def batches(raw: Any, names: Sequence[str], written: TableSpec, numbers: frozenset[str]) -> Iterator[Batch]:
    """A file's rows batch by batch, or the rows in memory as one batch, written as those of the training were.

    What a file itself makes clear counts more. Raises `DataError`.
    """
    if isinstance(raw, str | os.PathLike):
        usual = Usual(written.delimiter, written.encoding, written.decimal)
        table, start = open_table(raw, missing=written.missing, usual=usual), 0
        if missing := absent(names, table.columns, table.name):
            raise missing
        for frame in table.batches(numbers):
            yield Batch(frame, table.notation, table, start)
            start += frame.height
        return
    frame = frame_of(raw, names)
    if missing := absent(names, frame.columns, ""):
        raise missing
    yield Batch(frame, Notation(frozenset(written.missing), written.decimal), None, 0)


def absent(names: Sequence[str], present: Sequence[str], place: str) -> DataError | None:
    """The error for columns that are not there, with the nearest names that are; None if all are."""
    there = set(present)
    if not (lacking := [name for name in names if name not in there]):
        return None
    spare = sorted(there - set(names))
    lower = {name.lower(): name for name in spare}
    found = [(name, difflib.get_close_matches(name, spare, n=1)) for name in lacking[:5]]
    found = [(name, near or [lower[name.lower()]] if near or name.lower() in lower else []) for name, near in found]
    hints = [f"rename {near[0]!r} to {name!r}" for name, near in found if near]
    return DataError(
        "the rows have every column the model was trained on",
        received=f"no column {', '.join(map(repr, lacking[:10]))}" + (", ..." if len(lacking) > 10 else ""),
        remedy="; ".join(hints)
        or f"needed are: {', '.join(names[:20])}; there are: {', '.join(present[:20]) or 'none'}",
        place=place,
    )


# ── tables ──────────────────────────────────────────────────────────────────────────────────────


class TableEncoder:
    """Encodes rows of named columns; see `layerwise.data.transform` for what each kind becomes."""

    def __init__(self, spec: TableSpec) -> None:
        self.spec = spec
        self.arrays: dict[str, np.ndarray] = {}
        self.names = tuple(column.name for column in spec.columns)
        self.features = tuple(feature for column in spec.columns for feature in column.features)
        self.width = len(self.features)
        self.schema: tuple[ColumnInfo, ...] = tuple(column.info for column in spec.columns)
        self.notation = Notation(frozenset(spec.missing), spec.decimal)
        sizes = [len(column.features) for column in spec.columns]
        self._starts = [sum(sizes[:i]) for i in range(len(sizes))]
        self.embeddings = tuple(
            Embedding(start, column.size, column.embed)
            for start, column in zip(self._starts, spec.columns, strict=True)
            if isinstance(column, CategoryColumn) and column.embed
        )
        self._rows = _RowPlan(spec.columns, self._starts, self.notation)

    def encode(self, raw: Any) -> Encoded:
        """Network input of a file's path, a frame, an array, or a list of mappings or of rows.

        Columns are found by name and may stand in any order; further ones are ignored. Arrays and
        lists of rows have the columns `names`, in that order. Raises `DataError` for an absent
        column and for a value that is not of its column's kind, with the row.
        """
        parts = []
        for batch in self._batches(raw):
            x = aligned(batch.frame.height, self.width)
            taken = [self._take(column, batch) for column in self.spec.columns]
            for start in range(0, len(x), SLICE):
                rows = slice(start, start + SLICE)
                self.fill_in(x[rows], [values[rows] for values in taken])
            parts.append(x)
        return parts[0] if len(parts) == 1 else np.concatenate(parts)

    def fill_in(self, out: Encoded, taken: Sequence[np.ndarray]) -> None:
        """Encode values as `_take` gives them, one array for each column."""
        for column, start, values in zip(self.spec.columns, self._starts, taken, strict=True):
            column.fill_in(out[:, start : start + len(column.features)], values)

    def encode_row(self, row: Any) -> Float32[np.ndarray, "1 width"]:
        """Network input of one row: a mapping from names to values, or a sequence of values."""
        if isinstance(row, Mapping):
            try:
                values = [row[name] for name in self.names]
            except KeyError:
                raise absent(self.names, list(map(str, row)), "") or DataError("names are texts") from None
        else:
            values = row.tolist() if isinstance(row, np.ndarray) else list(row)
            if len(values) != len(self.names):
                raise DataError(
                    f"a row has {len(self.names)} values: {', '.join(self.names[:10])}",
                    received=f"{len(values)} values",
                )
        return self._rows.encode(values, self.width)

    def report(self, raw: Any) -> dict[str, str]:
        """What `raw` holds that training did not, by column; columns without any are left out."""
        found: dict[str, list[str]] = {}
        for batch in self._batches(raw):
            for column in self.spec.columns:
                found.setdefault(column.name, []).extend(column.strange(self._take(column, batch)))
        return {name: "; ".join(texts) for name, texts in found.items() if texts}

    def _batches(self, raw: Any) -> "Iterator[Batch]":
        measured = frozenset(c.name for c in self.spec.columns if isinstance(c, NumericColumn))
        return batches(raw, self.names, self.spec, measured)

    def _take(self, column: FittedColumn, batch: "Batch") -> Shaped[np.ndarray, " rows"]:
        try:
            return take(column, batch.frame.get_column(column.name), batch.notation)
        except BadValue as bad:
            raise batch.error(bad, column.name) from None


def take(column: FittedColumn, series: "pl.Series", notation: Notation) -> Shaped[np.ndarray, " rows"]:
    """The values of a raw column in the form its `fill_in` wants; raises `BadValue`."""
    match column:
        case NumericColumn():
            return (columns.numbers(series, notation) - column.shift).astype(np.float32)
        case DateColumn():
            return columns.moments(series, column.form, notation)
        case BooleanColumn() | CategoryColumn():
            distinct, index = columns.codes(series, notation)
            codes = np.array([*map(column.code, distinct), column.code(None)], dtype=np.int32)
            return np.take(codes, index)


class _RowPlan:
    """Encodes one row without a table: all measured values in one short array, the others by look-up."""

    def __init__(self, fitted: Sequence[FittedColumn], starts: Sequence[int], notation: Notation) -> None:
        self.names = [column.name for column in fitted]
        self.notation = notation
        self.measured: list[tuple[int, DateColumn | None, int]] = []  # value, its date column, where cycles start
        self.coded: list[tuple[int, BooleanColumn | CategoryColumn, int]] = []
        trends, at, flags = [], [], []
        for position, (column, start) in enumerate(zip(fitted, starts, strict=True)):
            if isinstance(column, NumericColumn | DateColumn):
                date = column if isinstance(column, DateColumn) else None
                trend = column.trend if isinstance(column, DateColumn) else column
                self.measured.append((position, date, start))
                trends.append(trend)
                at.append(start)
                flags.append(start + len(column.features) - 1 if trend.missing else -1)
            else:
                self.coded.append((position, column, start))
        self.at, self.flags = np.array(at, dtype=np.intp), flags
        self.shift = np.array([trend.shift for trend in trends], dtype=np.float64)
        self.mean, self.scale, self.fill = (
            np.array([getattr(trend, name) for trend in trends], dtype=np.float32) for name in ("mean", "scale", "fill")
        )

    def encode(self, values: Sequence[Any], width: int) -> Float32[np.ndarray, "1 width"]:
        x = np.zeros((1, width), dtype=np.float32)
        out = x[0]
        if self.measured:
            numbers, absent = self._numbers(values, out)
            shifted = (np.array(numbers) - self.shift).astype(np.float32)
            if absent:
                shifted[absent] = self.fill[absent]
                for i in absent:
                    if self.flags[i] >= 0:
                        out[self.flags[i]] = 1
            out[self.at] = standardized(shifted, self.mean, self.scale)
        for position, column, start in self.coded:
            code = self._code(position, column, values[position])
            if isinstance(column, BooleanColumn):
                out[start] = code if code >= 0 else column.fill
                if column.missing and code < 0:
                    out[start + 1] = 1
            elif column.embed:
                out[start] = max(code, 0)
            elif code > 0:
                out[start + code - 1] = 1
        return x

    def _numbers(self, values: Sequence[Any], out: Float32[np.ndarray, " width"]) -> tuple[list[float], list[int]]:
        """The measured values, and which of them are missing; the cycles of dates are filled in."""
        numbers, absent = [], []
        for i, (position, date, start) in enumerate(self.measured):
            value = values[position]
            try:
                if date is not None:
                    moment = columns.moment_of(value, date.form, self.notation)
                    if moment == dates.MISSING:
                        value = math.nan
                    else:
                        cycles = dates.row_cycles(moment, date.clock)
                        out[start + 1 : start + 1 + len(cycles)] = cycles
                        value = moment / dates.DAY
                elif type(value) is not float or not -columns.LIMIT <= value <= columns.LIMIT:
                    value = columns.number_of(value, self.notation)  # also for NaN
            except ValueError:
                raise self._error(position, value, "a date" if date else "a finite number") from None
            if value != value:
                absent.append(i)
            numbers.append(value)
        return numbers, absent

    def _code(self, position: int, column: BooleanColumn | CategoryColumn, value: Any) -> int:
        if isinstance(column, CategoryColumn) and type(value) is str and (code := column.positions.get(value)):
            return code
        try:
            return column.code(columns.text_of(value, self.notation))
        except ValueError:
            raise self._error(position, value, "a text, a number, a date or yes/no") from None

    def _error(self, position: int, value: Any, what: str) -> DataError:
        return DataError(
            f"the value of this column is {what}", received=repr(value)[:80], remedy="leave it empty (None) if missing",
            place=f"column {self.names[position]!r}",
        )  # fmt: skip


# ── arrays ──────────────────────────────────────────────────────────────────────────────────────


class ArrayEncoder:
    """Encodes columns of numbers: (v - mean) / scale, or features of points, computed in double precision.

    `arrays` holds "mean" and "scale" of shape (width,), or (1,) where they are the same for all; for
    scaling "none" they are 0 and 1, for "range" 0 and a constant such as 255; and "low" and "high" of
    shape (width,), the training part's range.
    """

    embeddings: tuple[Embedding, ...] = ()

    def __init__(self, spec: ArraySpec, arrays: Arrays) -> None:
        self.spec = spec
        self.arrays = {name: np.asarray(arrays[name], dtype=np.float64) for name in ("mean", "scale", "low", "high")}
        self.names, self.features = spec.names, spec.features or spec.names
        self.width = len(self.features)

    @property
    def schema(self) -> tuple[ColumnInfo, ...]:
        ends = zip(self.names, self.arrays["low"].tolist(), self.arrays["high"].tolist(), strict=True)
        return tuple(ColumnInfo(name, "numeric", 0.0, f"{low:.7g} to {high:.7g}") for name, low, high in ends)

    def encode(self, raw: Any) -> Encoded:
        """Network input of an array of shape (rows, width) or (rows, *shape), or of whatever rows a
        `TableEncoder` takes. Raises `DataError` for another shape and for what is no finite number.
        """
        values = self._values(raw)
        x = aligned(len(values), self.width)
        for start in range(0, len(values), SLICE):
            rows = slice(start, start + SLICE)
            x[rows] = self._scaled(values[rows], start)
        return x

    def encode_row(self, row: Any) -> Float32[np.ndarray, "1 width"]:
        """Network input of one row: a sequence of values, an array of `shape`, or a mapping by name."""
        if isinstance(row, Mapping):
            try:
                row = [row[name] for name in self.names]
            except KeyError:
                self._values([row])  # names what is not there
                raise
        try:
            values = np.asarray(row, dtype=np.float64).reshape(1, -1)
        except (ValueError, TypeError):
            raise DataError("a row is numbers", received=repr(row)[:80]) from None
        if values.shape[1] != len(self.names):
            raise self._misshapen(f"{values.shape[1]} values")
        return self._scaled(values, 0).astype(np.float32)

    def report(self, raw: Any) -> dict[str, str]:
        """Values outside of the training part's range, counted by column."""
        values = self._values(raw)
        outside = ((values < self.arrays["low"]) | (values > self.arrays["high"])).sum(axis=0)
        found = {}
        for i in np.flatnonzero(outside):
            noun = "value" if outside[i] == 1 else "values"
            found[self.names[i]] = f"{outside[i]:,} {noun} outside of {self.schema[i].range}"
        return found

    def _values(self, raw: Any) -> Shaped[np.ndarray, "rows columns"]:
        if isinstance(raw, list | tuple) and raw and not isinstance(raw[0], Mapping):
            with suppress(ValueError, TypeError):  # whatever is wrong is found below, and named
                raw = np.array(raw, dtype=np.float64)  # rows of numbers, or nested as `shape` is
        if isinstance(raw, np.ndarray) and raw.dtype.kind in "biuf":
            if raw.shape[1:] not in ((len(self.names),), self.spec.shape):
                raise self._misshapen(f"an array of shape {raw.shape}")
            return raw.reshape(len(raw), -1)
        found = []
        for batch in batches(raw, self.names, AS_USUAL, frozenset(self.names)):
            parts = np.empty((batch.frame.height, len(self.names)))
            for i, name in enumerate(self.names):
                try:
                    parts[:, i] = columns.numbers(batch.frame.get_column(name), batch.notation)
                except BadValue as bad:
                    raise batch.error(bad, name) from None
            found.append(parts)
        return np.concatenate(found)

    def _scaled(self, values: Shaped[np.ndarray, "rows columns"], start: int) -> Float64[np.ndarray, "rows width"]:
        values = np.asarray(values, dtype=np.float64)
        good = np.abs(values) <= columns.LIMIT
        if not good.all():
            row, column = np.argwhere(~good)[0]
            raise DataError(
                "every value is a finite number", received=str(values[row, column]), remedy="fill in missing values",
                place=f"row {start + row} (the first is 0), column {self.names[column]!r}",
            )  # fmt: skip
        if self.spec.features:
            made: Float64[np.ndarray, "rows width"] = computed(self.spec.features, values)
            return made.clip(-columns.LIMIT, columns.LIMIT)
        if self.spec.scaling == "none":
            return values
        limit = FARTHEST if self.spec.scaling == "standard" else columns.LIMIT
        with np.errstate(over="ignore"):
            return np.clip((values - self.arrays["mean"]) / self.arrays["scale"], -limit, limit)

    def _misshapen(self, received: str) -> DataError:
        shape = f" or {self.spec.shape}" if len(self.spec.shape) > 1 else ""
        width = len(self.names)
        return DataError(f"a row has {width} values, of shape ({width},){shape}", received=received)
