"""`layerwise runs`: reading, comparing and removing run folders."""

import os
import shutil
from pathlib import Path

import pytest

from layerwise.cli import main
from layerwise.cli.folders import differences, read, run_folders


def test_list_tells_of_every_run(inside: Path, capsys: pytest.CaptureFixture[str]) -> None:
    os.utime("runs/first/recipe.toml", (1, 1))
    Path("runs/no-run").mkdir()
    assert main(["runs", "list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 3
    assert lines[1].split()[:3] == [os.path.join("runs", "second"), "finished", "3"]  # the newer one first
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
    assert rows["epochs"][1:] == ["3", "3"]
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
