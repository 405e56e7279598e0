"""Opening a table: CSV, Parquet, JSON Lines, frames, arrays and lists of mappings, all as a `Table`.

A table gives its rows in batches, so that a file of any size is read with the memory of one batch,
and says where a row stands, so that every fault can be named.
"""

import datetime
import os
import stat
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import msgspec
import numpy as np

from layerwise.data.columns import Notation, text_of
from layerwise.data.delimited import DelimitedFile
from layerwise.data.dialect import NONE_USUAL, Usual
from layerwise.errors import DataError
from layerwise.recipe.records import TableData

if TYPE_CHECKING:
    import polars as pl

BATCH = 1 << 17  # rows
MISSING: tuple[str, ...] = TableData(path="-", target="-").missing


@runtime_checkable
class Table(Protocol):
    """Rows of named columns. `batches` gives all of them in order, as the types they are stored in;
    text files give texts, and float64 for the columns `numbers` where a whole batch parses."""

    name: str
    columns: tuple[str, ...]
    notation: Notation

    @property
    def remarks(self) -> tuple[str, ...]: ...
    @property
    def head(self) -> "pl.DataFrame": ...
    def batches(self, numbers: frozenset[str] = frozenset()) -> "Iterator[pl.DataFrame]": ...
    def place(self, row: int) -> str: ...
    def pick(self, rows: Sequence[int]) -> list[dict[str, Any]]: ...


def open_table(
    source: Any,
    *,
    missing: Sequence[str] = MISSING,
    delimiter: str = "auto",
    encoding: str = "auto",
    decimal: str = "auto",
    usual: Usual = NONE_USUAL,
) -> Table:
    """A file (CSV, Parquet, JSON Lines, told by its content) or anything `frame_of` takes, as a table.

    `missing` are the texts that mean "no value"; the other settings concern CSV and are found out
    where "auto", with a preference for the `usual`. Raises `DataError`.

    >>> open_table([{"a": 1, "b": "x"}, {"a": 2}]).columns
    ('a', 'b')
    """
    signs = (sign for sign in (decimal, usual.decimal, ".") if sign != "auto")
    notation = Notation(frozenset(missing), next(signs))  # where there is nothing to find it out by
    if not isinstance(source, str | os.PathLike):
        return FrameTable(frame_of(source), "the table", notation)
    path = Path(source)
    first = _opening(path)
    try:
        if first.startswith(b"PAR1"):
            return ParquetTable(path, notation)
        text = first.removeprefix(b"\xef\xbb\xbf").lstrip()
        if text.startswith(b"{") or path.suffix in (".jsonl", ".ndjson"):
            return JsonLines(path, notation)
        return DelimitedFile(path, missing, delimiter, encoding, decimal, usual)
    except OSError as error:
        raise DataError("the data file can be read", received=error.strerror or str(error), place=path.name) from None


def _opening(path: Path) -> bytes:
    """The first bytes of a regular file."""
    try:
        mode = path.stat().st_mode
        if stat.S_ISDIR(mode):
            raise DataError(
                "the data is a file",
                received=f"the folder {str(path)!r}",
                remedy="name a CSV, Parquet or JSON Lines file",
            )
        if not stat.S_ISREG(mode):
            raise DataError("the data is a regular file", received=f"{path.name!r}, which is a device or a pipe")
        with path.open("rb") as file:
            return file.read(4096)
    except FileNotFoundError:
        near = _near(path)
        raise DataError("the data file must exist", received=repr(str(path)), remedy=near or "check the path") from None
    except DataError:
        raise
    except (OSError, ValueError) as error:
        received = getattr(error, "strerror", None) or str(error)
        raise DataError("the data file can be read", received=received, place=path.name[:100]) from None


def _near(path: Path) -> str:
    """A file beside it that is much like it; empty ones, such as `> FILE` in a shell makes, are none."""
    from difflib import get_close_matches

    try:
        found = [other for other in path.parent.iterdir() if other.is_file() and other.stat().st_size]
        stems = get_close_matches(path.stem.lower(), [other.stem.lower() for other in found], n=1, cutoff=0.75)
        like = [other.name for other in found if other.stem.lower() in stems]
        return f"did you mean {max(like, key=lambda name: name.endswith(path.suffix))!r}?" if like else ""
    except OSError:
        return f"there is no folder {path.parent.name!r} either"


# ── in memory ───────────────────────────────────────────────────────────────────────────────────


def frame_of(raw: Any, names: Sequence[str] = ()) -> "pl.DataFrame":
    """A Polars or pandas frame, a 2-D array, a list of mappings or of rows, a mapping of columns or
    of one row's values, as a Polars frame.

    `names` name the columns of arrays and lists of rows. Raises `DataError` for anything else.
    """
    import polars as pl

    if isinstance(raw, pl.LazyFrame):
        raw = raw.collect()
    if isinstance(raw, pl.DataFrame):
        return raw
    if type(raw).__module__.startswith("pandas") and hasattr(raw, "columns"):
        return _from_pandas(raw)
    if isinstance(raw, Mapping):
        columns = {str(name): _listed(values) for name, values in raw.items()}
        return _assembled({name: series_of(name, values) for name, values in columns.items()})
    if isinstance(raw, np.ndarray) and raw.ndim == 2:
        given = _names(names, raw.shape[1])
        if raw.dtype.kind in "biufM":
            return _assembled({name: pl.Series(name, _plain_array(raw[:, i])) for i, name in enumerate(given)})
        return _assembled({name: series_of(name, raw[:, i].tolist()) for i, name in enumerate(given)})
    if isinstance(raw, Sequence) and not isinstance(raw, str | bytes) and len(raw):
        if all(isinstance(row, Mapping) for row in raw):
            keys = list(dict.fromkeys(str(key) for row in raw for key in row))
            return _assembled({key: series_of(key, [row.get(key) for row in raw]) for key in keys})
        if all(isinstance(row, Sequence | np.ndarray) and not isinstance(row, str | bytes) for row in raw):
            if len({len(row) for row in raw}) == 1:
                columns_of = zip(*raw, strict=True)
                given = _names(names, len(raw[0]))
                return _assembled({n: series_of(n, list(v)) for n, v in zip(given, columns_of, strict=True)})
    if isinstance(raw, Sequence) and not isinstance(raw, str | bytes) and not len(raw):
        raise DataError("a list of rows has a row", received="an empty list", remedy="give a row")
    raise DataError(
        "rows are a frame, a two-dimensional array, a list of mappings or of equally long rows",
        received=f"{type(raw).__name__}{f' of shape {raw.shape}' if isinstance(raw, np.ndarray) else ''}",
    )


def _names(names: Sequence[str], count: int) -> Sequence[str]:
    if names and len(names) != count:
        raise DataError(f"a row has {len(names)} values: {', '.join(names[:10])}", received=f"{count} values")
    return names or [f"column_{i + 1}" for i in range(count)]


def _listed(values: Any) -> list[Any]:
    if isinstance(values, np.ndarray) and values.ndim == 1:
        return values.tolist()  # type: ignore[no-any-return]
    return list(values) if isinstance(values, Sequence) and not isinstance(values, str | bytes) else [values]


def _plain_array(array: np.ndarray) -> np.ndarray:
    if array.dtype.kind == "M":
        return array.astype("datetime64[us]")
    return array.astype(np.float32) if array.dtype == np.float16 else np.ascontiguousarray(array)


def _assembled(columns: "dict[str, pl.Series]") -> "pl.DataFrame":
    import polars as pl

    try:
        return pl.DataFrame(columns)
    except pl.exceptions.ShapeError:
        raise DataError(
            "all columns have as many values",
            received=", ".join(f"{n}: {len(s)}" for n, s in list(columns.items())[:5]),
        ) from None


def series_of(name: str, values: list[Any]) -> "pl.Series":
    """A column of Python values: numbers, texts, dates or yes/no; a mixture of them becomes texts."""
    import polars as pl

    values = [v.item() if isinstance(v, np.generic) and not isinstance(v, np.datetime64) else v for v in values]
    values = [None if type(v).__name__ in ("NAType", "NaTType") else v for v in values]
    kinds = {type(v) for v in values} - {type(None)}
    if kinds <= {int, float, bool} and kinds != {bool}:
        try:
            return pl.Series(name, values, dtype=pl.Int64 if kinds == {int} else pl.Float64, strict=kinds == {int})
        except (OverflowError, TypeError, pl.exceptions.PolarsError):
            return pl.Series(name, [None if v is None else _as_float(v) for v in values], dtype=pl.Float64)
    try:
        if len(kinds) == 1 and kinds <= {
            str,
            bool,
            datetime.date,
            datetime.datetime,
            datetime.timedelta,
            datetime.time,
        }:
            return pl.Series(name, values)
        texts = [None if v is None else text_of(v, Notation(frozenset())) for v in values]
        return pl.Series(name, texts, dtype=pl.String)
    except (ValueError, TypeError, OverflowError, pl.exceptions.PolarsError):
        return pl.Series(name, values, dtype=pl.Object)  # refused where the column is used


def _as_float(value: Any) -> float:
    try:
        return float(value)
    except OverflowError:
        return float("inf")


def _from_pandas(frame: Any) -> "pl.DataFrame":
    import polars as pl

    columns: dict[str, pl.Series] = {}
    for position, label in enumerate(frame.columns):
        name, column = str(label), frame.iloc[:, position]
        if name in columns:
            raise DataError(
                "each column has a name of its own", received=f"{name!r} twice", remedy="rename the columns"
            )
        if isinstance(column.dtype, np.dtype) and column.dtype.kind in "biufM":
            columns[name] = pl.Series(name, _plain_array(column.to_numpy()))
        elif str(column.dtype).startswith("datetime64"):  # with a time zone
            columns[name] = pl.Series(name, column.dt.tz_convert("UTC").dt.tz_localize(None).to_numpy("datetime64[us]"))
        else:
            columns[name] = series_of(name, column.astype(object).where(column.notna(), None).tolist())
    return _assembled(columns)


class FrameTable:
    """A frame in memory as a table; rows count from 0."""

    def __init__(self, frame: "pl.DataFrame", name: str, notation: Notation) -> None:
        if frame.width == 0 or frame.height == 0:
            raise DataError(
                "a table holds rows", received=f"{frame.height} rows of {frame.width} columns", remedy="check the data",
                place=name,
            )  # fmt: skip
        self._frame, self.name, self.notation = frame, name, notation
        self.columns = tuple(frame.columns)
        self.remarks: tuple[str, ...] = ()

    @property
    def head(self) -> "pl.DataFrame":
        return self._frame.head(BATCH)

    def batches(self, numbers: frozenset[str] = frozenset()) -> "Iterator[pl.DataFrame]":
        yield from self._frame.iter_slices(BATCH)

    def place(self, row: int) -> str:
        return f"{self.name}, row {row} (the first is 0)"

    def pick(self, rows: Sequence[int]) -> list[dict[str, Any]]:
        return [plain(self._frame.row(row, named=True)) for row in rows]


def plain(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row with values that JSON knows: dates and the like as texts, NaN as None."""
    return {name: _plain(value) for name, value in row.items()}


def _plain(value: Any) -> Any:
    if isinstance(value, datetime.timedelta):
        return value.total_seconds()
    if isinstance(value, float):
        return value if np.isfinite(value) else (None if value != value else str(value))
    if value is None or isinstance(value, bool | int | str):
        return value
    return value.isoformat() if isinstance(value, datetime.date | datetime.time) else str(value)


# ── files ───────────────────────────────────────────────────────────────────────────────────────


class ParquetTable:
    """A Parquet file as a table; rows count from 0."""

    def __init__(self, path: Path, notation: Notation) -> None:
        import polars as pl

        self.path, self.name, self.notation = path, path.name, notation
        self.remarks: tuple[str, ...] = ()
        with self._guarded():
            self._lazy = pl.scan_parquet(path, glob=False)
            self._head = self._lazy.head(BATCH).collect()
        self.columns = tuple(self._head.columns)
        if not self._head.height or not self.columns:
            raise DataError(
                "a data file holds rows", received="a table without rows", remedy="check the path", place=self.name
            )

    def _guarded(self) -> "_ParquetFaults":
        return _ParquetFaults(self.name)

    @property
    def head(self) -> "pl.DataFrame":
        return self._head

    def batches(self, numbers: frozenset[str] = frozenset()) -> "Iterator[pl.DataFrame]":
        with self._guarded():
            yield from self._lazy.collect_batches(chunk_size=BATCH, maintain_order=True)

    def place(self, row: int) -> str:
        return f"{self.name}, row {row} (the first is 0)"

    def pick(self, rows: Sequence[int]) -> list[dict[str, Any]]:
        import polars as pl

        index = "\0row"
        with self._guarded():
            found = self._lazy.with_row_index(index).filter(pl.col(index).is_in(sorted(set(rows)))).collect()
        by_row = {row.pop(index): plain(row) for row in found.to_dicts()}
        return [by_row[row] for row in rows]


class _ParquetFaults:
    """Turns what Polars says of a damaged file into a `DataError`."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        import polars as pl

        if isinstance(error, pl.exceptions.PolarsError | pl.exceptions.PanicException | OSError):
            raise DataError(
                "the Parquet file is whole", received=str(error).split("\n")[0][:120],
                remedy="write or download it again", place=self.name,
            ) from None  # fmt: skip


class JsonLines:
    """A file with one JSON mapping a line as a table; the columns are the keys of all rows."""

    CHUNK = 4 << 20

    def __init__(self, path: Path, notation: Notation) -> None:
        self.path, self.name, self.notation = path, path.name, notation
        self.remarks: tuple[str, ...] = ()
        self.columns: tuple[str, ...] = ()
        first = next(self._rows(), [])
        keys = dict.fromkeys(key for row in first for key in row)
        if path.stat().st_size > self.CHUNK:  # a key may come late: looked through without reading the values
            keys |= dict.fromkeys(key for rows in self._rows(msgspec.Raw) for row in rows for key in row)
        self.columns = tuple(keys)
        if not self.columns:
            raise DataError("a data file holds rows", received="no row", remedy="check the path", place=self.name)
        self._head = self._frame(first)

    @property
    def head(self) -> "pl.DataFrame":
        return self._head

    def batches(self, numbers: frozenset[str] = frozenset()) -> "Iterator[pl.DataFrame]":
        yield from (self._frame(rows) for rows in self._rows())

    def place(self, row: int) -> str:
        with self.path.open("rb") as file:
            for line, text in enumerate(file, start=1):
                row -= bool(text.strip())
                if row < 0:
                    return f"{self.name}, row {line}"
        return self.name

    def pick(self, rows: Sequence[int]) -> list[dict[str, Any]]:
        wanted, found, start = set(rows), dict[int, dict[str, Any]](), 0
        for batch in self._rows():
            for row in sorted(wanted & set(range(start, start + len(batch)))):
                found[row] = {name: _plain(batch[row - start].get(name)) for name in self.columns}
            start += len(batch)
        return [found[row] for row in rows]

    def _rows(self, values: Any = Any) -> Iterator[list[dict[str, Any]]]:
        decoder: msgspec.json.Decoder[dict[str, Any]] = msgspec.json.Decoder(dict[str, values])
        line = 1
        with self.path.open("rb") as file:
            while lines := file.readlines(self.CHUNK):
                if line == 1:
                    lines[0] = lines[0].removeprefix(b"\xef\xbb\xbf")
                try:
                    rows = [decoder.decode(text) for text in lines if not text.isspace()]
                except (msgspec.DecodeError, RecursionError, ValueError):
                    raise self._fault(decoder, lines, line) from None
                line += len(lines)
                if rows:
                    yield rows

    def _fault(self, decoder: "msgspec.json.Decoder[dict[str, Any]]", lines: list[bytes], line: int) -> DataError:
        why = ""
        for text in lines:
            try:
                if not text.isspace():
                    decoder.decode(text)
            except (msgspec.DecodeError, RecursionError, ValueError) as error:
                why = str(error)
                break
            line += 1
        shown = text[:80].decode("utf-8", errors="replace").rstrip("\n")
        return DataError(
            "every line of a JSON Lines file is one mapping", received=f"{shown!r} ({why})",
            remedy='write each row on a line of its own, e.g. {"area": 52, "city": "Rome"}',
            place=f"{self.name}, row {line}",
        )  # fmt: skip

    def _frame(self, rows: list[dict[str, Any]]) -> "pl.DataFrame":
        return _assembled({name: series_of(name, [row.get(name) for row in rows]) for name in self.columns})
