"""The scikit-learn face against scikit-learn itself: the same fits, on the embedded digits.

    python benchmarks/bench_estimators.py

Networks train equal epochs from equal weights, three seeds in turn; the test accuracies printed are
those of the same fits. The first fit of ours compiles its program (the cache on disk is switched off),
the later ones have it, as have the folds of a cross-validation.
"""

import os
import time
import warnings
from collections.abc import Callable
from itertools import cycle
from typing import Any

from side_by_side import race  # first: it clears what would slow NumPy down

os.environ["JAX_ENABLE_COMPILATION_CACHE"] = "0"

# isort: split
import numpy as np
import sklearn.linear_model
import sklearn.neural_network
from sklearn.datasets import load_digits
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import cross_val_score, train_test_split

from layerwise import LogisticRegression, MLPClassifier

SEEDS = (0, 1, 2)
EPOCHS = 50
ROUNDS = 5


def main() -> None:
    """Four races."""
    warnings.simplefilter("ignore", ConvergenceWarning)  # equal epochs, whether or not it has converged
    x, y = load_digits(return_X_y=True)
    parts = train_test_split(x / 16, y, random_state=0)
    epochs = {"max_iter": EPOCHS, "tol": 0.0, "n_iter_no_change": EPOCHS}
    peer: Any = sklearn.neural_network.MLPClassifier
    fits("scikit-learn's defaults: 64-100-10, batch 200", MLPClassifier, peer, parts, epochs)
    deeper = {**epochs, "hidden_layer_sizes": (128, 64), "batch_size": 32}
    fits("64-128-64-10, batch 32", MLPClassifier, peer, parts, deeper)
    to_the_end = {"tol": 1e-6, "max_iter": 10_000}
    fits(
        "logistic regression, tol 1e-6", LogisticRegression, sklearn.linear_model.LogisticRegression, parts, to_the_end
    )
    folds("5-fold cross-validation, 64-100-10", MLPClassifier, peer, x / 16, y, epochs)


def fits(title: str, ours: Any, theirs: Any, parts: list[np.ndarray], settings: dict[str, Any]) -> None:
    """Whole fits, the first of ours apart."""
    train, test, answers, truth = parts
    scores: dict[str, list[float]] = {"layerwise": [], "scikit-learn": []}

    def fit(name: str, model: Any) -> Callable[[], None]:
        seeds = cycle(SEEDS)

        def once() -> None:
            fitted = model(random_state=next(seeds), **settings).fit(train, answers)
            scores[name].append(float(fitted.score(test, truth)))

        return once

    first = seconds(fit("layerwise", ours))
    race(title, 1, "fit", {"layerwise": fit("layerwise", ours), "scikit-learn": fit("scikit-learn", theirs)}, ROUNDS)
    told = ", ".join(f"{name} {np.median(found):.4f}" for name, found in scores.items())
    print(f"  layerwise's first fit, with compilation: {first:.2f} s; median test accuracy: {told}")


def folds(title: str, ours: Any, theirs: Any, x: np.ndarray, y: np.ndarray, settings: dict[str, Any]) -> None:
    """All five fits and scores of a cross-validation."""

    def run(model: Any) -> Callable[[], object]:
        return lambda: cross_val_score(model(random_state=0, **settings), x, y, cv=5)

    race(title, 1, "cross-validation", {"layerwise": run(ours), "scikit-learn": run(theirs)}, ROUNDS)


def seconds(run: Callable[[], object]) -> float:
    """How long one run takes."""
    began = time.perf_counter()
    run()
    return time.perf_counter() - began


if __name__ == "__main__":
    main()
