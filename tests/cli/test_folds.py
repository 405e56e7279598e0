"""`layerwise train --folds`: its JSON, its tables, its folder, and what the other commands make of it."""

import json
import os
import shutil
import signal
from io import StringIO
from pathlib import Path

import msgspec
import pytest
from rich.console import Console

from layerwise.cli import folds, main
from layerwise.progress.board import Board
from layerwise.tasks.intervals import Interval
from layerwise.training.events import AnyEvent, Epoch
from layerwise.training.folds import CrossValidation, Fold

CLASSIFICATION = ("accuracy", "balanced_accuracy", "macro_f1", "log_loss", "roc_auc", "calibration_error")


@pytest.fixture(scope="module")
def trained(home: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a cross-validation of three folds of rows.toml."""
    folder = tmp_path_factory.mktemp("folds")
    assert main(["train", str(home / "rows.toml"), "--folds", "3", "--out", str(folder), "--quiet"]) == 0
    return folder


@pytest.fixture
def done(trained: Path, inside: Path) -> Path:
    """A copy of it, beside the other runs; the test stands in their home."""
    shutil.copytree(trained, inside / "runs" / "folds")
    return Path("runs/folds")


def test_json_has_the_documented_keys_and_the_folds(inside: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", "rows.toml", "--folds", "3", "--json"]) == 0
    out, err = capsys.readouterr()
    found = json.loads(out)
    documented = ["run", "model", "status", "epochs", "seconds", "metrics", "baselines"]
    assert list(found) == [*documented, "folds", "spread"]
    assert (found["run"], found["model"]) == (os.path.join("runs", "rows-1"), None)
    assert (found["status"], found["epochs"]) == ("finished", 9)
    assert set(found["metrics"]["test"]) == set(CLASSIFICATION) == set(found["spread"]["test"])
    assert all(set(figure) == {"value", "low", "high"} for figure in found["metrics"]["test"].values())
    assert len(found["folds"]) == 3
    for fold in found["folds"]:
        assert list(fold) == documented
        assert Path(fold["model"]).is_file()
    values = [fold["metrics"]["test"]["accuracy"]["value"] for fold in found["folds"]]
    assert found["metrics"]["test"]["accuracy"]["value"] == pytest.approx(sum(values) / 3)
    assert "fold 3 of 3: accuracy" in err
    assert found["baselines"]["decision_tree"]["test"]["accuracy"]["low"] <= 1


def test_a_recipe_may_ask_for_folds_itself(inside: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", "rows.toml", "--set", 'data.split={kind="kfold", folds=2}', "--json", "--quiet"]) == 0
    assert len(json.loads(capsys.readouterr().out)["folds"]) == 2
    one = 'data.split={kind="kfold", folds=2, fold=1}'
    assert main(["train", "rows.toml", "--set", one, "--json", "--quiet"]) == 0
    assert "folds" not in json.loads(capsys.readouterr().out)


def test_the_tables_say_it_all(inside: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", "rows.toml", "--folds", "3"]) == 0
    out, _ = capsys.readouterr()
    assert out.startswith("Trained 3 folds in ")
    for word in ("held out", "fold 1", "fold 3", "mean ", "95% from", "spread", "the network", "decision tree", "95%"):
        assert word in out, word
    assert "mean over the folds" in out
    assert "predict" not in out


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["--folds", "1"], 2, "data.split.folds"),
        (["--folds", "1000"], 2, "a row for each fold"),
        (["--folds", "3", "--set", 'data.split={kind="group", by="color"}'], 2, "dealt at random"),
    ],
)
def test_folds_that_cannot_be(
    words: list[str], code: int, message: str, inside: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = sorted(inside.rglob("*"))
    assert main(["train", "rows.toml", *words]) == code
    out, err = capsys.readouterr()
    assert (out, message in err) == ("", True)
    assert sorted(inside.rglob("*")) == before


# ── Ctrl-C ──────────────────────────────────────────────────────────────────────────────────────


def interrupt_at(epochs: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Press Ctrl-C at the given epoch, counted over all folds."""
    hear, heard = Board.hear, 0

    def hear_and_interrupt(self: Board, event: AnyEvent) -> None:
        nonlocal heard
        hear(self, event)
        heard += isinstance(event, Epoch)
        if heard == epochs and isinstance(event, Epoch):
            signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(Board, "hear", hear_and_interrupt)


LONG = ["train", "rows.toml", "--folds", "3", "--set", "train.epochs=400", "--set", "train.patience=0"]


def test_ctrl_c_keeps_the_folds_that_are_over(
    inside: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        interrupt_at(401, patch)
        assert main([*LONG, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["status"], len(found["folds"]), found["spread"]) == ("interrupted", 1, {})
    assert found["metrics"] == found["folds"][0]["metrics"]
    assert main(["resume", "rows-1"]) == 0
    out, _ = capsys.readouterr()
    assert out.startswith("Trained 3 folds in ")
    assert main(["resume", "rows-1"]) == 0
    assert "This run was over already" in capsys.readouterr().out


def test_ctrl_c_before_the_first_fold_is_over(
    inside: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    interrupt_at(1, monkeypatch)
    assert main(LONG) == 130
    out, _ = capsys.readouterr()
    assert "Interrupted before the first fold was over" in out
    assert f"layerwise resume {os.path.join('runs', 'rows-1')}" in out


# ── what the other commands make of it ──────────────────────────────────────────────────────────


def test_the_folder_is_listed_compared_and_removed(done: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["runs", "list"]) == 0
    line = next(line for line in capsys.readouterr().out.splitlines() if "folds" in line)
    assert "finished" in line and "test accuracy 0." in line
    assert main(["runs", "list", str(done)]) == 0
    assert capsys.readouterr().out.count("fold-") == 3
    assert main(["runs", "compare", "first", "folds"]) == 0
    out, err = capsys.readouterr()
    assert "data.split.kind" in out and "not scored on the same rows" in err
    thesis = done / "fold-2" / "thesis.tex"
    thesis.write_text("years of work")
    assert main(["runs", "remove", "folds", "--yes"]) == 2
    assert "fold-2/thesis.tex" in capsys.readouterr().err
    thesis.unlink()
    assert main(["runs", "remove", "folds", "--yes"]) == 0
    assert not done.exists()


@pytest.mark.parametrize("command", [["predict", "RUN", "rows.csv"], ["evaluate", "RUN", "--data", "rows.csv"]])
def test_a_model_of_all_folds_does_not_exist(
    command: list[str], done: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([word.replace("RUN", str(done)) for word in command]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert str(done / "fold-1") in err
    assert main([word.replace("RUN", str(done / "fold-1")) for word in command]) == 0


# ── the tables, from hand-made figures ──────────────────────────────────────────────────────────


def figures(value: float, names: tuple[str, ...] = CLASSIFICATION) -> dict[str, dict[str, Interval]]:
    return {"test": {name: Interval(value, value - 0.01, value + 0.01) for name in names}}


def found(count: int, names: tuple[str, ...] = CLASSIFICATION, **changes: object) -> CrossValidation:
    work = CrossValidation({"data": {"kind": "toy", "name": "xor"}}, max(count, 2), out="runs/xor-1")
    work.folds = [
        Fold(n, Path(f"runs/xor-1/fold-{n}"), "finished", 40 + n, 1.5, figures(0.9 + n / 1000, names), {})
        for n in range(1, count + 1)
    ]
    work.status = "finished"
    work.metrics, work.spread = figures(0.91, names), {"test": dict.fromkeys(names, 0.0123)}
    work.baselines = {"majority_class": figures(0.5, names)}
    for name, value in changes.items():
        setattr(work, name, value)
    return work


def shown(work: CrossValidation, width: int) -> str:
    file = StringIO()
    console = Console(file=file, width=width, markup=False, highlight=False)
    for block in folds.summary(work, width):
        console.print(block)
    return file.getvalue()


@pytest.mark.parametrize("width", [60, 80, 120, 200])
@pytest.mark.parametrize("count", [2, 10])
def test_nothing_is_cut_off_at_any_width(count: int, width: int) -> None:
    text = shown(found(count), width)
    assert max(map(len, text.splitlines())) <= width
    assert "…" not in text
    words = " ".join(text.split())
    assert (
        f"Trained {count} folds in {1.5 * count:.{2 if count < 6 else 1}f} s, 41 to {40 + count} epochs each." in words
    )
    for row in ("fold 1 0.901", "mean 0.910", "95% from 0.900", "95% to 0.920", "spread 0.012"):
        assert row in words


def test_quantities_are_shown_in_their_own_digits() -> None:
    names = ("rmse", "mae", "r2")
    text = shown(found(3, names, metrics=figures(1234.5, names), spread={"test": dict.fromkeys(names, 32.1)}), 80)
    assert "1,23" in text and "32" in text


@pytest.mark.parametrize(
    ("status", "words"),
    [
        ("interrupted", "Interrupted after 3 folds in 4.50 s; they are kept."),
        ("time_limit", "Trained 3 folds in 4.50 s, 41 to 43 epochs each; 1 of them ran out of time."),
        ("diverged", "Trained 3 folds in 4.50 s, 41 to 43 epochs each; 1 of them diverged."),
    ],
)
def test_other_endings_are_worded(status: str, words: str) -> None:
    work = found(3, status=status)
    work.can_go_on = status == "interrupted"
    work.folds[1] = msgspec.structs.replace(work.folds[1], status=status)
    text = " ".join(shown(work, 100).split())
    assert words in text
    assert ("layerwise resume runs/xor-1" in text) is (status == "interrupted")
