"""Two settings side by side: one seed, the same rows, trained in lockstep; which weights part, and when.

A is the recipe. B is the same but for what is other in it, so what is set changes both, unless it is one of
those keys. Each is trained exactly as it would be alone.
"""

import contextlib
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float32, Int32

from layerwise.errors import RecipeError
from layerwise.recipe import Recipe, plain
from layerwise.studio.games.lockstep import InStep, Lockstep
from layerwise.studio.games.session import Session
from layerwise.studio.games.settings import changed_at
from layerwise.studio.history.timeline import Arguments, Curve
from layerwise.studio.picture import frames, views
from layerwise.studio.picture.marks import marks
from layerwise.studio.picture.moment import Saying, written
from layerwise.studio.picture.shades import shades, small
from layerwise.tasks.objective import Objective
from layerwise.training import padded
from layerwise.training.kept import Kept
from layerwise.training.padded import Parameters

APART = 0.1  # two weights further apart than this have parted
MARKED = 12  # weights that are farthest apart and named
OTHERS = 12  # keys that B may differ in
SHARED = ("seed", "data", "search", "layerwise", "task.kind")  # what both have in common
POINTS = 512  # of a curve that are sent
WAIT = 0.05  # seconds for a program that is being compiled, before a page is answered


class Pair(InStep):
    """A recipe, and the same with some keys otherwise."""

    slice, least, rest = 0.025, 16, 0.0

    def __init__(self, recipe: Recipe, other: Mapping[str, Any], like: Session | None = None) -> None:
        """Begin; rows that are those of `like` are shared with it."""
        self.revision, self._like = 0, like
        self._paths = tuple(other)
        self._begin(recipe, _second(recipe, other))

    # ── what may be done ────────────────────────────────────────────────────────────────────────

    def change(self, recipe: Recipe) -> None:
        """Change both, and each but for what is other in it; from the beginning where a session begins anew."""
        self._over_to(recipe, self.other)

    def differ(self, other: Mapping[str, Any]) -> None:
        """Let other keys of B be otherwise, by their paths. Raises `RecipeError`."""
        self._over_to(self.recipe, dict(other))

    def reset(self) -> None:
        """Both back to their first weights."""
        self._begin(self.a.recipe, self.b.recipe)

    def advance(self, steps: int) -> int:
        """Train both for up to so many batches, and watch them part; how many were made."""
        made = self._steps.advance(steps)
        self._partings.follow([member.timeline.arguments for member in self._steps.members], self.step)
        return made

    def seek(self, step: int) -> None:
        """Take both to a step that was reached."""
        before = self.a.recipe
        self._steps.seek(step)
        self.revision += self.a.recipe is not before

    def work(self) -> bool:
        """Catch up with watching, where its program was not ready."""
        return self._partings.look()

    # ── where it stands ─────────────────────────────────────────────────────────────────────────

    @property
    def recipe(self) -> Recipe:
        """A's."""
        return self.a.recipe

    @property
    def other(self) -> dict[str, Any]:
        """B's values of the keys that may be other in it, by their paths."""
        raw = plain(self.b.recipe)
        values = {path: _at(raw, path) for path in self._paths}
        return {path: value for path, value in values.items() if value is not None}

    @property
    def steps_per_epoch(self) -> int:
        """Batches of an epoch of A's."""
        return self.a.steps_per_epoch

    @property
    def stamp(self) -> tuple[Any, ...]:
        """What is another whenever there is something new to draw."""
        return id(self), self.revision, self.step, self.status, self._partings.known

    # ── what the page shows ─────────────────────────────────────────────────────────────────────

    def scene(self) -> dict[str, Any]:
        """A's scene, with B's recipe and the keys in which it differs."""
        one, two = plain(self.a.recipe), plain(self.b.recipe)
        differences = [{"path": path, "a": _at(one, path), "b": _at(two, path)} for path in self._paths]
        return {
            **self.a.scene(),
            "game": "compare",
            "revision": self.revision,
            "status": self.status,
            "step": self.step,
            "oldest": self.oldest,
            "end": self.end,
            "ghost": [],
            "other": self.other,
            "differences": differences,
            "second": {"recipe": two, "steps_per_epoch": self.b.steps_per_epoch},
            "apart": APART,
        }

    def frame(self) -> Callable[[], bytes]:
        """Both networks and their surfaces, both curves, and which weights are farthest apart, and since when.

        parted (int32, weights x 4)   layer, unit, source (-1 of a bias), step; the farthest first, up to `MARKED`
        """
        shown = []
        for member in self._steps.members:
            curve = member.timeline.curve.until(self.end)
            shown.append((member.timeline.parameters, member.timeline.arguments.shape, member.square.inputs, curve))
        objective = self.a.resolved.objective
        since, now = self._partings.shown(self.step, shown[0][0], shown[1][0])
        parted = farthest(since, now, len(self.a.network.layers) - 1)
        return partial(_framed, self.revision, self.step, shown, objective, parted, self._said(since))

    def _said(self, since: Int32[np.ndarray, "layers units columns"]) -> Saying:
        """What is to be said of the two."""
        halted = [name for name, m in zip("AB", self._steps.members, strict=True) if not self._steps.goes_on(m)]
        if not self.other:
            return Saying("same", "A and B are the same so far.", "Choose above what is to differ in B.")
        if halted and self.status == "running":
            member = self.a if halted == ["A"] else self.b
            return Saying("halted", f"{halted[0]} stands at {_ended(member)}.", "The other goes on.")
        if halted == ["A", "B"] and self.step == self.end:
            return Saying("halted", f"A ended at {_ended(self.a)}.", f"B ended at {_ended(self.b)}.")
        if not self.step:
            words = "The first weights are the same." if not (since >= 0).any() else "Their first weights differ, too."
            return Saying("initial", "One seed, one data set.", f"{words} Guess which will do better, then press play.")
        if self._partings.behind:
            return Saying("watching", "Both train.", "When their weights part is told as soon as watching is prepared.")
        there = self._partings.there
        parted, all_ = int((since >= 0).sum()), int(there.sum())
        if not parted:
            return Saying("together", "Still together.", f"No weight differs by more than {APART} yet.")
        first = int(since[since >= 0].min()) // self.steps_per_epoch
        return Saying(
            "parted",
            f"{parted} of {all_} weights have parted.",
            f"The first one at epoch {first}; parted is further apart than {APART}.",
        )

    # ── inside ──────────────────────────────────────────────────────────────────────────────────

    def _begin(self, recipe: Recipe, second: Recipe) -> None:
        a = Session(recipe, like=getattr(self, "a", self._like)).among_many()
        self.a, self.b = a, _alike(Session(second, like=a), a)
        self._steps = Lockstep([self.a, self.b])
        self._partings = Partings(self.a, self.b)
        self.revision += 1

    def _over_to(self, recipe: Recipe, other: Mapping[str, Any]) -> None:
        second = _second(recipe, other)
        for member, its in ((self.a, recipe), (self.b, second)):
            if its != member.recipe:
                _alike(Session(its, like=member), self.a)  # refuses what cannot be played, before anything has changed
        if self.a.step != self.b.step:  # one of them halted: it gets another chance from there
            self._steps.seek(min(self.a.step, self.b.step))
        lines = self.a.timeline, self.b.timeline
        for member, its in ((self.a, recipe), (self.b, second)):
            if its != member.recipe:
                self._steps.edit(partial(Session.change, recipe=its), [member])
        self._paths = tuple(other)
        if (self.a.timeline, self.b.timeline) == lines:
            self._partings.forget(self.step, self.a, self.b)
            self.revision += 1
        else:
            self._begin(recipe, second)


def _ended(member: Session) -> str:
    """Where one came to its end, and why."""
    why = {"diverged": "its loss was not finite any more", "stopped_early": "validation was no better any more"}
    epoch = member.step // member.steps_per_epoch
    return f"epoch {epoch}: {why.get(member.status, 'the recipe asks for no more')}"


def _second(recipe: Recipe, other: Mapping[str, Any]) -> Recipe:
    """B's recipe. Raises `RecipeError` where it cannot be, or differs in what both have in common."""
    if len(other) > OTHERS:
        raise RecipeError(f"B differs in up to {OTHERS} settings", received=str(len(other)), remedy="take some back")
    for path in other:
        if any(f"{path}.".startswith(f"{shared}.") for shared in SHARED):
            raise RecipeError(
                "both are trained on the same data from one seed", received=path, remedy="compare other settings"
            )
    return changed_at(recipe, other)


def _at(raw: Any, path: str) -> Any:
    """The value at a path; None where there is none, as of a setting that only B's optimizer has."""
    for key in path.split("."):
        raw = raw.get(key) if isinstance(raw, dict) else None
    return raw


def _framed(
    revision: int,
    step: int,
    shown: list[tuple[Parameters, padded.Shape, Any, Curve]],
    objective: Objective,
    parted: Int32[np.ndarray, "parted 4"],
    said: Saying,
) -> bytes:
    drawn = [views.surfaces(parameters, shape, square) for parameters, shape, square, _ in shown]
    surface = np.stack([np.ascontiguousarray(one.outputs[:, :, : objective.outputs]) for one in drawn])
    a, b = (curve.array(POINTS).astype(np.float32) for *_, curve in shown)
    return frames.packed(
        revision,
        step,
        {
            "weights": np.stack([parameters.weight for parameters, *_ in shown]),
            "biases": np.stack([parameters.bias for parameters, *_ in shown]),
            "curve": a,
            "other": b,
            "marks": np.stack([marks(curve, step) for *_, curve in shown]),
            "surface": surface,
            "shades": shades(objective.kind, surface),
            "outs": np.stack([small(objective.kind, one) for one in surface]),
            "units": np.stack([one.units for one in drawn]),
            "parted": parted,
            "caption": written(said),
        },
    )


def farthest(
    since: Int32[np.ndarray, "layers units columns"], apart: Float32[np.ndarray, "layers units columns"], hidden: int
) -> Int32[np.ndarray, "parted 4"]:
    """The weights that parted and are farthest apart now, with their step, in a network of so many hidden layers."""
    places = np.argwhere(since >= 0)
    found = places[np.argsort(-apart[tuple(places.T)], kind="stable")][:MARKED]
    steps = since[tuple(found.T)]
    layer = np.where(found[:, 0] == len(since) - 1, hidden, found[:, 0])
    source = np.where(found[:, 2] == since.shape[2] - 1, -1, found[:, 2])
    return np.column_stack([layer, found[:, 1], source, steps]).astype(np.int32)


# ── when weights part ───────────────────────────────────────────────────────────────────────────


_programs: dict[padded.Room, "Future[Any]"] = {}  # that watch, by the rooms they are compiled for


class Partings:
    """The first step at which each weight of one network is further than `APART` from the other's.

    Found by training both once more, a step at a time, in one program that looks after every step. Weights
    that only one of them has are not compared. `known` is the step up to which it was looked.
    """

    known: int
    _states: Any  # of both, stacked, at that step

    def __init__(self, a: Session, b: Session) -> None:
        self._since: Any = np.full(_there(a).shape, -1, np.int32)
        self._begin(a, b)
        known = _programs.get(a.room)
        if known is None or (known.done() and known.exception()):  # what failed once is tried again
            _programs[a.room] = _in_background(a)
        self._program = _programs[a.room]

    @property
    def behind(self) -> bool:
        """Whether steps wait to be looked at."""
        return bool(self._waiting)

    def follow(self, arguments: list[Arguments], until: int) -> None:
        """Look at the steps up to here, too, that both make with these arguments."""
        if until > max([self.known, *(end for _, end in self._waiting)]):
            self._waiting.append((_stacked(arguments), until))
            if self._program.done():
                self.look()

    def look(self) -> bool:
        """Look at what waits; whether more does, since the program is still being compiled."""
        with contextlib.suppress(TimeoutError):
            while self.behind:
                program, (arguments, until) = self._program.result(WAIT), self._waiting[0]
                limit = np.int32(until - self.known)
                self._states, self._since = program(self._states, arguments, self._since, self.there, limit)
                self.known = until
                del self._waiting[0]
        return self.behind

    def forget(self, step: int, a: Session, b: Session) -> None:
        """From this step on it goes otherwise."""
        while self.look():
            pass
        self._since = np.where(np.asarray(self._since) > step, -1, self._since).astype(np.int32)
        self._begin(a, b)

    def shown(
        self, step: int, a: Parameters, b: Parameters
    ) -> tuple[Int32[np.ndarray, "layers units columns"], Float32[np.ndarray, "layers units columns"]]:
        """The steps up to this one at which weights parted, -1 of the others; and how far all are apart now.

        The last column are the biases.
        """
        known = np.asarray(self._since)
        since = np.where((known <= step) & self.there, known, -1).astype(np.int32)
        return since, np.where(self.there, _distance(a, b), 0).astype(np.float32)

    def _begin(self, a: Session, b: Session) -> None:
        """Both stand at one step from which it is looked on."""
        self.there = _there(a) & _there(b)
        apart = _distance(a.timeline.parameters, b.timeline.parameters)
        new = (self._since < 0) & (apart > APART) & self.there
        self._since = np.where(new, np.int32(a.step), self._since)
        self._states = _stacked([a.timeline.state, b.timeline.state])
        self.known = a.step
        self._waiting: list[tuple[Any, int]] = []


def _stacked(trees: list[Any]) -> Any:
    return jax.tree.map(lambda *leaves: np.stack([np.asarray(leaf) for leaf in leaves]), *trees)


def _there(session: Session) -> Any:
    """Which weights there are, the biases in the last column."""
    one = padded.pack(jax.tree.map(np.ones_like, session.network), session.room)
    return np.concatenate([np.asarray(one.weight), np.asarray(one.bias)[:, :, None]], axis=2) > 0


def _distance(a: Parameters, b: Parameters) -> Any:
    weight, bias = (np.abs(np.asarray(x) - np.asarray(y)) for x, y in zip(a, b, strict=True))
    return np.concatenate([weight, bias[:, :, None]], axis=2)


def _alike(member: Session, a: Session) -> Session:
    """A member of a pair, if both are judged by the same. Raises `RecipeError`."""
    kinds = [each.resolved.objective.kind for each in (member, a)]
    if kinds[0] != kinds[1]:
        raise RecipeError("both are trained for one task", received=" and ".join(kinds), place="task")
    return member.among_many()


def _in_background(a: Session) -> "Future[Any]":
    """The program below, once it is compiled for the rooms that these are in."""
    line = a.timeline
    states, arguments, there = _stacked([line.state] * 2), _stacked([line.arguments] * 2), _there(a)

    def ready() -> Any:
        program = Kept(_watch, tiny=True)
        program(states, arguments, np.full(there.shape, -1, np.int32), there, np.int32(0))
        return program

    pool = ThreadPoolExecutor(1, "layerwise-watch")
    try:
        return pool.submit(ready)
    finally:
        pool.shutdown(wait=False)


def _watch(states: Any, arguments: Any, since: Array, there: Array, limit: Array) -> tuple[Any, Array]:
    """Train two states, stacked, for `limit` steps, and note the first step at which each weight is apart."""

    def one_step(part: tuple[Any, Any]) -> Any:
        state, (shape, settings, table, seed) = part
        return padded.advance_purely(state, shape, settings, table, seed, jnp.int32(1))[0]

    def one(carry: Any) -> Any:
        states, since, done = carry
        states = jax.lax.map(one_step, (states, arguments))
        weight, bias = states.now.parameters
        apart = jnp.concatenate([jnp.abs(weight[0] - weight[1]), jnp.abs(bias[0] - bias[1])[:, :, None]], axis=2)
        return states, jnp.where((since < 0) & there & (apart > APART), states.now.step[0], since), done + 1

    def goes_on(carry: Any) -> Array:
        states, _, done = carry
        on: Array = (done < limit) & (states.status == padded.RUNNING).all()
        return on

    states, since, _ = jax.lax.while_loop(goes_on, one, (states, since, jnp.int32(0)))
    return states, since
