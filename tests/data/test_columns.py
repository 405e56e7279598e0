"""Kinds of columns, and that a batch is read exactly as a single value is."""

import datetime
import decimal
import math
from typing import get_args

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from layerwise.data import columns, dates
from layerwise.data.columns import BadValue, Notation, infer
from layerwise.data.read import MISSING
from layerwise.recipe.records import DateForm, Dates

USUAL = Notation(frozenset(MISSING))
COMMA = Notation(frozenset(MISSING), ",")


def kind(values, name="x", notation=USUAL, wanted="auto"):
    return infer(pl.Series(name, values), notation, wanted).kind


NUMBERS = [str(i * 7 % 40) for i in range(40)]


@pytest.mark.parametrize(
    ("name", "values", "expected"),
    [
        ("area", ["1", "2.5", "-3e2", "?"], "numeric"),
        ("area", [*NUMBERS, "oops"], "numeric"),  # a stray among many is an error later, not a category
        ("size", ["38", "39", "M", "L"], "category"),
        ("city", ["Rome", "Oslo", "Rome"], "category"),
        ("ok", ["yes", "no", "NA", "Yes"], "boolean"),
        ("ok", ["true", "false"], "boolean"),
        ("ok", [True, None, False], "boolean"),
        ("zip", ["10115", "80331"], "category"),
        ("Zip Code", [10115, 80331], "category"),
        ("region", ["01234", "04321"], "category"),
        ("zipper", ["1", "2"], "numeric"),
        ("id", [str(i) for i in range(1, 31)], "identifier"),
        ("n", list(range(30, 0, -1)), "identifier"),
        ("passengerId", [3, 8, 1, 44, 90, 12, 5, 77, 31, 2], "identifier"),
        ("population", [3, 8, 1, 44, 90, 12, 5, 77, 31, 2], "numeric"),
        ("year", list(range(2000, 2030)), "numeric"),
        ("n", [1, 2, 3], "numeric"),  # too few to tell
        ("n", [float(i) + 0.5 for i in range(30)], "numeric"),
        ("ticket", [f"T{i}" for i in range(20)], "identifier"),
        ("ticket", [f"T{i % 5}" for i in range(20)], "category"),
        ("review", [f"this film was number {i} of all I saw" for i in range(20)], "text"),
        ("sold", ["2020-01-31", "2020-02-29"], "date"),
        ("sold", ["31/01/2020", "29/02/2020", ""], "date"),
        ("sold", [datetime.date(2020, 1, 31)], "date"),
        ("date", ["20200131", "20200229"], "date"),
        ("count", ["20200131", "20200229"], "numeric"),
        ("price", [f"${i}.50" for i in range(20)], "text"),
        ("price", [f"1,{i:03}.50" for i in range(20)], "text"),
        ("note", ["", "NA", None], "empty"),
        ("note", [None, None], "empty"),
        ("wait", [datetime.timedelta(seconds=3)], "numeric"),
        ("tags", [["a"], ["b"]], "text"),
        ("x", [math.nan, math.nan], "empty"),
    ],
)
def test_kinds(name, values, expected):
    assert kind(values, name) == expected


def test_kinds_can_be_overridden():
    assert kind([str(i) for i in range(30)], "id", wanted="numeric") == "numeric"
    assert kind(["1", "2"], wanted="category") == "category"
    assert kind(["1"], wanted="ignore") == "ignore"
    assert infer(pl.Series("sex", ["M", "F", "M"]), USUAL, "boolean").words == ("f", "m")
    assert infer(pl.Series("sex", ["M", "F", "X"]), USUAL, "boolean").words == ()
    assert infer(pl.Series("day", ["1.2.2020"]), USUAL, Dates()).form == "day/month/year"


def test_the_form_of_dates_can_be_stated():
    day = pl.Series("day", ["1/2/2020", "3/4/2020", "", "2020-12-31"])
    for form, expected in (
        ("day/month/year", ["2020-02-01", "2020-04-03"]),
        ("month/day/year", ["2020-01-02", "2020-03-04"]),
    ):
        column = infer(day, USUAL, Dates(form))
        assert (column.kind, column.form, column.remark) == ("date", form, "")
        found = columns.moments(day, column.form, USUAL)
        assert [dates.written(int(m)) for m in found[[0, 1, 3]]] == [*expected, "2020-12-31"]
        assert found[2] == dates.MISSING
    with pytest.raises(BadValue, match="month/day/year") as bad:
        columns.moments(
            pl.Series("day", ["1/2/2020", "13/2/2020"]), infer(day, USUAL, Dates("month/day/year")).form, USUAL
        )
    assert (bad.value.index, bad.value.value) == (1, "13/2/2020")
    known = pl.Series("day", [datetime.date(2020, 1, 2)])
    assert (
        dates.written(int(columns.moments(known, infer(known, USUAL, Dates("day/month/year")).form, USUAL)[0]))
        == "2020-01-02"
    )


def test_every_form_that_is_read_can_be_stated():
    assert get_args(DateForm) == ("auto", *dates.FORMS)


def test_a_decimal_comma_makes_numbers_of_texts():
    assert kind(["3,5", "-1", "2,25"], notation=COMMA) == "numeric"
    assert kind(["3,5", "2,25"]) == "category"
    assert kind(["1.2", "1.3", "1.2"], notation=COMMA) == "category"  # not 12 or 1.2: a version, perhaps


def test_points_group_thousands_beside_a_decimal_comma():
    written = ["1.882,82", "-12.345.678", "1.000,", "999,5", "7"]
    found = [1882.82, -12345678.0, 1000.0, 999.5, 7.0]
    assert kind(written, notation=COMMA) == "numeric"
    assert columns.numbers(pl.Series("x", written), COMMA).tolist() == found
    assert [columns.number_of(text, COMMA) for text in written] == found
    for text in ("1.88", "1882.820", "1.882.82", "0,5.000", ".500", "1.882,8e2"):
        with pytest.raises(BadValue):
            columns.numbers(pl.Series("x", [text]), COMMA)
        with pytest.raises(ValueError):
            columns.number_of(text, COMMA)
    with pytest.raises(ValueError):
        columns.number_of("1.882,82", USUAL)


def test_what_cannot_be_told_apart_is_said():
    for wanted in ("auto", Dates()):
        remark = infer(pl.Series("day", ["1/2/2020", "3/4/2020"]), USUAL, wanted).remark
        assert "day and month" in remark and "read as day/month/year" in remark
        assert remark.endswith('columns = { "day" = { kind = "date", form = "month/day/year" } })')
        assert not infer(pl.Series("day", ["1/2/2020", "30/4/2020"]), USUAL, wanted).remark
    assert "postal" in infer(pl.Series("zip", [10115, 80331]), USUAL).remark


# ── a batch and a value ─────────────────────────────────────────────────────────────────────────

number_like = st.one_of(
    st.floats(width=64).map(repr),
    st.integers().map(str),
    st.sampled_from(
        ["1_000", "0x10", "1d5", "+1", ".5", "5.", ".", "e5", "1e", "Infinity", "-inf", "nan", "٣", "1 000", ""]
    ),
    st.text(alphabet="0123456789+-.,eE ", max_size=8),
)


@given(number_like, st.sampled_from([USUAL, COMMA]))
def test_a_text_is_the_same_number_in_a_batch_and_alone(text, notation):
    try:
        alone = columns.number_of(text, notation)
    except ValueError:
        with pytest.raises(BadValue):
            columns.numbers(pl.Series([text]), notation)
        return
    assert columns.numbers(pl.Series([text]), notation).tobytes() == np.array([alone]).tobytes() or alone != alone


spans = st.timedeltas(datetime.timedelta(days=-100_000), datetime.timedelta(days=100_000))  # Polars counts in 64 bits


@given(st.one_of(st.floats(), st.integers(-(2**63), 2**63 - 1), st.booleans(), st.none(), spans))
def test_a_value_is_the_same_number_in_a_batch_and_alone(value):
    series = pl.Series([value], dtype=pl.Float64 if value is None else None)
    try:
        alone = columns.number_of(value, USUAL)
    except ValueError:
        with pytest.raises(BadValue):
            columns.numbers(series, USUAL)
        return
    np.testing.assert_array_equal(columns.numbers(series, USUAL), [alone])


@given(
    st.one_of(
        st.lists(st.one_of(st.none(), st.text(max_size=5)), min_size=1),
        st.lists(st.one_of(st.none(), st.floats(allow_infinity=False)), min_size=1),
        st.lists(st.one_of(st.none(), st.integers(-5, 5)), min_size=1),
        st.lists(st.one_of(st.none(), st.booleans()), min_size=1),
        st.lists(st.one_of(st.none(), st.dates()), min_size=1),
    )
)
def test_codes_point_at_each_values_text(values):
    distinct, index = columns.codes(pl.Series(values), USUAL)
    read = [distinct[i] if i >= 0 else None for i in index]
    assert read == [columns.text_of(value, USUAL) for value in values]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (True, "true"),
        (3, "3"),
        (3.0, "3"),
        (2.5, "2.5"),
        (" a ", "a"),
        ("NA", None),
        (None, None),
        (math.nan, None),
        (np.int64(3), "3"),
        (np.float32(2.5), "2.5"),
        (decimal.Decimal("1.50"), "1.50"),
        (datetime.date(2020, 1, 2), "2020-01-02"),
    ],
)
def test_texts_of_values(value, expected):
    assert columns.text_of(value, USUAL) == expected


@pytest.mark.parametrize("value", [[1], {"a": 1}, b"x", object()])
def test_what_is_no_value_is_refused(value):
    for read in (columns.text_of, columns.number_of):
        with pytest.raises(ValueError, match=r".*"):
            read(value, USUAL)


@pytest.mark.parametrize(("bad", "row"), [(math.inf, 2), (-math.inf, 2), (2e38, 2)])
def test_infinity_is_refused_with_its_row(bad, row):
    with pytest.raises(BadValue) as caught:
        columns.numbers(pl.Series([1.0, None, bad, 3.0]), USUAL)
    assert caught.value.index == row


def test_moments_of_any_writing():
    expected = dates.moment("2020-01-31", "year-month-day")
    for value in ("31/01/2020", "2020-01-31", datetime.date(2020, 1, 31), np.datetime64("2020-01-31")):
        assert columns.moment_of(value, "day/month/year", USUAL) == expected
    for value in (None, "NA", np.datetime64("NaT"), math.nan):
        assert columns.moment_of(value, "day/month/year", USUAL) == dates.MISSING
    with pytest.raises(BadValue) as caught:
        columns.moments(pl.Series(["31/01/2020", None, "soon"]), "day/month/year", USUAL)
    assert (caught.value.index, caught.value.value) == (2, "soon")
