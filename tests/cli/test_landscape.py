"""`layerwise inspect landscape`, as a user types it."""

import json
from pathlib import Path

import numpy as np
import pytest

from layerwise.cli import main
from layerwise.cli.inspect import landscape
from layerwise.inspection import Landscape

LOOK = ["inspect", "landscape"]
XOR = ["xor", "--set", "network.hidden=[2]", "--set", "train.epochs=4"]


def test_a_run_with_its_path(inside: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*LOOK, "runs/first", "--json"]) == 0
    out, err = capsys.readouterr()
    found = json.loads(out)
    seen, curved = found["landscape"], found["curvature"]
    assert found["minima"] is None and "again, for its path" in err
    assert seen["directions"] == "path" and seen["path"][-1] == [0, 0]
    row, column = seen["ys"].index(0), seen["xs"].index(0)
    assert seen["losses"][row][column] == pytest.approx(seen["loss"]) == seen["path_losses"][-1] == curved["loss"]
    assert curved["converged"] and curved["parabola"][20] == pytest.approx(curved["losses"][20], rel=1e-12)
    assert not any("other weights" in note for note in found["notes"])


def test_random_directions_need_no_training(inside: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*LOOK, "runs/first", "--directions", "random"]) == 0
    out, err = capsys.readouterr()
    assert "training" not in err.replace("training row", "") and "◆" in out and "path of training" not in out


def test_starts_and_a_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(tmp_path)
    assert main([*LOOK, *XOR, "--set", 'train.optimizer="sgd"', "--starts", "6", "--html", "x.html", "--json"]) == 0
    out, err = capsys.readouterr()
    found = json.loads(out)
    assert len(found["minima"]["losses"]) == 6 and sum(b["starts"] for b in found["minima"]["basins"]) == 6
    assert any("Gradient descent at a learning rate of 0.01" in note for note in found["notes"])
    assert "training 6 starts" in err and "written to x.html" in err
    page = Path("x.html").read_text("utf-8")
    assert "Where 6 starts ended" in page and page.count('role="img"') == 3


def test_the_table_of_basins(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*LOOK, *XOR, "--starts", "3"]) == 0
    out = capsys.readouterr().out
    assert "basin" in out and "95% interval" in out and "largest curvature" in out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["digits", "--directions", "up"], "give path or random"),
        (["xor-by-hand", "--directions", "path"], "weights set by hand"),
        (["xor-by-hand", "--starts", "3"], "leave --starts out"),
        (["perceptron-xor", "--starts", "3"], "a perceptron, which begins with zeros"),
        (["xor", "--starts", "1"], "--starts"),
        (["runs/first", "--html", "no/such/x.html"], "in a folder that exists"),
        (["runs"], "a run is a folder with a recipe.toml"),
    ],
)
def test_what_cannot_be_is_said(words: list[str], said: str, inside: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*LOOK, *words]) == 2
    err = capsys.readouterr().err
    assert said in err and "Traceback" not in err and "training" not in err.partition("error:")[0]


def test_a_map_in_letters() -> None:
    xs, ys = np.linspace(-1, 1, 41), np.linspace(-1, 1, 41)
    losses = 0.01 + xs[None] ** 2 + ys[:, None] ** 2
    path = np.array([[-1.0, 1.0], [-0.5, 0.5], [0.0, 0.0]])
    seen = Landscape("path", 2, 4, 0.01, xs, ys, losses, path, np.arange(3), np.ones(3), (1.0, 0.0))
    lines = [str(line) for line in landscape.contour(seen)][:21]
    assert lines[10][20] == "◆" and lines[0][0] == "○" and lines[5][10] == "•"  # the top is the largest y
    assert lines[0][40] == lines[20][0] == "█" and lines[10][21] in landscape.SHADES[-2:]
    assert all(len(line) == 41 for line in lines)


def test_a_map_of_a_plain(capsys: pytest.CaptureFixture[str]) -> None:
    steps = np.linspace(-1, 1, 41)
    flat = np.full((41, 41), np.nan)
    for losses in (np.zeros((41, 41)), flat):
        none = np.zeros((0, 2))
        seen = Landscape("random", 2, 4, 0.0, steps, steps, losses, none, np.arange(0), np.zeros(0), (0.0, 0.0))
        assert len(landscape.contour(seen)) == 24
