"""A trial of a race: one setting trained for some epochs, a little at a time."""

import math
import time
from collections.abc import Iterable

import numpy as np

from layerwise.studio.games.lockstep import together
from layerwise.studio.games.way import Pace
from layerwise.studio.history.timeline import Arguments
from layerwise.training import padded
from layerwise.training.padded import Parameters, Room
from layerwise.tuning.space import Settings

EPOCHS = 20  # of a trial
CALL = 0.005  # seconds that it trains between two looks at the clock


class Trial:
    """The recipe with some settings while it is trained; `value` is the lowest validation loss of its epochs.

    Where nothing is held out that is the training loss; NaN where it diverged.
    """

    def __init__(self, settings: Settings, first: Parameters, arguments: Arguments, room: Room) -> None:
        self.settings, self._arguments = settings, arguments
        self._state, self._program, self._pace = padded.fresh(first), padded.compiled(room), Pace(CALL, 64)
        self._left = EPOCHS * -(-int(arguments.table.train_rows) // int(arguments.settings.batch_size))

    @property
    def over(self) -> bool:
        """Whether all is trained."""
        return self._left <= 0

    @property
    def value(self) -> float:
        """What it came to."""
        value = float(self._state.best_value)
        return value if int(self._state.status) != padded.DIVERGED and math.isfinite(value) else math.nan

    def go(self, until: float) -> None:
        """Train until a time on the clock, or to its end."""
        while self._left > 0:
            before, began = int(self._state.now.step), time.monotonic()
            self._state, _ = self._program(self._state, *self._arguments, np.int32(min(self._left, self._pace.batches)))
            made = int(self._state.now.step) - before
            self._left = self._left - made if int(self._state.status) == padded.RUNNING and made > 0 else 0
            if time.monotonic() >= until:
                return
            self._pace.learn(made, time.monotonic() - began)


def go(trials: Iterable[Trial], until: float) -> None:
    """Train those that are not over, side by side, until a time on the clock."""
    together(lambda trial: trial.go(until), [trial for trial in trials if not trial.over])
