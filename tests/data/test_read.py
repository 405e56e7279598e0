"""Tables of every source give the same rows, and say where each stands."""

import datetime
import os

import numpy as np
import pandas as pd
import polars as pl
import pytest

from layerwise.data import read
from layerwise.data.read import frame_of, open_table
from layerwise.errors import DataError

ROWS = [
    {"area": 52.5, "city": "Rome", "sold": True, "rooms": 3},
    {"area": None, "city": "Oslo", "sold": False, "rooms": 2},
    {"area": 61.0, "city": None, "sold": True, "rooms": 4},
]


def rows_of(table):
    return [row for frame in table.batches() for row in frame.to_dicts()]


@pytest.fixture
def files(tmp_path):
    frame = pl.DataFrame(ROWS)
    frame.write_parquet(tmp_path / "t.parquet")
    frame.write_ndjson(tmp_path / "t.jsonl")
    (tmp_path / "bare").write_bytes(b"\xef\xbb\xbf" + (tmp_path / "t.jsonl").read_bytes() + b"\n")
    return tmp_path


@pytest.mark.parametrize("name", ["t.parquet", "t.jsonl", "bare"])
def test_files(files, name):
    table = open_table(files / name)
    assert table.columns == ("area", "city", "sold", "rooms")
    assert rows_of(table) == table.head.to_dicts() == ROWS
    assert table.pick([2, 0]) == [ROWS[2], ROWS[0]]
    assert "row" in table.place(1)


@pytest.mark.parametrize(
    "raw",
    [
        pl.DataFrame(ROWS),
        pl.LazyFrame(ROWS),
        pd.DataFrame(ROWS),
        pd.DataFrame(ROWS).convert_dtypes(),
        ROWS,
        {key: [row[key] for row in ROWS] for key in ROWS[0]},
    ],
    ids=["polars", "lazy", "pandas", "nullable pandas", "mappings", "columns"],
)
def test_rows_in_memory(raw):
    table = open_table(raw)
    assert table.columns == ("area", "city", "sold", "rooms")
    got = [read.plain(row) for row in rows_of(table)]
    assert got == ROWS


def test_arrays_and_lists_of_rows():
    expected = [{"a": 1.0, "b": 2.0}, {"a": 3.0, "b": 4.0}]
    for raw in (
        np.array([[1, 2], [3, 4]]),
        [[1, 2], [3, 4]],
        [(1.0, 2), np.array([3, 4])],
        np.array([[1, 2], [3, 4]], "f2"),
    ):
        assert frame_of(raw, ("a", "b")).to_dicts() == expected
    assert frame_of({"a": 1, "b": "x"}).to_dicts() == [{"a": 1, "b": "x"}]
    assert frame_of(np.array([["1", "x"]], dtype=object)).columns == ["column_1", "column_2"]


@pytest.mark.parametrize(
    "raw", [3, None, "text"[:0], np.zeros(3), np.zeros((2, 2, 2)), [1, 2], [[1], [1, 2]], object(), b"x", []]
)
def test_what_is_no_table(raw):
    with pytest.raises(DataError):
        frame_of(raw)


def test_more_values_than_names_and_columns_of_unlike_length():
    with pytest.raises(DataError, match="a row has 3 values"):
        frame_of(np.zeros((2, 2)), ("a", "b", "c"))
    with pytest.raises(DataError, match="as many values"):
        frame_of({"a": [1, 2], "b": [1]})
    with pytest.raises(DataError, match="a name of its own"):
        frame_of(pd.DataFrame([[1, 2]], columns=["a", "a"]))
    with pytest.raises(DataError, match="holds rows"):
        open_table(pl.DataFrame({"a": []}))


@pytest.mark.parametrize(
    ("values", "dtype", "expected"),
    [
        ([1, 2, None], pl.Int64, [1, 2, None]),
        ([1, 2.5], pl.Float64, [1.0, 2.5]),
        ([True, None], pl.Boolean, [True, None]),
        ([True, 2], pl.Float64, [1.0, 2.0]),
        ([1, "x"], pl.String, ["1", "x"]),
        ([2**70, 1], pl.Float64, [2.0**70, 1.0]),
        ([10**400], pl.Float64, [float("inf")]),
        ([datetime.date(2020, 1, 2)], pl.Date, [datetime.date(2020, 1, 2)]),
        ([datetime.date(2020, 1, 2), "x"], pl.String, ["2020-01-02", "x"]),
        ([np.float32(1.5), np.int8(2)], pl.Float64, [1.5, 2.0]),
        ([pd.NA, "a"], pl.String, [None, "a"]),
        ([None], pl.String, [None]),
        ([[1]], pl.Object, [[1]]),
        ([{"a": 1}, 2], pl.Object, [{"a": 1}, 2]),
    ],
)
def test_columns_of_python_values(values, dtype, expected):
    series = read.series_of("x", values)
    if values != [None]:
        assert series.dtype == dtype
    assert series.to_list() == expected


def test_pandas_dates_and_categories():
    frame = pd.DataFrame(
        {
            "plain": pd.to_datetime(["2020-01-02", None]),
            "zoned": pd.to_datetime(["2020-01-02 01:00", None]).tz_localize("Europe/Rome"),
            "kind": pd.Categorical(["a", None]),
        }
    )
    found = frame_of(frame).to_dicts()
    assert found[0] == {"plain": datetime.datetime(2020, 1, 2), "zoned": datetime.datetime(2020, 1, 2), "kind": "a"}
    assert found[1] == {"plain": None, "zoned": None, "kind": None}


def refusal(path):
    with pytest.raises(DataError) as caught:
        table = open_table(path)
        list(table.batches())
    return caught.value


def test_files_that_cannot_be_read(tmp_path):
    (tmp_path / "prices.csv").write_text("a,b\n1,2\n")
    assert "did you mean 'prices.csv'?" in refusal(tmp_path / "price.csv").remedy
    (tmp_path / "cost.csv").write_text("")  # as `> cost.csv` leaves it
    assert refusal(tmp_path / "costs.csv").remedy == "check the path"
    assert refusal(tmp_path / "nope.csv").remedy == "check the path"
    assert "did you mean 'prices.csv'?" in refusal(tmp_path / "prices.tsv").remedy
    assert "no folder" in refusal(tmp_path / "nowhere" / "x.csv").remedy
    assert "the folder" in refusal(tmp_path).received
    assert "can be read" in refusal("a\0b").rule
    assert "can be read" in refusal("x" * 5000).rule
    os.mkfifo(tmp_path / "pipe")
    assert "a regular file" in refusal(tmp_path / "pipe").rule


def test_damaged_parquet(tmp_path, files):
    whole = (files / "t.parquet").read_bytes()
    for cut in (4, 20, len(whole) // 2, len(whole) - 1):
        (tmp_path / "cut.parquet").write_bytes(whole[:cut])
        assert refusal(tmp_path / "cut.parquet").rule == "the Parquet file is whole"


@pytest.mark.parametrize("line", ["[1, 2]", "{'a': 1}", '{"a": 1', "3", '{"a": NaN}', "[" * 5000, '{"a": "\\ud800"}'])
def test_damaged_json_lines(tmp_path, line):
    path = tmp_path / "t.jsonl"
    path.write_text('{"a": 1}\n\n' + line + "\n", "utf-8")
    error = refusal(path)
    assert error.place == "t.jsonl, row 3"
    assert "one mapping" in error.rule


def test_a_key_of_json_lines_that_comes_late_is_a_column(tmp_path, monkeypatch):
    monkeypatch.setattr(read.JsonLines, "CHUNK", 64)
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(f'{{"a": {i}}}\n' for i in range(40)) + '{"a": 40, "late": "x"}\n')
    table = open_table(path)
    assert table.columns == ("a", "late")
    assert [value for frame in table.batches() for value in frame["late"]] == [None] * 40 + ["x"]


def test_json_lines_row_numbers_count_blank_lines(tmp_path):
    path = tmp_path / "t.jsonl"
    path.write_text('{"a": 1}\n\n{"a": 2}\n', "utf-8")
    assert open_table(path).place(1) == "t.jsonl, row 3"
    path.write_text("\n", "utf-8")
    assert "holds rows" in refusal(path).rule


def test_an_empty_list_holds_no_rows():
    with pytest.raises(DataError) as refused:
        frame_of([])
    assert refused.value.received == "an empty list"
