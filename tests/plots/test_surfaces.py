"""The picture of search methods over a true surface."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from layerwise import plots
from layerwise.tuning.picture import SearchedAxis, picture
from layerwise.tuning.surface import Surface

Invent = Callable[..., Path]
X, Y = "train.learning_rate", "train.dropout"


def made(monitor: str = "loss") -> Surface:
    """The learning rate matters, dropout hardly."""
    xs, ys = [1e-4, 1e-3, 1e-2], [0.0, 0.5]
    values = np.array([[[1.0], [0.1], [0.2]], [[1.1], [0.11], [0.22]]])
    return Surface(monitor, SearchedAxis(X, "log", 1e-4, 1e-2), SearchedAxis(Y, "linear", 0.0, 0.5), xs, ys, values)


def drawn(figure: Any, axis: str) -> list[Any]:
    return [trace for trace in figure.data if trace.xaxis == axis]


def test_points_stand_where_their_settings_are(invent: Invent) -> None:
    settings = [{X: 1e-3, Y: 0.25}, {X: 10**-2.5, Y: 0.5}]
    figure = plots.surface(made(), {"random": invent([0.3, 0.4], settings=settings)})
    ground, points = drawn(figure, "x")
    assert list(ground.x) == pytest.approx([0, 0.5, 1]) and list(ground.y) == [0, 1]
    assert points.x.tolist() == pytest.approx([0.5, 0.75]) and points.y.tolist() == [0.5, 1]


def test_the_margins_share_a_scale_and_better_is_higher(invent: Invent) -> None:
    figure = plots.surface(made(), {"grid": invent([0.3], settings=[{X: 1e-3, Y: 0.0}])})
    along_x, on_x = drawn(figure, "x2")
    along_y, on_y = drawn(figure, "x3")
    assert np.argmax(along_x.y) == 1 and on_x.y[0] == pytest.approx(along_x.y[1])
    assert np.ptp(along_y.x) < 0.1 * np.ptp(along_x.y)
    assert on_y.x[0] == pytest.approx(along_y.x[0])
    assert figure.layout.yaxis2.range == figure.layout.xaxis3.range


def test_for_an_accuracy_too(invent: Invent) -> None:
    figure = plots.surface(made("accuracy"), {"mine": picture(invent([0.5], monitor="accuracy"))})
    ground, _ = drawn(figure, "x")
    assert np.asarray(ground.z).max() == pytest.approx(1.1)
    assert "mine" in figure.layout.annotations[0].text


def test_a_heading_counts_the_places_of_the_axis_that_matters(invent: Invent) -> None:
    grid = [{X: x, Y: y} for x in (1e-4, 1e-2) for y in (0.0, 0.5)]
    random = [{X: 10 ** -(2 + n / 3), Y: n / 8} for n in range(4)]
    figure = plots.surface(
        made(),
        {
            "grid": invent([1, 2, 3, 4], "grid", settings=grid),
            "random": invent([1, 2, 3, 4], "random", settings=random),
        },
    )
    texts = [annotation.text for annotation in figure.layout.annotations]
    assert "Grid" in texts[0] and "4 trials, 2 values of learning rate; best 1" in texts[0]
    assert "Random" in texts[1] and "4 values of learning rate" in texts[1]


@pytest.mark.parametrize("count", range(5))
def test_panels_do_not_overlap(invent: Invent, count: int) -> None:
    path = invent([0.5, None], settings=[{X: 1e-3, Y: 0.1}, {X: 1e-2, Y: 0.1}])
    figure = plots.surface(made(), {str(n): path for n in range(count)})
    layout = figure.layout.to_plotly_json()
    numbers = [str(n) if n > 1 else "" for n in range(1, 3 * max(1, count) + 1)]
    boxes = [(*layout[f"xaxis{n}"]["domain"], *layout[f"yaxis{n}"]["domain"]) for n in numbers]
    for place, (left, right, low, high) in enumerate(boxes):
        assert 0 <= left < right <= 1 and 0 <= low < high <= 1
        for other in boxes[:place]:
            assert other[1] <= left or right <= other[0] or other[3] <= low or high <= other[2]


def test_choices_and_a_flat_surface(invent: Invent) -> None:
    hidden = SearchedAxis("network.hidden", "choice", choices=([4], [8, 8]))
    flat = Surface("loss", hidden, SearchedAxis(Y, "linear", 0.0, 0.5), [[4], [8, 8]], [0.0, 0.5], np.ones((2, 2, 1)))
    figure = plots.surface(flat, {})
    assert figure.layout.xaxis.ticktext == ("4", "8, 8")
    assert len(figure.data) == 3  # the surface and its margins
