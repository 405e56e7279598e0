"""Rows evenly spread, and quantities in their own units."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from layerwise.data.dataset import Quantities, spread
from layerwise.data.target import standardized


@given(st.integers(0, 300), st.integers(2, 50))
def test_spread_rows_are_in_order_and_as_even_as_can_be(count: int, most: int) -> None:
    rows = 7 * np.arange(count)
    found = spread(rows, most)
    assert found.size == min(count, most) and np.isin(found, rows).all()
    if count > most:
        steps = np.diff(found) // 7
        assert found[0] == rows[0] and found[-1] == rows[-1]
        assert steps.min() > 0 and steps.max() - steps.min() <= 1


def test_units_are_those_before_standardizing() -> None:
    raw = np.array([[1.0, -2e6], [4.0, 3e6], [9.0, 5e6]])
    y, target = standardized(raw, ["a", "b"], np.arange(3), True)
    np.testing.assert_allclose(target.in_units(y), raw, rtol=1e-6)
    np.testing.assert_allclose(target.in_units(y[1]), raw[1], rtol=1e-6)


def test_large_units_are_kept_in_double_precision() -> None:
    target = Quantities(("second",), (1.7e9,), (1.0,))
    assert target.in_units(np.array([0.5], np.float32)).tolist() == [1_700_000_000.5]
