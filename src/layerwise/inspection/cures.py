"""The over-fitting laboratory: one network trained without and with each cure, over several seeds.

Which differences are real is decided so that nothing is judged by what chose it:

* The validation part is dealt into two halves. One *chooses*: when early stopping stops, and of a short
  ladder of strengths the one to take. The other one *judges*: every loss that is compared is over its rows.
  Were early stopping judged by the rows that stopped it, it could not lose. The test part is not touched.
* Strengths are chosen on seeds of their own, which are not judged.
* A seed stands for an initialization and an order of batches, the same for every cure. So what is compared
  are the differences to "none" seed by seed, with intervals that hold all together (Bonferroni).

The intervals are over seeds, for the rows that there are; other rows may differ by more.
"""

from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import jax
import msgspec
import numpy as np
from jaxtyping import Float64, Int64

from layerwise.data.dataset import Dataset
from layerwise.errors import DataError, LayerwiseError, RecipeError
from layerwise.inspection.samples import halves
from layerwise.inspection.subjects import initial
from layerwise.nets.dense import MLP
from layerwise.recipe import records as r
from layerwise.recipe import seeding
from layerwise.tasks.intervals import Interval, mean_within
from layerwise.tasks.objective import Objective, training_weights, watched
from layerwise.training import loop
from layerwise.training.events import Epoch
from layerwise.training.lanes import Lanes, forecast, memory_budget
from layerwise.training.place import place
from layerwise.training.trainer import Trainer

Settings = Mapping[str, float | int]  # of `recipe.records.Train`
Values = Float64[np.ndarray, " seeds"]
Curves = Float64[np.ndarray, "seeds epochs"]

# From hardly felt to strong. L1's gradient does not shrink with the weight as L2's does, so it is weaker;
# dropout ends at the half that its authors recommend for wide hidden layers (Srivastava et al. 2014).
LADDERS: Mapping[str, Sequence[Settings]] = {
    "L1": [{"l1": strength} for strength in (1e-4, 1e-3, 1e-2)],
    "L2": [{"l2": strength} for strength in (1e-3, 1e-2, 1e-1)],
    "dropout": [{"dropout": rate} for rate in (0.1, 0.3, 0.5)],
}
SHARES = (1.0, 0.3, 0.1)  # of the chosen strengths that "all" takes: together they may be too much
NONE, STOPPING, ALL = "none", "early stopping", "all"
REGULARIZATION = ("l1", "l2", "weight_decay", "dropout", "input_dropout", "noise", "max_norm")
CHOOSING_SEEDS = 2
SMALL = 0.05  # of the loss: a difference that is real and yet hardly matters
LARGE = 0.10  # of the loss: where an interval holds differences as large, "no difference" would say too much
LEAST_ROWS = 10  # of the validation part
LEAST_SEEDS = 2  # that have an interval


@dataclass(frozen=True)
class Arm:
    """One way to train the network, over seeds.

    `settings` are what it switches on. `training_curve` is each epoch's mean training loss (with dropout:
    of the thinned network), `validation_curve` the loss on the choosing half; NaN after a seed's last epoch.
    What is compared is of the weights at the end of training, or with early stopping of those of the epoch
    that was best on the choosing half, `epoch`: their loss on the training part without dropout and
    penalties, `training`; on the judging half, `validation`, and the task's `metric` there. NaN where a seed
    diverged.
    """

    name: str
    settings: Settings
    training_curve: Curves
    validation_curve: Curves
    epoch: Int64[np.ndarray, " seeds"]
    training: Values
    validation: Values
    metric: Values

    @property
    def gap(self) -> Values:
        """Validation loss less training loss, of the compared weights."""
        gap: Values = self.validation - self.training
        return gap

    @property
    def diverged(self) -> int:
        """How many seeds came to no finite loss."""
        return int(np.count_nonzero(~np.isfinite(self.validation)))


@dataclass(frozen=True)
class Comparison:
    """A cure against none: the validation loss with it less that without, seed by seed.

    `difference` has the mean and its interval, all comparisons' intervals holding together with 95%; NaN
    where seeds `diverged`. `without` is the mean loss without the cure.
    """

    arm: str
    difference: Interval
    without: float
    diverged: int = 0

    @property
    def share(self) -> float:
        """The mean difference as a share of the loss without."""
        return self.difference.value / max(self.without, 1e-12)

    @property
    def real(self) -> bool:
        """Whether the difference is more than seeds make by chance: the interval leaves out zero."""
        return self.difference.high < 0 or self.difference.low > 0

    @property
    def told(self) -> bool:
        """Whether there are seeds enough: a difference is real, or a large one is left out."""
        far = max(abs(self.difference.low), abs(self.difference.high))
        return self.real or far < LARGE * self.without

    @property
    def words(self) -> str:
        """The finding as a sentence."""
        value, low, high = self.difference.value, self.difference.low, self.difference.high
        if self.diverged:
            return f"{self.arm}: not compared, since training diverged with {self.diverged} of the seeds"
        if not self.real:
            found = "no difference seen" if self.told else "too few seeds to tell"
            return f"{self.arm}: {found} ({low:+.2g} to {high:+.2g})"
        verb = "lowers" if value < 0 else "raises"
        near, far = sorted((abs(low), abs(high)))
        small = f", but only {abs(self.share):.1%} of the loss" if abs(self.share) < SMALL else ""
        return f"{self.arm} {verb} the validation loss by {abs(value):.2g} ({near:.2g} to {far:.2g}): real{small}"


class Rung(NamedTuple):
    """A strength that was tried: the loss on the choosing half, its mean over the choosing seeds."""

    arm: str
    settings: Settings
    loss: float
    chosen: bool


@dataclass(frozen=True)
class Overfitting:
    """What the laboratory found. `arms` begins with "none"; `comparisons` has one entry for each of the others.

    `loss` and `metric` name what is measured; a regression's losses are in standardized units. `rows` counts
    those that train, choose and judge. `removed` is what the recipe had of regularization, which "none" is
    without.
    """

    loss: str
    metric: str
    seeds: tuple[int, ...]
    choosing_seeds: tuple[int, ...]
    rows: Mapping[str, int]
    removed: Settings
    notes: tuple[str, ...]
    rungs: tuple[Rung, ...]
    arms: tuple[Arm, ...]
    comparisons: tuple[Comparison, ...]

    @property
    def words(self) -> str:
        """How far the network over-fits without a cure, as a sentence."""
        none = self.arms[0]
        gap = mean_within("loss", none.gap.tolist(), len(self.seeds) ** -0.5)
        if none.diverged:
            return "Without a cure training diverged: lower the learning rate."
        words = f"{gap.value:.2g} ({gap.low:.2g} to {gap.high:.2g})"
        if gap.low > 0:
            return f"Without a cure the validation loss ends above the training loss, by {words}."
        if gap.high < LARGE * float(none.validation.mean()):
            return f"Without a cure no over-fitting is seen: validation less training loss is {words}."
        return f"Too few seeds to tell whether the network over-fits: validation less training loss is {words}."


class Stage(NamedTuple):
    """How far the laboratory is: what it does, and how many epochs of all lanes are done of how many."""

    phase: str
    done: int
    epochs: int


def overfit(recipe: r.Recipe, objective: Objective, dataset: Dataset, seeds: int = 5) -> Overfitting:
    """Train the network of a resolved recipe without and with each cure, on `seeds` seeds, as lanes.

    Raises `RecipeError` where the recipe trains nothing by gradients, `DataError` where the validation
    part is too small to be halved.

    >>> from layerwise.inspection import subject
    >>> found = subject({"data": {"kind": "toy", "name": "moons", "n": 60, "noise": 0.3},
    ...                  "network": {"kind": "mlp", "hidden": [4]}, "train": {"epochs": 2}})
    >>> told = overfit(found.recipe, found.objective, found.dataset, seeds=2)
    >>> [arm.name for arm in told.arms], told.arms[0].validation_curve.shape
    (['none', 'L1', 'L2', 'dropout', 'early stopping', 'all'], (2, 2))
    """
    work = laboratory(recipe, objective, dataset, seeds)
    while True:
        try:
            next(work)
        except StopIteration as end:
            found: Overfitting = end.value
            return found


def laboratory(
    recipe: r.Recipe, objective: Objective, dataset: Dataset, seeds: int = 5
) -> Generator[Stage, None, Overfitting]:
    """The same, saying after each call how far it is; what it returns is what it found."""
    _check(recipe, objective, dataset, seeds)
    bench = _Bench(recipe, objective, dataset)
    numbers = seeding.seeds(recipe.seed, seeds + CHOOSING_SEEDS)
    judged, choosing = numbers[:seeds], numbers[seeds:]
    stopping = {"patience": bench.patience}

    rungs = yield from _tried(bench, bench.ladders, choosing)
    best = {rung.arm: rung.settings for rung in rungs if rung.chosen}
    together = {name: value for settings in best.values() for name, value in settings.items()}
    shares = [{name: share * value for name, value in together.items()} | stopping for share in SHARES]
    rungs += yield from _tried(bench, {ALL: shares}, choosing)
    settings = {NONE: {}, **best, STOPPING: stopping, ALL: next(g.settings for g in rungs if g.arm == ALL and g.chosen)}

    jobs = [(chosen, seed) for chosen in settings.values() for seed in judged]
    lanes = yield from bench.trained(jobs, "training each cure")
    arms = tuple(
        _arm(name, chosen, lanes[number * seeds : (number + 1) * seeds])
        for number, (name, chosen) in enumerate(settings.items())
    )
    return Overfitting(
        loss=bench.loss,
        metric=bench.metric,
        seeds=judged,
        choosing_seeds=choosing,
        rows=bench.rows,
        removed=bench.removed,
        notes=bench.notes,
        rungs=tuple(rungs),
        arms=arms,
        comparisons=compared(arms),
    )


def compared(arms: Sequence[Arm]) -> tuple[Comparison, ...]:
    """Each arm against the first: the paired differences of the validation loss, over seeds.

    mean(d) +- t(1 - 0.025 / m; n - 1) * s(d) / sqrt(n), for m comparisons over n seeds: Student's paired t
    with Bonferroni's correction.
    """
    none, *cures = arms
    found = []
    for arm in cures:
        differences = arm.validation - none.validation
        lost = int(np.count_nonzero(~np.isfinite(differences)))
        interval = Interval(np.nan, np.nan, np.nan)
        if not lost:
            interval = mean_within("", differences.tolist(), len(differences) ** -0.5, comparisons=len(cures))
        found.append(Comparison(arm.name, interval, float(none.validation.mean()), lost))
    return tuple(found)


def _check(recipe: r.Recipe, objective: Objective, dataset: Dataset, seeds: int) -> None:
    """Refuse what there is nothing to be learnt from."""
    if seeds < LEAST_SEEDS:
        raise LayerwiseError("an interval needs at least 2 seeds", received=str(seeds), remedy="e.g. --seeds 5")
    train, by_hand = recipe.train, bool(getattr(recipe.network, "weights", ()))
    if not isinstance(train, r.Train) or by_hand:
        raise RecipeError(
            "the over-fitting laboratory trains a network from several initializations",
            received="a recipe with its weights set by hand",
            remedy="leave network.weights out and give it a [train]",
        )
    if objective.kind == "perceptron":
        raise RecipeError(
            "the cures for over-fitting are for networks that are trained by gradients",
            received="a perceptron, which learns by its own rule",
            remedy='use network = "linear" or "mlp"',
        )
    if isinstance(train.optimizer, r.Lbfgs):
        raise RecipeError(
            "dropout needs an optimizer that bears with chance",
            received="L-BFGS, whose line search does not",
            remedy='use train.optimizer = "adam"',
        )
    weight = training_weights(recipe.task, dataset)
    groups = "" if dataset.groups is None else f" in {np.unique(dataset.groups[dataset.validation]).size} groups"
    if dataset.validation.size < LEAST_ROWS or not all(weight[half].any() for half in halves(dataset)):
        raise DataError(
            f"one half of the validation part chooses, the other judges: at least {LEAST_ROWS} rows, with weight, "
            "and of groups or moments at least two",
            received=f"{dataset.validation.size} rows of validation{groups}",
            remedy="give data.split a larger share of validation, or use more data",
        )


# ── training ────────────────────────────────────────────────────────────────────────────────────


class _Lane(NamedTuple):
    """What came of one network: its curves, and the figures of the weights that are compared."""

    curves: Float64[np.ndarray, "2 epochs"]
    epoch: int
    choosing: float  # the loss on the choosing half
    training: float
    validation: float
    metric: float


class _Bench:
    """All that the lanes have in common: the data, the bare recipe, the compiled program."""

    def __init__(self, recipe: r.Recipe, objective: Objective, dataset: Dataset) -> None:
        train = recipe.train
        assert isinstance(train, r.Train)
        self.removed = {name: getattr(train, name) for name in REGULARIZATION if getattr(train, name)}
        self.patience = train.patience or r.Train().patience
        self.loss = objective.loss if objective.kind == "quantities" else "loss"
        self.metric = watched(objective)[1]
        hidden = isinstance(recipe.network, r.Mlp) and bool(recipe.network.hidden)
        self.ladders = {name: rungs for name, rungs in LADDERS.items() if hidden or name != "dropout"}
        self.notes: tuple[str, ...] = (
            () if hidden else ("the network has no hidden units that dropout could leave out",)
        )
        self._objective, self._dataset = objective, dataset
        choosing, judging = halves(dataset)
        self.rows = {"train": dataset.train.size, "choosing": choosing.size, "judging": judging.size}
        weight = training_weights(recipe.task, dataset)
        self._data = place(replace(dataset, validation=choosing), weight)
        judged = place(replace(dataset, validation=judging), weight)
        self._judged = judged._replace(x=self._data.x, y=self._data.y, weight=self._data.weight)
        off: dict[str, Any] = dict.fromkeys(REGULARIZATION, 0.0)
        bare = msgspec.structs.replace(train, **off, patience=0, monitor="loss", time_limit="none")
        self._bare = msgspec.structs.replace(recipe, train=bare)
        if train.learning_rate == "find":  # once, so that the rate is the same for every cure
            found: Any = self._lane({}, recipe.seed).recipe.train
            self._bare = msgspec.structs.replace(recipe, train=found)
        self._lanes = Lanes()

    def _lane(self, settings: Settings, seed: int) -> Trainer:
        bare: Any = self._bare.train
        train = msgspec.structs.replace(bare, **settings)
        return Trainer(
            msgspec.structs.replace(self._bare, seed=seed, train=train),
            self._objective,
            self._data,
            initial(self._bare, self._objective, self._dataset, seed),
            uses=frozenset(name for rungs in self.ladders.values() for name in rungs[0]),
        )

    def trained(self, jobs: Sequence[tuple[Settings, int]], phase: str) -> Generator[Stage, None, list[_Lane]]:
        """Train a lane for each pair of settings and seed, as many at a time as memory has room for."""
        found: list[_Lane] = []
        while len(found) < len(jobs):
            wave: list[Trainer] = []
            budget = memory_budget()
            while len(found) + len(wave) < len(jobs) and (not wave or budget > 0):
                wave.append(self._lane(*jobs[len(found) + len(wave)]))
                budget -= forecast(wave[-1])
            epochs = wave[0].epochs
            curves = np.full((len(wave), 2, epochs), np.nan)
            for report in self._lanes.train(wave, epochs, lambda: False):
                for event in report.events:
                    if isinstance(event, Epoch):
                        curves[report.lane, :, event.epoch - 1] = event.loss, event.validation.get("loss", np.nan)
                ended = sum(epochs if not lane.running else lane.epochs_done for lane in wave)
                yield Stage(phase, len(found) * epochs + ended, len(jobs) * epochs)
            found += [self._result(lane, curve) for lane, curve in zip(wave, curves, strict=True)]
        return found

    def _result(self, lane: Trainer, curves: Float64[np.ndarray, "2 epochs"]) -> _Lane:
        """With early stopping of the best epoch's weights, else of the last's."""
        if lane.status == "diverged":
            return _Lane(curves, lane.epochs_done, np.inf, np.nan, np.nan, np.nan)
        stopping = bool(lane.hyper.patience)
        network = lane.best if stopping else lane.exact.weights.network
        epoch = lane.seen.best_epoch if stopping else lane.epochs_done
        training, _ = self._figures(lane, network, "train")
        validation, metric = self._figures(lane, network, "validation")
        return _Lane(curves, epoch, float(curves[1, epoch - 1]), training, validation, metric)

    def _figures(self, lane: Trainer, network: MLP, part: str) -> tuple[float, float]:
        """Loss and metric over the training part, or over the judging half."""
        rows, count = getattr(self._judged, part), getattr(self._judged, f"{part}_rows")
        found = np.asarray(_evaluate(lane.program, network, self._judged, rows, count, lane.hyper), np.float64)
        return float(found[0]), float(found[1])


_evaluate = jax.jit(loop.evaluate, static_argnums=0)


def _tried(
    bench: _Bench, ladders: Mapping[str, Sequence[Settings]], seeds: Sequence[int]
) -> Generator[Stage, None, list[Rung]]:
    """Every rung of the ladders; of each ladder the one is chosen whose mean loss on the choosing half is least."""
    jobs = [(settings, seed) for ladder in ladders.values() for settings in ladder for seed in seeds]
    lanes = yield from bench.trained(jobs, "choosing strengths")
    means = iter(np.array([lane.choosing for lane in lanes]).reshape(-1, len(seeds)).mean(axis=1).tolist())
    found = []
    for name, ladder in ladders.items():
        losses = [next(means) for _ in ladder]
        best = losses.index(min(losses))
        found += [
            Rung(name, settings, loss, place == best)
            for place, (settings, loss) in enumerate(zip(ladder, losses, strict=True))
        ]
    return found


def _arm(name: str, settings: Settings, lanes: Sequence[_Lane]) -> Arm:
    """The lanes of one way, side by side."""
    training, validation = (np.stack([lane.curves[part] for lane in lanes]) for part in (0, 1))
    return Arm(
        name=name,
        settings=settings,
        training_curve=training,
        validation_curve=validation,
        epoch=np.array([lane.epoch for lane in lanes], np.int64),
        training=np.array([lane.training for lane in lanes]),
        validation=np.array([lane.validation for lane in lanes]),
        metric=np.array([lane.metric for lane in lanes]),
    )
