"""Around a solution: the plane of its path or a random one, and what is said of them."""

from pathlib import Path
from typing import Any

import pytest
from numpy.testing import assert_array_equal

from layerwise.inspection import Retraining, has_path, landscapes, needed, subject, surroundings
from layerwise.inspection.samples import flat
from layerwise.training.run import Run

# Data, network and batches of test_trajectories.py, whose compiled programs serve here, too.
TRAIN: dict[str, Any] = {"batch_size": 16, "dropout": 0.2}
MOONS: dict[str, Any] = {
    "data": {"kind": "toy", "name": "moons", "n": 120, "noise": 0.3},
    "network": {"kind": "mlp", "hidden": [6]},
    "train": {**TRAIN, "epochs": 4, "optimizer": "sgd"},
}


@pytest.mark.parametrize("path", [True, False])
def test_the_plane_is_the_path_s_where_one_was_kept(path: bool) -> None:
    found = subject(MOONS)
    training = Retraining(found, path=path)
    for _ in training:
        pass
    around = surroundings(found, training)
    assert around.landscape.directions == ("path" if path else "random")
    assert len(around.landscape.path) == (5 if path else 0)
    assert around.landscape.loss == around.curvature.loss != surroundings(found).landscape.loss
    assert any("Gradient descent at a learning rate" in note for note in around.notes)


def test_a_large_network_has_fewer_points_and_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    found = subject(MOONS)
    monkeypatch.setattr(landscapes, "WORK", 1.0)
    monkeypatch.setattr(landscapes, "LEAST_ROWS", 10)
    around = surroundings(found)
    assert around.landscape.losses.shape == (21, 21) and around.landscape.examples == 10
    assert f"Measured on 10 of {found.dataset.train.size} training rows, evenly spread." in around.notes


def test_what_training_says_comes_first() -> None:
    found = subject({**MOONS, "train": {**TRAIN, "epochs": 12, "optimizer": "sgd", "learning_rate": 1e30}})
    training = needed(found, path=False)
    assert training is not None
    for _ in training:
        pass
    assert surroundings(found, training).notes[0].startswith("Training diverged")


def test_who_has_a_path(tmp_path: Path) -> None:
    with Run({**MOONS, "train": {**TRAIN, "epochs": 50, "time_limit": "1ms"}}, out=tmp_path / "cut") as run:
        for _ in run:
            pass
    cut = subject(run.folder)
    assert has_path(subject(MOONS)) and not has_path(subject("xor-by-hand")) and not has_path(cut)
    around = surroundings(cut)
    assert around.landscape.directions == "random" and around.landscape.parameters == flat(cut.network).size
    assert_array_equal(around.landscape.xs, around.landscape.ys)
