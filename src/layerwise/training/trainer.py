"""Drives the compiled loop: how long a call is, and what its history says as events."""

import time
from collections.abc import Hashable
from functools import partial
from typing import NamedTuple

import jax
import msgspec
import numpy as np

from layerwise.nets import noise
from layerwise.nets.dense import MLP
from layerwise.nets.widen import units, widened
from layerwise.recipe import records as r
from layerwise.tasks.objective import Objective, watched
from layerwise.training import loop
from layerwise.training.events import AnyEvent, Epoch, Progress, RolledBack
from layerwise.training.hyper import ROLLBACKS, hyper
from layerwise.training.loop import Data, History, State
from layerwise.training.optimizer import DEFAULT_RATES
from layerwise.training.range_finder import find_learning_rate
from layerwise.training.step import program

CALL_SECONDS = 0.1  # aimed at: Python's share vanishes, and Ctrl-C is still answered at once
STATUS = {
    loop.RUNNING: "running",
    loop.FINISHED: "finished",
    loop.STOPPED_EARLY: "stopped_early",
    loop.DIVERGED: "diverged",
    loop.CONVERGED: "finished",
}


class Seen(NamedTuple):
    """The scalars of a state as host numbers: the state itself dies when it is handed to the next call."""

    step: int = 0
    status: int = loop.FINISHED
    loss: float = 0.0  # sums over the current epoch
    weight: float = 0.0
    rollbacks: int = 0
    best_value: float = float("inf")  # lower is better
    best_epoch: int = 0


class Pace:
    """How many steps a call takes, learnt from the calls so far; lanes of one program share it."""

    def __init__(self) -> None:
        self.steps = 1

    def learn(self, steps: int, seconds: float) -> None:
        """A call of `steps` took `seconds`."""
        # The first calls compile, and are too short to judge by: lengthen by no more than eightfold.
        aim = steps * CALL_SECONDS / max(seconds, 1e-6)
        self.steps = max(1, min(int(aim), steps * 8, 1 << 30))


class Trainer:
    """The state of training and the program that advances it. `recipe` is resolved.

    Where the recipe trains nothing (weights by hand), it is finished from the start. As a lane it
    switches on what its companions `uses`, so that they share a program, and may be given no
    `rollbacks`, so that its first non-finite loss ends it. Its hidden layers may be padded to `hidden`
    units each, which changes nothing but the order of sums; `exact` is its state without the padding.
    """

    def __init__(
        self,
        recipe: r.Recipe,
        objective: Objective,
        data: Data,
        network: MLP,
        *,
        uses: frozenset[str] = frozenset(),
        rollbacks: int = ROLLBACKS,
        hidden: tuple[int, ...] = (),
    ) -> None:
        self.notes: tuple[str, ...] = ()
        self.seen = Seen()
        self.pace = Pace()
        self._has_validation = int(data.validation_rows) > 0
        self._names = watched(objective)
        self._rows = int(data.train_rows)
        self._rollbacks = rollbacks
        train = recipe.train
        if not isinstance(train, r.Train):
            self.recipe, self.epochs, self.steps_per_epoch = recipe, 0, 0
            self._untrained: MLP | None = network
            return
        self._untrained = None
        self.data = data
        # One batch of all rows has the padding's size, so that data sets of about one size share a program.
        whole = train.batch_size >= self._rows
        self.program = program(train, objective, int(data.train.shape[0]) if whole else train.batch_size, uses)
        self.seed = noise.key(recipe.seed)
        if train.learning_rate == "find":
            curve = find_learning_rate(self.program, network, self.data, train, recipe.task, recipe.seed)
            usual = DEFAULT_RATES[type(train.optimizer)]
            self.notes = (
                f"learning rate {curve.suggestion:.3g} found by a range test"
                if curve.suggestion is not None
                else f"in the range test the loss only rose: learning rate {usual:g}, the optimizer's usual one",
            )
            train = msgspec.structs.replace(train, learning_rate=curve.suggestion or usual)
        self.recipe = msgspec.structs.replace(recipe, train=train)
        self.epochs = train.epochs
        self.steps_per_epoch = -(-self._rows // self.program.batch_size)
        self.hyper = hyper(train, recipe.task, rollbacks)
        self._network = network
        if hidden:
            self.hyper = self.hyper._replace(units=units(network, hidden))
            network = widened(network, hidden)
        self.take(loop.start(self.program, network, self.hyper))

    @property
    def status(self) -> str:
        """ "running", "finished", "stopped_early" or "diverged"."""
        return STATUS[self.seen.status]

    @property
    def running(self) -> bool:
        """Whether there is more to train."""
        return self.status == "running"

    @property
    def kind(self) -> Hashable:
        """What lanes must have in common to share a compiled program: the program, its shapes and the data."""
        leaves, structure = jax.tree.flatten(self.state.weights.network)
        return self.program, structure, tuple(leaf.shape for leaf in leaves), len(self.hyper.units), id(self.data)

    @property
    def work(self) -> int:
        """Multiply-adds of one step, about; 0 where nothing is trained."""
        if self._untrained is not None:
            return 0
        return loop.work(self.program.batch_size, self.state.weights.network)

    @property
    def step(self) -> int:
        """Steps done."""
        return self.seen.step

    @property
    def epochs_done(self) -> int:
        """Whole epochs done."""
        return self.step // self.steps_per_epoch if self.steps_per_epoch else 0

    @property
    def best(self) -> MLP:
        """The best weights so far; before the first epoch is over, the latest."""
        if self._untrained is not None:
            return self._untrained
        state = self.exact
        chosen = state.best if self.seen.best_epoch else state.weights.network
        # The state itself will be donated; jax.numpy would compile a program for each shape.
        copied: MLP = jax.device_put(jax.tree.map(np.array, chosen))
        return copied

    @property
    def exact(self) -> State:
        """The state of the network as the recipe has it, without padding."""
        if not self.hyper.units:
            return self.state
        like = jax.eval_shape(partial(loop.start_purely, self.program), self._network, self.hyper)
        cut: State = jax.tree.map(lambda a, b: a[tuple(slice(n) for n in b.shape)], self.state, like)
        return cut

    def restore(self, state: State) -> None:
        """Go on from a checkpoint."""
        if int(state.status) == loop.FINISHED and int(state.step) < self.epochs * self.steps_per_epoch:
            state = state._replace(status=jax.numpy.int32(loop.RUNNING))
        self.take(state)

    def take(self, state: State) -> None:
        """Go over to another state."""
        self.state = state
        values = jax.device_get(tuple(getattr(state, name) for name in Seen._fields))
        self.seen = Seen(*(value.item() for value in values))

    def advance(self, clock: float, until: int | None = None) -> list[AnyEvent]:
        """One compiled call, which ends after epoch `until` at the latest.

        `clock` is the run's time in seconds at its beginning.
        """
        first, began = self.step, time.monotonic()
        limit = self.pace.steps
        if until is not None:
            limit = min(limit, until * self.steps_per_epoch - first)
        state, history = loop.advance(self.program, self.state, self.data, self.hyper, self.seed, limit)
        count = int(history.rows)  # waits for the call to end
        self.take(state)
        took = time.monotonic() - began
        self.pace.learn(limit, took)
        return self.report(first, history, count, took, clock + took)

    def report(self, first: int, history: History, count: int, took: float, clock: float) -> list[AnyEvent]:
        """What a call from step `first` on did: `count` rows of history in `took` seconds, at `clock`."""
        done = (self.step - first) * self._rows / self.steps_per_epoch
        loss = self.seen.loss / self.seen.weight if self.seen.weight else float("nan")
        events = self._epochs(jax.tree.map(np.asarray, history), count, clock)
        if not np.isfinite(loss):
            loss = next((event.loss for event in reversed(events) if isinstance(event, Epoch)), 0.0)
        events.append(
            Progress(
                seconds=clock,
                step=self.step,
                epoch=self.step / self.steps_per_epoch,
                loss=loss,
                examples_per_second=max(done, 0) / took,
            )
        )
        return events

    def _epochs(self, history: History, count: int, clock: float) -> list[AnyEvent]:
        events: list[AnyEvent] = []
        attempts = self.seen.rollbacks - int(np.asarray(history.rolled_back)[:count].sum())
        for row in range(count):
            step, rate = int(history.step[row]), float(history.rate[row])
            epoch = -(-step // self.steps_per_epoch)
            if history.rolled_back[row]:
                attempts += 1
                if attempts <= self._rollbacks:  # the one after these ends the run
                    events.append(RolledBack(seconds=clock, epoch=epoch, attempt=attempts, learning_rate=rate))
                continue
            figures = dict(zip(self._names, map(float, history.validation[row]), strict=True))
            events.append(
                Epoch(
                    seconds=clock,
                    epoch=epoch,
                    step=step,
                    loss=float(history.loss[row]),
                    validation={k: v for k, v in figures.items() if np.isfinite(v)} if self._has_validation else {},
                    best=bool(history.best[row]),
                    learning_rate=rate,
                )
            )
        return events
