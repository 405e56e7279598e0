"""The page of a loss surface, in a browser; and its sentences."""

import re
import sys
from pathlib import Path

import numpy as np

from layerwise.inspection import Minima, Retraining, Starts, curvature, landscape, minima, path_plane, sample, subject
from layerwise.report.landscapes import MOST_BASINS, basins, stuck
from layerwise.report.landscapes import landscape as written

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from browser import browse


def ended(losses: list[float], bound: float, constant: float = 0.69) -> Minima:
    values = np.array(losses)
    numbers = np.arange(values.size)
    return Minima("accuracy", values, values, np.ones(values.size), numbers, values > bound, constant, bound)


def test_a_browser_draws_all_of_it(tmp_path: Path) -> None:
    found = subject({"data": {"kind": "toy", "name": "moons", "n": 80}, "train": {"epochs": 3}})
    training, starts = Retraining(found), Starts(found, 3)
    for work in (training, starts):
        for _ in work:
            pass
    end, rows = training.trajectory, sample(found)
    seen = landscape(end.network, found.objective, rows, path_plane(end))
    curved = curvature(end.network, found.objective, rows)
    many = minima(starts.networks, found.objective, rows, sample(found, "validation"))
    page = tmp_path / "page.html"
    page.write_bytes(written("<b>moons</b>", seen, curved, many, ["A note."]))
    looked = browse(page, tmp_path, 400)
    assert looked.complaints == [] and looked.asked == set()
    assert len(re.findall(r'<div id="(figure-\d+)"[^>]*class="js-plotly-plot"', looked.dom)) == 3
    assert "<b>moons" not in page.read_text("utf-8") and "A note." in looked.dom


def test_how_many_are_stuck() -> None:
    assert stuck(ended([0.01, 0.3, 0.4, 0.02], 0.07)).startswith("2 of 4 starts end far off, stuck or not done (50%;")
    assert stuck(ended([0.01, 0.3], 0.07)).startswith("1 of 2 starts ends far off")
    assert stuck(ended([0.01] * 100, 0.07)).startswith("None of 100 starts gets stuck (95% interval 0% to 3.6%)")
    assert "None of 2 starts came below 0.69" in stuck(ended([0.8, 0.9], 0.69))


def test_the_many_last_basins_are_one_row() -> None:
    heading, rows = basins(ended([0.01 * n for n in range(1, MOST_BASINS + 6)], 0.07))
    assert heading[:2] == ["basin", "starts"] and len(rows) == MOST_BASINS + 1
    assert rows[-1][:2] == ["5 more", "5"] and rows[0][-1] == "" and rows[9][-1] == "far off"
