"""`layerwise inspect surface`, as a user types it."""

import json
from pathlib import Path

import pytest

from layerwise.cli import main

NETWORK = ["--set", 'network={kind="linear",weights=[[[-1,2,3]]]}', "--set", 'train="none"']


def test_a_picture_of_a_linear_unit(capsys: pytest.CaptureFixture[str]) -> None:
    """It decides for the second class, B, right and above of the line 2 x1 + 3 x2 = 1."""
    assert main(["inspect", "surface", "xor", *NETWORK]) == 0
    out, err = capsys.readouterr()
    rows = out.splitlines()[:24]
    assert all(len(row) == 60 for row in rows)
    assert rows[0][-1] == "B" and rows[-1][0] == "A"
    for row in rows:
        assert "A" not in row.upper().lstrip("A")  # from left to right one change at most
    changes = [row.upper().count("A") for row in rows]
    assert changes == sorted(changes)
    assert "training" not in err.replace("training rows", "")


def test_of_a_run_and_a_recipe(inside: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["inspect", "surface", "first", "--features", "color, weight", "--units", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["x"]["levels"] == ["green", "red", "(missing)"] and found["y"]["name"] == "weight"
    assert [len(layer[0][0]) for layer in found["units"]["layers"]] == [4]
    assert main(["inspect", "surface", "iris", "--set", "train.epochs=2"]) == 0
    out, err = capsys.readouterr()
    assert "training iris ..." not in out and "training iris ..." in err
    assert "of the variance, mostly" in out and "--features A,B" in out


def test_a_page(inside: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["inspect", "surface", "first", "--units", "--html", "surface.html"]) == 0
    assert capsys.readouterr().out == ""
    page = Path("surface.html").read_text("utf-8")
    for heading in ("Surface", "Hidden units", "Plane"):
        assert f"<h2>{heading}</h2>" in page
    assert page.count("<figure") == 2


def test_labels_one_by_one(inside: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = [f"{n % 7},{n % 5 / 3:.3f},{n % 2},{int(n % 3 == 0)}" for n in range(80)]
    Path("labels.csv").write_text("\n".join(["a,b,odd,third", *rows]) + "\n")
    Path("labels.toml").write_text(
        'data = { kind = "table", path = "labels.csv", target = ["odd", "third"] }\ntrain = { epochs = 2 }\n'
    )
    assert main(["inspect", "surface", "labels.toml", "--html", "labels.html"]) == 0
    assert Path("labels.html").read_text("utf-8").count("<figure") == 2
    capsys.readouterr()
    assert main(["inspect", "surface", "labels.toml", "--output", "third"]) == 0
    assert "not third" in capsys.readouterr().out


def test_a_quantity_in_shades(capsys: pytest.CaptureFixture[str]) -> None:
    changes = ["--set", "train.epochs=2", "--features", "bmi,bp"]
    assert main(["inspect", "surface", "diabetes", *changes]) == 0
    out = capsys.readouterr().out
    assert "progression: ░" in out and "R²" in out and "held" in out


def test_a_training_that_ends_otherwise_than_meant(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page = tmp_path / "surface.html"
    ill = ["--set", "train.epochs=12", "--set", 'train.optimizer="sgd"', "--set", "train.learning_rate=1e30"]
    assert main(["inspect", "surface", "moons", *ill, "--html", str(page)]) == 0
    assert "note: Training diverged" in capsys.readouterr().err
    assert "Training diverged" in page.read_text("utf-8")
    endless = ["--set", "train.epochs=1000000", "--set", 'train.time_limit="1ms"', *ill[2:4]]
    assert main(["inspect", "surface", "moons", *endless]) == 0
    assert "note: Training came to its time limit of 1ms after" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["first", "--features", "weight"], "over two columns"),
        (["first", "--features", "wait,color"], "did you mean 'weight'"),
        (["first", "--features", "weight,weight"], "the columns are: weight, color"),
        (["first", "--features", "answer,weight"], "the columns are"),
        (["first", "--plane", "tsne"], "principal components"),
        (["first", "--plane", "pca", "--features", "color,weight"], "give either"),
        (["first", "--output", "yes"], "all classes are shown"),
        (["diabetes", "--output", "price", "--set", "train.epochs=1"], "the target has: progression"),
        (["runs/first", "--set", "train.epochs=2"], "settings change a recipe"),
        (["first", "--html", "no/such/folder/x.html"], "in a folder that exists"),
    ],
)
def test_what_cannot_be_is_said(words: list[str], said: str, inside: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["inspect", "surface", *words]) == 2
    err = capsys.readouterr().err
    assert said in err and "Traceback" not in err and "fault in layerwise" not in err
