"""A lane is the network trained alone: for every optimizer, regularizer, schedule, task and activation.

Lanes on threads run the very program of a run alone, so they are equal to the last bit. Stacked lanes
multiply matrices in batches, which sums in another order: equal to float32's accuracy after training.
"""

import os
import subprocess
import sys
import threading
from typing import Any

import jax
import msgspec
import numpy as np
import pytest
from recipes import EPOCHS, EVERYTHING, LINEAR, NOTHING, SOME, SWITCHED, TABLE, Maker, uses_of

from layerwise.training.events import Epoch, Progress
from layerwise.training.lanes import Lanes, forecast, memory_budget
from layerwise.training.trainer import Trainer

NEVER = lambda: False  # noqa: E731
# Programs that stack take longest to compile: between them one for each kind of target, and of memory.
STACKED = [
    "momentum", "nesterov", "adagrad", "adam", "adamw", "lion", "lbfgs", "two layers, batches of one",
    "no layer, batches of all rows, some end early",
]  # fmt: skip
STACK = 8


def alone(lane: Trainer, until: int = 1 << 20) -> tuple[Trainer, list[Epoch]]:
    """Train as a run does: no other lane in sight."""
    events = []
    while lane.running and lane.epochs_done < until:
        events += lane.advance(0.0, until)
    return lane, epochs(events)


def epochs(events: list[Any]) -> list[Epoch]:
    return [msgspec.structs.replace(event, seconds=0.0) for event in events if isinstance(event, Epoch)]


def together(lanes: list[Trainer], way: Any, until: int = 1 << 20) -> list[tuple[Trainer, list[Epoch]]]:
    """Train as lanes; per lane itself and its epochs."""
    events: list[list[Any]] = [[] for _ in lanes]
    ended = [not lane.running for lane in lanes]
    for number, happened, over in Lanes((way,)).train(lanes, until, NEVER):
        events[number] += happened
        assert not ended[number], "nothing is told of a lane that is over"
        ended[number] = over
    assert ended == [not lane.running for lane in lanes]
    return [(lane, epochs(happened)) for lane, happened in zip(lanes, events, strict=True)]


def check_same(one: tuple[Trainer, list[Epoch]], other: tuple[Trainer, list[Epoch]]) -> None:
    """To the last bit: weights, optimizer, best weights, counters, and all that was told."""
    assert one[1] == other[1]
    for a, b in zip(jax.tree.leaves(one[0].state), jax.tree.leaves(other[0].state), strict=True):
        assert np.array_equal(np.asarray(a), np.asarray(b), equal_nan=True)
    assert one[0].seen == other[0].seen


def check_close(one: tuple[Trainer, list[Epoch]], other: tuple[Trainer, list[Epoch]]) -> None:
    """To float32's accuracy, grown a little over some dozen steps."""
    assert len(one[1]) == len(other[1]) and one[0].status == other[0].status
    for a, b in zip(one[1], other[1], strict=True):
        assert a.loss == pytest.approx(b.loss, rel=1e-4, abs=1e-5)
        assert a.learning_rate == pytest.approx(b.learning_rate, rel=1e-6)
        assert a.validation == pytest.approx(b.validation, rel=1e-4, abs=1e-5)
    for a, b in zip(jax.tree.leaves(one[0].best), jax.tree.leaves(other[0].best), strict=True):
        np.testing.assert_allclose(np.asarray(a), np.asarray(b), rtol=1e-3, atol=1e-4)


def lanes_of(name: str) -> list[Trainer]:
    """The lanes of a line of the table: the recipe, its companions, and the recipe with another seed."""
    given, companions = TABLE[name]
    maker = Maker(given)
    settings, uses = [{}, *companions, {}], uses_of(name)
    return [maker.lane(changes, uses, 7 if n > len(companions) else 0) for n, changes in enumerate(settings)]


@pytest.mark.parametrize("name", TABLE)
def test_lanes_on_threads_are_runs_alone_to_the_last_bit(name: str) -> None:
    lone = [alone(lane) for lane in lanes_of(name)]
    for one, other in zip(together(lanes_of(name), "threads"), lone, strict=True):
        check_same(one, other)
    found = {b"".join(np.asarray(leaf).tobytes() for leaf in jax.tree.leaves(lane.state)) for lane, _ in lone}
    assert len(found) == len(lone), "every setting matters"


@pytest.mark.parametrize("name", STACKED)
def test_stacked_lanes_are_runs_alone(name: str) -> None:
    """The first of them and the last of them: all stacks have one size, so that they share programs."""
    lone = [alone(lane) for lane in lanes_of(name)]
    for part in (slice(None, STACK), slice(-STACK, None))[: 1 + (len(lone) > STACK)]:
        for one, other in zip(together(lanes_of(name)[part], "stacked"), lone[part], strict=True):
            check_close(one, other)


@pytest.mark.parametrize("path", SWITCHED)
def test_what_a_companion_switches_on_changes_nothing(path: str) -> None:
    """A lane whose program can do all, against the program that can do no more than its recipe needs."""
    maker = Maker({})
    own = maker.lane({path: SWITCHED[path]}, NOTHING)
    assert own.program.uses == {path.removeprefix("train.")}
    check_close(alone(maker.lane({path: SWITCHED[path]})), alone(own))


@pytest.mark.parametrize("way", ["threads", "stacked"])
def test_sixteen_settings_as_lanes_and_each_alone(way: Any) -> None:
    """Two kinds of eight; the first kind alone with nothing but what their own recipes say."""
    random = np.random.default_rng(0)
    maker = Maker({})
    settings = [
        {
            "network": (SOME, LINEAR)[number % 2],
            "train.learning_rate": float(10 ** random.uniform(-2.5, -1)),
            "train.dropout": float(random.uniform(0.05, 0.5)),
            "train.noise": float(random.uniform(0.05, 0.3)),
            "train.l1": float(10 ** random.uniform(-5, -2)),
            "train.l2": float(10 ** random.uniform(-5, -2)),
            "train.epochs": int(random.integers(2, 6)),
            "train.warmup": float(random.uniform(0, 2)),
        }
        for number in range(16)
    ]
    lanes = [maker.lane(chosen, seed=number % 3) for number, chosen in enumerate(settings)]
    assert len({lane.kind for lane in lanes}) == 2
    trained = together(lanes, way)
    for number, chosen in enumerate(settings):
        check_close(trained[number], alone(maker.lane(chosen, (NOTHING, EVERYTHING)[number % 2], seed=number % 3)))
        assert len(trained[number][1]) == chosen["train.epochs"]


@pytest.mark.parametrize("way", ["threads", "stacked"])
def test_a_lane_that_explodes_harms_nobody(way: Any) -> None:
    """The others have the bits that they have beside a lane that does not."""
    maker = Maker({})
    rates = [0.05, 1e30, 0.02]
    bad = together([maker.lane({"train.learning_rate": rate}) for rate in rates], way)
    good = together([maker.lane({"train.learning_rate": rate}) for rate in (rates[0], 0.01, rates[2])], way)
    assert [lane.status for lane, _ in bad] == ["finished", "diverged", "finished"]
    check_same(bad[0], good[0])
    check_same(bad[2], good[2])
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(bad[1][0].best)), "no such value was ever best"
    check_same(bad[1], alone(maker.lane({"train.learning_rate": 1e30}))) if way == "threads" else None


@pytest.mark.parametrize("way", ["threads", "stacked", "alone"])
def test_lanes_stop_at_a_rung_and_go_on_from_it(way: Any) -> None:
    maker = Maker({})
    whole = together([maker.lane(seed=seed) for seed in range(3)], way)
    lanes = [maker.lane(seed=seed) for seed in range(3)]
    told: list[list[Epoch]] = [[], [], []]
    for rung in (1, 3, EPOCHS):
        for number, (_, happened) in enumerate(together(lanes, way, rung)):
            told[number] += happened
        assert [lane.epochs_done for lane in lanes] == [rung] * 3
    for one, happened, other in zip(lanes, told, whole, strict=True):
        check_same((one, happened), other)


def test_some_go_on_without_the_others() -> None:
    """As halving has it: the stack shrinks to those that are left."""
    maker = Maker({})
    lanes = [maker.lane(seed=seed) for seed in range(STACK)]
    trainer = Lanes(("stacked",))
    for until, going in ((1, lanes), (2, lanes[1:4]), (EPOCHS, lanes[2:3])):
        for _ in trainer.train(going, until, NEVER):
            pass
    assert [lane.epochs_done for lane in lanes] == [1, 2, EPOCHS, 2, 1, 1, 1, 1]
    check_close((lanes[2], []), (alone(maker.lane(seed=2))[0], []))


@pytest.mark.parametrize("way", ["threads", "stacked", "alone"])
def test_lanes_stop_when_they_are_told_to(way: Any) -> None:
    maker = Maker({"train": {"epochs": 1_000_000}})
    lanes = [maker.lane(seed=seed) for seed in range(3)]
    stop = threading.Event()
    for _, events, over in Lanes((way,)).train(lanes, 1 << 20, stop.is_set):
        assert not over
        if any(isinstance(event, Epoch) and event.epoch >= 3 for event in events):
            stop.set()
    assert all(lane.running and np.isfinite(lane.seen.best_value) for lane in lanes if lane.epochs_done)
    lane = max(lanes, key=lambda lane: lane.epochs_done)
    check_close((lane, []), (alone(maker.lane(seed=lanes.index(lane)), lane.epochs_done)[0], []))


@pytest.mark.parametrize("way", ["threads", "stacked", "alone"])
def test_who_stops_listening_stops_the_lanes(way: Any) -> None:
    maker = Maker({"train": {"epochs": 1_000_000}})
    lanes = [maker.lane(seed=seed) for seed in range(3)]
    threads = threading.active_count()
    reports = Lanes((way,)).train(lanes, 1 << 20, NEVER)
    next(reports)
    reports.close()
    assert threading.active_count() == threads
    steps = [lane.step for lane in lanes]
    assert [lane.step for lane in lanes] == steps and max(steps) < 10_000_000


def test_an_error_in_a_lane_comes_out(monkeypatch: pytest.MonkeyPatch) -> None:
    maker = Maker({})
    lanes = [maker.lane(seed=seed) for seed in range(3)]
    monkeypatch.setattr(lanes[1], "advance", lambda *_: 1 // 0)
    with pytest.raises(ZeroDivisionError):
        for _ in Lanes(("threads",)).train(lanes, EPOCHS, NEVER):
            pass


def test_the_way_is_chosen_by_measuring_and_told() -> None:
    """Whatever was chosen, nothing of the measuring is lost or done twice."""
    maker = Maker({"train": {"epochs": 40}})
    lanes = [maker.lane(seed=seed) for seed in range(5)]
    trainer = Lanes(("alone", "threads"))
    told: list[list[Any]] = [[] for _ in lanes]
    for number, happened, _ in trainer.train(lanes, 1 << 20, NEVER):
        told[number] += happened
    assert [(choice.way in ("alone", "threads"), choice.lanes) for choice in trainer.choices] == [(True, 5)]
    assert trainer.choices[0].parameters == 2 * 5 + 5 + 5 + 1
    for number, lane in enumerate(lanes):
        check_same((lane, epochs(told[number])), alone(maker.lane(seed=number)))
        assert all(isinstance(event, Epoch | Progress) for event in told[number])
    again = [maker.lane(seed=seed) for seed in range(2)]
    for _ in trainer.train(again, 1 << 20, NEVER):
        pass
    assert len(trainer.choices) == 1, "a kind is measured once"


def test_lanes_that_are_over_train_no_more() -> None:
    lane, _ = alone(Maker({}).lane())
    assert list(Lanes().train([lane], 1 << 20, NEVER)) == []
    assert list(Lanes().train([], 1 << 20, NEVER)) == []


def test_memory_is_forecast_from_the_state() -> None:
    """Weights twice with the optimizer's two memories, and the best once; a call works on a copy."""
    lane = Maker({}).lane()
    parameters = 2 * 5 + 5 + 5 + 1
    assert 2 * 4 * 7 * parameters <= forecast(lane) < 2 * 4 * 7 * parameters + 200
    assert memory_budget() > 1 << 20


DEVICES = """
import sys
import jax, numpy as np
sys.path.insert(0, sys.argv[1])
import test_lanes as t
from layerwise.training.lanes import Lanes, _Stack
assert jax.local_device_count() == 8
maker = t.Maker({})
dropped = {"train.dropout": 0.3}
make = lambda: [
    maker.lane({**dropped, "train.learning_rate": 0.01 * (seed + 1)}, t.NOTHING, seed) for seed in range(11)
]
lanes = make()
spread = {len(leaf.sharding.device_set) for leaf in jax.tree.leaves(_Stack(make())._state)}
assert spread == {8}, spread
events = [[] for _ in lanes]
trainer = Lanes()
for number, happened, over in trainer.train(lanes, 2, t.NEVER):
    events[number] += happened
for number, happened, over in trainer.train(lanes[:9], 1 << 20, t.NEVER):
    events[number] += happened
assert trainer.choices[0].way == "stacked"
for number, (lane, lone) in enumerate(zip(lanes, make())):
    t.check_close((lane, t.epochs(events[number])), t.alone(lone, t.EPOCHS if number < 9 else 2))
print("equal")
"""


def test_lanes_are_shared_out_over_eight_devices() -> None:
    """Eleven lanes, so that some devices have one to spare; then nine of them go on."""
    environment = {**os.environ, "XLA_FLAGS": "--xla_force_host_platform_device_count=8"}
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", DEVICES, os.path.dirname(__file__)],
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.stdout == "equal\n", done.stderr[-3000:]
