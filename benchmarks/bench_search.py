"""A search as lanes against the peers: digits, 64-128-64-10, batch 32, Adam, 30 epochs, 64 settings.

    python benchmarks/bench_search.py [--seeds 5] [--only NAME]

Everyone draws learning rate and L2 penalty log-uniformly, has the same rows in the same split, and
looks for the best validation accuracy. Each search runs in a process of its own. Its time goes from
the call to the last trial, with compilation, without imports; "process" is all there is, imports and,
for layerwise's study, the winner's confirmation on further seeds, scoring, baselines and saving
included. Where settings are fewer than 64, times are scaled up, and that is said.
"""

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

from side_by_side import installed  # first: it clears what would slow NumPy down

SETTINGS, EPOCHS, BATCH, HIDDEN = 64, 30, 32, (128, 64)
RATES, PENALTIES = (1e-4, 1e-1), (1e-6, 1e-1)
LANES = 256  # whose memory is measured
FEWER = 8  # settings of the slowest peer

RECIPE: dict[str, Any] = {
    "data": {"kind": "named", "name": "digits"},
    "network": {"kind": "mlp", "hidden": list(HIDDEN)},
    "train": {"epochs": EPOCHS, "batch_size": BATCH, "patience": 0, "monitor": "accuracy"},
    "search": {"trials": SETTINGS, "space": {"train.learning_rate": {"log": RATES}, "train.l2": {"log": PENALTIES}}},
}

# ── the searches, each in a process of its own ──────────────────────────────────────────────────


def study(seed: int, **search: Any) -> Iterator[Any]:
    """Our own search, from a recipe; without pruning, unless `search` says so."""
    import layerwise.tuning.study as tune
    from layerwise.tuning.events import TrialEnded

    yield  # imported
    best, ended = 0.0, 0.0
    recipe = {**RECIPE, "seed": seed, "search": {**RECIPE["search"], **search}}
    with tempfile.TemporaryDirectory() as folder, tune.Study(recipe, out=Path(folder) / "study") as found:
        for event in found:
            if isinstance(event, TrialEnded):
                best = max(best, event.value or 0.0)
                ended = time.perf_counter()
    yield best, SETTINGS, ended


def halving(seed: int) -> Iterator[Any]:
    """The same with successive halving."""
    return study(seed, halving=True)


def estimator(seed: int) -> Iterator[Any]:
    """Our estimator in `LaneSearchCV`, which neither prunes nor looks at validation before the end."""
    from layerwise import LaneSearchCV, MLPClassifier

    yield from crossed(LaneSearchCV, MLPClassifier, seed, n_jobs=None)


def scikit_learn(seed: int) -> Iterator[Any]:
    """The same in scikit-learn's words and classes, with a process a core."""
    from sklearn.model_selection import RandomizedSearchCV
    from sklearn.neural_network import MLPClassifier

    yield from crossed(RandomizedSearchCV, MLPClassifier, seed, n_jobs=-1)


def crossed(search: Any, model: Any, seed: int, n_jobs: int | None) -> Iterator[Any]:
    """A search with one validation split, and no refit."""
    from scipy.stats import loguniform

    warnings.simplefilter("ignore")  # equal epochs, whether or not it has converged
    x, y, train, validation = rows(seed)
    # scikit-learn divides its penalty by the rows of a batch.
    space = {"learning_rate_init": loguniform(*RATES), "alpha": loguniform(*(BATCH * end for end in PENALTIES))}
    yield
    trained = model(HIDDEN, batch_size=BATCH, max_iter=EPOCHS, tol=0.0, n_iter_no_change=EPOCHS, random_state=seed)
    found = search(
        trained, space, n_iter=SETTINGS, cv=[(train, validation)], refit=False, n_jobs=n_jobs, random_state=seed
    ).fit(x, y)
    yield found.best_score_, SETTINGS, time.perf_counter()


def optuna_and_pytorch(seed: int) -> Iterator[Any]:
    """Optuna over a training loop in PyTorch, eager, with as many threads as were fastest."""
    import optuna
    import torch

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    tensors = [torch.tensor(part) for part in parts(seed)]
    run = pytorch_trial(tensors, EPOCHS)
    threads = fastest_threads(pytorch_trial(tensors, 2))
    yield
    torch.set_num_threads(threads)
    searched = optuna.create_study(direction="maximize", sampler=optuna.samplers.RandomSampler(seed=seed))
    searched.optimize(run, n_trials=SETTINGS)
    yield searched.best_value, SETTINGS, time.perf_counter()


def pytorch_trial(tensors: list[Any], epochs: int) -> Callable[[Any], float]:
    """One setting's training; the best validation accuracy of any epoch."""
    import torch

    x, y, held_x, held_y = tensors

    def run(trial: Any) -> float:
        torch.manual_seed(trial.number)
        sizes = (x.shape[1], *HIDDEN, 10)
        layers = [part for a, b in pairwise(sizes) for part in (torch.nn.Linear(a, b), torch.nn.ReLU())][:-1]
        network = torch.nn.Sequential(*layers)
        rate, penalty = (trial.suggest_float(name, *ends, log=True) for name, ends in axes().items())
        optimizer = torch.optim.Adam(network.parameters(), lr=rate, weight_decay=penalty)
        best = 0.0
        for _ in range(epochs):
            for batch in torch.randperm(len(x)).split(BATCH):
                loss = torch.nn.functional.cross_entropy(network(x[batch]), y[batch])
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
            with torch.no_grad():
                best = max(best, float((network(held_x).argmax(1) == held_y).float().mean()))
        return best

    return run


def fastest_threads(run: Callable[[Any], float]) -> int:
    """How many threads PyTorch should have on this machine, by trying."""
    import optuna
    import torch

    taken = {}
    for threads in {1, os.cpu_count() or 1}:
        torch.set_num_threads(threads)
        began = time.perf_counter()
        run(optuna.trial.FixedTrial({"rate": 1e-3, "penalty": 1e-6}))
        taken[threads] = time.perf_counter() - began
    return min(taken, key=lambda threads: taken[threads])


def keras_tuner(seed: int) -> Iterator[Any]:
    """Keras Tuner over Keras on JAX."""
    os.environ["KERAS_BACKEND"] = "jax"
    os.environ["JAX_ENABLE_COMPILATION_CACHE"] = "0"
    import keras
    import keras_tuner as tuner

    x, y, held_x, held_y = parts(seed)

    def build(chosen: Any) -> Any:
        rate, penalty = (chosen.Float(name, *ends, sampling="log") for name, ends in axes().items())
        l2 = keras.regularizers.L2(penalty / 2)
        hidden = [keras.layers.Dense(units, "relu", kernel_regularizer=l2) for units in HIDDEN]
        network = keras.Sequential([keras.Input(x.shape[1:]), *hidden, keras.layers.Dense(10, kernel_regularizer=l2)])
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        network.compile(keras.optimizers.Adam(rate), loss, metrics=["accuracy"])
        return network

    yield
    with tempfile.TemporaryDirectory() as folder:
        search = tuner.RandomSearch(
            build, objective="val_accuracy", max_trials=FEWER, seed=seed, directory=folder, overwrite=True
        )
        search.search(x, y, validation_data=(held_x, held_y), epochs=EPOCHS, batch_size=BATCH, verbose=0)
        yield search.oracle.get_best_trials()[0].score, FEWER, time.perf_counter()


def axes() -> dict[str, tuple[float, float]]:
    """What is searched, in the order in which the trials ask."""
    return {"rate": RATES, "penalty": PENALTIES}


def rows(seed: int) -> tuple[Any, Any, Any, Any]:
    """The data as layerwise prepares and splits it: inputs, classes, rows to train on, rows to validate on."""
    from layerwise import recipe
    from layerwise.data import load

    described = recipe.load({"data": RECIPE["data"]})
    data = load(described.data, described.task, seed)
    return data.x, data.y, data.train, data.validation


def parts(seed: int) -> tuple[Any, Any, Any, Any]:
    """Inputs and classes to train on, and those to validate on."""
    x, y, train, validation = rows(seed)
    y = y.astype("int64")
    return x[train], y[train], x[validation], y[validation]


def many(seed: int) -> Iterator[Any]:
    """So many lanes at a time, for their memory; two epochs do."""
    RECIPE["train"]["epochs"] = 2
    return study(seed, trials=LANES)


SEARCHES = (study, halving, estimator, scikit_learn, optuna_and_pytorch, keras_tuner, many)


def child(name: str, seed: int) -> None:
    """Run one search and print what it took as JSON."""
    stages = next(search for search in SEARCHES if search.__name__ == name)(seed)
    next(stages)
    began = time.perf_counter()
    best, settings, ended = next(stages)
    found = {
        "seconds": (ended - began) * SETTINGS / settings,
        "settings": settings,
        "best": float(best),
        "megabytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }
    print(json.dumps(found))


# ── the race ────────────────────────────────────────────────────────────────────────────────────


def race(title: str, name: str, seeds: range, cache: Path | None = None) -> None:
    """Run a search once a seed; with `cache` None each time with an empty cache of compiled programs."""
    found = []
    for seed in seeds:
        with tempfile.TemporaryDirectory() as empty:
            found.append(process(name, seed, cache or Path(empty)))
    median = {key: statistics.median(one[key] for one in found) for key in found[0]}
    scaled = "" if median["settings"] == SETTINGS else f" (scaled up from {median['settings']:.0f} settings)"
    print(
        f"  {title:<44} {median['seconds']:7.2f} s   process {median['process']:6.2f} s, user CPU"
        f" {median['cpu']:6.2f} s, {median['megabytes']:4.0f} MB   best {median['best']:.4f}{scaled}",
        flush=True,
    )


def process(name: str, seed: int, cache: Path) -> dict[str, float]:
    """What one search in a process of its own took."""
    began, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
    done = subprocess.run(
        [sys.executable, __file__, "--child", name, "--seed", str(seed)],
        env={**os.environ, "XDG_CACHE_HOME": str(cache)},
        check=True,
        stdout=subprocess.PIPE,
    )
    cpu = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - before
    return {**json.loads(done.stdout.splitlines()[-1]), "process": time.perf_counter() - began, "cpu": cpu}


def main() -> None:
    """All of it, or one search."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--seeds", type=int, default=5)
    arguments.add_argument("--only", choices=[search.__name__ for search in SEARCHES])
    arguments.add_argument("--child", help=argparse.SUPPRESS)
    arguments.add_argument("--seed", type=int, default=0, help=argparse.SUPPRESS)
    given = arguments.parse_args()
    if given.child:
        child(given.child, given.seed)
        return
    seeds = range(given.seeds)
    print(f"\n{SETTINGS} settings: median of {given.seeds} seeds")
    with tempfile.TemporaryDirectory() as warm:
        for name, title, needs in (
            ("scikit_learn", "scikit-learn, n_jobs=-1", "sklearn"),
            ("estimator", "layerwise, LaneSearchCV", "layerwise"),
            ("study", "layerwise, study", "layerwise"),
            ("halving", "layerwise, study with halving", "layerwise"),
            ("optuna_and_pytorch", "Optuna over PyTorch", "torch"),
            ("keras_tuner", "Keras Tuner over Keras on JAX", "keras_tuner"),
            ("many", f"layerwise, {LANES} lanes at a time, 2 epochs", "layerwise"),
        ):
            if given.only not in (None, name) or not installed(needs):
                continue
            if needs != "layerwise":
                race(title, name, seeds)
            elif name == "many":
                race(title, name, range(1), Path(warm))
            else:
                race(f"{title}, nothing cached", name, seeds)
                process(name, 0, Path(warm))
                race(f"{title}, cache warm", name, seeds, Path(warm))


if __name__ == "__main__":
    main()
