"""The pages of the over-fitting laboratory and of decision surfaces, in a browser."""

import re
import sys
from pathlib import Path

import pytest

from layerwise.inspection import overfit, subject, surface
from layerwise.report.decision import decision, facts
from layerwise.report.overfitting import findings, method, overfitting

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from browser import browse

MOONS = {
    "data": {"kind": "toy", "name": "moons", "n": 80, "noise": 0.3},
    "network": {"kind": "mlp", "hidden": [4, 3]},
    "train": {"epochs": 3, "l2": 0.1},
}


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A page of each kind."""
    folder, found = tmp_path_factory.mktemp("pages"), subject(MOONS)
    cures = overfit(found.recipe, found.objective, found.dataset, 2)
    seen = surface(found.network, found.objective, found.dataset, units=True)
    written = {"cures": overfitting("<b>moons</b>", cures), "surface": decision("moons", seen)}
    for name, content in written.items():
        (folder / f"{name}.html").write_bytes(content)
    return {name: folder / f"{name}.html" for name in written}


@pytest.mark.parametrize(("name", "figures"), [("cures", 7), ("surface", 3)])
def test_a_browser_draws_all_of_it(pages: dict[str, Path], tmp_path: Path, name: str, figures: int) -> None:
    seen = browse(pages[name], tmp_path, 400)
    assert seen.complaints == [] and seen.asked == set()
    drawn = re.findall(r'<div id="(figure-\d+)"[^>]*class="js-plotly-plot"', seen.dom)
    assert len(drawn) == figures
    assert pages[name].stat().st_size < 6_000_000


def test_names_are_text_not_markup(pages: dict[str, Path]) -> None:
    assert "<b>moons" not in pages["cures"].read_text("utf-8")


def test_what_is_judged_is_said() -> None:
    found = subject(MOONS)
    cures = overfit(found.recipe, found.objective, found.dataset, 2)
    assert [words for words in method(cures) if "L2 0.1" in words]
    assert f"the other {cures.rows['judging']} judge" in method(cures)[0]
    assert all(words[0].isupper() and words.endswith(".") for words in findings(cures))
    seen = surface(found.network, found.objective, found.dataset)
    assert facts(seen) == {
        "points": "48 training rows and 16 validation rows; the test part is left out",
        "fidelity": "100.0% of these rows are decided on the plane as by their own inputs",
    }
