"""What is known of a run from its events so far; drawing it is `layerwise.progress.view`'s part."""

import math
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from layerwise.recipe.records import FoldSplit, Recipe, Train
from layerwise.training.events import AnyEvent, Epoch, Finished, Progress, RolledBack, Scoring, Started, TestTouched

PACE_OVER = 10  # calls, by which the time left is judged
PACE_FROM = 3
READING = "reading the data"
SCORING = "scoring network and baselines"


@dataclass
class Board:
    """What is known of a run, or of several one after the other: every `Started` begins anew.

    `several` runs are the folds of a cross-validation; `fold` of `folds` is the one at hand.
    """

    name: str
    several: bool = False
    fold: int = 0
    folds: int = 0
    phase: str = READING
    monitor: str = "loss"
    time_limit: float = math.inf
    runs: int = 0  # begun
    news: Sequence[str] = ()  # notes of this run that no run before had
    started: Started | None = None
    progress: Progress | None = None
    compiled: float = 0.0  # the run's seconds when its first call was over: the time limit counts from there
    lately: deque[Progress] = field(default_factory=lambda: deque(maxlen=PACE_OVER))
    best: Epoch | None = None
    last: Epoch | None = None
    losses: list[float] = field(default_factory=list)
    watched: list[float] = field(default_factory=list)
    interrupted: bool = False
    clock: Callable[[], float] = time.monotonic
    heard: float = 0.0  # when `progress` arrived, on `clock`
    _told: set[str] = field(default_factory=set)

    def follow(self, recipe: Recipe, time_limit: str | None = None) -> None:
        """Take from a resolved recipe its fold, and what decides the best weights and the end.

        A `time_limit` holds in place of the recipe's.
        """
        from layerwise.training.resolve import seconds

        if isinstance(split := recipe.data.split, FoldSplit) and split.fold != "all":
            self.fold, self.folds = split.fold, split.folds
        if isinstance(recipe.train, Train):
            self.monitor = recipe.train.monitor
            self.time_limit = seconds(time_limit or recipe.train.time_limit)

    def hear(self, event: AnyEvent) -> None:
        """Take in an event."""
        match event:
            case Started():
                self._begin(event)
            case Progress():
                if self.progress:  # the first call is left out of the pace: it compiled
                    self.lately.append(event)
                else:
                    self.compiled = event.seconds
                self.progress, self.heard = event, self.clock()
                self.phase = "training"
            case Epoch():
                self.last = event
                self.best = event if event.best else self.best
                self.losses.append(event.loss)
                if (value := event.validation.get(self.monitor)) is not None:
                    self.watched.append(value)
            case Scoring():
                self.phase = SCORING
                self.interrupted = event.status == "interrupted"
            case Finished() if self.several and self.fold < self.folds:
                self.phase, self.started, self.progress = READING, None, None
            case Finished():
                self.phase = "done"
            case RolledBack() | TestTouched():
                pass

    def _begin(self, event: Started) -> None:
        self.runs += 1
        self.news = [note for note in event.notes if note not in self._told]
        self._told |= set(event.notes)
        self.started, self.progress, self.best, self.last = event, None, None, None
        self.lately.clear()
        self.losses, self.watched = [], []
        self.phase = "compiling the training program" if event.epochs else SCORING

    @property
    def left(self) -> float | None:
        """Seconds to the last epoch or the time limit, at the pace of late; None where that is not known."""
        if not self.started or len(self.lately) < PACE_FROM or self.lately[-1].epoch <= self.lately[0].epoch:
            return None
        first, now = self.lately[0], self.lately[-1]
        pace = (now.seconds - first.seconds) / (now.epoch - first.epoch)
        return max(0.0, min((self.started.epochs - now.epoch) * pace, self.compiled + self.time_limit - now.seconds))
