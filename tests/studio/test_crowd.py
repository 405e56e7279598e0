"""Many networks at once: each as if it were alone, in bounded memory, and told apart as `inspection.basins` does."""

from typing import Any

import jax
import msgspec
import numpy as np
import pytest

from layerwise.errors import RecipeError
from layerwise.inspection import basins, minima
from layerwise.inspection.samples import sample_of
from layerwise.recipe import Recipe, load
from layerwise.studio.games.crowd import LANES, Crowd
from layerwise.studio.games.session import Session
from layerwise.studio.games.settings import changed
from layerwise.studio.history.timeline import MEMORY
from layerwise.studio.picture import frames
from layerwise.tasks.objective import training_weights
from layerwise.training import padded

pytestmark = pytest.mark.usefixtures("compiled_as_for_users")  # many steps

RECIPE: dict[str, Any] = {
    "data": {"kind": "toy", "name": "xor", "n": 60, "noise": 0.1, "split": {"kind": "random", "validation": 0.3}},
    "network": {"kind": "mlp", "hidden": [3, 2], "activation": "tanh"},
    "train": {"epochs": 10**6, "batch_size": 10, "optimizer": "sgd", "learning_rate": 0.2, "patience": 0},
}


def recipe(**train: Any) -> Recipe:
    return load({**RECIPE, "train": {**RECIPE["train"], **train}})


def weights(session: Session) -> list[np.ndarray]:
    return [np.asarray(leaf) for leaf in jax.tree.leaves(session.timeline.state)]


def same(a: Session, b: Session) -> bool:
    return all(np.array_equal(x, y, equal_nan=True) for x, y in zip(weights(a), weights(b), strict=True))


def sections(crowd: Crowd) -> dict[str, np.ndarray]:
    return frames.unpacked(crowd.frame()())[2]


def said(crowd: Crowd) -> dict[str, Any]:
    found: dict[str, Any] = msgspec.json.decode(sections(crowd)["caption"].tobytes())
    return found


def test_each_is_as_if_it_were_alone() -> None:
    crowd = Crowd(recipe(), "start")
    for steps in (1, 30, 69):
        assert crowd.advance(steps) == steps
    crowd.change(changed(crowd.recipe, "train.l2", 0.01))
    crowd.advance(50)
    for lane in (0, 1, 17, 31):
        alone = Session(recipe(), start=lane)
        while alone.step < 100:
            alone.advance(100 - alone.step)
        alone.change(changed(alone.recipe, "train.l2", 0.01))
        alone.advance(50)
        assert same(crowd.members[lane], alone), lane
    first = [crowd.members[lane].timeline.parameters.weight for lane in (0, 1)]
    assert not np.array_equal(*first)


def test_the_first_one_is_the_recipe_itself_and_all_see_the_same_rows() -> None:
    crowd, alone = Crowd(recipe(), "start"), Session(recipe())
    crowd.advance(40)
    alone.advance(40)
    assert same(crowd.members[0], alone)
    assert all(member.dataset is crowd.base.dataset for member in crowd.members)


def test_learning_rates_lie_around_the_recipe_s_and_begin_with_the_same_weights() -> None:
    crowd = Crowd(recipe(), "rate")
    rates = crowd.scene()["values"]
    assert rates[LANES // 2] == 0.2 and rates[0] == 0.002 and rates == sorted(rates) and len(set(rates)) == LANES
    starts = {np.asarray(member.timeline.parameters.weight).tobytes() for member in crowd.members}
    assert len(starts) == 1
    crowd.advance(20)
    alone = Session(changed(recipe(), "train.learning_rate", rates[20]))
    alone.advance(20)
    assert same(crowd.members[20], alone)
    crowd.change(changed(crowd.recipe, "train.learning_rate", 0.1))
    assert crowd.step == 0 and crowd.scene()["values"][LANES // 2] == 0.1
    with pytest.raises(RecipeError, match="learning rate"):
        Crowd(recipe(learning_rate="find"), "rate")


def test_time_goes_back_and_on_to_the_same_bits_in_bounded_memory() -> None:
    crowd = Crowd(recipe(), "start")
    for _ in range(45):
        crowd.advance(3)
    there = [weights(member) for member in crowd.members]
    assert sum(member.timeline.nbytes for member in crowd.members) <= MEMORY
    crowd.seek(61)
    assert {member.step for member in crowd.members} == {61} and crowd.end == 135
    crowd.advance(74)
    for member, before in zip(crowd.members, there, strict=True):
        assert all(np.array_equal(a, b, equal_nan=True) for a, b in zip(weights(member), before, strict=True))
    crowd.seek(50)
    crowd.change(changed(crowd.recipe, "train.l1", 0.1))
    assert crowd.end == 50 and crowd.recipe.train.l1 == 0.1  # type: ignore[union-attr]
    crowd.advance(5)
    crowd.seek(20)
    assert crowd.recipe.train.l1 == 0  # type: ignore[union-attr]
    crowd.advance(40)  # a branch: the change lay ahead
    assert crowd.end == 60 and crowd.recipe.train.l1 == 0  # type: ignore[union-attr]


def test_good_and_bad_minima_are_those_of_inspection() -> None:
    crowd = Crowd(recipe(learning_rate=0.5), "start")
    crowd.advance(1001)  # not at the end of an epoch
    found = sections(crowd)
    base = crowd.base
    task, dataset = base.resolved.recipe.task, base.dataset
    samples = [
        sample_of(task, dataset, rows, training_weights(task, dataset)[rows])
        for rows in (dataset.train, dataset.validation)
    ]
    networks = [padded.unpack(member.timeline.parameters, member.network) for member in crowd.members]
    wanted = minima(networks, base.resolved.objective, *samples)
    assert np.array_equal(found["basins"][:, 1] > 0, wanted.stuck) and 0 < wanted.stuck.sum() < LANES
    assert found["losses"][:, 0] == pytest.approx(wanted.losses, rel=1e-4)
    assert found["losses"][:, 2] == pytest.approx(wanted.validation, rel=1e-4)
    assert np.array_equal(found["basins"][:, 0], wanted.basin)
    good, stuck = int((~wanted.stuck).sum()), int((found["basins"][:, 1] == 1).sum())
    assert stuck > 0
    assert said(crowd)["strong"].startswith(f"{good} in good minima, {stuck} stuck at ")
    assert basins.STUCK == 0.1  # what the sentence means


def test_stuck_is_said_only_of_who_has_stopped_falling() -> None:
    """A young network is above the bound, too; so is a slow one while it falls."""
    crowd = Crowd(recipe(learning_rate=0.5), "start")
    crowd.advance(3 * crowd.steps_per_epoch)
    young = sections(crowd)["basins"][:, 1]
    assert set(young.tolist()) == {0, 3}
    assert said(crowd)["rule"] == "young" and "stuck" not in said(crowd)["strong"]
    while crowd.step < 300 * crowd.steps_per_epoch:
        crowd.advance(300 * crowd.steps_per_epoch - crowd.step)
    states = sections(crowd)["basins"][:, 1]
    assert (states == 1).any() and "stuck at" in said(crowd)["strong"]
    for lane in np.flatnonzero(states == 1):
        losses = crowd.members[lane].timeline.curve.array()[-40:, 1]
        assert np.median(losses[:20]) - np.median(losses[20:]) < 0.05
    crowd.seek(3 * crowd.steps_per_epoch)  # as it was then, whatever is known of later
    assert np.array_equal(sections(crowd)["basins"][:, 1], young)


def test_one_that_halts_stays_and_the_others_go_on() -> None:
    plane = {**RECIPE, "data": {"kind": "toy", "name": "plane", "n": 60}}  # a quadratic loss has no bound
    plane["network"] = {"kind": "mlp", "hidden": [3], "activation": "relu"}
    crowd = Crowd(load({**plane, "train": {**RECIPE["train"], "learning_rate": 1}}), "rate")
    while crowd.step < 200:
        assert crowd.advance(200 - crowd.step)
    halted = [lane for lane, member in enumerate(crowd.members) if member.step < 200]
    assert 0 < len(halted) < LANES and crowd.status == "running"
    states = sections(crowd)["basins"][:, 1]
    assert [lane for lane in range(LANES) if states[lane] == 2] == halted
    crowd.change(changed(crowd.recipe, "train.l2", 0.001))
    crowd.advance(10)
    assert all(crowd.members[lane].step < 200 for lane in halted) and crowd.step == 210
    assert "halted" in said(crowd)["rest"]


def test_one_is_opened_with_its_history() -> None:
    crowd = Crowd(recipe(), "start")
    crowd.advance(30)
    opened = crowd.opened(7)
    assert opened.start == 7 and opened.recipe == crowd.recipe and same(opened, crowd.members[7])
    opened.advance(10)
    assert (opened.step, crowd.step) == (40, 30)
    opened.seek(5)
    alone = Session(recipe(), start=7)
    alone.advance(5)
    assert same(opened, alone) and opened.timeline.memory == MEMORY
    opened.reset()
    assert opened.start == 7 and same(opened, Session(recipe(), start=7))


def test_what_begins_anew_and_what_is_refused() -> None:
    crowd = Crowd(recipe(), "start")
    crowd.advance(10)
    crowd.change(changed(crowd.recipe, "network.hidden", [4]))
    assert crowd.step == 0 and sections(crowd)["surface"].shape == (LANES, 32, 32, 1)
    assert said(crowd)["rule"] == "initial"
    crowd.change(changed(crowd.recipe, "seed", 3))
    assert crowd.scene()["values"] == list(range(3, 3 + LANES)) and crowd.members[0].dataset is crowd.base.dataset
    before = crowd.recipe
    with pytest.raises(RecipeError):
        crowd.change(changed(crowd.recipe, "train.clip", 1.0))
    assert crowd.recipe == before
    digits = {"data": {"kind": "named", "name": "digits"}, "network": {"kind": "mlp", "hidden": [8]}}
    with pytest.raises(RecipeError, match="side by side"):
        Crowd(load({**digits, "train": {"batch_size": 32}}), "start")
