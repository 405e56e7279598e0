"""`layerwise inspect overfit`, as a user types it."""

import json
from pathlib import Path

import pytest

from layerwise.cli import main

ARMS = ["none", "L1", "L2", "dropout", "early stopping", "all"]


def test_a_run_is_trained_again_with_each_cure(inside: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["inspect", "overfit", "first", "--seeds", "2"]) == 0
    out, err = capsys.readouterr()
    lines = out.splitlines()
    assert [line.split("  ")[0] for line in lines[1:] if line.split("  ")[0] in ARMS] == ARMS
    assert max(map(len, lines)) <= 80 and "…" not in out
    assert "no difference seen" in out or "real" in out
    assert "The test part is not touched." in out.replace("\n", " ")
    assert "choosing strengths" in err and "training each cure" in err


def test_the_same_as_json(inside: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["inspect", "overfit", "rows.toml", "--seeds", "2", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [arm["name"] for arm in found["arms"]] == ARMS
    assert len(found["arms"][0]["validation"]) == len(found["seeds"]) == 2
    assert all(isinstance(comparison["words"], str) for comparison in found["comparisons"])


def test_too_few_seeds_are_said(inside: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Long and fast training on 60 rows, half of whose answers are chance, ends elsewhere from each seed."""
    recipe = ["rows.toml", "--seeds", "2", "--set", "train.epochs=60", "--set", "train.learning_rate=0.1"]
    assert main(["inspect", "overfit", *recipe]) == 0
    out = " ".join(capsys.readouterr().out.split())
    assert "too few seeds to tell" in out
    assert "Seeds are too few to tell where the interval holds zero" in out
    assert main(["inspect", "overfit", *recipe, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert not all(comparison["told"] for comparison in found["comparisons"])
    for comparison in found["comparisons"]:
        assert ("too few seeds to tell" in comparison["words"]) == (not comparison["told"])
    assert found["words"] in out


def test_a_page(inside: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["inspect", "overfit", "rows.toml", "--seeds", "2", "--html", "cures.html"]) == 0
    assert capsys.readouterr().out == ""
    page = Path("cures.html").read_text("utf-8")
    for heading in ("Findings", "Curves", "Figures", "Strengths", "How it is judged"):
        assert f"<h2>{heading}</h2>" in page
    assert page.count("<figure") == 1 + len(ARMS)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["perceptron-xor"], "trained by gradients"),
        (["xor-by-hand"], "by hand"),
        (["rows.toml", "--set", "train.optimizer=lbfgs"], "L-BFGS"),
        (["rows.toml", "--set", 'data.split="none"'], "at least 10 rows"),
        (["rows.toml", "--seeds", "1"], "--seeds"),
        (["runs/first", "--set", "train.epochs=2"], "settings change a recipe"),
        (["rows.toml", "--html", "no/such/folder/x.html"], "in a folder that exists"),
    ],
)
def test_what_cannot_be_is_said(words: list[str], said: str, inside: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["inspect", "overfit", *words]) == 2
    err = capsys.readouterr().err
    assert said in err and "Traceback" not in err and "fault in layerwise" not in err
