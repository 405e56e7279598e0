"""Which rows train, which validate and which test.

The training part is never empty, the parts never overlap, and everything follows from the seed
alone: the generator is seeded by (seed, "split"), so a random choice added elsewhere does not shift
a split. `layerwise.data.leaks` checks the result.
"""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Bool, Int, Int64, Shaped, UInt8

from layerwise.data.dataset import Rows
from layerwise.errors import DataError
from layerwise.recipe import records

NAMES = ("train", "validation", "test")
TRAIN, VALIDATION, TEST = range(3)

Labels = UInt8[np.ndarray, " _"]  # for each row an index into NAMES
Shares = tuple[float, float, float]  # of the rows, in the order of NAMES


class Parts(NamedTuple):
    """Sorted row numbers of each part; they do not overlap and `train` is never empty.

    `name` is the split really used ("auto" is either "stratified" or "random"), `notes` are
    sentences for the user about what the data did not allow.
    """

    name: str
    train: Rows
    validation: Rows
    test: Rows
    notes: tuple[str, ...] = ()


def split(
    spec: records.Split,
    rows: int,
    seed: int,
    *,
    classes: Int[np.ndarray, " rows"] | None = None,
    groups: Shaped[np.ndarray, " rows"] | None = None,
    times: Shaped[np.ndarray, " rows"] | None = None,
    given: Sequence[Any] | Shaped[np.ndarray, " rows"] | None = None,
    official_test: Rows | None = None,
) -> Parts:
    """Deal `rows` rows into training, validation and test as `spec` says.

    `classes` (each row's class), `groups` and `times` (of any type that can be compared; times
    increase) and `given` ("train", "validation" or "test" for each row) are needed by the splits
    of that name. `official_test`, the rows a data set itself sets apart for testing, is kept as the
    test part by the auto, random and stratified splits, and stays out of the folds of k-fold.

    Raises `DataError` where the data does not allow the split: fewer groups or times than parts, a
    row without a group or a time, an unknown given part.

    >>> split(records.AutoSplit(), 10, seed=0).name
    'random'
    >>> [len(part) for part in split(records.AutoSplit(), 10, seed=0)[1:4]]
    [6, 2, 2]
    """
    if rows < 1:
        raise DataError("a data set has at least one row", received="no rows", remedy="check the file for its content")
    generator = np.random.default_rng([seed, *b"split"])
    match spec:
        case records.NoSplit():
            return _parts("none", np.zeros(rows, np.uint8))
        case records.AutoSplit() | records.RandomSplit() | records.StratifiedSplit():
            return _dealt(spec, rows, classes, official_test, generator)
        case records.FoldSplit():
            return _fold(spec, rows, classes, official_test, generator)
        case records.GroupSplit():
            if groups is None:
                raise _lacking("group", f"by = {spec.by!r}", "a column that names each row's group")
            return _parts("group", _by_group(groups, _shares(spec.validation, spec.test), generator))
        case records.TimeSplit():
            if times is None:
                raise _lacking("time", f"by = {spec.by!r}", "a column with each row's time")
            return _parts("time", _by_time(times, _shares(spec.validation, spec.test)))
        case records.GivenSplit():
            if given is None:
                raise _lacking("given", f"by = {spec.by!r}", "a column that names each row's part")
            return _parts("given", _as_given(given, rows))


def _lacking(kind: str, received: str, what: str) -> DataError:
    return DataError(
        f"a {kind} split needs {what}",
        received=received + ", which this data set does not have",
        remedy='choose another split, e.g. split = "auto"',
        place="data.split",
    )


def _shares(validation: float, test: float) -> Shares:
    return 1 - validation - test, validation, test


def _parts(name: str, labels: Labels, notes: Sequence[str] = ()) -> Parts:
    train, validation, test = (np.flatnonzero(labels == part).astype(np.int64, copy=False) for part in range(3))
    return Parts(name, train, validation, test, tuple(notes))


# ── random, stratified, k-fold ──────────────────────────────────────────────────────────────────


def _dealt(
    spec: records.AutoSplit | records.RandomSplit | records.StratifiedSplit,
    rows: int,
    classes: Int[np.ndarray, " rows"] | None,
    official_test: Rows | None,
    generator: np.random.Generator,
) -> Parts:
    if isinstance(spec, records.StratifiedSplit) and classes is None:
        raise DataError(
            "a stratified split needs classes to balance",
            received="a target that is not one class of several",
            remedy='use split = "random"',
            place="data.split",
        )
    strata = None if isinstance(spec, records.RandomSplit) else classes
    labels, notes = _hold_out(rows, strata, _shares(spec.validation, spec.test), official_test, generator)
    return _parts("random" if strata is None else "stratified", labels, notes)


def _fold(
    spec: records.FoldSplit,
    rows: int,
    classes: Int[np.ndarray, " rows"] | None,
    official_test: Rows | None,
    generator: np.random.Generator,
) -> Parts:
    """Rows in the order of their classes are numbered round the folds, like cards round a table."""
    if spec.fold == "all":
        raise DataError(
            "a run holds out one fold",
            received='fold = "all"',
            remedy="train them all with layerwise.cross_validate(recipe), or choose one, e.g. fold = 1",
            place="data.split.fold",
        )
    labels = np.full(rows, TRAIN, np.uint8)
    if official_test is not None:
        labels[official_test] = len(NAMES)
    own = np.flatnonzero(labels == TRAIN)
    if len(own) < spec.folds:
        raise DataError(
            "k-fold needs a row for each fold",
            received=f"{spec.folds} folds of {len(own)} rows",
            remedy=f"use at most {len(own)} folds" if len(own) > 1 else 'use split = "none"',
            place="data.split.folds",
        )
    order, _ = _shuffled_by_class(len(own), None if classes is None else classes[own], generator)
    labels[own[order[spec.fold - 1 :: spec.folds]]] = TEST
    rest = np.flatnonzero(labels == TRAIN)
    shares = _shares(spec.validation, 0.0)
    labels[rest], notes = _deal(len(rest), None if classes is None else classes[rest], shares, generator)
    if official_test is not None:
        notes = [f"the data set's own test part of {len(official_test)} rows is left out of the folds", *notes]
    return _parts("kfold", labels, notes)


def _hold_out(
    rows: int,
    classes: Int[np.ndarray, " rows"] | None,
    shares: Shares,
    official_test: Rows | None,
    generator: np.random.Generator,
) -> tuple[Labels, list[str]]:
    if official_test is None:
        return _deal(rows, classes, shares, generator)
    labels = np.zeros(rows, np.uint8)
    labels[official_test] = TEST
    rest = np.flatnonzero(labels == TRAIN)
    if not len(rest):
        raise DataError("the official test part leaves rows to train on", received=f"all {rows} rows are test rows")
    shares = _shares(shares[VALIDATION], 0.0)
    labels[rest], notes = _deal(len(rest), None if classes is None else classes[rest], shares, generator)
    return labels, [f"the data set's own test part of {len(official_test)} rows is kept", *notes]


def _deal(
    rows: int, classes: Int[np.ndarray, " rows"] | None, shares: Shares, generator: np.random.Generator
) -> tuple[Labels, list[str]]:
    """Deal each class by `shares` to within a row; without classes, all rows as one class."""
    labels = np.zeros(rows, np.uint8)
    order, bounds = _shuffled_by_class(rows, classes, generator)
    owed = [0.0, 0.0, 0.0]
    thin = 0
    for start, end in pairwise(bounds):
        counts = _seats(end - start, shares, owed)
        test = start + counts[TEST]
        labels[order[start:test]] = TEST
        labels[order[test : test + counts[VALIDATION]]] = VALIDATION
        thin += any(share > 0 and not count for share, count in zip(shares, counts, strict=True))
    if not thin or classes is None:
        return labels, []
    subject = "1 class has" if thin == 1 else f"{thin} classes have"
    return labels, [f"{subject} too few rows to stand in every part; training comes first"]


def _shuffled_by_class(
    rows: int, classes: Int[np.ndarray, " rows"] | None, generator: np.random.Generator
) -> tuple[Int64[np.ndarray, " rows"], list[int]]:
    """Row numbers class by class, at random within each; and where each class starts, and the end."""
    order = generator.permutation(rows)
    if classes is None:
        return order, [0, rows]
    shuffled = classes[order]
    by_class = np.argsort(shuffled, kind="stable")
    ordered = shuffled[by_class]
    starts = np.flatnonzero(ordered[1:] != ordered[:-1]) + 1
    return order[by_class], [0, *starts.tolist(), rows]


def _seats(size: int, shares: Shares, owed: list[float]) -> list[int]:
    """How many of a class's `size` rows each part gets: its quota rounded down or up.

    `owed` carries what each part is short of from class to class, so that the whole parts come out
    near their shares too, however many classes there are. Training never goes without.
    """
    quota = [round(size * share, 6) for share in shares]  # 35 * 0.2 is a little above 7
    counts = [int(q) for q in quota]
    for part in range(3):
        owed[part] += quota[part] - counts[part]

    def claim(part: int) -> tuple[bool, float, int]:
        return (part == TRAIN and not counts[TRAIN], owed[part], part)

    claimants = sorted((part for part in range(3) if quota[part] > counts[part]), key=claim, reverse=True)
    for part in claimants[: size - sum(counts)]:
        counts[part] += 1
        owed[part] -= 1
    return counts


# ── by group ────────────────────────────────────────────────────────────────────────────────────


def _by_group(groups: Shaped[np.ndarray, " rows"], shares: Shares, generator: np.random.Generator) -> Labels:
    """Large groups first, each to the part that is owed most; groups of like size in random order."""
    _refuse_missing(groups, "group")
    codes = group_codes(groups)
    sizes = np.bincount(codes)
    wanted = [part for part in range(3) if shares[part] > 0]
    if len(sizes) < len(wanted):
        raise DataError(
            "a split by group needs a group for each part",
            received=f"{len(sizes)} group{'s' * (len(sizes) != 1)} for {len(wanted)} parts",
            remedy="set validation or test to 0, or group by another column",
            place="data.split",
        )
    order = generator.permutation(len(sizes))
    _, magnitude = np.frexp(sizes[order])
    order = order[np.argsort(-magnitude, kind="stable")]
    owed = [share * len(codes) for share in shares]
    part_of = np.zeros(len(sizes), np.uint8)
    empty = set(wanted)
    for done, (group, size) in enumerate(zip(order.tolist(), sizes[order].tolist(), strict=True)):
        open_parts = empty if len(sizes) - done <= len(empty) else wanted
        part = max(sorted(open_parts), key=owed.__getitem__)
        part_of[group] = part
        owed[part] -= size
        empty.discard(part)
    labels: Labels = part_of[codes]
    return labels


def group_codes(groups: Shaped[np.ndarray, " rows"]) -> Int64[np.ndarray, " rows"]:
    """A number for each row's group, counted from 0.

    >>> group_codes(np.array(["b", "a", "b"], dtype=object))
    array([0, 1, 0])
    """
    if groups.dtype.kind != "O":
        _, codes = np.unique(groups, return_inverse=True)
        return codes.astype(np.int64, copy=False)
    seen: dict[Any, int] = {}  # objects may not be sortable: 3 and "3" in one column
    return np.fromiter((seen.setdefault(group, len(seen)) for group in groups), np.int64, len(groups))


def _missing(values: Shaped[np.ndarray, " rows"]) -> Bool[np.ndarray, " rows"]:
    match values.dtype.kind:
        case "f" | "m" | "M":
            missing = values != values
        case "U" | "S":
            missing = np.char.str_len(values) == 0
        case "O":
            missing = np.fromiter((v is None or v != v or v == "" for v in values), np.bool_, len(values))
        case _:
            missing = np.zeros(len(values), np.bool_)
    return np.asarray(missing, np.bool_)


def _refuse_missing(values: Shaped[np.ndarray, " rows"], what: str) -> None:
    if len(empty := np.flatnonzero(_missing(values))):
        raise DataError(
            f"a split by {what} needs the {what} of every row",
            received=f"{len(empty)} row{'s' * (len(empty) != 1)} without a {what}",
            remedy="fill in the column, or leave those rows out",
            place=f"row {empty[0] + 1}",
        )


# ── by time, given ──────────────────────────────────────────────────────────────────────────────


def _by_time(times: Shaped[np.ndarray, " rows"], shares: Shares) -> Labels:
    """Oldest rows first; a part begins where the time changes, as near to its share as that allows."""
    _refuse_missing(times, "time")
    rows = len(times)
    order = np.argsort(times, kind="stable")
    ordered = times[order]
    changes = np.flatnonzero(ordered[1:] != ordered[:-1]) + 1
    later = [part for part in (VALIDATION, TEST) if shares[part] > 0]
    if len(changes) < len(later):
        raise DataError(
            "a split by time needs as many different times as parts",
            received=f"{len(changes) + 1} different time{'s' * (len(changes) != 0)} for {len(later) + 1} parts",
            remedy="set validation or test to 0, or use another column",
            place="data.split",
        )
    labels = np.zeros(rows, np.uint8)
    ideals = [rows * (1 - sum(shares[part:])) for part in later]
    for part, start in zip(later, _nearest_changes(changes, ideals), strict=True):
        labels[order[start:]] = part
    return labels


def _nearest_changes(changes: Int64[np.ndarray, " changes"], ideals: Sequence[float]) -> Iterator[int]:
    """For each ideal position the nearest change, ever later, leaving one for each ideal to come."""
    first = 0
    for number, ideal in enumerate(ideals, start=1):
        choices = changes[first : len(changes) - len(ideals) + number]
        first += int(np.argmin(np.abs(choices - ideal)))
        yield int(changes[first])
        first += 1


def _as_given(given: Sequence[Any] | Shaped[np.ndarray, " rows"], rows: int) -> Labels:
    values = np.asarray(given, dtype=object)
    if len(values) != rows:
        raise DataError("a given split says the part of every row", received=f"{len(values)} parts for {rows} rows")
    labels = np.full(rows, len(NAMES), np.uint8)
    for part, name in enumerate(NAMES):
        labels[values == name] = part
    if len(unknown := np.flatnonzero(labels == len(NAMES))):
        more = f" (and {len(unknown) - 1} more rows)" if len(unknown) > 1 else ""
        raise DataError(
            'a given split says "train", "validation" or "test" in every row',
            received=repr(values[unknown[0]]) + more,
            remedy="write one of the three",
            place=f"row {unknown[0] + 1}",
        )
    if not (labels == TRAIN).any():
        raise DataError("a given split leaves rows to train on", received='no row says "train"')
    return labels
