"""Toys: the truth tables, the geometry of each figure, balance and determinism."""

from typing import get_args

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from layerwise.data.toy import RADIUS, make
from layerwise.recipe.records import ToyName

NAMES = get_args(ToyName)
GATES = {"and": [0, 0, 0, 1], "or": [0, 1, 1, 1], "xor": [0, 1, 1, 0]}
FIGURES = {"circle": 2, "gaussians": 2, "spiral": 2, "moons": 2, "arms": 3, "clouds": 4, "rings": 3}


@pytest.mark.parametrize("name", GATES)
def test_four_points_are_the_truth_table(name):
    toy = make(name, 4, 0.0, seed=3)
    assert toy.x.tolist() == [[0, 0], [0, 1], [1, 0], [1, 1]]
    assert toy.y.tolist() == GATES[name]
    assert toy.names == ("0", "1")


@pytest.mark.parametrize("name", GATES)
def test_more_points_scatter_around_the_corners(name):
    exact, noisy = make(name, 402, 0.0, seed=0), make(name, 402, 0.1, seed=0)
    assert np.array_equal(exact.x[:4], exact.x[396:400])
    assert np.array_equal(exact.y, noisy.y)
    assert np.array_equal(np.bincount((exact.x @ [2, 1]).astype(int)), [101, 101, 100, 100])
    scatter = noisy.x - exact.x
    assert abs(scatter.std() - 0.1) < 0.01
    assert abs(scatter.mean()) < 0.02


@given(st.sampled_from(NAMES), st.integers(4, 300), st.sampled_from([0.0, 0.1, 0.5]), st.integers(0, 2**32 - 1))
def test_every_toy_keeps_the_contract(name, n, noise, seed):
    toy = make(name, n, noise, seed)
    assert toy.x.shape == (n, 2)
    assert toy.y.shape == (n,)
    assert np.isfinite(toy.x).all()
    if toy.kind == "classes":
        assert toy.y.dtype == np.int32
        classes = FIGURES.get(name, 2)
        assert len(toy.names) == len(set(toy.names)) == classes
        assert set(toy.y.tolist()) == set(range(classes))
        if name in FIGURES:
            assert np.ptp(np.bincount(toy.y)) <= 1
    else:
        assert toy.y.dtype == np.float32
        assert toy.names == ("y",)
        assert np.abs(toy.y).max() <= 1
    assert np.array_equal(toy.x, make(name, n, noise, seed).x)


@pytest.mark.parametrize("name", NAMES)
def test_seeds_differ_where_there_is_chance(name):
    assert not np.array_equal(make(name, 50, 0.1, 0).x, make(name, 50, 0.1, 1).x)


@pytest.mark.parametrize("name", [*(name for name in FIGURES if name != "moons"), "plane", "multi-gaussian"])
def test_inputs_have_a_sensible_scale(name):
    x = make(name, 2000, 0.0, seed=0).x
    assert np.abs(x).max() <= 2
    assert (np.abs(x.mean(axis=0)) < 0.1).all()
    assert ((x.std(axis=0) > 0.5) & (x.std(axis=0) < 1.3)).all()


def test_the_circle_is_a_disk_in_a_ring():
    toy = make("circle", 4000, 0.0, seed=0)
    radius = np.hypot(*toy.x.T) / RADIUS
    inside = radius[toy.y == toy.names.index("inside")]
    outside = radius[toy.y == toy.names.index("outside")]
    assert inside.max() <= 0.5 + 1e-6
    assert outside.min() >= 0.7 - 1e-6 and outside.max() <= 1 + 1e-6
    assert abs((inside < 0.25).mean() - 0.25) < 0.03, "uniform by area: a quarter lies within half the radius"


def test_the_clouds_hardly_mix():
    toy = make("gaussians", 4000, 0.0, seed=0)
    assert ((toy.x.sum(axis=1) > 0) == toy.y).mean() > 0.999
    noisy = make("gaussians", 4000, 0.3, seed=0)
    assert 0.8 < ((noisy.x.sum(axis=1) > 0) == noisy.y).mean() < 0.98


def test_the_arms_of_the_spiral_are_one_turned_by_half_a_circle():
    toy = make("spiral", 400, 0.0, seed=0)
    first, second = toy.x[toy.y == 0], toy.x[toy.y == 1]
    assert np.allclose(first, -second, atol=1e-6)
    radius = np.hypot(*first.T)
    assert np.allclose([radius[0], radius[-1]], [0.1 * RADIUS, RADIUS])
    angle = np.unwrap(np.arctan2(first[:, 1], first[:, 0]))
    assert np.isclose(angle[-1] - angle[0], 3.5 * np.pi)
    gaps = np.linalg.norm(first[:, None] - second[None], axis=-1)
    assert gaps.min() > 0.2 * RADIUS - 1e-6, "nearest at the center, where both begin"


def test_the_arms_are_one_turned_by_a_third_of_a_circle():
    toy = make("arms", 300, 0.0, seed=0)
    arms = [toy.x[toy.y == k] for k in range(3)]
    cosine, sine = np.cos(2 * np.pi / 3), np.sin(2 * np.pi / 3)
    turned = np.array([[cosine, sine], [-sine, cosine]])
    assert np.allclose(arms[0] @ turned, arms[1], atol=1e-6) and np.allclose(arms[1] @ turned, arms[2], atol=1e-6)
    radius = np.hypot(*arms[0].T)
    assert np.allclose([radius[0], radius[-1]], [0.08 * RADIUS, RADIUS]) and (np.diff(radius) > 0).all()


def test_a_cloud_is_in_each_corner():
    toy = make("clouds", 4000, 0.0, seed=0)
    corner = (toy.x[:, 0] > 0) + 2 * (toy.x[:, 1] > 0)
    assert (corner == toy.y).mean() > 0.999
    assert toy.names == ("lower left", "lower right", "upper left", "upper right")
    spread = np.array([toy.x[toy.y == k].std(axis=0) for k in range(4)])
    assert np.allclose(spread, 0.14 * RADIUS, rtol=0.1)


def test_the_rings_lie_in_one_another_with_gaps_between():
    toy = make("rings", 3000, 0.0, seed=0)
    radius = np.hypot(*toy.x.T) / RADIUS
    for k, (low, high) in enumerate([(0.2 / 3, 0.8 / 3), (1.2 / 3, 1.8 / 3), (2.2 / 3, 2.8 / 3)]):
        own = radius[toy.y == k]
        assert own.min() >= low - 1e-6 and own.max() <= high + 1e-6
        assert np.ptp(own) > 0.9 * (high - low)


@pytest.mark.parametrize("n", [4, 100, 400])
def test_moons_are_those_of_scikit_learn(n):
    from sklearn.datasets import make_moons

    x, y = make_moons(n, shuffle=False)
    toy = make("moons", n, 0.0, seed=0)
    assert np.allclose(toy.x[toy.y == 0], x[y == 0], atol=1e-6)
    assert np.allclose(toy.x[toy.y == 1], x[y == 1], atol=1e-6)


def test_the_plane_is_a_plane():
    toy = make("plane", 10_000, 0.0, seed=0)
    assert np.allclose(toy.y, toy.x.sum(axis=1) / 4, atol=1e-6)
    assert toy.y.min() < -0.9 and toy.y.max() > 0.9


def test_noise_moves_the_points_and_not_the_quantity():
    exact, noisy = make("plane", 4000, 0.0, seed=0), make("plane", 4000, 0.1, seed=0)
    assert np.array_equal(exact.y, noisy.y)
    assert abs((noisy.x - exact.x).std() - 0.1 * RADIUS) < 0.005


def test_bumps_and_hollows_take_turns():
    toy = make("multi-gaussian", 20_000, 0.0, seed=0)

    def near(x1, x2):
        return float(toy.y[np.hypot(*(toy.x - [x1, x2]).T) < 0.1].mean())

    signs = [[near(x1, x2) for x1 in (-4 / 3, 0, 4 / 3)] for x2 in (5 / 6, -5 / 6)]
    assert np.sign(signs).tolist() == [[-1, 1, -1], [1, -1, 1]]
    assert np.abs(signs).min() > 0.8
    assert abs(toy.y.mean()) < 0.02
