"""A trial: one setting of the recipe as a lane, with what it has reported so far.

Trials with layers of several widths may share programs, by padding them to common widths. A program takes about as
long to compile as a small network to train. Padding saves programs and costs products with zeros; which is less is
forecast from how many widths there are and how long they train.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import msgspec

from layerwise.data import load as load_data
from layerwise.data.dataset import Dataset
from layerwise.nets.build import build
from layerwise.nets.dense import MLP
from layerwise.recipe import Recipe
from layerwise.recipe import records as r
from layerwise.tasks.objective import training_weights
from layerwise.training.events import AnyEvent, Epoch
from layerwise.training.lanes import cores
from layerwise.training.loop import Data
from layerwise.training.place import place
from layerwise.training.resolve import Resolved, resolve
from layerwise.training.trainer import Trainer
from layerwise.tuning.search import planned
from layerwise.tuning.space import Settings, Space

SAMPLED = 64  # trials by which common widths are chosen
REMEMBERED = 16  # networks with their first weights
# As measured on two cores by benchmarks/bench_engine.py and bench_lanes.py; only their ratios matter.
COMPILING = 0.6  # seconds a program
PRODUCTS = 2e10  # multiply-adds a second of one core
OVERHEAD = 5e-6  # seconds a step, however small the network
FINENESS = (1.0, 1.5, 2.0, 4.0, math.inf)  # of the common widths: each so many times the one before
NARROWEST = 8

Hidden = tuple[int, ...]


@dataclass
class Trial:
    """A lane in training. `curve` has a pair an epoch: training loss, monitored value."""

    number: int
    settings: Settings
    trainer: Trainer
    seed: int
    curve: list[tuple[float, float | None]] = field(default_factory=list)

    def hear(self, events: Iterable[AnyEvent], monitor: str) -> int:
        """Note what a call reported; how many epochs came with it."""
        epochs = [event for event in events if isinstance(event, Epoch)]
        self.curve += [(event.loss, event.validation.get(monitor)) for event in epochs]
        return len(epochs)

    def value(self, monitor: str) -> float | None:
        """The monitored quantity of the best epoch so far; None before the first, or where it diverged."""
        best = self.trainer.seen.best_value
        if not math.isfinite(best):
            return None
        return best if monitor == "loss" else -best


class Maker:
    """Makes lanes of recipes that differ only in what is searched; data sets and placed arrays are shared."""

    def __init__(self, recipe: Recipe) -> None:
        self.seed = recipe.seed
        self.widths: Widths | None = None
        self._datasets: dict[tuple[bytes, bool], Dataset] = {}
        self._placed: dict[tuple[int, bytes], Data] = {}
        self._networks: dict[tuple[int, bytes, int], MLP] = {}
        self.dataset = self._dataset(recipe)
        self.written = self.resolved(recipe)

    def resolved(self, recipe: Recipe) -> Resolved:
        """The recipe with every "auto" replaced, for its data."""
        return resolve(recipe, self._dataset(recipe))

    def lane(self, resolved: Resolved, seed: int, uses: frozenset[str]) -> Trainer:
        """A lane of its own, on the study's split whatever the seed of its weights and batches.

        L-BFGS switches nothing on for its companions' sake: its line search takes no part in what is random.
        """
        recipe, dataset = resolved.recipe, self._dataset(resolved.recipe)
        train: Any = recipe.train
        full_batch = isinstance(train.optimizer, r.Lbfgs)
        hidden: tuple[int, ...] = ()
        if isinstance(recipe.network, r.Mlp) and self.widths is not None and not full_batch:
            hidden = self.widths.padded(recipe.network.hidden)
        return Trainer(
            msgspec.structs.replace(recipe, seed=seed),
            resolved.objective,
            self._data(recipe, dataset),
            self._network(resolved, dataset, seed),
            uses=frozenset() if full_batch else uses,
            rollbacks=0,
            hidden=hidden,
        )

    def share_widths(self, space: Space, trials: int) -> None:
        """Pad hidden layers to common widths where the search varies them and that saves time."""
        if not any(path == "network.hidden" or path.startswith("network.hidden.") for path in space.axes):
            return
        seen: list[r.Mlp] = []
        for params in planned(space, "random", min(trials, SAMPLED), self.seed):
            network = space.recipe(space.settings(params)).network
            seen += [network] if isinstance(network, r.Mlp) else []
        train: Any = self.written.recipe.train
        self.widths = (
            Widths(
                [network.hidden for network in seen],
                trials=trials,
                steps=train.epochs * math.ceil(self.dataset.train.size / train.batch_size),
                batch_size=train.batch_size,
                ends=(self.dataset.x.shape[1], self.written.objective.outputs),
                cores=cores(),
            )
            if seen
            else None
        )

    def _dataset(self, recipe: Recipe) -> Dataset:
        # Of the task only this counts when data is read; its kind is not searched.
        key = (msgspec.json.encode(recipe.data), bool(getattr(recipe.task, "standardize", True)))
        if key not in self._datasets:
            self._datasets[key] = load_data(recipe.data, recipe.task, self.seed)
        return self._datasets[key]

    def _data(self, recipe: Recipe, dataset: Dataset) -> Data:
        # Only class weights change what is placed.
        key = (id(dataset), msgspec.json.encode(getattr(recipe.task, "class_weight", "none")))
        if key not in self._placed:
            self._placed[key] = place(dataset, training_weights(recipe.task, dataset))
        return self._placed[key]

    def _network(self, resolved: Resolved, dataset: Dataset, seed: int) -> MLP:
        key = (id(dataset), msgspec.json.encode(resolved.recipe.network), seed)
        if len(self._networks) >= REMEMBERED:
            self._networks.clear()  # where the network itself is searched, few are met again
        if key not in self._networks:
            self._networks[key] = build(
                resolved.recipe.network,
                inputs=dataset.x.shape[1],
                outputs=resolved.objective.outputs,
                codes=dataset.encoder.embeddings,
                seed=seed,
            )
        return self._networks[key]


# ── common widths ─────────────────────────────────────────────────────────────────────────────────


class Widths:
    """The rule by which hidden layers are padded.

    `seen` are hidden layers of trials as they are planned (a sample will do for `trials` of them), `steps`
    how many steps one trains, `ends` its numbers of inputs and outputs.

    >>> many = [(width,) for width in range(16, 80)]
    >>> Widths(many, trials=64, steps=1000, batch_size=32, ends=(64, 10), cores=2).padded((40,))
    (79,)
    >>> Widths(many, trials=64, steps=10**6, batch_size=32, ends=(64, 10), cores=2).padded((40,))
    ()
    """

    def __init__(
        self, seen: Sequence[Hidden], *, trials: int, steps: int, batch_size: int, ends: tuple[int, int], cores: int
    ) -> None:
        self._widest: dict[int, Hidden] = {}
        for hidden in seen:
            known = self._widest.get(len(hidden), hidden)
            self._widest[len(hidden)] = tuple(map(max, known, hidden))

        def seconds(fineness: float) -> float:
            padded = [self._rounded(hidden, fineness) for hidden in seen]
            products = sum(3 * batch_size * _parameters(hidden, ends) for hidden in padded) / len(padded)
            training = trials * steps * (OVERHEAD + products / PRODUCTS) / cores
            return len(set(padded)) * COMPILING + training

        self.fineness = min(FINENESS, key=seconds) if len(set(seen)) > 1 else 1.0

    def padded(self, hidden: Hidden) -> Hidden:
        """The widths that hidden layers are padded to; () where they stay as they are."""
        return () if self.fineness == 1 else self._rounded(hidden, self.fineness)

    def _rounded(self, hidden: Hidden, fineness: float) -> Hidden:
        if fineness == 1:
            return hidden
        widest = self._widest.get(len(hidden), hidden)
        if math.isinf(fineness):
            return tuple(map(max, widest, hidden))
        return tuple(max(width, min(_next(width, fineness), top)) for width, top in zip(hidden, widest, strict=True))


def _next(width: int, fineness: float) -> int:
    """The next of 8, 8 f, 8 f^2, ..."""
    power = math.ceil(math.log(max(width, NARROWEST) / NARROWEST, fineness) - 1e-9)
    return round(NARROWEST * fineness**power)


def _parameters(hidden: Hidden, ends: tuple[int, int]) -> int:
    return sum((a + 1) * b for a, b in pairwise((ends[0], *hidden, ends[1])))
