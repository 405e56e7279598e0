"""What a column holds, found out from its values, and how its values are read.

Kinds: numeric, boolean, category, date; and those that no network is given: identifier (excluded
with a note), text (refused with a hint), empty (dropped with a note). A batch is read through the
same functions as a single value, so both give the same bits.
"""

import datetime
import decimal
import math
import re
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import msgspec
import numpy as np
from jaxtyping import Float64, Int32, Int64

from layerwise.data import dates
from layerwise.errors import DataError
from layerwise.recipe.records import ColumnKind, Dates

if TYPE_CHECKING:
    import polars as pl

Kind = Literal["numeric", "boolean", "category", "date", "identifier", "text", "empty", "ignore"]

LIMIT = 1e38  # numbers beyond, or their differences, do not fit float32
WORDS = (("false", "true"), ("no", "yes"), ("f", "t"), ("n", "y"), ("off", "on"))
SAMPLE = 5_000  # distinct texts looked at to tell dates and free text

_NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?|[+-]?(inf|infinity|nan)", re.IGNORECASE)
GROUPED = r"[+-]?[0-9]{1,3}(\.[0-9]{3})+(,[0-9]*)?"  # 1.234.567,89, where the decimal sign is a comma
_OTHER_NUMBER = re.compile(  # 1,234.50 or $12 or 3 %
    r"[^0-9A-Za-z]{0,4}([0-9]{1,3}([ ,.'_\u2019][0-9]{3})*|[0-9]+)([.,][0-9]+)?[^0-9A-Za-z]{0,4}"
)
_ZIP_NAME = re.compile(r"(^|[^a-z])(zip|plz|cap)([^a-z]|$)|zip_?code|post_?code|postal", re.IGNORECASE)
_ID_NAME = re.compile(r"(^|[_\W])(id|uuid|guid|index|idx|key|nr|no|rowid|serial)$|[a-z](ID|Id)$", re.IGNORECASE)
_TIME_NAME = re.compile(r"year|jahr|month|week|day|hour|minute|second|time|date|period|step|epoch", re.IGNORECASE)
_DATE_NAME = re.compile(r"date|datum|day|fecha|time|(^|_)dt($|_)", re.IGNORECASE)


class Notation(NamedTuple):
    """How a source writes "no value" and the decimal sign."""

    missing: frozenset[str] = frozenset({""})
    decimal: str = "."


class BadValue(Exception):
    """The value in row `index` of a batch is not what its column holds; the caller knows the place."""

    def __init__(self, index: int, value: object, rule: str, remedy: str, column: str = "") -> None:
        super().__init__(index, value, rule, remedy, column)
        self.index, self.value, self.rule, self.remedy, self.column = index, value, rule, remedy, column

    def error(self, row: str, column: str = "") -> DataError:
        """The error for the user; `row` says where the row stands."""
        place = f"{row}, column {column or self.column!r}"
        return DataError(self.rule, received=repr(self.value)[:80], remedy=self.remedy, place=place)


class Column(msgspec.Struct, frozen=True):
    """A raw column: its kind, the form of its dates, and a sentence for the user where one is due."""

    name: str
    kind: Kind
    form: str = ""
    words: tuple[str, ...] = ()
    remark: str = ""


# ── one value ───────────────────────────────────────────────────────────────────────────────────


def number_of(value: Any, notation: Notation) -> float:
    """A raw value as a number, NaN where it is missing; raises ValueError where it is neither.

    >>> number_of(" 3,5 ", Notation(decimal=","))
    3.5
    >>> number_of("1.882,82", Notation(decimal=","))
    1882.82
    """
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or type(value).__name__ in ("NAType", "NaTType"):
        return math.nan
    if isinstance(value, str):
        return _number_of_text(value.strip(), notation)
    if isinstance(value, datetime.timedelta):
        return (value // datetime.timedelta(microseconds=1)) / 1e6
    if isinstance(value, float | int | decimal.Decimal):
        try:
            number = float(value)
        except OverflowError:
            number = math.inf
        if abs(number) > LIMIT:
            raise ValueError(value)
        return number
    raise ValueError(value)


def _number_of_text(text: str, notation: Notation) -> float:
    if text in notation.missing:
        return math.nan
    if notation.decimal == ",":
        if "." in text:
            if not re.fullmatch(GROUPED, text):
                raise ValueError(text)
            text = text.replace(".", "")
        text = text.replace(",", ".")
    if not _NUMBER.fullmatch(text) or abs(number := float(text)) > LIMIT:
        raise ValueError(text)
    return number


def text_of(value: Any, notation: Notation) -> str | None:
    """A raw value as the text of a category, None where it is missing; whole floats lose their point.

    >>> text_of(3.0, Notation()), text_of(" a ", Notation()), text_of("", Notation())
    ('3', 'a', None)
    """
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, str):
        value = value.strip()
        return None if value in notation.missing else value
    if value is None or value != value or type(value).__name__ == "NAType":
        return None
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime.timedelta):
        value = number_of(value, notation)
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() else repr(value)
    if isinstance(value, int | decimal.Decimal):
        return str(value)
    if isinstance(value, datetime.date | datetime.time):
        return value.isoformat()
    raise ValueError(value)


def moment_of(value: Any, form: str, notation: Notation) -> int:
    """A raw value as microseconds since 1970, `dates.MISSING` where it is missing; else ValueError."""
    if isinstance(value, np.datetime64):
        return dates.MISSING if np.isnat(value) else int(value.astype("datetime64[us]").astype(np.int64))
    if isinstance(value, datetime.date) and value == value:  # pandas' NaT is a date unlike itself
        return dates.moment_of(value)
    text = text_of(value, notation)
    if text is None:
        return dates.MISSING
    for candidate in (form, "year-month-day"):
        if candidate and (found := dates.moment(text, candidate)) is not None:
            return found
    raise ValueError(value)


# ── a batch of values ───────────────────────────────────────────────────────────────────────────


def numbers(series: "pl.Series", notation: Notation) -> Float64[np.ndarray, " rows"]:
    """The column as float64, NaN where missing; raises `BadValue` for texts, infinity and beyond 1e38."""
    import polars as pl

    if series.dtype == pl.Duration:
        seconds = series.dt.total_microseconds().cast(pl.Float64).fill_null(math.nan).to_numpy() / 1e6
        series = pl.Series(series.name, seconds)
    elif series.dtype.is_numeric() or series.dtype in (pl.Boolean, pl.Null):
        series = series if series.dtype == pl.Float64 else series.cast(pl.Float64)
    else:
        series = _numbers_of_texts(series, notation)
    array: Float64[np.ndarray, " rows"] = (series.fill_null(math.nan) if series.null_count() else series).to_numpy()
    if np.einsum("i,i->", array, array) <= LIMIT**2:  # a quick look: no square beyond, no NaN
        return array
    beyond = np.abs(array) > LIMIT
    if beyond.any():
        row = int(np.argmax(beyond))
        raise BadValue(
            row, float(array[row]), "numbers are finite and fit single precision (1e38)",
            "mend the value, or leave it empty for a missing one",
        )  # fmt: skip
    return array


def _numbers_of_texts(series: "pl.Series", notation: Notation) -> "pl.Series":
    import polars as pl

    if series.dtype != pl.String:
        written = [None if value is None else str(value) for value in series.to_list()]
        series = pl.Series(series.name, written, dtype=pl.String)
    texts = cleaned(series, notation)
    found = _cast(texts, notation)
    bad = (found.is_null() & texts.is_not_null()).arg_true()
    if len(bad):
        raise BadValue(
            bad[0], texts[bad[0]], "a numeric column holds numbers",
            "mend the value; or name it in `missing` if it means none; or set the column's kind to "
            '"category" or "ignore" under `columns`',
        )  # fmt: skip
    return found


def cleaned(series: "pl.Series", notation: Notation) -> "pl.Series":
    """Texts without surrounding blanks, null where they mean "no value"."""
    texts = series.str.strip_chars()
    return texts.set(texts.is_in(sorted(notation.missing)), None)


def _cast(texts: "pl.Series", notation: Notation) -> "pl.Series":
    import polars as pl

    if notation.decimal == ",":
        grouped = texts.str.contains(f"^{GROUPED}$")
        texts = texts.set(texts.str.contains(".", literal=True) & ~grouped, "x")
        texts = texts.str.replace_all(".", "", literal=True).str.replace_all(",", ".", literal=True)
    return texts.cast(pl.Float64, strict=False)


def codes(series: "pl.Series", notation: Notation) -> tuple[list[str | None], Int32[np.ndarray, " rows"]]:
    """The distinct texts of a column (None for what means "no value") and each row's index into them.

    A null has index -1. Raises `BadValue` for values that are no category (lists, mappings, bytes).
    """
    import polars as pl

    if series.dtype.is_float():
        series = series.fill_nan(None)
    if series.null_count() == len(series):
        return [], np.full(len(series), -1, dtype=np.int32)
    if series.dtype.is_nested() or series.dtype in (pl.Binary, pl.Object):
        row = int(series.is_not_null().arg_max() or 0)
        raise BadValue(row, series[row], "a value is a number, a text, a date or yes/no", 'set the column to "ignore"')
    distinct = series.unique().drop_nulls()
    values = distinct.to_list()
    if series.dtype == pl.String:
        index = series.cast(pl.Enum(values)).to_physical().cast(pl.Int32)
    else:
        index = series.replace_strict(distinct, pl.Series(range(len(values))), return_dtype=pl.Int32)
    return [text_of(value, notation) for value in values], index.fill_null(-1).to_numpy()


def moments(series: "pl.Series", form: str, notation: Notation) -> Int64[np.ndarray, " rows"]:
    """The column as microseconds since 1970; raises `BadValue` for what is no date of this form."""
    import polars as pl

    if series.dtype in (pl.Date, pl.Datetime):
        known: Int64[np.ndarray, " rows"] = (
            series.cast(pl.Datetime("us")).to_physical().fill_null(dates.MISSING).to_numpy()
        )
        return known
    distinct, index = codes(series, notation)
    found = np.full(len(distinct) + 1, dates.MISSING, dtype=np.int64)  # the last entry serves index -1
    bad: list[int] = []
    for i, text in enumerate(distinct):
        try:
            found[i] = moment_of(text, form, notation)
        except ValueError:
            bad.append(i)
    if bad:
        row = int(np.argmax(np.isin(index, bad)))  # the first in the file: the distinct texts come in any order
        raise BadValue(
            row, distinct[index[row]], f"a date column holds dates ({form or 'year-month-day'})",
            'mend it; or name it in `missing` if it means none; or set the column to "category" under `columns`',
        )  # fmt: skip
    every: Int64[np.ndarray, " rows"] = found[index]
    return every


# ── finding out ─────────────────────────────────────────────────────────────────────────────────


def infer(series: "pl.Series", notation: Notation, wanted: ColumnKind = "auto") -> Column:
    """What a column holds, judged by its first rows; `wanted` overrides the judgment.

    >>> import polars as pl
    >>> infer(pl.Series("city", ["Rome", "Oslo", "Rome"]), Notation()).kind
    'category'
    """
    import polars as pl

    name = series.name
    if wanted == "ignore":
        return Column(name, "ignore")
    if wanted == "numeric":
        return Column(name, "numeric")
    if series.dtype == pl.String:
        texts = cleaned(series, notation).drop_nulls()
    elif series.dtype.is_nested() or series.dtype in (pl.Binary, pl.Object):
        remark = f"column {name!r} holds values that are no number, text, date or yes/no"
        return Column(name, "category" if wanted == "category" else "text", remark=remark)
    else:
        series = series.fill_nan(None) if series.dtype.is_float() else series
        texts = series.drop_nulls()
    if wanted == "category":
        return Column(name, "category")
    if wanted == "boolean":
        return Column(name, "boolean", words=_two_words(texts, notation))
    if isinstance(wanted, Dates):
        if wanted.form != "auto":
            return Column(name, "date", form=wanted.form)
        form, ambiguous = dates.find_form(_distinct(texts, notation))
        return Column(name, "date", form=form, remark=_either_way(name, form) if ambiguous else "")
    if texts.is_empty():
        return Column(name, "empty", remark=f"column {name!r} holds no value: left out")
    if texts.dtype in (pl.Date, pl.Datetime):
        return Column(name, "date")
    if texts.dtype == pl.Boolean:
        return Column(name, "boolean", words=WORDS[0])
    return _number_like(texts, notation, len(series)) or _text_like(texts, notation)


def _distinct(values: "pl.Series", notation: Notation) -> list[str]:
    texts = (text_of(value, notation) for value in values.unique(maintain_order=True)[:SAMPLE].to_list())
    return [text for text in texts if text is not None]


def _two_words(values: "pl.Series", notation: Notation) -> tuple[str, ...]:
    """The words for no and yes; () unless there are at most two."""
    words = {text.lower() for text in _distinct(values, notation)}
    for pair in (*WORDS, ("0", "1")):
        if words and words <= set(pair):
            return pair
    return tuple(sorted(words)) if len(words) == 2 else ()


def is_numeric(series: "pl.Series", notation: Notation) -> bool:
    """Whether a column holds numbers, but for a few strays among many (which `numbers` refuses)."""
    import polars as pl

    if series.dtype != pl.String:
        return series.dtype.is_numeric() or series.dtype == pl.Duration
    texts = cleaned(series, notation).drop_nulls()
    return len(texts) > 0 and _mostly_numbers(_cast(texts, notation))


def _mostly_numbers(found: "pl.Series") -> bool:
    share = 1 - found.null_count() / len(found)
    return share == 1 or (share >= 0.8 and found.n_unique() > 20)


def _either_way(name: str, form: str) -> str:
    settled = f'columns = {{ "{name}" = {{ kind = "date", form = "{dates.TURNED[form]}" }} }}'
    return f"column {name!r}: day and month could stand either way round; read as {form} (else: {settled})"


def _number_like(values: "pl.Series", notation: Notation, rows: int) -> Column | None:
    """The column if it holds numbers, or digits that are none; None where it holds texts."""
    import polars as pl

    name = values.name
    if values.dtype == pl.String:
        found = _cast(values, notation)
        if not _mostly_numbers(found):
            return None
        if bool(values.str.contains(r"^0[0-9]+$").any()) and bool(values.str.contains(r"^[0-9]+$").all()):
            return _text_like(values, notation)  # leading zeros: codes, not numbers
    elif values.dtype.is_numeric():
        found = values.cast(pl.Float64)
    else:
        return Column(name, "numeric") if values.dtype == pl.Duration else None
    present = found.drop_nulls()
    if not bool((present == present.floor()).all()):
        return Column(name, "numeric")
    if _ZIP_NAME.search(name):
        return Column(name, "category", remark=f"column {name!r} is taken for postal codes: a category, not a number")
    if _DATE_NAME.search(name) and dates.find_form(_distinct(values, notation))[0] == "yearmonthday":
        return Column(name, "date", form="yearmonthday")
    if len(present) == rows and _counts_rows(name, present):
        remark = f'column {name!r} only numbers the rows: left out (set its kind to "numeric" to keep it)'
        return Column(name, "identifier", remark=remark)
    return Column(name, "numeric")


def _counts_rows(name: str, found: "pl.Series") -> bool:
    """Whether whole numbers are all different and consecutive, or named like an identifier."""
    if len(found) < 10 or found.n_unique() < len(found) or _TIME_NAME.search(name):
        return False
    low, high = found.min(), found.max()
    span = float(high) - float(low)  # type: ignore[arg-type]
    return span == len(found) - 1 or bool(_ID_NAME.search(name))


def _text_like(values: "pl.Series", notation: Notation) -> Column:
    name = values.name
    distinct = _distinct(values, notation)
    words = {text.lower() for text in distinct}
    for pair in WORDS:
        if words <= set(pair):
            return Column(name, "boolean", words=pair)
    form, ambiguous = dates.find_form(distinct[:200])
    if form and (ambiguous or len(distinct) > 200):
        form, ambiguous = dates.find_form(distinct)
    if form and (form != "yearmonthday" or _DATE_NAME.search(name)):
        return Column(name, "date", form=form, remark=_either_way(name, form) if ambiguous else "")
    numbers_written_otherwise = sum(bool(_OTHER_NUMBER.fullmatch(text)) and not text.isdigit() for text in distinct)
    if len(distinct) > 10 and numbers_written_otherwise >= 0.9 * len(distinct):
        remark = f"column {name!r} holds numbers in a form that is not read, such as {distinct[0]!r}"
        return Column(name, "text", remark=remark)
    spread = values.n_unique() / len(values)
    if spread > 0.5 and len(values) >= 10:
        if sum(len(t.split()) for t in distinct) >= 5 * len(distinct) or sum(map(len, distinct)) > 60 * len(distinct):
            return Column(name, "text", remark=f"column {name!r} holds free text")
        if spread == 1:
            remark = f'column {name!r} differs in every row: left out (set its kind to "category" to keep it)'
            return Column(name, "identifier", remark=remark)
    return Column(name, "category")
