"""The loss over a plane through the solution (Li et al. 2018, "Visualizing the loss landscape of neural nets").

A network has thousands of weights, a picture two axes: the loss is drawn over

    L(a, b) = L(w + a d1 + b d2)

where w is the solution. Two kinds of directions d1, d2 tell something:

    random  Gaussian, each row of a weight matrix (a unit's incoming weights, the "filter" of a dense
            layer) scaled to the norm of the network's own row. Without this, a network with large weights
            would look flatter than the same function with small ones. Biases stay, as in the paper.
    path    the first two principal components of the weights that training went through (their
            section 7). Random directions show next to nothing of that path.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Literal

import jax
import numpy as np
from jaxtyping import Array, Float, Float32, Float64, Int64

from layerwise.inspection.samples import Sample, flat, mean_loss, shaped
from layerwise.inspection.trajectories import Trajectory
from layerwise.nets.dense import MLP
from layerwise.tasks.objective import Objective
from layerwise.training.compile import options
from layerwise.training.lanes import cores

POINTS = 41  # of either axis
RADIUS = 1.0  # of random directions: as far as the weights are long
MARGIN = 0.3  # around a path, of its extent
WORK = 4e11  # operations that a surface may take: a few seconds
LEAST_ROWS = 100

Directions = Literal["path", "random"]


@dataclass(frozen=True)
class Plane:
    """Where the loss is looked at: two directions from the solution, and how far along each.

    `path` are the places on the plane of the weights in `snapshots`, at `epochs`, the last of them the
    solution at (0, 0); `shares` the directions' shares in the path's variance. Without a path all of
    them are empty, or zero.
    """

    directions: Directions
    axes: Float32[np.ndarray, "2 parameters"]
    xs: Float64[np.ndarray, " columns"]
    ys: Float64[np.ndarray, " rows"]
    snapshots: Float32[np.ndarray, "snapshots parameters"]
    epochs: Int64[np.ndarray, " snapshots"]
    path: Float64[np.ndarray, "snapshots 2"]
    shares: tuple[float, float]


@dataclass(frozen=True)
class Landscape:
    """The mean loss of `examples` training rows on a plane through the solution, which is at (0, 0).

    `losses` at `xs` along the columns and `ys` along the rows, in lengths of the directions: of random
    ones 1 is as long as the weights, along a path it is a distance between weights. `path` are the
    snapshots' places on the plane, at `epochs`; `path_losses` are their own losses, beside the plane;
    `shares` tell how much of the path's variance either axis has.
    """

    directions: Directions
    parameters: int
    examples: int
    loss: float
    xs: Float64[np.ndarray, " columns"]
    ys: Float64[np.ndarray, " rows"]
    losses: Float64[np.ndarray, "rows columns"]
    path: Float64[np.ndarray, "snapshots 2"]
    epochs: Int64[np.ndarray, " snapshots"]
    path_losses: Float64[np.ndarray, " snapshots"]
    shares: tuple[float, float]


def affordable(parameters: int, most: int) -> tuple[int, int]:
    """Points of an axis, and rows up to `most`, that a surface of so large a network has time for.

    >>> affordable(20_000, 1000), affordable(12_000_000, 1000)
    ((41, 1000), (21, 100))
    """
    for points in (POINTS, POINTS // 2 + 1):
        rows = int(WORK / (2 * parameters * points**2))
        if rows >= LEAST_ROWS:
            break
    return points, min(most, max(rows, LEAST_ROWS))


def random_plane(network: MLP, seed: int, points: int = POINTS) -> Plane:
    """A plane of two random directions, row by row as long as the weights themselves (equation 1 of the paper)."""
    random = np.random.default_rng([seed, *b"plane"])
    axes = np.stack([_normalized(network, random) for _ in range(2)])
    steps = _through_zero(-RADIUS, RADIUS, points)
    none = np.zeros((0, axes.shape[1]), np.float32)
    return Plane("random", axes, steps, steps, none, np.zeros(0, np.int64), np.zeros((0, 2)), (0.0, 0.0))


def path_plane(trajectory: Trajectory, points: int = POINTS) -> Plane:
    """The plane of the path's first two principal components, which lie at right angles and have length 1.

    They come from the Gram matrix of the snapshots, which are far fewer than the weights. Where the path
    is a straight line, the second direction is a random one.
    """
    snapshots = trajectory.weights
    axes, shares = _components(snapshots - snapshots.mean(axis=0))
    path = (snapshots - snapshots[-1]).astype(np.float64) @ axes.T
    # A path has no sign of its own: let it come from the left and from below.
    signs = np.where(path[0] > 0, -1.0, 1.0)
    path, axes = path * signs + 0.0, axes * signs[:, None]
    reach = max(np.ptp(path, axis=0).max(), 1e-3)
    xs, ys = (_around(path[:, number], 0.05 * reach, points) for number in range(2))
    return Plane("path", axes.astype(np.float32), xs, ys, snapshots, trajectory.epochs, path, shares)


def _components(
    centered: Float32[np.ndarray, "snapshots parameters"],
) -> tuple[Float64[np.ndarray, "2 parameters"], tuple[float, float]]:
    """The first two principal components, and their shares in the variance."""
    # Summed in double precision, but without a copy of all snapshots in it.
    gram = np.array([np.einsum("sp,p->s", centered, row, dtype=np.float64) for row in centered])
    values, vectors = np.linalg.eigh((gram + gram.T) / 2)
    variances = np.append(np.maximum(values[::-1], 0), [0.0, 0.0])[:2]
    shares = variances / (np.maximum(values, 0).sum() or 1.0)
    axes = np.random.default_rng([*b"plane"]).standard_normal((2, centered.shape[1]))
    for number in range(2):
        if shares[number] > 1e-10:
            axes[number] = vectors[:, -1 - number] @ centered
        for earlier in axes[:number]:
            axes[number] -= (axes[number] @ earlier) * earlier
        axes[number] /= np.linalg.norm(axes[number])
    return axes, (float(shares[0]), float(shares[1]))


def landscape(network: MLP, objective: Objective, sample: Sample, plane: Plane) -> Landscape:
    """The loss over `plane`, whose (0, 0) is `network`.

    All points are measured by one compiled program, in as many threads as there are cores.

    >>> from layerwise.inspection.samples import sample
    >>> from layerwise.inspection.subjects import subject
    >>> found = subject("xor-by-hand")
    >>> seen = landscape(found.network, found.objective, sample(found), random_plane(found.network, seed=0))
    >>> seen.losses.shape, seen.loss, float(seen.losses[20, 20])
    ((41, 41), 0.0, 0.0)
    """
    grid = np.stack(np.meshgrid(plane.xs, plane.ys), axis=-1)
    snapshots = (shaped(weights, network) for weights in plane.snapshots)
    return Landscape(
        directions=plane.directions,
        parameters=plane.axes.shape[1],
        examples=sample.x.shape[0],
        loss=loss_of(objective, network, sample),
        xs=plane.xs,
        ys=plane.ys,
        losses=losses_over(objective, network, plane.axes, grid, sample),
        path=plane.path,
        epochs=plane.epochs,
        path_losses=np.array([loss_of(objective, snapshot, sample) for snapshot in snapshots], np.float64),
        shares=plane.shares,
    )


def loss_of(objective: Objective, network: MLP, sample: Sample) -> float:
    """The mean loss of one network."""
    return float(_one(objective)(network, sample))


def losses_over(
    objective: Objective,
    network: MLP,
    axes: Float32[np.ndarray, "2 parameters"],
    places: Float64[np.ndarray, "rows columns 2"],
    sample: Sample,
) -> Float64[np.ndarray, "rows columns"]:
    """The loss at places on the plane that `axes` span, one row of them a call.

    On CPUs one thread a core, each mapping over its points one by one, is faster than a batch of networks
    in one product, and gives bit for bit what each network has alone (benchmarks/bench_landscape.py).
    """
    first, second = (shaped(axis, network) for axis in axes)
    network, first, second, sample = jax.device_put((network, first, second, sample))
    measure = partial(_many(objective), network, first, second, sample)
    with ThreadPoolExecutor(cores(), "landscape") as pool:
        rows = list(pool.map(lambda row: np.asarray(measure(row), np.float64), places.astype(np.float32)))
    return np.stack(rows)


@lru_cache(maxsize=32)
def _one(objective: Objective) -> Callable[[MLP, Sample], Float[Array, ""]]:
    return jax.jit(partial(mean_loss, objective), compiler_options=options(tiny=False))


@lru_cache(maxsize=32)
def _many(
    objective: Objective,
) -> Callable[[MLP, MLP, MLP, Sample, Float32[np.ndarray, "points 2"]], Float[Array, " points"]]:
    def measure(
        network: MLP, first: MLP, second: MLP, sample: Sample, places: Float[Array, "points 2"]
    ) -> Float[Array, " points"]:
        def at(place: Float[Array, "2"]) -> Float[Array, ""]:
            moved = jax.tree.map(lambda w, a, b: w + place[0] * a + place[1] * b, network, first, second)
            return mean_loss(objective, moved, sample)

        losses: Float[Array, " points"] = jax.lax.map(at, places)
        return losses

    return jax.jit(measure, compiler_options=options(tiny=False))


def _normalized(network: MLP, random: np.random.Generator) -> Float32[np.ndarray, " parameters"]:
    """A random direction whose rows are as long as the weights' rows; biases get none."""

    def like(leaf: Float[Array, "..."]) -> Float32[np.ndarray, "..."]:
        weights = np.asarray(leaf)
        drawn = random.standard_normal(weights.shape)
        if weights.ndim < 2:
            return np.zeros(weights.shape, np.float32)
        own, drawn_norm = (np.linalg.norm(matrix, axis=1, keepdims=True) for matrix in (weights, drawn))
        return np.asarray(drawn * own / drawn_norm, np.float32)

    return flat(jax.tree.map(like, network))


def _around(path: Float64[np.ndarray, " snapshots"], least: float, points: int) -> Float64[np.ndarray, " points"]:
    """Steps along an axis over a path and a margin; a path that hardly moves along it has `least` on either side."""
    low, high = float(path.min()), float(path.max())
    margin = max(MARGIN * (high - low), least)
    return _through_zero(low - margin, high + margin, points)


def _through_zero(low: float, high: float, points: int) -> Float64[np.ndarray, " points"]:
    """Even steps from about `low` to about `high`, one of them exactly 0: there the solution is."""
    step = (high - low) / (points - 1)
    return step * (np.arange(points) - min(points - 1, round(-low / step)))
