"""What a frame says of the rows that are held out."""

from typing import Any

import numpy as np
import pytest

from layerwise.studio.games.session import Session
from layerwise.studio.games.settings import changed
from layerwise.studio.picture import frames
from layerwise.tasks.intervals import wilson
from layerwise.training import padded
from layerwise.training.forward import Forward

TRAIN: dict[str, Any] = {"epochs": 10**9, "batch_size": 10, "optimizer": "adam", "patience": 0}


def trained(data: dict[str, Any], steps: int = 60) -> Session:
    session = Session({"data": data, "network": {"kind": "mlp", "hidden": [4]}, "train": TRAIN})
    session.advance(steps)
    return session


def sections(session: Session) -> dict[str, np.ndarray]:
    return frames.unpacked(session.frame()())[2]


def by_hand(session: Session, part: str) -> tuple[np.ndarray, np.ndarray]:
    """Targets and outputs of a part, by the plain network."""
    rows = session.dataset.part(part)
    network = padded.unpack(session.timeline.parameters, session.network)
    return session.dataset.y[rows], np.asarray(Forward(network)(session.dataset.x[rows]))


@pytest.mark.parametrize(
    "data", [{"kind": "toy", "name": "moons", "n": 90, "noise": 0.2}, {"kind": "named", "name": "iris"}]
)
def test_the_confusion_is_of_the_validation_rows(data: dict[str, Any]) -> None:
    session = trained(data)
    y, outputs = by_hand(session, "validation")
    taken = outputs.argmax(axis=1) if outputs.shape[1] > 1 else (outputs[:, 0] > 0).astype(int)
    found = sections(session)
    classes = len(session.scene()["names"])
    assert found["confusion"].shape == (classes, classes) and "fit" not in found
    for is_, said in np.ndindex(classes, classes):
        assert found["confusion"][is_, said] == ((y == is_) & (taken == said)).sum()
    share = np.array([(taken == y).mean()])
    expected = [share, *wilson(share, np.array([y.size]))]
    np.testing.assert_allclose(found["score"], np.array(expected).T, rtol=1e-6)


def test_a_quantity_is_shown_beside_what_was_said_in_its_unit() -> None:
    session = trained({"kind": "toy", "name": "plane", "n": 200, "noise": 0.2}, steps=20)
    y, outputs = by_hand(session, "validation")
    target: Any = session.dataset.target
    found = sections(session)
    np.testing.assert_allclose(found["fit"][:, 0], target.in_units(y)[:, 0], rtol=1e-5)
    np.testing.assert_allclose(found["fit"][:, 1], target.in_units(outputs)[:, 0], rtol=1e-4)
    value, low, high = found["score"][0]
    residual = found["fit"][:, 0] - found["fit"][:, 1]
    assert value == pytest.approx(
        1 - (residual**2).sum() / ((y - y.mean()) ** 2).sum() / target.scale[0] ** 2, rel=1e-3
    )
    assert low < value < high


def test_the_test_part_is_shown_by_request_and_counted() -> None:
    session = trained({"kind": "toy", "name": "circle", "n": 100})
    assert len(sections(session)["score"]) == 1 and session.scene()["points"]["test"] == []
    for _ in range(2):
        session.test(True)
    assert session.scene()["tested"] == {"rows": 20, "times": 1, "shown": True}
    assert [row for row, *_ in session.scene()["points"]["test"]] == session.dataset.test.tolist()
    assert len(sections(session)["score"]) == 2
    session.test(False)
    session.test(True)
    session.reset()
    session.change(changed(session.recipe, "network.hidden", [3]))
    assert session.scene()["tested"]["times"] == 2
    session.change(changed(session.recipe, "seed", 5))  # other rows
    assert session.scene()["tested"] == {"rows": 20, "times": 0, "shown": False}


def test_nothing_held_out_is_nothing_known() -> None:
    session = trained({"kind": "toy", "name": "xor", "n": 4, "split": {"kind": "none"}}, steps=3)
    assert np.isnan(sections(session)["score"]).all() and sections(session)["confusion"].sum() == 0


@pytest.mark.parametrize(("noise", "copied"), [(0.0, True), (0.1, False)])
def test_copies_of_training_points_are_told(noise: float, copied: bool) -> None:
    """XOR without noise has four places: what is held out was trained on."""
    data = {"kind": "toy", "name": "xor", "n": 100, "noise": noise, "split": {"kind": "stratified"}}
    assert trained(data, 1).scene()["copied"] is copied
