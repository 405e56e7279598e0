"""Axes, words and colors of figures."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from layerwise.plots import style
from layerwise.plots.style import Scale
from layerwise.tuning.picture import SearchedAxis

FINITE = st.floats(-1e6, 1e6)


def test_losses_that_differ_much_are_logarithmic() -> None:
    scale = Scale([0.1, 1.0, 10.0], 1)
    assert scale.log and scale.axis["type"] == "log"
    assert 10 ** scale.ends[0] < 0.1 and 10 ** scale.ends[1] > 10
    assert not Scale([0.5, 1.0], 1).log
    assert not Scale([0.1, 10.0], -1).log  # an accuracy
    assert not Scale([0.0, 10.0], 1).log  # zero has no place on a logarithmic axis


def test_one_value_far_out_does_not_stretch_the_axis() -> None:
    scale = Scale([0.91, 0.92, 0.93, 0.94, -1e8], -1)
    assert scale.ends[0] > 0.8
    assert scale.beyond(-1e8) and not scale.beyond(0.91)
    assert scale.place(-1e8) == scale.place(None) == scale.place(math.nan) == scale.worst


@given(st.lists(FINITE, max_size=20), st.sampled_from([1, -1]))
def test_everything_has_a_place_on_the_axis(values: list[float], sign: int) -> None:
    scale = Scale(values, sign)
    low, high = scale.ends
    assert low < high
    for value in [*values, None]:
        placed = scale.place(value)
        at = math.log10(placed) if scale.log else placed
        assert low - 1e-9 * abs(low) <= at <= high + 1e-9 * abs(high)
    if values:
        best = min(values, key=lambda value: sign * value)
        assert scale.place(best) == best


def test_axes_of_settings() -> None:
    log = style.searched(SearchedAxis("a", "log", 1e-4, 1e-1))
    assert log["type"] == "log" and log["tickvals"] == [1e-4, 1e-3, 1e-2, 1e-1]
    assert "type" not in style.searched(SearchedAxis("a", "linear", 0.0, 0.5))
    choices = style.searched(SearchedAxis("a", "choice", choices=([64], [128, 64], "<b>")))
    assert choices["ticktext"] == ["64", "128, 64", "&lt;b&gt;"]


@given(st.floats(1e-9, 1e9), st.floats(1.001, 1e12))
def test_ticks_stand_between_the_ends(low: float, times: float) -> None:
    ticks = style.log_ticks(low, low * times, fine=99.0)
    assert all(low * 0.99 <= tick <= low * times * 1.01 for tick in ticks)
    assert len(ticks) <= 12 and ticks == sorted(ticks)


@pytest.mark.parametrize(
    ("value", "words"),
    [(True, "true"), ([], "none"), (3, "3"), ({"kind": "adam", "beta1": 0.8}, "adam beta1 0.8"), ("cosine", "cosine")],
)
def test_values_in_words(value: object, words: str) -> None:
    assert style.value_of(value) == words


def test_every_color_has_its_dark_one() -> None:
    used = {style.PAPER, style.LINE, style.EDGE, style.INK, style.INK2, style.INK3, *style.RAMP, "#ffffff"}
    assert used <= set(style.DARK)
    assert not set(style.DARK.values()) & {style.PAPER, style.INK}
