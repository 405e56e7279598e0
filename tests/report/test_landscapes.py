"""The sentences on the page of a loss surface."""

import numpy as np

from layerwise.inspection import Minima
from layerwise.report.landscapes import MOST_BASINS, basins, stuck


def ended(losses: list[float], bound: float, constant: float = 0.69) -> Minima:
    values = np.array(losses)
    numbers = np.arange(values.size)
    return Minima("accuracy", values, values, np.ones(values.size), numbers, values > bound, constant, bound)


def test_how_many_are_stuck() -> None:
    assert stuck(ended([0.01, 0.3, 0.4, 0.02], 0.07)).startswith("2 of 4 starts end far off, stuck or not done (50%;")
    assert stuck(ended([0.01, 0.3], 0.07)).startswith("1 of 2 starts ends far off")
    assert stuck(ended([0.01] * 100, 0.07)).startswith("None of 100 starts gets stuck (95% interval 0% to 3.6%)")
    assert "None of 2 starts came below 0.69" in stuck(ended([0.8, 0.9], 0.69))


def test_the_many_last_basins_are_one_row() -> None:
    heading, rows = basins(ended([0.01 * n for n in range(1, MOST_BASINS + 6)], 0.07))
    assert heading[:2] == ["basin", "starts"] and len(rows) == MOST_BASINS + 1
    assert rows[-1][:2] == ["5 more", "5"] and rows[0][-1] == "" and rows[9][-1] == "far off"
