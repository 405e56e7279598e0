"""`layerwise predict`, `evaluate` and `init`, with a model trained on a table."""

import csv
import io
import json
import os
import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

import layerwise
from layerwise.cli import main
from layerwise.data.dataset import Classes, Labels, Quantities
from layerwise.errors import ModelFileError
from layerwise.tasks.objective import Objective
from layerwise.training.model import Model, load
from layerwise.training.predictions import predictions

MODEL = os.path.join("runs", "first", "model.safetensors")


def test_predictions_on_stdout(inside: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["predict", MODEL, "rows.csv"]) == 0
    out, err = capsys.readouterr()
    rows = list(csv.DictReader(io.StringIO(out)))
    assert err == "" or err.startswith("note: weight: ")  # the extremes may stand in another part than training
    assert list(rows[0]) == ["row", "answer", "p_no", "p_yes"]
    assert [row["row"] for row in rows] == [str(number) for number in range(1, 61)]
    model = load(MODEL)
    raw = pl.read_csv("rows.csv").to_dicts()
    assert [row["answer"] for row in rows] == list(model.predict(raw))
    shares = np.array([[float(row["p_no"]), float(row["p_yes"])] for row in rows])
    np.testing.assert_allclose(shares, model.predict_proba(raw), rtol=1e-6)


@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".parquet", ".jsonl", ".ndjson", ".CSV"])
def test_predictions_in_a_file_of_every_kind(suffix: str, inside: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = inside / f"predicted{suffix}"
    assert main(["predict", "runs/first", "rows.csv", "--out", str(out)]) == 0
    stdout, err = capsys.readouterr()
    assert stdout == ""
    assert "60 predictions written" in err
    match suffix.lower():
        case ".csv":
            table = pl.read_csv(out)
        case ".tsv":
            table = pl.read_csv(out, separator="\t")
        case ".parquet":
            table = pl.read_parquet(out)
        case _:
            table = pl.read_ndjson(out)
    assert table.columns == ["row", "answer", "p_no", "p_yes"]
    assert table["row"].to_list() == list(range(1, 61))
    assert [entry.name for entry in inside.iterdir() if entry.name.startswith(".")] == []


def test_what_is_unusual_is_noted(inside: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("new.csv").write_text("color,size,weight\npurple,3,1\n")  # another order, without the target
    assert main(["predict", "runs/first", "new.csv"]) == 0
    out, err = capsys.readouterr()
    assert len(out.splitlines()) == 2
    assert err.startswith("note: color")


def test_a_missing_column_is_named(inside: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("new.csv").write_text("colour,size,weight\nred,3,1\n")
    assert main(["predict", "runs/first", "new.csv", "--out", "out.csv"]) == 2
    assert "'color'" in capsys.readouterr().err
    assert not Path("out.csv").exists()


@pytest.mark.parametrize("out", ["rows.csv", "./rows.csv"])
def test_the_data_is_not_overwritten(out: str, inside: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = Path("rows.csv").read_bytes()
    assert main(["predict", "runs/first", "rows.csv", "--out", out]) == 2
    assert "the data" in capsys.readouterr().err
    assert Path("rows.csv").read_bytes() == before


def test_a_folder_is_no_file(inside: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("folder.csv").mkdir()
    assert main(["predict", "runs/first", "rows.csv", "--out", "folder.csv"]) == 2
    assert "folder" in capsys.readouterr().err


def test_what_predict_takes_python_loads(inside: Path) -> None:
    for path in (Path("runs/first"), "runs/first", Path("runs/first/model.safetensors")):
        assert layerwise.load(path).predict(str(inside / "rows.csv")).shape == (60,)
    with pytest.raises(ModelFileError, match="can be read"):
        layerwise.load("runs")


def test_evaluate(inside: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["evaluate", "runs/first", "--data", "rows.csv", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert list(found) == ["metrics"]
    right = load(MODEL).predict("rows.csv") == pl.read_csv("rows.csv")["answer"].to_numpy()
    assert found["metrics"]["accuracy"]["value"] == pytest.approx(right.mean())
    assert set(found["metrics"]["accuracy"]) == {"value", "low", "high"}
    assert main(["evaluate", MODEL, "--data", "rows.csv"]) == 0
    out = capsys.readouterr().out
    assert "rows.csv" in out.splitlines()[0]
    assert f"accuracy           {right.mean():.3f} " in out


def test_evaluate_leaves_out_and_counts_rows_without_an_answer(
    inside: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = Path("rows.csv").read_text().splitlines()
    gaps = {0, 7, 8, 30, 59}
    text = [line.rpartition(",")[0] + "," if number in gaps else line for number, line in enumerate(lines[1:])]
    Path("gaps.csv").write_text("\n".join([lines[0], *text]) + "\n")
    others = [line for number, line in enumerate(lines[1:]) if number not in gaps]
    Path("others.csv").write_text("\n".join([lines[0], *others]) + "\n")
    assert main(["evaluate", "runs/first", "--data", "others.csv", "--json"]) == 0
    expected, known = capsys.readouterr()  # "60% of these rows ...": it was trained on some of them
    assert main(["evaluate", "runs/first", "--data", "gaps.csv", "--json"]) == 0
    assert capsys.readouterr() == (expected, f"note: 5 rows without a target were left out\n{known}")
    assert main(["evaluate", "runs/first", "--data", "gaps.csv"]) == 0
    assert capsys.readouterr().err == f"note: 5 rows without a target were left out\n{known}"
    Path("none.csv").write_text("\n".join([lines[0], *(line.rpartition(",")[0] + "," for line in lines[1:])]) + "\n")
    assert main(["evaluate", "runs/first", "--data", "none.csv", "--json"]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert "none in 60 rows" in err and "layerwise" not in err


def test_evaluate_says_when_rows_were_trained_on(inside: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["evaluate", "runs/first", "--data", "rows.csv"]) == 0
    assert "60% of these rows are equal to rows that the model was trained on" in capsys.readouterr().err


def test_evaluate_needs_the_target(inside: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("new.csv").write_text("color,size,weight\nred,3,1\n")
    assert main(["evaluate", "runs/first", "--data", "new.csv", "--json"]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert "answer" in err


def test_init_writes_a_recipe_that_trains(inside: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["init", "rows.csv", "--target", "answer"]) == 0
    text = capsys.readouterr().out
    assert tomllib.loads(text)["data"]["target"] == "answer"
    Path("mine.toml").write_text(text)
    assert main(["train", "mine.toml", "--quiet", "--set", "network.hidden=[4]", "--set", "train.epochs=3"]) == 0


def test_init_names_the_nearest_column(inside: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["init", "rows.csv", "-t", "answr"]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert "answer" in err


# ── the columns, for every kind of target ───────────────────────────────────────────────────────


class Fake(Model):
    """A model of given outputs."""

    def __init__(self, target: Classes | Labels | Quantities, outputs: np.ndarray, kind: str) -> None:
        self.target, self._outputs = target, outputs
        self.objective = Objective(kind, outputs.shape[1], classes=2)  # type: ignore[arg-type]

    def encoded(self, raw: Any) -> Any:
        return raw

    def outputs(self, raw: Any) -> np.ndarray:
        return self._outputs


def test_columns_of_labels_and_quantities() -> None:
    labels = Fake(Labels(columns=("a", "b")), np.array([[1.0, -1.0]], np.float32), "labels")
    table = predictions(labels, None)
    assert table.columns == ["row", "a", "p_a", "b", "p_b"]
    assert table.row(0)[:2] == (1, True)
    pair = Quantities(columns=("x", "y"), mean=(0.0, 0.0), scale=(1.0, 1.0))
    table = predictions(Fake(pair, np.array([[1.0, 2.0], [3.0, 4.0]], np.float32), "quantities"), None)
    assert table.rows() == [(1, 1.0, 2.0), (2, 3.0, 4.0)]
    assert table.columns == ["row", "x", "y"]
    far = Quantities(columns=("x", "y"), mean=(2000.0, 0.0), scale=(97.0, 0.001))
    table = predictions(Fake(far, np.array([[1 / 3, -1e-9]], np.float32), "quantities"), None)
    assert table.write_csv() == "row,x,y\n1,2032.33333,0.0\n"
    small = Quantities(columns=("x", "y"), mean=(0.0, 0.0), scale=(1.0, 1.0))  # standardize = false
    table = predictions(Fake(small, np.array([[1.5e-7, 0.1]], np.float32), "quantities"), None)
    assert table.write_csv() == "row,x,y\n1,1.5e-7,0.1\n"
    assert "0.731058" in predictions(labels, None).write_csv()


def test_a_target_named_like_another_column() -> None:
    target = Quantities(columns=("row",), mean=(0.0,), scale=(1.0,))
    table = predictions(Fake(target, np.array([[1.5]], np.float32), "quantities"), None)
    assert table.columns == ["row", "row_2"]
    assert table.row(0) == (1, 1.5)
