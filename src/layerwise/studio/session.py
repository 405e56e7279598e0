"""One player's network: a recipe that is played with, its timeline, and what the page shows of both.

The recipe is the state: every control of the page is a key of it. Changing one acts at once where the
padded program has it as an argument; other data, another seed or another initialization begin anew.
"""

from collections.abc import Callable
from copy import copy
from functools import partial
from typing import Any

import msgspec
import numpy as np
from jaxtyping import Float32, Float64

from layerwise.data import load as load_data
from layerwise.data.dataset import Classes, Dataset, Quantities, spread
from layerwise.errors import RecipeError
from layerwise.inspection import Activations, BackpropSheet, activations, backprop, initial
from layerwise.inspection.samples import sample_of
from layerwise.inspection.subjects import MOST_ROWS
from layerwise.nets import noise
from layerwise.nets.dense import MLP
from layerwise.recipe import Recipe, Source, load, plain, put, to_toml
from layerwise.recipe import records as r
from layerwise.studio import drawing, frames, scores, speech, views
from layerwise.studio.journal import Edit, Journal, Setup, Typed, with_edit
from layerwise.studio.program import programs
from layerwise.studio.timeline import MEMORY, Arguments, Curve, Timeline, parameters_with
from layerwise.tasks.objective import training_weights
from layerwise.training import padded
from layerwise.training.resolve import Resolved, resolve

DEFAULT: dict[str, Any] = {
    "data": {"kind": "toy", "name": "circle", "n": 500, "split": {"kind": "random", "validation": 0.3, "test": 0.2}},
    "network": {"kind": "mlp", "hidden": [4, 2], "activation": "tanh"},
    "train": {"epochs": 1_000_000, "batch_size": 10, "optimizer": "sgd", "learning_rate": 0.03, "patience": 0},
}
STATUS = ("running", "finished", "stopped_early", "diverged")


class Session:
    """A recipe being played with. `revision` grows with every change, so that a page knows what a frame belongs to.

    `first` is the recipe that the timeline began with.
    """

    first: Recipe
    dataset: Dataset
    timeline: Timeline
    reach: float  # how far from zero the page shows both inputs
    touched: int  # how often the test part was looked at
    testing: bool  # whether it is looked at now
    rest = 0.0

    def __init__(
        self,
        recipe: Source | None = None,
        start: int | None = None,
        like: "Session | None" = None,
        memory: int = MEMORY,
    ) -> None:
        """Begin with a recipe; rows that are those of `like` are shared with it.

        `start`, where given, is the seed of the first weights and of all that is random in training; the data
        follows the recipe's all the same.
        """
        self.revision, self.start, self._memory = 0, start, memory
        self.locate: Callable[[Recipe], Recipe] = lambda recipe: recipe  # from a page's names of files to their paths
        self._rows_of: tuple[r.Data, int] | None = None
        self.reach = 0.0
        self._begin(load(recipe if recipe is not None else DEFAULT), like)

    # ── what may be done ────────────────────────────────────────────────────────────────────────

    def set(self, path: str, value: Any) -> None:
        """Change one key of the recipe, such as "train.learning_rate". Raises `RecipeError` where it cannot be."""
        raw = plain(self.recipe)
        put(raw, path.split("."), value)
        self.change(load(raw))

    def change(self, recipe: Recipe) -> None:
        """Go over to another recipe: at once where nothing but settings and layers differ, else from the beginning."""
        before = self.recipe
        kept = ("data", "task", "seed")
        anew = any(getattr(recipe, name) != getattr(before, name) for name in kept)
        anew |= _start(recipe.network) != _start(before.network)
        if anew:
            self.start = self.start if recipe.seed == before.seed else None  # another seed is another for all
            self._begin(recipe)
            return
        resolved, network = self._checked(recipe, self.dataset)
        parameters = None
        if _widths(network) != _widths(self.network):
            parameters = _carried(self.timeline.parameters, self.network, network)
        setup = Setup(recipe, resolved, network, self._edits_with(recipe))
        if self.timeline.step == 0 and not setup.edits:
            self.first = recipe
        self.timeline.edit(self._arguments(setup), parameters, setup)
        self.revision += 1

    def begin(self, recipe: Recipe, start: int | None = None) -> None:
        """Begin anew with a recipe. Raises `RecipeError` where it cannot be played."""
        self.start = start
        self._begin(recipe)

    def reset(self) -> None:
        """Back to the very weights that it began with, and an empty history."""
        self._begin(self.recipe)

    def type_weight(self, layer: int, unit: int, source: int | None, value: float) -> None:
        """Give one weight, or with `source` None one bias, another value; layers count from 0, the output's last.

        Raises `RecipeError` where there is none, or the value is no number.
        """
        layers = self.network.layers
        there = 0 <= layer < len(layers) and 0 <= unit < layers[layer].weight.shape[0]
        if not there or not (source is None or 0 <= source < layers[layer].weight.shape[1]):
            raise RecipeError("a weight of the network is typed in", received=f"layer {layer}, unit {unit}, {source}")
        if not np.isfinite(value) or abs(value) > 1e6:
            raise RecipeError("a weight is a number up to a million", received=str(value), remedy="type another")
        place = -1 if layer == len(layers) - 1 else layer
        setup = self._setup._replace(edits=self._edits_with(Typed(layer, unit, source, value)))
        changed = parameters_with(self.timeline.parameters, place, unit, source, value)
        self.timeline.edit(parameters=changed, memo=setup)
        self.revision += 1

    def advance(self, steps: int) -> int:
        """Train for up to so many batches; how many were made."""
        return self.timeline.advance(steps)

    def seek(self, step: int) -> None:
        """Go to any step that was reached; the recipe is the one that was trained with there."""
        before = self._setup
        self.timeline.seek(step)
        self.revision += self._setup is not before

    def go_back(self) -> None:
        """Return to the line of training that was left last."""
        self.timeline.go_back()
        self.revision += 1

    def test(self, show: bool) -> None:
        """Show the test part, which is counted, or hide it again."""
        self.touched += show and not self.testing
        self.testing = show
        self.revision += 1

    # ── where it stands ─────────────────────────────────────────────────────────────────────────

    @property
    def _setup(self) -> Setup:
        setup: Setup = self.timeline.memo
        return setup

    @property
    def recipe(self) -> Recipe:
        """What is played with at this step."""
        return self._setup.recipe

    @property
    def resolved(self) -> Resolved:
        """The recipe with its data's answers."""
        return self._setup.resolved

    @property
    def network(self) -> MLP:
        """The network that the recipe begins with."""
        return self._setup.network

    @property
    def journal(self) -> Journal:
        """All that was changed since `first`, up to where training stands."""
        eras = [(step, setup) for step, setup in self.timeline.journal if step <= self.timeline.step]
        return [(step, edit) for step, setup in eras for edit in setup.edits]

    def twin(self) -> "Session":
        """The same once more, with its whole history, which goes its own way from here."""
        twin = copy(self)
        twin.timeline, twin._memory = self.timeline.copy(), MEMORY
        return twin

    def work(self) -> bool:
        """Nothing is to be done beside training."""
        return False

    # ── what the page shows ─────────────────────────────────────────────────────────────────────

    @property
    def step(self) -> int:
        """Batches done."""
        return self.timeline.step

    @property
    def end(self) -> int:
        """Batches that were reached."""
        return self.timeline.end

    @property
    def steps_per_epoch(self) -> int:
        """Batches of an epoch, the last and incomplete one included."""
        return self.timeline.steps_per_epoch

    @property
    def status(self) -> str:
        """One of `STATUS`."""
        return STATUS[self.timeline.status]

    @property
    def stamp(self) -> tuple[Any, ...]:
        """What is another whenever there is something new to draw."""
        return self.revision, self.step, self.status

    def scene(self) -> dict[str, Any]:
        """All that does not change many times a second, as JSON."""
        line = self.timeline
        state = line.state
        return {
            "game": "playground",
            "start": self.start,
            "revision": self.revision,
            "recipe": plain(self.recipe),
            "toml": to_toml(self.recipe),
            "status": self.status,
            "step": line.step,
            "end": line.end,
            "edits": line.edits,
            "left": [line.left.at, line.left.end] if line.left else None,
            "steps_per_epoch": line.steps_per_epoch,
            "best_step": int(state.best_step),
            "names": self._names(),
            "inputs": list(self.dataset.encoder.features),
            "pictures": self._pictures,
            "notes": list(self.resolved.notes),
            "reach": self.reach,
            "points": self._points(),
            "tested": {"rows": len(self.dataset.test), "times": self.touched, "shown": self.testing},
            "kind": self.resolved.objective.kind,
            "ghost": line.ghost.array().astype(float).tolist() if len(line.ghost.rows) < 512 else [],
        }

    def frame(self) -> Callable[[], bytes]:
        """What makes the binary frame of all that changes with every step, as things are now.

        It may be called on another thread, while training goes on here.
        """
        line = self.timeline
        outputs, now = self.resolved.objective.outputs, line.parameters
        parts = (now, line.arguments.shape, self._square, outputs, line.curve.copy())
        spoken = speech.sections(self.status, line, now, self._setup, self.dataset)
        return partial(_framed, self.revision, line.step, *parts, self._scores(now), spoken)

    def sheet(self, row: int) -> Callable[[], BackpropSheet]:
        """What works out back-propagation in numbers for one row of the data, counted from 0, as things are now.

        It may be called on another thread, while training goes on here.
        """
        network = padded.unpack(self.timeline.parameters, self.network)
        rows = np.array([row], np.int64)
        train = self.resolved.recipe.train
        assert isinstance(train, r.Train)
        x, y, objective = self.dataset.x[rows], self.dataset.y[rows], self.resolved.objective
        return partial(backprop, network, x, y, objective, train=train)

    def programs(self) -> dict[str, str]:
        """A command and a program that train this recipe for as many epochs as were trained here."""
        return programs(to_toml(self.recipe), self.timeline.step // self.timeline.steps_per_epoch)

    def distributions(self) -> Callable[[], Activations]:
        """What works out what each layer's units do on the training rows, and the gradients that reach it, as now.

        It may be called on another thread, while training goes on here.
        """
        network = padded.unpack(self.timeline.parameters, self.network)
        task, objective = self.resolved.recipe.task, self.resolved.objective
        rows = spread(self.dataset.train, MOST_ROWS)
        weight = training_weights(task, self.dataset)[rows]
        return partial(activations, network, objective, sample_of(task, self.dataset, rows, weight))

    def _scores(self, parameters: padded.Parameters) -> Callable[[], scores.Sections]:
        """What works out how well these weights do on the rows held out."""
        arguments, dataset, objective = self.timeline.arguments, self.dataset, self.resolved.objective
        testing, step = self.testing, self.timeline.step

        def made() -> scores.Sections:
            dropped = {"dropped": padded.left_out(*arguments, step)}
            values = scores.said(parameters, arguments.shape, arguments.table, objective.outputs)
            return {**scores.sections(objective.kind, dataset, values, testing), **dropped}

        return made

    @property
    def square(self) -> Float32[np.ndarray, "points 8"]:
        """The points of the square that is shown, as the network takes them."""
        return self._square

    # ── inside ──────────────────────────────────────────────────────────────────────────────────

    def _begin(self, recipe: Recipe, like: "Session | None" = None) -> None:
        if like is not None and not _same_rows(recipe, like.recipe):
            like = None
        dataset = like.dataset if like else load_data(self.locate(recipe).data, recipe.task, recipe.seed)
        resolved, network = self._checked(recipe, dataset)
        self.first, self.dataset = recipe, dataset
        setup = Setup(recipe, resolved, network)
        self.reach = drawing.reach(dataset, recipe.data, self.reach)
        square = views.square(-self.reach, self.reach)
        self._square: Float32[np.ndarray, "points 8"] = drawing.encoded(dataset.encoder, square)
        self._pictures = drawing.pictures(dataset.encoder, self._square)
        weight = training_weights(resolved.recipe.task, dataset)
        self._table = like._table if like else padded.table(dataset, weight, resolved.objective)
        self.timeline = Timeline(padded.pack(network), self._arguments(setup), setup, self._memory)
        if (recipe.data, recipe.seed) != self._rows_of:  # else the test part that was seen is still the same
            self._rows_of, self.touched, self.testing = (recipe.data, recipe.seed), 0, False
        self.revision += 1

    def _checked(self, recipe: Recipe, dataset: Dataset) -> tuple[Resolved, MLP]:
        """The recipe with its data's answers, and its network. Raises `RecipeError` where this is too large to play."""
        resolved = resolve(recipe, dataset)
        padded.check(resolved, dataset)
        return resolved, initial(resolved.recipe, resolved.objective, dataset, self.start)

    def _arguments(self, setup: Setup) -> Arguments:
        train: Any = setup.resolved.recipe.train
        task, objective = setup.resolved.recipe.task, setup.resolved.objective
        settings = padded.settings(train, task, objective)
        seed = setup.recipe.seed if self.start is None else self.start
        return Arguments(padded.shape(setup.network), settings, self._table, noise.key(seed))

    def _edits_with(self, edit: Edit) -> tuple[Edit, ...]:
        step = self.timeline.step
        here = self._setup.edits if step in (0, *self.timeline.edits) else ()
        if isinstance(edit, Recipe) and step == 0 and not here and edit.network == self.first.network:
            return ()  # before anything happened another setting is the beginning itself
        return with_edit(here, edit)

    def _names(self) -> list[str]:
        target = self.dataset.target
        return list(target.names if isinstance(target, Classes) else target.columns)

    def _points(self) -> dict[str, list[Any]]:
        """Where the rows of each part stand, and their targets; the test part's only by request."""
        target = self.dataset.target
        found: dict[str, list[Any]] = {"test": []}
        for part in ("train", "validation", *(["test"] if self.testing else [])):
            rows = self.dataset.part(part)
            y = self.dataset.y[rows]
            y = target.in_units(y) if isinstance(target, Quantities) else y.astype(np.float64)
            spots = drawing.places(self.dataset, rows)[:, :2]
            found[part] = np.column_stack([rows, spots, y if y.ndim == 1 else y[:, 0]]).tolist()
        return found


def _framed(
    revision: int,
    step: int,
    now: padded.Parameters,
    shape: padded.Shape,
    square: Any,
    outputs: int,
    curve: Curve,
    scored: Callable[[], scores.Sections],
    spoken: Callable[[Float64[np.ndarray, "epochs 5"]], scores.Sections],
) -> bytes:
    drawn = views.surfaces(now, shape, square)
    course = curve.array()
    rows = course.astype(np.float32)
    every = -(-len(rows) // 1024) if len(rows) else 1
    sections = {
        "weights": np.asarray(now.weight),
        "biases": np.asarray(now.bias),
        "curve": rows[::-every][::-1].copy() if len(rows) else np.zeros((0, 5), np.float32),
        "surface": np.ascontiguousarray(drawn.outputs[:, :, :outputs]),
        "units": drawn.units,
        **scored(),
        **spoken(course),
    }
    return frames.packed(revision, step, sections)


def _same_rows(a: Recipe, b: Recipe) -> bool:
    """Whether two recipes have one table: the same rows, which weigh the same."""
    return (a.data, a.task, a.seed) == (b.data, b.task, b.seed)


def _start(network: r.Network) -> Any:
    """What the first weights follow from, beside the shapes."""
    return type(network), getattr(network, "initialization", ""), getattr(network, "weights", ())


def _widths(network: MLP) -> list[int]:
    return [layer.weight.shape[0] for layer in network.layers]


def _carried(now: padded.Parameters, before: MLP, after: MLP) -> padded.Parameters:
    """The weights after layers or units were added or taken away: what was there stays, what is new is fresh."""
    fresh = padded.pack(after)
    weight, bias = (np.array(part) for part in fresh)
    layers = min(len(before.layers), len(after.layers)) - 1
    for number in [*range(layers), -1]:
        old, new = before.layers[number].weight.shape, after.layers[number].weight.shape
        units, inputs = min(old[0], new[0]), min(old[1], new[1])
        weight[number, :units, :inputs] = np.asarray(now.weight)[number, :units, :inputs]
        bias[number, :units] = np.asarray(now.bias)[number, :units]
    changed: Any = (weight, bias)
    return padded.Parameters(*changed)


def encoded(value: Any) -> bytes:
    """JSON of an answer."""
    return msgspec.json.encode(value)
