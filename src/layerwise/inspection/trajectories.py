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
    """Trains a subject's recipe from its seed as a run would, a run's up to the epoch of its best weights.

    Iterate over it to make it train; then there are the `network` with its best weights and, in `notes`,
    what is to be known of it. With `path` it keeps weights on the way: there is a `trajectory`. A recipe's
    training ends at its time limit; a run's has none, since where it ended is known. Raises `LayerwiseError`
    where nothing is trained, or where a path would be of less than a few epochs' weights.
    """

    def __init__(self, subject: Subject, *, path: bool = True) -> None:
        train = subject.recipe.train
        if not isinstance(train, r.Train):
            raise _no_path("that of a training", "weights set by hand, which no training changes")
        best = max((event.epoch for event in subject.events if isinstance(event, Epoch) and event.best), default=0)
        if path and subject.folder is not None and not best:
            raise _no_path("that of whole epochs", "a run that ended within its first one")
        network = initial(subject.recipe, subject.objective, subject.dataset)
        self._room = min(SNAPSHOTS, MOST_BYTES // flat(network).nbytes) if path else 0
        if path and self._room < LEAST:
            received = f"a network of {flat(network).size:,} parameters, too large to keep so many"
            raise _no_path(f"drawn from the weights of at least {LEAST} epochs", received)
        data = place(subject.dataset, subject.weights())
        self.subject, self.path = subject, path
        self.trainer = Trainer(subject.recipe, subject.objective, data, network)
        self.end = best or self.trainer.epochs
        self._limit = float("inf") if subject.trained else seconds(train.time_limit)
        self._late = False
        self._snapshots = [(0, flat(network))] if path else []

    def __iter__(self) -> Iterator[AnyEvent]:
        began, every, due = time.monotonic(), 1, 1
        while self.trainer.running and self.trainer.epochs_done < self.end:
            clock = time.monotonic() - began
            if clock >= self._limit:
                self._late = True
                return
            yield from self.trainer.advance(clock, min(due, self.end) if self.path else self.end)
            if not self.path or self.trainer.epochs_done < due:
                continue
            self._snapshots.append((due, flat(self.trainer.state.weights.network)))
            if len(self._snapshots) > self._room:  # how many epochs there will be is not known before
                self._snapshots, every = self._snapshots[::2], 2 * every
            due = self._snapshots[-1][0] + every

    @property
    def network(self) -> MLP:
        """The network with its best weights so far."""
        return self.trainer.best

    @property
    def trajectory(self) -> Trajectory:
        """The path up to the best weights."""
        best = self.trainer.seen.best_epoch
        kept = [(epoch, weights) for epoch, weights in self._snapshots if epoch < best] or self._snapshots[:1]
        kept.append((best, flat(self.network)))
        weights = np.stack([weights for _, weights in kept])
        return Trajectory(np.array([epoch for epoch, _ in kept]), weights, self.network)

    @property
    def notes(self) -> tuple[str, ...]:
        """Sentences on what came of it other than it was meant."""
        said = []
        train = self.subject.recipe.train
        if self._late and isinstance(train, r.Train):
            done = f"{self.trainer.epochs_done:,} of {self.end:,} epochs"
            said.append(
                f"Training came to its time limit of {train.time_limit} after {done}: what is shown are its best "
                "weights until then."
            )
        if self.trainer.status == "diverged":
            said.append("Training diverged: what is shown are its last sound weights.")
        if self.subject.trained and (flat(self.network) != flat(self.subject.network)).any():
            said.append(
                "Training again came to other weights than the run has (another machine, other versions, or a training "
                "that was cut short): what is shown is the new one."
            )
        return tuple(said)


def needed(subject: Subject, *, path: bool) -> Retraining | None:
    """The training that a look at a solution needs: for its `path`, or where there is no solution yet.

    None where there is one, which the subject's network has: that of a run or of weights set by hand.

    >>> from layerwise.inspection.subjects import subject
    >>> needed(subject("xor"), path=False) is None, needed(subject("xor-by-hand"), path=False) is None
    (False, True)
    """
    fresh = isinstance(subject.recipe.train, r.Train) and not subject.trained
    return Retraining(subject, path=path) if path or fresh else None


def _no_path(rule: str, received: str) -> LayerwiseError:
    return LayerwiseError(
        f"a path is {rule}", received=received, remedy="look at random directions: --directions random"
    )
