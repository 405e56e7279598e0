"""`layerwise train` and `layerwise resume`, on runs of a second."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from layerwise.cli import console, main, training
from layerwise.errors import StorageError
from layerwise.progress.board import Board
from layerwise.training.events import AnyEvent, Progress, Started, TestTouched
from layerwise.training.run import Run

FIGURE = {"value", "low", "high"}
CLASSIFICATION = ["accuracy", "balanced_accuracy", "macro_f1", "log_loss", "roc_auc", "calibration_error"]


def test_json_is_one_object_of_the_documented_shape(inside: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", "rows.toml", "--json", "--seed", "3"]) == 0
    out, err = capsys.readouterr()
    found = json.loads(out)
    assert list(found) == ["run", "model", "status", "epochs", "seconds", "metrics", "baselines"]
    assert found["run"] == os.path.join("runs", "rows-1")
    assert found["status"] == "finished"
    assert found["epochs"] == 3
    assert found["seconds"] > 0
    assert Path(found["model"]).is_file()
    assert list(found["metrics"]) == ["validation", "test"]
    for part in found["metrics"].values():
        assert set(part) == set(CLASSIFICATION)
        assert all(set(figure) == FIGURE for figure in part.values())
    assert set(found["baselines"]["majority_class"]["test"]) <= set(CLASSIFICATION)
    assert "epoch 3/3" in err
    assert "seed = 3" in (Path(found["run"]) / "recipe.toml").read_text()


def test_results_go_to_stdout_and_progress_to_stderr(inside: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", "rows.toml"]) == 0
    out, err = capsys.readouterr()
    assert out.startswith("Trained for 3 epochs in ")
    assert "test part" in out
    assert f"layerwise predict {os.path.join('runs', 'rows-1', 'model.safetensors')} " in out
    assert "reading the data" in err
    assert "36 rows to train on, 12 to validate and 12 to test" in err
    assert all(line == line.rstrip() for line in out.splitlines())


def test_quiet_shows_no_progress(inside: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", "rows.toml", "--quiet", "--time-limit", "1h"]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    assert out
    assert 'time_limit = "1h"' in (inside / "runs" / "rows-1" / "recipe.toml").read_text()


def test_resume_takes_a_folder_or_its_name(inside: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("first", "runs/first"):
        assert main(["resume", name, "--json", "--quiet"]) == 0
        assert json.loads(capsys.readouterr().out)["epochs"] == 3


def test_resume_has_a_time_limit_of_its_own(inside: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*ENDLESS[:-1], "--time-limit", "10ms", "--out", "new"]) == 0
    assert "layerwise resume new" in capsys.readouterr().out
    assert main(["resume", "new", "--time-limit", "soon"]) == 2
    assert '"5m"' in capsys.readouterr().err
    epochs = json.loads(Path("new/metrics.json").read_text())["epochs"]
    assert main(["resume", "new", "--time-limit", "200ms", "--json", "--quiet"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["status"] == "time_limit" and found["epochs"] > epochs


def test_a_run_at_work_is_not_offered_to_go_on_with(inside: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with Run("rows.toml", out="new") as run:
        next(iter(run))
        assert main(["train", "rows.toml", "--out", "new"]) == 2
        assert "in which another is at work" in (err := capsys.readouterr().err) and "resume" not in err
        assert main(["resume", "new"]) == 2
        assert "wait until it is over" in capsys.readouterr().err
        run.cancel()


def test_resuming_what_is_over_says_so_and_changes_nothing(inside: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = Path("runs/first")
    before = {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in folder.iterdir()}
    first = json.loads((folder / "metrics.json").read_text())
    assert main(["resume", "first"]) == 0
    out, err = capsys.readouterr()
    assert "This run was over already" in out
    assert f"{first['metrics']['test']['accuracy']['value']:.3f}" in out
    assert "scored for the" not in err
    assert main(["resume", "first", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert {name: found[name] for name in ("status", "epochs", "metrics", "baselines")} == {
        name: first[name] for name in ("status", "epochs", "metrics", "baselines")
    }
    assert {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in folder.iterdir()} == before


def test_weights_by_hand_are_evaluated(inside: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", "xor-by-hand", "--json", "--quiet"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["epochs"] == 0
    assert found["metrics"]["train"]["accuracy"]["value"] == 1


def interrupt_at_every(kind: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Press Ctrl-C at each event of a kind."""
    hear = Board.hear

    def hear_and_interrupt(self: Board, event: AnyEvent) -> None:
        hear(self, event)
        if isinstance(event, kind):
            signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(Board, "hear", hear_and_interrupt)


ENDLESS = ["train", "rows.toml", "--set", "train.epochs=1000000", "--set", "train.patience=0", "--json"]


def test_ctrl_c_ends_the_run_with_the_best_weights(
    inside: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    interrupt_at_every(Progress, monkeypatch)
    assert main(ENDLESS) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["status"] == "interrupted"
    assert found["metrics"]["test"]
    assert Path(found["model"]).is_file()


def test_ctrl_c_twice_ends_everything(
    inside: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    interrupt_at_every(Progress | TestTouched, monkeypatch)  # the second while scoring
    assert main(ENDLESS) == 130
    out, err = capsys.readouterr()
    assert out == ""
    assert err.endswith("interrupted: stopped\n")


def test_ctrl_c_before_the_first_step_gives_no_result(
    inside: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    interrupt_at_every(Started, monkeypatch)
    assert main(ENDLESS[:-1]) == 130
    out = capsys.readouterr().out
    assert "before the first step" in out and "nothing was scored" in out
    assert "layerwise resume runs/rows-1" in out and "predict" not in out
    assert main(["resume", "runs/rows-1", "--json"]) == 130
    assert json.loads(capsys.readouterr().out)["metrics"] == {}


# ── folders ─────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("out", "message"),
    [
        ("runs/first", "layerwise resume runs/first"),
        ("runs", "which holds other files"),
        ("rows.csv", "the file rows.csv"),
        ("rows.csv/run", "is a file"),
    ],
)
def test_a_folder_that_cannot_be_used_is_refused_first(
    out: str, message: str, inside: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = sorted(inside.rglob("*"))
    assert main(["train", "rows.toml", "--out", out]) == 2
    stdout, err = capsys.readouterr()
    assert stdout == ""
    assert message in err
    assert "reading the data" not in err
    assert sorted(inside.rglob("*")) == before


def test_an_empty_or_new_folder_is_taken(tmp_path: Path) -> None:
    training.check_folder(tmp_path)
    training.check_folder(tmp_path / "new" / "below")


def test_a_read_only_folder_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "access", lambda path, mode: False)  # the tests may run as one who may write anywhere
    with pytest.raises(StorageError, match="read-only"):
        training.check_folder(tmp_path / "new")


def test_bad_data_leaves_nothing_behind(inside: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (inside / "bad.toml").write_text('data = { kind = "table", path = "rows.csv", target = "answr" }\n')
    before = sorted(inside.rglob("*"))
    assert main(["train", "bad.toml", "--out", "new"]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert "answer" in err
    assert sorted(inside.rglob("*")) == before


def test_no_garbage_is_collected_while_jax_is_imported() -> None:
    """JAX is called at each collection, and there Python drops a Ctrl-C."""
    program = """
import gc, sys
from layerwise.cli import training

def note(phase, info):
    if "jax" in sys.modules and not hasattr(sys.modules.get("layerwise.training.run"), "train"):
        print("collected")

training._go = lambda begin, *_: begin()
gc.callbacks.append(note)
training.train("digits")
gc.callbacks.clear()
print("jax" in sys.modules, gc.isenabled())
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout == "True True\n"


def test_a_ctrl_c_during_imports_is_answered_after_them() -> None:
    handler, done = signal.getsignal(signal.SIGINT), []
    with pytest.raises(KeyboardInterrupt), console.importing():
        signal.raise_signal(signal.SIGINT)
        done.append("imports")
    assert done and signal.getsignal(signal.SIGINT) is handler
    with console.importing():
        pass
