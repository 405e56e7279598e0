"""Intervals with a formula: as SciPy has them, and by their definition."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from layerwise.tasks.intervals import exact, mean_within, wilson


@pytest.mark.parametrize(("count", "of"), [(0, 10), (10, 10), (3, 10), (47, 60), (1, 1)])
def test_shares_are_as_scipy_has_them(count: int, of: int) -> None:
    found, known = exact(count, of), binomtest(count, of).proportion_ci(0.95, "exact")
    assert (found.low, found.high) == pytest.approx((known.low, known.high))
    low, high = wilson(np.array([count / of]), np.array([of]))
    known = binomtest(count, of).proportion_ci(0.95, "wilson")
    assert (low[0], high[0]) == pytest.approx((known.low, known.high), abs=1e-7)


@given(st.integers(1, 10_000), st.floats(0, 1))
def test_wilson_holds_the_share(rows: int, share: float) -> None:
    low, high = wilson(np.array([share]), np.array([rows]))
    assert 0 <= low[0] <= share <= high[0] <= 1


def test_a_mean_is_cut_off_where_its_metric_cannot_be() -> None:
    found = mean_within("accuracy", [0.9, 1.0, 1.0], 3**-0.5)
    assert found.high == 1 and found.low < found.value < 1
    assert mean_within("", [0.9, 1.0, 1.0], 3**-0.5).high > 1
