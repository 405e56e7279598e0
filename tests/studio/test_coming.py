"""Larger networks compile aside: the old one plays on, the newest change wins, and what fails is told."""

import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from layerwise.recipe import load, to_toml
from layerwise.studio.games import coming
from layerwise.studio.games.session import Session
from layerwise.training import padded

sys.path.insert(0, str(Path(__file__).resolve().parent))
from test_player import SMALL, Desk, desk_of


@pytest.fixture
def desk() -> Iterator[Desk]:
    with desk_of() as opened:
        yield opened


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> threading.Event:
    """Compiling ends when this is set; no larger room is known before."""
    done = threading.Event()

    def compile_for(session: Session) -> None:
        assert done.wait(30)
        if session.recipe.seed == 13:
            raise MemoryError("no room")
        coming._known.add(session.room)

    monkeypatch.setattr(coming, "_known", {padded.STANDARD})
    monkeypatch.setattr(coming, "compile_for", compile_for)
    return done


def test_the_old_network_runs_on_while_a_larger_one_compiles(desk: Desk, slow: threading.Event) -> None:
    desk.ask("play")
    scene = desk.ask("set", path="network.hidden", value=[9, 2])["scene"]
    assert scene["preparing"] == "2 – 9 – 2 – 1" and scene["recipe"]["network"]["hidden"] == [3, 2]
    at = desk.step()
    while desk.step() < at + 1000:
        pass
    assert not desk.events
    slow.set()
    while not desk.events:
        desk.take()
    (event,) = desk.events
    assert event["event"] == "ready" and event["scene"]["recipe"]["network"]["hidden"] == [9, 2]
    assert event["scene"]["step"] == 0 and event["scene"]["playing"] and not event["scene"]["preparing"]
    scene = desk.ask("set", path="network.hidden", value=[9, 3])["scene"]
    assert scene["recipe"]["network"]["hidden"] == [9, 3] and not scene["preparing"]  # there is room for it


def test_the_newest_change_wins_over_what_is_prepared(desk: Desk, slow: threading.Event) -> None:
    desk.ask("set", path="network.hidden", value=[9])
    assert desk.ask("set", path="network.hidden", value=[12, 12])["scene"]["preparing"] == "2 – 12 – 12 – 1"
    slow.set()
    while not desk.events:
        desk.take()
    assert desk.events[0]["scene"]["recipe"]["network"]["hidden"] == [12, 12]
    slow.clear()
    desk.ask("set", path="network.hidden", value=[20])
    scene = desk.ask("set", path="train.l1", value=0.1)["scene"]
    assert scene["preparing"] == "2 – 20 – 1" and scene["recipe"]["network"]["hidden"] == [12, 12]
    slow.set()
    while len(desk.events) < 2:  # both changes come, the one that was prepared and the one made meanwhile
        desk.take()
    recipe = desk.events[1]["scene"]["recipe"]
    assert recipe["network"]["hidden"] == [20] and recipe["train"]["l1"] == 0.1


def test_what_goes_wrong_in_preparing_is_told(desk: Desk, slow: threading.Event) -> None:
    slow.set()
    desk.ask("recipe", toml=to_toml(load({**SMALL, "seed": 13, "network": {"kind": "mlp", "hidden": [9]}})))
    while not desk.events:
        desk.take()
    (event,) = desk.events
    assert (event["event"], event["error"]["received"]) == ("failed", "MemoryError: no room")
    assert event["scene"]["recipe"]["seed"] == 0 and desk.ask("step")["ok"]


def test_controls_of_the_standard_room_prepare_nothing(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(coming.Coming, "prepare", None)
    toys = [("data.name", name) for name in ("circle", "spiral", "plane")]
    for path, value in (*toys, ("data.n", 200), ("seed", 3), ("network.hidden", [8] * 6), ("train.batch_size", 200)):
        scene = desk.ask("set", path=path, value=value)["scene"]
        assert not scene["preparing"] and desk.ask("step")["ok"]
