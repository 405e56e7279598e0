"""Do eight random trials find what a grid of a hundred finds? Bergstra & Bengio (2012) say that they do.

    python benchmarks/bergstra_bengio.py [--data digits] [--trials 1024] [--grids 20] [--html FILE]

Five settings of a network with one hidden layer are searched: learning rate, neurons, L2 penalty,
dropout and noise on the inputs. A pool of random trials is trained once, and the best of n of them
drawn again and again; grids of n points are trained twenty times each, every time with shifted levels:

    blind     by someone who knows the ranges and no more, as a random search does: the levels are dealt
              out to the settings at random, and a setting with one level has it anywhere
    informed  by someone who knows the answer: the learning rate gets most levels, then the neurons,
              the penalty and dropout, and a setting with one level stays at layerwise's default

All networks train as lanes. Trials are chosen by validation accuracy; what counts for the user is the
test accuracy of the chosen one.
"""

import argparse
import itertools
import math
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np

from layerwise import recipe as recipes
from layerwise.training.lanes import Lanes
from layerwise.tuning.space import Space
from layerwise.tuning.trials import Maker

Point = dict[int, float]  # axis -> the place on it, from 0 to 1; an axis that is not named stays at its default

WIDTHS = (8, 16, 32, 64)
RANGES: dict[str, tuple[str, tuple[float, float]]] = {
    "train.learning_rate": ("log", (1e-4, 1.0)),
    "train.l2": ("log", (1e-7, 1e-2)),
    "train.dropout": ("uniform", (0.0, 0.5)),
    "train.noise": ("uniform", (0.0, 0.5)),
}
AXES = ("train.learning_rate", "network.hidden", "train.l2", "train.dropout", "train.noise")
# Levels of a grid of so many points; the settings beyond have one.
SHAPES = {4: (2, 2), 8: (2, 2, 2), 16: (4, 2, 2), 36: (3, 3, 2, 2), 100: (5, 5, 2, 2)}
SHOWN = (1, 2, 4, 8, 16, 32, 36, 64, 100, 128)
MOST = 128
RESAMPLED = 10_000
AT_ONCE = 512  # lanes


class Result(NamedTuple):
    """Accuracies of a trial."""

    validation: float
    test: float


class Task:
    """One data set, and the way from points to results."""

    def __init__(self, data: str, epochs: int) -> None:
        axes: dict[str, Any] = {path: {kind: list(ends)} for path, (kind, ends) in RANGES.items()}
        axes["network.hidden"] = {"choice": [[width] for width in WIDTHS]}
        described = {
            "data": {"kind": "named", "name": data},
            "network": {"kind": "mlp", "hidden": [64]},
            "train": {"epochs": epochs, "patience": 0, "monitor": "accuracy"},
            "search": {"space": axes},
        }
        recipe = recipes.load(described)
        self._space = Space(recipe)
        self._maker = Maker(recipes.load({**described, "search": "none"}))
        self._lanes = Lanes()
        self._forward = jax.jit(lambda network, x: network(x))
        self._uses = self._space.switches()

    def train(self, points: Sequence[Point]) -> list[Result]:
        """The results of points, in their order."""
        found: list[Result] = []
        for start in range(0, len(points), AT_ONCE):
            lanes = [self._lane(point) for point in points[start : start + AT_ONCE]]
            for _ in self._lanes.train(lanes, max(lane.epochs for lane in lanes), lambda: False):
                pass
            found += [self._result(lane) for lane in lanes]
        return found

    def _lane(self, point: Point) -> Any:
        settings = {AXES[axis]: value(AXES[axis], place) for axis, place in point.items()}
        return self._maker.lane(self._maker.resolved(self._space.recipe(settings)), 0, self._uses)

    def _result(self, lane: Any) -> Result:
        data = self._maker.dataset
        outputs = np.asarray(self._forward(lane.best, data.x[data.test]))
        right = (outputs[:, 0] > 0) if outputs.shape[1] == 1 else outputs.argmax(axis=1)
        validation = -lane.seen.best_value
        return Result(validation if math.isfinite(validation) else 0.0, float((right == data.y[data.test]).mean()))


def value(path: str, place: float) -> Any:
    """The setting at a place from 0 to 1 of its axis."""
    if path == "network.hidden":
        return [WIDTHS[min(int(place * len(WIDTHS)), len(WIDTHS) - 1)]]
    kind, (low, high) = RANGES[path]
    return low * (high / low) ** place if kind == "log" else low + (high - low) * place


def grid(points: int, informed: bool, random: np.random.Generator) -> list[Point]:
    """A grid of so many points, its levels shifted at random."""
    levels = SHAPES[points] if informed else (*SHAPES[points], *[1] * (len(AXES) - len(SHAPES[points])))
    chosen = range(len(levels)) if informed else random.permutation(len(AXES)).tolist()
    axes = {axis: (np.arange(n) + random.uniform()) / n for axis, n in zip(chosen, levels, strict=True)}
    return [dict(zip(axes, map(float, point), strict=True)) for point in itertools.product(*axes.values())]


def best(results: Iterable[Result]) -> Result:
    """The trial that would be chosen: the first with the best validation accuracy."""
    return max(results, key=lambda result: result.validation)


def draws(pool: Sequence[Result], random: np.random.Generator) -> dict[int, np.ndarray]:
    """Validation and test accuracy of the best of 1, 2, ... trials of the pool, drawn many times over."""
    table, places = np.array(pool), np.arange(RESAMPLED)
    drawn = np.array([random.choice(len(pool), MOST, replace=False) for _ in places])
    chosen, found = drawn[:, 0], {}
    for count in range(1, MOST + 1):
        next_one = drawn[:, count - 1]
        chosen = np.where(table[next_one, 0] > table[chosen, 0], next_one, chosen)
        found[count] = table[chosen]
    return found


def quantiles(values: np.ndarray) -> str:
    """The median with the 10% and 90% quantiles."""
    low, middle, high = np.quantile(values, (0.1, 0.5, 0.9))
    return f"{middle:.4f} ({low:.4f} to {high:.4f})"


def report(random_best: dict[int, np.ndarray], grids: dict[str, dict[int, np.ndarray]]) -> None:
    """The tables, and what they say about the statement."""
    blind, informed = grids["blind"], grids["informed"]
    for column, what in enumerate(("best validation accuracy", "test accuracy of that trial")):
        print(f"\n{what}: median (10% to 90% quantile)")
        print(f"  {'trials':>6}  {'random':<27}  {'blind grid':<27}  informed grid")
        for budget in SHOWN:
            cells = [quantiles(sets[budget][:, column]) if budget in sets else "" for sets in (blind, informed)]
            print(
                f"  {budget:>6}  {quantiles(random_best[budget][:, column]):<27}  {cells[0]:<27}  {cells[1]}".rstrip()
            )
    for name, sets in grids.items():
        print(f"\nagainst {name} grids of 100")
        for column, what in enumerate(("validation", "test")):
            hundred = sets[100][:, column]
            enough = [n for n, found in random_best.items() if np.median(found[:, column]) >= np.median(hundred)]
            share = (random_best[8][:, column][:, None] >= hundred).mean()
            reached = f"{min(enough)} random trials come" if enough else f"not even {MOST} random trials come"
            print(f"  by {what}: {reached} to their median, and 8 to as much or more in {share:.0%} of pairs")


def draw(path: Path, title: str, random_best: dict[int, np.ndarray], grids: dict[str, dict[int, np.ndarray]]) -> None:
    """The quantile curves as a page."""
    import plotly.graph_objects as go

    figure = go.Figure(layout={"title": title, "xaxis": {"title": "trials", "type": "log"}, "yaxis": {"title": "best"}})
    for name, sets in {"random": random_best, **{f"{kind} grid": found for kind, found in grids.items()}}.items():
        low, middle, high = (np.array([np.quantile(f[:, 0], q) for f in sets.values()]) for q in (0.1, 0.5, 0.9))
        error = {"type": "data", "array": high - middle, "arrayminus": middle - low}
        figure.add_scatter(x=list(sets), y=middle, name=name, error_y=error)
    figure.write_html(path)


def main() -> None:
    """Train, resample, report."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--data", default="digits")
    arguments.add_argument("--trials", type=int, default=1024)
    arguments.add_argument("--grids", type=int, default=20)
    arguments.add_argument("--epochs", type=int, default=10)
    arguments.add_argument("--html", type=Path)
    given = arguments.parse_args()
    random, shifts = np.random.default_rng(0), np.random.default_rng(1)
    task = Task(given.data, given.epochs)
    pool = task.train([dict(enumerate(map(float, random.uniform(size=len(AXES))))) for _ in range(given.trials)])
    random_best = draws(pool, random)
    grids: dict[str, dict[int, np.ndarray]] = {}
    for name, informed in (("blind", False), ("informed", True)):
        made = {n: [grid(n, informed, shifts) for _ in range(given.grids)] for n in SHAPES}
        found = iter(task.train([point for sets in made.values() for one in sets for point in one]))
        grids[name] = {
            n: np.array([best(itertools.islice(found, len(one))) for one in sets]) for n, sets in made.items()
        }
    trained = len(pool) + 2 * given.grids * sum(SHAPES)
    print(f"{given.data}: {trained:,} networks of {given.epochs} epochs")
    report(random_best, grids)
    if given.html:
        draw(given.html, f"{given.data}: the best of n trials", random_best, grids)


if __name__ == "__main__":
    main()
