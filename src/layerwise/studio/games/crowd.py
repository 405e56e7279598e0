"""Many networks that learn at once: one recipe from 32 initial weights, or with 32 learning rates.

Each is a session of its own, on the same rows, trained exactly as it would be alone. Which of them are stuck,
and which compute the same, is told as `layerwise.inspection.basins` does.
"""

from bisect import bisect_right
from collections.abc import Callable
from functools import partial
from operator import itemgetter
from typing import Any, Literal, NamedTuple

import msgspec
import numpy as np
from jaxtyping import Float32, Float64, Int32

from layerwise.errors import RecipeError
from layerwise.inspection.basins import Minima, gathered
from layerwise.inspection.samples import Sample, sample_of
from layerwise.recipe import Recipe, plain, to_toml
from layerwise.recipe import records as r
from layerwise.recipe.seeding import seeds
from layerwise.studio.games.lockstep import InStep, Lockstep
from layerwise.studio.games.session import Session
from layerwise.studio.history.timeline import MEMORY
from layerwise.studio.picture import frames
from layerwise.studio.picture.lanes import SMALL, losses_of, outputs_of
from layerwise.studio.picture.moment import WINDOW, Saying, written
from layerwise.studio.picture.shades import shades
from layerwise.studio.picture.speech import flat
from layerwise.tasks.objective import Objective, training_weights
from layerwise.training import padded
from layerwise.training.padded import Parameters

LANES = 32
DECADES = 2.0  # up and down from the recipe's learning rate
LIKE = 1.1  # times the lowest: losses that are told as one

Vary = Literal["start", "rate"]


class Crowd(InStep):
    """One recipe, 32 times: from seeds of its own each, or from the same weights with a learning rate of its own."""

    slice, least, rest = 0.08, 128, 0.0  # a call of each costs about a millisecond, however few its steps

    def __init__(self, recipe: Recipe, vary: Vary, like: Session | None = None) -> None:
        """Begin; rows that are those of `like` are shared with it."""
        self.revision, self.vary, self._like = 0, vary, like
        self._begin(recipe)

    # ── what may be done ────────────────────────────────────────────────────────────────────────

    def change(self, recipe: Recipe) -> None:
        """Change all of them: at once where only settings differ, else from the beginning."""
        before = self.recipe
        Session(recipe, like=self.base).among_many()  # refuses what cannot be played, before anything has changed
        settings = all(getattr(recipe, name) == getattr(before, name) for name in ("data", "task", "seed", "network"))
        rates = _rates(recipe) == _rates(before) if self.vary == "rate" else True
        if not (settings and rates):
            self._begin(recipe)
            return
        recipes = {id(member): own for member, own in zip(self.members, self._recipes(recipe), strict=True)}
        self._steps.edit(lambda member: member.change(recipes[id(member)]), self.members)
        self.revision += 1

    def reset(self) -> None:
        """All back to their first weights."""
        self._begin(self.recipe)

    def advance(self, steps: int) -> int:
        """Train all for up to so many batches; how many were made."""
        return self._steps.advance(steps)

    def seek(self, step: int) -> None:
        """Take all to a step that was reached."""
        before = self.recipe
        self._steps.seek(step)
        self.revision += self.recipe != before

    def opened(self, lane: int) -> Session:
        """One of them with its whole history, to be played with alone."""
        if lane >= LANES:
            raise RecipeError(
                f"one of {LANES} networks is opened", received=f"number {lane}", remedy="choose one shown"
            )
        return self.members[lane].twin()

    def work(self) -> bool:
        """Nothing is to be done beside training."""
        return False

    # ── where it stands ─────────────────────────────────────────────────────────────────────────

    @property
    def recipe(self) -> Recipe:
        """What all have in common."""
        now = next(member.recipe for member in self.members if member.step == self.step)
        return now if self.vary == "start" else _with_rate(now, _rate(self.base.recipe))

    @property
    def steps_per_epoch(self) -> int:
        """Batches of an epoch, the last and incomplete one included."""
        return self.members[0].steps_per_epoch

    @property
    def stamp(self) -> tuple[Any, ...]:
        """What is another whenever there is something new to draw."""
        return id(self), self.revision, self.step, self.status

    # ── what the page shows ─────────────────────────────────────────────────────────────────────

    def scene(self) -> dict[str, Any]:
        """The recipe's scene, and what is each one's own: `values` are seeds, or learning rates."""
        own = seeds(self.recipe.seed, LANES) if self.vary == "start" else _rates(self.recipe)
        return {
            **self.base.scene(),
            "game": "many",
            "recipe": plain(self.recipe),
            "toml": to_toml(self.recipe),
            "revision": self.revision,
            "status": self.status,
            "step": self.step,
            "oldest": self.oldest,
            "end": self.end,
            "edits": [step for step in self.members[0].timeline.edits if step <= self.end],
            "ghost": [],
            "vary": self.vary,
            "values": list(own),
        }

    def frame(self) -> Callable[[], bytes]:
        """Every one's surface, losses and basin.

        losses (float32, 32 x 4)   training loss and figure, validation loss and figure; NaN where no rows are held out
        order (int32, 32)          the lanes, the lowest loss first
        basins (int32, 32 x 2)     which compute the same; 0 good, 1 stuck, 2 halted without a finite loss, 3 worse
                                   than the good ones, and still learning
        """
        now = [member.timeline.parameters for member in self.members]
        halted = np.array([not self._steps.goes_on(m) and m.status != "finished" for m in self.members])
        courses = [_recent(member, self.step) for member in self.members]
        view = _View(self.revision, self.step, self.vary, self._subject(), _values(self))
        return partial(_framed, view, now, halted, courses)

    def _subject(self) -> "_Subject":
        base = self.base
        task, rows = base.resolved.recipe.task, base.dataset.train
        sample = sample_of(task, base.dataset, rows, training_weights(task, base.dataset)[rows])
        arguments = base.timeline.arguments
        return _Subject(
            base.resolved.objective,
            sample,
            rows.size,
            arguments.settings,
            arguments.table,
            arguments.shape,
            self._square,
        )

    # ── inside ──────────────────────────────────────────────────────────────────────────────────

    def _begin(self, recipe: Recipe) -> None:
        base = Session(recipe, like=getattr(self, "base", self._like)).among_many()
        starts = seeds(recipe.seed, LANES) if self.vary == "start" else (None,) * LANES
        recipes = self._recipes(recipe)
        self.members = [Session(own, start, base, MEMORY // LANES) for own, start in zip(recipes, starts, strict=True)]
        self.base, self._steps = base, Lockstep(self.members)
        self._square: Any = base.square.coarse(SMALL)
        self.revision += 1

    def _recipes(self, recipe: Recipe) -> list[Recipe]:
        if self.vary == "start":
            return [recipe] * LANES
        return [_with_rate(recipe, rate) for rate in _rates(recipe)]


def _with_rate(recipe: Recipe, rate: float) -> Recipe:
    assert isinstance(recipe.train, r.Train)
    return msgspec.structs.replace(recipe, train=msgspec.structs.replace(recipe.train, learning_rate=rate))


def _rates(recipe: Recipe) -> list[float]:
    """Learning rates evenly spaced by their logarithms, the recipe's in the middle of them."""
    rate = _rate(recipe)
    powers = np.arange(LANES) - LANES // 2
    return [float(f"{rate * 10 ** (DECADES * power / (LANES // 2)):.3g}") for power in powers]


def _rate(recipe: Recipe) -> float:
    """The recipe's learning rate. Raises `RecipeError` where it has none."""
    rate = getattr(recipe.train, "learning_rate", None)
    if isinstance(rate, int | float):
        return float(rate)
    raise RecipeError(
        "learning rates are varied around the recipe's own", received=str(rate), remedy="set one, e.g. 0.03",
        place="train.learning_rate",
    )  # fmt: skip


# ── a frame ─────────────────────────────────────────────────────────────────────────────────────


class _Subject(NamedTuple):
    """What all of them are trained on, `rows` of a table that come first in it, and the square that is drawn."""

    objective: Objective
    sample: Sample
    rows: int
    settings: padded.Settings
    table: padded.Table
    shape: padded.Shape
    square: Any


class _View(NamedTuple):
    revision: int
    step: int
    vary: Vary
    subject: _Subject
    values: list[float]


def _values(crowd: Crowd) -> list[float]:
    return _rates(crowd.recipe) if crowd.vary == "rate" else []


def _recent(member: Session, step: int) -> Float64[np.ndarray, " epochs"]:
    """The training losses of the last epochs before a step, as many as `flat` looks at."""
    rows, an_epoch = member.timeline.curve.rows, member.timeline.steps_per_epoch
    # A long curve is thinned: an epoch that it does not have any more is told by the one before.
    wanted = (step - an_epoch * back for back in reversed(range(2 * WINDOW)))
    places = (bisect_right(rows, at, key=itemgetter(0)) - 1 for at in wanted)
    return np.array([rows[place][1] for place in places if place >= 0], np.float64)


def _framed(view: _View, now: list[Parameters], halted: Any, courses: list[Float64[np.ndarray, " _"]]) -> bytes:
    subject = view.subject
    outputs = subject.objective.outputs
    surfaces = outputs_of(now, subject.shape, subject.square)[:, :, :outputs]
    said = outputs_of(now, subject.shape, subject.table.x)[:, : subject.rows, :outputs]
    losses = losses_of(now, subject.shape, subject.settings, subject.table)
    rows = losses.astype(np.float64)
    found = gathered(
        subject.objective, subject.sample, list(said), losses=rows[:, 0], validation=rows[:, 2], scores=rows[:, 1]
    )
    # Who is young is above the bound, too: stuck is who has stopped falling there.
    ended = np.array([flat(course, found.constant) for course in courses])
    states = np.where(halted, 2, np.where(found.stuck, np.where(ended, 1, 3), 0))
    basins: Int32[np.ndarray, "32 2"] = np.column_stack([found.basin, states]).astype(np.int32)
    surface = np.ascontiguousarray(surfaces).reshape(LANES, SMALL, SMALL, outputs)
    return frames.packed(
        view.revision,
        view.step,
        {
            "surface": surface,
            "shades": shades(subject.objective.kind, surface),
            "losses": losses,
            "order": _order(losses),
            "basins": basins,
            "caption": written(_said(view, found, losses, halted, ended)),
        },
    )


def _order(losses: Float32[np.ndarray, "32 4"]) -> Int32[np.ndarray, " 32"]:
    """The lanes from the lowest loss up: on the validation part, where there is one."""
    column = losses[:, 2] if np.isfinite(losses[:, 2]).any() else losses[:, 0]
    return np.argsort(np.where(np.isfinite(column), column, np.inf), kind="stable").astype(np.int32)


def _said(view: _View, found: Minima, losses: Any, halted: Any, ended: Any) -> Saying:
    """What is to be said of them: where they ended, in words."""
    if not view.step:
        what = "initial weights of one network" if view.vary == "start" else "learning rates from the same weights"
        return Saying("initial", f"{LANES} {what}.", "Guess how many will end in a good minimum, then press play.")
    if view.vary == "rate":
        return _of_rates(view, losses, halted)
    good, behind = int((~found.stuck).sum()), np.isfinite(found.losses) & found.stuck
    if not good:
        return Saying("young", "None has learned much yet.", "Their training losses are about a constant answer's.")
    stuck, learning = behind & ended, int((behind & ~ended & ~halted).sum())
    if not ended.any():
        return Saying("young", "They are still learning.", "Who is stuck shows where a loss stops falling.")
    functions = len(set(found.basin[~found.stuck].tolist()))
    alike = "the same" if functions == 1 else f"{functions} different functions"
    rest = f"On the training points the good ones compute {alike}."
    if learning:
        rest = f"{learning} {'is' if learning == 1 else 'are'} still learning. {rest}"
    if not stuck.any():
        return Saying("minima", f"{good} in good minima, none is stuck{' yet' if learning else ''}.", rest)
    return Saying("minima", f"{good} in good minima, {int(stuck.sum())} stuck at {_about(found.losses[stuck])}.", rest)


def _about(losses: Any) -> str:
    """Losses in few words: one number where they are much the same."""
    low, high = float(losses.min()), float(losses.max())
    return f"{low:.2g}" if high <= LIKE * low else f"{low:.2g} to {high:.2g}"


def _of_rates(view: _View, losses: Any, halted: Any) -> Saying:
    column = 2 if np.isfinite(losses[:, 2]).any() else 0
    wanted = np.where(np.isfinite(losses[:, column]) & ~halted, losses[:, column], np.inf)
    best = int(np.argmin(wanted))
    part = "validation" if column else "training"
    lost = f" {int(halted.sum())} halted: too fast, or no better any more." if halted.any() else ""
    strong = f"Best at learning rate {view.values[best]:g}."
    return Saying("rates", strong, f"Its {part} loss is {float(wanted[best]):.3g}.{lost}")
