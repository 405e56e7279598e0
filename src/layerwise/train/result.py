"""What a run is judged by: its scores on each part, and simple models on the same split."""

import hashlib
import threading
from collections.abc import Mapping

import numpy as np
from jaxtyping import Float32

from layerwise.data.dataset import Dataset
from layerwise.tasks.metrics import Interval
from layerwise.tasks.score import score
from layerwise.train.model import Model

Metrics = dict[str, dict[str, Interval]]  # part -> metric -> interval
CHUNK = 65_536


def scored(model: Model, dataset: Dataset, part: str, seed: int) -> dict[str, Interval]:
    """The model's metrics on one part of its data."""
    rows = dataset.part(part)
    outputs = [model.outputs(dataset.x[rows[i : i + CHUNK]]) for i in range(0, rows.size, CHUNK)]
    return score(model.objective, np.concatenate(outputs), dataset.y[rows], dataset.target, seed)


def fingerprint(dataset: Dataset) -> str:
    """A hash of which rows stand in which part, to tell whether two runs were judged alike."""
    digest = hashlib.sha256()
    for part in ("train", "validation", "test"):
        digest.update(f"{part}:{dataset.part(part).size}:".encode())
        digest.update(np.ascontiguousarray(dataset.part(part)).data)
    return digest.hexdigest()[:16]


class Baselines:
    """Scores the classical models in a thread of its own, while the network compiles and trains."""

    def __init__(self, dataset: Dataset, seed: int, weight: Float32[np.ndarray, " rows"]) -> None:
        self._stop = threading.Event()
        self._found: dict[str, Metrics] = {}
        self._dataset = dataset
        self._seed = seed
        self._weight = weight
        self._thread = threading.Thread(target=self._work, name="baselines", daemon=True)
        self._thread.start()

    def cancel(self) -> None:
        """Begin no further baseline."""
        self._stop.set()

    def result(self, metrics: Mapping[str, Mapping[str, Interval]]) -> tuple[dict[str, Metrics], tuple[str, ...]]:
        """The baselines' scores, waited for, and one sentence where one of them beats the network."""
        from layerwise.tasks.baselines import remarks

        self._thread.join()
        return self._found, remarks(metrics, self._found)

    def _work(self) -> None:
        from layerwise.tasks.baselines import score_baselines

        self._found = score_baselines(self._dataset, self._seed, self._weight, self._stop)
