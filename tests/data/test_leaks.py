"""Leaks across parts: the fast search against brute force."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from layerwise.data import leaks
from layerwise.data.leaks import Repeated, check_duplicates, check_groups, duplicates
from layerwise.data.split import Parts
from layerwise.errors import DataError


def parts_of(labels):
    labels = np.asarray(labels)
    return Parts("given", *(np.flatnonzero(labels == part) for part in range(3)))


def brute_force(x, y, parts):
    """For validation and test: how many rows stand in training, how many of those with the same target."""
    counts = []
    for rows in (parts.validation, parts.test):
        twins = [[t for t in parts.train if (x[t] == x[row]).all()] for row in rows]
        repeated = sum(bool(t) for t in twins)
        agreeing = sum(any((y[t] == y[row]).all() for t in ts) for row, ts in zip(rows, twins, strict=True))
        counts.append((repeated, agreeing))
    return counts


@given(st.integers(1, 3), st.integers(0, 2**32 - 1), st.sampled_from([np.float32, np.float64, np.uint8, np.int64]))
def test_counts_agree_with_brute_force(width, seed, kind):
    generator = np.random.default_rng(seed)
    x = generator.integers(0, 3, (25, width)).astype(kind)
    y = generator.integers(0, 2, 25)
    parts = parts_of(generator.integers(0, 3, 25))
    expected = [
        Repeated(name, len(rows), repeated, agreeing)
        for name, rows, (repeated, agreeing) in zip(
            ("validation", "test"), parts[2:4], brute_force(x, y, parts), strict=True
        )
        if repeated
    ]
    assert duplicates(x, y, parts) == expected
    assert check_duplicates(x, y, parts) == [found.sentence for found in expected]


def test_sentences_say_how_many_and_whether_the_targets_agree():
    x = np.array([[1, 2], [3, 4], [1, 2], [3, 4], [5, 6]], np.float32)
    y = np.array([[0.5], [1.0], [0.5], [2.0], [0.0]], np.float32)
    assert check_duplicates(x, y, parts_of([0, 0, 2, 2, 2])) == [
        "2 of 3 test rows also stand in the training part, 1 with the same target, 1 with another"
    ]
    assert check_duplicates(x, y, parts_of([0, 0, 1, 2, 2])) == [
        "1 of 1 validation rows also stands in the training part, with the same target",
        "1 of 2 test rows also stands in the training part, with another target",
    ]


def test_zero_and_minus_zero_are_one_number():
    x = np.array([[0.0], [-0.0]], np.float32)
    assert len(check_duplicates(x, np.zeros(2, np.int32), parts_of([0, 2]))) == 1


def test_columns_that_change_places_are_not_duplicates():
    x = np.array([[1, 2], [2, 1]], np.float32)
    assert check_duplicates(x, np.zeros(2, np.int32), parts_of([0, 2])) == []


def test_equal_hashes_are_not_trusted(monkeypatch):
    monkeypatch.setattr(leaks, "_hash_rows", lambda values, start=None: np.zeros(len(values), np.uint64))
    x = np.array([[1.0], [2.0]], np.float32)
    assert check_duplicates(x, np.zeros(2, np.int32), parts_of([0, 2])) == []


def test_rows_are_found_across_chunks(monkeypatch):
    monkeypatch.setattr(leaks, "CHUNK_BYTES", 64)
    x = np.random.default_rng(0).standard_normal((500, 3)).astype(np.float32)
    x[490:] = x[:10]
    labels = np.repeat([0, 2], [490, 10])
    assert check_duplicates(x, np.zeros(500, np.int32), parts_of(labels)) == [
        "10 of 10 test rows also stand in the training part, with the same target"
    ]


def test_hashes_of_a_million_like_rows_differ():
    """Small whole numbers as floats differ in few bits, all of them high ones."""
    grid = np.stack(np.meshgrid(*[np.arange(100, dtype=np.float32)] * 3), axis=-1).reshape(-1, 3)
    assert len(np.unique(leaks._hash_rows(grid))) == len(grid)


@pytest.mark.parametrize("labels", [[0, 0, 0], [0, 2, 2], [0, 1, 1]])
def test_empty_parts_and_no_columns(labels):
    assert check_duplicates(np.arange(3, dtype=np.float32)[:, None], np.zeros(3, np.int32), parts_of(labels)) == []
    check_groups(np.array(["a", "b", "b"], dtype=object), parts_of(labels))


def test_a_group_on_two_sides_fails():
    groups = np.array(["ann", "bob", "ann", "cy", "bob"], dtype=object)
    with pytest.raises(DataError, match="never stands on two sides") as error:
        check_groups(groups, parts_of([0, 0, 2, 1, 1]))
    assert error.value.received == "group 'ann' in train and test, and 1 more groups on several sides"
