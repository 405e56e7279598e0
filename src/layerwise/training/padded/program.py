"""The padded program: one update, many of them, and what every epoch came to."""

from functools import lru_cache, partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from layerwise.nets import noise
from layerwise.training.kept import Kept
from layerwise.training.optimizer import rate_factor
from layerwise.training.padded.network import gradient, losses, outputs
from layerwise.training.padded.records import (
    BATCH,
    CHUNK,
    DIVERGED,
    EPOCHS_A_CALL,
    FINISHED,
    RUNNING,
    SCHEDULES,
    STANDARD,
    STOPPED_EARLY,
    History,
    Law,
    Parameters,
    Point,
    Room,
    Rows,
    Settings,
    Shape,
    State,
    Table,
    together,
)
from layerwise.training.shuffle import shuffled


def step(now: Point, shape: Shape, settings: Settings, rows: Rows, first: Array, rate: Array, key: noise.Key) -> Point:
    """One update on the batch of the rows from `first` on."""
    weight = now.parameters.weight
    found = gradient(now.parameters, shape, settings, rows, first, key)
    found = found._replace(weight=found.weight + settings.hyper.l2 * weight + settings.hyper.l1 * jnp.sign(weight))
    parameters, m, v = updated(now, settings.law, found, rate)
    shrunk = parameters.weight - rate * settings.hyper.weight_decay * weight
    return Point(parameters._replace(weight=shrunk), m, v, now.updates + 1, now.step + 1)


def updated(
    now: Point, law: Law, gradient: Parameters, rate: Float[Array, ""]
) -> tuple[Parameters, Parameters, Parameters]:
    """The parameters and both moments after one update."""
    t = (now.updates + 1).astype(jnp.float32)
    corrected = law.division == 2
    by_m = jnp.where(corrected, 1 / (1 - law.m_keep**t), 1.0)
    by_v = jnp.where(corrected, 1 / (1 - law.v_keep**t), 1.0)

    def one(p: Array, g: Array, m: Array, v: Array) -> tuple[Array, Array, Array]:
        new_m, new_v = law.m_keep * m + law.m_take * g, law.v_keep * v + law.v_take * g * g
        d = law.from_old * m + law.from_new * by_m * new_m + law.from_g * g
        branches = (
            lambda d: d,
            lambda d: d * jnp.where(new_v > 0, jax.lax.rsqrt(new_v + law.epsilon), 0.0),
            lambda d: d / (jnp.sqrt(new_v * by_v) + law.epsilon),
            jnp.sign,
        )
        return p - rate * jax.lax.switch(law.division, branches, d), new_m, new_v

    weight = one(now.parameters.weight, gradient.weight, now.m.weight, now.v.weight)
    bias = one(now.parameters.bias, gradient.bias, now.m.bias, now.v.bias)
    p, m, v = (Parameters(a, b) for a, b in zip(weight, bias, strict=True))
    return p, m, v


# ── many steps ──────────────────────────────────────────────────────────────────────────────────


class _Carry(NamedTuple):
    state: State
    history: History
    done: Int[Array, ""]


def advance_purely(
    state: State, shape: Shape, settings: Settings, table: Table, seed: noise.Key, limit: Int[Array, ""]
) -> tuple[State, History]:
    """Train for up to `limit` steps; to be compiled, or stacked as lanes. How long a call is changes nothing."""
    order_key, step_key = noise.stream(seed, 1), noise.stream(seed, 2)
    batch = settings.batch_size
    per_epoch = (table.train_rows + batch - 1) // batch

    def one_step(rows: Rows, i: Array, now: Point) -> Point:
        rate = settings.hyper.learning_rate * _scheduled(settings, now.step, per_epoch)
        return step(now, shape, settings, rows, i * batch, rate, noise.stream(step_key, now.step))

    def some_steps(carry: _Carry) -> _Carry:
        epoch, base = carry.state.now.step // per_epoch, carry.state.now.step % per_epoch
        count = jnp.minimum(jnp.minimum(per_epoch - base, BATCH // batch), limit - carry.done)
        rows = _gathered(table, noise.stream(order_key, epoch), base * batch)
        now = jax.lax.fori_loop(0, count, partial(one_step, rows), carry.state.now)
        carry = _Carry(carry.state._replace(now=now), carry.history, carry.done + count)
        ended = base + count == per_epoch
        # A loop of one round or none, as in the plain program: `cond` would copy the state.
        after: _Carry = jax.lax.fori_loop(
            0, ended.astype(jnp.int32), lambda _, c: _end_epoch(shape, settings, table, ended, per_epoch, c), carry
        )
        return after

    def more(carry: _Carry) -> Array:
        return (carry.done < limit) & (carry.state.status == RUNNING) & (carry.history.rows < EPOCHS_A_CALL)

    empty = History(
        jnp.int32(0),
        jnp.zeros(EPOCHS_A_CALL, jnp.int32),
        jnp.full((EPOCHS_A_CALL, 2), jnp.nan),
        jnp.full((EPOCHS_A_CALL, 2), jnp.nan),
        jnp.zeros(EPOCHS_A_CALL, bool),
    )
    carry = jax.lax.while_loop(more, some_steps, _Carry(state, empty, jnp.int32(0)))
    return carry.state, carry.history


def _scheduled(settings: Settings, step: Array, per_epoch: Array) -> Array:
    """The factor of the schedule with number `settings.schedule`."""
    branches = [partial(lambda kind, s: rate_factor(kind, s, per_epoch, settings.hyper), kind) for kind in SCHEDULES]
    factor: Array = jax.lax.switch(settings.schedule, branches, step)
    return factor


def _gathered(table: Table, order: noise.Key, first: Array) -> Rows:
    """The next rows in the epoch's order, as many as the largest batch; some more, so that its end can be looked at."""
    size = BATCH + together(table.x.shape[1])
    rows = shuffled(order, first, size, table.train_rows)
    there = first + jnp.arange(size, dtype=jnp.int32) < table.train_rows
    return Rows(_take(table.x, rows), _take(table.y, rows), jnp.where(there, _take(table.weight, rows), 0.0))


def _take(array: Array, rows: Array) -> Array:
    return array.at[rows].get(mode="promise_in_bounds")


def _end_epoch(shape: Shape, settings: Settings, table: Table, ended: Array, per_epoch: Array, carry: _Carry) -> _Carry:
    """Evaluate both parts, keep the best, count patience; what is not finite goes back to the last good epoch."""
    state, now = carry.state, carry.state.now
    train, held_out = evaluate(now.parameters, shape, settings, table, ended)
    sound = jnp.isfinite(train[0]) & jnp.all(jnp.isfinite(now.parameters.weight))
    value = jnp.where(table.validation_rows > 0, held_out[0], train[0])
    better = sound & (value < state.best_value)
    # Until an epoch was evaluated nothing can have been improved upon.
    aim = jnp.where(jnp.isfinite(state.best_value), state.best_value * (1 - settings.hyper.tolerance), jnp.inf)
    waited = jnp.where(value < aim, 0, state.waited + 1)
    over = jnp.where(now.step // per_epoch >= settings.hyper.epochs, jnp.int32(FINISHED), jnp.int32(RUNNING))
    stop = (settings.hyper.patience > 0) & (waited >= settings.hyper.patience) & (over == RUNNING)

    def either(new: Point, old: Point) -> Point:
        chosen: Point = jax.tree.map(lambda a, b: jnp.where(sound, a, b), new, old)
        return chosen

    kept = either(now, state.good)
    history, row = carry.history, carry.history.rows
    return carry._replace(
        state=State(
            now=kept,
            good=kept,
            best=jax.tree.map(lambda a, b: jnp.where(better, a, b), now.parameters, state.best),
            best_value=jnp.where(better, value, state.best_value),
            best_step=jnp.where(better, now.step, state.best_step),
            waited=waited,
            status=jnp.where(sound, jnp.where(stop, STOPPED_EARLY, over), DIVERGED),
        ),
        history=History(
            row + 1,
            history.step.at[row].set(now.step),
            history.train.at[row].set(train),
            history.validation.at[row].set(held_out),
            history.best.at[row].set(better),
        ),
    )


def evaluate(
    parameters: Parameters, shape: Shape, settings: Settings, table: Table, ended: Array
) -> Float[Array, "2 2"]:
    """Mean loss, and accuracy or R2, of the training and of the validation part; NaN where there are no rows."""
    counts = jnp.stack([table.train_rows, table.validation_rows])
    width = table.x_columns.shape[0]

    def some(first: Array, end: Array, i: Array, sums: tuple[Array, Array, Array]) -> tuple[Array, Array, Array]:
        begin = first + i * CHUNK
        at = jnp.minimum(begin, table.x_columns.shape[1] - CHUNK)  # the last ones may be looked at twice
        place = at + jnp.arange(CHUNK)
        real = (place >= begin) & (place < end)
        x, y = (jax.lax.dynamic_slice_in_dim(part, at, CHUNK, axis=1) for part in (table.x_columns, table.y_columns))
        heavy = jnp.where(real, jax.lax.dynamic_slice_in_dim(table.weight, at, CHUNK), 0.0)
        z = outputs(parameters, shape, x)
        each, _ = losses(settings, shape.outputs, z, y, units=0)
        score = jnp.where(real, _scores(settings, shape.outputs, z, y), 0.0)
        loss, scores, weight = sums
        return loss + heavy * each, scores + score, weight + heavy

    def of_part(part: Array, found: tuple[Array, Array]) -> tuple[Array, Array]:
        # Sums are kept for each place of a chunk, and added up once.
        first, count = jnp.where(part == 0, 0, table.train_rows), counts[part]
        zeros = (jnp.zeros(CHUNK), jnp.zeros((width, CHUNK)), jnp.zeros(CHUNK))
        chunks = jnp.where(ended, (count + CHUNK - 1) // CHUNK, 0)
        loss, scores, weight = jax.lax.fori_loop(0, chunks, partial(some, first, first + count), zeros)
        mean, by_output = found
        return mean.at[part].set(loss.sum() / weight.sum()), by_output.at[part].set(scores.sum(axis=1))

    loss, scores = jax.lax.fori_loop(0, 2, of_part, (jnp.zeros(2), jnp.zeros((2, width))))
    count = counts[:, None].astype(jnp.float32)
    each = jnp.where(settings.loss < 2, scores / count, 1 - scores / jnp.maximum(table.spread, 1e-12))
    # One figure of several classes stands in the first place; else every output has its own.
    figures = jnp.where(settings.loss == 1, 1, shape.outputs.sum())
    return jnp.stack([loss, (each * shape.outputs).sum(axis=1) / figures], axis=1)


def _scores(
    settings: Settings, there: Float[Array, " units"], z: Float[Array, "units rows"], y: Float[Array, "units rows"]
) -> Float[Array, "units rows"]:
    """What is summed up for the figure: 1 where right, of several classes in the first place, or squares of errors."""

    def picked(values: Array) -> Array:
        """The place of the largest of the outputs that are there, the first of equals."""
        known = jnp.where(there[:, None] > 0, values, -jnp.inf)
        places = jnp.where(known == known.max(axis=0), jnp.arange(len(there))[:, None], len(there))
        return places.min(axis=0)

    branches = (
        lambda z: ((z > 0) == (y > 0.5)).astype(jnp.float32),
        lambda z: jnp.zeros_like(z).at[0].set(picked(z) == picked(y)),
        lambda z: jnp.square(z - y),
    )
    found: Array = jax.lax.switch(jnp.minimum(settings.loss, 2), branches, z)
    return found


def _figures(parameters: Parameters, shape: Shape, settings: Settings, table: Table) -> Float[Array, " 4"]:
    return evaluate(parameters, shape, settings, table, jnp.bool_(True)).reshape(4)


@lru_cache
def figures(room: Room = STANDARD) -> Kept:
    """What `evaluate` says of any parameters between two epochs: training loss and figure, validation loss and figure.

    Compiled for arrays of a room and kept on disk; it takes parameters, shape, settings and table.
    """
    return Kept(_figures, tiny=room.narrow)


@lru_cache
def compiled(room: Room = STANDARD) -> Kept:
    """`advance_purely`, compiled for arrays of a room and kept on disk; the state is donated."""
    return Kept(advance_purely, tiny=room.narrow, donated=0)
