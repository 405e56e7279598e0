"""What each raw column becomes, once fitted (see `fit`), and all of an encoder: records, kept in the model file.

A fitted column knows how many columns of `x` it makes and fills them from values that were read:

* numeric    (v - mean) / scale, in single precision; a second column says whether v was missing, where
             the training part has missing values (which are given the training part's median)
* boolean    0 or 1, and the same second column
* category   one-hot, all zero for a category that training did not hold; or one code for the network
             to embed, code 0 for such categories and those that training held only once
* date       see `layerwise.data.dates`

`shift` is a round number near the values that is taken off in double precision, so that a time stamp
such as 1700000000.5 keeps its digits in single precision; 0 for most columns. A value more than a
million scales from the mean counts as a million, so that nothing becomes infinite.
"""

from functools import cached_property
from typing import Literal, NamedTuple

import msgspec
import numpy as np
from jaxtyping import Float32, Int32, Int64

from layerwise.data import dates
from layerwise.recipe.records import Feature

FARTHEST = 1e6
Single = Float32[np.ndarray, " rows"]


class ColumnInfo(NamedTuple):
    """A column for showing: its kind, the share missing in training, and its range or categories."""

    name: str
    kind: str
    missing: float
    range: str


class NumericColumn(msgspec.Struct, frozen=True, tag_field="kind", tag="numeric"):
    """All but `shift` are in single precision; `fill`, `low` and `high` (of training) without the shift."""

    name: str
    shift: float
    mean: float
    scale: float
    fill: float
    low: float
    high: float
    missing: bool = False
    absent: float = 0.0  # share of training rows without a value
    boolean: bool = False  # holds only 0 and 1, which stay as they are

    @property
    def features(self) -> tuple[str, ...]:
        return (self.name, f"{self.name} missing") if self.missing else (self.name,)

    @property
    def info(self) -> ColumnInfo:
        digits = 12 if self.shift else 7
        low, high = (f"{self.shift + end:.{digits}g}" for end in (self.low, self.high))
        return ColumnInfo(self.name, "boolean" if self.boolean else "numeric", self.absent, f"{low} to {high}")

    def fill_in(self, out: Float32[np.ndarray, "rows width"], values: Float32[np.ndarray, " rows"]) -> None:
        """`values` are shifted, NaN where missing."""
        absent = np.isnan(values)
        if absent.any():
            values = np.where(absent, np.float32(self.fill), values)
        out[:, 0] = standardized(values, np.float32(self.mean), np.float32(self.scale))
        if self.missing:
            out[:, 1] = absent

    def strange(self, values: Float32[np.ndarray, " rows"]) -> list[str]:
        outside = int(((values < np.float32(self.low)) | (values > np.float32(self.high))).sum())
        absent = 0 if self.missing else int(np.isnan(values).sum())
        return _counted((outside, f"outside of {self.info.range}"), (absent, "missing, as never in training"))


class BooleanColumn(msgspec.Struct, frozen=True, tag_field="kind", tag="boolean"):
    """Two words, the first for 0 and the second for 1."""

    name: str
    words: tuple[str, str]
    fill: float
    missing: bool = False
    absent: float = 0.0

    @property
    def features(self) -> tuple[str, ...]:
        name = f"{self.name}={self.words[1]}"
        return (name, f"{self.name} missing") if self.missing else (name,)

    @property
    def info(self) -> ColumnInfo:
        return ColumnInfo(self.name, "boolean", self.absent, " or ".join(self.words))

    def code(self, text: str | None) -> int:
        """0 or 1, -1 where missing, -2 for another word."""
        if text is None:
            return -1
        text = text.lower()
        return self.words.index(text) if text in self.words else -2

    def fill_in(self, out: Float32[np.ndarray, "rows width"], codes: Int32[np.ndarray, " rows"]) -> None:
        out[:, 0] = np.where(codes < 0, np.float32(self.fill), codes)
        if self.missing:
            out[:, 1] = codes < 0

    def strange(self, codes: Int32[np.ndarray, " rows"]) -> list[str]:
        absent = 0 if self.missing else int((codes == -1).sum())
        neither = f"neither {' nor '.join(self.words)}, so taken as missing"
        return _counted((int((codes == -2).sum()), neither), (absent, "missing, as never in training"))


class CategoryColumn(msgspec.Struct, frozen=True, dict=True, tag_field="kind", tag="category"):
    """`embed` is the width of the embedding, 0 for one-hot."""

    name: str
    categories: tuple[str, ...]
    embed: int = 0
    missing: bool = False
    absent: float = 0.0

    @property
    def features(self) -> tuple[str, ...]:
        if self.embed:
            return (self.name,)
        return tuple(f"{self.name}={c}" for c in self.categories) + ((f"{self.name} missing",) if self.missing else ())

    @property
    def size(self) -> int:
        """Number of codes: the bucket of rare and unseen ones, the categories, and the missing."""
        return 1 + len(self.categories) + self.missing

    @cached_property
    def positions(self) -> dict[str, int]:
        return {category: code for code, category in enumerate(self.categories, start=1)}

    @property
    def info(self) -> ColumnInfo:
        shown = ", ".join(self.categories[:5]) + (", ..." if len(self.categories) > 5 else "")
        return ColumnInfo(self.name, "category", self.absent, f"{len(self.categories)}: {shown}")

    def code(self, text: str | None) -> int:
        """1 onwards for a category and for missing where that is one, 0 unseen, -1 missing as never in training."""
        if text is None:
            return self.size - 1 if self.missing else -1
        return self.positions.get(text, 0)

    def fill_in(self, out: Float32[np.ndarray, "rows width"], codes: Int32[np.ndarray, " rows"]) -> None:
        if self.embed:
            out[:, 0] = np.maximum(codes, 0)
            return
        out[:] = 0
        rows = np.flatnonzero(codes > 0)
        out[rows, codes[rows] - 1] = 1

    def strange(self, codes: Int32[np.ndarray, " rows"]) -> list[str]:
        what = f"of a category that training held {'at most once' if self.embed else 'never'}"
        return _counted((int((codes == 0).sum()), what), (int((codes < 0).sum()), "missing, as never in training"))


class DateColumn(msgspec.Struct, frozen=True, tag_field="kind", tag="date"):
    """`form` is one of `dates.FORMS` ("" for values that were dates already); `trend` encodes the days."""

    name: str
    form: str
    clock: bool
    trend: NumericColumn

    @property
    def features(self) -> tuple[str, ...]:
        cycles = ("season", "week", "time of day") if self.clock else ("season", "week")
        names = [f"{self.name} {cycle} {part}" for cycle in cycles for part in ("sine", "cosine")]
        return (f"{self.name} days", *names, *self.trend.features[1:])

    @property
    def info(self) -> ColumnInfo:
        ends = (round((self.trend.shift + end) * dates.DAY) for end in (self.trend.low, self.trend.high))
        low, high = (dates.written(end)[:10] for end in ends)
        return ColumnInfo(self.name, "date", self.trend.absent, f"{low} to {high}")

    def days(self, moments: Int64[np.ndarray, " rows"]) -> Float32[np.ndarray, " rows"]:
        return (dates.days(moments) - self.trend.shift).astype(np.float32)

    def fill_in(self, out: Float32[np.ndarray, "rows width"], moments: Int64[np.ndarray, " rows"]) -> None:
        ends = [0, -1] if self.trend.missing else [0]
        trend = np.empty((len(moments), len(ends)), dtype=np.float32)
        self.trend.fill_in(trend, self.days(moments))
        out[:, ends] = trend
        out[:, 1 : out.shape[1] - self.trend.missing] = dates.cycles(moments, self.clock)

    def strange(self, moments: Int64[np.ndarray, " rows"]) -> list[str]:
        found = self.trend.strange(self.days(moments))
        return [text.replace(self.trend.info.range, self.info.range) for text in found]


def standardized(values: Single, mean: Single | np.float32, scale: Single | np.float32) -> Single:
    """(values - mean) / scale in single precision, at most a million in size."""
    result = values - mean
    with np.errstate(over="ignore"):
        np.divide(result, scale, out=result)
    np.minimum(result, np.float32(FARTHEST), out=result)
    return np.maximum(result, np.float32(-FARTHEST), out=result)


FittedColumn = NumericColumn | BooleanColumn | CategoryColumn | DateColumn


class TableSpec(msgspec.Struct, frozen=True, tag_field="kind", tag="table"):
    """All of an `encode.TableEncoder`: its columns, and how the table was written: the texts that mean "no value",
    the decimal sign, and what the recipe said of the delimiter and the encoding."""

    columns: tuple[FittedColumn, ...]
    missing: tuple[str, ...]
    decimal: str = "."
    delimiter: str = "auto"
    encoding: str = "auto"


class ArraySpec(msgspec.Struct, frozen=True, tag_field="kind", tag="array", omit_defaults=True):
    """All of an `encode.ArrayEncoder` but its arrays. `shape` is that of one example.

    `features` are what the network gets of two columns x1 and x2; without any it gets all columns as they are.
    """

    names: tuple[str, ...]
    shape: tuple[int, ...]
    scaling: Literal["none", "range", "standard"]
    features: tuple[Feature, ...] = ()


Spec = TableSpec | ArraySpec


def _counted(*found: tuple[int, str]) -> list[str]:
    return [f"{count:,} {'value' if count == 1 else 'values'} {what}" for count, what in found if count]
