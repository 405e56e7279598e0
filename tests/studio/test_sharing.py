"""Links: they lead to the same bits, and whoever wrote one gets nothing that a page does not get anyway."""

import base64
import json
import zlib
from collections.abc import Callable
from itertools import product
from typing import Any

import jax
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from layerwise.errors import LayerwiseError, RecipeError
from layerwise.recipe import load
from layerwise.studio import player
from layerwise.studio.games.session import DEFAULT, Session
from layerwise.studio.games.settings import changed
from layerwise.studio.games.way import Way
from layerwise.studio.school import sharing

pytestmark = pytest.mark.usefixtures("compiled_as_for_users")  # many steps

SMALL: dict[str, Any] = {
    "data": {"kind": "toy", "name": "moons", "n": 60},
    "network": {"kind": "mlp", "hidden": [3, 2], "activation": "tanh"},
    "train": {"epochs": 100_000, "batch_size": 10, "optimizer": "sgd", "patience": 0},
}
LAUNCHED = load(DEFAULT)


def bits(session: Session) -> bytes:
    return b"".join(np.asarray(leaf).tobytes() for leaf in jax.tree.leaves(session.timeline.state))


def packed(said: Any) -> str:
    content = said if isinstance(said, bytes) else json.dumps(said).encode()
    return base64.urlsafe_b64encode(zlib.compress(content)).decode().rstrip("=")


def opened(link: dict[str, Any]) -> Session:
    session = Session()
    go(sharing.replay(session, sharing.read(link["state"], LAUNCHED), link["step"]))
    return session


def go(way: Way) -> None:
    """To the end of a way; raises why it ended before."""
    while way.go(60.0):
        pass
    if way.halted:
        raise way.halted


def with_changes(session: Session) -> None:
    """Every kind of change, at the first step, on the way, and several at once."""
    session.change(changed(session.recipe, "network.hidden", [4, 2]))
    session.advance(37)
    session.change(changed(session.recipe, "train.learning_rate", 0.2))
    session.change(changed(session.recipe, "train.optimizer", "adam"))
    session.type_weight(2, 0, 1, -1.25)
    session.advance(30)
    session.change(changed(session.recipe, "network.hidden", [4]))
    session.change(changed(session.recipe, "network.hidden", [4, 3]))
    session.change(changed(session.recipe, "train.dropout", 0.3))
    session.advance(55)
    session.change(changed(session.recipe, "network.activation", [{"kind": "relu"}, {"kind": "tanh"}]))
    session.change(changed(session.recipe, "train.l1", 0.01))
    session.advance(41)


def stopped(session: Session) -> None:
    session.change(changed(session.recipe, "train.patience", 2))
    while session.advance(1000):
        pass
    session.change(changed(session.recipe, "train.patience", 0))
    session.advance(10)


def gone_wild(session: Session) -> None:
    session.advance(20)
    session.change(changed(session.recipe, "train.learning_rate", 3e38))
    session.advance(100)
    assert session.status == "diverged"
    session.change(changed(session.recipe, "train.learning_rate", 0.1))
    session.advance(20)


def on_a_branch(session: Session) -> None:
    session.advance(50)
    session.change(changed(session.recipe, "train.l2", 0.1))
    session.advance(50)
    session.seek(20)
    session.change(changed(session.recipe, "train.l2", 0.2))
    session.advance(13)


def looking_back(session: Session) -> None:
    session.advance(50)
    session.change(changed(session.recipe, "train.l2", 0.1))
    session.advance(50)
    session.seek(31)


def untouched(session: Session) -> None:
    session.change(changed(session.recipe, "seed", 7))


@pytest.mark.parametrize("played", [with_changes, stopped, gone_wild, on_a_branch, looking_back, untouched])
def test_a_link_leads_to_the_same_bits(played: Callable[[Session], None]) -> None:
    session = Session(SMALL)
    played(session)
    link = sharing.link(session)
    assert link["note"] == "" and len(link["state"]) < 1000
    again = opened(link)
    assert again.step == session.step and again.recipe == session.recipe
    assert bits(again) == bits(session)
    again.advance(30)
    session.advance(30)
    assert bits(again) == bits(session)
    again.seek(link["step"])
    assert sharing.link(again) == link


def test_one_of_many_starts_is_linked_with_its_own_start() -> None:
    session = Session(SMALL, start=12345)
    with_changes(session)
    again = opened(sharing.link(session))
    assert again.start == 12345 and bits(again) == bits(session)
    assert bits(again) != bits(opened({**sharing.link(Session(SMALL)), "step": session.step}))


def test_a_link_of_what_the_studio_begins_with_is_short() -> None:
    assert len(sharing.link(Session())["state"]) < 40


def test_what_is_too_long_begins_with_the_present_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    session = Session(SMALL)
    for number in range(4):
        session.advance(3)
        session.change(changed(session.recipe, "train.l2", 0.01 * (number + 1)))
    monkeypatch.setattr(sharing, "EDITS", 3)
    link = sharing.link(session)
    assert "up to 3 changes" in link["note"] and link["step"] == 0
    assert opened(link).recipe == session.recipe and opened(link).step == 0
    monkeypatch.setattr(sharing, "STEPS", 10)
    assert "more than 10 steps" in sharing.link(session)["note"]
    monkeypatch.setattr(sharing, "LETTERS", 10)
    with pytest.raises(RecipeError, match="up to 10 letters"):
        sharing.link(session)


# ── links that somebody else wrote ──────────────────────────────────────────────────────────────

TABLE = {"data": {"kind": "table", "path": "/etc/passwd", "target": "x"}}
BAD = {
    "a file elsewhere": packed({"recipe": TABLE}),
    "a file beside the uploads": packed({"recipe": {"data": {**TABLE["data"], "path": "uploads/../../secret.csv"}}}),
    "a file in an edit": packed({"recipe": {}, "edits": [[3, TABLE]]}),
    "an image folder": packed({"recipe": {"data": {"kind": "images", "path": "/home"}}}),
    "a file as a split": packed({"recipe": {"data": {"split": {"kind": "given", "validation": "/etc/passwd"}}}}),
    "a download": packed({"recipe": {"data": {"kind": "named", "name": "mnist"}}}),
    "too many rows": packed({"recipe": {"data": {"n": 10_000_000}}}),
    "other data on the way": packed({"recipe": {}, "edits": [[3, {"data": {"name": "moons"}}]]}),
    "a command": packed({"recipe": {}, "do": "play"}),
    "a command as an edit": packed({"recipe": {}, "edits": [[3, {"do": "play"}]]}),
    "steps beyond all bounds": packed({"recipe": {}, "edits": [[10**12, {"train": {"l2": 0.1}}]]}),
    "steps in no order": packed({"recipe": {}, "edits": [[5, {"train": {"l2": 0.1}}], [4, {"train": {"l2": 0.2}}]]}),
    "steps before the first": packed({"recipe": {}, "edits": [[-1, {"train": {"l2": 0.1}}]]}),
    "a unit that cannot be": packed({"recipe": {}, "edits": [[0, [0, 99, None, 1.0]]]}),
    "a weight that is no number": packed(b'{"recipe": {}, "edits": [[0, [0, 0, null, 1e999]]]}'),
    "too many changes": packed({"recipe": {}, "edits": [[n, {"train": {"l2": 0.1}}] for n in range(1100)]}),
    "a network too large": packed({"recipe": {"network": {"hidden": [10**9]}}}),
    "an unknown key": packed({"recipe": {"train": {"__class__": "x"}}}),
    "script in a name": packed({"recipe": {"data": {"name": "<script>alert(1)</script>"}}}),
    "no JSON": packed(b"alert(1)"),
    "another kind of JSON": packed([1, 2]),
    "brackets": packed(b'{"recipe": {"train": ' + b"[" * 50_000 + b"]" * 50_000 + b"}}"),
    "brackets of objects": packed(b'{"recipe": ' + b'{"a":' * 20_000 + b"1" + b"}" * 20_000 + b"}"),
    "a bomb": packed(b" " * (1 << 22) + b"{}"),
    "two in one": packed({"recipe": {}}) + "AAAA",
    "no letters": "%%%",
    "nothing": "",
    "letters that mean nothing": "QUJDREVG",
    "one cut short": packed({"recipe": {"seed": 12345}})[:-9],
    "one that is too long": "A" * 70_000,
    "signs of other alphabets": "ключ",
}  # fmt: skip


@pytest.mark.parametrize("text", BAD.values(), ids=BAD.keys())
def test_what_somebody_else_wrote_is_refused_in_words(text: str) -> None:
    session = Session()
    before = bits(session)
    with pytest.raises(LayerwiseError) as refused:
        go(sharing.replay(session, sharing.read(text, LAUNCHED), 5))
    assert "fault" not in str(refused.value)
    if "weight" not in refused.value.rule:
        assert bits(session) == before


def test_more_steps_than_are_replayed_are_refused() -> None:
    session = Session()
    with pytest.raises(RecipeError, match="at most"):
        sharing.replay(session, sharing.read(packed({"recipe": {}}), LAUNCHED), 10**9)
    assert session.step == 0


def test_changes_behind_the_step_are_left_out() -> None:
    session = Session()
    text = packed({"recipe": {}, "edits": [[4, {"train": {"l2": 0.1}}], [2**31 - 1, {"train": {"l2": 0.2}}]]})
    go(sharing.replay(session, sharing.read(text, LAUNCHED), 6))
    assert session.step == 6 and [step for step, _ in session.journal] == [4]


def test_a_launched_file_is_in_no_link(tmp_path: Any) -> None:
    path = tmp_path / "own.csv"
    path.write_text("a,b,y\n" + "".join(f"{n},{n * n % 7},{'uv'[n % 2]}\n" for n in range(40)))
    recipe = {**SMALL, "data": {"kind": "table", "path": str(path), "target": "y"}}
    session = Session(recipe)
    with pytest.raises(RecipeError, match="a link names"):
        sharing.link(session)
    text = sharing.written(session)  # but the page itself comes back to it after a cut
    assert sharing.read(text, load(recipe)).first == session.recipe
    with pytest.raises(RecipeError):
        sharing.read(text, LAUNCHED)


@given(st.text(max_size=60) | st.binary(max_size=60).map(packed))
@settings(max_examples=60, deadline=None)
def test_any_letters_are_refused_in_words(text: str) -> None:
    with pytest.raises(LayerwiseError):
        sharing.read(text, LAUNCHED)


def test_a_page_comes_back_to_many_drawn_points_and_changes() -> None:
    """More than fits into a link."""
    points = [[0.137 * (n % 31) - 2, 0.0713 * (n % 53) - 2, n % 2] for n in range(1000)]
    session = Session({**SMALL, "data": {"kind": "points", "points": points, "classes": ["a", "b"]}})
    for number in range(24):
        session.advance(1)
        for unit, source in product(range(3), (None, 0, 1)):
            session.type_weight(0, unit, source, 0.01 * (number + unit))
        session.change(changed(session.recipe, "train.l2", 0.001 * number))
    state = sharing.kept(session)
    again = opened(state)
    assert len(session.journal) > 200 and again.step == 24 and bits(again) == bits(session)
    assert len(state["state"]) > 1000


def test_an_answer_carries_no_history(open_page: Callable[[], Any]) -> None:
    """However much was changed; it is asked for when it is wanted."""
    page = open_page()
    before = len(json.dumps(page.ask("hello")))
    for number in range(150):
        page.ask("weight", layer=0, unit=number % 3, source=0, value=number / 150)
    assert len(json.dumps(page.ask("hello"))) < before + 100
    kept = page.ask("keep")["kept"]
    assert len(kept["state"]) > 500 and kept["revision"] == page.ask("hello")["scene"]["revision"]
    again = Session()
    go(sharing.replay(again, sharing.read(kept["state"], LAUNCHED), kept["step"]))
    assert len(again.journal) == 150


def test_a_history_whose_beginning_was_forgotten_is_shared_with_its_present_settings() -> None:
    session = Session(SMALL, memory=200_000)
    for number in range(40):
        session.advance(2)
        session.change(changed(session.recipe, "train.l2", 0.001 * (number + 1)))
    assert session.timeline.begin > 0
    link = sharing.link(session)
    assert link["step"] == 0 and link["note"] and opened(link).recipe == session.recipe
    assert sharing.kept(session) == {"state": link["state"], "step": 0, "most": 0}


# ── over the line ───────────────────────────────────────────────────────────────────────────────


def test_a_page_shares_and_another_follows_paused(open_page: Callable[[], Any]) -> None:
    one, other = open_page(), open_page()
    one.ask("step", batches=30)
    one.ask("set", path="train.l2", value=0.01)
    one.ask("weight", layer=0, unit=0, source=None, value=0.5)
    one.ask("step", batches=12)
    link = one.ask("share")["share"]
    other.ask("play")
    answer = other.ask("follow", state=link["state"], step=link["step"])
    assert answer["scene"]["step"] == 42 and not answer["scene"]["playing"]
    for page in (one, other):
        kept = page.ask("keep")["kept"]
        assert kept == {"state": link["state"], "step": 42, "most": sharing.STEPS, "revision": kept["revision"]}
    one.ask("seek", step=30)
    one.ask("set", path="train.l2", value=0.5)
    assert one.ask("return")["scene"]["step"] == 42
    state = link["state"]
    for wrong in ({"state": "x" * 70_000}, {"state": state, "step": 10**9}, {"state": state, "play": True}):
        refused = other.ask("follow", **wrong)
        assert not refused["ok"] and "fault" not in refused["error"]["rule"]
        scene = other.ask("hello")["scene"]
        assert (scene["step"], scene["playing"]) == (42, False)


def test_a_long_way_is_gone_in_parts_and_can_be_left(open_page: Callable[[], Any], monkeypatch: Any) -> None:
    """Whatever is asked for meanwhile is answered; what changes something ends the way where it stands."""
    monkeypatch.setattr(player, "AT_ONCE", 0.0)
    monkeypatch.setattr(player, "SLICE", 0.0)
    session = Session(SMALL)
    for number in range(1, 6):
        while session.step < 5000 * number:
            session.advance(5000 * number - session.step)
        session.change(changed(session.recipe, "train.l2", 0.01 * number))
    link, there = sharing.link(session), bits(session)
    again = Session()
    way = sharing.replay(again, sharing.read(link["state"], LAUNCHED), link["step"])
    assert way.go(0.0) and 0 < again.step < 5000
    go(way)
    assert bits(again) == there
    page = open_page()
    scene = page.ask_at_once("follow", state=link["state"], step=link["step"])["scene"]
    assert scene["way"] == 25_000 and not scene["playing"] and page.ask_at_once("hello")["ok"]
    assert page.ask("hello")["scene"]["step"] == 25_000 and any(event["event"] == "moved" for event in page.events)
    page.ask_at_once("follow", state=link["state"], step=link["step"])
    scene = page.ask_at_once("pause")["scene"]
    assert scene["way"] is None and scene["step"] == page.step() < 25_000


def test_a_link_that_stops_halfway_says_so(open_page: Callable[[], Any]) -> None:
    """Its steps are trained up to the change that cannot be made; the answer comes first, then the words."""
    page = open_page()
    text = packed({"recipe": {}, "edits": [[30, {"train": {"l2": 0.1}}], [60, [0, 99, None, 1.0]]]})
    answer = page.ask("follow", state=text, step=90)
    assert answer["ok"]
    (event,) = [event for event in page.events if event["event"] == "failed"]
    assert event["scene"]["step"] == 60 and event["scene"]["way"] is None
    assert "step 60 of 90" in event["error"]["rule"] and "unit 99" in event["error"]["received"]
    assert page.ask("step")["scene"]["step"] == 61
