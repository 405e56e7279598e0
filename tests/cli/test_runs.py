"""`layerwise runs`: reading, comparing and removing run folders."""

import os
import shutil
from pathlib import Path

import msgspec
import pytest

from layerwise import files
from layerwise.cli import main
from layerwise.tuning.events import Searching, StudyFinished, StudyStarted
from layerwise.tuning.listing import differences, read, run_folders


def test_list_tells_of_every_run(inside: Path, capsys: pytest.CaptureFixture[str]) -> None:
    os.utime("runs/first/recipe.toml", (1, 1))
    Path("runs/no-run").mkdir()
    assert main(["runs", "list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 3
    assert lines[1].split()[:4] == [os.path.join("runs", "second"), "run", "finished", "3"]  # the newer one first
    assert "test accuracy 0." in lines[2]


def test_list_where_there_are_none(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["runs", "list", str(tmp_path / "nowhere")]) == 0
    out, err = capsys.readouterr()
    assert out == ""
    assert "there are no runs" in err


@pytest.mark.parametrize("damage", ["missing", "empty", "cut", "other"])
def test_a_run_without_its_metrics_is_unfinished(damage: str, inside: Path) -> None:
    metrics = Path("runs/first/metrics.json")
    match damage:
        case "missing":
            metrics.unlink()
        case "empty":
            metrics.write_bytes(b"")
        case "cut":
            metrics.write_bytes(metrics.read_bytes()[:200])
        case "other":
            metrics.write_bytes(b'{"status": 3}\xff')
    record = read(metrics.parent)
    assert (record.status, record.epochs, record.metrics) == ("unfinished", 3, {})
    assert record.seconds > 0
    assert main(["runs", "list"]) == 0


def test_damaged_files_do_not_stop_the_list(inside: Path) -> None:
    Path("runs/first/metrics.json").unlink()
    Path("runs/first/events.jsonl").write_bytes(b'{"event": "epoch"\n\xff\n')
    Path("runs/second/recipe.toml").write_bytes(b"\xff = [")
    assert read(Path("runs/first")).epochs == 0
    assert read(Path("runs/second")).settings == {}
    assert main(["runs", "list"]) == 0
    assert len(run_folders(Path("runs"))) == 2


def test_compare_shows_what_differs(inside: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["runs", "compare", "first", "runs/second"]) == 0
    out, err = capsys.readouterr()
    rows = {line.split("  ")[0].strip(): line.split() for line in out.splitlines()}
    assert rows["train.learning_rate"][1:] == ["0.001", "0.5"]
    assert "train.epochs" not in rows
    assert rows["length"][1:] == ["3", "epochs", "3", "epochs"]
    assert "★" in out
    assert err == ""


def test_compare_marks_nothing_where_the_rows_differ(inside: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", "rows.toml", "--set", "seed=7", "--out", "runs/third", "--quiet"]) == 0
    capsys.readouterr()
    assert main(["runs", "compare", "first", "third"]) == 0
    out, err = capsys.readouterr()
    assert "★" not in out
    assert "not scored on the same rows" in err


def test_differences_of_nested_settings() -> None:
    assert differences([{"a": 1, "b": [1]}, {"a": 1, "b": [2]}, {"a": 1}]) == {"b": ["[1]", "[2]", "-"]}


def test_remove_asks_and_refuses_where_nobody_answers(
    inside: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert main(["runs", "remove", "first"]) == 2
    assert "--yes" in capsys.readouterr().err
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    for answer in (False, True):
        monkeypatch.setattr("typer.confirm", lambda text, *, err, answer=answer: answer)
        assert main(["runs", "remove", "first"]) == 0
        assert Path("runs/first").exists() is not answer
    assert "nothing was removed" in capsys.readouterr().err


def test_remove_with_yes(inside: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (Path("runs/first") / ".metrics.json.abc123").write_text("left by a crash")
    assert main(["runs", "remove", "first", "runs/first", "second", "--yes"]) == 0
    assert list(Path("runs").iterdir()) == []
    assert capsys.readouterr().err.count("removed") == 2


def test_remove_spares_what_is_not_ours(inside: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("runs/first/thesis.tex").write_text("years of work")
    assert main(["runs", "remove", "first", "second", "--yes"]) == 2
    assert "thesis.tex" in capsys.readouterr().err
    assert Path("runs/first/model.safetensors").exists()
    assert Path("runs/second").exists()  # nothing is removed where one is refused
    assert main(["runs", "remove", "runs", "--yes"]) == 2
    assert Path("runs/second").exists()


def test_remove_takes_a_link_for_no_folder_of_its_own(inside: Path) -> None:
    shutil.move("runs/first", "elsewhere")
    os.symlink(Path("elsewhere").absolute(), "runs/first")
    assert main(["runs", "remove", "first", "--yes"]) == 2
    assert Path("elsewhere/recipe.toml").exists()


def test_remove_waits_for_a_run_to_be_over(inside: Path, capsys: pytest.CaptureFixture[str]) -> None:
    held = files.hold(Path("runs/first/.lock"))
    assert held is not None
    with held:
        assert main(["runs", "remove", "second", "first", "--yes"]) == 2
    assert "once it is over" in capsys.readouterr().err and Path("runs/second").exists()
    assert main(["runs", "remove", "first", "--yes"]) == 0


@pytest.fixture
def studied(inside: Path) -> Path:
    """A study beside the runs, as one is left behind: two trials, and the first run as its winner."""
    study = Path("runs/search")
    shutil.copytree("runs/first", study / "best")
    shutil.copy("runs/first/recipe.toml", study / "recipe.toml")
    for name in ("study.json", ".lock", "trials.journal", "report.html"):
        (study / name).write_text("{}")
    metrics = read(Path("runs/first")).metrics
    events = [
        StudyStarted(seconds=0.5, method="grid", trials=2, done=0, monitor="loss", axes={}, rows={}, notes=()),
        Searching(seconds=1.5, done=2, alive=0, best=0.3, lane_epochs_per_second=7.0),
        StudyFinished(seconds=2.5, status="finished", done=2, winner=None, metrics=metrics, baselines={}, remarks=()),
    ]
    (study / "events.jsonl").write_bytes(b"".join(msgspec.json.encode(event) + b"\n" for event in events))
    return study


def test_a_study_is_listed_as_one(studied: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["runs", "list"]) == 0
    line = next(line for line in capsys.readouterr().out.splitlines() if "search" in line)
    assert line.split()[1:7] == ["study", "finished", "2", "trials", "2.50", "s"]
    assert "test accuracy 0." in line
    with (studied / "events.jsonl").open("ab") as file:  # taken up again
        file.write(
            msgspec.json.encode(Searching(seconds=3.5, done=3, alive=2, best=0.3, lane_epochs_per_second=7.0)) + b"\n"
        )
    assert (read(studied).status, read(studied).trials) == ("unfinished", 3)


def test_a_study_is_compared_by_its_winner(studied: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["runs", "compare", "search", "second"]) == 0
    out, err = capsys.readouterr()
    rows = {line.split("  ")[0].strip(): line.split() for line in out.splitlines()}
    assert rows["train.learning_rate"][1:] == ["0.001", "0.5"]
    assert rows["length"][1:] == ["2", "trials", "3", "epochs"]
    assert err == ""  # on the same rows


def test_a_study_is_removed_unless_something_else_is_in_it(studied: Path, capsys: pytest.CaptureFixture[str]) -> None:
    strange = studied / "best" / "thesis.tex"
    strange.write_text("years of work")
    assert main(["runs", "remove", "search", "--yes"]) == 2
    assert "best/thesis.tex" in capsys.readouterr().err
    strange.unlink()
    assert main(["runs", "remove", "search", "--yes"]) == 0
    assert not studied.exists()


def test_a_study_predicts_by_its_winner(studied: Path, capsys: pytest.CaptureFixture[str]) -> None:
    outputs = []
    for folder in ("runs/first", "runs/search"):
        assert main(["predict", folder, "rows.csv"]) == 0
        outputs.append(capsys.readouterr().out)
    assert outputs[0] == outputs[1]
    assert outputs[0].count("\n") == 61
    (studied / "best" / "model.safetensors").unlink()
    assert main(["predict", "runs/search", "rows.csv"]) == 2
    assert "layerwise tune --resume runs/search" in capsys.readouterr().err


def test_a_model_that_is_not_there_is_named_as_it_was_given(inside: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["predict", "runs/nowhere", "rows.csv"]) == 2
    assert "runs/nowhere" in capsys.readouterr().err


def test_folds_are_compared_by_what_each_was_trained_with(inside: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The recipe of all folds stands as it was written; what "auto" came to is in that of each."""
    assert main(["train", "rows.toml", "--folds", "2", "--out", "folds", "--quiet"]) == 0
    capsys.readouterr()
    assert main(["runs", "compare", "folds", "runs/first"]) == 0
    settings = {
        line.split()[0]: line.split()[1:]
        for line in capsys.readouterr().out.splitlines()
        if line[:5] in ("data.", "train", "task.")
    }
    assert settings["data.split.fold"] == ["all", "-"]
    assert not any("auto" in values for path, values in settings.items() if path.startswith(("train.", "task.")))
    assert "task.kind" not in settings
