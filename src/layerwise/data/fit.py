"""Fitting the transforms: columns are gathered batch by batch, fitted on the training rows, encoded.

Numbers are held in single precision, so that a table needs little more memory than the array it
becomes: the held blocks are given back one by one as the array fills.
"""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float32, Int32, Int64, Shaped

from layerwise.data import columns, dates
from layerwise.data.columns import BadValue, Column, Notation
from layerwise.data.dataset import Rows
from layerwise.data.encode import SLICE, TableEncoder, aligned
from layerwise.data.transform import BooleanColumn, CategoryColumn, DateColumn, FittedColumn, NumericColumn, TableSpec
from layerwise.recipe.records import TableData

if TYPE_CHECKING:
    import polars as pl

BLOCK_BYTES = 64 << 20  # above what the allocator ever recycles, so that a block goes back to the system
MOST_CATEGORIES = 1_000_000
_CODED = ("category", "boolean")

Numbers = Float32[np.ndarray, " rows"]


class Gathered:
    """The input columns of all rows read so far, until the split is known.

    Numbers are held in blocks of shape (numeric columns, rows of a block), less their shift and NaN
    where missing; dates as microseconds; categories as codes into the distinct texts met so far.
    """

    def __init__(self, kinds: Sequence[Column]) -> None:
        self.kinds = tuple(kinds)
        self.rows = 0
        self._numeric = [column.name for column in kinds if column.kind == "numeric"]
        self._block_rows = max(SLICE, BLOCK_BYTES // (4 * max(1, len(self._numeric))) // SLICE * SLICE)
        self._blocks: list[Float32[np.ndarray, "columns rows"]] = []
        self._shifts: dict[str, float] = {}
        self._moments: dict[str, list[Int64[np.ndarray, " rows"]]] = {c.name: [] for c in kinds if c.kind == "date"}
        self._codes: dict[str, list[Int32[np.ndarray, " rows"]]] = {c.name: [] for c in kinds if c.kind in _CODED}
        self._texts: dict[str, dict[str, int]] = {name: {} for name in self._codes}

    def add(self, frame: "pl.DataFrame", notation: Notation) -> None:
        """Append a batch; raises `BadValue` with `column` set where a value is not of its column's kind."""
        for column in self.kinds:
            try:
                series = frame.get_column(column.name)
                match column.kind:
                    case "numeric":
                        self._add_numbers(column.name, columns.numbers(series, notation))
                    case "date":
                        self._moments[column.name].append(columns.moments(series, column.form, notation))
                    case _:
                        self._add_codes(column, *columns.codes(series, notation))
            except BadValue as bad:
                bad.column = column.name
                raise
        self.rows += frame.height

    def _add_numbers(self, name: str, values: Shaped[np.ndarray, " rows"]) -> None:
        if name not in self._shifts:
            self._shifts[name] = _shift(values)
        shifted = values if self._shifts[name] == 0 else values - self._shifts[name]  # rounded where it is stored
        at, done = self._numeric.index(name), 0
        while done < len(shifted):
            block, start = divmod(self.rows + done, self._block_rows)
            if block == len(self._blocks):
                self._blocks.append(np.empty((len(self._numeric), self._block_rows), dtype=np.float32))
            part = shifted[done : done + self._block_rows - start]
            self._blocks[block][at, start : start + len(part)] = part
            done += len(part)

    def _add_codes(self, column: Column, distinct: list[str | None], index: Int32[np.ndarray, " rows"]) -> None:
        known = self._texts[column.name]
        codes = np.full(len(distinct) + 1, -1, dtype=np.int32)  # the last entry serves index -1
        for i, text in enumerate(distinct):
            if text is not None:
                text = text.lower() if column.kind == "boolean" else text
                if column.kind == "boolean" and text not in column.words:
                    raise _third_word(column, int(np.argmax(index == i)), text)
                codes[i] = known.setdefault(text, len(known))
        if len(known) > MOST_CATEGORIES:
            raise BadValue(
                0,
                f"{len(known):,} categories",
                f"a category column has at most {MOST_CATEGORIES:,} categories",
                'set the column to "ignore" under `columns`',
            )
        self._codes[column.name].append(codes[index])

    def numbers(self, name: str) -> Numbers:
        """All values of a numeric column."""
        at = self._numeric.index(name)
        starts = range(0, self.rows, self._block_rows)
        filled = [block[at, : self.rows - start] for block, start in zip(self._blocks, starts, strict=True)]
        values: Numbers = np.concatenate(filled)
        return values

    def shift(self, name: str) -> float:
        return self._shifts[name]

    def moments(self, name: str) -> Int64[np.ndarray, " rows"]:
        return np.concatenate(self._moments[name])

    def texts(self, name: str) -> tuple[list[str], Int32[np.ndarray, " rows"]]:
        """The distinct texts of a category or boolean column, and each row's index; -1 where missing."""
        return list(self._texts[name]), np.concatenate(self._codes[name])

    def encode(self, encoder: TableEncoder) -> Float32[np.ndarray, "rows width"]:
        """Network input of all rows; gives the memory of each block back, so it can be called once."""
        x = aligned(self.rows, encoder.width)
        others = {c.name: self._coded(c) for c in encoder.spec.columns if not isinstance(c, NumericColumn)}
        for start in range(0, self.rows, SLICE):
            block, offset = divmod(start, self._block_rows)
            if offset == 0 and block and self._blocks:
                self._blocks[block - 1] = np.empty((0, 0), dtype=np.float32)
            rows = slice(start, min(start + SLICE, self.rows))
            inside = slice(offset, offset + rows.stop - rows.start)
            taken = [
                others[c.name][rows] if c.name in others else self._blocks[block][self._numeric.index(c.name), inside]
                for c in encoder.spec.columns
            ]
            encoder.fill_in(x[rows], taken)
        self._blocks = []
        return x

    def _coded(self, column: FittedColumn) -> Shaped[np.ndarray, " rows"]:
        if isinstance(column, DateColumn):
            return self.moments(column.name)
        assert isinstance(column, BooleanColumn | CategoryColumn)
        texts, index = self.texts(column.name)
        codes = np.array([*map(column.code, texts), column.code(None)], dtype=np.int32)
        return np.take(codes, index)


def _third_word(column: Column, row: int, text: str) -> BadValue:
    return BadValue(
        row, text, f"a yes/no column holds two words{': ' + ' and '.join(column.words) if column.words else ''}",
        'mend the value; or name it in `missing`; or set the column to "category" under `columns`',
    )  # fmt: skip


def _shift(values: Shaped[np.ndarray, " rows"]) -> float:
    """A round number near the first thousand values if they lie far from 0 for their spread, else 0."""
    present = values[~np.isnan(values)][:1000]
    if not len(present):
        return 0.0
    low, middle, high = np.quantile(present, (0.1, 0.5, 0.9)).tolist()
    spread = high - low or float(np.ptp(present))
    if spread == 0:
        return float(middle) if abs(middle) > 1e4 else 0.0
    if abs(middle) <= 100 * spread:
        return 0.0
    return float(round(middle, -math.floor(math.log10(spread))))


# ── fitting ─────────────────────────────────────────────────────────────────────────────────────


def fit(gathered: Gathered, train: Rows, data: TableData, notation: Notation) -> tuple[TableEncoder, list[str]]:
    """An encoder fitted on the training rows alone, and sentences on the columns left out for being constant."""
    fitted = [_fit_column(gathered, column, train, data.one_hot) for column in gathered.kinds]
    kept = tuple(column for column in fitted if isinstance(column, FittedColumn))
    notes = [column for column in fitted if isinstance(column, str)]
    written = (tuple(sorted(notation.missing)), notation.decimal, data.delimiter, data.encoding)
    return TableEncoder(TableSpec(kept, *written)), notes


def _fit_column(gathered: Gathered, column: Column, train: Rows, one_hot: int) -> FittedColumn | str:
    match column.kind:
        case "numeric":
            values = gathered.numbers(column.name)
            values = values if len(train) == len(values) else values[train]
            found: FittedColumn | None = fit_numbers(column.name, values, gathered.shift(column.name))
        case "date":
            found = _fit_dates(column, gathered.moments(column.name)[train])
        case "boolean":
            found = _fit_boolean(column, *gathered.texts(column.name), train)
        case _:
            found = _fit_category(column, *gathered.texts(column.name), train, one_hot)
    return found or f"column {column.name!r} has the same value in every training row: left out"


def fit_numbers(name: str, values: Numbers, shift: float) -> NumericColumn | None:
    """The transform of a numeric column from its training values; None where they are constant."""
    absent = np.isnan(values)
    missing = bool(absent.any())
    present = values[~absent] if missing else values
    if not len(present):
        return None
    low, high = float(present.min()), float(present.max())
    if low == high and not missing:
        return None
    share = float(absent.mean()) if missing else 0.0
    median = _median(present)
    if (low, high, shift) == (0, 1, 0) and bool(np.all((present == 0) | (present == 1))):
        return NumericColumn(name, 0.0, 0.0, 1.0, float(round(median)), low, high, missing, share, boolean=True)
    mean = float(present.mean(dtype=np.float64))
    scale = float(np.float32(_deviation(present, mean)))
    return NumericColumn(name, shift, float(np.float32(mean)), scale or 1.0, median, low, high, missing, share)


def _median(values: Numbers) -> float:
    """The median, rounded to single precision; several times as fast as NumPy's."""
    half = len(values) // 2
    ordered = np.partition(values, half)
    middle = float(ordered[half])
    if len(values) % 2 == 0:
        middle = (middle + float(ordered[:half].max())) / 2
    return float(np.float32(middle))


def _deviation(values: Numbers, mean: float) -> float:
    """The standard deviation, in double precision but without a second array of it."""
    total = 0.0
    for start in range(0, len(values), 1 << 16):
        part = values[start : start + (1 << 16)] - np.float64(mean)  # float64
        total += float(np.square(part, out=part).sum())
    return math.sqrt(total / len(values))


def _fit_dates(column: Column, moments: Int64[np.ndarray, " rows"]) -> DateColumn | None:
    shift = _shift(dates.days(moments))
    trend = fit_numbers(column.name, (dates.days(moments) - shift).astype(np.float32), shift)
    return None if trend is None else DateColumn(column.name, column.form, dates.has_times(moments), trend)


def _fit_boolean(
    column: Column, texts: list[str], index: Int32[np.ndarray, " rows"], train: Rows
) -> BooleanColumn | None:
    no, yes = column.words
    counts, absent = _counts(index[train], len(texts))
    share = dict(zip(texts, counts.tolist(), strict=True))
    if sum(count > 0 for count in share.values()) + (absent > 0) < 2:
        return None
    fill = float(share.get(yes, 0) > share.get(no, 0))
    return BooleanColumn(column.name, (no, yes), fill, absent > 0, absent / len(train))


def _fit_category(
    column: Column, texts: list[str], index: Int32[np.ndarray, " rows"], train: Rows, one_hot: int
) -> CategoryColumn | None:
    counts, absent = _counts(index[train], len(texts))
    found = sorted(text for text, count in zip(texts, counts, strict=True) if count)
    if len(found) + (absent > 0) < 2:
        return None
    share = absent / len(train)
    if len(found) <= one_hot:
        return CategoryColumn(column.name, tuple(found), 0, absent > 0, share)
    twice = sorted(text for text, count in zip(texts, counts, strict=True) if count > 1)
    size = 1 + len(twice) + (absent > 0)
    return CategoryColumn(column.name, tuple(twice), embedding_width(size), absent > 0, share)


def _counts(index: Int32[np.ndarray, " rows"], size: int) -> tuple[Int64[np.ndarray, " texts"], int]:
    counts = np.bincount(index + 1, minlength=size + 1)
    return counts[1:], int(counts[0])


def embedding_width(size: int) -> int:
    """min(50, 1.6 size^0.56), the rule of thumb of fastai.

    >>> embedding_width(17), embedding_width(1000)
    (8, 50)
    """
    return min(50, round(1.6 * math.pow(size, 0.56)))
