"""Figures of the loss around a solution: what is drawn is what was measured."""

import numpy as np
import pytest

from layerwise import plots
from layerwise.inspection import Curvature, Landscape, Minima
from layerwise.plots.landscapes import Heights


def bowl(path: bool = True, scale: float = 1.0, floor: float = 0.1) -> Landscape:
    xs, ys = np.linspace(-2, 3, 11), np.linspace(-1, 1, 9)
    losses = floor + scale * (xs[None] ** 2 + ys[:, None] ** 2)
    walked = np.array([[-2.0, 0.5], [-1.0, 0.2], [0.0, 0.0]]) if path else np.zeros((0, 2))
    return Landscape(
        "path" if path else "random",
        9,
        4,
        floor,
        xs,
        ys,
        losses,
        walked,
        np.arange(len(walked)),
        np.arange(len(walked), 0, -1) * 1.0,
        (0.9, 0.08) if path else (0.0, 0.0),
    )


def ended(losses: list[float], stuck: list[bool], validation: float = np.nan) -> Minima:
    count = len(losses)
    return Minima(
        "accuracy",
        np.array(losses),
        np.full(count, validation),
        np.ones(count),
        np.array([int(s) for s in stuck]),
        np.array(stuck),
        0.69,
        0.1,
    )


def test_the_surface_and_the_path_on_it() -> None:
    found = bowl()
    figure = plots.landscape(found)
    surface, path, solution = figure.data
    assert np.array_equal(surface.x, found.xs) and np.array_equal(surface.y, found.ys)
    assert surface.text[0][0] == f"{found.losses[0, 0]:.4g}"
    # The higher the loss, the lower in colors, so that the lowest is the bluest.
    assert np.array_equal(np.argsort(surface.z, axis=None), np.argsort(-found.losses, axis=None))
    assert np.array_equal(np.stack([path.x, path.y], axis=1), found.path)
    assert path.text[0].startswith("before training") and path.text[2].startswith("epoch 2")
    assert (solution.x[0], solution.y[0]) == (0, 0) and "0.1" in solution.hovertext
    assert "90.0%" in figure.layout.xaxis.title.text and "8.0%" in figure.layout.yaxis.title.text


def test_without_a_path() -> None:
    figure = plots.landscape(bowl(path=False))
    assert len(figure.data) == 2 and "random direction" in figure.layout.xaxis.title.text


@pytest.mark.parametrize(("scale", "floor"), [(0.0, 0.5), (0.0, 0.0), (1e9, 0.0), (1.0, 1e-9)])
def test_any_heights_are_drawn(scale: float, floor: float) -> None:
    found = bowl(scale=scale, floor=floor)
    found.losses[0, 0], found.losses[0, 1] = np.inf, np.nan
    surface = plots.landscape(found).data[0]
    z = np.asarray(surface.z, np.float64)
    assert np.isnan(z[0, :2]).all() and np.isfinite(z[1:]).all()
    assert surface.zmin < surface.zmax and surface.contours.size > 0
    inside = z[np.isfinite(z)]
    assert surface.zmin - 1e-9 <= inside.min() and inside.max() <= surface.zmax + 1e-9


def test_heights_are_losses_and_back() -> None:
    losses = np.array([0.01, 0.1, 3.0])
    heights = Heights(losses)
    assert heights.log and [heights.loss(h) for h in heights.of(losses)] == pytest.approx(losses.tolist())
    assert not Heights(np.array([1.0, 2.0])).log
    assert Heights(np.full(3, np.nan)).ends == (0.0, 1.0)


def test_the_cut_and_its_parabola() -> None:
    distances = np.linspace(-1, 1, 5)
    found = Curvature(4, 0.5, 0.1, 2.0, -0.1, 1e-6, True, 10, 0.1, distances, 0.5 + distances**2)
    loss, parabola, solution = plots.curvature(found).data
    assert np.array_equal(loss.y, found.losses)
    assert parabola.y == pytest.approx(0.5 + 0.1 * distances + distances**2)
    assert (solution.x[0], solution.y[0]) == (0, 0.5)


def test_a_mark_for_every_start() -> None:
    figure = plots.minima(ended([0.4, 0.01, 0.02, np.nan, 0.4], [True, False, False, True, True]))
    good, bad = figure.data
    assert good.x.tolist() == [1, 2] and list(good.y) == [0.01, 0.02]
    assert bad.x.tolist() == [3, 4, 5] and np.isfinite(bad.y).all()
    assert good.marker.symbol != bad.marker.symbol


def test_validation_losses_stand_beside() -> None:
    figure = plots.minima(ended([0.4, 0.01], [True, False], validation=0.5))
    assert [trace.name for trace in figure.data] == ["on the validation part", "trained well", "far off"]
    assert list(figure.data[0].y) == [0.5, 0.5]


def test_starts_that_are_all_alike() -> None:
    figure = plots.minima(ended([0.69] * 3, [False] * 3))
    assert len(figure.data) == 1 and len(figure.data[0].x) == 3
