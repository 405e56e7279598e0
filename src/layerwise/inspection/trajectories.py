"""The path that training takes: the weights epoch by epoch, from the first ones to the solution.

A run's folder holds only its best weights. But everything random in a training follows from its seed, so
training the recipe again goes exactly the same way.
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, Int64

from layerwise.errors import LayerwiseError
from layerwise.inspection.samples import flat
from layerwise.inspection.subjects import Subject, initial
from layerwise.nets.dense import MLP
from layerwise.recipe import records as r
from layerwise.training.events import AnyEvent, Epoch
from layerwise.training.place import place
from layerwise.training.resolve import seconds
from layerwise.training.trainer import Trainer

SNAPSHOTS = 60  # at most; the first weights and the solution come on top
MOST_BYTES = 1 << 30  # that snapshots may take
LEAST = 4  # snapshots that show a path


@dataclass(frozen=True)
class Trajectory:
    """The weights at some epochs, 0 being before the first; the last row is the solution, as is `network`."""

    epochs: Int64[np.ndarray, " snapshots"]
    weights: Float32[np.ndarray, "snapshots parameters"]
    network: MLP


class Retraining:
    """Trains a subject's recipe again from its seed and keeps weights on the way.

    Iterate over it to make it train; then there is a `trajectory`. A run is trained up to the epoch of
    its best weights, a recipe to its end. Raises `LayerwiseError` where nothing is trained, or where the
    weights of a few epochs would not fit into memory.
    """

    def __init__(self, subject: Subject) -> None:
        train = subject.recipe.train
        if not isinstance(train, r.Train):
            raise LayerwiseError(
                "a path is that of a training",
                received="weights set by hand, which no training changes",
                remedy="look at random directions: --directions random",
            )
        best = max((event.epoch for event in subject.events if isinstance(event, Epoch) and event.best), default=0)
        if subject.folder is not None and not best:
            raise LayerwiseError(
                "a path is that of whole epochs",
                received="a run that ended within its first one",
                remedy="look at random directions: --directions random",
            )
        network = initial(subject.recipe, subject.objective, subject.dataset)
        self._room = min(SNAPSHOTS, MOST_BYTES // flat(network).nbytes)
        if self._room < LEAST:
            raise LayerwiseError(
                f"a path is drawn from the weights of at least {LEAST} epochs",
                received=f"a network of {flat(network).size:,} parameters, too large to keep so many",
                remedy="look at random directions: --directions random",
            )
        data = place(subject.dataset, subject.weights())
        self.trainer = Trainer(subject.recipe, subject.objective, data, network)
        self.end = best or self.trainer.epochs
        self._limit = float("inf") if subject.trained else seconds(train.time_limit)
        self._snapshots = [(0, flat(network))]

    def __iter__(self) -> Iterator[AnyEvent]:
        began, every, due = time.monotonic(), 1, 1
        while self.trainer.running and self.trainer.epochs_done < self.end:
            clock = time.monotonic() - began
            if clock > self._limit:
                return
            yield from self.trainer.advance(clock, min(due, self.end))
            if self.trainer.epochs_done < due:
                continue
            self._snapshots.append((due, flat(self.trainer.state.weights.network)))
            if len(self._snapshots) > self._room:  # how many epochs there will be is not known before
                self._snapshots, every = self._snapshots[::2], 2 * every
            due = self._snapshots[-1][0] + every

    @property
    def trajectory(self) -> Trajectory:
        """The path up to the best weights."""
        network, best = self.trainer.best, self.trainer.seen.best_epoch
        kept = [(epoch, weights) for epoch, weights in self._snapshots if epoch < best] or self._snapshots[:1]
        kept.append((best, flat(network)))
        return Trajectory(np.array([epoch for epoch, _ in kept]), np.stack([weights for _, weights in kept]), network)
