"""Every fit of an estimator: the compiled loop on plain arrays, in shapes that many fits share.

A cross-validation calls `fit` with as many sizes as folds, scikit-learn's own checks with dozens, and
each new shape costs a compilation of a second. So rows are padded with rows that weigh nothing and
columns with zeros, whose weights are zero and stay so; the fitted weights come back without them.

Whether to stop is decided here, between calls, by scikit-learn's rule: it needs a number of epochs
without improvement *in a row*, so a call may always run as many as are still missing.
"""

import time
from collections.abc import Sequence
from typing import NamedTuple

import jax
import msgspec
import numpy as np
import optax
from jaxtyping import Float, Float32, Shaped, UInt64

from layerwise.data.dataset import Rows
from layerwise.estimators import crew
from layerwise.nets import noise
from layerwise.nets.dense import MLP, Dense
from layerwise.recipe import records as r
from layerwise.tasks.objective import watched
from layerwise.training import loop
from layerwise.training.hyper import hyper
from layerwise.training.place import SHARED_UP_TO, place_arrays, room
from layerwise.training.step import Program

LEAST_ROWS = 512  # all data up to this size share one program
COLUMNS = 16  # small data's columns are filled up to a multiple of this
CALL_SECONDS = 0.3  # aimed at, so that Ctrl-C is answered
FIRST_CALL = 256  # steps, before it is known what one costs
HASHED_AT_ONCE = 4096  # rows, few enough to stay in the processor's cache
STRIDE = 8  # iterations of L-BFGS between two looks at where it stands
ENDLESS = 2**31 - 1  # epochs


class Examples(NamedTuple):
    """What to learn from: `train` and `validation` are row numbers, `weight` that of each row in the loss."""

    x: Float32[np.ndarray, "rows inputs"]
    y: Shaped[np.ndarray, "rows *outputs"]
    weight: Float32[np.ndarray, " rows"]
    train: Rows
    validation: Rows


class Layers(NamedTuple):
    """Weights as scikit-learn keeps them: `coefs` of shape (inputs, outputs) and `intercepts`, a layer each."""

    coefs: list[Float[np.ndarray, "_ _"]]
    intercepts: list[Float[np.ndarray, " _"]]


class Epoch(NamedTuple):
    """The mean training loss over an epoch, and the score on the validation part (NaN without one)."""

    loss: float
    score: float


class Fitting:
    """The state of one fit, and the compiled program that advances it.

    `train` holds the numeric settings (how long to train is up to the caller), `seed` decides the order
    of rows and dropout, `memory` is what an earlier fit's optimizer knew.
    """

    def __init__(
        self,
        program: Program,
        train: r.Train,
        examples: Examples,
        layers: Layers,
        activations: tuple[r.Activation, ...],
        seed: int,
        memory: Sequence[np.ndarray] = (),
    ) -> None:
        self._program = program
        self._inputs = examples.x.shape[1]
        x = examples.x
        if room_for(x.shape[0]) <= SHARED_UP_TO and (missing := -self._inputs % COLUMNS):
            x = np.pad(x, ((0, 0), (0, missing)))
        self._data = place_arrays(x, *examples[1:], least=_least())
        self._per_epoch = -(-examples.train.size // program.batch_size)
        # Loss and task settings are not searched here, so any task will do.
        self._settings = hyper(msgspec.structs.replace(train, patience=0, epochs=ENDLESS), r.Regress())
        self._key = noise.key(seed)
        self._score = watched(program.objective).index(program.monitor)
        self._limit = FIRST_CALL
        self._epochs = 0
        network = _network(layers, activations, x.shape[1])
        self._state = loop.start(program, network, self._settings)
        if memory:
            self._remember(memory)

    @property
    def running(self) -> bool:
        """Whether there is more to train: a perceptron comes to rest by itself, and any net can diverge."""
        return int(self._state.status) == loop.RUNNING

    @property
    def diverged(self) -> bool:
        """Whether the loss was not finite even at an eighth of the learning rate."""
        return int(self._state.status) == loop.DIVERGED

    @property
    def latest(self) -> Layers:
        """The weights as they are."""
        return self._layers(self._state.weights.network)

    @property
    def best(self) -> Layers:
        """The weights of the epoch that scored best on the validation part."""
        return self._layers(self._state.best)

    @property
    def memory(self) -> list[np.ndarray]:
        """What the optimizer knows, for a later fit to go on from."""
        return [np.array(leaf) for leaf in jax.tree.leaves(self._state.weights.optimizer)]

    @property
    def value(self) -> float:
        """The loss with its penalty, where L-BFGS stands."""
        return float(optax.tree_utils.tree_get(self._state.weights.optimizer, "value"))

    @property
    def slope(self) -> float:
        """The largest component of the gradient, where L-BFGS stands."""
        gradient = optax.tree_utils.tree_get(self._state.weights.optimizer, "grad")
        return max(float(np.abs(leaf).max()) for leaf in jax.tree.leaves(gradient))

    def set_rate(self, rate: float) -> None:
        """Go on with another learning rate, and with a momentum's speed as it is."""
        if self._program.optimizer in (r.Momentum, r.Nesterov):
            # The velocity is kept in gradients, so it is the rate that makes it a speed.
            share = np.float32(float(self._settings.learning_rate) / rate)
            self._remember([leaf * share for leaf in self.memory])
        self._settings = self._settings._replace(learning_rate=jax.numpy.float32(rate))

    def advance(self, epochs: int) -> list[Epoch]:
        """Train for `epochs` epochs; fewer only where it stops `running`."""
        found: list[Epoch] = []
        goal = (self._epochs + epochs) * self._per_epoch
        while len(found) < epochs and self.running:
            limit = min(goal - int(self._state.step), self._limit)
            with crew.computing():
                began = time.monotonic()
                self._state, history = loop.advance(
                    self._program, self._state, self._data, self._settings, self._key, limit
                )
                count = int(history.rows)  # waits for the call to end
                took = time.monotonic() - began
            self._limit = max(1, min(int(limit * CALL_SECONDS / max(took, 1e-6)), 8 * self._limit))
            told = (history.loss, history.validation, history.rolled_back)
            rows = zip(*(np.asarray(a)[:count] for a in told), strict=True)
            found += [Epoch(float(loss), float(figures[self._score])) for loss, figures, failed in rows if not failed]
        self._epochs += len(found)
        return found

    def _remember(self, memory: Sequence[np.ndarray]) -> None:
        structure = jax.tree.structure(self._state.weights.optimizer)
        known = jax.tree.unflatten(structure, [jax.device_put(leaf) for leaf in memory])
        self._state = self._state._replace(weights=self._state.weights._replace(optimizer=known))

    def _layers(self, network: MLP) -> Layers:
        coefs = [np.array(layer.weight).T for layer in network.layers]
        coefs[0] = coefs[0][: self._inputs]
        return Layers([np.ascontiguousarray(coef) for coef in coefs], [np.array(a.bias) for a in network.layers])


def room_for(rows: int) -> int:
    """How many rows a fit makes room for: those that its data's size calls for, or its crew's."""
    return room(rows, _least())


def _least() -> int:
    everyone = crew.present()
    return max(LEAST_ROWS, everyone.rows if everyone else 0)


def _network(layers: Layers, activations: tuple[r.Activation, ...], width: int) -> MLP:
    """The network of these weights, for `width` inputs; those beyond its own get zeros."""
    weights = [np.ascontiguousarray(coef.T, np.float32) for coef in layers.coefs]
    weights[0] = np.pad(weights[0], ((0, 0), (0, width - weights[0].shape[1])))
    biases = [intercept.astype(np.float32) for intercept in layers.intercepts]
    dense = (Dense(jax.device_put(w), jax.device_put(b)) for w, b in zip(weights, biases, strict=True))
    return MLP((), tuple(dense), (), activations)


class Patience:
    """scikit-learn's rule: stop after `epochs` in a row that were not better than the best by `tol`.

    What it sees is better the lower it is. `tol` None never stops.

    >>> patience = Patience(tol=0.1, epochs=2)
    >>> [patience.saw(loss) for loss in (1.0, 0.8, 0.75, 0.76)]
    [False, False, False, True]
    """

    def __init__(self, tol: float | int | None, epochs: float | int) -> None:
        self._tol = tol
        self._epochs = epochs
        self.best = float("inf")
        self.waited = 0

    def saw(self, value: float) -> bool:
        """Whether to stop, now that an epoch gave `value`."""
        better = self._tol is None or not value > self.best - self._tol
        self.waited = 0 if better else self.waited + 1
        self.best = min(self.best, value)
        return self.waited >= self._epochs

    def ahead(self, most: int) -> int:
        """Epochs that will certainly be run, whatever they give, up to `most`."""
        return int(min(max(self._epochs - self.waited, 1), most, loop.EPOCHS_A_CALL))


def distinct(
    x: Float[np.ndarray, "rows inputs"], y: Shaped[np.ndarray, "rows *outputs"], weight: Float[np.ndarray, " rows"]
) -> tuple[Float[np.ndarray, "some inputs"], Shaped[np.ndarray, "some *outputs"], Float[np.ndarray, " some"]]:
    """Equal rows with equal targets as one row with the sum of their weights; without those that weigh nothing.

    The order depends on nothing but the rows. So where a fit looks at all rows at a time, a row of
    weight two and the row twice give the same bits, however they are ordered.

    >>> x, y, weight = np.array([[1.0], [2.0], [1.0], [3.0]]), np.array([0, 1, 0, 1]), np.array([1.0, 1.0, 2.0, 0.0])
    >>> sorted(distinct(x, y, weight)[2].tolist())
    [1.0, 3.0]
    """
    kept = np.flatnonzero(weight)
    if kept.size < len(x):
        x, y, weight = x[kept], y[kept], weight[kept]
    x = x + np.zeros((), x.dtype)  # makes -0.0 the same as 0.0
    key = _keys(x) ^ (_keys(y) * np.uint64(0xD6E8FEB86659FD93))
    order = np.argsort(key, kind="stable")
    starts = np.flatnonzero(np.concatenate([[True], np.diff(key[order]) != 0]))
    merged = x[order[starts]], y[order[starts]], np.add.reduceat(weight[order], starts)
    if starts.size < order.size:
        group = np.repeat(np.arange(starts.size), np.diff([*starts, order.size]))
        if (merged[0][group] != x[order]).any() or (merged[1][group] != y[order]).any():
            return x, y, weight  # two rows of one key: in one of 10^7 data sets of a million rows
    return merged


def _keys(array: Shaped[np.ndarray, "rows *rest"]) -> UInt64[np.ndarray, " rows"]:
    """A hash of each row's bits: every word is stirred, then they are added up in random proportions."""
    table = np.ascontiguousarray(array).reshape(len(array), -1)
    words = table.view(np.uint32 if table.itemsize == 4 else np.uint64)
    proportions = np.random.default_rng(0).integers(0, 2**64, words.shape[1], np.uint64) | np.uint64(1)
    found = np.empty(len(words), np.uint64)
    for start in range(0, len(words), HASHED_AT_ONCE):
        block = words[start : start + HASHED_AT_ONCE].astype(np.uint64)
        block = (block ^ (block >> np.uint64(32))) * np.uint64(0x9E3779B97F4A7C15)
        block ^= block >> np.uint64(29)
        found[start : start + HASHED_AT_ONCE] = (block * proportions).sum(axis=1)
    return found


def minimize(fitting: Fitting, tol: float, most: int) -> tuple[int, bool]:
    """L-BFGS until no component of the gradient exceeds `tol`, for at most `most` iterations.

    Also where single precision tells no further progress. Returns the iterations made, and whether
    that was the end rather than their bound.
    """
    done, before = 0, float("inf")
    while done < most and fitting.running:
        done += len(fitting.advance(min(STRIDE, most - done)))
        value = fitting.value
        if fitting.slope <= tol or not value < before:
            return done, True
        before = value
    return done, False
