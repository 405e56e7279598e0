"""The true surface of a search: what every setting of a dense grid over two axes comes to, trained as lanes.

A search sees a few points of it. On the whole surface one can see what they missed, and how much of all
that varies is due to either axis alone, which is why random points beat a grid (Bergstra & Bengio 2012,
"Random search for hyper-parameter optimization").
"""

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
from jaxtyping import Float64

from layerwise.errors import LayerwiseError, RecipeError
from layerwise.recipe import Recipe, Source, load, seeding
from layerwise.recipe import records as r
from layerwise.tuning.picture import SearchedAxis, searched_axis

if TYPE_CHECKING:
    from layerwise.tuning.space import Space
    from layerwise.tuning.trials import Maker


@dataclass(frozen=True)
class Surface:
    """The monitored quantity over two axes; NaN where a lane diverged or was refused.

    `values` are those of each seed by itself, at the settings `xs` along the columns and `ys` along the rows.
    """

    monitor: str
    x: SearchedAxis
    y: SearchedAxis
    xs: list[Any]
    ys: list[Any]
    values: Float64[np.ndarray, "ys xs seeds"]

    @property
    def sign(self) -> int:
        """1 where a lower value is better, -1 where a higher one is."""
        return 1 if self.monitor == "loss" else -1

    def mean(self) -> Float64[np.ndarray, "ys xs"]:
        """The mean over seeds; what came to no value counts as the worst that did.

        Losses differ by orders of magnitude, so their mean is the geometric one.
        """
        return self._back(self._heights().mean(axis=2))

    def along_x(self) -> Float64[np.ndarray, " xs"]:
        """The mean over the other axis, at every setting of the first one."""
        return self._back(self._heights().mean(axis=(0, 2)))

    def along_y(self) -> Float64[np.ndarray, " ys"]:
        """The mean over the first axis, at every setting of the other one."""
        return self._back(self._heights().mean(axis=(1, 2)))

    def shares(self) -> tuple[float, float, float]:
        """The share of the surface's variance that is due to x alone, to y alone, and to both together.

        The functional analysis of variance (Sobol' 1993), exact on the grid: of f(x, y) = f0 + fx + fy + fxy
        the squares of the last three, over their sum. Of losses, that of the logarithm. Zeros where nothing varies.
        """
        heights = self._heights().mean(axis=2)
        heights = heights - heights.mean()
        along_x, along_y = heights.mean(axis=0), heights.mean(axis=1)
        together = heights - along_x - along_y[:, None]
        parts = [float((part**2).mean()) for part in (along_x, along_y, together)]
        x, y, both = (part / (sum(parts) or 1.0) for part in parts)
        return x, y, both

    def _heights(self) -> Float64[np.ndarray, "ys xs seeds"]:
        """The values with nothing missing; the logarithm of losses."""
        known = self.values[np.isfinite(self.values)]
        worst = self.sign * (self.sign * known).max() if known.size else 1.0
        filled = np.where(np.isfinite(self.values), self.values, worst)
        return np.log(np.maximum(filled, 1e-12)) if self.sign > 0 else filled

    def _back(self, heights: Float64[np.ndarray, "*shape"]) -> Float64[np.ndarray, "*shape"]:
        return np.exp(heights) if self.sign > 0 else heights


def surface(recipe: Source, x: str, y: str, *, levels: int, seeds: int) -> Surface:
    """Train a grid of `levels` by `levels` settings of the searched paths `x` and `y`, `seeds` times, as lanes.

    A choice has as many levels as choices. The split stays the recipe's, as in its study: with one seed
    the surface is what a study sees. Raises `RecipeError` where one of the paths is not searched.

    >>> found = surface({"data": {"kind": "toy", "name": "circle", "n": 60}, "train": {"epochs": 2}, "search": {
    ...     "space": {"train.learning_rate": {"log": [1e-3, 1e-1]}, "network.hidden": {"choice": [[2], [4]]}}}},
    ...     "train.learning_rate", "network.hidden", levels=3, seeds=1)
    >>> found.values.shape, [round(level, 4) for level in found.xs], found.ys
    ((2, 3, 1), [0.001, 0.01, 0.1], [[2], [4]])
    """
    from layerwise.tuning.space import Space
    from layerwise.tuning.trials import Maker

    loaded = load(recipe)
    search = loaded.search if isinstance(loaded.search, r.Search) else r.Search()
    known = Space(msgspec.structs.replace(loaded, search=search)).axes
    for path in (x, y):
        if path not in known or x == y:
            raise RecipeError(
                "a surface is over two settings that are searched",
                received=f"{x} and {y}",
                remedy=f"searched are: {', '.join(known)}",
                place="search.space",
            )
    axes = {x: known[x], y: known[y]}
    loaded = msgspec.structs.replace(loaded, search=msgspec.structs.replace(search, space=axes))
    space = Space(loaded)
    grid = space.grid(math.prod(len(axis.choice) or levels for axis in axes.values()))
    xs, ys = (_distinct([point[path] for point in grid]) for path in (x, y))
    maker = Maker(msgspec.structs.replace(loaded, search="none"))
    found = _trained(maker, space, grid, seeds, _monitor(loaded))
    return Surface(
        monitor=_monitor(loaded),
        x=searched_axis(loaded, x, axes[x]),
        y=searched_axis(loaded, y, axes[y]),
        xs=xs,
        ys=ys,
        values=found.reshape(len(xs), len(ys), seeds).swapaxes(0, 1).copy(),
    )


def _monitor(recipe: Recipe) -> str:
    return recipe.train.monitor if isinstance(recipe.train, r.Train) else r.Train().monitor


def _trained(
    maker: "Maker", space: "Space", grid: list[dict[str, Any]], seeds: int, monitor: str
) -> Float64[np.ndarray, "points seeds"]:
    """The value of every setting on every seed, as many lanes at a time as memory has room for."""
    from layerwise.training.lanes import Lanes, forecast, memory_budget
    from layerwise.tuning.trials import Trial

    lanes, uses, numbers = Lanes(), space.switches(), seeding.seeds(maker.seed, seeds)
    maker.share_widths(space, len(grid) * seeds)
    found = np.full((len(grid), seeds), np.nan)
    waiting = [(place, seed) for place in range(len(grid)) for seed in range(seeds)]
    while waiting:
        wave: list[tuple[int, int, Trial]] = []
        budget = memory_budget()
        while waiting and (not wave or budget > 0):
            place, seed = waiting.pop(0)
            try:
                resolved = maker.resolved(space.recipe(grid[place]))
                trainer = maker.lane(resolved, numbers[seed], uses)
            except LayerwiseError:  # settings that do not fit the data
                continue
            wave.append((place, seed, Trial(place, grid[place], trainer, seed)))
            budget -= forecast(trainer)
        longest = max((trial.trainer.epochs for *_, trial in wave), default=0)
        for _ in lanes.train([trial.trainer for *_, trial in wave], longest, lambda: False):
            pass
        for place, seed, trial in wave:
            value = trial.value(monitor)
            if value is not None and trial.trainer.status != "diverged":
                found[place, seed] = value
    return found


def _distinct(values: list[Any]) -> list[Any]:
    found: list[Any] = []
    for value in values:
        if value not in found:
            found.append(value)
    return found
