"""What a study reports: frozen records of host numbers, one line each in its log."""

import msgspec

from layerwise.tasks.intervals import Interval
from layerwise.training.events import Event, Scoring, TestTouched


class Best(msgspec.Struct, frozen=True):
    """The best completed trial so far; `value` is its monitored quantity on the validation part."""

    number: int
    settings: dict[str, msgspec.Raw | float | int | str | bool | list | dict]  # type: ignore[type-arg]
    value: float


class StudyStarted(Event, frozen=True, tag="study_started"):
    """The data is ready and the first lanes are about to be trained."""

    method: str
    trials: int
    done: int  # above zero where the study was resumed or joined
    monitor: str
    axes: dict[str, str]  # recipe path -> the axis in words
    rows: dict[str, int]  # part -> rows
    notes: tuple[str, ...]
    best: Best | None = None  # of the trials that were done before


class LanesChosen(Event, frozen=True, tag="lanes_chosen"):
    """How lanes of one kind will be trained, and what decided it: `layerwise.training.lanes.Choice`."""

    way: str  # "alone", "threads" or "stacked"
    lanes: int
    parameters: int
    busy: float
    rates: dict[str, float]


class Searching(Event, frozen=True, tag="searching"):
    """Where the search stands."""

    done: int
    alive: int  # lanes that are being trained
    best: float | None  # monitored value of the best trial so far
    lane_epochs_per_second: float


class TrialEnded(Event, frozen=True, tag="trial_ended"):
    """A trial is over. `value` is the monitored quantity of its best epoch, on the validation part."""

    number: int
    settings: dict[str, msgspec.Raw | float | int | str | bool | list | dict]  # type: ignore[type-arg]
    state: str  # "finished", "stopped_early", "dropped" (by halving), "diverged" or "refused"
    value: float | None
    epochs: int
    curve: tuple[tuple[float, float | None], ...]  # an epoch each: training loss, monitored value
    reason: str = ""


class Finalist(Event, frozen=True, tag="finalist"):
    """One of the best settings after its training on further seeds."""

    number: int | None  # of the trial; None for the recipe as written
    settings: dict[str, msgspec.Raw | float | int | str | bool | list | dict]  # type: ignore[type-arg]
    searched: float | None  # the value that the search saw
    values: tuple[float, ...]  # on seeds that the search did not see
    mean: float
    low: float  # 95% interval of the mean, by Student's t
    high: float


class StudyFinished(Event, frozen=True, tag="study_finished"):
    """The winner is named, trained, scored and saved."""

    status: str  # "finished", "interrupted", "time_limit" or "joined" (another process names the winner)
    done: int
    winner: Finalist | None
    metrics: dict[str, dict[str, Interval]]
    baselines: dict[str, dict[str, dict[str, Interval]]]
    remarks: tuple[str, ...]


AnyStudyEvent = StudyStarted | LanesChosen | Searching | TrialEnded | Finalist | Scoring | TestTouched | StudyFinished
