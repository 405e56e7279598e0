"""Encoders: fitted values worked by hand, a row the same as a batch, absent columns named."""

import datetime
import json
import math

import msgspec
import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from layerwise.data import encoder_from
from layerwise.data.arrays import fit_array
from layerwise.data.columns import Notation, infer
from layerwise.data.encode import TableEncoder, aligned
from layerwise.data.fit import Gathered, embedding_width, fit
from layerwise.data.read import MISSING
from layerwise.errors import DataError
from layerwise.recipe import records as r

USUAL = Notation(frozenset(MISSING))


def data_with(one_hot):
    return r.TableData(path="-", target="-", one_hot=one_hot)


def fitted(columns, train=None, one_hot=16, kinds=None):
    """Encoder and x of a mapping of columns."""
    frame = pl.DataFrame(columns)
    found = [infer(series, USUAL, (kinds or {}).get(series.name, "auto")) for series in frame.iter_columns()]
    gathered = Gathered(found)
    gathered.add(frame, USUAL)
    rows = np.arange(frame.height) if train is None else np.array(train)
    encoder, notes = fit(gathered, rows, data_with(one_hot), USUAL)
    return encoder, gathered.encode(encoder), notes


# ── by hand ─────────────────────────────────────────────────────────────────────────────────────


def test_numbers_are_standardized_by_the_training_part():
    encoder, x, _ = fitted({"a": [1.0, 3.0, 100.0]}, train=[0, 1])
    np.testing.assert_array_equal(x[:, 0], [-1, 1, 98])
    assert encoder.features == ("a",)
    assert encoder.schema[0] == ("a", "numeric", 0.0, "1 to 3")


def test_missing_numbers_get_the_median_and_a_flag():
    encoder, x, _ = fitted({"a": [1.0, 2.0, None, 9.0, None]}, train=[0, 1, 2, 3])
    assert encoder.features == ("a", "a missing")
    np.testing.assert_array_equal(x[:, 1], [0, 0, 1, 0, 1])
    assert x[2, 0] == x[1, 0] == x[4, 0]
    assert encoder.schema[0].missing == 0.25


def test_numbers_missing_only_later_get_the_median_and_are_counted():
    encoder, x, _ = fitted({"a": [1.0, 2.0, 9.0, None]}, train=[0, 1, 2])
    assert encoder.features == ("a",)
    assert x[3] == x[1]
    assert encoder.report([{"a": None}, {"a": 10.0}, {"a": 2}]) == {
        "a": "1 value outside of 1 to 9; 1 value missing, as never in training"
    }


def test_zero_and_one_stay_as_they_are():
    encoder, x, _ = fitted({"a": [0, 1, 1, 0]})
    np.testing.assert_array_equal(x[:, 0], [0, 1, 1, 0])
    assert encoder.schema[0].kind == "boolean"


def test_words_for_yes_and_no():
    encoder, x, _ = fitted({"ok": ["No", "yes", "YES", None]})
    assert encoder.features == ("ok=yes", "ok missing")
    np.testing.assert_array_equal(x, [[0, 0], [1, 0], [1, 0], [1, 1]])
    np.testing.assert_array_equal(encoder.encode_row({"ok": "perhaps"}), [[1, 1]])
    assert encoder.report([{"ok": "perhaps"}]) == {"ok": "1 value neither no nor yes, so taken as missing"}


def test_categories_are_one_hot_and_unseen_ones_are_none():
    encoder, x, _ = fitted({"city": ["Rome", "Oslo", None, "Bern"]}, train=[0, 1, 2])
    assert encoder.features == ("city=Oslo", "city=Rome", "city missing")
    np.testing.assert_array_equal(x, [[0, 1, 0], [1, 0, 0], [0, 0, 1], [0, 0, 0]])
    assert encoder.report([{"city": "Bern"}] * 2) == {"city": "2 values of a category that training held never"}


def test_many_categories_become_codes_to_embed():
    encoder, x, _ = fitted({"city": ["Rome", "Oslo", "Rome", "Oslo", "Bern", "Kyiv"]}, train=[0, 1, 2, 3, 4], one_hot=2)
    np.testing.assert_array_equal(x[:, 0], [2, 1, 2, 1, 0, 0])  # Bern is rare, Kyiv unseen
    (embedding,) = encoder.embeddings
    assert (embedding.column, embedding.size, embedding.width) == (0, 3, embedding_width(3))


def test_dates_become_a_trend_and_cycles():
    encoder, x, _ = fitted({"a": [1.0, 2.0], "day": ["2024-01-01", "2024-01-03"]})
    assert encoder.features[1:] == (
        "day days",
        "day season sine",
        "day season cosine",
        "day week sine",
        "day week cosine",
    )
    np.testing.assert_array_equal(x[:, 1], [-1, 1])
    np.testing.assert_allclose(x[0, 2:], [0, 1, 0, 1])
    encoder, x, _ = fitted({"day": ["2024-01-01 06:00", "2024-01-03 00:00", None]})
    assert encoder.width == 8
    np.testing.assert_allclose(x[0, 5:], [1, 0, 0], atol=1e-6)
    np.testing.assert_array_equal(x[2, 1:], [0] * 6 + [1])
    assert encoder.schema[0].range == "2024-01-01 to 2024-01-03"


def test_constant_columns_are_left_out_with_a_note():
    encoder, _, notes = fitted({"a": [1.0, 1.0, 2.0], "b": [1.0, 2.0, 3.0], "c": ["x", "x", "y"]}, train=[0, 1])
    assert encoder.names == ("b",)
    assert len(notes) == 2 and "'a'" in notes[0] and "'c'" in notes[1]


def test_large_numbers_keep_their_digits():
    stamps = [1.7e9 + 0.25 * i for i in range(200)]
    _, x, _ = fitted({"t": stamps})
    expected = (np.array(stamps) - np.mean(stamps)) / np.std(stamps)
    np.testing.assert_allclose(x[:, 0], expected, atol=1e-5)


def test_nothing_becomes_infinite():
    encoder, x, _ = fitted({"a": [1.0, 1.0 + 1e-12, 1e-40, 5.0], "b": [0.0, 1e-42, 0.0, 0.0]})
    assert np.isfinite(x).all()
    assert np.isfinite(encoder.encode([{"a": 9e37, "b": -9e37}])).all()


def test_fitting_never_looks_at_other_rows():
    rng = np.random.default_rng(0)
    columns = {
        "a": rng.normal(size=60).tolist(),
        "b": [None if i % 7 == 0 else float(i) for i in range(60)],
        "c": rng.choice(["x", "y", "z"], 60).tolist(),
        "d": [f"2024-0{1 + i % 9}-1{i % 3}" for i in range(60)],
    }
    changed = {
        "a": columns["a"][:40] + [1e6] * 20,
        "b": columns["b"][:40] + [None] * 20,
        "c": columns["c"][:40] + ["new"] * 20,
        "d": columns["d"][:40] + ["1999-01-01"] * 20,
    }
    train = np.arange(40)
    assert fitted(columns, train)[0].spec == fitted(changed, train)[0].spec


# ── a row, a batch, training ────────────────────────────────────────────────────────────────────

values = {
    "number": st.one_of(st.none(), st.floats(-1e9, 1e9), st.integers(-5, 5)),
    "flag": st.one_of(st.none(), st.sampled_from(["yes", "no"])),
    "city": st.one_of(st.none(), st.sampled_from(["a", "b", "c", "d"])),
    "day": st.one_of(st.none(), st.datetimes(datetime.datetime(1900, 1, 1), datetime.datetime(2100, 1, 1))),
}
tables = st.lists(st.fixed_dictionaries(values), min_size=2, max_size=20)


@given(tables, st.integers(1, 20), st.integers(0, 4))
def test_a_row_a_batch_and_training_give_the_same_bits(rows, train, one_hot):
    kinds = {"number": "numeric", "flag": "boolean", "city": "category", "day": r.Dates()}
    schema = {"number": pl.Float64, "flag": pl.String, "city": pl.String, "day": pl.Datetime("us")}
    columns = {name: pl.Series(name, [row[name] for row in rows], dtype=schema[name], strict=False) for name in values}
    found = [infer(series, USUAL, kinds[name]) for name, series in columns.items()]
    if len(found[1].words) != 2:
        found.pop(1)
    gathered = Gathered(found)
    gathered.add(pl.DataFrame(columns), USUAL)
    encoder, _ = fit(gathered, np.arange(min(train, len(rows))), data_with(one_hot), USUAL)
    x = gathered.encode(encoder)
    assert np.isfinite(x).all()
    assert x.shape == (len(rows), encoder.width) == (len(rows), len(encoder.features))
    again = encoder_from(json.loads(msgspec.json.encode(encoder.spec)), encoder.arrays)
    assert again.spec == encoder.spec
    if encoder.names:
        for same in (encoder, again):
            assert same.encode(rows).tobytes() == x.tobytes()
            assert b"".join(same.encode_row(row).tobytes() for row in rows) == x.tobytes()
        listed = [[row[name] for name in encoder.names] for row in rows]
        assert b"".join(encoder.encode_row(row).tobytes() for row in listed) == x.tobytes()


def test_blocks_change_nothing(monkeypatch):
    rng = np.random.default_rng(0)
    columns = {"a": rng.normal(size=20_000), "b": rng.normal(size=20_000), "c": rng.choice(["x", "y"], 20_000)}
    _, whole, _ = fitted(columns)
    monkeypatch.setattr("layerwise.data.fit.BLOCK_BYTES", 1)
    _, blocks, _ = fitted(columns)
    assert blocks.tobytes() == whole.tobytes()


def test_the_array_is_aligned():
    for rows in (1, 7, 1000):
        x = aligned(rows, 3)
        assert x.ctypes.data % 64 == 0
        assert x.flags.c_contiguous
        assert x.shape == (rows, 3)


# ── other raw forms ─────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def encoder() -> TableEncoder:
    return fitted({"area": [1.0, 3.0, 5.0], "city": ["Rome", "Oslo", "Rome"]})[0]


def test_order_and_further_columns_do_not_matter(encoder, tmp_path):
    expected = encoder.encode([{"area": 3.0, "city": "Rome"}])
    path = tmp_path / "new.csv"
    path.write_text("extra;city;area\n1;Rome;3,0\n")
    for raw in (
        [{"city": "Rome", "extra": 1, "area": 3}],
        pl.DataFrame({"city": ["Rome"], "area": [3]}),
        pl.DataFrame({"city": ["Rome"], "area": ["3.0"]}),
        [[3.0, "Rome"]],
        np.array([[3.0, "Rome"]], dtype=object),
        path,
        str(path),
    ):
        assert encoder.encode(raw).tobytes() == expected.tobytes()
    for row in ({"city": "Rome", "area": "3"}, [3, "Rome"], np.array([3, " Rome "], dtype=object)):
        assert encoder.encode_row(row).tobytes() == expected.tobytes()


def test_absent_columns_are_named_with_the_nearest(encoder, tmp_path):
    path = tmp_path / "new.csv"
    path.write_text("aera,city\n1,Rome\n")
    for raw in ([{"aera": 1, "city": "Rome"}], path):
        with pytest.raises(DataError) as caught:
            encoder.encode(raw)
        assert caught.value.received == "no column 'area'"
        assert caught.value.remedy == "rename 'aera' to 'area'"
    with pytest.raises(DataError, match="rename 'aera'"):
        encoder.encode_row({"aera": 1, "city": "Rome"})
    with pytest.raises(DataError, match="a row has 2 values: area, city"):
        encoder.encode_row([1])


def test_bad_values_are_refused_with_their_place(encoder, tmp_path):
    path = tmp_path / "new.csv"
    path.write_text("area,city\n1,Rome\nbig,Rome\n")
    with pytest.raises(DataError) as caught:
        encoder.encode(path)
    assert caught.value.place == "new.csv, row 3, column 'area'"
    assert caught.value.received == "'big'"
    for bad in ("big", math.inf, [1], b"x"):
        with pytest.raises(DataError, match="column 'area'"):
            encoder.encode([{"area": bad, "city": "Rome"}])
        with pytest.raises(DataError, match="column 'area'"):
            encoder.encode_row({"area": bad, "city": "Rome"})
    with pytest.raises(DataError, match="column 'city'"):
        encoder.encode_row({"area": 1, "city": [1]})


# ── arrays ──────────────────────────────────────────────────────────────────────────────────────


def test_pixels_are_divided_by_their_range():
    x = np.arange(8, dtype=np.uint8).reshape(2, 4)
    encoder = fit_array(x, np.array([0]), ("a", "b", "c", "d"), (2, 2), 255.0)
    np.testing.assert_array_equal(encoder.encode(x), (x / 255).astype(np.float32))
    np.testing.assert_array_equal(encoder.encode(x.reshape(2, 2, 2)), encoder.encode(x))
    np.testing.assert_array_equal(encoder.encode(x.tolist()), encoder.encode(x))
    np.testing.assert_array_equal(encoder.encode(x.reshape(2, 2, 2).tolist()), encoder.encode(x))
    np.testing.assert_array_equal(encoder.encode_row(x[1].reshape(2, 2)), encoder.encode(x)[1:])
    with pytest.raises(DataError, match="column 'b'"):
        encoder.encode([[1, "x", 3, 4]])
    assert encoder.report(x) == {name: f"1 value outside of {i} to {i}" for i, name in enumerate("abcd")}


@given(
    st.lists(st.lists(st.floats(-1e6, 1e6), min_size=3, max_size=3), min_size=1, max_size=10),
    st.sampled_from(["none", "standard", 16.0]),
)
def test_arrays_survive_and_rows_are_as_batches(rows, scaling):
    x = np.array(rows, dtype=np.float32)
    encoder = fit_array(x, np.arange(len(x)), ("a", "b", "c"), (3,), scaling)
    encoded = encoder.encode(x)
    again = encoder_from(json.loads(msgspec.json.encode(encoder.spec)), encoder.arrays)
    assert again.encode(x).tobytes() == encoded.tobytes()
    assert again.encode(pl.DataFrame(x, schema=["a", "b", "c"]).select("c", "a", "b")).tobytes() == encoded.tobytes()
    for row, expected in zip(x, encoded, strict=True):
        for raw in (row, row.tolist(), dict(zip("abc", row.tolist(), strict=True))):
            assert encoder.encode_row(raw).tobytes() == expected.tobytes()
    if scaling == "none":
        np.testing.assert_array_equal(encoded, x)


def test_arrays_of_another_shape_or_not_finite_are_refused():
    encoder = fit_array(np.eye(4), np.arange(4), ("a", "b", "c", "d"), (2, 2), "none")
    for raw in (np.zeros((1, 3)), np.zeros((1, 2, 3)), np.zeros(4)):
        with pytest.raises(DataError):
            encoder.encode(raw)
    with pytest.raises(DataError, match=r"row 1 .*column 'b'"):
        encoder.encode(np.array([[0, 0, 0, 0], [0, math.nan, 0, 0]]))
    for row in ([1, 2], "text", {"a": 1}, [1, 2, 3, None]):
        with pytest.raises(DataError):
            encoder.encode_row(row)


def test_a_foreign_record_is_refused():
    for spec in ({"kind": "image"}, {}, 3, {"kind": "table", "columns": [{"kind": "what"}], "missing": []}):
        with pytest.raises(DataError, match="an encoder's record"):
            encoder_from(spec, {})
    encoder = fit_array(np.eye(2), np.arange(2), ("a", "b"), (2,), "none")
    for arrays in ({}, {**encoder.arrays, "low": np.zeros(3)}):
        with pytest.raises(DataError, match="an encoder has the array"):
            encoder_from(encoder.spec, arrays)
