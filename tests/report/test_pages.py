"""Every page that this project writes, in a browser: on a wide window and on a telephone."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from browser import Browsed, browse

from layerwise import report
from layerwise.inspection import (
    KINDS,
    Retraining,
    Starts,
    Subject,
    activation,
    activations,
    backprop,
    diagnose,
    gradcheck,
    in_own_unit,
    miniature,
    minima,
    overfit,
    sample,
    subject,
    summary,
    surface,
    surroundings,
    update,
)
from layerwise.inspection.curves import zones
from layerwise.nets.build import layout
from layerwise.report import activations as units
from layerwise.report import backprop as sheets
from layerwise.report import summaries
from layerwise.report.decision import decision
from layerwise.report.diagnoses import diagnosis
from layerwise.report.gradients import gradients
from layerwise.report.landscapes import landscape as surrounded
from layerwise.report.overfitting import overfitting
from layerwise.training.run import Run

NAME = "<b>moons</b> & a name that is long enough to need another line on a telephone"
MOONS: dict[str, Any] = {
    "data": {"kind": "toy", "name": "moons", "n": 80, "noise": 0.3},
    "network": {"kind": "mlp", "hidden": [4, 3]},
    "train": {"epochs": 3, "l2": 0.1},
}
FIGURES = {  # how many each page has
    "summary": 0,
    "backprop": 0,
    "gradcheck": 0,
    "activations": 4,
    "functions": len(KINDS),
    "diagnose": 0,
    "landscape": 3,
    "overfit": 7,
    "surface": 3,
    "run of classes": 7,
    "run of quantities": 4,
    "study": 8,
}


def inspected(found: Subject) -> dict[str, bytes]:
    """The pages of `layerwise inspect`, but for those that train."""
    train, task = found.recipe.train, found.recipe.task
    shapes = layout(found.recipe.network, inputs=2, outputs=1, codes=())
    rows = found.dataset.train[:2]
    x, y, weight = found.batch(rows)
    sheet = in_own_unit(backprop(found.network, x, y, found.objective, train, task, weight), found.dataset.target)
    small = miniature(found.network, found.objective)
    checked = gradcheck(small.network, small.x, small.y, small.objective, train, task, small.weight)
    seen = activations(found.network, found.objective, sample(found), update(found))
    kinds = zip(seen.layers, found.network.activations, strict=True)
    return {
        "summary": summaries.summary(summary(shapes, 2, train)),
        "backprop": sheets.backprop(NAME, sheets.facts(found, rows, sheet), sheet),
        "gradcheck": gradients(NAME, checked),
        "activations": units.layers(NAME, seen, {part.name: zones(kind) for part, kind in kinds}),
        "functions": units.functions([activation(kind) for kind in KINDS]),
        "diagnose": diagnosis(diagnose(found)),
        "surface": decision(NAME, surface(found.network, found.objective, found.dataset, units=True)),
    }


def trained(found: Subject) -> dict[str, bytes]:
    """The pages of `layerwise inspect` that train."""
    training, starts = Retraining(found), Starts(found, 3)
    for work in (training, starts):
        for _ in work:
            pass
    many = minima(starts.networks, found.objective, sample(found), sample(found, "validation"))
    cures = overfit(found.recipe, found.objective, found.dataset, 2)
    return {
        "landscape": surrounded(NAME, surroundings(found, training), many),
        "overfit": overfitting(NAME, cures),
    }


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory, inventing: Callable[..., Path]) -> dict[str, Path]:
    """A page of each kind."""
    folder, moons = tmp_path_factory.mktemp("pages"), subject(MOONS)
    places = {}
    for name, content in {**inspected(moons), **trained(moons)}.items():
        places[name] = folder / f"{name}.html"
        places[name].write_bytes(content)
    for name, data in (("run of classes", "digits"), ("run of quantities", "diabetes")):
        with Run({"data": {"kind": "named", "name": data}, "train": {"epochs": 1}}, out=folder / name) as run:
            for _ in run:
                pass
        places[name] = report.run(run)
    study = inventing(folder / "study", [0.5, None, 0.7, 0.3, 0.4], finals={4: [0.5, 0.6, 0.7], 0: [0.4, 0.5, 0.6]})
    places["study"] = report.study(study)
    return places


@pytest.fixture(scope="module")
def browsed(chromium: str, pages: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Browsed:
    """All of them at both widths, in one browser."""
    return browse(pages.values(), tmp_path_factory.mktemp("browser"))


@pytest.mark.parametrize("width", [1400, 400])
@pytest.mark.parametrize("name", FIGURES)
def test_a_browser_draws_all_of_it(pages: dict[str, Path], browsed: Browsed, name: str, width: int) -> None:
    """Every figure has its drawing, nothing is complained of, and the page does not scroll sideways."""
    seen = browsed.pages[pages[name], width]
    assert seen.complaints == []
    assert len(seen.placed) == FIGURES[name] and seen.drawn == seen.placed
    assert seen.words > 200 and seen.across <= seen.room


def test_nothing_is_asked_for(browsed: Browsed) -> None:
    assert browsed.asked == set()


def test_every_page_is_here(pages: dict[str, Path]) -> None:
    assert set(pages) == set(FIGURES)


@pytest.mark.parametrize("name", FIGURES)
def test_names_are_text_and_files_small(pages: dict[str, Path], name: str) -> None:
    page = pages[name].read_text("utf-8")
    assert "<b>moons" not in page and len(page) < 6_000_000


def test_the_browser_would_notice(chromium: str, tmp_path: Path) -> None:
    bad, well = tmp_path / "bad page.html", tmp_path / "well.html"
    placed = '<script type="application/json" id="figures">{"figure-1": {}}</script><div id="figure-1"></div>'
    loud = '<script>console.error("no"); missing();</script><img src="http://127.0.0.1:9/x.png">'
    bad.write_text(f'{loud}{placed}<div style="width: 1000px">wide</div>')
    well.write_text("<p>nothing</p>")
    browsed = browse([bad, well], tmp_path, [400])
    seen = browsed.pages[bad, 400]
    assert len(seen.complaints) >= 2 and seen.across > seen.room
    assert (seen.placed, seen.drawn) == (["figure-1"], [])
    assert browsed.asked == {"http://127.0.0.1:9/x.png"}
    assert browsed.pages[well, 400].complaints == []
