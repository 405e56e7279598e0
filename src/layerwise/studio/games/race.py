"""A race of three searches on one surface: a grid, random draws, and Bayesian search, with equal budgets.

They look for the lowest loss over two settings. A trial is the recipe with its settings, trained for some
epochs; a step is a trial of each search. Meanwhile the true surface is trained, from coarse to fine.
"""

import math
import time
from collections.abc import Callable, Iterator
from functools import partial
from itertools import islice
from typing import Any, NamedTuple

import msgspec
import numpy as np
from jaxtyping import Float32, Float64

from layerwise.errors import RecipeError
from layerwise.inspection.samples import sample_of
from layerwise.nets import noise
from layerwise.recipe import Recipe
from layerwise.recipe import records as r
from layerwise.studio.games.session import Session
from layerwise.studio.games.trial import EPOCHS, Trial, go
from layerwise.studio.games.way import SLICE
from layerwise.studio.picture import frames
from layerwise.studio.picture.moment import Saying, written
from layerwise.tasks.constant import constant_loss
from layerwise.tasks.objective import training_weights
from layerwise.training import padded
from layerwise.training.lanes import cores
from layerwise.training.resolve import resolve
from layerwise.tuning.picture import SearchedAxis, searched_axis
from layerwise.tuning.search import Method, planned, quiet_optuna, sampler
from layerwise.tuning.space import Settings, Space
from layerwise.tuning.surface import Surface

METHODS: dict[Method, str] = {"grid": "grid", "random": "random", "bayes": "Bayesian"}
TRIALS = 36  # of each search: a grid of six by six
LEVELS = 24  # a side of the true surface
COARSE = 8  # of them are skipped at first
RATE = "train.learning_rate"
AXES: dict[str, r.Axis] = {
    RATE: r.Axis(log=(1e-4, 10.0)),
    "train.l2": r.Axis(log=(1e-6, 1.0)),
    "train.l1": r.Axis(log=(1e-6, 1.0)),
    "train.dropout": r.Axis(uniform=(0.0, 0.8)),
    "train.batch_size": r.Axis(int=(1, 64)),
    "train.optimizer.momentum": r.Axis(uniform=(0.0, 0.99)),
}


class Tried(NamedTuple):
    """A trial: its settings, and the lowest validation loss of its epochs; NaN where it diverged."""

    settings: Settings
    value: float


class Spot(NamedTuple):
    """A point of the true surface that is trained: its column and row, and how many beside it show it meanwhile."""

    column: int
    row: int
    size: int
    trial: Trial


class Race:
    """Three searches over the learning rate and one more setting, `against`; `draw` is the seed of what they draw."""

    slice, least, rest = 0.025, 16, 0.12  # so that one sees the trials come
    _trying: dict[Method, Trial]  # one of each search, under way
    _spots: list[Spot]  # of the surface, under way

    def __init__(self, recipe: Recipe, against: str, draw: int, like: Session | None = None) -> None:
        """Begin; rows that are those of `like` are shared with it."""
        self.revision, self.against, self.draw, self._like = 0, against, draw, like
        self._begin(recipe)

    # ── what may be done ────────────────────────────────────────────────────────────────────────

    def change(self, recipe: Recipe) -> None:
        """Another recipe is another race."""
        self._begin(recipe)

    def redraw(self, draw: int) -> None:
        """The same once more, with other draws; the surface stays."""
        self.draw = draw
        self._line_up()
        self.revision += 1

    def reset(self) -> None:
        """Begin anew, with the same draws."""
        self._line_up()
        self.revision += 1

    def advance(self, steps: int) -> int:
        """One more trial of each search; how many were made, none as long as they are being trained."""
        if not steps or self.step == TRIALS:
            return 0
        if self.step == self.end:
            self._trying = self._trying or {method: self._trial(self._next(method)) for method in METHODS}
            go(self._trying.values(), time.monotonic() + SLICE)
            if not all(trial.over for trial in self._trying.values()):
                return 0
            for method, trial in self._trying.items():
                self._tell(method, Tried(trial.settings, trial.value))
            self._trying = {}
        self.step += 1
        return 1

    def seek(self, step: int) -> None:
        """Show so many trials of those that were made."""
        self.step = min(max(step, 0), self.end)

    def nearest(self, step: int) -> int:
        """Trials are kept, not replayed."""
        return step

    def opened(self, lane: int) -> Session:
        """A session with the settings of a trial; those of the first search come first."""
        method, trial = divmod(lane, TRIALS)
        found = list(self._tried.values())
        if method >= len(found) or trial >= len(found[method]):
            raise RecipeError("a trial that was made is opened", received=f"number {lane}", remedy="press play first")
        return Session(self._space.recipe(found[method][trial].settings), like=self.base)

    def work(self) -> bool:
        """Train some more points of the true surface, for a call's time."""
        until = time.monotonic() + SLICE
        while time.monotonic() < until:
            self._spots += [self._spot(*place) for place in islice(self._coming, cores() - len(self._spots))]
            if not self._spots:
                return False
            go([spot.trial for spot in self._spots], until)
            for column, row, size, trial in (spot for spot in self._spots if spot.trial.over):
                self._surface[row, column] = trial.value
                self._shown[row : row + size, column : column + size] = trial.value
                self._known += 1
            self._spots = [spot for spot in self._spots if not spot.trial.over]
        return True

    # ── where it stands ─────────────────────────────────────────────────────────────────────────

    @property
    def recipe(self) -> Recipe:
        """What is searched for."""
        return self.base.recipe

    @property
    def oldest(self) -> int:
        """None of the trials is forgotten."""
        return 0

    @property
    def end(self) -> int:
        """Trials of each search that were made."""
        return len(self._tried["grid"])

    @property
    def steps_per_epoch(self) -> int:
        """A race counts in trials."""
        return 1

    @property
    def status(self) -> str:
        """ "finished" after the last trial."""
        return "finished" if self.step == TRIALS else "running"

    @property
    def stamp(self) -> tuple[Any, ...]:
        """What is another whenever there is something new to draw."""
        return id(self), self.revision, self.step, self._known

    # ── what the page shows ─────────────────────────────────────────────────────────────────────

    def scene(self) -> dict[str, Any]:
        """The recipe's scene, and both axes."""
        return {
            **self.base.scene(),
            "game": "race",
            "revision": self.revision,
            "status": self.status,
            "step": self.step,
            "oldest": self.oldest,
            "end": self.end,
            "steps_per_epoch": 1,
            "edits": [],
            "ghost": [],
            "methods": list(METHODS.values()),
            "trials": TRIALS,
            "epochs": EPOCHS,
            "draw": self.draw,
            "axes": [msgspec.to_builtins(axis) for axis in self._axes()],
            "against": self.against,
            "choices": self._choices(),
        }

    def frame(self) -> Callable[[], bytes]:
        """The surface, the trials so far, and the best of them.

        surface (float32, ys x xs)          how bad: 0 the lowest loss known, 1 a constant answer's; NaN where unknown
        margins (float32, 2 x levels)       the same of the mean over the other axis; NaN until all is known
        trials (float32, 3 x trials x 3)    where each search's trials stand on both axes, from 0 to 1, and their loss
        best (float32, 3 x trials)          the lowest loss of each search so far
        leaders (int32, 3)                  the number of the trial that it is of; -1 where there is none
        losses (float32, 2)                 what 0 and 1 stand for
        """
        tried = {method: found[: self.step] for method, found in self._tried.items()}
        x, y = self._axes()
        whole = Surface("loss", x, y, list(self._xs), list(self._ys), self._surface[:, :, None].copy())
        complete = self._known == self._surface.size
        return partial(_framed, self.revision, self.step, tried, whole, self._shown.copy(), complete, self._constant)

    def _axes(self) -> list[SearchedAxis]:
        return [searched_axis(self.recipe, path, axis) for path, axis in self._space.axes.items()]

    def _choices(self) -> list[str]:
        """The settings that the learning rate may be searched with."""
        optimizer = getattr(self.base.resolved.recipe.train, "optimizer", None)
        return [path for path in AXES if path != RATE and (hasattr(optimizer, "momentum") or "momentum" not in path)]

    # ── inside ──────────────────────────────────────────────────────────────────────────────────

    def _begin(self, recipe: Recipe) -> None:
        if self.against not in AXES or self.against == RATE:
            raise RecipeError(
                "the learning rate is searched with another setting",
                received=self.against,
                remedy="choose one of: " + ", ".join(path for path in AXES if path != RATE),
            )
        self.base = Session(recipe, like=getattr(self, "base", self._like)).among_many()
        axes = {path: AXES[path] for path in (RATE, self.against)}
        search = r.Search(space=axes)
        self._space = Space(msgspec.structs.replace(self.base.resolved.recipe, search=search))
        self._constant = self._as_bad()
        self._first = padded.pack(self.base.network, self.base.room)
        grid = self._space.grid(LEVELS * LEVELS)
        self._xs, self._ys = (sorted({point[path] for point in grid}) for path in axes)
        shape = len(self._ys), len(self._xs)
        self._surface: Float64[np.ndarray, "ys xs"] = np.full(shape, np.nan)
        self._shown, self._known = self._surface.copy(), 0
        self._coming = _coarse_to_fine(*shape)
        self._spots = []
        self._line_up()
        self.revision += 1

    def _as_bad(self) -> float:
        """The loss of the best constant answer: what is no better is as bad as can be."""
        resolved, dataset = self.base.resolved, self.base.dataset
        task, rows = resolved.recipe.task, dataset.train
        sample = sample_of(task, dataset, rows, training_weights(task, dataset)[rows])
        return constant_loss(resolved.objective, sample.y, sample.weight, float(sample.smoothing), float(sample.delta))

    def _line_up(self) -> None:
        """All three at their beginning."""
        self.step = 0
        self._trying = {}
        self._tried: dict[Method, list[Tried]] = {method: [] for method in METHODS}
        self._plans = {
            method: planned(self._space, method, TRIALS, self.draw) for method in METHODS if method != "bayes"
        }
        self._study = quiet_optuna().create_study(sampler=sampler("bayes", self.draw))

    def _next(self, method: Method) -> Settings:
        """What a search tries next."""
        if method != "bayes":
            return self._space.settings(self._plans[method][self.end])
        self._asked = self._study.ask(self._space.distributions)
        return self._space.settings(self._asked.params)

    def _tell(self, method: Method, tried: Tried) -> None:
        self._tried[method].append(tried)
        if method == "bayes":
            failed = not math.isfinite(tried.value)
            self._study.tell(self._asked, None if failed else tried.value, state=_failed() if failed else None)

    def _spot(self, column: int, row: int, size: int) -> Spot:
        settings = {RATE: self._xs[column], self.against: self._ys[row]}
        return Spot(column, row, size, self._trial(settings))

    def _trial(self, settings: Settings) -> Trial:
        """The recipe with these settings, to be trained."""
        base = self.base
        recipe = resolve(self._space.recipe(settings), base.dataset).recipe
        train: Any = recipe.train
        arguments = base.timeline.arguments._replace(
            settings=padded.settings(train, recipe.task, base.resolved.objective), seed=noise.key(recipe.seed)
        )
        return Trial(settings, self._first, arguments, base.room)


def _failed() -> Any:
    return quiet_optuna().trial.TrialState.FAIL


def _coarse_to_fine(rows: int, columns: int) -> Iterator[tuple[int, int, int]]:
    """Every cell of a grid once, as column, row, and how many cells beside it show it until they are known."""
    size = COARSE
    while size:
        for row in range(0, rows, size):
            for column in range(0, columns, size):
                if size == COARSE or row % (2 * size) or column % (2 * size):
                    yield column, row, size
        size //= 2


# ── a frame ─────────────────────────────────────────────────────────────────────────────────────


def _framed(
    revision: int,
    step: int,
    tried: dict[Method, list[Tried]],
    whole: Surface,
    shown: Float64[np.ndarray, "ys xs"],
    complete: bool,
    constant: float,
) -> bytes:
    margins = np.full((2, max(shown.shape)), np.nan)
    if complete:
        margins[0, : shown.shape[1]], margins[1, : shown.shape[0]] = whole.along_x(), whole.along_y()
    values = [trial.value for found in tried.values() for trial in found]
    known = np.concatenate([shown[np.isfinite(shown)], [v for v in values if math.isfinite(v)]])
    low = float(known.min()) if known.size else math.nan
    high = max(constant, 1.01 * low)
    trials = np.array([[_spot(trial, whole) for trial in found] for found in tried.values()])
    best = np.array([_best_so_far(found) for found in tried.values()])
    sections = {
        "surface": _height(shown, low, high),
        "margins": _height(margins, low, high),
        "trials": trials.reshape(len(tried), step, 3).astype(np.float32),
        "best": best.reshape(len(tried), step).astype(np.float32),
        "leaders": np.array([_leader(found) for found in tried.values()], np.int32),
        "losses": np.array([low, high], np.float32),
        "caption": written(_said(tried, whole, complete)),
    }
    return frames.packed(revision, step, sections)


def _height(values: Float64[np.ndarray, "*shape"], low: float, high: float) -> Float32[np.ndarray, "*shape"]:
    """Losses from 0 to 1 by their logarithms."""
    with np.errstate(divide="ignore", invalid="ignore"):
        span = np.log(high / low) if high > low > 0 else 1.0
        found: Float32[np.ndarray, "*shape"] = (np.log(values / low) / span).astype(np.float32)
    return found


def _spot(trial: Tried, whole: Surface) -> tuple[float, float, float]:
    x, y = (_share(trial.settings[axis.path], axis) for axis in (whole.x, whole.y))
    return x, y, trial.value


def _share(value: float | int, axis: SearchedAxis) -> float:
    """Where a value stands on its axis, from 0 to 1."""
    if axis.scale == "log":
        return math.log(value / axis.low) / math.log(axis.high / axis.low)
    return (value - axis.low) / (axis.high - axis.low)


def _leader(found: list[Tried]) -> int:
    """The number of the best trial; -1 where there is none."""
    known = [(trial.value, number) for number, trial in enumerate(found) if math.isfinite(trial.value)]
    return min(known)[1] if known else -1


def _best_so_far(found: list[Tried]) -> list[float]:
    values = np.array([trial.value if math.isfinite(trial.value) else math.inf for trial in found])
    best = np.minimum.accumulate(values) if values.size else values
    return [float(value) if math.isfinite(value) else math.nan for value in best]


def _said(tried: dict[Method, list[Tried]], whole: Surface, complete: bool) -> Saying:
    """What is to be said of the race."""
    best = {method: (_best_so_far(found) or [math.nan])[-1] for method, found in tried.items()}
    known = {method: value for method, value in best.items() if math.isfinite(value)}
    made = len(tried["grid"])
    if not known:
        rest = f"Each has {TRIALS} trials of {EPOCHS} epochs. Guess which finds the lowest loss, then press play."
        return Saying("initial", "Three searches, one surface.", rest)
    winner = min(known, key=lambda method: known[method])
    name = "The grid" if winner == "grid" else f"{METHODS[winner].capitalize()} search"
    levels = {method: len({trial.settings[RATE] for trial in found}) for method, found in tried.items()}
    tries = f"The grid tried {levels['grid']} learning rates, random draws {levels['random']}."
    if complete:
        x, y, _ = whole.shares()
        share, setting = max((x, "the learning rate"), (y, words(whole.y.path)))
        tries += f" {setting[:1].upper()}{setting[1:]} alone explains {share:.0%} of the surface."
    if made < TRIALS:
        return Saying("leads", f"{name} leads with {known[winner]:.3g}.", tries)
    return Saying("end", f"{name} found the lowest loss, {known[winner]:.3g}.", tries)


def words(path: str) -> str:
    """A setting's name in a sentence.

    >>> words("train.batch_size"), words("train.l2")
    ('the batch size', 'L2')
    """
    name = path.rpartition(".")[2]
    return name.upper() if name in ("l1", "l2") else f"the {name.replace('_', ' ')}"
