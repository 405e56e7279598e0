"""The loss over a plane: against a quadratic known by hand, and against each network measured alone."""

import jax
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from layerwise.inspection import Subject, landscape, path_plane, random_plane, sample, subject
from layerwise.inspection.landscapes import affordable, loss_of
from layerwise.inspection.samples import flat, shaped
from layerwise.inspection.trajectories import Trajectory
from layerwise.nets.build import build
from layerwise.nets.dense import MLP, Dense, Embed
from layerwise.recipe import records as r

ACTIVATIONS = ("sigmoid", "tanh", "relu", "leaky_relu", "noisy_relu", "elu", "gelu", "silu", "softplus", "linear")
DIABETES = {"data": {"kind": "named", "name": "diabetes"}, "network": "linear", "train": {"epochs": 3}}


def deep(activation: str = "tanh") -> Subject:
    """The usual one has two hidden layers; compiled for others, one shows as much."""
    hidden = [5, 4] if activation in ("tanh", "relu") else [5]
    network = {"kind": "mlp", "hidden": hidden, "activation": activation}
    return subject({"data": {"kind": "named", "name": "iris"}, "network": network})


def walk(network: MLP, steps: int = 6, dimensions: int = 3) -> Trajectory:
    """A path that ends at `network`, in as many dimensions."""
    random = np.random.default_rng(1)
    weights = flat(network)
    spanning = random.standard_normal((dimensions, weights.size)) * np.array([4, 2, 1])[:dimensions, None]
    path = random.standard_normal((steps, dimensions)) @ spanning
    path[-1] = 0
    return Trajectory(np.arange(steps), (weights + path).astype(np.float32), network)


def test_a_quadratic_s_surface_is_known() -> None:
    """Linear regression: L(w) is the mean of (x w + b - y)^2, whatever the plane."""
    found = subject(DIABETES)
    measured = sample(found)
    weights = np.random.default_rng(0).standard_normal(11).astype(np.float32)
    network = shaped(weights, found.network)
    for plane in (random_plane(network, 3, points=9), path_plane(walk(network), points=9)):
        seen = landscape(network, found.objective, measured, plane)
        x = np.concatenate([measured.x, np.ones((len(measured.x), 1))], axis=1).astype(np.float64)
        for row, b in enumerate(plane.ys):
            for column, a in enumerate(plane.xs):
                moved = weights + a * plane.axes[0] + b * plane.axes[1]
                by_hand = np.mean((x @ moved - measured.y[:, 0]) ** 2)
                assert_allclose(seen.losses[row, column], by_hand, rtol=1e-4)


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_every_point_is_the_loss_of_a_network(activation: str) -> None:
    """Bit for bit that of the moved network alone."""
    found = deep(activation)
    measured = sample(found)
    plane = random_plane(found.network, 0, points=5)
    seen = landscape(found.network, found.objective, measured, plane)
    first, second = (shaped(axis, found.network) for axis in plane.axes)

    def moved(a: np.float32, b: np.float32) -> MLP:
        return jax.tree.map(lambda w, d1, d2: w + a * d1 + b * d2, found.network, first, second)

    for row, column in ((3, 1), (0, 4), (2, 2)):
        alone = moved(np.float32(plane.xs[column]), np.float32(plane.ys[row]))
        assert seen.losses[row, column] == loss_of(found.objective, alone, measured)
    assert seen.losses.shape == (5, 5) and seen.parameters == flat(found.network).size


def test_the_middle_is_the_trained_loss() -> None:
    found = deep()
    measured = sample(found)
    for plane in (random_plane(found.network, 0), path_plane(walk(found.network))):
        seen = landscape(found.network, found.objective, measured, plane)
        row, column = np.flatnonzero(seen.ys == 0), np.flatnonzero(seen.xs == 0)
        assert seen.losses.shape == (41, 41) and len(row) == len(column) == 1
        assert_allclose(seen.losses[row[0], column[0]], seen.loss, rtol=1e-6)


@pytest.mark.parametrize("embedded", [False, True])
def test_rows_of_random_directions_are_as_long_as_the_weights(embedded: bool) -> None:
    network = build(r.Mlp(hidden=(6, 5)), inputs=7, outputs=3, codes=(), seed=0)
    if embedded:
        table = np.random.default_rng(2).standard_normal((4, 3)).astype(np.float32)
        network = MLP((Embed(jax.device_put(table), 7),), network.layers, tuple(range(7)), network.activations)
    plane = random_plane(network, seed=5)
    for axis in plane.axes:
        direction = shaped(axis, network)
        for own, weights in zip(jax.tree.leaves(direction), jax.tree.leaves(network), strict=True):
            if own.ndim == 2:
                assert_allclose(np.linalg.norm(own, axis=1), np.linalg.norm(weights, axis=1), rtol=1e-5)
            else:
                assert not own.any()  # biases are left alone
    assert abs(plane.axes[0] @ plane.axes[1]) < 0.9 * (plane.axes[0] @ plane.axes[0])


def test_rescaled_relu_networks_look_alike() -> None:
    """What the normalization is for: weights of one layer times 8, of the next by 8, is the same function."""
    found = deep("relu")
    first, second, third = found.network.layers
    rescaled = (Dense(8 * first.weight, 8 * first.bias), Dense(second.weight / 8, second.bias), third)
    other = MLP((), rescaled, (), found.network.activations)
    pair = [landscape(n, found.objective, sample(found), random_plane(n, 0, 7)) for n in (found.network, other)]
    assert_allclose(pair[0].losses, pair[1].losses, rtol=1e-4)


def test_the_path_ends_at_the_solution() -> None:
    found = deep()
    walked = walk(found.network)
    plane = path_plane(walked)
    assert_array_equal(plane.path[-1], [0, 0])
    assert_allclose(plane.axes @ plane.axes.T, np.eye(2), atol=1e-5)
    assert plane.xs[0] < plane.path[:, 0].min() and plane.path[:, 0].max() < plane.xs[-1]
    assert plane.ys[0] < plane.path[:, 1].min() and plane.path[:, 1].max() < plane.ys[-1]
    seen = landscape(found.network, found.objective, sample(found), plane)
    assert_allclose(seen.path_losses[-1], seen.loss)
    alone = loss_of(found.objective, shaped(walked.weights[2], found.network), sample(found))
    assert_allclose(seen.path_losses[2], alone, rtol=1e-6)


def test_principal_components_against_those_of_all_weights() -> None:
    """The Gram matrix of snapshots gives what the singular values of the centered path give."""
    network = deep().network
    walked = walk(network)
    plane = path_plane(walked)
    centered = walked.weights.astype(np.float64) - walked.weights.mean(axis=0)
    _, values, vectors = np.linalg.svd(centered, full_matrices=False)
    assert_allclose(plane.shares, (values**2 / (values**2).sum())[:2], rtol=1e-4)
    assert_allclose(np.abs(np.sum(plane.axes * vectors[:2], axis=1)), 1, atol=1e-4)


@pytest.mark.parametrize(("steps", "dimensions"), [(1, 1), (2, 1), (5, 1), (2, 3)])
def test_a_path_that_is_no_plane_gets_a_second_direction(steps: int, dimensions: int) -> None:
    found = deep()
    plane = path_plane(walk(found.network, steps, dimensions))
    assert_allclose(plane.axes @ plane.axes.T, np.eye(2), atol=1e-5)
    assert np.isfinite(plane.path).all() and (np.diff(plane.xs) > 0).all() and (np.diff(plane.ys) > 0).all()


def test_a_path_within_the_plane_is_all_of_it() -> None:
    found = deep()
    walked = walk(found.network, steps=8, dimensions=2)
    plane = path_plane(walked)
    assert_allclose(sum(plane.shares), 1, atol=1e-6)
    assert_allclose(plane.path @ plane.axes, walked.weights - walked.weights[-1], atol=1e-4)


def test_larger_networks_are_measured_on_fewer_points_and_rows() -> None:
    assert affordable(20_000, 5000) == (41, 5000)
    points, rows = affordable(50_000_000, 5000)
    assert points < 41 and rows == 100
    assert affordable(50_000_000, 12) == (21, 12)
