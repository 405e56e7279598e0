"""What a study shows, as numbers: every trial with its curve, the best so far, importance, finalists.

The record is read from the study's folder, so a study that is going on, was killed, or was searched by
several processes is shown as far as it is known. `layerwise.plots` draws it.
"""

import itertools
import json
import math
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from layerwise.errors import LayerwiseError, RunError
from layerwise.recipe import Recipe, plain
from layerwise.recipe import records as r
from layerwise.training.events import TestTouched
from layerwise.tuning.events import Finalist, StudyFinished, StudyStarted
from layerwise.tuning.folder import StudyFolder

if TYPE_CHECKING:
    from layerwise.tuning.study import Study

COMPLETED = ("finished", "stopped_early")
FEWEST = 16  # completed trials that say anything about importance
DEPTH = 6  # of the forest's trees: whole ones take time as the square of the trials, for the same shares


class SearchedAxis(msgspec.Struct, frozen=True):
    """One searched setting. A range has `low` and `high`, choices have `choices`."""

    path: str
    scale: str  # "log", "linear", "whole" or "choice"
    low: float = 0.0
    high: float = 0.0
    choices: tuple[Any, ...] = ()
    written: Any = None  # what the recipe says without the search; None where it leaves it open

    @property
    def name(self) -> str:
        """The last word of the path, for people."""
        return self.path.rpartition(".")[2].replace("_", " ")

    def share(self, value: Any) -> float:
        """Where a value stands between the axis' ends, 0 to 1 within them; log axes by the logarithm.

        >>> round(SearchedAxis("train.learning_rate", "log", 1e-4, 1e-2).share(1e-3), 9)
        0.5
        >>> SearchedAxis("network.hidden", "choice", choices=([8], [16], [32])).share([16])
        0.5
        """
        if self.scale == "choice":
            return self.choices.index(value) / max(1, len(self.choices) - 1)
        low, high = self.low, self.high
        if self.scale == "log":
            low, high, value = math.log(low), math.log(high), math.log(value)
        return float((value - low) / (high - low))


class ShownTrial(msgspec.Struct, frozen=True):
    """A trial that is over.

    `value` is the monitored quantity of its best epoch, None where there is none. `seconds` is the
    study's clock at its end. `curve` has a pair an epoch, training loss and monitored value; it is empty
    where another process trained the trial.
    """

    number: int
    settings: dict[str, Any]
    state: str  # "finished", "stopped_early", "dropped" (by halving), "diverged", "refused" or "failed"
    value: float | None
    seconds: float
    epochs: int | None = None
    curve: tuple[tuple[float, float | None], ...] = ()
    reason: str = ""

    @property
    def completed(self) -> bool:
        """Whether it was trained to its own end."""
        return self.state in COMPLETED and self.value is not None and math.isfinite(self.value)


class Record(NamedTuple):
    """A trial that was better than all before it."""

    ended: int  # how many trials were over by then
    seconds: float
    value: float
    number: int


class Importance(NamedTuple):
    """The share of each setting in how much the monitored quantity varies; empty with a reason why."""

    shares: dict[str, float]
    reason: str = ""


class StudyPicture(msgspec.Struct, frozen=True):
    """A study as far as it is known. Trials are in the order in which they ended."""

    recipe: Recipe
    method: str
    monitor: str
    planned: int
    seconds: float
    rows: dict[str, int]  # part -> rows
    axes: tuple[SearchedAxis, ...]
    trials: tuple[ShownTrial, ...]
    finalists: tuple[Finalist, ...]  # best first
    outcome: StudyFinished | None  # None while it is going on
    touches: int  # how often the test part was scored
    notes: tuple[str, ...]

    @property
    def name(self) -> str:
        """What the data is called."""
        data = self.recipe.data
        return str(getattr(data, "name", "") or Path(str(getattr(data, "path", "study"))).stem)

    @property
    def sign(self) -> int:
        """1 where a lower value is better, -1 where a higher one is."""
        return 1 if self.monitor == "loss" else -1

    @property
    def winner(self) -> Finalist | None:
        """The setting that did best on seeds that the search did not see."""
        return self.outcome.winner if self.outcome is not None else None

    def counts(self) -> dict[str, int]:
        """How many trials ended in which way."""
        states = sorted(trial.state for trial in self.trials)
        return {state: len(list(group)) for state, group in itertools.groupby(states)}

    def completed(self) -> list[ShownTrial]:
        """The trials that were trained to their own end, best first."""
        found = [trial for trial in self.trials if trial.completed]
        return sorted(found, key=lambda trial: (self.sign * _finite(trial), trial.number))

    def best_so_far(self) -> list[Record]:
        """The completed trials that were better than all before them, in the order in which they ended."""
        found: list[Record] = []
        for place, trial in enumerate(self.trials, start=1):
            if trial.completed and (not found or self.sign * _finite(trial) < self.sign * found[-1].value):
                found.append(Record(place, trial.seconds, _finite(trial), trial.number))
        return found

    def importance(self) -> Importance:
        """Functional analysis of variance of a random forest (Hutter, Hoos & Leyton-Brown 2014), Optuna's.

        Only trials that were trained to their own end are counted.
        """
        completed = self.completed()
        if len(completed) < FEWEST:
            reason = f"importance needs at least {FEWEST} trials trained to their end: here are {len(completed)}"
            return Importance({}, reason)
        if len({trial.value for trial in completed}) == 1:
            return Importance({}, "all trials came to the same value")
        return Importance(_shares(self.recipe, completed, self.sign))


def picture(source: "Study | Path | str") -> StudyPicture:
    """The numbers that a study shows. Raises `RunError` where the folder is not a study's, or nothing began in it."""
    files = StudyFolder(Path(source) if isinstance(source, str | Path) else source.folder)
    recipe = files.read_recipe()
    events = files.events()
    sessions = [place for place, event in enumerate(events) if isinstance(event, StudyStarted)]
    started = events[sessions[-1]] if sessions else None
    if not isinstance(started, StudyStarted) or not isinstance(recipe.search, r.Search):
        raise RunError(
            "a study shows what its trials came to",
            received=f"{files.path}, in which none began",
            remedy=f"begin it with: layerwise tune --resume {files.path}",
        )
    own = [
        ShownTrial(
            number=event.number,
            settings=event.settings,
            state=event.state,
            value=event.value,
            seconds=event.seconds,
            epochs=event.epochs,
            curve=event.curve,
            reason=event.reason,
        )
        for event in files.ended().values()
    ]
    trials, notes = (own, ()) if not files.shared else _with_others(files, recipe, own, source)
    sign = 1 if started.monitor == "loss" else -1
    outcome = events[-1]
    return StudyPicture(
        recipe=recipe,
        method=recipe.search.method,
        monitor=started.monitor,
        planned=started.trials,
        seconds=files.seconds(),
        rows=started.rows,
        axes=tuple(searched_axis(recipe, path, axis) for path, axis in recipe.search.space.items()),
        trials=tuple(sorted(trials, key=lambda trial: (trial.seconds, trial.number))),
        finalists=tuple(sorted(files.finalists(), key=lambda final: sign * final.mean)),
        outcome=outcome if isinstance(outcome, StudyFinished) else None,
        touches=max((event.count for event in events if isinstance(event, TestTouched)), default=0),
        notes=(*started.notes, *notes),
    )


def _with_others(
    files: StudyFolder, recipe: Recipe, own: list[ShownTrial], source: "Study | Path | str"
) -> tuple[list[ShownTrial], tuple[str, ...]]:
    """The trials of all processes, by the database's clock; alone those of this one where it cannot be reached."""
    try:
        rows = _recorded(files.storage if isinstance(source, str | Path) else source.storage, files.name, recipe)
    except LayerwiseError as error:
        return own, (f"only this process's trials are shown: {error.received}",)
    known = {trial.number: trial for trial in own}
    found = []
    for row in rows:
        mine = known.get(row["number"])
        seconds = row["seconds"]
        if mine is not None:
            found.append(msgspec.structs.replace(mine, seconds=seconds))
        else:
            found.append(ShownTrial(row["number"], row["settings"], row["state"], row["value"], seconds))
    others = sum(trial.number not in known for trial in found)
    return found, (f"other processes trained {others} of the trials: their curves are with them",) if others else ()


def _recorded(storage: Path | str, name: str, recipe: Recipe) -> list[dict[str, Any]]:
    """What the database knows of every trial that is over; seconds count from the first one's beginning."""
    from layerwise.tuning.search import quiet_optuna
    from layerwise.tuning.space import Space
    from layerwise.tuning.storage import opened

    space, keeper = Space(recipe), opened(storage)
    try:
        study = quiet_optuna().load_study(storage=keeper, study_name=name)
        trials = [t for t in study.get_trials(deepcopy=False) if "ticket" in t.user_attrs and t.datetime_start]
    except KeyError:
        raise RunError("the study is in its database", received=f"a database without {name}") from None
    finally:
        keeper.remove_session()
        keeper.engine.dispose()
    first = min((trial.datetime_start for trial in trials), default=None)
    return [
        {
            "number": trial.number,
            "state": trial.user_attrs["end"],
            "value": trial.value if trial.state.name in ("COMPLETE", "PRUNED") else None,
            "settings": space.settings(trial.params),
            "seconds": (trial.datetime_complete - first).total_seconds(),
        }
        for trial in trials
        if trial.state.is_finished() and "end" in trial.user_attrs  # else its process died, and another trained it
    ]


def searched_axis(recipe: Recipe, path: str, axis: r.Axis) -> SearchedAxis:
    """An axis of a recipe's search, with what the recipe says without it."""
    written: Any = json.loads(msgspec.json.encode(plain(recipe)))  # lists, as in the axis' choices
    for key in path.split("."):
        written = written.get(key) if isinstance(written, Mapping) else None
    if axis.choice:
        return SearchedAxis(path, "choice", choices=axis.choice, written=written if written in axis.choice else None)
    ends = axis.log or axis.uniform or axis.int
    scale = "log" if axis.log else "linear" if axis.uniform else "whole"
    number = isinstance(written, int | float) and not isinstance(written, bool)
    return SearchedAxis(path, scale, float(ends[0]), float(ends[1]), written=written if number else None)


def _finite(trial: ShownTrial) -> float:
    assert trial.value is not None
    return trial.value


def _shares(recipe: Recipe, trials: list[ShownTrial], sign: int) -> dict[str, float]:
    """The shares, largest first."""
    from layerwise.tuning.search import quiet_optuna
    from layerwise.tuning.space import Space

    optuna = quiet_optuna()
    space = Space(recipe)
    study = optuna.create_study(direction="minimize" if sign > 0 else "maximize")
    for trial in sorted(trials, key=lambda trial: trial.number):  # so that the forest is always the same
        study.add_trial(
            optuna.trial.create_trial(
                params=space.params(trial.settings), distributions=space.distributions, value=trial.value
            )
        )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        evaluator = optuna.importance.FanovaImportanceEvaluator(seed=recipe.seed, max_depth=DEPTH)
        shares = optuna.importance.get_param_importances(study, evaluator=evaluator)
    return {path: float(share) for path, share in shares.items()}
