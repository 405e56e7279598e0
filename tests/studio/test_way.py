"""Far steps, back and on, are gone in pieces: the page is answered meanwhile, and arrives at the same bits."""

from collections.abc import Callable
from typing import Any

import jax
import numpy as np
import pytest

from layerwise.recipe import load
from layerwise.studio import player
from layerwise.studio.games.crowd import Crowd
from layerwise.studio.games.game import Game
from layerwise.studio.games.pair import Pair
from layerwise.studio.games.session import Session
from layerwise.studio.games.settings import changed
from layerwise.studio.games.way import SLICE, Pace, onward, there

pytestmark = pytest.mark.usefixtures("compiled_as_for_users")  # many steps

SMALL: dict[str, Any] = {
    "data": {"kind": "toy", "name": "moons", "n": 60},
    "network": {"kind": "mlp", "hidden": [3, 2], "activation": "tanh"},
    "train": {"epochs": 10**9, "batch_size": 10, "optimizer": "adam", "patience": 0},
}
FORGETFUL = 30_000  # bytes: hardly a state is kept, as of a large network


def bits(game: Game) -> bytes:
    members = game.members if isinstance(game, Crowd) else [game.a, game.b] if isinstance(game, Pair) else [game]
    states = [member.timeline.state for member in members]  # type: ignore[union-attr]
    return b"".join(np.asarray(leaf).tobytes() for leaf in jax.tree.leaves(states))


def trained(game: Game, step: int) -> None:
    while game.step < step:
        assert game.advance(step - game.step) > 0


@pytest.mark.parametrize("kind", ["session", "pair", "crowd"])
def test_a_far_step_back_is_gone_in_pieces_to_the_same_bits(kind: str) -> None:
    recipe = load(SMALL)
    game: Any = {
        "session": lambda: Session(recipe, memory=FORGETFUL),
        "pair": lambda: Pair(recipe, {"train.l2": 0.01}),
        "crowd": lambda: Crowd(recipe, "start"),
    }[kind]()
    trained(game, 500)
    game.change(changed(game.recipe, "train.learning_rate", 0.02))
    trained(game, 900)
    wanted = bits(game)
    trained(game, 3000)
    way = there(game, 900)
    steps = [game.step]
    while way.go(0.0):
        steps.append(game.step)
    assert len(steps) > 3 and steps[1] < 900 and steps[1:] == sorted(steps[1:])
    assert game.step == 900 and bits(game) == wanted and game.end == 3000


def test_on_where_it_stands_nothing_is_replayed_twice() -> None:
    session = Session(SMALL, memory=FORGETFUL)
    trained(session, 3000)
    line = session.timeline
    kept = line.nearest(2900)
    session.seek(kept + 100)
    assert line.nearest(kept + 300) == kept + 100 and line.nearest(kept + 99) == kept
    session.seek(kept + 300)
    again = Session(SMALL)
    trained(again, kept + 300)
    assert bits(session) == bits(again)


def test_the_page_is_answered_on_the_way_which_any_change_ends(
    open_page: Callable[[], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AT_ONCE", "SLICE"):
        monkeypatch.setattr(player, name, 0.0)
    page = open_page()
    page.ask("recipe", toml="network = { hidden = [3] }\ntrain = { epochs = 1000000000, patience = 0 }")
    page.ask("play")
    page.trains_beyond(30_000)
    end = page.ask("pause")["scene"]["end"]
    answer = page.ask_at_once("back")
    assert answer["scene"]["way"] == end - 1 and answer["scene"]["step"] < end - 1
    answer = page.ask_at_once("back")  # from where it leads to
    assert answer["scene"]["way"] == end - 2
    assert page.ask_at_once("test", show=False)["scene"]["way"] == end - 2
    stopped = page.ask_at_once("pause")["scene"]
    assert stopped["way"] is None and stopped["step"] < end - 2
    assert page.ask("seek", step=end)["scene"]["step"] == end
    assert page.ask_at_once("back", batches=2)["scene"]["way"] == end - 2
    assert page.ask("step", batches=3)["scene"]["step"] == end + 1


def test_playing_waits_for_the_end_of_the_way(open_page: Callable[[], Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(player, "AT_ONCE", 0.0)
    page = open_page()
    page.ask_at_once("step", batches=8000)
    scene = page.ask_at_once("play")["scene"]
    assert scene["way"] == 8000 and scene["playing"] and scene["step"] < 8000
    page.trains_beyond(8000)
    assert page.ask("hello")["scene"]["playing"]


def test_an_end_before_the_aim_ends_the_way() -> None:
    session = Session({**SMALL, "train": {**SMALL["train"], "epochs": 3}})
    way = onward(session, 50)
    while way.go(0.0):
        pass
    assert session.status == "finished" and session.step == 3 * session.steps_per_epoch and way.halted is None


def test_no_piece_of_a_large_network_keeps_the_page_waiting() -> None:
    """Of the largest that is played with."""
    data = {"kind": "toy", "name": "moons", "n": 600}
    network = {"kind": "mlp", "hidden": [64] * 6}
    session = Session({"data": data, "network": network, "train": {**SMALL["train"], "batch_size": 32}}, memory=1)
    trained(session, 300)
    way, pieces = there(session, 290), 1
    while way.go(0.0):
        pieces += 1
    assert session.step == 290 and pieces > 5


def test_the_page_is_told_the_oldest_step_that_it_can_go_back_to() -> None:
    session = Session(SMALL, memory=200_000)
    assert session.scene()["oldest"] == 0
    for number in range(8):
        trained(session, 2 * number + 2)
        session.change(changed(session.recipe, "train.l2", 0.001 * (number + 1)))
    oldest = session.scene()["oldest"]
    assert 0 < oldest < 16
    way = there(session, 0)
    while way.go(0.0):
        pass
    assert way.aim == session.step == oldest
    for game in (Pair(load(SMALL), {}), Crowd(load(SMALL), "start")):
        assert game.scene()["oldest"] == 0
    crowd = Crowd(load(SMALL), "start")
    for number in range(8):
        crowd.advance(2)
        crowd.change(changed(crowd.recipe, "train.l2", 0.001 * (number + 1)))
    assert crowd.scene()["oldest"] == max(member.timeline.begin for member in crowd.members) > 0
    crowd.seek(0)
    assert {member.step for member in crowd.members} == {crowd.oldest}


# ── the length of a call ────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("a_step", [1e-6, 7e-6, 1e-4, 1e-3])
def test_calls_come_to_take_their_time(a_step: float) -> None:
    pace = Pace()
    for _ in range(30):
        pace.learn(pace.batches, pace.batches * a_step)
    assert 0.9 < pace.batches * a_step / SLICE <= 1.0 or pace.batches == 16


def test_one_slow_call_does_not_count_for_much() -> None:
    pace = Pace()
    for seconds in (1e-9, 10.0):
        before = pace.batches
        pace.learn(before, seconds)
        assert before / 2 <= pace.batches <= before * 2
