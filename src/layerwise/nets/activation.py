"""The activation functions, by recipe record.

>>> import jax.numpy as jnp
>>> from layerwise.recipe import records
>>> activate(records.LeakyRelu(slope=0.1), jnp.array([-1.0, 2.0])).tolist()
[-0.10000000149011612, 2.0]
"""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from layerwise.nets import noise
from layerwise.recipe import records as r


def activate(kind: r.Activation, z: Float[Array, "*shape"], key: noise.Key | None = None) -> Float[Array, "*shape"]:
    """g(z), elementwise. `key` is given while training; only the noisy ReLU draws from it."""
    match kind:
        case r.Sigmoid():
            return jax.nn.sigmoid(z)
        case r.Tanh():
            return jnp.tanh(z)
        case r.Relu():
            return jax.nn.relu(z)
        case r.LeakyRelu(slope=slope):
            return jnp.where(z > 0, z, slope * z)
        case r.NoisyRelu():
            return jax.nn.relu(z) if key is None else noisy_relu(z, key)
        case r.Elu(alpha=alpha):
            return jax.nn.elu(z, alpha)
        case r.Gelu():
            return jax.nn.gelu(z, approximate=False)
        case r.Silu():
            return jax.nn.silu(z)
        case r.Softplus():
            return jax.nn.softplus(z)
        case r.Linear():
            return z
        case r.Step():
            return (z > 0).astype(z.dtype)


def noisy_relu(z: Float[Array, "*shape"], key: noise.Key) -> Float[Array, "*shape"]:
    """max(0, z + e) with e ~ N(0, sigmoid(z)), sigmoid(z) being the variance (Nair & Hinton 2010).

    The noise is treated as a constant in the derivative, which is then 1 where the sum is positive.
    """
    deviation = jnp.sqrt(jax.nn.sigmoid(jax.lax.stop_gradient(z)))
    return jax.nn.relu(z + deviation * noise.normal(key, z.shape))
