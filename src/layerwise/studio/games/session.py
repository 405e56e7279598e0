"""One player's network: a recipe that is played with, its timeline, and what the page shows of both.

The recipe is the state: every control of the page is a key of it. Changing one acts at once where the
padded program has it as an argument; other data, another seed or another initialization begin anew.
"""

from collections.abc import Callable, Mapping, Sequence
from copy import copy
from functools import partial
from typing import Any

import numpy as np

from layerwise.data import load as load_data
from layerwise.data.dataset import Classes, Dataset, Quantities, spread
from layerwise.errors import RecipeError
from layerwise.inspection import Activations, BackpropSheet, activations, backprop, initial
from layerwise.inspection.samples import sample_of
from layerwise.inspection.subjects import MOST_ROWS
from layerwise.nets import noise
from layerwise.nets.dense import MLP
from layerwise.recipe import Recipe, Source, load, plain, to_toml
from layerwise.recipe import records as r
from layerwise.studio.games.settings import check_numbers
from layerwise.studio.history.journal import Edit, Journal, Setup, Typed, with_edit
from layerwise.studio.history.timeline import MEMORY, Arguments, Timeline, carried, parameters_with
from layerwise.studio.picture import asking, drawing, plane, scores, speech, views
from layerwise.studio.picture.program import programs
from layerwise.studio.picture.still import still
from layerwise.tasks.objective import training_weights
from layerwise.training import padded
from layerwise.training.resolve import Resolved, resolve

DEFAULT: dict[str, Any] = {
    "data": {"kind": "toy", "name": "circle", "n": 500, "split": {"kind": "random", "validation": 0.3, "test": 0.2}},
    "network": {"kind": "mlp", "hidden": [4, 2], "activation": "tanh"},
    "train": {"epochs": 1_000_000, "batch_size": 10, "optimizer": "sgd", "learning_rate": 0.03, "patience": 0},
}
SHOWN = 1500  # points of a part
GHOST = 512  # epochs of the line that was left that are sent
STATUS = ("running", "finished", "stopped_early", "diverged")


class Session:
    """A recipe being played with. `revision` grows with every change, so that a page knows what a frame belongs to.

    `first` is the recipe that the timeline began with.
    """

    first: Recipe
    dataset: Dataset
    timeline: Timeline
    room: padded.Room  # what its program has room for
    over: plane.Over  # what the square is over, where the data has more than two inputs
    square: plane.Square
    _table: padded.Table
    touched: int  # how often the test part was looked at
    testing: bool  # whether it is looked at now
    _copied: bool
    slice, least, rest = 0.025, 16, 0.0

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
        # From a page's names of files to their paths.
        self.locate: Callable[[Recipe], Recipe] = like.locate if like else lambda recipe: recipe
        self.called: Callable[[Recipe], str] = like.called if like else lambda recipe: ""  # of a file, by its owner
        self._rows_of: tuple[r.Data, int] | None = None
        self.over = "auto"
        self._begin(load(recipe if recipe is not None else DEFAULT), like)

    @property
    def reach(self) -> float:
        """How far from zero the page shows both axes."""
        return self.square.reach

    # ── what may be done ────────────────────────────────────────────────────────────────────────

    def change(self, recipe: Recipe) -> None:
        """Go over to another recipe: at once where nothing but settings and layers differ, else from the beginning."""
        other = self.elsewhere(recipe)
        if other is not None:
            self.become(other)
            return
        resolved, network = self._checked(recipe, self.dataset)
        parameters = None
        if _widths(network) != _widths(self.network):
            parameters = carried(self.timeline.parameters, self.network, network, self.room)
        setup = Setup(recipe, resolved, network, self._edits_with(recipe))
        if self.timeline.step == 0 and not setup.edits:
            self.first = recipe
        self.timeline.edit(self._arguments(setup), parameters, setup)
        self.revision += 1

    def elsewhere(self, recipe: Recipe) -> "Session | None":
        """The session that begins anew where a recipe asks for that; None where it acts on this one at once.

        Raises `RecipeError` where it cannot be played. Nothing has changed here yet: see `become`.
        """
        before = self.recipe
        anew = any(getattr(recipe, name) != getattr(before, name) for name in ("data", "task", "seed"))
        anew |= _start(recipe.network) != _start(before.network)
        if not anew and padded.fits(padded.needed(self._checked(recipe, self.dataset)[0], self.dataset), self.room):
            return None
        other = copy(self)
        other.start = self.start if recipe.seed == before.seed else None  # another seed is another for all
        other._begin(recipe, self)
        return other

    def become(self, other: "Session") -> None:
        """Go over to what `elsewhere` gave."""
        revision = max(self.revision, other.revision - 1) + 1
        seen = (self.touched, self.testing) if self._rows_of == other._rows_of else (other.touched, other.testing)
        self.__dict__.update(other.__dict__)
        self.revision = revision
        self.touched, self.testing = seen

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

    def nearest(self, step: int) -> int:
        """The step from which `step` is replayed."""
        return self.timeline.nearest(step)

    def go_back(self) -> None:
        """Return to the line of training that was left last."""
        self.timeline.go_back()
        self.revision += 1

    def test(self, show: bool) -> None:
        """Show the test part, which is counted, or hide it again."""
        self.touched += show and not self.testing
        self.testing = show
        self.revision += 1

    def show(self, over: plane.Over) -> None:
        """Show the square over two columns, or over two principal components. Raises `DataError`."""
        self.square = self._square_over(over)
        self.over = over
        self.revision += 1

    def among_many(self) -> "Session":
        """Itself. Raises `RecipeError` where it is too large for several networks to train in one program."""
        room = padded.STANDARD
        if self.room != room:
            raise RecipeError(
                f"networks that train side by side have up to {room.width} units, inputs and outputs each, "
                f"and {room.rows:,} rows",
                received=f"{len(self.dataset.x):,} rows of {self.dataset.x.shape[1]} inputs, layers of "
                f"{tuple(_widths(self.network))}",
                remedy="play it in the playground, or choose smaller data",
            )
        return self

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

    @property
    def widths(self) -> str:
        """The network's layers in words."""
        return " – ".join(str(width) for width in (self.dataset.x.shape[1], *_widths(self.network)))

    # ── what the page shows ─────────────────────────────────────────────────────────────────────

    @property
    def step(self) -> int:
        """Batches done."""
        return self.timeline.step

    @property
    def oldest(self) -> int:
        """The first step that can be gone back to."""
        return self.timeline.begin

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
            "oldest": line.begin,
            "end": line.end,
            "edits": line.edits,
            "left": [line.left.at, line.left.end] if line.left else None,
            "steps_per_epoch": line.steps_per_epoch,
            "best_step": int(state.best_step),
            "names": self._names(),
            "inputs": list(self.dataset.encoder.features),
            "pictures": drawing.pictures(self.dataset.encoder, self.square.inputs),
            "plane": {
                "over": self.over,
                "axes": self.square.axes,
                "held": self.square.held,
                "placeless": sum(self.square.placeless(self.dataset.part(part)) for part in ("train", "validation")),
                "columns": list(self.dataset.encoder.names),
            },
            "rows": {part: len(self.dataset.part(part)) for part in ("train", "validation")},
            "copied": self._copied,
            "file": self.called(self.recipe),
            "notes": list(self.resolved.notes),
            "reach": self.reach,
            "points": self._points(),
            **still(self.network, self.dataset, line.parameters),
            "tested": {"rows": len(self.dataset.test), "times": self.touched, "shown": self.testing},
            "kind": self.resolved.objective.kind,
            "ghost": line.ghost.array(GHOST).tolist(),
        }

    def frame(self) -> Callable[[], bytes]:
        """What makes the binary frame of all that changes with every step, as things are now.

        It may be called on another thread, while training goes on here.
        """
        line = self.timeline
        now = line.parameters
        parts = (now, line.arguments.shape, self.square.inputs, self.resolved.objective, line.curve.copy())
        spoken = speech.sections(self.status, line, now, self._setup, self.dataset)
        return partial(views.framed, self.revision, line.step, *parts, self._scores(now), spoken)

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

    def ask(self, inputs: Mapping[str, Any] | Sequence[Any], drawn: str) -> Callable[[], dict[str, Any]]:
        """What works out what the network says of a row, or of a digit that is drawn. Raises `LayerwiseError`."""
        x = asking.drawn(self.recipe.data, self.dataset, drawn) if drawn else asking.row(self.dataset, inputs)
        network = padded.unpack(self.timeline.parameters, self.network)
        objective = self.resolved.objective
        return partial(asking.answer, network, network.activations[:-1], objective, self.dataset, x)

    def programs(self) -> dict[str, str]:
        """A command and a program that train this recipe for as many epochs as were trained here."""
        return programs(to_toml(self.recipe), self.step // self.steps_per_epoch, self.called(self.recipe))

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
            values = scores.said(parameters, arguments.shape, arguments.table, dataset, objective.outputs)
            return {**scores.sections(objective.kind, dataset, values, testing), **dropped}

        return made

    # ── inside ──────────────────────────────────────────────────────────────────────────────────

    def _begin(self, recipe: Recipe, like: "Session | None" = None) -> None:
        if like is not None and not _same_rows(recipe, like.recipe):
            like = None
        dataset = like.dataset if like else load_data(self.locate(recipe).data, recipe.task, recipe.seed)
        resolved, network = self._checked(recipe, dataset)
        self.first, self.dataset = recipe, dataset
        self._copied = like._copied if like else scores.copied(dataset)
        setup = Setup(recipe, resolved, network)
        self.room = padded.room(resolved, dataset)
        if (recipe.data, recipe.seed) != self._rows_of:
            self.over = "auto"
        self.square = self._square_over(self.over, network, recipe.data)
        weight = training_weights(resolved.recipe.task, dataset)
        self._table = (
            like._table if like and like.room == self.room
            else padded.table(dataset, weight, resolved.objective, self.room)
        )  # fmt: skip
        self.timeline = Timeline(padded.pack(network, self.room), self._arguments(setup), setup, self._memory)
        if (recipe.data, recipe.seed) != self._rows_of:  # else the test part that was seen is still the same
            self._rows_of, self.touched, self.testing = (recipe.data, recipe.seed), 0, False
        self.revision += 1

    def _square_over(self, over: plane.Over, network: MLP | None = None, data: r.Data | None = None) -> plane.Square:
        reach = self.square.reach if hasattr(self, "square") else 0.0
        subject = (network or self.network, self.dataset, data or self.recipe.data)
        return plane.square(*subject, over, self.room.width, reach)

    def _checked(self, recipe: Recipe, dataset: Dataset) -> tuple[Resolved, MLP]:
        """The recipe with its data's answers, and its network. Raises `RecipeError` where this is too large to play."""
        resolved = resolve(recipe, dataset)
        check_numbers("train", plain(resolved.recipe)["train"])
        padded.check(resolved, dataset)
        return resolved, initial(resolved.recipe, resolved.objective, dataset, self.start)

    def _arguments(self, setup: Setup) -> Arguments:
        train: Any = setup.resolved.recipe.train
        task, objective = setup.resolved.recipe.task, setup.resolved.objective
        settings = padded.settings(train, task, objective)
        seed = setup.recipe.seed if self.start is None else self.start
        return Arguments(padded.shape(setup.network, self.room), settings, self._table, noise.key(seed))

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
            rows = spread(self.dataset.part(part), SHOWN)
            y = self.dataset.y[rows]
            y = target.in_units(y) if isinstance(target, Quantities) else y.astype(np.float64)
            found[part] = self.square.points(rows, y if y.ndim == 1 else y[:, 0])
        return found


def _same_rows(a: Recipe, b: Recipe) -> bool:
    """Whether two recipes have one table: the same rows, which weigh the same."""
    return (a.data, a.task, a.seed) == (b.data, b.task, b.seed)


def _start(network: r.Network) -> Any:
    """What the first weights follow from, beside the shapes."""
    return type(network), getattr(network, "initialization", ""), getattr(network, "weights", ())


def _widths(network: MLP) -> list[int]:
    return [layer.weight.shape[0] for layer in network.layers]
