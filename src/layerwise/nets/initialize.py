"""Initial weights: the variance that keeps signals of equal size through the layers.

With n_in inputs and n_out outputs, a normal distribution of variance
    He 2015       2 / n_in             for ReLU and its kin
    Glorot 2010   2 / (n_in + n_out)   for sigmoid, tanh and linear units
    LeCun 1998    1 / n_in
cut off at two standard deviations; "orthogonal" (Saxe 2014) is a random rotation, "uniform" is
U(-1/sqrt(n_in), 1/sqrt(n_in)), "zeros" shows why symmetry must be broken. Biases start at zero,
but for "uniform", which draws them from the same range.
"""

import math

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

from layerwise.recipe import records as r


def for_activation(activation: r.Activation) -> r.Initialization:
    """The initialization that suits an activation, for recipes that say "auto"."""
    match activation:
        case r.Relu() | r.LeakyRelu() | r.NoisyRelu() | r.Elu() | r.Gelu() | r.Silu() | r.Softplus():
            return "he"
        case _:
            return "glorot"


def initial(
    kind: r.Initialization, key: PRNGKeyArray, outputs: int, inputs: int
) -> tuple[Float[Array, "outputs inputs"], Float[Array, " outputs"]]:
    """A layer's weights, one row a unit, and its biases. `kind` is not "auto"."""
    shape = (outputs, inputs)
    bias = jnp.zeros(outputs)
    match kind:
        case "he":
            return _normal(key, shape, 2 / inputs), bias
        case "glorot" | "auto":
            return _normal(key, shape, 2 / (inputs + outputs)), bias
        case "lecun":
            return _normal(key, shape, 1 / inputs), bias
        case "orthogonal":
            return jax.nn.initializers.orthogonal()(key, shape, jnp.float32), bias
        case "uniform":
            bound = 1 / math.sqrt(inputs)
            weights, biases = jax.random.split(key)
            return (
                jax.random.uniform(weights, shape, minval=-bound, maxval=bound),
                jax.random.uniform(biases, (outputs,), minval=-bound, maxval=bound),
            )
        case "zeros":
            return jnp.zeros(shape), bias


def _normal(key: PRNGKeyArray, shape: tuple[int, int], variance: float) -> Float[Array, "outputs inputs"]:
    # 0.8796 is the standard deviation of a unit normal cut off at two: dividing by it restores the variance.
    return jax.random.truncated_normal(key, -2, 2, shape) * (math.sqrt(variance) / 0.87962566103423978)
