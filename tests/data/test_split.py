"""Splits: exact where worked by hand, and their promises for whatever shares and classes come."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from layerwise.data.split import Parts, group_codes, split
from layerwise.errors import DataError
from layerwise.recipe import records as r

SHARES = [(0.2, 0.2), (0.1, 0.3), (0.0, 0.25), (0.3, 0.0), (0.45, 0.5), (0.0, 0.0)]
seeds = st.integers(0, 2**32 - 1)
shares = st.sampled_from(SHARES)


def covers(parts: Parts, rows: int) -> None:
    """Every row stands in exactly one part, the parts are sorted, and training has rows."""
    together = np.concatenate([parts.train, parts.validation, parts.test])
    assert sorted(together.tolist()) == list(range(rows))
    assert len(parts.train) > 0
    for part in parts[1:4]:
        assert part.dtype == np.int64
        assert (np.diff(part) > 0).all()


def same(a: Parts, b: Parts) -> bool:
    return all(np.array_equal(p, q) for p, q in zip(a[1:4], b[1:4], strict=True))


# ── random and stratified ───────────────────────────────────────────────────────────────────────


@given(st.integers(1, 60), shares, seeds)
def test_random_split_keeps_its_promises(rows, share, seed):
    validation, test = share
    parts = split(r.RandomSplit(validation=validation, test=test), rows, seed)
    covers(parts, rows)
    assert parts.name == "random"
    assert abs(len(parts.validation) - rows * validation) < 1
    assert abs(len(parts.test) - rows * test) < 1


@given(st.lists(st.integers(0, 5), min_size=1, max_size=120), shares, seeds)
def test_stratified_split_keeps_each_class_within_one_row_in_every_part(labels, share, seed):
    classes = np.array(labels, np.int32)
    validation, test = share
    parts = split(r.StratifiedSplit(validation=validation, test=test), len(classes), seed, classes=classes)
    covers(parts, len(classes))
    assert parts.name == "stratified"
    for part, size in zip(parts[1:4], (1 - validation - test, validation, test), strict=True):
        for label in set(labels):
            quota = (classes == label).sum() * size
            assert abs((classes[part] == label).sum() - quota) < 1 + 1e-6
    assert set(classes[parts.train]) == set(labels), "training has every class"


@given(st.integers(2, 40), st.integers(1, 9), seeds)
def test_many_small_classes_still_give_parts_of_the_size_asked_for(kinds, each, seed):
    classes = np.repeat(np.arange(kinds), each)
    parts = split(r.StratifiedSplit(validation=0.2, test=0.2), len(classes), seed, classes=classes)
    if each > 2:  # below, "training comes first" costs the other parts rows
        assert abs(len(parts.test) - 0.2 * len(classes)) < 2
        assert abs(len(parts.validation) - 0.2 * len(classes)) < 2


def test_auto_is_stratified_for_classes_and_random_otherwise():
    classes = np.array([0, 1] * 10, np.int32)
    assert split(r.AutoSplit(), 20, 0, classes=classes).name == "stratified"
    assert split(r.AutoSplit(), 20, 0).name == "random"
    assert split(r.RandomSplit(), 20, 0, classes=classes).name == "random"


def test_a_class_with_too_few_rows_trains_first_and_is_mentioned():
    classes = np.array([0] * 10 + [1], np.int32)
    parts = split(r.AutoSplit(), 11, 3, classes=classes)
    assert 10 in parts.train
    assert parts.notes == ("1 class has too few rows to stand in every part; training comes first",)
    assert split(r.AutoSplit(), 20, 3, classes=np.repeat([0, 1], 10)).notes == ()


def test_stratified_without_classes_is_refused():
    with pytest.raises(DataError, match="needs classes"):
        split(r.StratifiedSplit(), 10, 0)


def test_four_rows():
    for seed in range(10):
        parts = split(r.AutoSplit(), 4, seed, classes=np.array([0, 1, 1, 0], np.int32))
        assert [len(part) for part in parts[1:4]] == [2, 1, 1]


def test_no_split_trains_on_everything_and_no_rows_are_refused():
    parts = split(r.NoSplit(), 4, 0)
    assert parts.name == "none"
    assert parts.train.tolist() == [0, 1, 2, 3]
    assert len(parts.validation) == len(parts.test) == 0
    with pytest.raises(DataError, match="at least one row"):
        split(r.NoSplit(), 0, 0)


@pytest.mark.parametrize(
    "spec",
    [r.RandomSplit(), r.StratifiedSplit(), r.GroupSplit(by="g"), r.FoldSplit(fold=2)],
    ids=lambda spec: type(spec).__name__,
)
def test_the_seed_alone_decides(spec):
    classes = np.arange(200, dtype=np.int32) % 3
    groups = np.arange(200) // 4

    def run(seed):
        return split(spec, 200, seed, classes=classes, groups=groups)

    assert same(run(5), run(5))
    assert not same(run(5), run(6))


def test_a_split_does_not_change_between_versions():
    """A change here changes every published score: only ever on purpose."""
    parts = split(r.AutoSplit(), 12, seed=7, classes=np.arange(12, dtype=np.int32) % 2)
    assert parts.validation.tolist() == GOLDEN_VALIDATION
    assert parts.test.tolist() == GOLDEN_TEST


GOLDEN_VALIDATION = [4, 5]
GOLDEN_TEST = [2, 9, 11]


# ── an official test part ───────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("spec", [r.AutoSplit(), r.RandomSplit(), r.StratifiedSplit()])
def test_an_official_test_part_is_kept_and_validation_carved_out_of_the_rest(spec):
    classes = np.arange(70, dtype=np.int32) % 2
    official = np.arange(60, 70)
    parts = split(spec, 70, 1, classes=classes, official_test=official)
    covers(parts, 70)
    assert parts.test.tolist() == official.tolist()
    assert len(parts.validation) == 12
    assert parts.notes[0] == "the data set's own test part of 10 rows is kept"


def test_an_official_test_part_of_everything_is_refused():
    with pytest.raises(DataError, match="leaves rows to train on"):
        split(r.AutoSplit(), 3, 0, official_test=np.arange(3))


# ── k-fold ──────────────────────────────────────────────────────────────────────────────────────


def folds_of(folds: int, rows: int, seed: int, validation: float = 0.2, **given) -> list[Parts]:
    return [
        split(r.FoldSplit(folds=folds, fold=fold, validation=validation), rows, seed, **given)
        for fold in range(1, folds + 1)
    ]


@given(st.integers(2, 6), st.integers(12, 80), st.booleans(), st.sampled_from([0.0, 0.2]), seeds)
def test_over_all_folds_each_row_is_tested_exactly_once(folds, rows, stratified, validation, seed):
    classes = (np.arange(rows) % 3).astype(np.int32) if stratified else None
    parts = folds_of(folds, rows, seed, validation, classes=classes)
    for each in parts:
        covers(each, rows)
        assert each.name == "kfold"
        assert abs(len(each.validation) - validation * (rows - len(each.test))) < 1
    tested = np.sort(np.concatenate([each.test for each in parts]))
    assert np.array_equal(tested, np.arange(rows))
    sizes = [len(each.test) for each in parts]
    assert max(sizes) - min(sizes) <= 1
    if classes is not None:
        for label in range(3):
            counts = [(classes[each.test] == label).sum() for each in parts]
            assert max(counts) - min(counts) <= 1


def test_an_official_test_part_stays_out_of_the_folds():
    classes, official = np.arange(70, dtype=np.int32) % 2, np.arange(60, 70)
    parts = folds_of(4, 70, 1, classes=classes, official_test=official)
    for each in parts:
        together = np.concatenate([each.train, each.validation, each.test])
        assert sorted(together.tolist()) == list(range(60))
        assert each.notes == ("the data set's own test part of 10 rows is left out of the folds",)
    assert sorted(np.concatenate([each.test for each in parts]).tolist()) == list(range(60))


def test_more_folds_than_rows_are_refused():
    with pytest.raises(DataError, match="a row for each fold") as error:
        split(r.FoldSplit(folds=5, fold=1), 8, 0, official_test=np.arange(4))
    assert error.value.received == "5 folds of 4 rows"
    assert error.value.remedy == "use at most 4 folds"


def test_all_folds_at_once_are_no_split():
    with pytest.raises(DataError, match="holds out one fold") as error:
        split(r.FoldSplit(), 8, 0)
    assert "layerwise.cross_validate(recipe)" in error.value.remedy


# ── groups ──────────────────────────────────────────────────────────────────────────────────────


@given(st.lists(st.integers(0, 30), min_size=3, max_size=150), shares, seeds)
def test_no_group_stands_on_two_sides(labels, share, seed):
    groups = np.array(labels)
    spec = r.GroupSplit(by="patient", validation=share[0], test=share[1])
    wanted = 1 + (share[0] > 0) + (share[1] > 0)
    if len(set(labels)) < wanted:
        with pytest.raises(DataError, match="a group for each part"):
            split(spec, len(groups), seed, groups=groups)
        return
    parts = split(spec, len(groups), seed, groups=groups)
    covers(parts, len(groups))
    sides = [set(groups[part].tolist()) for part in parts[1:4]]
    assert not sides[0] & sides[1] and not sides[0] & sides[2] and not sides[1] & sides[2]
    assert all(side for side, size in zip(sides, (1, *share), strict=True) if size > 0), "no part wanted is empty"


@given(st.integers(10, 40), st.integers(1, 20), seeds)
def test_shares_of_groups_are_near_when_groups_are_alike(count, largest, seed):
    sizes = np.random.default_rng(seed).integers(1, largest + 1, count)
    groups = np.repeat(np.arange(count), sizes)
    parts = split(r.GroupSplit(by="g"), len(groups), seed, groups=groups)
    for part, share in zip(parts[1:4], (0.6, 0.2, 0.2), strict=True):
        assert abs(len(part) - share * len(groups)) <= largest


def test_one_giant_group_trains():
    groups = np.array(["giant"] * 90 + list("abcdefghij"))
    parts = split(r.GroupSplit(by="g"), 100, 0, groups=groups)
    assert "giant" in groups[parts.train]
    assert len(parts.validation) == len(parts.test) == 5


@pytest.mark.parametrize(
    "groups",
    [
        np.array(["a", None, "b", "c"], dtype=object),
        np.array([1.0, np.nan, 2.0, 3.0]),
        np.array(["a", "", "b", "c"]),
        np.array(["2024-01-01", "NaT", "2024-01-02", "2024-01-03"], dtype="datetime64[D]"),
        np.array([1, float("nan"), "b", "c"], dtype=object),
    ],
)
def test_a_row_without_a_group_is_refused_with_its_place(groups):
    with pytest.raises(DataError, match="the group of every row") as error:
        split(r.GroupSplit(by="g"), 4, 0, groups=groups)
    assert error.value.place == "row 2"


def test_group_codes_take_objects_that_do_not_sort():
    assert group_codes(np.array([3, "3", 3, ("a", 1)], dtype=object)).tolist() == [0, 1, 0, 2]


@pytest.mark.parametrize("spec", [r.GroupSplit(by="who"), r.TimeSplit(by="when"), r.GivenSplit(by="part")])
def test_a_split_by_a_column_that_is_not_there_is_refused(spec):
    with pytest.raises(DataError, match="needs a column") as error:
        split(spec, 10, 0)
    assert spec.by in error.value.received


# ── time ────────────────────────────────────────────────────────────────────────────────────────


def test_the_oldest_rows_train_and_the_newest_test():
    times = np.array([5, 1, 4, 2, 3])
    parts = split(r.TimeSplit(by="t"), 5, 0, times=times)
    assert parts.name == "time"
    assert parts.train.tolist() == [1, 3, 4]
    assert parts.validation.tolist() == [2]
    assert parts.test.tolist() == [0]


@given(st.lists(st.integers(0, 12), min_size=1, max_size=60), shares)
def test_rows_of_one_time_stay_together_and_parts_follow_in_time(values, share):
    times = np.array(values)
    spec = r.TimeSplit(by="t", validation=share[0], test=share[1])
    wanted = 1 + (share[0] > 0) + (share[1] > 0)
    if len(set(values)) < wanted:
        with pytest.raises(DataError, match="as many different times"):
            split(spec, len(times), 0, times=times)
        return
    parts = split(spec, len(times), 0, times=times)
    covers(parts, len(times))
    filled = [times[part] for part in parts[1:4] if len(part)]
    assert len(filled) == wanted
    for earlier, later in pairwise(filled):
        assert earlier.max() < later.min()


def test_boundaries_go_to_the_nearest_change_of_time():
    times = np.repeat([1, 2, 3, 4], [50, 22, 9, 19])  # ideal starts: 60 and 80; changes: 50, 72, 81
    parts = split(r.TimeSplit(by="t"), 100, 0, times=times)
    assert [len(part) for part in parts[1:4]] == [50, 31, 19]


def test_dates_and_texts_are_times_too():
    days = np.array(["2024-03-01", "2023-01-01", "2024-01-01"])
    for times in (days, days.astype("datetime64[D]"), days.astype(object)):
        parts = split(r.TimeSplit(by="t"), 3, 0, times=times)
        assert [part.tolist() for part in parts[1:4]] == [[1], [2], [0]]


# ── given ───────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("form", [list, np.array, lambda values: np.array(values, dtype=object)])
def test_given_parts_are_taken_as_they_are(form):
    parts = split(r.GivenSplit(by="part"), 4, 0, given=form(["test", "train", "validation", "train"]))
    assert [part.tolist() for part in parts[1:4]] == [[1, 3], [2], [0]]


@pytest.mark.parametrize("value", ["Train", "holdout", None, 3, float("nan"), ""])
def test_an_unknown_given_part_is_refused_with_its_row(value):
    with pytest.raises(DataError, match="in every row") as error:
        split(r.GivenSplit(by="part"), 3, 0, given=["train", "test", value])
    assert error.value.place == "row 3"
    assert error.value.received == repr(value)


def test_given_parts_must_fit_the_rows_and_leave_some_to_train_on():
    with pytest.raises(DataError, match="part of every row"):
        split(r.GivenSplit(by="part"), 3, 0, given=["train"])
    with pytest.raises(DataError, match="leaves rows to train on"):
        split(r.GivenSplit(by="part"), 1, 0, given=["test"])
