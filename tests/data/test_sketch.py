"""The recipe that `layerwise init` prints: valid, telling, and good to train on as it stands."""

import polars as pl
import pytest

from layerwise.data import load
from layerwise.data.sketch import sketch
from layerwise.errors import DataError
from layerwise.recipe import load as load_recipe
from layerwise.recipe import records as r


@pytest.fixture
def file(tmp_path):
    path = tmp_path / 'ho"uses.csv'
    rows = [
        f"{i};{10 + i * 7 % 9},5;{'' if i % 9 == 3 else i * 13 % 50};{('01234', '10115')[i % 2]};"
        f"{1 + i % 28:02}/01/2020;p{i % 8};{'A,B'[i % 3]};word and word and word {i};\n"
        for i in range(1, 61)
    ]
    path.write_text(
        'id;price;area;"zip code";sold;patient;größe\\"";story;note\n'.replace('\\""', "") + "".join(rows), "utf-8"
    )
    return path


def test_a_sketch_trains_as_it_stands(file, tmp_path):
    text = sketch(file, "price")
    recipe_file = tmp_path / "price.toml"
    recipe_file.write_text(text, "utf-8")
    recipe = load_recipe(recipe_file)
    assert recipe.data.columns == {
        "id": "ignore",
        "area": "numeric",
        "zip code": "category",
        "sold": r.Dates("day/month/year"),
        "patient": "category",
        "größe": "category",
        "story": "ignore",
        "note": "ignore",
    }
    data = load(recipe.data, recipe.task, recipe.seed)
    assert data.encoder.names == ("area", "zip code", "sold", "patient", "größe")
    for said in (
        "60 rows, 9 columns; semicolons between fields, utf-8, decimal comma",
        "a quantity from 10.5 to 18.5",
        "only numbers the rows",
        "free text",
        "0 to 49, 11.7% missing; e.g. 13",
        "(day/month/year)",
        'split = { kind = "time", by = "sold" }',
        'split = { kind = "group", by = "patient" }',
        "2 categories: 01234, 10115",
        "holds no value",
    ):
        assert said in text


def test_classes_are_counted_and_rare_ones_told(tmp_path):
    path = tmp_path / "t.jsonl"
    pl.DataFrame({"a": range(0, 200, 2), "y": ["b"] * 95 + ["a"] * 4 + ["c"]}).write_ndjson(path)
    text = sketch(path, "y")
    assert "3 classes: a 4.0%, b 95.0%, c 1.0%" in text
    (line,) = [line for line in text.splitlines() if 'class_weight = "balanced"' in line]
    assert "b has 95 rows, c 1" in line
    file = tmp_path / "t.toml"
    file.write_text(text.replace(line, line.removeprefix("# ")), "utf-8")  # the sign taken away, it is a setting
    assert load_recipe(file).task.class_weight == "balanced"
    assert "c has one row" in text
    assert 'kind = "stratified"' in text


def test_outliers_of_a_quantity_are_told_with_the_loss_that_bears_them(tmp_path):
    path = tmp_path / "t.csv"
    rows = [f"{n},{n % 7 + n / 1000}" for n in range(200)]
    path.write_text("\n".join(["a,y", *rows, "5,1000.5", "6,900.5"]) + "\n")
    text = sketch(path, "y")
    (line,) = [line for line in text.splitlines() if "huber" in line]
    assert "the 3 rows farthest from the mean make 99% of the squared deviation" in line
    file = tmp_path / "t.toml"
    file.write_text(text.replace(line, line.removeprefix("# ")), "utf-8")
    assert load_recipe(file).task.loss == "huber"
    path.write_text("\n".join(["a,y", *rows]) + "\n")
    assert "huber" not in sketch(path, "y")


def test_hostile_names_and_values_stay_in_their_place(tmp_path):
    path = tmp_path / "t.parquet"
    names = ["a\nb", 'q"u\\o', "", "#", "x.y", "\x7f", "kind", "é"]
    columns = {name: ["x\n[train]\nepochs = 0", "\x1b[2J", "\u2028"] * 4 for name in names}
    pl.DataFrame({**columns, "y": ["no\n", "yes"] * 6}).write_parquet(path)
    recipe_file = tmp_path / "t.toml"
    recipe_file.write_text(sketch(path, "y"), "utf-8")
    recipe = load_recipe(recipe_file)
    assert list(recipe.data.columns) == names
    assert recipe.train.epochs == 100
    assert load(recipe.data, recipe.task, 0).x.shape[0] == 12


def test_a_bad_value_is_shown_where_it_stands(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("a,y\n" + "".join(f"{i * i},{i % 2}\n" for i in range(50)) + "oops,1\n")
    assert "holds 'oops' in row 52: mend it" in sketch(path, "y")


def test_the_form_of_dates_is_written_where_it_could_be_read_otherwise(tmp_path):
    path = tmp_path / "t.csv"
    rows = [f"{i * i},0{i % 9 + 1}/0{i % 7 + 1}/2024,2024-0{i % 9 + 1}-11,{i % 2}" for i in range(40)]
    path.write_text("\n".join(["a,sold,seen,y", *rows]) + "\n")
    text = sketch(path, "y")
    line = next(line for line in text.splitlines() if line.startswith("sold = "))
    assert line.startswith('sold = { kind = "date", form = "day/month/year" }  # 2024-01-')
    assert line.endswith("(day/month/year; day and month could stand either way round)")
    assert '\nseen = "date"  # ' in text
    recipe_file = tmp_path / "t.toml"
    recipe_file.write_text(text)
    assert load_recipe(recipe_file).data.columns == {
        "a": "numeric",
        "sold": r.Dates("day/month/year"),
        "seen": r.Dates(),
    }
    recipe_file.write_text(text.replace("day/month/year", "month/day/year"))
    recipe = load_recipe(recipe_file)
    assert not any("either way" in note for note in load(recipe.data, recipe.task, 0).notes)


def test_a_column_of_texts_that_are_no_number_is_described(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("a,b,y\n" + "".join(f"-nan,{i * i},{i % 2}\n" for i in range(20)))
    assert 'a = "numeric"  # no number, 100.0% missing' in sketch(path, "y")


def test_a_wrong_target_is_refused(file):
    with pytest.raises(DataError, match="did you mean 'price'"):
        sketch(file, "prise")
    with pytest.raises(DataError, match="classes have several rows"):
        sketch(file, "story")
