"""The report of a run: what it says, and that it stands alone."""

import json
import re
from pathlib import Path

import pytest

from layerwise import report
from layerwise.errors import LayerwiseError, RunError
from layerwise.training.run import Run

RECIPES = {
    "classes": {"data": {"kind": "named", "name": "digits"}, "train": {"epochs": 3}},
    "two classes": {"data": {"kind": "named", "name": "breast-cancer"}, "train": {"epochs": 3}},
    "quantities": {"data": {"kind": "named", "name": "diabetes"}, "train": {"epochs": 3}},
    "perceptron": {"data": {"kind": "toy", "name": "gaussians"}, "network": "perceptron", "train": {"epochs": 2}},
    "by hand": "xor",
}


@pytest.fixture(scope="module")
def runs(tmp_path_factory) -> dict[str, Path]:
    """A short run of every kind."""
    folder = tmp_path_factory.mktemp("runs")
    found = {}
    for number, (name, recipe) in enumerate(RECIPES.items()):
        with Run(recipe, out=folder / f"run-{number}") as run:
            for _ in run:
                pass
        found[name] = run.folder
    return found


def figures(page: str) -> dict:
    return json.loads(re.search(r'id="figures">(.*?)</script>', page, re.DOTALL)[1])


@pytest.mark.parametrize("name", RECIPES)
def test_every_kind_of_run_has_one(runs: dict[str, Path], name: str) -> None:
    path = report.run(runs[name])
    page = path.read_text("utf-8")
    assert path == runs[name] / "report.html" and len(page) < 6_000_000
    for heading in ("Result", "Diagnosis", "Where it errs", "Worst mistakes", "Data", "Network", "Recipe", "Again"):
        assert f"<h2>{heading}</h2>" in page
    assert "layerwise train recipe.toml --out again" in page
    assert str(runs[name].parent) not in page


def test_its_figures_are_the_runs(runs: dict[str, Path]) -> None:
    page = report.run(runs["classes"]).read_text("utf-8")
    metrics = json.loads((runs["classes"] / "metrics.json").read_text())
    accuracy = metrics["metrics"]["test"]["accuracy"]
    assert f"{accuracy['value']:.3f} <small>{accuracy['low']:.3f} to {accuracy['high']:.3f}</small>" in page
    confusion = next(
        trace for figure in figures(page).values() for trace in figure["data"] if trace["type"] == "heatmap"
    )
    assert len(confusion["x"]) == 10
    assert page.count('class="pixels"') > 0 and "data:image/png;base64," in page
    assert "It was scored once" in page


def test_it_shows_no_row_of_the_test_part(runs: dict[str, Path]) -> None:
    """Who learns from its rows and then changes something has chosen by them."""
    from layerwise.inspection import subject

    page = report.run(runs["two classes"]).read_text("utf-8")
    table = re.search(r'aria-label="worst mistakes">(.*?)</table>', page, re.DOTALL)
    assert table is not None
    rows = {int(row.replace(",", "")) for row in re.findall(r'<th scope="row">([\d,]+)</th>', table[1])}
    found = subject(runs["two classes"])
    assert rows and rows <= {int(row) + 1 for row in found.dataset.validation}


def test_a_run_that_was_ended_early_promises_no_repetition(tmp_path: Path) -> None:
    recipe = {"data": {"kind": "toy", "name": "moons"}, "train": {"epochs": 10**6, "patience": 0}}
    with Run(recipe, out=tmp_path / "run") as run:
        for _ in zip(run, range(3), strict=False):
            pass
    page = report.run(run.folder).read_text("utf-8")
    assert run.status == "interrupted" and "bit by bit" not in page and "ended before its time" in page


def test_writing_it_touches_no_test_part_again(runs: dict[str, Path]) -> None:
    log = (runs["classes"] / "events.jsonl").read_bytes()
    report.run(runs["classes"])
    assert (runs["classes"] / "events.jsonl").read_bytes() == log


def test_what_is_no_run_is_refused(runs: dict[str, Path], tmp_path: Path) -> None:
    for source in ("xor", runs["classes"] / "model.safetensors"):
        with pytest.raises(RunError, match="written from its folder"):
            report.run(source)
    with pytest.raises(RunError):
        report.run(tmp_path)
    (tmp_path / "recipe.toml").write_text('data = { kind = "toy", name = "xor" }')
    with pytest.raises(LayerwiseError, match="once it has a model"):
        report.run(tmp_path)
