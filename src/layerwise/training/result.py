"""What a run is judged by: its scores on each part, and simple models on the same split."""

import hashlib
import threading
from collections.abc import Iterator, Mapping
from typing import NamedTuple

import numpy as np
from jaxtyping import Float32

from layerwise.data.dataset import Classes, Dataset
from layerwise.tasks.apart import SENT_UP_TO, Process, dismiss, leave, take
from layerwise.tasks.baselines import Answer, Problem, score_baselines
from layerwise.tasks.bootstrap import difference
from layerwise.tasks.comparison import remarks
from layerwise.tasks.intervals import Interval
from layerwise.tasks.metrics import Scored
from layerwise.tasks.objective import decide
from layerwise.tasks.score import score
from layerwise.tasks.separable import separable
from layerwise.training.forward import Forward
from layerwise.training.model import Model

Metrics = dict[str, dict[str, Interval]]  # part -> metric -> interval


def scored(model: Model, dataset: Dataset, part: str, seed: int) -> Scored:
    """How the model does on one part of its data."""
    rows = dataset.part(part)
    outputs = Forward(model.network).over(dataset.x, rows)
    return score(model.objective, outputs, dataset.y[rows], dataset.target, seed)


def limits(model: Model, dataset: Dataset) -> tuple[str, ...]:
    """Why a perceptron that still errs on its training rows may never stop: the proof that no line exists."""
    if model.objective.kind != "perceptron" or not isinstance(dataset.target, Classes):
        return ()
    x, y = dataset.x[dataset.train], dataset.y[dataset.train]
    if (decide(model.objective, model.outputs(x)) == y).all():
        return ()
    if len(dataset.target.names) > 2:
        return ("the perceptron still errs on training rows: no planes that it found part all classes",)
    return (separable(x, y).explain(dataset.target.names, dataset.train + 1),)


def fingerprint(dataset: Dataset) -> str:
    """A hash of which rows stand in which part, to tell whether two runs were judged alike."""
    digest = hashlib.sha256()
    for part in ("train", "validation", "test"):
        digest.update(f"{part}:{dataset.part(part).size}:".encode())
        digest.update(np.ascontiguousarray(dataset.part(part)).data)
    return digest.hexdigest()[:16]


class Compared(NamedTuple):
    """What the baselines came to: their figures; of each, by part, its headline figure less the network's on the
    same rows; and a sentence where one of them beats the network.
    """

    baselines: dict[str, Metrics]
    differences: dict[str, dict[str, Interval]]
    remarks: tuple[str, ...]


class Baselines:
    """Scores the classical models from `start` on: in a process of its own, or in a thread where there is none."""

    def __init__(self, dataset: Dataset, seed: int, weight: Float32[np.ndarray, " rows"]) -> None:
        self._problem = Problem.of(dataset, seed, weight)
        self._stop = threading.Event()
        self._found: dict[str, Metrics] = {}
        self._draws: dict[str, dict[str, list[float]]] = {}
        self._process: Process | None = None
        self._taking = threading.RLock()  # so that no process is killed which another run has taken
        self._thread = threading.Thread(target=self._work, name="baselines", daemon=True)

    def start(self) -> None:
        """Begin, unless begun."""
        if self._thread.ident is None:
            self._thread.start()

    def cancel(self) -> None:
        """Begin no further baseline, and do not wait for one in a process of its own."""
        with self._taking:
            self._stop.set()
            if self._process is not None:
                self._process.kill()

    def result(self, own: Mapping[str, Scored]) -> "Compared":
        """The baselines' scores, waited for, beside the network's `own` on each part."""
        self.start()
        self._thread.join()
        differences: dict[str, dict[str, Interval]] = {}
        for name, parts in self._draws.items():
            apart = {part: difference(np.array(draws), own[part].draws) for part, draws in parts.items() if part in own}
            differences[name] = {part: found for part, found in apart.items() if found is not None}
        said = remarks({part: found.metrics for part, found in own.items()}, self._found, differences)
        return Compared(self._found, differences, said)

    def _work(self) -> None:
        if not self._apart() and not self._stop.is_set():
            self._gather(score_baselines(self._problem))

    def _apart(self) -> bool:
        """Whether a process of its own took the problem, and has answered."""
        with self._taking:
            if self._problem.nbytes > SENT_UP_TO:
                dismiss()  # memory is short
                return False
            if self._stop.is_set() or (process := take()) is None:
                return False
            self._process = process
        try:
            if taken := process.ask(self._problem):
                self._gather(process.answers(self._problem))
            return taken
        finally:
            with self._taking:
                self._process = None
            leave(process)

    def _gather(self, answers: Iterator[Answer]) -> None:
        for name, figures, draws in answers:
            self._found[name], self._draws[name] = figures, draws
            if self._stop.is_set():
                break
