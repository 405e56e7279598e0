"""Dates: forms told apart, moments worked by hand, one row the same as many."""

import datetime

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from layerwise.data import columns, dates
from layerwise.data.columns import Notation

moments = st.datetimes(datetime.datetime(1, 1, 2), datetime.datetime(9999, 12, 30))


@pytest.mark.parametrize(
    ("texts", "form"),
    [
        (["2024-02-29", "1999-12-31"], "year-month-day"),
        (["31/01/2024", "01/02/2024"], "day/month/year"),
        (["01/31/2024", "02/01/2024"], "month/day/year"),
        (["31.1.24", "1.2.24"], "day/month/year"),
        (["3 Feb 2024", "12 March 2023"], "day month year"),
        (["Feb 3, 2024", "March 12 2023"], "month day, year"),
        (["20240131"], "yearmonthday"),
        (["2024-01-31T10:00:00Z", "2024-01-31 10:00:00.5+02:00"], "year-month-day"),
        (["2024-01/31"], ""),
        (["2024-02-30"], ""),
        (["1.5", "2.5"], ""),
        ([], ""),
    ],
)
def test_the_form_is_found(texts, form):
    assert dates.find_form(texts)[0] == form


def test_a_day_above_twelve_settles_the_order_and_none_leaves_it_open():
    assert dates.find_form(["01/02/2020"]) == ("day/month/year", True)
    assert dates.find_form(["01/02/2020", "13/02/2020"]) == ("day/month/year", False)
    assert dates.find_form(["01/02/2020", "02/13/2020"]) == ("month/day/year", False)


@pytest.mark.parametrize(
    ("text", "form", "expected"),
    [
        ("1970-01-01", "year-month-day", 0),
        ("1969-12-31", "year-month-day", -dates.DAY),
        ("02/01/70", "day/month/year", dates.DAY),
        ("01/01/69", "day/month/year", 36160 * dates.DAY),  # 2069
        ("1970-01-01 00:01", "year-month-day", 60_000_000),
        ("1970-01-01T02:00:00+02:00", "year-month-day", 0),
        ("1970-01-01T00:00:00.25Z", "year-month-day", 250_000),
        ("2 January 1970", "day month year", dates.DAY),
        ("Janx 2, 1970", "month day, year", None),
        ("1970-01-01 24:00", "year-month-day", None),
        ("0000-01-01", "year-month-day", None),
    ],
)
def test_moments_by_hand(text, form, expected):
    assert dates.moment(text, form) == expected


@given(moments)
def test_a_written_moment_is_read_back(value):
    read = dates.moment(value.isoformat(), "year-month-day")
    assert (
        read == dates.moment_of(value) == (value - datetime.datetime(1970, 1, 1)) // datetime.timedelta(microseconds=1)
    )


@given(st.lists(st.one_of(st.none(), moments), min_size=1, max_size=20), st.booleans())
def test_one_moment_gives_the_same_cycles_as_many(values, clock):
    series = pl.Series("day", values, dtype=pl.Datetime("us"))
    found = columns.moments(series, "", Notation())
    cycles = dates.cycles(found, clock)
    for row, value in enumerate(values):
        if value is None:
            assert found[row] == dates.MISSING
            assert not cycles[row].any()
        else:
            assert found[row] == dates.moment_of(value)
            assert cycles[row].tolist() == dates.row_cycles(dates.moment_of(value), clock)


def test_the_cycles_close():
    """31 December is next to 1 January, Sunday next to Monday, and a quarter of a day is a quarter turn."""
    day = [
        dates.moment(text, "year-month-day") for text in ("2023-12-31", "2024-01-01", "2024-01-08", "2024-01-01 06:00")
    ]
    new_years_eve, monday, next_monday, morning = dates.cycles(np.array(day), clock=True)
    assert np.abs(new_years_eve[:2] - monday[:2]).max() < 0.04
    np.testing.assert_array_equal(monday[2:4], next_monday[2:4])
    np.testing.assert_allclose(monday[2:4], [0, 1])
    np.testing.assert_allclose(morning[4:], [1, 0], atol=1e-7)
    np.testing.assert_allclose((monday.reshape(3, 2) ** 2).sum(axis=1), 1, rtol=1e-6)


def test_days_and_times():
    found = np.array([0, dates.DAY // 2, dates.MISSING])
    np.testing.assert_array_equal(dates.days(found), [0, 0.5, np.nan])
    assert dates.has_times(found)
    assert not dates.has_times(found[[0, 2]])
    assert [dates.written(int(m)) for m in found[:2]] == ["1970-01-01", "1970-01-01 12:00"]
