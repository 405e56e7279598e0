"""Training again goes the same way: to the run's own weights, bit for bit, over the weights on the way."""

import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from layerwise.errors import LayerwiseError
from layerwise.inspection import Retraining, Trajectory, initial, subject, trajectories
from layerwise.inspection.samples import flat
from layerwise.inspection.trajectories import needed
from layerwise.training.events import Epoch
from layerwise.training.run import Run

MOONS: dict[str, Any] = {
    "data": {"kind": "toy", "name": "moons", "n": 120, "noise": 0.3},
    "network": {"kind": "mlp", "hidden": [6]},
    "train": {"epochs": 12, "batch_size": 16, "learning_rate": 0.03, "dropout": 0.2},
    "seed": 3,
}


def walked(source: Any) -> Trajectory:
    training = Retraining(subject(source))
    for _ in training:
        pass
    return training.trajectory


def trained(recipe: dict[str, Any], folder: Path) -> Run:
    with Run(recipe, out=folder) as run:
        for _ in run:
            pass
    return run


@pytest.mark.parametrize("patience", [0, 2])
def test_a_run_s_path_ends_at_its_weights(patience: int, tmp_path: Path) -> None:
    recipe = {**MOONS, "train": {**MOONS["train"], "patience": patience, "epochs": 30}}
    run = trained(recipe, tmp_path / "run")
    path = walked(tmp_path / "run")
    assert_array_equal(path.weights[-1], flat(run.model.network))
    assert_array_equal(path.weights[-1], flat(path.network))
    found = subject(tmp_path / "run")
    assert_array_equal(path.weights[0], flat(initial(found.recipe, found.objective, found.dataset)))
    assert_array_equal(path.epochs, np.arange(len(path.epochs)))
    # From the model file alone the end of training is not known, but found again.
    assert_array_equal(walked(run.model_path).weights, path.weights)


def test_a_recipe_is_trained_to_its_best_epoch(tmp_path: Path) -> None:
    run = trained(MOONS, tmp_path / "run")
    assert_array_equal(walked(MOONS).weights[-1], flat(run.model.network))


def test_the_weights_on_the_way_are_those_of_shorter_trainings() -> None:
    path = walked({**MOONS, "data": {**MOONS["data"], "split": "none"}})
    for epochs in (1, 5):
        shorter = {**MOONS, "data": {**MOONS["data"], "split": "none"}, "train": {**MOONS["train"], "epochs": epochs}}
        assert_array_equal(path.weights[epochs], walked(shorter).weights[-1])


def test_long_paths_are_thinned_evenly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trajectories, "SNAPSHOTS", 8)
    whole = {**MOONS, "data": {**MOONS["data"], "split": "none"}, "train": {**MOONS["train"], "epochs": 45}}
    path = walked(whole)
    steps = np.diff(path.epochs)
    assert path.epochs[0] == 0 and path.epochs[-1] == 45 and len(path.epochs) <= 10
    assert (steps[:-1] == steps[0]).all() and 0 < steps[-1] <= steps[0]


def test_weights_by_hand_go_no_way() -> None:
    with pytest.raises(LayerwiseError, match="--directions random"):
        Retraining(subject("xor-by-hand"))


def test_a_network_too_large_to_keep(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trajectories, "MOST_BYTES", 300)
    with pytest.raises(LayerwiseError, match="25 parameters"):
        Retraining(subject(MOONS))


def test_a_training_that_diverges_has_a_path_of_what_was_sound() -> None:
    path = walked({**MOONS, "train": {**MOONS["train"], "optimizer": "sgd", "learning_rate": 1e30}})
    assert np.isfinite(path.weights).all() and path.epochs[-1] == 0


def test_random_directions_keep_no_weights_on_the_way(monkeypatch: pytest.MonkeyPatch) -> None:
    """So a network of any size is trained for them, to the same weights."""
    path = walked(MOONS)
    monkeypatch.setattr(trajectories, "MOST_BYTES", 300)
    training = Retraining(subject(MOONS), path=False)
    assert [event for event in training if isinstance(event, Epoch)]
    assert_array_equal(flat(training.network), path.weights[-1])
    assert training.notes == ()


@pytest.mark.parametrize("path", [False, True])
def test_a_time_limit_holds_and_is_told(path: bool) -> None:
    training = Retraining(subject({**MOONS, "train": {**MOONS["train"], "time_limit": "1ms"}}), path=path)
    for _ in training:
        time.sleep(0.002)
    assert training.trainer.epochs_done < training.end and training.trainer.status == "running"
    assert len(training.notes) == 1 and "time limit of 1ms" in training.notes[0]


def test_divergence_is_told() -> None:
    ill = {**MOONS, "train": {**MOONS["train"], "optimizer": "sgd", "learning_rate": 1e30}}
    training = needed(subject(ill), path=False)
    assert training is not None
    for _ in training:
        pass
    assert np.isfinite(flat(training.network)).all() and "diverged" in training.notes[0]


def test_what_is_trained_already_needs_no_training(tmp_path: Path) -> None:
    run = trained(MOONS, tmp_path / "run")
    assert needed(subject(run.folder), path=False) is None and needed(subject("xor-by-hand"), path=False) is None
    again = needed(subject(run.folder), path=True)
    assert again is not None and again.path
