"""The training loop as one compiled program.

`advance` runs up to `limit` steps; validation, best weights, patience and the guard against
divergence live inside, because a tiny network trains many epochs in the time of one call. How long
a call is never changes a result: the number of steps is traced, and everything random follows from
(seed, step).
"""

import math
from collections.abc import Callable
from functools import lru_cache, partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, Int32, Shaped

from layerwise.nets import noise
from layerwise.nets.dense import MLP
from layerwise.tasks.objective import example_losses, figures, tally, watched
from layerwise.training.hyper import Hyper
from layerwise.training.kept import Kept
from layerwise.training.optimizer import rate_factor
from layerwise.training.shuffle import shuffled
from layerwise.training.step import Batch, Program, Weights, fresh, step

RUNNING, FINISHED, STOPPED_EARLY, DIVERGED, CONVERGED = range(5)
SEGMENT_BYTES = 1 << 19
EVALUATED_AT_ONCE = 1024
TINY_WORK = 40_000  # multiply-adds a step below which one kernel beats library calls (decision 0004)
EPOCHS_A_CALL = 256  # room in the history of one call


class Data(NamedTuple):
    """The arrays on the device; the parts are row numbers, padded with any valid row.

    `weight` is the weight of each row in the loss. `train_rows` and `validation_rows` count the rows
    that are not padding.
    """

    x: Float[Array, "rows inputs"]
    y: Shaped[Array, "rows *outputs"]
    weight: Float[Array, " rows"]
    train: Int32[Array, " padded"]
    train_rows: Int[Array, ""]
    validation: Int32[Array, " padded_too"]
    validation_rows: Int[Array, ""]


class State(NamedTuple):
    """All that training knows; a checkpoint is this and nothing else.

    `good` is the state after the last healthy epoch, gone back to on a non-finite loss. `best` are
    the weights that validated best, `best_value` their monitored value (lower is better) and
    `reference` the value that patience measures improvement against.
    """

    weights: Weights
    step: Int[Array, ""]
    loss: Float[Array, ""]  # sums over the current epoch
    weight: Float[Array, ""]
    good: Weights
    scale: Float[Array, ""]  # of the learning rate; halved at each rollback
    rollbacks: Int[Array, ""]
    best: MLP
    best_value: Float[Array, ""]
    best_epoch: Int[Array, ""]
    reference: Float[Array, ""]
    waited: Int[Array, ""]
    status: Int[Array, ""]


class History(NamedTuple):
    """What happened in one call, a row an epoch (or rollback); the first `rows` of them are filled."""

    rows: Int[Array, ""]
    step: Int[Array, " epochs"]
    loss: Float[Array, " epochs"]
    rate: Float[Array, " epochs"]
    best: Bool[Array, " epochs"]
    rolled_back: Bool[Array, " epochs"]
    validation: Float[Array, "epochs figures"]  # the loss, then as in `watched`


class _Carry(NamedTuple):
    state: State
    history: History
    done: Int[Array, ""]


def start(program: Program, network: MLP, hyper: Hyper) -> State:
    """The state before the first step."""
    state: State = _start(program, network, hyper)
    return state


def start_purely(program: Program, network: MLP, hyper: Hyper) -> State:
    """`start` itself, to be compiled."""
    weights = fresh(program, network, hyper)
    copy = partial(jax.tree.map, lambda leaf: jnp.array(leaf, leaf.dtype))
    infinity = jnp.float32(jnp.inf)
    zero = partial(jnp.zeros, (), jnp.int32)
    return State(
        weights=copy(weights),
        step=zero(),
        loss=jnp.zeros(()),
        weight=jnp.zeros(()),
        good=copy(weights),
        scale=jnp.ones(()),
        rollbacks=zero(),
        best=copy(weights.network),
        best_value=infinity + 0,
        best_epoch=zero(),
        reference=infinity + 0,
        waited=zero(),
        status=zero(),
    )


_start = Kept(start_purely, tiny=True, static=1)


def work(batch_size: int, network: MLP) -> int:
    """Multiply-adds of one step, about: each weight takes part in three products for each example."""
    return 3 * batch_size * sum(int(leaf.size) for leaf in jax.tree.leaves(network))


def advance(
    program: Program, state: State, data: Data, hyper: Hyper, seed: noise.Key, limit: int
) -> tuple[State, History]:
    """Train for up to `limit` steps; fewer where training ends or the history is full.

    `state` is donated: its buffers are dead afterwards.
    """
    found: tuple[State, History] = _compiled(work(program.batch_size, state.weights.network) < TINY_WORK)(
        program, state, data, hyper, seed, np.int32(limit)
    )
    return found


def advance_purely(
    program: Program, state: State, data: Data, hyper: Hyper, seed: noise.Key, limit: Int[Array, ""]
) -> tuple[State, History]:
    """`advance` itself, to be compiled, mapped or stacked; nothing is donated."""
    order_key, step_key = noise.stream(seed, 1), noise.stream(seed, 2)
    per_epoch = steps_per_epoch(data.train_rows, program.batch_size)
    segment = _segment(program.batch_size, data)

    def one_step(rows: Batch, i: Int[Array, ""], carry: State) -> State:
        batch = jax.tree.map(
            lambda a: jax.lax.dynamic_slice_in_dim(a, i * program.batch_size, program.batch_size), rows
        )
        rate = hyper.learning_rate * carry.scale * rate_factor(program.schedule, carry.step, per_epoch, hyper)
        weights, loss, weight = step(program, carry.weights, batch, hyper, rate, noise.stream(step_key, carry.step))
        return carry._replace(
            weights=weights, step=carry.step + 1, loss=carry.loss + loss, weight=carry.weight + weight
        )

    def some_steps(carry: _Carry) -> _Carry:
        epoch, base = carry.state.step // per_epoch, carry.state.step % per_epoch
        count = jnp.minimum(jnp.minimum(per_epoch - base, segment), limit - carry.done)
        rows = rows_of_epoch(
            program.batch_size, data, noise.stream(order_key, epoch), base, segment, shuffle=program.shuffle
        )
        state = jax.lax.fori_loop(0, count, partial(one_step, rows), carry.state)
        carry = _Carry(state, carry.history, carry.done + count)
        at_end = base + count == per_epoch
        healthy = jnp.isfinite(state.loss)
        sound = healthy & (~at_end | _finite(state.weights))
        ended = sound & at_end
        carry = _when(ended, partial(_end_epoch, program, data, hyper, per_epoch, ended), carry)
        return _when(~sound, partial(_roll_back, hyper, per_epoch), carry)

    def more(carry: _Carry) -> Bool[Array, ""]:
        room = carry.history.rows < EPOCHS_A_CALL
        return (carry.done < limit) & (carry.state.status == RUNNING) & room

    history = _empty_history(len(watched(program.objective)))
    carry = jax.lax.while_loop(more, some_steps, _Carry(state, history, jnp.int32(0)))
    return carry.state, carry.history


def _when(condition: Bool[Array, ""], change: Callable[[_Carry], _Carry], carry: _Carry) -> _Carry:
    """`change(carry)` where the condition holds, else `carry`.

    A loop of one round or none: XLA runs loops in place, where `cond` would copy the whole state.
    """
    changed: _Carry = jax.lax.fori_loop(0, condition.astype(jnp.int32), lambda _, c: change(c), carry)
    return changed


@lru_cache(maxsize=2)
def _compiled(tiny: bool) -> Kept:
    """`advance_purely`, compiled as suits the network's size and kept on disk; `state` is donated."""
    return Kept(advance_purely, tiny=tiny, static=1, donated=1)


def rows_of_epoch(
    batch_size: int, data: Data, order: noise.Key, first: Int[Array, ""], steps: int, *, shuffle: bool = True
) -> Batch:
    """The rows of `steps` steps from step `first` on, in the epoch's order; past its end they weigh nothing."""
    start = first % steps_per_epoch(data.train_rows, batch_size) * batch_size
    places = start + jnp.arange(steps * batch_size, dtype=jnp.int32)
    real = places < data.train_rows
    if shuffle:
        positions = shuffled(order, start, steps * batch_size, data.train_rows)
    else:
        positions = jnp.minimum(places, data.train_rows - 1)
    return _gather(data, _take(data.train, positions), real)


def _segment(batch_size: int, data: Data) -> int:
    """Steps whose rows are gathered at a time, in their shuffled order.

    Few enough bytes that XLA still takes the loop over them for a small one, but no fewer than 16
    steps, and no more than an epoch.
    """
    bytes_a_step = batch_size * (4 * math.prod(data.x.shape[1:]) + 4 * math.prod(data.y.shape[1:]) + 4)
    in_an_epoch = -(-data.train.shape[0] // batch_size)
    return min(max(SEGMENT_BYTES // bytes_a_step, 16), in_an_epoch)


def steps_per_epoch(rows: Int[Array, ""], batch_size: int) -> Int[Array, ""]:
    """The last, incomplete batch counts as a step."""
    return (rows + batch_size - 1) // batch_size


def _take(array: Shaped[Array, "rows *rest"], rows: Int32[Array, " some"]) -> Shaped[Array, "some *rest"]:
    return array.at[rows].get(mode="promise_in_bounds")


def _gather(data: Data, rows: Int32[Array, " batch"], real: Bool[Array, " batch"]) -> Batch:
    return Batch(_take(data.x, rows), _take(data.y, rows), jnp.where(real, _take(data.weight, rows), 0))


def _finite(tree: Weights) -> Bool[Array, ""]:
    leaves = [leaf for leaf in jax.tree.leaves(tree) if jnp.issubdtype(leaf.dtype, jnp.inexact)]
    # Side by side they are one kernel, which compiles faster than one for each.
    return jnp.all(jnp.isfinite(jnp.concatenate([leaf.ravel() for leaf in leaves])))


# ── at the end of an epoch ──────────────────────────────────────────────────────────────────────


def _end_epoch(
    program: Program, data: Data, hyper: Hyper, per_epoch: Int[Array, ""], ended: Bool[Array, ""], carry: _Carry
) -> _Carry:
    """Validate, keep the best, count patience, and make this the state to go back to."""
    state = carry.state
    epoch = state.step // per_epoch
    # What follows from the weights alone does not change in the loop that `_when` is, so XLA takes it out
    # and would validate after every segment: the count of rows says once more whether it is time.
    rows = jnp.where(ended, data.validation_rows, 0)
    found = evaluate(program, state.weights.network, data, data.validation, rows, hyper)
    names = watched(program.objective)
    monitored = found[names.index(program.monitor)]
    held_out = data.validation_rows > 0
    # Without a validation part nothing can be compared: the latest weights count as the best, and
    # patience, where it is asked for, looks at the training loss.
    value = jnp.where(held_out, monitored if program.monitor == "loss" else -monitored, state.loss / state.weight)
    better = (value < state.best_value) | ~held_out
    ahead = value < state.reference - hyper.tolerance * jnp.abs(
        jnp.where(jnp.isinf(state.reference), 0, state.reference)
    )
    waited = jnp.where(ahead, 0, state.waited + 1)
    # Typed, since a state of another type than `start` gives would compile the second call anew.
    status = jnp.where(epoch >= hyper.epochs, jnp.int32(FINISHED), jnp.int32(RUNNING))
    if program.objective.kind == "perceptron":
        # Rosenblatt's rule moves no weight any more once every training row is decided rightly.
        rows = jnp.where(ended, data.train_rows, 0)
        right = evaluate(program, state.weights.network, data, data.train, rows, hyper)
        status = jnp.where(right[names.index("accuracy")] == 1, CONVERGED, status)
    stop = (hyper.patience > 0) & (waited >= hyper.patience) & (status == RUNNING)
    rate = hyper.learning_rate * state.scale * rate_factor(program.schedule, state.step - 1, per_epoch, hyper)
    history = _record(
        carry.history, step=state.step, loss=state.loss / state.weight, rate=rate, best=better, validation=found
    )
    return carry._replace(
        state=state._replace(
            loss=jnp.zeros_like(state.loss),
            weight=jnp.zeros_like(state.weight),
            good=state.weights,
            best=jax.tree.map(lambda new, old: jnp.where(better, new, old), state.weights.network, state.best),
            best_value=jnp.where(better, value, state.best_value),
            best_epoch=jnp.where(better, epoch, state.best_epoch),
            reference=jnp.where(ahead, value, state.reference),
            waited=waited,
            status=jnp.where(stop, STOPPED_EARLY, status),
        ),
        history=history,
    )


def _roll_back(hyper: Hyper, per_epoch: Int[Array, ""], carry: _Carry) -> _Carry:
    """A non-finite loss: back to the last good state with half the rate; after `hyper.rollbacks`, give up."""
    state = carry.state
    given_up = state.rollbacks >= hyper.rollbacks
    scale = jnp.where(given_up, state.scale, state.scale / 2)
    history = _record(carry.history, step=state.step, rate=hyper.learning_rate * scale, rolled_back=jnp.bool_(True))
    return carry._replace(
        state=state._replace(
            weights=state.good,
            step=(state.step - 1) // per_epoch * per_epoch,
            loss=jnp.zeros_like(state.loss),
            weight=jnp.zeros_like(state.weight),
            scale=scale,
            rollbacks=state.rollbacks + 1,
            status=jnp.where(given_up, DIVERGED, state.status),
        ),
        history=history,
    )


def evaluate(
    program: Program, network: MLP, data: Data, rows: Int32[Array, " padded"], count: Int[Array, ""], hyper: Hyper
) -> Float[Array, " figures"]:
    """The loss and the watched figures over the first `count` of `rows`; NaN where there are none."""
    chunk = min(EVALUATED_AT_ONCE, rows.shape[0])
    # R2 does not depend on the origin, and far from it the sums of squares are not precise.
    origin = data.y[rows[0]] if program.objective.kind == "quantities" else 0

    def sums_of(i: Int[Array, ""]) -> dict[str, Array]:
        # The last chunk is moved back to fit; the rows it repeats count for nothing.
        first = jnp.minimum(i * chunk, rows.shape[0] - chunk)
        position = first + jnp.arange(chunk, dtype=jnp.int32)
        real = (position >= i * chunk) & (position < count)
        batch = _gather(data, jax.lax.dynamic_slice(rows, (first,), (chunk,)), real)
        outputs = network(batch.x)
        losses = example_losses(program.objective, outputs, batch.y, hyper.label_smoothing, hyper.delta)
        return {
            **tally(program.objective, outputs - origin, batch.y - origin, real.astype(jnp.float32)),
            "loss": jnp.sum(losses * batch.weight),
            "weight": jnp.sum(batch.weight),
        }

    zeros = jax.tree.map(lambda a: jnp.zeros(a.shape, a.dtype), jax.eval_shape(sums_of, jnp.int32(0)))
    chunks = (count + chunk - 1) // chunk
    sums = jax.lax.fori_loop(0, chunks, lambda i, s: jax.tree.map(jnp.add, s, sums_of(i)), zeros)
    found = {"loss": sums["loss"] / sums["weight"], **figures(program.objective, sums)}
    return jnp.stack([found[name] for name in watched(program.objective)])


# ── what a call reports ─────────────────────────────────────────────────────────────────────────


def _empty_history(figures: int) -> History:
    floats = partial(jnp.zeros, EPOCHS_A_CALL)
    return History(
        rows=jnp.int32(0),
        step=jnp.zeros(EPOCHS_A_CALL, jnp.int32),
        loss=floats(),
        rate=floats(),
        best=jnp.zeros(EPOCHS_A_CALL, bool),
        rolled_back=jnp.zeros(EPOCHS_A_CALL, bool),
        validation=jnp.full((EPOCHS_A_CALL, figures), jnp.nan),
    )


def _record(history: History, **row: Array) -> History:
    """`history` with one more row; what is not named stays empty."""
    filled = {name: getattr(history, name).at[history.rows].set(value) for name, value in row.items()}
    return history._replace(rows=history.rows + 1, **filled)
