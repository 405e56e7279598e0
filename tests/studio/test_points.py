"""Features of points in the Studio, and figures that become points drawn by hand."""

from typing import Any, get_args

import numpy as np
import pytest

from layerwise.errors import LayerwiseError
from layerwise.recipe import records as r
from layerwise.studio.games.session import Session
from layerwise.studio.games.settings import changed
from layerwise.studio.picture import drawing, frames
from layerwise.training import padded
from layerwise.training.forward import Forward

SMALL: dict[str, Any] = {
    "data": {"kind": "toy", "name": "moons", "n": 60, "noise": 0.1, "split": {"kind": "random"}},
    "network": {"kind": "mlp", "hidden": [3], "activation": "tanh"},
    "train": {"epochs": 100_000, "batch_size": 10, "optimizer": "sgd", "patience": 0},
}


def test_features_are_the_inputs_and_the_points_stay_where_they_are() -> None:
    session = Session(SMALL)
    before = session.scene()
    session.change(changed(session.recipe, "data.features", ["x2", "x1*x2", "sin(3*x1)"]))
    after = session.scene()
    assert after["inputs"] == ["x2", "x1*x2", "sin(3*x1)"] and before["inputs"] == ["x1", "x2"]
    assert after["points"] == before["points"] and after["reach"] == before["reach"]
    session.advance(25)
    *_, sections = frames.unpacked(session.frame()())
    ends = np.linspace(-session.reach, session.reach, 64, dtype=np.float32)
    network = padded.unpack(session.timeline.state.now.parameters, session.network)
    x1, x2 = float(ends[10]), float(ends[50])
    x = np.array([[x2, x1 * x2, np.sin(3 * x1)]], np.float32)
    np.testing.assert_allclose(sections["surface"][50, 10], Forward(network)(x)[0], atol=1e-5)


def test_all_features_fit_in_and_nothing_compiles(compiled: list[str]) -> None:
    session = Session(SMALL)
    session.advance(5)
    session.frame()()
    before = len(compiled)
    session.change(changed(session.recipe, "data.features", list(get_args(r.Feature))))
    session.advance(5)
    session.frame()()
    assert len(compiled) == before and session.timeline.step == 5


def test_pictures_are_the_features_over_the_square() -> None:
    session = Session(SMALL)
    session.change(changed(session.recipe, "data.features", list(get_args(r.Feature))))
    shown = [np.array(each).reshape(16, 16) for each in session.scene()["pictures"]]
    ends = np.linspace(-session.reach, session.reach, 64)[2::4]
    x1, x2 = np.meshgrid(ends, ends)
    for picture, wanted in zip(shown, (x1, x2, x1**2, x2**2, x1 * x2, np.sin(3 * x1), np.sin(3 * x2)), strict=True):
        np.testing.assert_allclose(picture, wanted / np.abs(wanted).max(), atol=0.006)


@pytest.mark.parametrize("name", get_args(r.ToyName))
def test_a_figure_becomes_drawn_points_in_their_parts(name: str) -> None:
    session = Session(SMALL)
    session.change(changed(session.recipe, "data.name", name))
    session.change(changed(session.recipe, "data.features", ["x1", "x2^2"]))
    made, before = session.dataset, session.scene()
    session.change(drawing.drawn(session.recipe, session.dataset))
    drawn, after = session.dataset, session.scene()
    for part in ("train", "validation", "test"):
        assert np.array_equal(made.part(part), drawn.part(part))
    np.testing.assert_allclose(drawn.x, made.x, atol=0.01)
    assert after["names"] == before["names"] and after["kind"] == before["kind"] and after["reach"] == before["reach"]
    np.testing.assert_allclose(after["points"]["train"], before["points"]["train"], atol=0.0006)
    assert drawing.drawn(session.recipe, drawn) is session.recipe
    session.advance(10)
    assert session.timeline.step == 10


def test_the_view_stays_while_points_are_drawn_and_grows_where_it_has_to() -> None:
    session = Session(SMALL)
    session.change(drawing.drawn(session.recipe, session.dataset))
    reach, points = session.reach, session.scene()["recipe"]["data"]["points"]
    session.change(changed(session.recipe, "data.points", points[:20]))
    assert session.reach == reach
    session.change(changed(session.recipe, "data.points", [*points, [reach, -reach, 1]]))
    assert session.reach == reach
    session.change(changed(session.recipe, "data.points", [*points, [2 * reach, 0, 1]]))
    assert session.reach > 2 * reach


def test_only_figures_become_drawn_points() -> None:
    session = Session({**SMALL, "data": {"kind": "named", "name": "iris"}})
    with pytest.raises(LayerwiseError, match="the points of a figure"):
        drawing.drawn(session.recipe, session.dataset)
