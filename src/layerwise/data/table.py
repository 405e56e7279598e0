"""From a table, a file or rows in memory, to a `Dataset`."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from jaxtyping import Float32, Int64, Shaped

from layerwise.data import columns, dates, fit
from layerwise.data.columns import BadValue, Column, Notation
from layerwise.data.dataset import Classes, Dataset, Rows
from layerwise.data.leaks import check_duplicates, check_groups
from layerwise.data.read import Table, open_table
from layerwise.data.split import NAMES, Parts, group_codes, split
from layerwise.data.target import TargetReader, standardized
from layerwise.errors import DataError
from layerwise.recipe import records
from layerwise.recipe.wording import nearest

if TYPE_CHECKING:
    import polars as pl


class Roles(NamedTuple):
    """Which columns are no input: the target, and those that weigh, group, date or deal the rows."""

    target: tuple[str, ...]
    weight: str = ""
    group: str = ""
    time: str = ""
    part: str = ""


def load_table(data: records.TableData, task: records.Task, seed: int, source: Any = None) -> Dataset:
    """The dataset of `data.path`, or of `source` (a frame, an array, a list of mappings) in its place.

    The file is read once, in batches. Kinds of columns are judged by the first 8 MiB; everything
    that is fitted is fitted on the training part. Raises `DataError` for whatever is wrong with it.
    """
    tables = _open(data, source)
    roles = _roles(data)
    require(tables, (*roles.target, *(name for name in roles[1:] if name), *data.columns))
    kinds, notes = plan(tables[0], data, roles)
    time = _time(tables[0], data, roles.time)
    notes += [time.remark] if time and time.kind == "date" and time.remark else []
    reader = _Reader(tables, kinds, roles, time, TargetReader(roles.target, task, tables[0].head, tables[0].notation))
    try:
        reader.read()
    except OSError as error:
        raise DataError(
            "the data file can be read", received=error.strerror or str(error), place=tables[0].name
        ) from None
    y, discrete, target_notes = reader.target.settle(data.split)
    parts = reader.split(data.split, seed, y if isinstance(discrete, Classes) else None)
    notes += [*(remark for table in tables for remark in table.remarks), *target_notes, *parts.notes]
    if isinstance(discrete, Classes):
        notes += _unlearnt(y, discrete.names, parts.train)
    if discrete is None:
        standardize = task.standardize if isinstance(task, records.Regress) else True
        y, quantities = standardized(y, roles.target, parts.train, standardize)
    target = discrete or quantities
    encoder, constant = fit.fit(reader.inputs, parts.train, data, tables[0].notation)
    notes += constant
    if not encoder.names:
        raise DataError(
            "a table has an input column besides the target", received="; ".join(notes) or "none",
            remedy="add a column that differs from row to row", place=tables[0].name,
        )  # fmt: skip
    x = reader.inputs.encode(encoder)
    notes += check_duplicates(x, y, parts)
    return Dataset(
        name=Path(tables[0].name).stem, x=x, y=y, weight=reader.weights(), train=parts.train,
        validation=parts.validation, test=parts.test, encoder=encoder, target=target, raw=reader.raw(),
        split=parts.name, notes=tuple(notes), groups=reader.groups(),
    )  # fmt: skip


def _unlearnt(y: Shaped[np.ndarray, " rows"], names: Sequence[str], train: Rows) -> list[str]:
    """A sentence on the classes that the training part does not hold, where there are any."""
    counts = np.bincount(y[train], minlength=len(names))
    absent = [repr(name) for name, count in zip(names, counts, strict=True) if not count]
    return [f"the training part has no row of class {', '.join(absent[:10])}"] if absent else []


def _open(data: records.TableData, source: Any) -> list[Table]:
    """The table, and those of the further parts where the split gives files."""
    sources = [data.path if source is None else source]
    if isinstance(data.split, records.GivenSplit) and data.split.by == "none":
        sources += [path for path in (data.split.validation, data.split.test) if path != "none"]
    return [
        open_table(each, missing=data.missing, delimiter=data.delimiter, encoding=data.encoding, decimal=data.decimal)
        for each in sources
    ]


def _roles(data: records.TableData) -> Roles:
    target = (data.target,) if isinstance(data.target, str) else data.target
    if not target or len(set(target)) < len(target):
        raise DataError(
            "the target names columns, each once", received=repr(list(target)), remedy='e.g. target = "price"'
        )
    match data.split:
        case records.GroupSplit(by=by):
            special = {"group": by}
        case records.TimeSplit(by=by):
            special = {"time": by}
        case records.GivenSplit(by=by) if by != "none":
            special = {"part": by}
        case _:
            special = {}
    weight = "" if data.weight == "none" else data.weight
    return Roles(tuple(target), weight, **special)


def require(tables: Sequence[Table], names: Sequence[str]) -> None:
    """Raise `DataError` unless every table has the named columns, and those of the first."""
    for table in tables:
        for name in (*names, *tables[0].columns):
            if name in table.columns:
                continue
            remedy = nearest(name, table.columns) or f"the columns are: {', '.join(table.columns[:20])}"
            if all(_is_number(column) for column in table.columns):
                remedy = "the first line must hold the names of the columns; it holds numbers"
            raise DataError("a named column exists", received=f"no column {name!r}", remedy=remedy, place=table.name)


def _is_number(text: str) -> bool:
    try:
        columns.number_of(text, Notation())
    except ValueError:
        return False
    return True


def plan(table: Table, data: records.TableData, roles: Roles) -> tuple[list[Column], list[str]]:
    """The kinds of the input columns and of those still empty in the first rows, and sentences on what is left out.

    Raises `DataError` for columns that are no input as they are, such as free text.
    """
    special = {*roles.target, *roles[1:]}
    kept, notes = [], []
    for name in table.columns:
        if name in special:
            continue
        column = columns.infer(table.head.get_column(name), table.notation, data.columns.get(name, "auto"))
        if column.kind == "text":
            raise DataError(
                "an input column holds numbers, categories, dates or yes/no", received=column.remark,
                remedy=f'leave it out with columns = {{ "{name}" = "ignore" }}, or force it with "category"',
                place=f"{table.name}, column {name!r}",
            )  # fmt: skip
        if column.kind == "boolean" and len(column.words) != 2:
            raise DataError(
                "a yes/no column holds two words", received="another number of words",
                remedy='set its kind to "category"', place=f"{table.name}, column {name!r}",
            )  # fmt: skip
        if column.remark:
            notes.append(column.remark)
        if column.kind not in ("identifier", "ignore"):
            kept.append(column)
    return kept, notes


def _time(table: Table, data: records.TableData, name: str) -> Column | None:
    """What the column holds by which rows are split by time, where they are."""
    if not name:
        return None
    wanted = data.columns.get(name, "auto")
    if not isinstance(wanted, records.Dates):
        wanted = "auto"  # other kinds say what the column would be as an input
    found = columns.infer(table.head.get_column(name), table.notation, wanted)
    if found.kind not in ("date", "numeric", "identifier"):
        raise DataError(
            "a split by time needs a column of dates or numbers", received=f"column {name!r}: {found.kind}",
            remedy="name another column, or use another split", place=table.name,
        )  # fmt: skip
    return found


class _Reader:
    """Reads all rows once, and hands out what they hold beside the inputs and the target."""

    def __init__(
        self,
        tables: Sequence[Table],
        kinds: Sequence[Column],
        roles: Roles,
        time: Column | None,
        target: TargetReader,
    ) -> None:
        self.tables, self.roles, self._time, self.target = tables, roles, time, target
        self.inputs = fit.Gathered([column for column in kinds if column.kind != "empty"])
        self._empty = [column.name for column in kinds if column.kind == "empty"]
        self.numeric = frozenset(c.name for c in kinds if c.kind == "numeric")
        self._weights: list[Shaped[np.ndarray, " rows"]] = []
        self._special: list[Shaped[np.ndarray, " rows"]] = []  # group, time or part of each row
        self._names: dict[str, int] = {}  # of the groups or parts
        self._starts: list[int] = []  # first row of each table
        self._ends: list[int] = []  # rows kept up to the end of each table
        self._dropped: list[Int64[np.ndarray, " rows"]] = []

    def read(self) -> None:
        """All rows of all tables; raises `DataError` with the place of a bad value."""
        row = 0
        parsed = self.numeric | {*self.roles.target, self.roles.weight, self.roles.time}
        for table in self.tables:
            self._starts.append(row)
            for frame in table.batches(parsed):
                start = row - self._starts[-1]
                keep = self._checked(table, start, None, self.target.add, frame)
                lost = np.flatnonzero(~keep)
                if len(lost):
                    self._dropped.append(row + lost)
                    frame = frame.filter(keep)
                self._checked(table, start, keep, self._add, frame)
                row += len(keep)
            self._ends.append(self.inputs.rows)

    def _checked(self, table: Table, start: int, keep: Any, add: Any, frame: "pl.DataFrame") -> Any:
        try:
            return add(frame, table.notation)
        except BadValue as bad:
            index = bad.index if keep is None else int(np.flatnonzero(keep)[bad.index])
            raise bad.error(table.place(start + index)) from None

    def _add(self, frame: "pl.DataFrame", notation: Notation) -> None:
        roles = self.roles
        for name, add in ((roles.weight, self._add_weights), (roles.time, self._add_times)):
            if name:
                with _of_column(name):
                    add(frame.get_column(name), notation)
        if name := roles.group or roles.part:
            with _of_column(name):
                self._add_names(frame.get_column(name), notation)
        for name in self._empty:
            with _of_column(name):
                _refuse_values(frame.get_column(name), notation)
        self.inputs.add(frame, notation)

    def _add_weights(self, series: "pl.Series", notation: Notation) -> None:
        values = columns.numbers(series, notation)
        wrong = ~(values >= 0)
        if wrong.any():
            row = int(wrong.argmax())
            raise BadValue(
                row, float(values[row]), "a weight is a number of at least 0", "mend it; 0 leaves the row out"
            )
        self._weights.append(values.astype(np.float32))

    def _add_times(self, series: "pl.Series", notation: Notation) -> None:
        date = self._time is not None and self._time.kind == "date"
        form = self._time.form if self._time else ""
        values = columns.moments(series, form, notation) if date else columns.numbers(series, notation)
        absent = values == dates.MISSING if date else np.isnan(values)
        if absent.any():
            raise BadValue(int(absent.argmax()), None, "a split by time needs the time of every row", "fill it in")
        self._special.append(values)

    def _add_names(self, series: "pl.Series", notation: Notation) -> None:
        distinct, index = columns.codes(series, notation)
        codes = np.full(len(distinct) + 1, -1, dtype=np.int64)
        for i, text in enumerate(distinct):
            if text is not None and (not self.roles.part or text in NAMES):
                codes[i] = self._names.setdefault(text, len(self._names))
        found = codes[index]
        if (found < 0).any():
            row = int((found < 0).argmax())
            what = (
                'the part of every row, "train", "validation" or "test"'
                if self.roles.part
                else "the group of every row"
            )
            raise BadValue(row, series[row], f"this split needs {what}", "fill it in, or leave the row out")
        self._special.append(found)

    def groups(self) -> Int64[np.ndarray, " rows"] | None:
        """The number of each row's group or moment, where the split is by one of them."""
        return group_codes(np.concatenate(self._special)) if self.roles.group or self.roles.time else None

    def split(self, spec: records.Split, seed: int, classes: Any) -> Parts:
        """Which rows train, validate and test; a group never stands in two parts."""
        special = np.concatenate(self._special) if self._special else None
        given = None
        if self.roles.part and special is not None:
            given = np.array(list(self._names), dtype=object)[special]
        elif isinstance(spec, records.GivenSplit):
            names = ["train", *(name for name in ("validation", "test") if getattr(spec, name) != "none")]
            given = np.repeat(np.array(names, dtype=object), np.diff([0, *self._ends]))
        groups, times = (special if name else None for name in (self.roles.group, self.roles.time))
        parts = split(spec, self.inputs.rows, seed, classes=classes, groups=groups, times=times, given=given)
        if groups is not None:
            check_groups(np.array(list(self._names), dtype=object)[groups], parts)
        return parts

    def weights(self) -> Float32[np.ndarray, " rows"]:
        if not self._weights:
            return np.ones(self.inputs.rows, dtype=np.float32)
        weights = np.concatenate(self._weights)
        if not weights.any():
            raise DataError(
                "some example has a weight above 0", received="weights that are all 0", remedy="mend the column",
                place=f"column {self.roles.weight!r}",
            )  # fmt: skip
        return weights

    def raw(self) -> "TableRows":
        dropped = np.concatenate(self._dropped) if self._dropped else np.array([], dtype=np.int64)
        numbers = self.numeric | (set(self.roles.target) if self.target.as_numbers else set())
        return TableRows(self.tables, self._starts, dropped, numbers)


def _refuse_values(series: "pl.Series", notation: Notation) -> None:
    """Raise `BadValue` where a column has a value that was taken for empty by its first rows."""
    distinct, index = columns.codes(series, notation)
    for i, text in enumerate(distinct):
        if text is not None:
            row = int(np.argmax(index == i))
            rule = "a column without a value in all of the first rows has none later on"
            raise BadValue(row, text, rule, 'set its kind under `columns`, e.g. to "category", "numeric" or "ignore"')


@contextmanager
def _of_column(name: str) -> Iterator[None]:
    try:
        yield
    except BadValue as bad:
        bad.column = name
        raise


class TableRows:
    """Gives rows as the user wrote them: mappings of numbers and texts, None where missing.

    A file is read again for them, only the chunks that hold them. Raises `DataError` where it is
    no longer there.
    """

    def __init__(
        self,
        tables: Sequence[Table],
        starts: Sequence[int],
        dropped: Int64[np.ndarray, " dropped"],
        numbers: frozenset[str],
    ) -> None:
        self._tables, self._starts, self._numbers = tables, starts, numbers
        self._shifted = dropped - np.arange(len(dropped))  # kept row k is row k + (entries at most k)

    def __call__(self, rows: Rows) -> list[dict[str, Any]]:
        original = rows + np.searchsorted(self._shifted, rows, side="right")
        table_of = np.searchsorted(self._starts, original, side="right") - 1
        found: dict[int, dict[str, Any]] = {}
        for number in np.unique(table_of).tolist():
            table = self._tables[number]
            members = original[table_of == number]
            try:
                picked = table.pick((members - self._starts[number]).tolist())
            except (OSError, KeyError, StopIteration):
                raise DataError(
                    "the data file is still there as it was", received="another file", place=table.name
                ) from None
            for row, values in zip(members.tolist(), picked, strict=True):
                found[row] = {name: self._value(name, value, table.notation) for name, value in values.items()}
        return [found[row] for row in original.tolist()]

    def _value(self, name: str, value: Any, notation: Notation) -> Any:
        if not isinstance(value, str):
            return value
        text = columns.text_of(value, notation)
        if text is None or name not in self._numbers:
            return text
        number = columns.number_of(text, notation)
        return None if number != number else int(text) if text.lstrip("+-").isdigit() else number
