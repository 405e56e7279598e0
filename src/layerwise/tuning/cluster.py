"""Lanes trained by the machines of a Ray cluster, in place of `layerwise.training.lanes.Lanes`.

Lanes of one kind are handed out in pieces. A machine trains a piece for some seconds and gives its lanes
back with what happened; those that are not over are handed out again, to whichever machine is free. So
the process that searches always has every lane's state: if a machine dies, Ray has the piece trained
again elsewhere, from the same state to the same numbers, and if that fails too it is trained here.
"""

import logging
import os
import time
import warnings
from collections.abc import Callable, Hashable, Iterator, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import jax
import numpy as np

from layerwise.errors import FailedError, LayerwiseError, MissingExtraError, RunError
from layerwise.training.events import AnyEvent
from layerwise.training.folder import version
from layerwise.training.lanes import Choice, Lanes, Report, cores, goes_on
from layerwise.training.loop import Data, State
from layerwise.training.trainer import Pace, Trainer

SLICE = 2.0  # seconds that a piece is trained for at least before its lanes come back
CARRIED = 1e7  # bytes of lanes that are carried for a second of training
RETRIES = 3  # times that a piece is trained again elsewhere when its machine has died
PIECES = 2  # for each machine at first, since lanes end at different times
LOCAL = "local"


def ray() -> Any:
    """The package. Raises `MissingExtraError`."""
    # It would report home, and warn of what concerns only those who set their devices themselves.
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    try:
        import ray
    except ImportError:
        raise MissingExtraError("ray", extra="cluster") from None
    return ray


class Answer(NamedTuple):
    """What became of a piece: each lane's state, and what happened in it."""

    states: list[State]
    events: list[list[AnyEvent]]
    choices: list[Choice]


class Cluster:
    """Trains lanes as `Lanes` does, on the cluster at `address`, or one that is started here for it ("local").

    A cluster that the process is connected to already is used, whatever the address, and left as it is.
    `choices` are those that the machines made. Raises `MissingExtraError`, `RunError` where there is no
    cluster.
    """

    def __init__(self, address: str) -> None:
        self._ray = ray()
        self._own = not self._ray.is_initialized()
        self.choices: list[Choice] = []
        self._here = Lanes()
        self._data: dict[int, Any] = {}  # by the data's identity: where it was put
        if self._own:
            try:
                self._connect(address)
            except (ConnectionError, RuntimeError, ValueError, OSError) as error:
                raise RunError(
                    "the cluster is a Ray cluster that can be reached",
                    received=f"{address}: {str(error).strip().splitlines()[0]}",
                    remedy='give the address of its head, e.g. "10.0.0.1:6379", or "local"',
                ) from None

    def _connect(self, address: str) -> None:
        options: dict[str, Any] = {"address": address, "log_to_driver": False, "logging_level": logging.ERROR}
        if address == LOCAL:
            # Nobody else is to reach it.
            options |= {"num_cpus": cores(), "include_dashboard": False, "_node_ip_address": "127.0.0.1"}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            self._ray.init(**options)

    def close(self) -> None:
        """Let go of the cluster; one that was started here ends."""
        if self._own:
            self._ray.shutdown()

    def train(self, lanes: Sequence[Trainer], until: int, stopped: Callable[[], bool]) -> Iterator[Report]:
        """Train each lane up to epoch `until` or its own end; yields what happened, some seconds at a time.

        Once `stopped()`, what is being trained comes back, and nothing more is handed out.
        """
        waiting: dict[Hashable, list[int]] = {}
        training: dict[Any, list[int]] = {}

        def wait(numbers: Sequence[int]) -> None:
            for number in numbers:
                if goes_on(lanes[number], until):
                    waiting.setdefault(lanes[number].kind, []).append(number)

        wait(range(len(lanes)))
        try:
            while training or (waiting and not stopped()):
                machines = self._machines()
                while waiting and not stopped() and len(training) < machines.at_once:
                    piece = _piece(waiting, machines)
                    training[self._hand_out([lanes[number] for number in piece], until, machines)] = piece
                ready, _ = self._ray.wait(list(training), timeout=0.2)
                for reference in ready:
                    piece = training.pop(reference)
                    yield from self._back(self._answer(reference), lanes, piece, until, stopped)
                    wait(piece)
        finally:
            for reference in training:  # whoever stops listening stops the lanes
                self._ray.cancel(reference)

    def _back(
        self,
        answer: "Answer | None",
        lanes: Sequence[Trainer],
        piece: Sequence[int],
        until: int,
        stopped: Callable[[], bool],
    ) -> Iterator[Report]:
        """Take a piece's lanes back; where there is no answer, train them here."""
        if answer is None:
            for number, events, over in self._here.train([lanes[number] for number in piece], until, stopped):
                yield Report(piece[number], events, over)
            return
        self.choices += answer.choices
        for number, state, events in zip(piece, answer.states, answer.events, strict=True):
            lanes[number].take(state)
            yield Report(number, events, over=not lanes[number].running)

    def _machines(self) -> "Machines":
        """What the cluster has at this moment: machines may come and go."""
        nodes = [node["Resources"] for node in self._ray.nodes() if node["Alive"]]
        gpus = int(sum(node.get("GPU", 0) for node in nodes))
        if gpus:
            return Machines(gpus, 1, 1)
        sizes = [int(node["CPU"]) for node in nodes if node.get("CPU", 0) >= 1] or [1]
        smallest = min(sizes)
        return Machines(sum(size // smallest for size in sizes), smallest, 0)

    def _hand_out(self, lanes: Sequence[Trainer], until: int, machines: "Machines") -> Any:
        data = lanes[0].data
        if id(data) not in self._data:
            self._data[id(data)] = self._ray.put(jax.tree.map(np.asarray, data))
        carried = sum(int(leaf.nbytes) for lane in lanes for leaf in jax.tree.leaves(lane.state))
        task = self._ray.remote(train_piece).options(
            num_cpus=machines.cores, num_gpus=machines.gpus, max_retries=RETRIES
        )
        # In a list, so that the data itself is fetched once by a machine, not once for each piece.
        return task.remote(
            [self._data[id(data)]], [packed(lane) for lane in lanes], until, max(SLICE, carried / CARRIED), versions()
        )

    def _answer(self, reference: Any) -> Answer | None:
        """What a machine has answered; None where machines died as often as they were asked."""
        try:
            answer: Answer = self._ray.get(reference)
        except self._ray.exceptions.RayTaskError as error:
            if isinstance(error.cause, LayerwiseError):
                raise error.cause from None
            raise FailedError(
                "every machine of the cluster can train",
                received=str(error.cause or error).strip().splitlines()[-1],
                remedy="install the same version of layerwise on each of them",
            ) from None
        except self._ray.exceptions.RayError:
            return None
        return answer


class Machines(NamedTuple):
    """How many pieces can be trained at a time, and what each of them takes."""

    at_once: int
    cores: int
    gpus: int


def _piece(waiting: dict[Hashable, list[int]], machines: Machines) -> list[int]:
    """Take lanes that are handed out together: of one kind, so that a machine compiles one program for them."""
    alive = sum(map(len, waiting.values()))
    size = max(machines.cores, -(-alive // (PIECES * machines.at_once)))
    kind = max(waiting, key=lambda kind: len(waiting[kind]))
    piece, rest = waiting[kind][:size], waiting[kind][size:]
    del waiting[kind]
    if rest:
        waiting[kind] = rest
    return piece


def packed(lane: Trainer) -> dict[str, Any]:
    """A lane's fields without the data, which all lanes share."""
    fields = {name: value for name, value in vars(lane).items() if name not in ("data", "pace")}
    return {**fields, "state": on_host(lane.state)}


def unpacked(fields: dict[str, Any], data: Data) -> Trainer:
    """The inverse of `packed`."""
    lane = Trainer.__new__(Trainer)
    vars(lane).update(fields, data=data, pace=Pace())
    return lane


def on_host(state: State) -> State:
    """A state as NumPy arrays."""
    copied: State = jax.tree.map(np.asarray, state)
    return copied


def versions() -> dict[str, str]:
    """What must be the same on every machine for the numbers to be the same."""
    return {name: version(name) for name in ("layerwise", "jax", "jaxlib", "optax", "equinox")}


# ── on a machine of the cluster ─────────────────────────────────────────────────────────────────


def train_piece(
    data: list[Any], lanes: list[dict[str, Any]], until: int, seconds: float, expected: dict[str, str]
) -> Answer:
    """Train lanes of one kind for so many seconds, in a process of Ray. Raises `FailedError`."""
    if (found := versions()) != expected:
        odd = [f"{name} {found[name]} instead of {expected[name]}" for name in found if found[name] != expected[name]]
        raise FailedError(
            "all machines of the cluster have the same versions",
            received=", ".join(odd),
            remedy="install the same ones on each of them",
        )
    own = _lanes()
    trainers = [unpacked(fields, _placed(data[0])) for fields in lanes]
    events: list[list[AnyEvent]] = [[] for _ in trainers]
    told, end = len(own.choices), time.monotonic() + seconds
    # However short the time, something was done in it, or nothing would ever be.
    for number, happened, _ in own.train(trainers, until, lambda: any(events) and time.monotonic() > end):
        events[number] += happened
    return Answer([on_host(lane.state) for lane in trainers], events, own.choices[told:])


@lru_cache(maxsize=1)
def _lanes() -> Lanes:
    """This process's own, which remembers how lanes of each kind are trained fastest here."""
    return Lanes()


@lru_cache(maxsize=4)
def _placed(reference: Any) -> Data:
    """The data on this machine's device."""
    data: Data = jax.tree.map(jax.numpy.asarray, ray().get(reference))
    return data
