"""The course of a search: trials are taken, trained as lanes from rung to rung, and written down."""

import math
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from typing import Protocol, runtime_checkable

from layerwise.errors import LayerwiseError, RecipeError
from layerwise.recipe import records as r
from layerwise.training.lanes import Choice, Report, forecast, memory_budget
from layerwise.training.trainer import Trainer
from layerwise.tuning.events import AnyStudyEvent, LanesChosen, Searching, TrialEnded
from layerwise.tuning.folder import StudyFolder
from layerwise.tuning.ledger import Ledger, Ticket
from layerwise.tuning.search import ASKED_AT_ONCE
from layerwise.tuning.space import Settings, Space
from layerwise.tuning.trials import Maker, Trial

# Halving keeps one lane in so many at each rung; the rungs are these parts of all epochs. Of the ladders that
# were tried, this one's best came nearest to the full search's for a fifth of its epochs (docs/tuning.md).
REDUCTION = 3
RUNGS = (1 / 30, 1 / 6)
AT_ONCE = 4096  # lanes at most
TAKEN_AT_ONCE = 16  # from a list that other processes take from, too
SEARCHING_EVERY = 0.1  # seconds between two events of progress
CHAMPION_EVERY = 1.0  # seconds at least between two writings of the best so far

Events = Iterator[AnyStudyEvent]


@runtime_checkable
class Trains(Protocol):
    """What trains lanes: `Lanes`, or the machines of a cluster."""

    choices: list[Choice]

    def train(self, lanes: Sequence[Trainer], until: int, stopped: Callable[[], bool]) -> Iterator[Report]:
        """As `Lanes.train`."""
        ...


class Waves:
    """Takes trials from the ledger and trains them, wave after wave; its methods yield what happens.

    `sign` is 1 where a lower value of the monitored quantity is better, -1 where a higher one is. `clock`
    gives the study's seconds, `stopped` says whether it is to end. `champion` is the best lane so far, its
    weights at hand. `compiled` is when the first call was over (`time.monotonic`), or the first look at others.
    """

    def __init__(
        self,
        search: r.Search,
        space: Space,
        maker: Maker,
        ledger: Ledger,
        files: StudyFolder,
        lanes: Trains,
        *,
        monitor: str,
        clock: Callable[[], float],
        stopped: Callable[[], bool],
    ) -> None:
        self._search, self._space, self._maker = search, space, maker
        self._ledger, self._files = ledger, files
        self._monitor, self.sign = monitor, 1 if monitor == "loss" else -1
        self._clock, self._stopped = clock, stopped
        self._lanes = lanes
        self._uses = space.switches()
        self.champion: Trial | None = files.champion(maker)
        self._kept, self._due = -math.inf, False  # when the champion was last written; whether it is to be
        self.compiled = math.inf
        self._known = files.ended()  # what earlier sessions have trained
        self._longest = space.longest(maker.written.recipe)
        self._tickets: list[Ticket] = []  # taken, and not yet made into lanes
        self._told, self._done_epochs = time.monotonic(), 0  # when progress was last told, lane epochs since

    def trial(self, number: int, settings: Settings, seed: int) -> Trial:
        """A trial as a lane. Raises `LayerwiseError` where the settings do not fit the data."""
        resolved = self._maker.resolved(self._space.recipe(settings))
        if self._monitor == "loss" and resolved.objective != self._maker.written.objective:
            raise RecipeError(
                "trials that are compared by their loss have the same one",
                received=f"the loss of {resolved.objective.kind}, beside that of {self._maker.written.objective.kind}",
                remedy='set train.monitor, e.g. to "accuracy"',
            )
        return Trial(number, settings, self._maker.lane(resolved, seed, self._uses), seed)

    def take(self, wave: list[Trial]) -> Events:
        """Fill `wave` with the next trials: as many as are asked for at a time, and as memory has room for."""
        if not self._tickets:
            count = ASKED_AT_ONCE if self._search.method == "bayes" else AT_ONCE
            self._tickets = self._ledger.take(min(count, TAKEN_AT_ONCE) if self._files.shared else count)
        budget = memory_budget()
        while self._tickets and (not wave or budget > 0):
            ticket = self._tickets.pop(0)
            if (ended := self._known.get(ticket.number)) is not None:
                self._ledger.tell(ticket.number, ended.state, ended.value)
                continue
            try:
                trial = self.trial(ticket.number, ticket.settings, self._maker.seed)
            except LayerwiseError as error:
                reason = error.rule + (f" ({error.received})" if error.received else "")
                yield self._ended(ticket.number, ticket.settings, "refused", reason=reason)
                self._ledger.tell(ticket.number, "refused", None)
            else:
                wave.append(trial)
                budget -= forecast(trial.trainer)

    def train(self, wave: Sequence[Trial]) -> Events:
        """Train the trials from rung to rung; at each, halving keeps the best of them."""
        going = list(wave)
        longest = max((trial.trainer.epochs for trial in going), default=0)
        for rung in self._rungs():
            yield from self.advance(going, rung, self._end)
            if self._stopped():
                break
            going = [trial for trial in going if trial.trainer.running]
            if rung < longest and going:
                going = yield from self._halve(going, rung)
        for trial in going:
            self._crown(trial)  # those that were interrupted have weights, too
        self._keep(every=0.0)

    def advance(self, trials: Sequence[Trial], until: int, end: Callable[[Trial, str], Events] | None = None) -> Events:
        """Train lanes up to epoch `until`; `end` yields what is to be said of one that is over."""
        told, alive = len(self._lanes.choices), len(trials)
        for number, events, over in self._lanes.train([trial.trainer for trial in trials], until, self._stopped):
            self.compiled = min(self.compiled, time.monotonic())
            for choice in self._lanes.choices[told:]:
                yield LanesChosen(seconds=self._clock(), **choice._asdict())
            told = len(self._lanes.choices)
            self._done_epochs += trials[number].hear(events, self._monitor)
            if over:
                alive -= 1
                if end is not None:
                    yield from end(trials[number], trials[number].trainer.status)
            if time.monotonic() - self._told > SEARCHING_EVERY:
                yield self.progress(alive)

    def progress(self, alive: int) -> Searching:
        """Where the search stands."""
        self._keep(every=CHAMPION_EVERY)
        now = time.monotonic()
        self.compiled = min(self.compiled, now)
        speed = self._done_epochs / max(now - self._told, 1e-9)
        self._told, self._done_epochs = now, 0
        best = self._ledger.best(1)
        return Searching(
            seconds=self._clock(),
            done=self._ledger.done(),
            alive=alive,
            best=best[0][2] if best else None,
            lane_epochs_per_second=speed,
        )

    def _rungs(self) -> list[int]:
        """Epochs at which lanes are compared, the last being the longest trial's end: the same for all waves."""
        if not self._search.halving:
            return [self._longest]
        rungs = {max(1, round(self._longest * part)) for part in RUNGS}
        return sorted(rungs | {self._longest})

    def _halve(self, going: list[Trial], rung: int) -> Generator[AnyStudyEvent, None, list[Trial]]:
        """Successive halving (Jamieson & Talwalkar 2016): one in `REDUCTION` of all that came to this rung goes on.

        Lanes of one wave are compared with each other and with those of earlier waves and other processes,
        as in the asynchronous form (Li et al. 2020).
        """
        found = {trial.number: trial.value(self._monitor) for trial in going}
        for trial in going:
            if (value := found[trial.number]) is not None:
                self._ledger.report(trial.number, rung, value)
        standing = sorted(self.sign * value for value in self._ledger.standing(rung))
        bar = standing[max(1, len(standing) // REDUCTION) - 1] if standing else math.inf
        kept: list[Trial] = []
        for trial in going:
            value = found[trial.number]
            if value is not None and self.sign * value <= bar:
                kept.append(trial)
            else:
                yield from self._end(trial, "dropped")
        return kept

    def _end(self, trial: Trial, state: str) -> Events:
        """Write down that a trial is over."""
        value = None if state == "diverged" else trial.value(self._monitor)
        if value is None:
            state = "diverged"
        else:
            self._crown(trial)
        # Logged first, told second: what is logged and not told when the process dies is told by the next one.
        yield self._ended(trial.number, trial.settings, state, value, trial.curve)
        self._ledger.tell(trial.number, state, value)

    def _ended(
        self,
        number: int,
        settings: Settings,
        state: str,
        value: float | None = None,
        curve: Sequence[tuple[float, float | None]] = (),
        reason: str = "",
    ) -> TrialEnded:
        return TrialEnded(
            seconds=self._clock(),
            number=number,
            settings=settings,
            state=state,
            value=value,
            epochs=len(curve),
            curve=tuple(curve),
            reason=reason,
        )

    def _crown(self, trial: Trial) -> None:
        """Keep the lane at hand whose weights are the best so far."""
        value = trial.value(self._monitor)
        if value is None or trial.trainer.status == "diverged":
            return
        best = self.champion.value(self._monitor) if self.champion else None
        if best is None or self.sign * value < self.sign * best:
            self.champion, self._due = trial, True

    def _keep(self, every: float) -> None:
        """Write the champion down, unless that was done less than `every` seconds ago."""
        if self._due and self.champion is not None and time.monotonic() - self._kept > every:
            self._files.keep(self.champion)
            self._kept, self._due = time.monotonic(), False
