"""One page's loop: commands in order, frames one at a time, training in between, whatever comes in."""

import contextlib
import json
import queue
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from layerwise.recipe import load, plain, to_toml
from layerwise.studio import protocol
from layerwise.studio.games.session import Session
from layerwise.studio.picture import frames
from layerwise.studio.player import Out, Player
from layerwise.studio.school import sharing

pytestmark = pytest.mark.usefixtures("compiled_as_for_users")  # many steps

SMALL: dict[str, Any] = {
    "data": {"kind": "toy", "name": "moons", "n": 60},
    "network": {"kind": "mlp", "hidden": [3, 2], "activation": "tanh"},
    "train": {"epochs": 10**9, "batch_size": 10, "optimizer": "sgd", "patience": 0},
}


class Desk:
    """A player in its thread, and what it sends: answers by their number, events and frames."""

    def __init__(self, session: Session, **options: Any) -> None:
        self.session = session
        self.sent: queue.Queue[Out] = queue.Queue()
        self.answers: dict[int, dict[str, Any]] = {}
        self.events: list[dict[str, Any]] = []
        self.frames: list[bytes] = []
        self.settled = 0
        self.player = Player(lambda: session, self.sent.put, **options)
        self.thread = threading.Thread(target=self.player.run)
        self.thread.start()
        self.number = 0

    def take(self) -> Out:
        out = self.sent.get(timeout=30)
        self.settled += out.settles
        if isinstance(out.content, bytes):
            self.frames.append(out.content)
        elif out.content is not None:
            message = json.loads(out.content)
            if "event" in message:
                self.events.append(message)
            else:
                self.answers[message["id"]] = message
        return out

    def ask_at_once(self, do: str, **more: Any) -> dict[str, Any]:
        """The answer; where it leads to another step, that may be on its way."""
        self.number += 1
        self.player.give(json.dumps({"id": self.number, "do": do, **more}))
        while self.number not in self.answers:
            self.take()
        return self.answers[self.number]

    def ask(self, do: str, **more: Any) -> dict[str, Any]:
        """The answer, once training stands where it leads to."""
        answer = self.ask_at_once(do, **more)
        while answer["ok"] and answer["scene"]["way"] is not None:
            answer = {**answer, "scene": self.ask_at_once("hello")["scene"]}
        return answer

    def step(self) -> int:
        return int(self.ask("hello")["scene"]["step"])

    def painted(self) -> None:
        self.player.give('{"do": "painted", "revision": 1, "step": 0}')

    def frame(self) -> tuple[int, int]:
        """Revision and step of the next frame."""
        while not isinstance(content := self.take().content, bytes):
            pass
        return frames.unpacked(content)[:2]

    def close(self) -> None:
        self.player.close()
        self.thread.join(30)
        assert not self.thread.is_alive()


@contextlib.contextmanager
def desk_of(recipe: dict[str, Any] = SMALL, **options: Any) -> Iterator[Desk]:
    desk = Desk(Session(recipe), **options)
    try:
        yield desk
    finally:
        desk.close()


@pytest.fixture
def desk() -> Iterator[Desk]:
    with desk_of() as opened:
        yield opened


# ── commands ────────────────────────────────────────────────────────────────────────────────────


def test_time_goes_forward_and_back(desk: Desk) -> None:
    assert desk.ask("hello")["scene"]["steps_per_epoch"] == 4
    moves: list[tuple[str, dict[str, int], int]] = [
        ("step", {"batches": 3}, 3), ("step", {}, 4), ("epochs", {"count": 1}, 8), ("step", {"batches": 2}, 10),
        ("epochs", {"count": 1}, 12), ("epochs", {"count": 3}, 24), ("back", {"batches": 1}, 23),
        ("epochs", {"count": -1}, 20), ("epochs", {"count": -2}, 12), ("back", {}, 11), ("epochs", {"count": 0}, 11),
        ("seek", {"step": 7}, 7), ("seek", {"step": 1000}, 24), ("back", {"batches": 500}, 0), ("reset", {}, 0),
    ]  # fmt: skip
    for do, more, step in moves:
        scene = desk.ask(do, **more)["scene"]
        assert (scene["step"], scene["playing"]) == (step, False), (do, more)


def test_playing_goes_on_until_paused(desk: Desk) -> None:
    assert desk.ask("play")["scene"]["playing"] is True
    while desk.step() < 500:
        pass
    scene = desk.ask("pause")["scene"]
    assert scene["playing"] is False and scene["step"] == desk.step()
    desk.ask("play")
    assert desk.ask("step")["scene"]["playing"] is False


def test_controls_act_while_it_plays(desk: Desk) -> None:
    desk.ask("play")
    scene = desk.ask("set", path="train.learning_rate", value=0.5)["scene"]
    assert scene["playing"] is True and scene["recipe"]["train"]["learning_rate"] == 0.5
    scene = desk.ask("weight", layer=0, unit=1, source=None, value=0.25)["scene"]
    assert scene["playing"] is True
    toml = to_toml(load({**SMALL, "network": {"kind": "mlp", "hidden": [5]}}))
    assert desk.ask("recipe", toml=toml)["scene"]["recipe"]["network"]["hidden"] == [5]


def test_a_typed_weight_is_there(desk: Desk) -> None:
    desk.ask("weight", layer=2, unit=0, source=1, value=-1.5)
    assert desk.session.timeline.parameters.weight[6, 0, 1] == -1.5


def test_a_sheet_is_answered(desk: Desk) -> None:
    desk.ask("play")
    answer = desk.ask("sheet", row=3)
    assert answer["ok"] and len(answer["sheet"]["layers"]) == 3 and answer["sheet"]["difference"] < 1e-4
    refused = desk.ask("sheet", row=60)
    assert not refused["ok"] and "0 to 59" in refused["error"]["rule"]


@pytest.mark.parametrize(
    ("do", "more", "words"),
    [
        ("fly", {}, "fly"),
        ("step", {"batches": 0}, "batches"),
        ("step", {"batches": 10_001}, "batches"),
        ("step", {"batches": "3"}, "batches"),
        ("step", {"batch": 3}, "batch"),
        ("epochs", {"count": 9_999}, "up to 10,000 batches"),
        ("seek", {"step": -1}, "step"),
        ("weight", {"layer": 0, "unit": 0, "value": 1}, "source"),
        ("weight", {"layer": 9, "unit": 0, "source": 0, "value": 1}, "layer 9"),
        ("weight", {"layer": 0, "unit": 0, "source": 0, "value": 1e7}, "a million"),
        ("set", {"path": "train.no_such", "value": 1}, "no_such"),
        ("set", {"path": "", "value": 1}, "path"),
        ("set", {"path": "network.hidden.0.x", "value": 1}, "network.hidden.0.x"),
        ("set", {"path": "network.hidden.7", "value": 1}, "from 0 to 1"),
        ("set", {"path": "train.l1", "value": {"a": [1]}}, "train.l1"),
        ("recipe", {"toml": "= 3"}, "TOML"),
        ("recipe", {"toml": "a = " + "[" * 5000}, "deep"),
        ("recipe", {"toml": "layerwise = 99"}, "schema"),
        ("recipe", {"toml": "layerwise = 1\n[train]\nepoch = 3"}, "train.epoch in line 3"),
        ("recipe", {"toml": "a = 1\x00"}, "TOML"),
        ("recipe", {"toml": "seed = " + "9" * 5000}, "TOML"),
        ("recipe", {"toml": "a." * 30_000 + "a = 1"}, "deep"),
        ("recipe", {"toml": "a" * 120_000}, "TOML"),
        ("recipe", {"toml": "[" + '"a" . ' * 15_000 + "a]"}, "deep"),
        ("set", {"path": "train.epochs", "value": 2**31}, "<= 2147483647"),
        ("set", {"path": "train.patience", "value": 2**70}, "<= 2147483647"),
        ("sheet", {"row": -1}, "row"),
    ],
)  # fmt: skip
def test_what_cannot_be_done_is_told_in_words(desk: Desk, do: str, more: dict[str, Any], words: str) -> None:
    answer = desk.ask(do, **more)
    assert answer["ok"] is False and set(answer["error"]) == {"rule", "received", "remedy", "place"}
    assert words in " ".join(answer["error"].values())
    assert "fault" not in answer["error"]["rule"]
    assert desk.ask("hello")["scene"]["revision"] == 1


@pytest.mark.parametrize(
    "message", ["", "{", "[]", "7", '{"do": "hello"}', '{"id": "x", "do": "hello"}', b"\0", "\x00"]
)
def test_what_is_no_command_is_answered_without_a_number(desk: Desk, message: str | bytes) -> None:
    desk.player.give(message)
    desk.step()
    assert desk.answers[None]["error"]["rule"] == "the Studio takes commands as JSON"  # type: ignore[index]


def test_a_fault_is_told_and_play_goes_on(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Session, "reset", lambda self: 1 / 0)
    desk.ask("play")
    error = desk.ask("reset")["error"]
    assert (
        error["rule"] == "this is a fault in layerwise" and error["received"] == "ZeroDivisionError: division by zero"
    )
    assert desk.ask("hello")["ok"]


def test_a_frame_that_fails_is_told_and_the_next_is_drawn(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    desk.frame()
    with monkeypatch.context() as patch:
        patch.setattr(Session, "frame", lambda self: lambda: 1 / 0)
        desk.painted()
        desk.ask("step")
        while not desk.events:
            desk.take()
    assert desk.events[0]["event"] == "failed" and "ZeroDivisionError" in desk.events[0]["error"]["received"]
    desk.ask("step")
    assert desk.frame()[1] == 2


def test_training_that_fails_stops_playing_and_the_page_stays(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    desk.step()
    with monkeypatch.context() as patch:
        patch.setattr(Session, "advance", lambda self, steps: 1 / 0)
        desk.ask("play")
        while not desk.events:
            desk.take()
    scene = desk.ask("hello")["scene"]
    assert desk.events[0]["event"] == "failed" and not scene["playing"]
    assert desk.ask("step")["scene"]["step"] == 1


# ── frames ──────────────────────────────────────────────────────────────────────────────────────


def test_a_page_that_never_draws_gets_one_frame_and_training_goes_on(desk: Desk) -> None:
    desk.ask("play")
    while desk.step() < 20_000:
        pass
    desk.ask("pause")
    assert len(desk.frames) == 1


def test_the_newest_wins(desk: Desk) -> None:
    assert desk.frame() == (1, 0)
    for _ in range(5):
        desk.ask("step")
    desk.ask("set", path="train.l1", value=0.1)
    desk.painted()
    assert desk.frame() == (2, 5)
    desk.painted()
    desk.ask("hello")
    assert len(desk.frames) == 2  # nothing is new


def test_frames_come_at_their_pace() -> None:
    """While the clock stands, only what was due already is drawn."""
    now = [100.0]
    with desk_of(clock=lambda: now[0]) as desk:
        for _ in range(10):
            desk.ask("step")
            desk.painted()
        while len(desk.frames) < 2:  # the first, and one that was due already, however long their programs compile
            desk.take()
        desk.ask("hello")
        assert len(desk.frames) == 2
        now[0] += 1.0
        desk.ask("hello")
        while len(desk.frames) < 3:
            desk.take()
        assert frames.unpacked(desk.frames[2])[1] == 10


def test_frames_while_playing_are_new_each_time(desk: Desk) -> None:
    desk.player.give('{"id": 1, "do": "play"}')
    steps = []
    for _ in range(5):
        steps.append(desk.frame()[1])
        desk.painted()
    assert steps == sorted(set(steps))


def test_a_page_that_reads_nothing_gets_few_words_on_a_long_way(desk: Desk) -> None:
    """A link has up to a thousand changes; each changes the scene, which may be large."""
    session = Session(SMALL)
    for number in range(300):
        session.advance(1)
        session.type_weight(0, 0, 0, number / 300)
    answer = desk.ask("follow", state=sharing.written(session), step=300)
    assert answer["scene"]["step"] == 300 and len(answer["scene"]["edits"]) > 100
    assert len(desk.events) <= 2 and len(desk.frames) == 1


def test_what_fails_in_taking_over_is_told_and_the_page_stays(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    desk.step()
    with monkeypatch.context() as patch:
        patch.setattr("layerwise.studio.player.coming.Coming.take", lambda self: Session(SMALL))
        patch.setattr(Session, "become", lambda self, other: 1 / 0)
        while not desk.events:
            desk.ask_at_once("hello")
    assert desk.events[0]["event"] == "failed" and desk.ask("step")["scene"]["step"] == 1


# ── to the end ──────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("train", "status"),
    [
        ({"epochs": 3}, "finished"),
        ({"learning_rate": 1e30}, "diverged"),
        ({"patience": 1, "learning_rate": 1e-9}, "stopped_early"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)  # fmt: skip
def test_the_end_is_told_once_and_drawn(train: dict[str, Any], status: str) -> None:
    network = {"kind": "mlp", "hidden": [3, 2], "activation": "relu"}  # which has no bound, so that it can diverge
    recipe = {**SMALL, "network": network, "train": {**SMALL["train"], **train}}
    with desk_of(recipe) as desk:
        desk.ask("play")
        while not desk.events:
            desk.take()
        desk.painted()
        while len(desk.frames) < 2:
            desk.take()
        assert frames.unpacked(desk.frames[-1])[1] == desk.events[0]["scene"]["step"]
        (event,) = desk.events
        assert event["scene"]["status"] == status and event["scene"]["playing"] is False
        assert desk.ask("hello")["scene"]["playing"] is False
        if status == "diverged":  # Undo: back to before, with a rate that does
            desk.ask("set", path="train.learning_rate", value=0.01)
            assert desk.ask("step", batches=50)["scene"]["status"] == "running"


# ── a flood, and noise ──────────────────────────────────────────────────────────────────────────


def test_a_flood_of_commands_is_answered_in_order_and_training_goes_on(desk: Desk) -> None:
    desk.ask("play")
    first = desk.step()
    for number in range(1000, 1300):
        desk.player.give(json.dumps({"id": number, "do": "hello"}))
    while 1299 not in desk.answers:
        desk.take()
    numbers = [number for number in desk.answers if number >= 1000]
    steps = [desk.answers[number]["scene"]["step"] for number in numbers]
    assert numbers == list(range(1000, 1300)) and steps == sorted(steps)
    assert len(set(steps)) > 20 and steps[-1] > first


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**20), 10**20) | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


def paths() -> list[str]:
    """Every path of a recipe."""

    def below(tree: Any, path: str) -> Iterator[str]:
        yield path
        if isinstance(tree, dict):
            for key, value in tree.items():
                yield from below(value, f"{path}.{key}" if path else key)

    return [path for path in below(plain(load(SMALL)), "") if path]


WORDS = ["play", "pause", "step", "back", "seek", "set", "weight", "sheet", "fly"]
commands = st.fixed_dictionaries(
    {"id": st.integers(1, 10**6) | json_values, "do": st.sampled_from(WORDS)},
    optional={
        "batches": st.integers(-2, 30) | json_values,
        "step": st.integers(-2, 2**32),
        "path": st.sampled_from(paths()) | st.text(max_size=12),
        "value": json_values,
        "layer": st.integers(-1, 9),
        "unit": st.integers(-1, 9),
        "source": st.none() | st.integers(-1, 9),
        "row": st.integers(60, 10**6),
    },
)  # fmt: skip
messages = commands.map(json.dumps) | st.text(max_size=40) | st.binary(max_size=20)


@pytest.fixture(scope="module")
def worn_desk() -> Iterator[Desk]:
    with desk_of() as opened:
        yield opened


@given(st.lists(messages, max_size=6))
@example([json.dumps({"id": 1, "do": "set", "path": "data.n", "value": 10_000_000})])
@example(['{"id": 1, "do": "set", "path": "seed", "value": ' + "[" * 3000 + "]" * 3000 + "}"])
@example(['{"id": 1, "do": "set", "path": "train.l1", "value": 1e999}'])
@example(['{"id": 1, "do": "set", "path": "train.l1", "value": ' + "9" * 5000 + "}"])
@example(['{"id": 1, "do": "set", "path": "train.learning_rate", "value": 1e300}', '{"id": 2, "do": "step"}'])
@example(['{"id": 1, "do": "weight", "layer": 0, "unit": 0, "source": 0, "value": NaN}'])
@example(['{"id": 1, "do": "ask", "inputs": [1e308, -1e308]}', '{"id": 2, "do": "ask", "inputs": [null, true]}'])
@example(['{"id": 1, "do": "compare", "other": {"train.l2": ' + "[" * 3000 + "]" * 3000 + "}}"])
@example(['{"id": 1, "do": "set", "path": "\\ud800", "value": "\\ud83d"}'])
@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
# The player goes on while messages are drawn, and its types are checked by samples from `random`.
@pytest.mark.filterwarnings("ignore:Do not use the `random` module")
def test_whatever_comes_is_settled_once_and_is_no_fault(worn_desk: Desk, given_messages: list[str | bytes]) -> None:
    desk = worn_desk
    due = desk.settled + len(given_messages) + 1
    for message in given_messages:
        desk.player.give(message)
    desk.number += 10**7
    desk.ask_at_once("hello")
    while desk.settled < due:  # a sheet is worked out aside, and may come after what was asked later
        desk.take()
    assert desk.settled == due
    rules = [answer["error"]["rule"] for answer in desk.answers.values() if not answer["ok"]]
    assert not any("fault" in rule for rule in rules)
    desk.answers.clear()


def test_long_messages_are_refused() -> None:
    long = json.dumps({"id": 1, "do": "recipe", "toml": "#" * protocol.MESSAGE_BYTES})
    with pytest.raises(ValueError, match="a message has up to"):
        protocol.decoded(long)


def test_closing_ends_the_thread_while_it_trains() -> None:
    with desk_of() as desk:
        desk.ask("play")


def test_what_fails_at_the_beginning_ends_the_player() -> None:
    def failing() -> Session:
        raise MemoryError("none")

    sent: list[Out] = []
    done: Callable[[Out], None] = sent.append
    with pytest.raises(MemoryError):
        Player(failing, done).run()
    assert sent == []
