"""Whether rows that a model is scored on are rows that it was trained on, and data the data that it knows.

A model keeps the smallest hashes of its training rows (a bottom-k sketch: Cohen & Kaplan 2007). Of the rows
to be scored, those whose hash lies as low are looked up in it, which tells the share of all without
keeping any row.
"""

import base64
import binascii
import hashlib
from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

import numpy as np
from jaxtyping import Float32, UInt64

from layerwise.data.dataset import Dataset, Quantities, Rows

KEPT = 2048  # hashes in a sketch, 8 bytes each
AT_ONCE = 65_536  # rows that are hashed at a time
MOST = 1_000_000  # rows to be scored that are looked up
LEAST = 20  # of these that must be judged, where there are so many: one alone would speak for all
SAME = 0.99  # of two sketches, where they are of the same rows: other machines round sums in other ways
CLOSE = 1e-6  # two sums of the same rows, for the same reason
MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)  # 2^64 / 1.618..., odd


def hashes(x: Float32[np.ndarray, "rows width"]) -> UInt64[np.ndarray, " rows"]:
    """A hash of every encoded row; equal rows have equal ones.

    >>> a, b, c = hashes(np.array([[1.0, 0.0], [1.0, -0.0], [0.0, 1.0]], np.float32))
    >>> bool(a == b), bool(a == c)
    (True, False)
    """
    words = np.ascontiguousarray(x + np.float32(0)).view(np.uint32)  # -0 becomes 0
    mixed = np.full(len(words), 0x243F6A8885A308D3, np.uint64)
    for column in words.T:
        mixed = (mixed ^ column) * MULTIPLIER
        mixed ^= mixed >> np.uint64(29)
    return mixed


def sketch(x: Float32[np.ndarray, "rows width"], rows: Rows) -> str:
    """The smallest hashes of some of the rows, as text for the model file; many rows are never copied at once."""
    least = np.zeros(0, np.uint64)
    for start in range(0, rows.size, AT_ONCE):
        least = np.unique(np.concatenate([least, hashes(x[rows[start : start + AT_ONCE]])]))[:KEPT]
    return base64.b64encode(least.astype("<u8").tobytes()).decode()


def share(known: object, x: Float32[np.ndarray, "rows width"]) -> float:
    """The share of rows that are among those of a sketch; 0 where there is no sketch, or it knows of too few rows.

    >>> rows = np.arange(40, dtype=np.float32).reshape(20, 2)
    >>> share(sketch(rows, np.arange(10)), rows)
    0.5
    """
    least = _read(known)
    if not least.size:
        return 0.0
    own = hashes(x[:MOST])
    # Below the largest hash that a full sketch kept, it knows every row; else it knows all there are.
    judged = own[own <= least[-1]] if least.size == KEPT else own
    enough = judged.size >= min(own.size, LEAST)
    return float(np.isin(judged, least).mean()) if judged.size and enough else 0.0


def alike(known: object, other: str) -> float:
    """How far two sketches are of the same rows: the share of the hashes of either that both have.

    1 where `known` is no sketch, since nothing then speaks against it.

    >>> rows = np.arange(40, dtype=np.float32).reshape(20, 2)
    >>> alike(sketch(rows, np.arange(12)), sketch(rows, np.arange(8, 20)))
    0.2
    """
    one, two = _read(known), _read(other)
    return np.intersect1d(one, two).size / np.union1d(one, two).size if one.size else 1.0


def fingerprint(dataset: Dataset) -> str:
    """A hash of which rows stand in which part, to tell whether two runs were judged alike."""
    digest = hashlib.sha256()
    for part in ("train", "validation", "test"):
        digest.update(f"{part}:{dataset.part(part).size}:".encode())
        digest.update(np.ascontiguousarray(dataset.part(part)).data)
    return digest.hexdigest()[:16]


def sums(dataset: Dataset) -> dict[str, tuple[float, ...]]:
    """Of each part the means over its rows of what they hold, plain and weighted by their places: two numbers of
    every target and of the weight, and two of a mixture of all inputs. A row that was changed, or moved, moves one.
    """
    mixture = np.random.default_rng(0).standard_normal(dataset.x.shape[1])
    found = {}
    for part in ("train", "validation", "test"):
        rows = dataset.part(part)
        total = np.zeros((2, 0))
        for start in range(0, rows.size, AT_ONCE):
            some = rows[start : start + AT_ONCE]
            y = dataset.y[some].astype(np.float64).reshape(len(some), -1)
            if isinstance(dataset.target, Quantities):
                y = dataset.target.in_units(y)
            held = np.column_stack([y, dataset.weight[some], dataset.x[some].astype(np.float64) @ mixture])
            places = np.stack([np.ones(len(some)), 1 + np.arange(start, start + len(some)) / rows.size])
            total = places @ held + (total if start else 0)
        found[part] = tuple((total / max(rows.size, 1)).ravel().tolist())
    return found


class Known(NamedTuple):
    """What tells the data of a training from other data: the split's `fingerprint`, the training rows' `sketch` and
    the `sums` of all parts. What is empty is not known."""

    split: str = ""
    trained_on: str = ""
    sums: Mapping[str, tuple[float, ...]] = MappingProxyType({})


def known(dataset: Dataset) -> Known:
    """What tells this data from other data."""
    return Known(fingerprint(dataset), sketch(dataset.x, dataset.train), sums(dataset))


def differing(found: Known, trained: Known) -> str:
    """How data differs from that of the training; "" where it does not, as far as that is known.

    Rows of few different kinds can look the same in another order: the fingerprint tells where the split
    follows from the rows.
    """
    if trained.split and trained.split != found.split:
        return "data that is dealt into other training, validation and test rows"
    if alike(trained.trained_on, found.trained_on) < SAME:
        return "data whose training rows are others: it was changed, or stands in another order"
    for part, known in trained.sums.items():
        there = found.sums.get(part, ())
        if len(there) != len(known) or not np.allclose(there, known, rtol=CLOSE, atol=CLOSE, equal_nan=True):
            return f"data whose {part} rows, or their targets, are others"
    return ""


def _read(known: object) -> UInt64[np.ndarray, " hashes"]:
    """The hashes of a sketch, none of what is not one."""
    try:
        return np.frombuffer(base64.b64decode(str(known or ""), validate=True), "<u8")
    except (binascii.Error, ValueError):
        return np.zeros(0, np.uint64)
