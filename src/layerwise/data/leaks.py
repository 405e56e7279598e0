"""Checks that nothing leaks from one part into another: rows seen twice, groups on two sides."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Int64, Shaped, UInt64

from layerwise.data.dataset import Rows
from layerwise.data.split import NAMES, Parts, group_codes
from layerwise.errors import DataError

CHUNK_BYTES = 1 << 20  # a chunk of rows that stays in the processor's cache while it is hashed

SHIFTS = np.uint64(30), np.uint64(27)
ODD = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)

Hashes = UInt64[np.ndarray, " _"]


def check_groups(groups: Shaped[np.ndarray, " rows"], parts: Parts) -> None:
    """Raise `DataError` where a group has rows in more than one part.

    >>> check_groups(np.array([1, 1, 2]), Parts("group", np.array([0, 1]), np.array([2]), np.array([], np.int64)))
    """
    codes = group_codes(groups)
    stands = np.zeros((3, int(codes.max(initial=-1)) + 1), np.bool_)
    for part, rows in enumerate((parts.train, parts.validation, parts.test)):
        stands[part, codes[rows]] = True
    torn = np.flatnonzero(stands.sum(axis=0) > 1)
    if len(torn):
        example = groups[np.argmax(codes == torn[0])]
        sides = " and ".join(name for name, here in zip(NAMES, stands[:, torn[0]], strict=True) if here)
        more = f", and {len(torn) - 1} more groups on several sides" if len(torn) > 1 else ""
        raise DataError(
            "a group never stands on two sides of a split",
            received=f"group {str(example)!r} in {sides}{more}",
            remedy='use split = { kind = "group", by = ... }, or correct the given parts',
            place="data.split",
        )


class Repeated(NamedTuple):
    """Of the `rows` of a held-out part, `repeated` also stand in the training part, `agreeing` with the same target."""

    part: str
    rows: int
    repeated: int
    agreeing: int

    @property
    def sentence(self) -> str:
        """The same in words."""
        stand = "stands" if self.repeated == 1 else "stand"
        if self.agreeing == self.repeated:
            targets = "with the same target"
        elif self.agreeing == 0:
            targets = "with another target"
        else:
            targets = f"{self.agreeing} with the same target, {self.repeated - self.agreeing} with another"
        return f"{self.repeated} of {self.rows} {self.part} rows also {stand} in the training part, {targets}"


def check_duplicates(
    x: Shaped[np.ndarray, "rows width"], y: Shaped[np.ndarray, "rows *outputs"], parts: Parts
) -> list[str]:
    """A sentence for each part that `duplicates` finds something in; none is good news.

    >>> x = np.array([[0.0], [1.0], [1.0]], np.float32)
    >>> parts = Parts("given", np.array([0, 1]), np.array([], np.int64), np.array([2]))
    >>> check_duplicates(x, np.array([0, 1, 1]), parts)
    ['1 of 1 test rows also stands in the training part, with the same target']
    """
    return [repeated.sentence for repeated in duplicates(x, y, parts)]


def duplicates(
    x: Shaped[np.ndarray, "rows width"], y: Shaped[np.ndarray, "rows *outputs"], parts: Parts
) -> list[Repeated]:
    """Which held-out parts have rows whose `x` also stands in the training part.

    A score on such rows measures memory. Rows are compared exactly, but only where their 64-bit
    hashes agree: besides a chunk at a time, it takes 16 bytes a row whatever the width.
    """
    inputs = _hash_rows(x)
    both = _hash_rows(y.reshape(len(y), -1), inputs)
    known, known_pairs = np.sort(inputs[parts.train]), np.sort(both[parts.train])
    found = []
    for name, rows in (("validation", parts.validation), ("test", parts.test)):
        repeated = rows[_contains(known, inputs[rows])]
        repeated = repeated[_same_rows(x, inputs, repeated, parts.train)]
        if len(repeated):
            agreeing = int(_contains(known_pairs, both[repeated]).sum())
            found.append(Repeated(name, len(rows), len(repeated), agreeing))
    return found


def _chunks(rows: int, row_bytes: int) -> Iterator[slice]:
    size = max(1, CHUNK_BYTES // max(1, row_bytes))
    return (slice(start, min(start + size, rows)) for start in range(0, rows, size))


def _hash_rows(values: Shaped[np.ndarray, "rows width"], start: Hashes | None = None) -> Hashes:
    """A 64-bit hash of each row, continuing from the hashes `start`: the sum of its mixed numbers.

    The bits of each number, moved by its column's own constant, pass through the finalizer of
    SplitMix64 (Steele, Lea & Flood 2014), in which every bit reaches every other. Weaker mixing
    will not do: small whole numbers as floats differ in a few high bits only.
    """
    columns = np.random.default_rng(0).integers(0, 2**64, values.shape[1], np.uint64)
    hashes = np.zeros(len(values), np.uint64) if start is None else start * ODD[0]
    for chunk in _chunks(len(values), values.shape[1] * 8):
        mixed = _bits(values[chunk])
        mixed += columns
        for shift, odd in zip(SHIFTS, ODD, strict=True):
            mixed ^= mixed >> shift
            mixed *= odd
        mixed ^= mixed >> SHIFTS[0]
        hashes[chunk] += mixed.sum(axis=1, dtype=np.uint64)
    return hashes


def _bits(values: Shaped[np.ndarray, "rows width"]) -> UInt64[np.ndarray, "rows width"]:
    """The bits of each number, the same for numbers that are equal (0.0 and -0.0)."""
    if values.dtype == np.float32:
        return (values + np.float32(0)).view(np.uint32).astype(np.uint64)
    if values.dtype.kind == "f":
        return (values.astype(np.float64) + 0.0).view(np.uint64)
    return values.astype(np.uint64)


def _contains(known: Hashes, sought: Hashes) -> Bool[np.ndarray, " sought"]:
    """Which of `sought` stand in the sorted `known`."""
    if not len(known):
        return np.zeros(len(sought), np.bool_)
    order = np.argsort(sought)  # neighbors in order look at neighboring memory
    ordered = sought[order]
    at = np.minimum(np.searchsorted(known, ordered), len(known) - 1)
    result = np.empty(len(sought), np.bool_)
    result[order] = known[at] == ordered
    return result


def _same_rows(
    x: Shaped[np.ndarray, "rows width"], hashes: Hashes, repeated: Rows, train: Rows
) -> Bool[np.ndarray, " repeated"]:
    """Which of the `repeated` rows really equal the training row that has their hash."""
    train = train[_contains(np.unique(hashes[repeated]), hashes[train])]
    order = np.argsort(hashes[train])
    at: Int64[np.ndarray, " repeated"] = np.searchsorted(hashes[train], hashes[repeated], sorter=order)
    twins = train[order[at]]
    same = np.empty(len(repeated), np.bool_)
    for chunk in _chunks(len(repeated), x.shape[1] * x.dtype.itemsize):
        same[chunk] = (x[repeated[chunk]] == x[twins[chunk]]).all(axis=1)
    return same
