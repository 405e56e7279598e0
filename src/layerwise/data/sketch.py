"""What is found in a table file, column by column, and the recipe for it that `layerwise init` prints."""

import json
import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import numpy as np
from jaxtyping import Float, Int64

from layerwise.data import columns, dates
from layerwise.data.columns import BadValue, Column
from layerwise.data.dataset import Classes
from layerwise.data.delimited import DelimitedFile
from layerwise.data.dialect import DELIMITERS
from layerwise.data.read import Table, open_table
from layerwise.data.table import require
from layerwise.data.target import HEAVY, TargetReader, farthest
from layerwise.recipe.records import SCHEMA, AutoTask, NoSplit

if TYPE_CHECKING:
    import polars as pl

_GROUP_NAME = re.compile(
    r"patient|subject|author|user|customer|client|person|household|group|site|device", re.IGNORECASE
)
_LEFT_OUT = ("identifier", "text", "empty")


class Seen(msgspec.Struct, frozen=True):
    """A column as it was found: what it holds, in words; `taken` says whether a recipe takes it as an input."""

    name: str
    kind: str
    holds: str
    taken: bool


class Look(msgspec.Struct, frozen=True):
    """What a table file holds. `judged` rows, the first ones, tell what each column is."""

    rows: int
    judged: int
    written: str  # what separates fields, and the like
    columns: tuple[Seen, ...]
    remarks: tuple[str, ...]


def look(path: str | os.PathLike[str]) -> Look:
    """Every column of a table file with its kind, range or categories, share missing, and an example.

    All rows are read, and those of the first 8 MiB judged. Raises `DataError` for what is wrong with the file.
    """
    table = open_table(path)
    found = [columns.infer(table.head.get_column(name), table.notation) for name in table.columns]
    seen = tuple(Seen(c.name, c.kind, _comment(_described(table, c)), c.kind not in _LEFT_OUT) for c in found)
    rows = sum(frame.height for frame in table.batches())
    return Look(rows, table.head.height, _dialect(table).removeprefix("; "), seen, tuple(table.remarks))


def sketch(path: str | os.PathLike[str], target: str, called: str | None = None) -> str:
    """The TOML of a recipe that predicts the column `target` of a table file, which it calls `called`.

    Every column is listed with its kind, so that it can be changed by hand, and with the share
    missing, the range or categories and an example as comments. All rows are read, and those of
    the first 8 MiB described. Raises `DataError` for what is wrong with the file or the target.
    """
    table = open_table(path)
    require([table], [target])
    rows = sum(frame.height for frame in table.batches())
    found = [columns.infer(table.head.get_column(name), table.notation) for name in table.columns if name != target]
    described, split, weighing = _target(table, target, rows)
    lines = [
        f"# {_comment(table.name)}: {rows:,} rows, {len(table.columns)} columns{_dialect(table)}",
        *(
            [f"# ranges and categories are those of the first {table.head.height:,} rows"]
            if table.head.height < rows
            else []
        ),
        f"layerwise = {SCHEMA}",
        *weighing,
        "",
        "[data]",
        'kind = "table"',
        f"path = {_quoted(called or Path(path).as_posix())}",
        f"target = {_quoted(target)}",
        *(f"# {line}" for line in described),
        f'split = {{ kind = "{split}", validation = 0.2, test = 0.2 }}',
        *_other_splits(found),
        "",
        '[data.columns]  # "numeric", "boolean", "category", "date", or "ignore" to leave it out',
        *(_column(table, column) for column in found),
        "",
        "[network]",
        'kind = "mlp"',
        "hidden = [64, 64]",
        "",
        "[train]",
        "epochs = 100",
        "patience = 10",
    ]
    return "\n".join(lines) + "\n"


def _dialect(table: Table) -> str:
    if not isinstance(table, DelimitedFile):
        return ""
    between = DELIMITERS.get(table.delimiter, repr(table.delimiter))
    decimal = {".": "point", ",": "comma"}[table.notation.decimal]
    return f"; {between} between fields, {table.encoding}, decimal {decimal}"


def _target(table: Table, name: str, rows: int) -> tuple[list[str], str, list[str]]:
    """What the target holds, in sentences; the split that suits it; and a task for one that is out of balance,
    as a comment which only has to lose its sign.
    """
    reader = TargetReader((name,), AutoTask(), table.head, table.notation)
    try:
        reader.add(table.head, table.notation)
    except BadValue as bad:
        raise bad.error(table.place(bad.index)) from None
    y, discrete, notes = reader.settle(NoSplit())
    if not isinstance(discrete, Classes):
        lines = [f"a quantity from {y.min():.7g} to {y.max():.7g}", *map(_comment, notes)]
        return lines, "random", list(_outliers(y))
    counts = np.bincount(y, minlength=len(discrete.names))
    shown = ", ".join(f"{_comment(n)} {c / len(y):.1%}" for n, c in list(zip(discrete.names, counts, strict=True))[:10])
    lines = [f"{len(counts)} classes: {shown}{', ...' if len(counts) > 10 else ''}", *map(_comment, notes)]
    if counts.min() < 2 and table.head.height == rows:
        lines.append(f"{_comment(discrete.names[int(counts.argmin())])} has one row: add rows of it, or leave it out")
    return lines, "stratified", list(_rare(discrete.names, counts))


def _rare(names: Sequence[str], counts: Int64[np.ndarray, " classes"]) -> Iterator[str]:
    """How classes that are rare are made to count."""
    if counts.min() < 0.1 * counts.sum() and counts.max() > 5 * counts.min():
        order = np.argsort(-counts, kind="stable")
        most, least = int(order[0]), int(order[-1])
        said = f"{_comment(names[most])} has {counts[most]:,} rows, {_comment(names[least])} {counts[least]:,}"
        yield f'# task = {{ kind = "classify", class_weight = "balanced" }}  # rare classes weigh more: {said}'


def _outliers(y: Float[np.ndarray, "rows *quantities"]) -> Iterator[str]:
    """How far values are kept from ruling the loss."""
    count, share = farthest(y.reshape(len(y), -1).astype(np.float64))
    if share >= HEAVY:
        said = f"the {count:,} rows farthest from the mean make {share:.0%} of the squared deviation"
        yield f'# task = {{ kind = "regress", loss = "huber" }}  # {said}; look whether they are mistakes'


def _other_splits(found: list[Column]) -> Iterator[str]:
    for column in found:
        if column.kind == "date":
            yield f'# to predict later rows from earlier ones: split = {{ kind = "time", by = {_quoted(column.name)} }}'
        elif column.kind in ("category", "numeric", "identifier") and _GROUP_NAME.search(column.name):
            what = f'split = {{ kind = "group", by = {_quoted(column.name)} }}'
            yield f"# to keep rows of one {_comment(column.name)} in one part: {what}"


def _column(table: Table, column: Column) -> str:
    kind = '"ignore"' if column.kind in _LEFT_OUT else f'"{column.kind}"'
    if column.form in dates.TURNED:  # stated, since later rows could be read either way round
        kind = f'{{ kind = "date", form = "{column.form}" }}'
    return f"{toml_key(column.name)} = {kind}  # {_comment(_described(table, column))}"


def _described(table: Table, column: Column) -> str:
    series = table.head.get_column(column.name)
    if column.kind in _LEFT_OUT:
        remark = column.remark.removeprefix(f"column {column.name!r} ").split(":")[0]
        return remark + ("" if column.kind == "empty" else _example(series, table))
    try:
        absent, what = _content(series, table, column)
    except BadValue as bad:
        where = table.place(bad.index).removeprefix(f"{table.name}, ")
        return f"holds {str(bad.value)[:40]!r} in {where}: mend it, or name it in `missing`"
    missing = f", {absent:.1%} missing" if absent else ""
    unsure = "; day and month could stand either way round" if column.kind == "date" and column.remark else ""
    return f"{what}{missing}{_example(series, table)}" + (f" ({column.form}{unsure})" if column.form else "")


def _content(series: "pl.Series", table: Table, column: Column) -> tuple[float, str]:
    """The share missing, and the range or categories."""
    match column.kind:
        case "numeric":
            values = columns.numbers(series, table.notation)
            absent = np.isnan(values)
            if absent.all():  # texts such as -nan are numbers, and none
                return 1.0, "no number"
            return float(absent.mean()), f"{values[~absent].min():.7g} to {values[~absent].max():.7g}"
        case "date":
            moments = columns.moments(series, column.form, table.notation)
            gone = moments == dates.MISSING
            ends = (int(moments[~gone].min()), int(moments[~gone].max()))
            return float(gone.mean()), " to ".join(map(dates.written, ends))
        case _:
            distinct, index = columns.codes(series, table.notation)
            lacking = np.array([text is None for text in distinct] + [True])
            texts = sorted({text for text in distinct if text is not None})
            shown = ", ".join(_short(text, 20) for text in texts[:6]) + (", ..." if len(texts) > 6 else "")
            return float(lacking[index].mean()), f"{len(texts)} categories: {shown}"


def _example(series: "pl.Series", table: Table) -> str:
    for value in series.head(1000).to_list():
        try:
            text = columns.text_of(value, table.notation)
        except ValueError:
            return ""
        if text is not None:
            return f"; e.g. {_short(text, 40)}"
    return ""


def _short(text: str, most: int) -> str:
    """A text of at most so many characters, with a mark where it was cut."""
    return text if len(text) <= most else f"{text[: most - 3].rstrip()}..."


def toml_key(name: str) -> str:
    """A column's name as a key of TOML.

    >>> toml_key("area"), toml_key("area in m²")
    ('area', '"area in m²"')
    """
    return name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else _quoted(name)


def _quoted(text: str) -> str:
    """A TOML string."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def _comment(text: str) -> str:
    """A text on one line, without what TOML forbids in comments."""
    return "".join(char if char.isprintable() else "?" for char in text)
