"""Random numbers inside compiled programs: a counter, hashed.

A draw is a pure function of (key, position), computed element by element inside whatever consumes
it. JAX's own Threefry costs a 64-128-64-10 network with dropout 150 us a step, twice the step itself;
this costs a few. It is meant for dropout, noise and shuffling, not for secrets.

The hash is the 32-bit finalizer with two multiplications that C. Wellons found by search for the
lowest bias ("lowbias32", 2018); a value goes through it twice, keyed differently.
"""

import math

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float32, Int, UInt32

Key = UInt32[Array, "2"]
GOLDEN = 0x9E3779B9  # 2^32 / 1.618...


def key(seed: int) -> Key:
    """The key of a seed, 0 <= seed < 2^32."""
    pair: Key = jax.device_put(np.array([seed, seed ^ 0x6A09E667], np.uint32))  # jax.numpy would compile a program
    return pair


def stream(parent: Key, number: Int[Array, ""] | UInt32[Array, ""] | int) -> Key:
    """The `number`-th independent key below `parent`."""
    n = jnp.asarray(number).astype(jnp.uint32)
    first = mix(parent[0] ^ mix(n + jnp.uint32(0x9E3779B9)))
    return jnp.stack([first, mix(parent[1] + mix(n ^ jnp.uint32(0xBB67AE85)) + first)])


def bits(key: Key, shape: tuple[int, ...], first: Int[Array, ""] | int = 0) -> UInt32[Array, "*shape"]:
    """32 random bits a value, for the rows from `first` on.

    A value depends on its row and column alone, not on how many columns there are, so that a layer
    padded with units that do nothing draws what it would draw without them. Rows are a golden section of
    2^32 apart: their columns meet only beyond 10^9 values.
    """
    *leading, columns = shape if shape else (1,)
    row = (jax.lax.iota(jnp.uint32, math.prod(leading)) + jnp.asarray(first).astype(jnp.uint32)) * jnp.uint32(GOLDEN)
    counter = (row[:, None] + jax.lax.iota(jnp.uint32, columns)).reshape(shape)
    return mix(mix(counter + key[0]) ^ key[1])


def uniform(key: Key, shape: tuple[int, ...], first: Int[Array, ""] | int = 0) -> Float32[Array, "*shape"]:
    """Uniform on the open interval (0, 1), in steps of 2^-23."""
    upper: Float32[Array, "*shape"] = (bits(key, shape, first) >> 9).astype(jnp.float32)
    return (upper + 0.5) * 2.0**-23


def normal(key: Key, shape: tuple[int, ...], first: Int[Array, ""] | int = 0) -> Float32[Array, "*shape"]:
    """Standard normal, by the inverse of the distribution function."""
    return math.sqrt(2) * jax.lax.erf_inv(2 * uniform(key, shape, first) - 1)


def mix(x: UInt32[Array, "*shape"]) -> UInt32[Array, "*shape"]:
    """A bijection of the 32-bit numbers under which every bit depends on every other."""
    x = (x ^ (x >> 16)) * jnp.uint32(0x7FEB352D)
    x = (x ^ (x >> 15)) * jnp.uint32(0x846CA68B)
    return x ^ (x >> 16)
