"""The curvature of the loss at the solution: the largest eigenvalue of its Hessian, and the cut along it.

The Hessian H of n weights has n^2 entries, so it is never made: Lanczos' method (1950) needs only products
H v, and each of them is the derivative of the gradient along v (Pearlmutter 1994), no dearer than a few
gradients. After m products the extreme eigenvalues of a small tridiagonal matrix T approach those of H.

How curved a minimum is depends on how the network is written down: a ReLU network may be rescaled to any
curvature without changing what it computes (Dinh et al. 2017). It says how large a step training bears,
not by itself how well the network generalizes.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache, partial

import jax
import numpy as np
from jaxtyping import Float64

from layerwise.inspection.landscapes import loss_of, losses_over
from layerwise.inspection.samples import Sample, flat, mean_loss, shaped
from layerwise.nets.dense import MLP
from layerwise.recipe import records as r
from layerwise.tasks.objective import Objective
from layerwise.training.compile import options

TOLERANCE = 1e-3  # of the eigenvalue, that it may be off
VECTORS = 40  # of Lanczos' basis at most
MOST_BYTES = 1 << 30  # that the basis may take
LEAST = 10  # products at least, that no smaller eigenvalue is taken for the largest
RESTARTS = 6
CUT = 41  # points along the sharpest direction
RISE = 0.1  # by which the parabola of a cut rises at least

Vector = Float64[np.ndarray, " parameters"]


@dataclass(frozen=True)
class Curvature:
    """The Hessian of the mean loss at the solution, by its extreme eigenvalues.

    `largest` is within `error` of an eigenvalue, and no eigenvalue of the random vectors tried was larger;
    `converged` where that error is below a thousandth of it. `smallest` is an upper bound: where it is
    negative, the loss falls in some direction, so the solution is no minimum. `gradient` is the norm of
    the gradient, zero at a critical point. `losses` are those at `distances` along the sharpest
    direction, a unit vector in the space of all parameters, in which the loss has the `slope`.
    """

    examples: int
    loss: float
    gradient: float
    largest: float
    smallest: float
    error: float
    converged: bool
    products: int
    slope: float
    distances: Float64[np.ndarray, " points"]
    losses: Float64[np.ndarray, " points"]

    @property
    def parabola(self) -> Float64[np.ndarray, " points"]:
        """What the loss would be at `distances` with this curvature throughout, L + slope t + lambda t^2 / 2."""
        return self.loss + self.slope * self.distances + self.largest * self.distances**2 / 2


def curvature(network: MLP, objective: Objective, sample: Sample, seed: int = 0) -> Curvature:
    """The largest eigenvalue of the Hessian of the mean loss, by Lanczos' method from a random vector.

    Each new vector is made orthogonal to all earlier ones. Where the basis is full before the residual
    ||H v - lambda v|| is below a thousandth of the eigenvalue, it begins anew from the best vector.

    >>> from layerwise.inspection.samples import sample
    >>> from layerwise.inspection.subjects import subject
    >>> found = subject({"data": {"kind": "toy", "name": "plane", "n": 50}, "network": "linear"})
    >>> seen = curvature(found.network, found.objective, sample(found))
    >>> seen.converged, seen.products, bool(np.allclose(seen.losses, seen.parabola, atol=1e-5))
    (True, 3, True)
    """
    placed_network, placed_sample = jax.device_put((network, sample))
    multiply = partial(_product(objective), placed_network, placed_sample)
    gradient = np.zeros(flat(network).size)

    def product(vector: Vector) -> Vector:
        nonlocal gradient
        slope, curved = jax.device_get(multiply(shaped(vector, network)))
        gradient = flat(slope).astype(np.float64)
        return flat(curved).astype(np.float64)

    found = largest_eigenvalue(product, gradient.size, seed)
    loss = loss_of(objective, network, sample)
    rise = max(loss, RISE)
    flattest = 2 * rise / max(float(np.linalg.norm(flat(network))), 1.0) ** 2  # a cut is no longer than the weights
    reach = float(np.sqrt(2 * rise / max(found.value, flattest)))
    distances = np.linspace(-reach, reach, CUT)
    places = np.stack([distances, np.zeros(CUT)], axis=-1)[None]
    axes = np.stack([found.vector, np.zeros_like(found.vector)]).astype(np.float32)
    return Curvature(
        examples=sample.x.shape[0],
        loss=loss,
        gradient=float(np.linalg.norm(gradient)),
        largest=found.value,
        smallest=found.smallest,
        error=found.error,
        converged=found.converged,
        products=found.products,
        slope=float(gradient @ found.vector),
        distances=distances,
        losses=losses_over(objective, network, axes, places, sample)[0],
    )


@dataclass(frozen=True)
class Eigenvalue:
    """The largest eigenvalue with its unit vector; `error` bounds how far it is from an eigenvalue."""

    value: float
    vector: Vector
    smallest: float
    error: float
    converged: bool
    products: int


def largest_eigenvalue(product: Callable[[Vector], Vector], size: int, seed: int = 0) -> Eigenvalue:
    """The largest eigenvalue of a symmetric matrix that is known by its products with vectors.

    >>> diagonal = np.arange(100.0)
    >>> round(largest_eigenvalue(lambda v: diagonal * v, 100).value, 1)
    99.0
    """
    vector = np.random.default_rng([seed, *b"lanczos"]).standard_normal(size)
    room = max(2, min(VECTORS, size, MOST_BYTES // (8 * size)))
    smallest, products = float("inf"), 0
    for _ in range(RESTARTS):
        basis = np.zeros((room, size))
        basis[0] = vector / np.linalg.norm(vector)
        diagonal, beside = np.zeros(room), np.zeros(room)
        for step in range(room):
            following = product(basis[step])
            products += 1
            diagonal[step] = following @ basis[step]
            for _ in range(2):  # twice is enough (Kahan and Parlett)
                following -= basis[: step + 1].T @ (basis[: step + 1] @ following)
            beside[step] = np.linalg.norm(following)
            inner = slice(0, step + 1)
            small = np.diag(diagonal[inner]) + np.diag(beside[:step], 1) + np.diag(beside[:step], -1)
            values, vectors = np.linalg.eigh(small)
            error = float(beside[step] * abs(vectors[-1, -1]))
            scale = float(np.abs(values).max())
            exhausted = step + 1 == size or beside[step] <= 1e-6 * scale
            converged = exhausted or (step + 1 >= LEAST and error <= TOLERANCE * abs(values[-1]))
            if converged or step + 1 == room:
                break
            basis[step + 1] = following / beside[step]
        vector = vectors[:, -1] @ basis[inner]
        smallest = min(smallest, float(values[0]))
        if converged:
            break
    return Eigenvalue(float(values[-1]), vector, smallest, error, bool(converged), products)


def stability(found: Curvature, train: r.Train | str) -> str:
    """What the curvature means for plain gradient descent, in a sentence; "" for another optimizer, or without any.

    On L = lambda t^2 / 2 a step is t <- (1 - rate lambda) t, which grows once lambda > 2 / rate.
    """
    if not isinstance(train, r.Train) or not isinstance(train.optimizer, r.Sgd) or found.largest <= 0:
        return ""
    if isinstance(train.learning_rate, str):
        return ""
    bound = 2 / train.learning_rate
    says = (
        f"Gradient descent at a learning rate of {train.learning_rate:.3g} is stable up to a curvature of {bound:.3g} "
        f"(2 / rate); here it is {found.largest:.3g}"
    )
    if found.largest > bound:
        return f"{says}: steps along the sharpest direction overshoot."
    return f"{says}: a rate up to {bound / found.largest:.2g} times as large would be."


@lru_cache(maxsize=32)
def _product(objective: Objective) -> Callable[[MLP, Sample, MLP], tuple[MLP, MLP]]:
    """The gradient of the mean loss, and the Hessian times a direction."""

    def product(network: MLP, sample: Sample, direction: MLP) -> tuple[MLP, MLP]:
        slope = jax.grad(lambda moved: mean_loss(objective, moved, sample))
        found: tuple[MLP, MLP] = jax.jvp(slope, (network,), (direction,))
        return found

    return jax.jit(product, compiler_options=options(tiny=False))
