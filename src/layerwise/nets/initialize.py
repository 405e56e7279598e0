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

import numpy as np
from jaxtyping import Float32

from layerwise.recipe import records as r


def for_activation(activation: r.Activation) -> r.Initialization:
    """The initialization that suits an activation, for recipes that say "auto"."""
    match activation:
        case r.Relu() | r.LeakyRelu() | r.NoisyRelu() | r.Elu() | r.Gelu() | r.Silu() | r.Softplus():
            return "he"
        case _:
            return "glorot"


def initial(
    kind: r.Initialization, random: np.random.Generator, outputs: int, inputs: int
) -> tuple[Float32[np.ndarray, "outputs inputs"], Float32[np.ndarray, " outputs"]]:
    """A layer's weights, one row a unit, and its biases; "auto" is Glorot's.

    Drawn by NumPy, on the host: it happens once, and a compiled program for it would cost more.
    """
    shape = (outputs, inputs)
    bias = np.zeros(outputs, np.float32)
    match kind:
        case "he":
            return _normal(random, shape, 2 / inputs), bias
        case "glorot" | "auto":
            return _normal(random, shape, 2 / (inputs + outputs)), bias
        case "lecun":
            return _normal(random, shape, 1 / inputs), bias
        case "orthogonal":
            return _orthogonal(random, shape), bias
        case "uniform":
            bound = 1 / math.sqrt(inputs)
            weights = random.uniform(-bound, bound, shape).astype(np.float32)
            return weights, random.uniform(-bound, bound, outputs).astype(np.float32)
        case "zeros":
            return np.zeros(shape, np.float32), bias


def _normal(
    random: np.random.Generator, shape: tuple[int, int], variance: float
) -> Float32[np.ndarray, "rows columns"]:
    drawn = random.standard_normal(shape, np.float32)
    while (outside := np.abs(drawn) > 2).any():
        drawn[outside] = random.standard_normal(int(outside.sum()), np.float32)
    # 0.8796 is the standard deviation of a unit normal cut off at two: dividing by it restores the variance.
    return drawn * np.float32(math.sqrt(variance) / 0.87962566103423978)


def _orthogonal(random: np.random.Generator, shape: tuple[int, int]) -> Float32[np.ndarray, "rows columns"]:
    """Rows (or, where there are more rows than columns, columns) of length one at right angles."""
    tall = random.standard_normal((max(shape), min(shape)))
    q, triangle = np.linalg.qr(tall)
    q *= np.sign(np.diag(triangle))  # without the signs, some rotations would be likelier than others
    return np.ascontiguousarray(q if shape[0] >= shape[1] else q.T, np.float32)
