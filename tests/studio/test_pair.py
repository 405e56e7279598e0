"""Two settings side by side: each as if it were alone, and the very step at which their weights part."""

from typing import Any

import jax
import msgspec
import numpy as np
import pytest

from layerwise.errors import RecipeError
from layerwise.recipe import Recipe, load
from layerwise.studio import protocol as p
from layerwise.studio.games.choice import Games
from layerwise.studio.games.pair import APART, Pair
from layerwise.studio.games.session import Session
from layerwise.studio.games.settings import changed
from layerwise.studio.picture import frames

RECIPE: dict[str, Any] = {
    "data": {"kind": "toy", "name": "moons", "n": 60, "split": {"kind": "random", "validation": 0.3}},
    "network": {"kind": "mlp", "hidden": [3, 2], "activation": "tanh"},
    "train": {"epochs": 10**6, "batch_size": 10, "optimizer": "sgd", "learning_rate": 0.3, "patience": 0},
}


def recipe(**train: Any) -> Recipe:
    return load({**RECIPE, "train": {**RECIPE["train"], **train}})


def same(a: Session, b: Session) -> bool:
    both = (jax.tree.leaves(each.timeline.state) for each in (a, b))
    return all(np.array_equal(x, y, equal_nan=True) for x, y in zip(*both, strict=True))


def sections(pair: Pair) -> dict[str, np.ndarray]:
    while pair.work():
        pass
    since, apart = pair._partings.shown(pair.step, *(one.timeline.parameters for one in (pair.a, pair.b)))
    return {**frames.unpacked(pair.frame()())[2], "since": since, "apart": apart}


def distances(a: Session, b: Session) -> np.ndarray:
    one, two = a.timeline.parameters, b.timeline.parameters
    weight, bias = (np.abs(np.asarray(x) - np.asarray(y)) for x, y in zip(one, two, strict=True))
    return np.concatenate([weight, bias[:, :, None]], axis=2)


def test_each_is_as_if_it_were_alone() -> None:
    pair = Pair(recipe(), {"train.l2": 0.05})
    pair.advance(70)
    pair.change(changed(pair.recipe, "train.learning_rate", 0.1))
    pair.advance(30)
    for own, l2 in ((pair.a, 0.0), (pair.b, 0.05)):
        alone = Session(recipe(l2=l2))
        alone.advance(70)
        alone.change(changed(alone.recipe, "train.learning_rate", 0.1))
        alone.advance(30)
        assert same(own, alone)
    assert pair.step == pair.end == 100


def test_the_step_at_which_weights_part_is_the_first() -> None:
    pair = Pair(recipe(), {"train.l2": 0.05})
    for steps in (1, 40, 100):  # calls that end anywhere
        pair.advance(steps)
    found = sections(pair)
    a, b = Session(recipe()), Session(recipe(l2=0.05))
    wanted = np.full(found["since"].shape, -1)
    for step in range(1, 142):
        a.advance(1)
        b.advance(1)
        wanted[(wanted < 0) & (distances(a, b) > APART)] = step
    assert np.array_equal(found["since"], wanted) and (wanted > 0).sum() > 3
    assert found["apart"] == pytest.approx(distances(a, b))
    assert len(set(wanted[wanted > 0].tolist())) > 2
    told = found["parted"]
    assert 3 < len(told) <= 12 and set(told[:, 0]) <= {0, 1, 2}
    gaps = [found["apart"][-1 if layer == 2 else layer, unit, source] for layer, unit, source, _ in told]
    assert gaps == sorted(gaps, reverse=True) and gaps[0] == found["apart"][wanted >= 0].max()
    pair.seek(int(np.median(wanted[wanted > 0])))
    assert np.array_equal(sections(pair)["since"], np.where(wanted <= pair.step, wanted, -1))


def test_time_goes_back_and_on_to_the_same_bits_and_forgets_what_was_left() -> None:
    pair = Pair(recipe(), {"train.l2": 0.05})
    pair.advance(120)
    before = sections(pair)
    pair.seek(50)
    assert (pair.a.step, pair.b.step, pair.end) == (50, 50, 120)
    pair.advance(70)
    after = sections(pair)
    assert all(np.array_equal(before[name], after[name], equal_nan=True) for name in before)
    pair.seek(10)
    pair.differ({"train.l2": 0.0})
    pair.advance(60)
    assert pair.end == 70 and pair.other == {"train.l2": 0.0}
    late = sections(pair)["since"]
    known = before["since"]
    early = (known >= 0) & (known <= 10)
    assert np.array_equal(late[early], known[early]) and not np.array_equal(late, known)
    pair.seek(5)
    assert pair.other == {"train.l2": 0.05}  # as it was then
    pair.advance(20)
    assert pair.end == 25 and pair.other == {"train.l2": 0.05}


def test_the_settings_change_both_but_for_what_differs() -> None:
    pair = Pair(recipe(), {"train.l2": 0.05, "train.optimizer": {"kind": "adam"}})
    pair.change(changed(pair.recipe, "train.l1", 0.01))
    pair.change(changed(pair.recipe, "train.l2", 0.2))
    one, two = (session.recipe.train for session in (pair.a, pair.b))
    assert (one.l1, two.l1, one.l2, two.l2) == (0.01, 0.01, 0.2, 0.05)  # type: ignore[union-attr]
    lines = {line["path"]: (line["a"], line["b"]) for line in pair.scene()["differences"]}
    assert lines["train.l2"] == (0.2, 0.05)
    assert (lines["train.optimizer"][0]["kind"], lines["train.optimizer"][1]["kind"]) == ("sgd", "adam")
    pair.advance(5)
    pair.change(changed(pair.recipe, "data.noise", 0.3))
    assert pair.step == 0 and pair.b.dataset is pair.a.dataset
    assert np.array_equal(*(session.timeline.parameters.weight for session in (pair.a, pair.b)))


def test_networks_of_other_shapes_are_compared_where_both_have_weights() -> None:
    pair = Pair(recipe(), {"network.hidden": [4, 2]})
    pair.advance(60)
    found = sections(pair)
    assert found["since"].shape == found["apart"].shape
    assert (found["since"][0, 3] == -1).all() and found["weights"].shape[0] == 2  # only B has that unit
    assert (found["since"] > 0).any() or (found["since"] == 0).any()


def test_one_that_halts_is_named_and_gets_another_chance() -> None:
    plane = {**RECIPE, "data": {"kind": "toy", "name": "plane", "n": 60}}
    plane["network"] = {"kind": "mlp", "hidden": [3], "activation": "relu"}
    pair = Pair(load(plane), {"train.learning_rate": 1e8})
    pair.advance(60)
    assert pair.a.step == pair.step == 60 and pair.b.status == "diverged" and pair.status == "running"
    assert msgspec.json.decode(sections(pair)["caption"].tobytes())["rule"] == "halted"
    halted = pair.b.step
    pair.differ({"train.learning_rate": 0.1})
    assert pair.a.step == pair.b.step == halted
    pair.advance(20)
    assert pair.a.step == pair.b.step == halted + 20


def test_where_both_ended_is_told_of_each() -> None:
    pair = Pair(recipe(epochs=4), {"train.epochs": 2})
    pair.advance(10**4)
    found = msgspec.json.decode(sections(pair)["caption"].tobytes())
    assert pair.status == "finished" and found["strong"].startswith("A ended at epoch 4:")
    assert found["rest"].startswith("B ended at epoch 2:")


def test_the_way_to_many_and_back_keeps_both_as_they_are() -> None:
    games = Games(Session(recipe()))
    other = {"train.learning_rate": 0.1}
    games.go(p.Compare(id=1, other=other))
    pair = games.now
    pair.advance(20)
    games.go(p.Many(id=2, vary="start"))
    games.go(p.Compare(id=3, other=other))
    assert games.now is pair and pair.step == 20
    games.go(p.Playground(id=4))
    games.session.change(recipe(l2=0.1))
    games.go(p.Compare(id=5, other=other))
    assert games.now is not pair and games.now.recipe == recipe(l2=0.1)


@pytest.mark.parametrize(
    ("other", "words"),
    [
        ({"seed": 3}, "one seed"),
        ({"data.noise": 0.5}, "same data"),
        ({"train.no_such": 1}, "no_such"),
        ({"network.hidden.0.x": 1}, "a key of the recipe"),
        ({"train.clip": 1.0}, "clip"),
        ({f"train.x{i}": i for i in range(13)}, "up to 12"),
    ],
)
def test_what_cannot_be_compared_is_refused_in_words(other: dict[str, Any], words: str) -> None:
    pair = Pair(recipe(), {})
    pair.advance(3)
    with pytest.raises(RecipeError) as caught:
        pair.differ(other)
    assert words in str(caught.value) and pair.other == {} and pair.step == 3
