"""A table file becomes a dataset: every part of it, on data small enough to see through."""

import datetime
import decimal
import json

import msgspec
import numpy as np
import polars as pl
import pytest

from layerwise.data import Classes, Labels, Quantities, encode_target, encoder_from, load
from layerwise.data.table import load_table
from layerwise.errors import DataError
from layerwise.recipe import records as r

HEADER = "id;price;area;zip code;sold;city;ok;note\n"


def house(i):
    area = "" if i % 7 == 3 else str(40 + i * 13 % 50)
    day = f"{1 + i % 28:02}/{1 + i % 12:02}/2020"
    return f"{i};{10 + i % 9},5;{area};{('01234', '10115')[i % 2]};{day};{'ABC'[i % 3]};{('yes', 'no')[i % 2]};\n"


@pytest.fixture
def houses(tmp_path):
    path = tmp_path / "houses.csv"
    path.write_text(HEADER + "".join(house(i) for i in range(1, 61)), "utf-8")
    return path


def table(path, target="price", **settings):
    return r.TableData(str(path), target, **settings)


def test_a_whole_table(houses):
    data = load(table(houses), r.AutoTask(), seed=0)
    assert data.name == "houses"
    assert data.encoder.names == ("area", "zip code", "sold", "city", "ok")
    assert {info.name: info.kind for info in data.encoder.schema} == {
        "area": "numeric",
        "zip code": "category",
        "sold": "date",
        "city": "category",
        "ok": "boolean",
    }
    assert data.x.shape == (60, data.encoder.width)
    assert [len(data.part(name)) for name in ("train", "validation", "test")] == [36, 12, 12]
    assert isinstance(data.target, Quantities)
    assert (data.weight == 1).all()
    notes = " | ".join(data.notes)
    for said in ("semicolons", "decimal comma", "'id' only numbers the rows", "'note' holds no value"):
        assert said in notes
    prices = np.array([10.5 + i % 9 for i in range(1, 61)])
    np.testing.assert_allclose(data.y[:, 0] * data.target.scale[0] + data.target.mean[0], prices, rtol=1e-6)
    assert abs(data.y[data.train].mean()) < 1e-6
    present = data.train[data.x[data.train, 1] == 0]  # those whose area is not missing
    assert abs(data.x[present, 0].mean()) < 1e-6


def test_rows_come_back_as_written_and_encode_to_the_same_bits(houses):
    data = load(table(houses), r.AutoTask(), seed=0)
    rows = np.array([59, 0, 2])
    raw = data.raw(rows)
    assert raw[1] == {
        "id": "1",
        "price": 11.5,
        "area": 53,
        "zip code": "10115",
        "sold": "02/02/2020",
        "city": "B",
        "ok": "no",
        "note": None,
    }
    assert raw[2]["area"] is None
    assert data.encoder.encode(raw).tobytes() == data.x[rows].tobytes()
    assert b"".join(data.encoder.encode_row(row).tobytes() for row in raw) == data.x[rows].tobytes()
    assert data.encoder.encode(houses).tobytes() == data.x.tobytes()
    np.testing.assert_array_equal(encode_target(houses, data.target)[0], data.y)


def test_every_source_gives_the_same_dataset(houses, tmp_path):
    expected = load(table(houses), r.AutoTask(), seed=0)
    frame = pl.read_csv(houses, separator=";", decimal_comma=True, schema_overrides={"zip code": pl.String})
    frame.write_parquet(tmp_path / "houses.parquet")
    frame.write_ndjson(tmp_path / "houses.jsonl")
    found = [
        load(table(tmp_path / "houses.parquet"), r.AutoTask(), seed=0),
        load(table(tmp_path / "houses.jsonl"), r.AutoTask(), seed=0),
        load_table(table("-"), r.AutoTask(), 0, frame),
        load_table(table("-"), r.AutoTask(), 0, frame.to_pandas()),
        load_table(table("-"), r.AutoTask(), 0, frame.to_dicts()),
    ]
    for data in found:
        assert data.x.tobytes() == expected.x.tobytes()
        assert data.y.tobytes() == expected.y.tobytes()
        assert data.target == expected.target
        assert data.encoder.spec.columns == expected.encoder.spec.columns
        rows = data.raw(data.train)
        assert data.encoder.encode(rows).tobytes() == data.x[data.train].tobytes()


def test_classes_labels_and_weights(houses):
    data = load(table(houses, "city", weight="price"), r.AutoTask(), seed=0)
    assert data.target == Classes("city", ("A", "B", "C"))
    assert data.split == "stratified"
    assert "price" not in data.encoder.names
    np.testing.assert_allclose(data.weight, [10.5 + i % 9 for i in range(1, 61)])
    for part in ("train", "validation", "test"):
        assert len(set(np.bincount(data.y[data.part(part)]).tolist())) == 1
    data = load(table(houses, ("ok",)), r.MultiLabel(), seed=0)
    assert data.target == Labels(("ok",))
    assert data.y.shape == (60, 1)


def test_kinds_overridden(houses):
    columns = {"id": "numeric", "zip code": "ignore", "sold": "category", "ok": "category"}
    data = load(table(houses, columns=columns, one_hot=4), r.AutoTask(), seed=0)
    assert data.encoder.names == ("id", "area", "sold", "city", "ok")
    assert [e.column for e in data.encoder.embeddings] == [data.encoder.features.index("sold")]


def test_an_unstandardized_quantity(houses):
    data = load(table(houses), r.Regress(standardize=False), seed=0)
    assert data.target == Quantities(("price",), (0.0,), (1.0,))
    assert data.y[0, 0] == 11.5


# ── splits ──────────────────────────────────────────────────────────────────────────────────────


def test_groups_times_and_given_parts_are_no_inputs(tmp_path):
    path = tmp_path / "visits.csv"
    rows = [
        f"{i % 10},2020-01-{1 + i % 28:02},{('train', 'validation', 'test')[i % 3]},{i * 37 % 11},{i % 5}.5"
        for i in range(90)
    ]
    path.write_text("patient,day,part,a,y\n" + "\n".join(rows))
    patient = np.arange(90) % 10
    data = load(table(path, "y", split=r.GroupSplit("patient")), r.AutoTask(), seed=1)
    assert "patient" not in data.encoder.names
    assert not set(patient[data.train]) & set(patient[data.test])
    data = load(table(path, "y", split=r.TimeSplit("day")), r.AutoTask(), seed=1)
    assert "day" not in data.encoder.names
    day = np.arange(90) % 28
    assert day[data.train].max() < day[data.validation].min() <= day[data.validation].max() < day[data.test].min()
    data = load(table(path, "y", split=r.GivenSplit(by="part")), r.AutoTask(), seed=1)
    assert "part" not in data.encoder.names
    assert data.validation.tolist() == list(range(1, 90, 3))


def test_parts_in_files_of_their_own(tmp_path, houses):
    lines = houses.read_text().splitlines(keepends=True)
    train, test = tmp_path / "train.csv", tmp_path / "test.csv"
    train.write_text("".join(lines[:41]))
    order = [line.rstrip("\n").split(";") for line in [lines[0], *lines[41:]]]
    test.write_text("\n".join("|".join(cells[::-1]) for cells in order))  # other order and delimiter
    data = load(table(train, split=r.GivenSplit(test=str(test))), r.AutoTask(), seed=0)
    assert data.train.tolist() == list(range(40))
    assert data.test.tolist() == list(range(40, 60))
    whole = load(table(houses, split=r.NoSplit()), r.AutoTask(), seed=0)
    kept = [whole.encoder.features.index(f) for f in ("city=A", "city=B", "city=C", "ok=yes")]
    same = [data.encoder.features.index(f) for f in ("city=A", "city=B", "city=C", "ok=yes")]
    np.testing.assert_array_equal(data.x[:, same], whole.x[:, kept])
    assert data.raw(np.array([40, 0]))[0]["id"] == "41"
    test.write_text(HEADER.replace("area", "aera") + house(3))
    with pytest.raises(DataError, match="no column 'area'"):
        load(table(train, split=r.GivenSplit(test=str(test))), r.AutoTask(), seed=0)


def test_rows_without_a_target_are_dropped_and_the_others_keep_their_place(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("a,y\n" + "\n".join(f"{i * i},{'' if i % 3 == 1 else i / 2}" for i in range(30)))
    data = load(table(path, "y", split=r.NoSplit()), r.AutoTask(), seed=0)
    assert len(data.x) == 20
    assert "10 rows without a target were left out" in data.notes
    kept = [i for i in range(30) if i % 3 != 1]
    assert [row["a"] for row in data.raw(np.arange(20))] == [i * i for i in kept]
    assert data.encoder.encode(data.raw(np.arange(20))).tobytes() == data.x.tobytes()


def test_duplicates_across_parts_are_told(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("a,b,y\n" + "1,2,x\n" * 20 + "3,2,z\n" * 20 + "3,4,z\n" * 20)
    notes = load(table(path, "y"), r.AutoTask(), seed=0).notes
    assert any("also stand in the training part" in note for note in notes)


def test_a_class_that_only_the_test_part_holds_is_told(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("a,p,y\n" + "1,train,x\n2,train,z\n3,test,new\n" * 3)
    data = load(table(path, "y", split=r.GivenSplit(by="p")), r.AutoTask(), seed=0)
    assert "the training part has no row of class 'new'" in data.notes


def test_values_that_json_does_not_know(tmp_path):
    """Spans, decimals, times and dates: as rows they are plain, and encode to the same bits."""
    frame = pl.DataFrame(
        {
            "span": [datetime.timedelta(seconds=i * i + 0.5) for i in range(30)],
            "forced": [datetime.timedelta(seconds=i % 3) for i in range(30)],
            "price": [decimal.Decimal(i * 7 % 30) / 100 for i in range(30)],
            "time": [datetime.time(i % 3, 30) for i in range(30)],
            "day": [datetime.date(2020, 1, 1) + datetime.timedelta(days=i * i) for i in range(30)],
            "lists": [[1, 2]] * 30,
            "y": [i / 2 for i in range(30)],
        }
    )
    columns = {"forced": "category", "lists": "ignore"}
    data = load_table(table("-", "y", columns=columns), r.AutoTask(), 0, frame)
    rows = data.raw(np.arange(30))
    json.dumps(rows, allow_nan=False)
    assert data.encoder.names == ("span", "forced", "price", "time", "day")
    assert b"".join(data.encoder.encode_row(row).tobytes() for row in rows) == data.x.tobytes()
    assert data.encoder.encode(rows).tobytes() == data.encoder.encode(frame).tobytes() == data.x.tobytes()
    for target in ("lists", "y"):
        empty = frame.with_columns(pl.lit(None).alias("y"))
        with pytest.raises(DataError):
            load_table(table("-", target, columns={"lists": "category"}), r.AutoTask(), 0, empty)


# ── refusals ────────────────────────────────────────────────────────────────────────────────────


def refusal(path, content=None, target="y", task=None, **settings):
    if content is not None:
        path.write_text(content, "utf-8")
    with pytest.raises(DataError) as caught:
        load(table(path, target, **settings), task or r.AutoTask(), seed=0)
    return caught.value


def body(line, rows=12):
    return "".join(line(i) for i in range(rows))


@pytest.mark.parametrize(
    ("content", "settings", "part", "text"),
    [
        ("a,b\n1,2\n3,4\n", {}, "received", "no column 'y'"),
        ("a,Y\n1,2\n3,4\n", {}, "remedy", "did you mean 'Y'?"),
        ("5.1,3.5\n4.9,3\n4.7,3.2\n", {}, "remedy", "the first line must hold the names"),
        ("a,y\n1,2\n", {}, "rule", "more than one row"),
        ("a,y\n" + body(lambda i: f"{i % 3},1\n"), {}, "rule", "differs from row to row"),
        ("a,y\n" + body(lambda i: f"{i % 3},\n"), {}, "rule", "the target has values"),
        ("a,y\n" + body(lambda i: f"{i % 3},k{i}\n"), {}, "rule", "classes have several rows"),
        ("a,y\n1,x\n2,x\n3,z\n", {}, "rule", "at least two rows"),
        ("a,y\n" + body(lambda i: f"5,{i / 2}\n"), {}, "rule", "an input column besides the target"),
        ("a,y\n" + body(lambda i: f"{i * i / 2},{i / 2}\n") + "inf,2\n", {}, "place", "t.csv, row 14, column 'a'"),
        ("a,y\n" + body(lambda i: f"{i * i / 2},{i / 2}\n", 40) + "oops,2\n", {}, "place", "t.csv, row 42, column 'a'"),
        ("a,y\n" + body(lambda i: f"{i * i},{i / 2}\n", 40) + "3,oops\n", {}, "place", "t.csv, row 42, column 'y'"),
        ("a,y\n" + body(lambda i: f"word and word and number {i},{i}.5\n"), {}, "remedy", '"a" = "ignore"'),
        ("a,y\n" + body(lambda i: f"{i * i},{i / 2}\n"), {"columns": {"b": "ignore"}}, "received", "no column 'b'"),
        ("a,y\n" + body(lambda i: f"{i * i},{i / 2}\n"), {"weight": "w"}, "received", "no column 'w'"),
        (
            "a,w,y\n" + body(lambda i: f"{i * i},{3 - i},{i / 2}\n"),
            {"weight": "w"},
            "place",
            "t.csv, row 6, column 'w'",
        ),
        ("a,w,y\n" + body(lambda i: f"{i * i},,{i / 2}\n"), {"weight": "w"}, "rule", "a weight is"),
        ("a,w,y\n" + body(lambda i: f"{i * i},0,{i / 2}\n"), {"weight": "w"}, "rule", "a weight above 0"),
        ("a,y\n" + body(lambda i: f"{'xyz'[i % 3]},{i / 2}\n"), {"columns": {"a": "boolean"}}, "rule", "two words"),
        ("a,y\n" + body(lambda i: f"{'xyz'[i % 3]},{i / 2}\n"), {"columns": {"a": "numeric"}}, "received", "'x'"),
        ("a,y\n" + body(lambda i: f"{'xyz'[i % 3]},{i / 2}\n"), {"columns": {"a": r.Dates()}}, "rule", "dates"),
        (
            "a,g,y\n" + body(lambda i: f"{i * i},,{i / 2}\n"),
            {"split": r.GroupSplit("g")},
            "rule",
            "the group of every row",
        ),
        ("a,g,y\n" + body(lambda i: f"{i * i},x,{i / 2}\n"), {"split": r.TimeSplit("g")}, "rule", "dates or numbers"),
        (
            "a,g,y\n" + body(lambda i: f"{i * i},tarin,{i / 2}\n"),
            {"split": r.GivenSplit(by="g")},
            "received",
            "'tarin'",
        ),
    ],
)
def test_refusals_say_what_and_where(tmp_path, content, settings, part, text):
    assert text in getattr(refusal(tmp_path / "t.csv", content, **settings), part)


AMBIGUOUS = [f"0{month}/0{day}/2024" for month in range(1, 10) for day in range(1, 10)]


@pytest.mark.parametrize("form", ["auto", "day/month/year", "month/day/year"])
def test_a_split_by_time_follows_the_stated_form(tmp_path, form):
    path = tmp_path / "t.csv"
    path.write_text("a,when,y\n" + "".join(f"{i * i},{day},{i / 2}\n" for i, day in enumerate(AMBIGUOUS)))
    data = load(table(path, "y", columns={"when": r.Dates(form)}, split=r.TimeSplit("when")), r.AutoTask(), 0)
    day_first = form != "month/day/year"
    order = sorted(
        range(81), key=lambda i: AMBIGUOUS[i].split("/")[1::-1] if day_first else AMBIGUOUS[i].split("/")[:2]
    )
    assert sorted(data.train) == sorted(order[: len(data.train)])
    assert sorted(data.test) == sorted(order[-len(data.test) :])
    assert data.encoder.names == ("a",)
    assert sum("either way round" in note for note in data.notes) == (form == "auto")


@pytest.mark.parametrize("form", ["day/month/year", "month/day/year"])
def test_predictions_read_dates_in_the_stated_form(tmp_path, form):
    path = tmp_path / "t.csv"
    path.write_text("when,y\n" + "".join(f"{day},{i / 2}\n" for i, day in enumerate(AMBIGUOUS)))
    data = load(table(path, "y", columns={"when": r.Dates(form)}), r.AutoTask(), 0)
    assert not any("either way round" in note for note in data.notes)
    day = "2024-02-01" if form == "day/month/year" else "2024-01-02"
    encoded = data.encoder.encode_row({"when": "01/02/2024"})
    assert encoded.tobytes() == data.encoder.encode_row({"when": day}).tobytes()
    assert encoded.tobytes() == encoder_from(data.encoder.spec, {}).encode([{"when": day}]).tobytes()


def test_a_date_of_another_form_than_stated_is_refused(tmp_path):
    content = "a,when,y\n" + body(lambda i: f"{i * i},{i + 1:02}/02/2024,{i / 2}\n", 14)
    error = refusal(tmp_path / "t.csv", content, columns={"when": r.Dates("month/day/year")})
    assert (error.place, error.received) == ("t.csv, row 14, column 'when'", "'13/02/2024'")
    assert "month/day/year" in error.rule


def test_a_third_word_in_a_later_batch(tmp_path, monkeypatch):
    monkeypatch.setattr("layerwise.data.delimited.CHUNK", 200)
    content = "a,y\n" + "yes,1.5\nno,2.5\n" * 50 + "maybe,3\n"
    error = refusal(tmp_path / "t.csv", content)
    assert error.place == "t.csv, row 102, column 'a'"
    assert error.received == "'maybe'"


def test_a_column_that_is_empty_only_at_first(tmp_path, monkeypatch):
    monkeypatch.setattr("layerwise.data.delimited.CHUNK", 200)
    content = "a,b,y\n" + body(lambda i: f"{i * i},,{i / 2}\n", 100) + "3,late,2\n"
    error = refusal(tmp_path / "t.csv", content)
    assert error.place == "t.csv, row 102, column 'b'"
    data = load(table(tmp_path / "t.csv", "y", columns={"b": "ignore"}), r.AutoTask(), seed=0)
    assert data.encoder.names == ("a",)


def test_the_same_file_in_small_chunks(houses, monkeypatch):
    whole = load(table(houses), r.AutoTask(), seed=0)
    monkeypatch.setattr("layerwise.data.delimited.CHUNK", 300)
    pieces = load(table(houses, columns={"id": "ignore", "note": "ignore"}), r.AutoTask(), seed=0)
    assert pieces.x.tobytes() == whole.x.tobytes()
    assert pieces.y.tobytes() == whole.y.tobytes()
    rows = np.array([55, 3, 20])
    assert pieces.raw(rows) == [{**row, "id": row["id"]} for row in whole.raw(rows)]


def test_a_file_that_is_gone_is_told(tmp_path, monkeypatch):
    monkeypatch.setattr("layerwise.data.delimited.CHUNK", 200)
    path = tmp_path / "t.csv"
    path.write_text("a,y\n" + body(lambda i: f"{i * i},{i / 2}\n", 200))
    data = load(table(path, "y"), r.AutoTask(), seed=0)
    path.unlink()
    with pytest.raises(DataError, match="still there"):
        data.raw(np.array([199]))


def test_other_kinds_are_told_to_wait():
    with pytest.raises(DataError, match="toy, drawn, named and table data"):
        load(r.ImageData("photos", (32, 32)), r.AutoTask(), seed=0)


def test_a_file_is_read_as_that_of_the_training_was(tmp_path):
    """Numbers that may be thousands, a delimiter that is not usual, letters that are not western."""
    train, new = tmp_path / "train.csv", tmp_path / "new.csv"
    lines = [f"{i}.{i:03}:{'Łódź' if i % 2 else 'Tarnów'}:{i % 3}.{i * 10:03},50" for i in range(1, 60)]
    train.write_bytes("\n".join(["size:town:price", *lines]).encode("cp1250"))
    recipe = r.TableData(path=str(train), target="price", delimiter=":", encoding="cp1250", decimal=",")
    data = load_table(recipe, r.AutoTask(), 0)
    new.write_bytes("size:town:price\n2.002:Łódź:1.010\n".encode("cp1250"))
    again = encoder_from(msgspec.to_builtins(data.encoder.spec), data.encoder.arrays)
    (row,) = again.encode(new)
    known = data.raw(np.arange(59)).index({"size": 3003, "town": "Łódź", "price": 30.5})
    np.testing.assert_array_equal(row[1:], data.x[known][1:])
    assert data.x[0][0] < row[0] < data.x[known][0]
    y, has = encode_target(new, data.target, again.spec)
    assert has.all() and data.target.in_units(y)[0, 0] == pytest.approx(1010)
