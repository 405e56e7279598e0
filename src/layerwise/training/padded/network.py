"""Forward and backward through the layers that there are; the chain rule is written out.

Training works on rows x units: of a handful of rows, each fills a vector register with its units. What is
only looked at works on units x points: of many points, every unit fills as many registers as it needs.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from layerwise.nets import noise
from layerwise.training.padded.records import NARROW, Parameters, Rows, Settings, Shape, together


class Draw(NamedTuple):
    """What is random in training: a key of the step, and which row of the batch the first one is."""

    key: noise.Key
    first: Int[Array, ""]
    rate: Float[Array, ""]


def activated(
    kind: Int[Array, ""],
    slope: Float[Array, ""],
    z: Float[Array, "rows units"],
    unit: Callable[[], Float[Array, "rows units"]],
) -> tuple[Float[Array, "rows units"], Float[Array, "rows units"]]:
    """g(z) and g'(z) of the activation with number `kind`; `unit` draws a noisy ReLU's unit noise."""

    def sigmoid(z: Array) -> tuple[Array, Array]:
        s = jax.nn.sigmoid(z)
        return s, s * (1 - s)

    def elu(z: Array) -> tuple[Array, Array]:
        grown = slope * jnp.expm1(jnp.minimum(z, 0))
        return jnp.where(z > 0, z, grown), jnp.where(z > 0, 1.0, grown + slope)

    def silu(z: Array) -> tuple[Array, Array]:
        s = jax.nn.sigmoid(z)
        return z * s, s + z * s * (1 - s)

    def gelu(z: Array) -> tuple[Array, Array]:
        density = jnp.exp(-0.5 * z * z) * np.float32(1 / np.sqrt(2 * np.pi))
        below = 0.5 * (1 + jax.lax.erf(z * np.float32(1 / np.sqrt(2))))
        return z * below, below + z * density

    def noisy(z: Array) -> tuple[Array, Array]:
        shifted = z + jnp.sqrt(jax.nn.sigmoid(z)) * unit()
        return jnp.maximum(shifted, 0), _positive(shifted)

    branches = (
        lambda z: (jnp.tanh(z), 1 - jnp.square(jnp.tanh(z))),
        sigmoid,
        lambda z: (jnp.maximum(z, 0), _positive(z)),
        lambda z: (jnp.where(z > 0, z, slope * z), jnp.where(z > 0, 1.0, slope)),
        lambda z: (z, jnp.ones_like(z)),
        elu,
        silu,
        lambda z: (jnp.maximum(z, 0) + jnp.log1p(jnp.exp(-jnp.abs(z))), jax.nn.sigmoid(z)),
        gelu,
        noisy,
        lambda z: (_positive(z), jnp.zeros_like(z)),
    )
    found: tuple[Array, Array] = jax.lax.switch(kind, branches, z)
    return found


def _positive(z: Array) -> Array:
    return (z > 0).astype(z.dtype)


def product(a: Float[Array, "rows inner"], b: Float[Array, "inner columns"]) -> Float[Array, "rows columns"]:
    """a b. Of few terms, the sum written out is three times as fast as XLA's own loop."""
    if b.shape[0] > NARROW:
        return a @ b
    total = a[:, 0, None] * b[0]
    for k in range(1, b.shape[0]):
        total = total + a[:, k, None] * b[k]
    return total


def forward(
    parameters: Parameters, number: Int[Array, ""] | int, h: Float[Array, "rows units"]
) -> Float[Array, "rows units"]:
    """W h + b of a layer in training."""
    return product(h, _at(parameters.weight, number).T) + _at(parameters.bias, number)


def training_layer(
    parameters: Parameters, shape: Shape, number: Int[Array, ""], h: Float[Array, "rows units"], draw: Draw
) -> tuple[Float[Array, "rows units"], Float[Array, "rows units"]]:
    """What a hidden layer in training makes of its inputs, and its slopes, dropout in both."""
    z = forward(parameters, number, h)
    kept = jnp.broadcast_to(_at(shape.units, number), z.shape)
    own, first = 2 * (number + 1), draw.first

    def unit() -> Array:
        return noise.normal(noise.stream(draw.key, own + 1), z.shape, first)

    def dropped(kept: Array) -> Array:
        stays = noise.uniform(noise.stream(draw.key, own + 2), z.shape, first) >= draw.rate
        return jnp.asarray(kept * stays / (1 - draw.rate))

    g, d = activated(_at(shape.kinds, number), _at(shape.slopes, number), z, unit)
    kept = jax.lax.cond(draw.rate > 0, dropped, lambda kept: kept, kept)
    return g * kept, d * kept


def sums(
    parameters: Parameters, number: Int[Array, ""] | int, h: Float[Array, "units points"]
) -> Float[Array, "units points"]:
    """W h + b of a layer that is looked at."""
    return product(_at(parameters.weight, number), h) + _at(parameters.bias, number)[:, None]


def layer(
    parameters: Parameters, shape: Shape, number: Int[Array, ""], h: Float[Array, "units points"]
) -> Float[Array, "units points"]:
    """What a hidden layer makes of its inputs, no dropout, no noise."""
    z = sums(parameters, number, h)
    g, _ = activated(_at(shape.kinds, number), _at(shape.slopes, number), z, lambda: jnp.zeros_like(z))
    return g * _at(shape.units, number)[:, None]


def outputs(parameters: Parameters, shape: Shape, x: Float[Array, "units points"]) -> Float[Array, "units points"]:
    """The network's outputs before their link, no dropout, no noise."""
    last: Array = jax.lax.fori_loop(0, shape.depth, lambda n, h: layer(parameters, shape, n, h), x)
    return sums(parameters, -1, last)


def losses(
    settings: Settings, there: Float[Array, " units"], z: Float[Array, "a b"], y: Float[Array, "a b"], units: int = 1
) -> tuple[Float[Array, " rows"], Float[Array, "a b"]]:
    """The loss of each example, and its derivative by the outputs before their link.

    `there` are real outputs, `units` is the axis along which they lie.
    """
    e, count = settings.hyper.label_smoothing, there.sum()
    there = jnp.expand_dims(there, 1 - units)

    def over_outputs(each: Array, slope: Array) -> tuple[Array, Array]:
        return (each * there).sum(axis=units) / count, slope * there / count

    def binary(z: Array) -> tuple[Array, Array]:
        target = y * (1 - e) + e / 2
        soft = jnp.maximum(z, 0) + jnp.log1p(jnp.exp(-jnp.abs(z)))
        return over_outputs(soft - z * target, jax.nn.sigmoid(z) - target)

    def classes(z: Array) -> tuple[Array, Array]:
        target = (y * (1 - e) + e / count) * there
        top = jnp.where(there > 0, z, -jnp.inf).max(axis=units, keepdims=True)
        powers = jnp.exp(jnp.where(there > 0, z - top, -jnp.inf))
        total = powers.sum(axis=units, keepdims=True)
        each = (jnp.log(total) + top).squeeze(units) - (z * target).sum(axis=units)
        return each, powers / total - target

    def huber(z: Array) -> tuple[Array, Array]:
        off, delta = z - y, settings.hyper.delta
        inside = jnp.minimum(jnp.abs(off), delta)
        return over_outputs(inside * (jnp.abs(off) - inside / 2), jnp.clip(off, -delta, delta))

    branches = (
        binary,
        classes,
        lambda z: over_outputs(jnp.square(z - y), 2 * (z - y)),
        lambda z: over_outputs(jnp.abs(z - y), jnp.sign(z - y)),
        huber,
    )
    found: tuple[Array, Array] = jax.lax.switch(settings.loss, branches, z)
    return found


class _Sweep(NamedTuple):
    """A forward pass under way: the inputs and slopes of the layers so far."""

    inputs: Float[Array, "layers rows units"]
    slopes: Float[Array, "layers rows units"]
    h: Float[Array, "rows units"]


def gradient(
    parameters: Parameters, shape: Shape, settings: Settings, rows: Rows, first: Int[Array, ""], key: noise.Key
) -> Parameters:
    """dE/dw of a batch's mean loss, by the chain rule, a few rows at a time so that no work goes into padding.

    The batch are the `settings.batch_size` of the rows from `first` on.
    """
    layers, width = shape.units.shape
    size, last = together(width), parameters.weight.shape[0] - 1

    def some(i: Array, carry: tuple[Parameters, Array]) -> tuple[Parameters, Array]:
        found, heavy = carry
        begin = i * size
        x, y, weight = (jax.lax.dynamic_slice_in_dim(part, first + begin, size) for part in rows)
        real = jnp.where(begin + jnp.arange(size) < settings.batch_size, weight, 0.0)
        draw = Draw(key, begin, settings.hyper.dropout)

        def on(number: Array, sweep: _Sweep) -> _Sweep:
            g, d = training_layer(parameters, shape, number, sweep.h, draw)
            return _Sweep(_put(sweep.inputs, sweep.h, number), _put(sweep.slopes, d, number), g)

        empty = jnp.zeros((layers, size, width))
        done = jax.lax.fori_loop(0, shape.depth, on, _Sweep(empty, empty, x))
        z = forward(parameters, last, done.h)
        error = losses(settings, shape.outputs, z, y)[1] * real[:, None]
        found = _add(found, last, error, done.h)

        def back(n: Array, carry: tuple[Parameters, Array]) -> tuple[Parameters, Array]:
            found, error = carry
            number = shape.depth - 1 - n
            error = error * _at(done.slopes, number)
            return _add(found, number, error, _at(done.inputs, number)), product(error, _at(parameters.weight, number))

        found, _ = jax.lax.fori_loop(0, shape.depth, back, (found, product(error, parameters.weight[last])))
        return found, heavy + real.sum()

    chunks = (settings.batch_size + size - 1) // size
    zeros = jax.tree.map(jnp.zeros_like, parameters)
    found, heavy = jax.lax.fori_loop(0, chunks, some, (zeros, jnp.float32(0)))
    heavy = jnp.maximum(heavy, 1e-12)
    return Parameters(*(part / heavy for part in found))


def _at(stack: Array, number: Array | int) -> Array:
    if isinstance(number, int):
        return stack[number]
    found: Array = jax.lax.dynamic_index_in_dim(stack, number, keepdims=False)
    return found


def _put(stack: Array, part: Array, number: Array | int) -> Array:
    changed: Array = jax.lax.dynamic_update_index_in_dim(stack, part, number, 0)
    return changed


def _add(found: Parameters, number: Array | int, error: Array, inputs: Array) -> Parameters:
    """With a layer's dW = error^T inputs and db = sum of errors added."""
    number = jnp.asarray(number)
    return Parameters(
        _put(found.weight, _at(found.weight, number) + error.T @ inputs, number),
        _put(found.bias, _at(found.bias, number) + error.sum(0), number),
    )
