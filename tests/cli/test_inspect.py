"""`layerwise inspect summary` and `layerwise report`, as a user types them."""

import json
from pathlib import Path

import pytest

from layerwise.cli import main

LARGE = ["inspect", "summary", "digits", "--set", "network.hidden=[1000,1000,1000]", "--input", "100x100"]


def test_the_large_network_of_the_lecture(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*LARGE, "--outputs", "10"]) == 0
    out = capsys.readouterr().out
    assert "12,013,010" in out and "12,010,000" in out and "3,010" in out


def test_the_same_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*LARGE, "--outputs", "10", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["parameters"], found["weights"], found["biases"]) == (12_013_010, 12_010_000, 3_010)
    assert [layer["name"] for layer in found["layers"]] == ["hidden 1", "hidden 2", "hidden 3", "output"]


@pytest.mark.parametrize("what", ["rows.toml", "runs/first", "first", "runs/first/model.safetensors"])
def test_of_a_recipe_a_run_and_a_model(what: str, inside: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["inspect", "summary", what, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["layers"][0]["units"] == 4 and found["layers"][-1]["units"] == 1


@pytest.mark.parametrize("what", ["runs/first", "runs/first/model.safetensors"])
def test_a_trained_network_is_summarized_without_its_data(
    what: str, inside: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("rows.csv").unlink()
    assert main(["inspect", "summary", what, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["layers"][0]["units"] == 4


def test_a_page(inside: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["inspect", "summary", "rows.toml", "--html", "look.html"]) == 0
    out, err = capsys.readouterr()
    assert out == "" and "look.html" in err
    page = Path("look.html").read_text("utf-8")
    assert "<svg" in page and "<h2>Layers</h2>" in page


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["nothing-of-that-name"], "a recipe is a TOML or JSON file"),
        (["digits", "--input", "64"], "follows from its inputs and outputs together"),
        (["digits", "--input", "8x", "--outputs", "2"], "counted by a whole number"),
        (["digits", "--input", "99999x99999x9999", "--outputs", "2"], ""),
        (["rows.toml", "--html", "no/such/folder/x.html"], "in a folder that exists"),
        (["runs/first", "--set", "train.epochs=2"], "settings change a recipe"),
        (["runs"], "a run is a folder with a recipe.toml"),
        (["rows.csv"], ""),
    ],
)
def test_what_cannot_be_is_said(words: list[str], said: str, inside: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code = main(["inspect", "summary", *words])
    err = capsys.readouterr().err
    assert said in err and "Traceback" not in err and "fault in layerwise" not in err
    assert code == (0 if words[1:2] == ["--input"] and "x9999" in words[2] else 2)


def test_a_report(inside: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", "first"]) == 0
    assert capsys.readouterr().out == "runs/first/report.html\n"
    assert "<h2>Worst mistakes</h2>" in Path("runs/first/report.html").read_text("utf-8")
    assert main(["runs", "remove", "runs/first", "--yes"]) == 0  # the report is one of its files
    assert not Path("runs/first").exists()


def test_a_report_of_no_run(inside: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", "runs"]) == 2
    assert "layerwise runs list" in capsys.readouterr().err


def test_a_report_whose_data_are_gone(inside: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("rows.csv").unlink()
    recipe = Path("runs/first/recipe.toml")
    lines = [
        f'path = "{Path.cwd()}/rows.csv"' if line.startswith("path") else line
        for line in recipe.read_text().splitlines()
    ]
    recipe.write_text("\n".join(lines))
    assert main(["report", "runs/first"]) == 2
    err = capsys.readouterr().err
    assert "rows.csv" in err and "Traceback" not in err
