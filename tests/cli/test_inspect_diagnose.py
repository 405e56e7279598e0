"""`layerwise inspect activations` and `inspect diagnose`, as a user types them."""

import json
from pathlib import Path

import pytest

from layerwise.cli import main
from layerwise.report import activations, diagnoses

ALL = ["rows.toml", "runs/first", "first", "runs/first/model.safetensors"]


def inspect(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    assert main(["inspect", *words]) == 0
    out, err = capsys.readouterr()
    assert "Traceback" not in err
    return out


def test_the_functions(capsys: pytest.CaptureFixture[str]) -> None:
    out = inspect(capsys, "activations")
    assert "leaky ReLU" in out and "|z| > 4.36" in out and "everywhere" in out
    assert max(map(len, out.splitlines())) <= 80
    curves = json.loads(inspect(capsys, "activations", "--json"))["curves"]
    assert len(curves) == 11 and curves[2]["zones"]["dead"] == [{"low": None, "high": 0.0}]


@pytest.mark.parametrize("what", ALL)
def test_units(what: str, inside: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = json.loads(inspect(capsys, "activations", what, "--json"))
    hidden, output = found["layers"]
    assert hidden["units"] == 4 and sum(hidden["sums"]["counts"]) == 4 * found["rows"]
    assert output["update_ratio"] == pytest.approx(output["update_norm"] / output["weight_norm"])
    assert ("this run" in found["step"]) == (what in ("runs/first", "first"))


def test_units_on_the_terminal(inside: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = inspect(capsys, "activations", "first")
    assert "hidden 1" in out and "One step: the next step of adam in this run" in out
    assert "Nothing is trained" in inspect(capsys, "activations", "xor-by-hand")


@pytest.mark.parametrize("what", ALL)
def test_a_diagnosis(what: str, inside: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = json.loads(inspect(capsys, "diagnose", what, "--json"))
    rules = [verdict["rule"] for part in ("findings", "healthy", "unseen") for verdict in found[part]]
    assert len(rules) == len(set(rules)) == 16
    unseen = {verdict["rule"] for verdict in found["unseen"]}
    assert ("under-fitting" in unseen) == (what == "rows.toml")
    assert ("divergence" in unseen) == (what not in ("runs/first", "first"))


def test_a_diagnosis_on_the_terminal(inside: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The findings come first, worst first; then what is healthy, then what was not looked at."""
    out = inspect(capsys, "diagnose", "first")
    assert "What helps: " in out and max(map(len, out.splitlines())) <= 80
    places = [out.find(words) for words in ("\ngrave ", "\nwarning ", "\nnote ", "\nLooked at", "\nNot looked at")]
    there = [place for place in places if place >= 0]
    assert there == sorted(there) and len(there) >= 3
    assert "Nothing found by" in inspect(capsys, "diagnose", "xor-by-hand")


@pytest.mark.parametrize("words", [["activations"], ["activations", "first"], ["diagnose", "first"]])
def test_pages(words: list[str], inside: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert inspect(capsys, *words, "--html", "look.html") == ""
    page = Path("look.html").read_text("utf-8")
    expected = {1: ("leaky ReLU", "figure-11"), 2: ("<h3>hidden 1</h3>", "figure-3")}
    said = ("<h2>Findings</h2>", "What helps: ") if words[0] == "diagnose" else expected[len(words)]
    assert all(text in page for text in said)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["activations", "--set", "seed=1"], "settings change a recipe"),
        (["activations", "nothing-of-that-name"], "a recipe is a TOML or JSON file"),
        (["diagnose", "first", "--set", "seed=1"], "settings change a recipe"),
        (["diagnose", "rows.toml", "--html", "no/such/folder/x.html"], "in a folder that exists"),
    ],
)
def test_what_cannot_be_is_said(words: list[str], said: str, inside: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["inspect", *words]) == 2
    err = capsys.readouterr().err
    assert said in err and "Traceback" not in err


def test_words() -> None:
    from layerwise.inspection import Diagnosis, Finding, Healthy
    from layerwise.inspection.curves import Zone

    bad = Finding("dead units", "grave", "<5> of 6", "any", "nothing", "data")
    note = Finding("constant inputs", "note", "1 of 2", "any", "nothing", "data")
    found = Diagnosis("x", (bad, note), (Healthy("divergence", "none"),), ())
    assert diagnoses.opening(found) == "1 grave finding and 1 note; 1 rule found nothing."
    page = diagnoses.diagnosis(found).decode()
    assert "&lt;5&gt; of 6" in page and "warning" not in page.partition("<body>")[2]
    assert activations.ranges([Zone(0.0, float("inf"))]) == "z > 0"
