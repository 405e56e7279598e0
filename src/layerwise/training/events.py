"""What a run reports while it trains: frozen records of host numbers, one line each in the log.

An event never holds a device buffer: those are donated to the next call and die with it.
"""

import msgspec

from layerwise.tasks.intervals import Interval


class Event(msgspec.Struct, frozen=True, tag_field="event", kw_only=True):
    """Base of all events; `seconds` is the run's own clock, which pauses between sessions."""

    seconds: float


class Started(Event, tag="started"):
    """The data is ready and the first compiled call is about to be made."""

    rows: dict[str, int]  # part -> rows
    inputs: int
    outputs: int
    parameters: int
    epochs: int
    steps_per_epoch: int
    first_step: int  # above zero where the run was resumed
    notes: tuple[str, ...]


class Progress(Event, tag="progress"):
    """A compiled call came back: where training stands."""

    step: int
    epoch: float  # epochs done, with the share of the current one
    loss: float  # mean training loss of the current epoch so far
    examples_per_second: float


class Epoch(Event, tag="epoch"):
    """An epoch is over and was evaluated."""

    epoch: int  # counts from 1
    step: int
    loss: float  # mean training loss over the epoch
    validation: dict[str, float]  # the task's quantities on the validation part; empty where there is none
    best: bool  # these weights are the best so far
    learning_rate: float


class RolledBack(Event, tag="rolled_back"):
    """The loss was not finite: back to the last good state, with half the learning rate."""

    epoch: int  # the epoch that failed, from 1
    attempt: int  # 1, 2 or 3
    learning_rate: float


class Scoring(Event, tag="scoring"):
    """Training is over; the best weights are about to be scored, and the baselines waited for.

    From here on Ctrl-C leaves out the baselines that have not begun.
    """

    status: str  # as in `Finished`


class TestTouched(Event, tag="test_touched"):
    """The test part was scored. `count` above one means that its figures are no longer first-hand."""

    __test__ = False  # not a pytest class
    count: int
    reason: str


class Finished(Event, tag="finished"):
    """Training is over, the best weights are in place, evaluated and saved."""

    status: str  # "finished", "stopped_early", "interrupted", "time_limit" or "diverged"
    epochs: int
    metrics: dict[str, dict[str, Interval]]  # part -> metric -> interval
    baselines: dict[str, dict[str, dict[str, Interval]]]  # baseline -> part -> metric -> interval
    remarks: tuple[str, ...]  # sentences, e.g. that a baseline beats the network
    differences: dict[str, dict[str, Interval]] = {}  # baseline -> part -> its headline figure less the network's
    unscored: int = 0  # baselines that an interruption left out
    best_epoch: int = 0  # whose weights were kept, from 1; 0 where none was the best

    @property
    def can_go_on(self) -> bool:
        """Whether the run came to this before its own end, so that `resume` goes on with it."""
        return self.status in ("interrupted", "time_limit") or (self.unscored > 0 and self.status != "diverged")


AnyEvent = Started | Progress | Epoch | RolledBack | Scoring | TestTouched | Finished
