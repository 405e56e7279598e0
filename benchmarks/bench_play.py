"""The Studio's padded program at TensorFlow Playground's default network, against the plain program.

    python benchmarks/bench_play.py

2-4-2-1, tanh, batch 10, plain SGD, 250 rows to train on and 250 to validate on, each epoch evaluated on
both. The padded program has room for six layers of eight units and compiles once for all that fit; the
plain one is compiled for this network alone.
"""

import time
from typing import Any

from side_by_side import race  # first: it clears what would slow NumPy down

import layerwise.training.compile  # noqa: F401  (before JAX compiles anything)

# isort: split
import numpy as np

from layerwise.data import load as load_data
from layerwise.inspection import initial
from layerwise.nets import noise
from layerwise.recipe import load
from layerwise.tasks.objective import training_weights
from layerwise.training import padded
from layerwise.training.place import place
from layerwise.training.resolve import resolve
from layerwise.training.trainer import Trainer

STEPS = 10_000
RECIPE: dict[str, Any] = {
    "data": {"kind": "toy", "name": "circle", "n": 500, "split": {"kind": "random", "validation": 0.5, "test": 0.0}},
    "network": {"kind": "mlp", "hidden": [4, 2], "activation": "tanh"},
    "train": {"epochs": 10**8, "batch_size": 10, "optimizer": "sgd", "patience": 0},
}


def main() -> None:
    """Both programs in turn, on the same rows."""
    recipe = load(RECIPE)
    dataset = load_data(recipe.data, recipe.task, recipe.seed)
    resolved = resolve(recipe, dataset)
    network = initial(resolved.recipe, resolved.objective, dataset)
    train: Any = resolved.recipe.train
    arguments = (
        padded.shape(network),
        padded.settings(train, resolved.recipe.task, resolved.objective),
        padded.table(dataset, training_weights(resolved.recipe.task, dataset), resolved.objective),
        noise.key(0),
    )
    state = padded.fresh(padded.pack(network))
    weight = training_weights(resolved.recipe.task, dataset)
    plain = Trainer(resolved.recipe, resolved.objective, place(dataset, weight), network)
    program = padded.compiled()
    began = time.perf_counter()
    state, _ = program(state, *arguments, np.int32(1))
    print(f"traced and compiled (or read from the cache) in {time.perf_counter() - began:.2f} s")

    def play() -> None:
        nonlocal state
        left = STEPS
        while left:
            before = int(state.now.step)
            state, _ = program(state, *arguments, np.int32(left))
            left -= int(state.now.step) - before

    def run() -> None:
        end = plain.step + STEPS
        while plain.step < end:
            plain.advance(0.0)

    found = race(
        "2-4-2-1, batch 10, SGD, both parts evaluated each epoch", STEPS, "step", {"padded": play, "plain": run}
    )
    print(f"  examples a second, padded: {10 / found['padded']:.2f} million")


if __name__ == "__main__":
    main()
