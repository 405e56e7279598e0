"""How `layerwise tune` ends where Ctrl-C comes too early for a model."""

import json
import signal
from pathlib import Path

import pytest

from layerwise.cli import main
from layerwise.progress.search import SearchBoard


def test_a_search_that_ends_before_a_model_is_not_done(
    inside: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C at the first word of it: nothing is tried, so the exit code says that it was stopped."""
    hear = SearchBoard.hear

    def hear_and_interrupt(self: SearchBoard, event: object) -> None:
        hear(self, event)  # type: ignore[arg-type]
        monkeypatch.setattr(SearchBoard, "hear", hear)
        signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(SearchBoard, "hear", hear_and_interrupt)
    search = ["tune", "rows.toml", "--trials", "4", "--set", "train.epochs=100000", "--set", "train.patience=0"]
    assert main([*search, "--out", "study", "--json"]) == 130
    found = json.loads(capsys.readouterr().out)
    assert (found["status"], found["model"], found["winner"]) == ("interrupted", None, None)


def test_a_search_that_is_out_of_time_says_how_to_go_on(inside: Path, capsys: pytest.CaptureFixture[str]) -> None:
    search = ["tune", "rows.toml", "--trials", "2", "--set", "train.epochs=1000000", "--set", "train.patience=0"]
    assert main([*search, "--time-limit", "500ms", "--out", "study"]) == 0
    out = capsys.readouterr().out
    assert "Out of time after 0 settings of 2" in out and "layerwise tune --resume study" in out
    assert "layerwise resume" not in out, "the study goes on, not its winner's run alone"
