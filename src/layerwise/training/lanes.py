"""Lanes: many networks trained at once on the same data, each as if it were alone.

A lane is a `Trainer`; lanes of one kind (the same program and shapes) share one compiled program,
since every numeric setting is an argument of it. There are three ways to train them:

    alone    one after another, each using all cores: large networks on a CPU
    threads  one on each core at a time, all calling the one compiled program: bit-equal to alone
    stacked  all in one call, their states stacked: GPUs, or several devices that share the lanes out

Which is fastest is measured in the first calls, which train already (decision 0008).
"""

import contextlib
import math
import os
import queue
import threading
import time
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache, partial
from pathlib import Path
from typing import Any, Literal, NamedTuple, TypeVar

import jax
import jax.numpy as jnp
import numpy as np

from layerwise.training import loop
from layerwise.training.compile import options
from layerwise.training.events import AnyEvent
from layerwise.training.hyper import Hyper
from layerwise.training.loop import Data, History, State
from layerwise.training.step import Program
from layerwise.training.trainer import Pace, Trainer

MEASURED_SECONDS = 0.02  # a call this long tells how fast a way is
SPREAD = 1.25  # cores from which on a program counts as spread over several
CLEARLY = 1.1  # times as fast must lanes be one by one for them to be trained so
UNTOLD = 2 << 30  # bytes that are taken to be free where the system does not tell
MEMORY_SHARE = 0.5  # of what is free may go into lanes
WORKING_COPIES = 2  # of a lane's state while a call works on it, about

Way = Literal["alone", "threads", "stacked"]


class Choice(NamedTuple):
    """How lanes of one kind are trained, and what decided it.

    `busy` is how many cores one lane alone kept busy, `rates` the steps per second of each way that was
    timed.
    """

    way: Way
    lanes: int
    parameters: int
    busy: float
    rates: dict[str, float]


Tree = TypeVar("Tree", State, Hyper)


class Report(NamedTuple):
    """What one call did to one lane; `over` with the last report of a lane that trains no more."""

    lane: int
    events: list[AnyEvent]
    over: bool


class Lanes:
    """Trains lanes, and remembers for each kind of them which way was fastest.

    `ways` limits the choice; a single one is taken unmeasured. `choices` are those made so far.

    >>> Lanes().choices
    []
    """

    def __init__(self, ways: Sequence[Way] = ()) -> None:
        several = jax.default_backend() != "cpu" or jax.local_device_count() > 1
        self._ways: Sequence[Way] = ways or (("stacked",) if several else ("alone", "threads"))
        self._cores = cores()
        self._paces: dict[Hashable, Pace] = {}
        self._chosen: dict[Hashable, Way] = {}
        self.choices: list[Choice] = []

    def train(self, lanes: Sequence[Trainer], until: int, stopped: Callable[[], bool]) -> Iterator[Report]:
        """Train each lane up to epoch `until` or its own end; yields what every call reports.

        Ends early, between calls, once `stopped()`.
        """
        kinds: dict[Hashable, list[int]] = {}
        for number, lane in enumerate(lanes):
            if goes_on(lane, until):
                kinds.setdefault(lane.kind, []).append(number)
                lane.pace = self._paces.setdefault(lane.kind, Pace())
        team = _Team(lanes, until, stopped, self._cores)
        fresh = [numbers for kind, numbers in kinds.items() if kind not in self._chosen]
        if "stacked" not in self._ways[:1]:
            yield from team.together([numbers[:1] for numbers in fresh], calls=1)  # each compiles its program
        for numbers in fresh:
            yield from self._choose(team, numbers)
        by_way: dict[Way, list[list[int]]] = {"alone": [], "threads": [], "stacked": []}
        for kind, numbers in kinds.items():
            by_way[self._chosen.get(kind, self._ways[-1])].append(numbers)
        yield from team.together([[number] for numbers in by_way["threads"] for number in numbers])
        for numbers in by_way["alone"]:
            for number in numbers:
                yield from team.alone(number)
        for numbers in by_way["stacked"]:
            yield from team.stacked(numbers)

    def _choose(self, team: "_Team", numbers: list[int]) -> Iterator[Report]:
        """Let the first calls of these lanes, all of one kind, tell which way is fastest.

        A program that keeps one core busy leaves the others to other lanes, that needs no comparing. One
        that spreads over several is timed both ways, twice, since other processes get in the way.
        """
        lane = team.lanes[numbers[0]]
        rates: dict[str, float] = {}
        busy = 0.0
        way = self._ways[-1]
        for _ in range(2 if len(self._ways) > 1 and len(numbers) > 1 else 0):
            for candidate in self._ways:
                going = [number for number in numbers if team.goes_on(number)]
                if not going or (busy and busy < SPREAD):
                    break
                team.began()
                match candidate:
                    case "alone":
                        yield from team.alone(going[0], MEASURED_SECONDS)
                        busy = max(busy, team.busy())
                    case "threads":
                        yield from team.together([[number] for number in going[-self._cores :]], calls=1)
                    case "stacked":
                        yield from team.stacked(going, MEASURED_SECONDS)
                rates[candidate] = max(rates.get(candidate, 0.0), team.rate())
        others = max((rate for name, rate in rates.items() if name != "alone"), default=math.inf)
        if rates.get("alone", 0.0) > CLEARLY * others:
            way = "alone"
        if not rates and len(self._ways) > 1:
            return  # a lane without companions tells nothing; others of its kind may
        self._chosen[lane.kind] = way
        parameters = sum(int(leaf.size) for leaf in jax.tree.leaves(lane.state.best))
        self.choices.append(Choice(way, len(numbers), parameters, round(busy, 2), rates))


class _Team:
    """The lanes of one `Lanes.train`, and the ways to advance them."""

    def __init__(self, lanes: Sequence[Trainer], until: int, stopped: Callable[[], bool], cores: int) -> None:
        self.lanes, self.until, self.stopped, self.cores = lanes, until, stopped, cores
        self._began = time.monotonic()
        self.began()

    def began(self) -> None:
        """A call, or several at once, are about to be made: begin to measure."""
        self._clock = (time.perf_counter(), time.process_time(), sum(lane.step for lane in self.lanes))

    def rate(self) -> float:
        """Steps a second of all lanes since `began`."""
        wall, _, steps = self._clock
        return (sum(lane.step for lane in self.lanes) - steps) / (time.perf_counter() - wall)

    def busy(self) -> float:
        """Cores kept busy since `began`, on average."""
        wall, used, _ = self._clock
        return (time.process_time() - used) / (time.perf_counter() - wall)

    def goes_on(self, number: int) -> bool:
        """Whether there is more to do for a lane."""
        return goes_on(self.lanes[number], self.until) and not self.stopped()

    def alone(self, number: int, enough: float = float("inf")) -> Iterator[Report]:
        """Advance one lane to its end, or until a call has lasted `enough` seconds."""
        took = 0.0
        while took < enough and self.goes_on(number):
            self.began()
            report = self._advance(number)
            took = time.perf_counter() - self._clock[0]
            yield report

    def together(self, chains: Iterable[Sequence[int]], calls: int | None = None) -> Iterator[Report]:
        """Advance lanes on all cores: of each chain one after another; at most `calls` calls of each lane."""
        chains = list(chains)
        if not chains:
            return
        found: queue.SimpleQueue[Report | BaseException | None] = queue.SimpleQueue()
        left = threading.Event()

        def work(chain: Sequence[int]) -> None:
            try:
                for number in chain:
                    done = 0
                    while done != calls and not left.is_set() and self.goes_on(number):
                        found.put(self._advance(number))
                        done += 1
            except BaseException as error:
                found.put(error)
            else:
                found.put(None)

        with ThreadPoolExecutor(self.cores, "lanes") as pool:
            try:
                for chain in chains:
                    pool.submit(work, chain)
                over = 0
                while over < len(chains):
                    report = found.get()
                    if isinstance(report, BaseException):
                        raise report
                    if report is None:
                        over += 1
                    else:
                        yield report
            finally:
                left.set()  # whoever stops listening stops the lanes

    def _advance(self, number: int) -> Report:
        lane = self.lanes[number]
        events = lane.advance(time.monotonic() - self._began, self.until)
        return Report(number, events, not lane.running)

    def stacked(self, numbers: Sequence[int], enough: float = float("inf")) -> Iterator[Report]:
        """Advance lanes of one kind in common calls to their ends, or until a call has lasted `enough` seconds."""
        numbers = [number for number in numbers if goes_on(self.lanes[number], self.until)]
        if not numbers:
            return
        stack, took = _Stack([self.lanes[number] for number in numbers]), 0.0
        try:
            while took < enough and any(self.goes_on(number) for number in numbers):
                self.began()
                reports = stack.advance(time.monotonic() - self._began, self.until)
                took = time.perf_counter() - self._clock[0]
                yield from (Report(n, events, False) for n, events in zip(numbers, reports, strict=True) if events)
        finally:
            stack.unstack()
        # Only now have the lanes their own weights again.
        yield from (Report(number, [], True) for number in numbers if not self.lanes[number].running)


class _Stack:
    """Lanes of one kind whose states are stacked: one call advances all of them."""

    def __init__(self, lanes: Sequence[Trainer]) -> None:
        self.lanes = lanes
        self._program, self._data = lanes[0].program, lanes[0].data
        # Every device takes as many lanes as every other; what fills up the last one makes no step.
        devices = jax.local_devices()
        self._spare = -len(lanes) % len(devices)
        full = [*lanes, *[lanes[-1]] * self._spare]
        self._state = _stacked([lane.state for lane in full])
        self._hyper = _stacked([lane.hyper for lane in full])
        self._seeds = jnp.stack([lane.seed for lane in full])
        if len(devices) > 1:
            mesh = jax.sharding.Mesh(np.array(devices), ("lanes",))
            part: Any = jax.sharding.PartitionSpec  # untyped
            shared_out = jax.sharding.NamedSharding(mesh, part("lanes"))
            everywhere = jax.sharding.NamedSharding(mesh, part())
            self._state, self._hyper, self._seeds = jax.device_put((self._state, self._hyper, self._seeds), shared_out)
            self._data = jax.device_put(self._data, everywhere)

    def advance(self, clock: float, until: int) -> list[list[AnyEvent]]:
        """One call; what each lane reports, nothing where it was over before."""
        pace = self.lanes[0].pace
        firsts = [lane.step for lane in self.lanes]
        going = [goes_on(lane, until) for lane in self.lanes]
        end = until * self.lanes[0].steps_per_epoch
        limits = [min(pace.steps, end - first) if on else 0 for first, on in zip(firsts, going, strict=True)] + [
            0
        ] * self._spare
        began = time.monotonic()
        self._state, history = _compiled_stack(self._program)(
            self._state, self._data, self._hyper, self._seeds, np.array(limits, np.int32)
        )
        histories: History = jax.device_get(history)
        small = jax.device_get({name: getattr(self._state, name) for name in _SCALARS})
        took = time.monotonic() - began
        if max(limits) == pace.steps:
            pace.learn(max(limits), took)
        reports = []
        for number, (lane, first) in enumerate(zip(self.lanes, firsts, strict=True)):
            lane.take(lane.state._replace(**{name: values[number] for name, values in small.items()}))
            own = jax.tree.map(lambda values, n=number: values[n], histories)
            reports.append(lane.report(first, own, int(own.rows), took, clock + took) if going[number] else [])
        return reports

    def unstack(self) -> None:
        """Give every lane its own state back."""
        states: State = jax.device_get(self._state)  # indexing arrays that are spread over devices would fail
        for number, lane in enumerate(self.lanes):
            lane.take(jax.tree.map(lambda values, n=number: np.array(values[n]), states))


_SCALARS = [name for name in State._fields if name not in ("weights", "good", "best")]


@lru_cache(maxsize=64)
def _compiled_stack(program: Program) -> Callable[[State, Data, Hyper, jax.Array, np.ndarray], tuple[State, History]]:
    lanes = jax.vmap(partial(loop.advance_purely, program), in_axes=(0, None, 0, 0, 0))
    return jax.jit(lanes, donate_argnums=0, compiler_options=options(tiny=False))


def _stacked(trees: Sequence[Tree]) -> Tree:
    stacked: Tree = jax.tree.map(lambda *leaves: jnp.stack(leaves), *trees)
    return stacked


def goes_on(lane: Trainer, until: int) -> bool:
    """Whether there is more to train in a lane before epoch `until`."""
    return lane.running and lane.step < until * lane.steps_per_epoch


def cores() -> int:
    """How many processors this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


# ── how many ────────────────────────────────────────────────────────────────────────────────────


def forecast(lane: Trainer) -> int:
    """Bytes that one more lane like this takes, about.

    Its state is the current weights with the optimizer's memory, the same as of the last good epoch,
    and the best weights; a call works on a copy.
    """
    return WORKING_COPIES * sum(int(leaf.nbytes) for leaf in jax.tree.leaves(lane.state))


def memory_budget() -> int:
    """Bytes that lanes may take together: half of what is free."""
    return int(MEMORY_SHARE * _free_bytes())


def _free_bytes() -> int:
    """Free memory of the device that trains, or of the host and the container it is in."""
    stats = jax.local_devices()[0].memory_stats()
    if stats and "bytes_limit" in stats:
        return jax.local_device_count() * int(stats["bytes_limit"] - stats["bytes_in_use"])
    found = [_kilobytes(Path("/proc/meminfo"), "MemAvailable:")]
    group = Path("/sys/fs/cgroup")
    with contextlib.suppress(OSError, ValueError):  # "max": the container is not limited
        limit = int((group / "memory.max").read_text())
        found.append(limit - int((group / "memory.current").read_text()))
    return max(min((free for free in found if free is not None), default=UNTOLD), 0)


def _kilobytes(file: Path, name: str) -> int | None:
    """The bytes that a line such as "MemAvailable: 123 kB" tells; None where there is none."""
    with contextlib.suppress(OSError, ValueError, IndexError):
        line = next((line for line in file.read_text().splitlines() if line.startswith(name)), "")
        return int(line.split()[1]) << 10
    return None
