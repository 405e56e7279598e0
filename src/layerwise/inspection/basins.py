"""Good and bad minima: many initializations of one network trained at once, and where each of them ended.

Networks that differ in the order or, for odd activations, the signs of their hidden units compute the same,
so weights tell little about who ended where. Solutions are compared by what they compute: two starts are
in one basin where their outputs on the training rows are alike. (Minima that differ in weights alone may
besides be joined by a path of low loss: Garipov et al. 2018.)
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import msgspec
import numpy as np
from jaxtyping import Bool, Float32, Float64, Int64

from layerwise.errors import LayerwiseError
from layerwise.inspection.landscapes import loss_of
from layerwise.inspection.samples import Sample
from layerwise.inspection.subjects import Subject, initial
from layerwise.nets.dense import MLP
from layerwise.recipe import records as r
from layerwise.recipe.seeding import seeds
from layerwise.tasks.constant import constant_loss
from layerwise.tasks.intervals import Interval, exact
from layerwise.tasks.objective import Objective, accuracy_or_r2, probabilities
from layerwise.training.forward import Forward
from layerwise.training.lanes import Lanes, Report, forecast, memory_budget
from layerwise.training.place import place
from layerwise.training.trainer import Trainer

ALIKE = 0.1  # root mean square between outputs up to which they are one basin's
STUCK = 0.1  # of what training can gain, left over


@dataclass(frozen=True)
class Basin:
    """Starts that ended in the same function: how many, their lowest and highest training loss, their mean
    validation loss (NaN without a validation part), their mean score, and whether they are stuck."""

    starts: int
    loss: float
    highest: float
    validation: float
    score: float
    stuck: bool


@dataclass(frozen=True)
class Minima:
    """Where the starts ended, in the order of their seeds.

    `losses` and `validation` are mean losses of the training and the validation rows, NaN where there are
    none. `basin` numbers the basins by their lowest loss, from 0. `scores` are accuracies on the training
    rows, or R2 of a regression. A start is `stuck` where its loss is above `bound`, a tenth of the way from
    the best start's to `constant`, the loss of the best constant output: it misses more than a tenth of what
    the best start gained. That may also be because its training was not done yet: more epochs tell.
    """

    score: str
    losses: Float64[np.ndarray, " starts"]
    validation: Float64[np.ndarray, " starts"]
    scores: Float64[np.ndarray, " starts"]
    basin: Int64[np.ndarray, " starts"]
    stuck: Bool[np.ndarray, " starts"]
    constant: float
    bound: float

    @property
    def basins(self) -> tuple[Basin, ...]:
        """The basins, the lowest loss first."""
        found = []
        for number in range(int(self.basin.max(initial=-1)) + 1):
            own = self.basin == number
            found.append(
                Basin(
                    starts=int(own.sum()),
                    loss=float(self.losses[own].min()),
                    highest=float(self.losses[own].max()),
                    validation=float(self.validation[own].mean()),
                    score=float(self.scores[own].mean()),
                    stuck=bool(self.stuck[own].any()),
                )
            )
        return tuple(found)

    @property
    def share(self) -> Interval:
        """The share of starts that get stuck, with its exact 95% interval."""
        return exact(int(self.stuck.sum()), self.stuck.size)


class Starts:
    """Trains a subject's recipe from many seeds at once, as lanes, the first with the recipe's own seed.

    The split stays the recipe's. Iterate over it to make it train; then there are the `networks`, each
    with its best weights. Raises `LayerwiseError` where seeds change nothing.
    """

    def __init__(self, subject: Subject, count: int) -> None:
        recipe = subject.recipe
        if not isinstance(recipe.train, r.Train) or isinstance(recipe.network, r.PerceptronNet):
            raise LayerwiseError(
                "starts differ in the random weights that training begins with",
                received="a perceptron, which begins with zeros"
                if isinstance(recipe.network, r.PerceptronNet)
                else "weights set by hand, which no training changes",
                remedy="use a recipe with hidden layers that trains, or leave --starts out",
            )
        self.subject, self.count, self.epochs = subject, count, recipe.train.epochs
        self.networks: list[MLP] = []
        self._weight = subject.weights()

    def __iter__(self) -> Iterator[Report]:
        lanes, data = Lanes(), place(self.subject.dataset, self._weight)
        recipe, numbers = self.subject.recipe, seeds(self.subject.recipe.seed, self.count)
        while len(self.networks) < self.count:
            done, budget = len(self.networks), memory_budget()
            wave: list[Trainer] = []
            while done + len(wave) < self.count and (not wave or budget > 0):
                seed = numbers[done + len(wave)]
                network = initial(recipe, self.subject.objective, self.subject.dataset, seed)
                lane = Trainer(msgspec.structs.replace(recipe, seed=seed), self.subject.objective, data, network)
                # A rate that a range test found for the first is taken for all.
                recipe = msgspec.structs.replace(recipe, train=lane.recipe.train)
                wave.append(lane)
                budget -= forecast(lane)
            for report in lanes.train(wave, self.epochs, lambda: False):
                yield report._replace(lane=report.lane + done)
            self.networks += [lane.best for lane in wave]


def minima(networks: Sequence[MLP], objective: Objective, train: Sample, validation: Sample) -> Minima:
    """Where networks of one recipe ended: their losses, and which of them compute the same.

    Two are in one basin where

        d = sqrt(mean over rows of ||p - q||^2 / 2) <= 0.1

    for their probabilities p and q (halved, since two rows of them can differ by 2), or without the half
    for outputs in standard deviations of the target. No two members of a basin are further apart than that
    (complete linkage).

    >>> from layerwise.inspection.samples import sample
    >>> from layerwise.inspection.subjects import subject
    >>> found = subject({"data": {"kind": "toy", "name": "plane", "n": 50}, "network": {"kind": "mlp", "hidden": [3]},
    ...                  "train": {"epochs": 20}})
    >>> starts = Starts(found, 4)
    >>> for report in starts: pass
    >>> minima(starts.networks, found.objective, sample(found), sample(found, "validation")).losses.shape
    (4,)
    """
    outputs = [Forward(network)(np.asarray(train.x)) for network in networks]
    held_out = validation.x.shape[0] > 0
    return gathered(
        objective,
        train,
        outputs,
        losses=np.array([loss_of(objective, network, train) for network in networks], np.float64),
        validation=np.array([loss_of(objective, n, validation) if held_out else np.nan for n in networks], np.float64),
        scores=np.array(
            [accuracy_or_r2(objective, found, np.asarray(train.y), np.asarray(train.weight)) for found in outputs],
            np.float64,
        ),
    )


def gathered(
    objective: Objective,
    train: Sample,
    outputs: Sequence[Float32[np.ndarray, "rows outputs"]],
    *,
    losses: Float64[np.ndarray, " starts"],
    validation: Float64[np.ndarray, " starts"],
    scores: Float64[np.ndarray, " starts"],
) -> Minima:
    """The same of what networks say on the training rows, with their losses and scores."""
    constant = constant_loss(
        objective, np.asarray(train.y), np.asarray(train.weight), float(train.smoothing), float(train.delta)
    )
    best = float(np.min(losses, initial=constant, where=np.isfinite(losses)))
    bound = best + STUCK * (constant - best)
    return Minima(
        score="r2" if objective.kind == "quantities" else "accuracy",
        losses=losses,
        validation=validation,
        scores=scores,
        basin=_numbered(_alike(np.stack([_function(objective, found, train) for found in outputs])), losses),
        stuck=~(losses <= bound),
        constant=constant,
        bound=bound,
    )


def _function(
    objective: Objective, outputs: Float32[np.ndarray, "rows outputs"], sample: Sample
) -> Float64[np.ndarray, "rows values"]:
    """What a network computes, so that the root mean square over rows tells how far two are apart."""
    if objective.kind == "quantities":
        spread = np.asarray(sample.y).std(axis=0)
        return np.asarray(outputs / np.where(spread > 0, spread, 1) / np.sqrt(outputs.shape[1]), np.float64)
    found = probabilities(objective, outputs)
    return np.asarray(found / np.sqrt(found.shape[1] if objective.kind == "labels" else 2), np.float64)


def _alike(functions: Float64[np.ndarray, "starts rows values"]) -> Int64[np.ndarray, " starts"]:
    """A number for each group of like functions; what is not finite is like nothing."""
    from scipy.cluster.hierarchy import fcluster, linkage

    starts, rows = functions.shape[:2]
    finite = np.isfinite(functions).all(axis=(1, 2))
    groups: Int64[np.ndarray, " starts"] = np.arange(starts) + starts
    vectors = functions[finite].reshape(int(finite.sum()), -1)
    if len(vectors) > 1:
        groups[finite] = fcluster(linkage(vectors, "complete"), ALIKE * np.sqrt(rows), "distance")
    return groups


def _numbered(
    groups: Int64[np.ndarray, " starts"], losses: Float64[np.ndarray, " starts"]
) -> Int64[np.ndarray, " starts"]:
    """The groups' numbers in the order of their lowest losses."""
    order = np.argsort(np.where(np.isfinite(losses), losses, np.inf), kind="stable")
    numbers: dict[int, int] = {}
    for start in order:
        numbers.setdefault(int(groups[start]), len(numbers))
    return np.array([numbers[int(group)] for group in groups], np.int64)
