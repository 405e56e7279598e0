"""What is to be predicted: classes, labels or quantities, found out from its column and the task."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Bool, Float64, Int32, Shaped

from layerwise.data import columns
from layerwise.data.columns import WORDS, BadValue, Notation
from layerwise.data.dataset import Classes, Labels, Quantities, Rows, Target
from layerwise.data.encode import AS_USUAL, batches
from layerwise.data.transform import TableSpec
from layerwise.errors import DataError
from layerwise.recipe import records

if TYPE_CHECKING:
    import polars as pl

FEW = 20  # whole numbers of up to this many values, each in ten rows on average, are classes
# The farthest hundredth of a normal distribution makes 8.5% of its variance; where it makes half, it rules the loss.
FARTHEST, HEAVY = 0.01, 0.5

Outputs = Shaped[np.ndarray, "rows *outputs"]


class TargetReader:
    """Gathers the target columns while a table is read; `settle` says what they are."""

    def __init__(self, names: Sequence[str], task: records.Task, head: "pl.DataFrame", notation: Notation) -> None:
        self.names = tuple(names)
        self.task = task
        self._numbers: list[Float64[np.ndarray, "rows targets"]] = []
        self._codes: list[Int32[np.ndarray, "rows targets"]] = []
        self._texts: list[dict[str, int]] = [{} for _ in names]
        self.dropped = 0
        numeric = [columns.is_numeric(head.get_column(name), notation) for name in names]
        match task:
            case records.Regress():
                self.as_numbers = True
            case records.Classify() if len(names) > 1:
                raise DataError(
                    "a classification has one target column", received=f"{len(names)}: {', '.join(names[:5])}",
                    remedy='name one; or use task = "multilabel" for several yes/no targets',
                )  # fmt: skip
            case records.Classify() | records.MultiLabel():
                self.as_numbers = False
            case _:
                self.as_numbers = all(numeric)  # a mixture is settled by its words: all yes/no, or refused

    def add(self, frame: "pl.DataFrame", notation: Notation) -> Bool[np.ndarray, " rows"]:
        """Append a batch and say which of its rows have a target; raises `BadValue`."""
        found = np.empty((frame.height, len(self.names)), dtype=np.float64 if self.as_numbers else np.int32)
        for i, name in enumerate(self.names):
            try:
                series = frame.get_column(name)
                found[:, i] = columns.numbers(series, notation) if self.as_numbers else self._coded(i, series, notation)
            except BadValue as bad:
                bad.column = name
                if self.as_numbers and not isinstance(self.task, records.Regress) and isinstance(bad.value, str):
                    bad.remedy = 'mend the value; or name it in `missing`; or set task = "classify" for classes'
                raise
        lacking = np.isnan(found) if self.as_numbers else found < 0
        keep: Bool[np.ndarray, " rows"] = ~np.any(lacking, axis=1)
        self.dropped += int((~keep).sum())
        kept = found if keep.all() else found[keep]
        if self.as_numbers:
            self._numbers.append(kept)
        else:
            self._codes.append(kept)
        return keep

    def _coded(self, at: int, series: "pl.Series", notation: Notation) -> Int32[np.ndarray, " rows"]:
        distinct, index = columns.codes(series, notation)
        known = self._texts[at]
        codes = [-1 if text is None else known.setdefault(text, len(known)) for text in distinct]
        return np.take(np.array([*codes, -1], dtype=np.int32), index)

    def settle(self, split: records.Split) -> "tuple[Outputs, Classes | Labels | None, list[str]]":
        """The targets of all rows that have one, what they are (None: quantities, as yet in their own
        unit), and notes. Raises `DataError` where there is nothing to learn.
        """
        parts = self._numbers if self.as_numbers else self._codes
        rows = sum(map(len, parts))
        if not rows:
            raise self._refusal("the target has values", "no row with a value", "name another column")
        if rows == 1:
            raise self._refusal("a model learns from more than one row", "1 row with a target", "add rows")
        values = np.concatenate(parts)
        parts.clear()
        notes = left_out(self.dropped)
        if isinstance(self.task, records.MultiLabel) or (len(self.names) > 1 and not self.as_numbers):
            return self._labels(values), Labels(self.names), notes
        if len(self.names) > 1 and not isinstance(self.task, records.Regress) and _only_flags(values):
            return values.astype(np.float32), Labels(self.names), notes
        if self.as_numbers and (isinstance(self.task, records.Regress) or not _are_classes(values[:, 0])):
            self._refuse_constant(values)
            return values, None, notes
        y, names = self._classes(values[:, 0], split)
        if self.as_numbers:
            notes.append(
                f"the target {self.names[0]!r} holds {len(names)} whole numbers, taken for classes "
                '(task = "regress" takes them for a quantity)'
            )
        return y, Classes(self.names[0], names), notes

    def _refuse_constant(self, values: Float64[np.ndarray, "rows targets"]) -> None:
        for i, name in enumerate(self.names):
            if values[:, i].min() == values[:, i].max():
                raise DataError(
                    "a target differs from row to row", received=f"{values[0, i]:g} in each of {len(values):,} rows",
                    remedy="name another column", place=f"column {name!r}",
                )  # fmt: skip

    def _labels(self, codes: Shaped[np.ndarray, "rows targets"]) -> Shaped[np.ndarray, "rows targets"]:
        if self.as_numbers:
            if not _only_flags(codes):
                raise self._refusal("labels are yes or no, 1 or 0", "other numbers", 'use task = "regress"')
            return codes.astype(np.float32)
        y = np.empty(codes.shape, dtype=np.float32)
        for i, (name, known) in enumerate(zip(self.names, self._texts, strict=True)):
            flags = [flag(text) for text in known]
            if -1 in flags:
                raise DataError(
                    "labels are yes or no, 1 or 0 (several targets are all labels, or all quantities)",
                    received=f"column {name!r} holds {list(known)[flags.index(-1)]!r}",
                    remedy="name one column of classes; or write the labels as 0 and 1",
                )
            y[:, i] = np.array(flags, dtype=np.float32)[codes[:, i]]
        return y

    def _classes(
        self, values: Shaped[np.ndarray, " rows"], split: records.Split
    ) -> tuple[Int32[np.ndarray, " rows"], tuple[str, ...]]:
        if self.as_numbers:
            found = _few(values)
            assert found is not None
            codes = np.searchsorted(found, values)
            names = [str(int(number)) for number in found]
        else:
            texts = list(self._texts[0])
            names = sorted(texts, key=_by_number(texts))
            place = {name: i for i, name in enumerate(names)}
            codes = np.array([place[text] for text in texts], dtype=np.int32)[values]
        counts = np.bincount(codes, minlength=len(names))
        names = [name for name, count in zip(names, counts, strict=True) if count]
        codes = (np.cumsum(counts > 0) - 1)[codes]
        counts = counts[counts > 0]
        if len(names) == 1:
            raise self._refusal("a target differs from row to row", f"{names[0]!r} in every row", "name another column")
        if len(names) == len(codes) > 2:
            raise self._refusal(
                "classes have several rows each", f"{len(names):,} different values in as many rows",
                'name another column; or use task = "regress" if it is a quantity',
            )  # fmt: skip
        if counts.min() < 2 and not isinstance(split, records.NoSplit | records.GivenSplit):
            alone = names[int(counts.argmin())]
            more = int((counts < 2).sum()) - 1
            raise self._refusal(
                "every class has at least two rows, one to learn from and one to check",
                f"{alone!r} in one row" + (f", and {more} more such" if more else ""),
                'add rows of it, or leave it out or merge it with another; or use split = "none"',
            )  # fmt: skip
        return codes.astype(np.int32), tuple(names)

    def _refusal(self, rule: str, received: str, remedy: str) -> DataError:
        place = f"target column {', '.join(map(repr, self.names))}"
        return DataError(rule, received=received, remedy=remedy, place=place)


def flag(text: str) -> int:
    """0 or 1 of a word for no or yes, else -1.

    >>> flag("No"), flag("1"), flag("maybe")
    (0, 1, -1)
    """
    for pair in (*WORDS, ("0", "1")):
        if text.lower() in pair:
            return pair.index(text.lower())
    return -1


def _by_number(texts: Sequence[str]) -> Any:
    """Sorts "2" before "10" where all texts are numbers."""
    try:
        numbers = {text: columns.number_of(text, Notation(frozenset())) for text in texts}
    except ValueError:
        return None
    return lambda text: (numbers[text], text)


def _only_flags(values: Float64[np.ndarray, "rows targets"]) -> bool:
    return bool(np.all((values == 0) | (values == 1)))


def _are_classes(values: Float64[np.ndarray, " rows"]) -> bool:
    """Few whole numbers, each often enough to be a class rather than a count."""
    found = _few(values)
    if found is None or not bool(np.all(found == np.floor(found))):
        return False
    return len(found) <= 2 or len(values) >= 10 * len(found)


def _few(values: Float64[np.ndarray, " rows"]) -> Float64[np.ndarray, " few"] | None:
    """The different values in order, None where there are more than `FEW`; sorts only what is new."""
    found = values[:1]
    for start in range(0, len(values), 1 << 16):
        part = values[start : start + (1 << 16)]
        nearest = found[np.minimum(np.searchsorted(found, part), len(found) - 1)]
        if len(new := part[nearest != part]):
            found = np.union1d(found, new)
            if len(found) > FEW:
                return None
    return found


def standardized(
    values: Float64[np.ndarray, "rows targets"], names: Sequence[str], train: Rows, standardize: bool
) -> tuple[Shaped[np.ndarray, "rows targets"], Quantities]:
    """Quantities less the mean of the training part, in its standard deviations (1 where that is 0)."""
    mean, scale = np.zeros(len(names)), np.ones(len(names))
    if standardize:
        mean, deviation = values[train].mean(axis=0), values[train].std(axis=0)
        scale = np.where(deviation > 0, deviation, 1.0)
    return _scaled(values, mean, scale), Quantities(tuple(names), tuple(mean.tolist()), tuple(scale.tolist()))


def _scaled(values: Any, mean: Any, scale: Any) -> Shaped[np.ndarray, "rows targets"]:
    with np.errstate(over="ignore"):
        scaled = np.clip((values - mean) / scale, -columns.LIMIT, columns.LIMIT)
    return np.asarray(scaled, dtype=np.float32)


def left_out(rows: int) -> list[str]:
    """A sentence on rows that lack a target; none where there are none.

    >>> left_out(1), left_out(0)
    (['1 row without a target was left out'], [])
    """
    if not rows:
        return []
    return ["1 row without a target was left out" if rows == 1 else f"{rows:,} rows without a target were left out"]


def encode_target(
    raw: Any, target: Target, written: TableSpec = AS_USUAL
) -> tuple[Outputs, Bool[np.ndarray, " all_rows"]]:
    """The targets of new rows (a file's path, a frame, a list of mappings) as `Dataset.y` has them: of
    those that have all of them, and which rows these are. `written` says how the table of the training was.

    Raises `DataError` for an absent target column, an unknown class, and where no row has a target.

    >>> y, has = encode_target([{"price": 30.0}, {"price": None}], Quantities(("price",), (20.0,), (5.0,)))
    >>> y.tolist(), has.tolist()
    ([[2.0]], [True, False])
    """
    names = (target.column,) if isinstance(target, Classes) else target.columns
    numbers = frozenset(names) if isinstance(target, Quantities) else frozenset[str]()
    parts = []
    for batch in batches(raw, names, written, numbers):
        found = []
        for name in names:
            try:
                found.append(_target_column(batch.frame.get_column(name), target, batch.notation))
            except BadValue as bad:
                raise batch.error(bad, name) from None
        parts.append(np.stack(found, axis=1))
    values = np.concatenate(parts)
    has: Bool[np.ndarray, " all_rows"] = ~np.any(np.isnan(values), axis=1)
    if not has.any():
        raise DataError(
            "some row to evaluate has a target", received=f"none in {len(values):,} rows",
            remedy="fill in the answers, or predict instead", place=f"column {', '.join(map(repr, names))}",
        )  # fmt: skip
    values = values[has]
    match target:
        case Classes():
            return values[:, 0].astype(np.int32), has
        case Labels():
            return values.astype(np.float32), has
        case Quantities(mean=mean, scale=scale):
            return _scaled(values, np.array(mean), np.array(scale)), has


def _target_column(series: "pl.Series", target: Target, notation: Notation) -> Float64[np.ndarray, " rows"]:
    """A target's numbers, or the places of its classes; NaN where it is missing."""
    if isinstance(target, Quantities):
        return columns.numbers(series, notation)
    distinct, index = columns.codes(series, notation)
    places = np.array([*(_class_place(text, target) for text in distinct), np.nan])
    found: Float64[np.ndarray, " rows"] = np.take(places, index)
    if (found < 0).any():
        row = int((found < 0).argmax())
        known = ", ".join(target.names[:20]) if isinstance(target, Classes) else "0 and 1"
        rule = "the target is one the model was trained on"
        raise BadValue(row, distinct[index[row]], rule, f"one of: {known}; or leave it empty to leave the row out")
    return found


def _class_place(text: str | None, target: Classes | Labels) -> float:
    """A class's place, NaN where it is missing and -1 where the model does not know it."""
    if text is None:
        return np.nan
    if isinstance(target, Labels):
        return float(flag(text))
    if text not in target.names:  # "3.0" where the model knows "3"
        try:
            text = columns.text_of(columns.number_of(text, Notation(frozenset())), Notation()) or text
        except ValueError:
            return -1.0
    return float(target.names.index(text)) if text in target.names else -1.0


def farthest(y: Float64[np.ndarray, "rows quantities"]) -> tuple[int, float]:
    """How many rows the farthest hundredth from the mean are, and the share of the squared deviation that they make:
    the largest of the quantities; 0 where nothing varies, or under 100 rows.

    >>> count, share = farthest(np.append(np.tile([-1.0, 1.0], 100), [100.0])[:, None])
    >>> count, round(share, 3)
    (3, 0.976)
    """
    count = math.ceil(FARTHEST * len(y))
    squares = np.sort(np.square(y - y.mean(axis=0)), axis=0)
    total = squares.sum(axis=0)
    if len(y) < 100 or not total.all():
        return count, 0.0
    return count, float((squares[-count:].sum(axis=0) / total).max())
