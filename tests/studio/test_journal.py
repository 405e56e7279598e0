"""The recipe follows the step; the line that was left can be returned to; all that was changed is journaled."""

from typing import Any

import jax
import numpy as np
import pytest

from layerwise.recipe import Recipe, plain
from layerwise.studio.games.session import Session
from layerwise.studio.games.settings import changed
from layerwise.studio.history.journal import Typed

SMALL: dict[str, Any] = {
    "data": {"kind": "toy", "name": "moons", "n": 60},
    "network": {"kind": "mlp", "hidden": [3, 2], "activation": "tanh"},
    "train": {"epochs": 100_000, "batch_size": 10, "optimizer": "sgd", "patience": 0},
}


@pytest.fixture
def session() -> Session:
    return Session(SMALL)


def bits(session: Session) -> bytes:
    return b"".join(np.asarray(leaf).tobytes() for leaf in jax.tree.leaves(session.timeline.state))


def holds(session: Session) -> tuple[float, list[int]]:
    recipe = plain(session.recipe)
    return recipe["train"]["learning_rate"], list(recipe["network"]["hidden"])


def test_the_recipe_is_the_one_of_the_step(session: Session) -> None:
    session.change(changed(session.recipe, "train.learning_rate", 0.1))
    session.advance(20)
    session.change(changed(session.recipe, "train.learning_rate", 0.5))
    session.change(changed(session.recipe, "network.hidden", [4]))
    session.advance(10)
    revision = session.revision
    session.seek(10)
    assert holds(session) == (0.1, [3, 2]) and session.revision > revision
    assert len(session.sheet(0)().layers) == 3
    session.seek(20)
    assert holds(session) == (0.5, [4])
    session.seek(10)
    session.change(changed(session.recipe, "train.l2", 0.1))  # on a branch, from what held there
    assert holds(session) == (0.1, [3, 2]) and session.timeline.edits == [10]


def test_the_line_that_was_left_is_returned_to(session: Session) -> None:
    session.advance(20)
    session.change(changed(session.recipe, "train.learning_rate", 0.5))
    session.advance(20)
    old, curve = bits(session), session.timeline.curve.array()
    session.seek(10)
    session.advance(40)
    new = bits(session)
    session.go_back()
    assert bits(session) == old and session.timeline.end == 40 and holds(session) == (0.5, [3, 2])
    np.testing.assert_array_equal(session.timeline.curve.array(), curve)
    session.seek(0)
    session.seek(40)
    assert bits(session) == old
    session.go_back()
    assert bits(session) == new and session.timeline.end == 50


def test_without_a_line_left_going_back_changes_nothing(session: Session) -> None:
    session.advance(5)
    before = bits(session)
    session.go_back()
    assert bits(session) == before and session.timeline.end == 5


def test_two_lines_are_kept_in_the_memory_of_one() -> None:
    session = Session(SMALL, memory=400_000)
    for _ in range(60):
        session.advance(1)
    old = bits(session)
    session.seek(5)
    session.change(changed(session.recipe, "train.learning_rate", 0.5))
    for _ in range(60):
        session.advance(1)
        assert session.timeline.nbytes <= 400_000
    session.go_back()
    assert bits(session) == old


def test_the_journal_has_all_that_was_changed_until_now(session: Session) -> None:
    session.change(changed(session.recipe, "train.learning_rate", 0.2))  # before the first step: the beginning itself
    assert session.journal == [] and session.first == session.recipe
    session.change(changed(session.recipe, "network.hidden", [4, 2]))
    session.advance(10)
    session.type_weight(0, 1, None, 0.5)
    for value in (0.01, 0.02, 0.03):
        session.change(changed(session.recipe, "train.l2", value))
    session.advance(10)
    session.change(changed(session.recipe, "train.optimizer", "adam"))
    session.change(changed(session.recipe, "train.optimizer", "sgd"))
    assert [step for step, _ in session.journal] == [0, 10, 10, 20, 20]
    assert session.journal[1][1] == Typed(0, 1, None, 0.5)
    assert isinstance(session.journal[2][1], Recipe)
    session.seek(15)
    assert [step for step, _ in session.journal] == [0, 10, 10]
    session.reset()
    assert session.journal == []
