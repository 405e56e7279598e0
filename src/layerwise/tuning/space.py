"""What a search varies: recipe paths with their ranges, checked before anything trains."""

import itertools
import json
import math
from collections.abc import Iterator, Mapping
from copy import deepcopy
from typing import TYPE_CHECKING, Any

import msgspec

from layerwise.errors import RecipeError
from layerwise.recipe import Recipe, decode, plain, put
from layerwise.recipe import records as r
from layerwise.recipe.wording import shown
from layerwise.training.step import switched_on

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution

MAX_COMBINATIONS = 512  # of choices that are tried against each other beforehand
# What the trials are compared by must be the same for all of them.
FIXED = {
    "search": "the search itself",
    "seed": "the seed, which also draws the split",
    "data": "the data, of which all trials see the same rows",
    "task.kind": "the task",
    "train.monitor": "what trials are compared by",
    "train.time_limit": "the time limit: trials would depend on how busy the machine is",
}
FREE = ("data.one_hot",)  # how rows are written as numbers, not which they are

Settings = dict[str, Any]  # recipe path -> value


def default_space(recipe: Recipe) -> dict[str, r.Axis]:
    """What is searched where the recipe does not say: what matters most for its kind of network."""
    network, train = recipe.network, recipe.train
    axes: dict[str, r.Axis] = {}
    follows_the_loss = isinstance(train, r.Train) and isinstance(train.optimizer, r.Lbfgs)
    if not follows_the_loss:
        axes["train.learning_rate"] = r.Axis(log=(1e-4, 1e-1))
    if isinstance(network, r.Mlp) and not follows_the_loss:
        axes["train.dropout"] = r.Axis(uniform=(0, 0.5))
    else:
        axes["train.l2"] = r.Axis(log=(1e-6, 1e-1))
    if isinstance(network, r.Mlp) and not isinstance(network.activation, tuple):
        axes["network.hidden"] = r.Axis(choice=([32], [64], [128, 64]))
    return axes


class Space:
    """The axes of a search over `recipe`, and the way from a point to a recipe.

    Raises `RecipeError` where a path does not exist, a value does not fit it, or choices do not fit
    each other.

    >>> space = Space(decode({"data": {"kind": "toy", "name": "xor"}, "search": {"space": {
    ...     "train.learning_rate": {"log": [1e-4, 1e-1]}, "network.hidden": {"choice": [[4], [8]]}}}}))
    >>> space.recipe({"train.learning_rate": 0.01, "network.hidden": [8]}).network.hidden
    (8,)
    """

    def __init__(self, recipe: Recipe) -> None:
        search = recipe.search if isinstance(recipe.search, r.Search) else r.Search()
        self.axes: dict[str, r.Axis] = dict(search.space) or default_space(recipe)
        self._base = plain(msgspec.structs.replace(recipe, search="none"))
        if recipe.train == "none" or (recipe.train == "auto" and bool(getattr(recipe.network, "weights", False))):
            raise RecipeError(
                "a search trains its recipe",
                received="a recipe whose weights are set by hand",
                remedy="leave network.weights out, or evaluate it with: layerwise train",
            )
        for path, axis in self.axes.items():
            self._check_axis(path, axis)
        self._check_values()

    def recipe(self, settings: Mapping[str, Any]) -> Recipe:
        """The recipe with `settings` in it and without a search. Raises `RecipeError`."""
        tree = deepcopy(self._base)
        for path, value in settings.items():
            put(tree, path.split("."), value)
        return decode(tree)

    @property
    def distributions(self) -> dict[str, "BaseDistribution"]:
        """The axes as Optuna knows them; choices that are no scalars are written as JSON."""
        from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

        found: dict[str, BaseDistribution] = {}
        for path, axis in self.axes.items():
            if axis.log:
                found[path] = FloatDistribution(axis.log[0], axis.log[1], log=True)
            elif axis.uniform:
                found[path] = FloatDistribution(axis.uniform[0], axis.uniform[1])
            elif axis.int:
                found[path] = IntDistribution(axis.int[0], axis.int[1])
            else:
                found[path] = CategoricalDistribution([_code(value) for value in axis.choice])
        return found

    def settings(self, params: Mapping[str, Any]) -> Settings:
        """Optuna's parameters as recipe values."""
        return {
            path: json.loads(params[path]) if axis.choice else params[path]
            for path, axis in self.axes.items()
            if path in params
        }

    def grid(self, trials: int) -> list[Settings]:
        """At most `trials` points: all choices, and as many evenly spaced levels of every range as they allow.

        Raises `RecipeError` where that leaves a range fewer than two levels.
        """
        choices = math.prod(len(axis.choice) for axis in self.axes.values() if axis.choice)
        ranges = [path for path, axis in self.axes.items() if not axis.choice]
        levels = math.floor((trials / choices) ** (1 / len(ranges)) + 1e-9) if ranges else 1
        if trials < choices or (ranges and levels < 2):
            least = choices * 2 ** len(ranges)
            raise RecipeError(
                f"a grid takes every choice with at least two levels of every range: {least} trials here",
                received=f"{trials} trials",
                remedy=f"give at least {least} trials, or another method",
            )
        points = itertools.product(*(self._levels(axis, levels) for axis in self.axes.values()))
        return [dict(zip(self.axes, point, strict=True)) for point in points]

    def longest(self, written: Recipe) -> int:
        """The most epochs that a trial may train."""
        axis = self.axes.get("train.epochs")
        ends = (axis.choice or _range(axis)) if axis else ()
        return max((*map(int, ends), written.train.epochs if isinstance(written.train, r.Train) and not ends else 0))

    def switches(self) -> frozenset[str]:
        """What any trial may switch on: with these on for all of them they share programs."""
        found: set[str] = set()
        for path, axis in self.axes.items():
            for value in axis.choice or _range(axis):
                try:
                    train = self.recipe({path: value}).train
                except RecipeError:  # it fits only together with another choice
                    continue
                found |= switched_on(train) if isinstance(train, r.Train) else set()
        return frozenset(found)

    def params(self, settings: Mapping[str, Any]) -> dict[str, Any]:
        """Recipe values as Optuna's parameters; the inverse of `settings`."""
        return {path: _code(value) if self.axes[path].choice else value for path, value in settings.items()}

    def _levels(self, axis: r.Axis, count: int) -> list[Any]:
        if axis.choice:
            return list(axis.choice)
        low, high = _range(axis)
        shares = [number / (count - 1) for number in range(count)]
        if axis.log:
            # The ends exactly as written: rounding must not lead outside.
            return [low, *(low * (high / low) ** share for share in shares[1:-1]), high]
        values = [low + (high - low) * share for share in shares]
        return sorted({round(value) for value in values}) if axis.int else values

    def _check_axis(self, path: str, axis: r.Axis) -> None:
        for fixed, what in FIXED.items():
            inside, around = f"{path}.".startswith(f"{fixed}."), fixed.startswith(f"{path}.")
            if (inside or around) and path not in FREE:
                raise RecipeError(
                    f"a search does not vary {what}",
                    received=path,
                    remedy="search single settings in it" if around else "search other settings",
                    place="search.space",
                )
        if path.startswith("task.") and self._base_monitor() == "loss":
            raise RecipeError(
                "trials are compared by the same quantity: another task has another loss",
                received=f"{path} with train.monitor = 'loss'",
                remedy='set train.monitor, e.g. to "accuracy" or "r2"',
                place="search.space",
            )
        ends = axis.choice or _range(axis)
        if axis.int and not all(isinstance(end, int) and not isinstance(end, bool) for end in ends):
            raise RecipeError(
                "int takes two whole numbers",
                received=shown(list(ends)),
                remedy="e.g. { int = [1, 8] }",
                place=f"search.space.{path}",
            )
        if len({_code(value) for value in ends}) < len(ends):
            raise RecipeError(
                "every choice stands once",
                received=shown(list(ends)),
                remedy="drop one",
                place=f"search.space.{path}",
            )

    def _check_values(self) -> None:
        """Every combination of choices must make a recipe, with the ranges' ends (one activation a layer, say)."""
        chosen = {path: axis.choice for path, axis in self.axes.items() if axis.choice}
        ranges = {path: _range(axis) for path, axis in self.axes.items() if not axis.choice}
        low = {path: ends[0] for path, ends in ranges.items()}
        first = {path: values[0] for path, values in chosen.items()}
        for path, ends in ranges.items():
            for end in ends:
                self._try({**first, path: end}, path)
        for values in itertools.islice(itertools.product(*chosen.values()), MAX_COMBINATIONS):
            self._try({**dict(zip(chosen, values, strict=True)), **low}, "")

    def _try(self, settings: Settings, path: str) -> None:
        try:
            self.recipe(settings)
        except RecipeError as error:
            with_choices = "" if path else f", with {shown(settings)}"
            raise RecipeError(
                error.rule,
                received=f"{error.received}{with_choices}",
                remedy=error.remedy,
                place=f"search.space.{path}".rstrip("."),
            ) from None

    def _base_monitor(self) -> str:
        train = self._base.get("train")
        return str(train.get("monitor", "loss")) if isinstance(train, dict) else "loss"


def _range(axis: r.Axis) -> tuple[Any, ...]:
    return axis.log or axis.uniform or axis.int


def _code(value: Any) -> str:
    return json.dumps(value, sort_keys=True)


def axes_in_words(space: Space) -> Iterator[tuple[str, str]]:
    """Each path with its axis in words.

    >>> list(axes_in_words(Space(decode({"data": {"kind": "toy", "name": "xor"}, "search": {"space": {
    ...     "train.epochs": {"int": [3, 9]}}}}))))
    [('train.epochs', '3 to 9, whole')]
    """
    for path, axis in space.axes.items():
        if axis.choice:
            yield path, "one of " + ", ".join(shown(value) for value in axis.choice)
        else:
            low, high = _range(axis)
            yield path, f"{low:g} to {high:g}" + (", logarithmic" if axis.log else ", whole" if axis.int else "")
