"""Lanes: many networks of one kind, trained in each of the ways that there are.

    python benchmarks/bench_lanes.py

Four networks on seeded random data, 32 lanes each: one after another, one on each core, and all stacked
in one program (`vmap`). Compilation is left out here; benchmarks/bench_search.py counts it.
"""

from collections.abc import Callable, Sequence

from side_by_side import race  # first: it clears what would slow NumPy down

from layerwise.training.lanes import Lanes, Way

# isort: split
import numpy as np

from layerwise.nets.build import build
from layerwise.recipe import records as r
from layerwise.tasks.objective import Objective
from layerwise.training.loop import Data
from layerwise.training.place import place_arrays
from layerwise.training.trainer import Trainer

LANES = 32
ROWS, VALIDATION = 1437, 287
CASES = {  # widths, batch, epochs, lanes
    "2-4-2-1, batch 10": ((2, 4, 2, 1), 10, 100, LANES),
    "16-32-32-2, batch 32": ((16, 32, 32, 2), 32, 30, LANES),
    "64-128-64-10, batch 32": ((64, 128, 64, 10), 32, 10, LANES),
    "784-512-512-10, batch 128": ((784, 512, 512, 10), 128, 2, 6),
}


def lanes_of(widths: Sequence[int], batch: int, epochs: int, count: int, data: Data) -> list[Trainer]:
    """As many networks with rates of their own."""
    classes = max(widths[-1], 2)
    objective = Objective("binary" if classes == 2 else "classes", widths[-1], classes)
    made = []
    for seed, rate in enumerate(np.geomspace(1e-4, 1e-2, count)):
        train = r.Train(epochs=epochs, batch_size=batch, learning_rate=float(rate), weight_decay=0.0, patience=0)
        network = r.Mlp(hidden=tuple(widths[1:-1]))
        recipe = r.Recipe(data=r.NamedData("digits"), task=r.Classify(), network=network, train=train, seed=seed)
        net = build(network, inputs=widths[0], outputs=widths[-1], codes=(), seed=seed)
        made.append(Trainer(recipe, objective, data, net))
    return made


def main() -> None:
    """Print microseconds a lane and step for each network and way."""
    random = np.random.default_rng(0)
    for title, (widths, batch, epochs, count) in CASES.items():
        x = random.standard_normal((ROWS, widths[0])).astype(np.float32)
        y = random.integers(0, max(widths[-1], 2), ROWS).astype(np.int32)
        rows = np.arange(ROWS)
        data = place_arrays(x, y, np.ones(ROWS, np.float32), rows[VALIDATION:], rows[:VALIDATION])

        def training(way: Way, data: Data = data, case: tuple = (widths, batch, epochs, count)) -> Callable[[], None]:  # type: ignore[type-arg]
            def run() -> None:
                lanes = lanes_of(*case, data)
                for _ in Lanes((way,)).train(lanes, case[2], lambda: False):
                    pass

            return run

        steps = count * epochs * -(-(ROWS - VALIDATION) // batch)
        ways: tuple[Way, ...] = ("threads", "alone", "stacked")
        race(f"{count} lanes of {title}", steps, "lane step", {way: training(way) for way in ways}, rounds=3)


if __name__ == "__main__":
    main()
