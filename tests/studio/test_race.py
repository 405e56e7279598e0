"""Three searches on one surface: what they try, what it comes to, and the surface that they are on."""

import math
from typing import Any

import msgspec
import numpy as np
import pytest

from layerwise.errors import RecipeError
from layerwise.recipe import load
from layerwise.studio.games import race
from layerwise.studio.games.race import EPOCHS, TRIALS, Race
from layerwise.studio.games.session import Session
from layerwise.studio.games.settings import changed
from layerwise.studio.picture import frames

pytestmark = pytest.mark.usefixtures("compiled_as_for_users")  # many steps

RECIPE: dict[str, Any] = {
    "data": {"kind": "toy", "name": "moons", "n": 40, "split": {"kind": "random", "validation": 0.3}},
    "network": {"kind": "mlp", "hidden": [3], "activation": "tanh"},
    "train": {"epochs": 10**6, "batch_size": 10, "optimizer": "sgd", "learning_rate": 0.3, "patience": 0},
}


@pytest.fixture(scope="module")
def run() -> Race:
    """A race that was run to its end, its surface not begun."""
    found = Race(load(RECIPE), "train.l2", 0)
    while found.status == "running":
        one_more(found)
    return found


def one_more(found: Race) -> None:
    """A trial of each search, to its end."""
    while not found.advance(1):
        pass


def sections(found: Race) -> dict[str, np.ndarray]:
    return frames.unpacked(found.frame()())[2]


def said(found: Race) -> dict[str, Any]:
    words: dict[str, Any] = msgspec.json.decode(sections(found)["caption"].tobytes())
    return words


def alone(found: Race, trial: int) -> float:
    """What the settings of a trial come to by themselves."""
    session = found.opened(trial)
    end = EPOCHS * session.steps_per_epoch
    while session.step < end and session.advance(end - session.step):
        pass
    return float(np.nanmin(session.timeline.curve.array()[:, 3]))


def test_a_trial_is_its_recipe_trained_alone(run: Race) -> None:
    trials = sections(run)["trials"]
    for search, trial in ((0, 0), (0, 20), (1, 5), (2, 35)):
        if math.isfinite(trials[search, trial, 2]):
            assert alone(run, search * TRIALS + trial) == pytest.approx(trials[search, trial, 2], rel=1e-6)


def test_budgets_are_equal_and_the_best_so_far_only_falls(run: Race) -> None:
    found = sections(run)
    assert found["trials"].shape == (3, TRIALS, 3) and run.status == "finished" and run.end == run.step == TRIALS
    assert ((found["trials"][:, :, :2] >= 0) & (found["trials"][:, :, :2] <= 1)).all()
    assert len({round(float(x), 6) for x in found["trials"][0, :, 0]}) == 6
    assert len({round(float(x), 6) for x in found["trials"][1, :, 0]}) == TRIALS
    for search in range(3):
        values = found["trials"][search, :, 2]
        assert found["best"][search, -1] == np.nanmin(values)
        assert found["leaders"][search] == np.nanargmin(values)
        assert (np.diff(found["best"][search][np.isfinite(found["best"][search])]) <= 0).all()
    winner = int(np.argmin(found["best"][:, -1]))
    assert said(run)["strong"].lower().startswith(("the grid", "random", "bayesian")[winner])
    assert "6 learning rates, random draws 36" in said(run)["rest"]


def test_time_goes_by_trials_and_the_same_draws_find_the_same(run: Race) -> None:
    whole = sections(run)["trials"]
    run.seek(10)
    assert sections(run)["trials"].shape == (3, 10, 3) and run.status == "running"
    assert run.advance(5) == 1 and run.step == 11 and run.end == TRIALS
    again = Race(load(RECIPE), "train.l2", 0)
    for _ in range(14):
        one_more(again)
    assert np.array_equal(sections(again)["trials"], whole[:, :14], equal_nan=True)
    again.redraw(1)
    assert again.step == again.end == 0 and said(again)["rule"] == "initial"
    one_more(again)
    first = sections(again)["trials"][:, 0, :2]
    assert np.array_equal(first[0], whole[0, 0, :2]) and not np.array_equal(first[1], whole[1, 0, :2])
    run.seek(TRIALS)


def test_the_surface_is_what_its_settings_come_to(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(race, "LEVELS", 9)
    found = Race(load(RECIPE), "train.batch_size", 0)
    assert np.isnan(sections(found)["surface"]).all() and np.isnan(sections(found)["margins"]).all()
    while found._known < 4:
        found.work()
    first = sections(found)["surface"]
    assert np.isfinite(first).sum() > 40  # coarse at first
    while found.work():
        pass
    shown = sections(found)
    low, high = shown["losses"]
    row, column = 2, 6
    settings = {"train.learning_rate": found._xs[column], "train.batch_size": found._ys[row]}
    recipe = found.recipe
    for path, value in settings.items():
        recipe = changed(recipe, path, value)
    session = Session(recipe)
    end = EPOCHS * session.steps_per_epoch
    while session.step < end:
        session.advance(end - session.step)
    loss = float(np.nanmin(session.timeline.curve.array()[:, 3]))
    assert shown["surface"][row, column] == pytest.approx(math.log(loss / low) / math.log(high / low), abs=1e-4)
    assert np.isfinite(shown["margins"][0]).all()
    assert "explains" not in said(found)["rest"]  # before the first trial
    one_more(found)
    assert "alone explains" in said(found)["rest"]


def test_no_call_takes_long_however_long_a_trial_does(monkeypatch: pytest.MonkeyPatch) -> None:
    """A single row a batch, eleven thousand batches a trial: as many calls as it takes, and the same in the end."""
    slow = {**RECIPE, "data": {**RECIPE["data"], "n": 800}, "train": {**RECIPE["train"], "batch_size": 1}}
    monkeypatch.setattr(race, "SLICE", 0.001)
    found = Race(load(slow), "train.l2", 0)
    calls = 0
    while found.step < 1:
        found.advance(1)
        found.work()
        calls += 1
    assert calls > 2
    assert alone(found, 0) == pytest.approx(sections(found)["trials"][0, 0, 2], rel=1e-6)


def test_what_is_searched_is_chosen_and_refused_in_words() -> None:
    found = Race(load(RECIPE), "train.l2", 0)
    assert "train.optimizer.momentum" not in found.scene()["choices"]
    found.change(changed(found.recipe, "train.optimizer", {"kind": "momentum"}))
    assert "train.optimizer.momentum" in found.scene()["choices"] and found.step == 0
    for against in ("seed", "train.learning_rate"):
        with pytest.raises(RecipeError, match="another setting"):
            Race(load(RECIPE), against, 0)
    with pytest.raises(RecipeError, match="a trial that was made"):
        found.opened(0)
