"""What is to be predicted follows from the column and the task; what cannot be learnt is refused."""

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from layerwise.data.columns import Notation
from layerwise.data.dataset import Classes, Labels, Quantities
from layerwise.data.encode import AS_USUAL
from layerwise.data.read import MISSING
from layerwise.data.target import TargetReader, encode_target, flag, standardized
from layerwise.data.transform import TableSpec
from layerwise.errors import DataError
from layerwise.recipe import records as r

USUAL = Notation(frozenset(MISSING))


def settle(columns, task=None, split=None):
    frame = pl.DataFrame(columns if isinstance(columns, dict) else {"y": columns}, strict=False)
    reader = TargetReader(frame.columns, task or r.AutoTask(), frame, USUAL)
    reader.add(frame, USUAL)
    return reader.settle(split or r.AutoSplit())


@pytest.mark.parametrize(
    ("values", "names", "y"),
    [
        (["b", "a", "b", "a"], ("a", "b"), [1, 0, 1, 0]),
        (["10", "9", "10", "9"], ("9", "10"), [1, 0, 1, 0]),
        ([10, 9, 10, 9], ("9", "10"), [1, 0, 1, 0]),
        ([1.0, 0.0, 1.0, 0.0], ("0", "1"), [1, 0, 1, 0]),
        ([True, False, True, False], ("false", "true"), [1, 0, 1, 0]),
        ([" x ", "y", "x", None, "y"], ("x", "y"), [0, 1, 0, 1]),
    ],
)
def test_classes(values, names, y):
    outputs, target, _ = settle(values)
    assert target == Classes("y", names)
    assert outputs.dtype == np.int32
    assert outputs.tolist() == y


@pytest.mark.parametrize(
    ("values", "classes"),
    [
        (list(range(3)) * 10, True),
        (list(range(3)) * 9, False),  # too few of each
        (list(range(20)) * 10, True),
        (list(range(21)) * 10, False),
        ([0.5, 1.5] * 20, False),
        (["0.5", "1.5"] * 20, False),
        (["1", "2"] * 20, True),
    ],
)
def test_few_whole_numbers_are_classes(values, classes):
    _, target, notes = settle(values)
    assert isinstance(target, Classes) == classes
    assert bool(notes) == classes


def test_the_task_decides():
    assert settle([0, 1] * 20, r.Regress())[1] is None
    _, target, _ = settle(["1.5", "2.5"] * 5, r.Classify())
    assert target == Classes("y", ("1.5", "2.5"))
    assert settle(["yes", "no", "yes"], r.MultiLabel())[1] == Labels(("y",))


def test_several_targets():
    flags = {"a": ["yes", "no", "yes"], "b": ["no", "no", "yes"]}
    outputs, target, _ = settle(flags)
    assert target == Labels(("a", "b"))
    assert outputs.tolist() == [[1, 0], [0, 0], [1, 1]]
    assert outputs.dtype == np.float32
    assert settle({"a": [0, 1, 1], "b": [1, 0, 1]})[1] == Labels(("a", "b"))
    outputs, target, _ = settle({"a": ["yes", "no", "no"], "b": [1, 0, 1]})
    assert outputs.tolist() == [[1, 1], [0, 0], [0, 1]]
    outputs, target, notes = settle({"a": [0.5, None, 2.5, 3.0], "b": [1, 0, 7, None]})
    assert target is None
    assert outputs.tolist() == [[0.5, 1], [2.5, 7]]
    assert notes == ["2 rows without a target were left out"]


@pytest.mark.parametrize(
    ("columns", "task", "message"),
    [
        (["a", "a", "a"], None, "differs from row to row"),
        ([1, 1, 1], None, "differs from row to row"),
        ([2.5, 2.5], r.Regress(), "differs from row to row"),
        ([None, None], None, "the target has values"),
        (["NA", ""], None, "the target has values"),
        (["a", None], None, "more than one row"),
        (["a", "b", "c"], None, "classes have several rows"),
        (["a", "b", "b"], None, "at least two rows"),
        ({"a": ["x", "y", "z"], "b": [1, 2, 3]}, None, "labels are yes or no"),
        ({"a": [1, 2], "b": [1, 2]}, r.Classify(), "one target column"),
        (["x", "y"], r.MultiLabel(), "labels are yes or no"),
        ({"a": ["0.5", "2"], "b": ["1", "0"]}, r.MultiLabel(), "labels are yes or no"),
    ],
)
def test_refusals(columns, task, message):
    with pytest.raises(DataError, match=message):
        settle(columns, task)


def test_a_class_of_one_row_may_train_where_nothing_is_held_out():
    assert settle([0, 0, 0, 1], split=r.NoSplit())[1] == Classes("y", ("0", "1"))


def test_standardized_by_the_training_part():
    values = np.array([[1.0, 5.0], [3.0, 5.0], [8.0, 6.0]])
    y, target = standardized(values, ["a", "b"], np.array([0, 1]), True)
    assert target == Quantities(("a", "b"), (2.0, 5.0), (1.0, 1.0))
    np.testing.assert_array_equal(y, [[-1, 0], [1, 0], [6, 1]])
    y, target = standardized(values, ["a", "b"], np.array([0, 1]), False)
    assert target == Quantities(("a", "b"), (0.0, 0.0), (1.0, 1.0))


def encoded(raw, target, written=AS_USUAL):
    """The targets of the rows that have one, and these rows' numbers."""
    y, has = encode_target(raw, target, written)
    assert y.dtype == (np.int32 if isinstance(target, Classes) else np.float32)
    return y.tolist(), np.flatnonzero(has).tolist()


def test_new_rows_without_a_target_are_left_out():
    classes = Classes("y", ("1", "2", "x"))
    assert encoded({"y": [None, "x", "", "NA", "1", " ? "]}, classes) == ([2, 0], [1, 4])
    assert encoded({"y": ["-", "x", "?"]}, Classes("y", ("?", "x")), TableSpec((), ("-",))) == ([1, 0], [1, 2])
    assert encoded({"y": [float("nan"), 2.0]}, classes) == ([1], [1])
    assert encoded({"a": ["yes", "", "no"], "b": [1, 0, None]}, Labels(("a", "b"))) == ([[1, 1]], [0])
    both = Quantities(("p", "q"), (20.0, 0.0), (5.0, 1.0))
    assert encoded({"p": [25.0, None, 10.0], "q": [1.0, 2.0, float("nan")]}, both) == ([[1.0, 1.0]], [0])


@given(st.lists(st.sampled_from(["a", "b", "", "NA", None]), min_size=1, max_size=30))
def test_new_rows_are_left_out_as_in_training(values):
    frame = pl.DataFrame({"y": values}, schema={"y": pl.String})
    reader = TargetReader(["y"], r.Classify(), frame, USUAL)
    keep = reader.add(frame, USUAL)
    if not keep.any():
        with pytest.raises(DataError, match="has a target"):
            encode_target(frame, Classes("y", ("a", "b")))
        return
    y, has = encode_target(frame, Classes("y", ("a", "b")))
    assert has.tolist() == keep.tolist()
    assert [("a", "b")[i] for i in y] == [value for value in values if value in ("a", "b")]


def test_targets_of_new_rows():
    classes = Classes("y", ("1", "2", "x"))
    assert encoded([{"y": 2}, {"y": "x"}, {"y": 1.0}, {"y": "1.0"}], classes) == ([1, 2, 0, 0], [0, 1, 2, 3])
    assert encoded({"a": ["yes", "no"], "b": [0, 1]}, Labels(("a", "b"))) == ([[1, 0], [0, 1]], [0, 1])
    assert encoded({"p": ["25", "10"]}, Quantities(("p",), (20.0,), (5.0,))) == ([[1.0], [-2.0]], [0, 1])
    for raw, target, message in (
        ({"y": ["z"]}, classes, "one the model was trained on"),
        ({"y": [None, "z"]}, classes, "one the model was trained on"),
        ({"a": [1, None], "b": [None, "maybe"]}, Labels(("a", "b")), "one the model was trained on"),
        ({"y": [None, "NA"]}, classes, "has a target"),
        ({"a": [1, None], "b": [None, 1]}, Labels(("a", "b")), "has a target"),
        ({"p": [None]}, Quantities(("p",), (0.0,), (1.0,)), "has a target"),
        ({"q": [1]}, Quantities(("p",), (0.0,), (1.0,)), "no column 'p'"),
        ({"a": [2]}, Labels(("a",)), "one the model was trained on"),
    ):
        with pytest.raises(DataError, match=message):
            encode_target(raw, target)


def test_flags():
    assert [flag(text) for text in ("true", "N", "off", "1", "2", "")] == [1, 0, 0, 1, -1, -1]
