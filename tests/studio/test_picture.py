"""What the page draws is worked out by the server: epochs spoken of, shades, what is left out, products and steps."""

import math
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from scipy.special import expit, softmax

from layerwise.studio.games.crowd import Crowd
from layerwise.studio.games.session import Session
from layerwise.studio.history.timeline import Curve
from layerwise.studio.picture import frames
from layerwise.studio.picture.marks import marks
from layerwise.studio.picture.numbers import numbers
from layerwise.studio.picture.shades import MOST, shades, small
from layerwise.studio.picture.still import LINKS, UNITS, drawn

RECIPE: dict[str, Any] = {
    "data": {"kind": "toy", "name": "moons", "n": 60, "split": {"kind": "random", "validation": 0.3}},
    "network": {"kind": "mlp", "hidden": [3, 2], "activation": "tanh"},
    "train": {"epochs": 10**6, "batch_size": 10, "optimizer": "sgd", "learning_rate": 0.3, "patience": 0},
}


# ── epochs ──────────────────────────────────────────────────────────────────────────────────────


def curve(losses: list[float], train: float = 1.0) -> Curve:
    found = Curve(room=8)
    for number, loss in enumerate(losses, start=1):
        found.add((10.0 * number, train / number, 0.5, loss, 0.6))
    return found


def test_the_best_epoch_is_exact_however_much_the_curve_was_thinned() -> None:
    losses = [2.0 + 1 / n for n in range(1, 101)]
    losses[36] = 0.25
    found = curve(losses)
    assert len(found.rows) <= 9 and 370.0 not in [row[0] for row in found.rows]
    now, best = marks(found, 10**6)
    assert best[[0, 3]].tolist() == [370.0, 0.25] and now[0] == found.rows[-1][0]
    assert marks(found.until(400), 400)[1, 0] == 370 and marks(found.until(300), 300)[1, 0] <= 300
    assert marks(found.copy(), 5)[0, 0] != marks(found.copy(), 5)[0, 0]  # before the first epoch there is none


def test_without_a_validation_part_the_training_loss_tells_the_best_one() -> None:
    assert marks(curve([math.nan] * 5), 50)[1, 0] == 50
    assert np.isnan(marks(Curve(), 0)).all()
    assert marks(curve([1.0, math.inf, 0.5, math.nan]), 40)[1, 0] == 40  # what is no loss there counts in training


# ── shades ──────────────────────────────────────────────────────────────────────────────────────


def test_shades_are_probabilities() -> None:
    z = np.linspace(-6, 6, 41)[:, None]
    found = shades("binary", z).astype(int)
    signed = np.where(found[:, 0] == 1, 1, -1) * found[:, 1] / MOST
    np.testing.assert_allclose(signed, 2 * expit(z[:, 0]) - 1, atol=1 / MOST)
    z3 = np.random.default_rng(0).normal(0, 3, (50, 3))
    taken, degree = shades("classes", z3).T
    assert (taken == z3.argmax(axis=1)).all()
    np.testing.assert_allclose(degree / MOST, (softmax(z3, axis=1).max(axis=1) - 1 / 3) * 1.5, atol=1 / MOST)


@pytest.mark.parametrize("kind", ["binary", "classes", "labels", "quantities"])
def test_what_is_no_number_is_neither(kind: str) -> None:
    outputs = np.array([[np.nan, np.nan], [0.0, 0.0], [1e-9, 0.0], [np.inf, 0.0]])
    assert shades(kind, outputs)[:, 1].tolist()[:2] == [0, 0]
    assert np.isfinite(small(kind, np.full((64, 64, 2), np.inf, np.float32))).all()


def test_small_pictures_are_means_of_patches() -> None:
    outputs = np.random.default_rng(1).normal(0, 2, (64, 64, 3)).astype(np.float32)
    found = small("classes", outputs)
    patch = outputs[4:8, 8:12] - outputs[4:8, 8:12].mean(axis=-1, keepdims=True)
    assert found.shape == (3, 16, 16)
    np.testing.assert_allclose(found[:, 1, 2], np.clip(patch / 4, -1, 1).mean(axis=(0, 1)), atol=1e-6)


# ── what a scene says ───────────────────────────────────────────────────────────────────────────


def test_a_scene_counts_the_parameters() -> None:
    scene = Session(RECIPE).scene()
    assert scene["architecture"] == {"widths": [2, 3, 2, 1], "parameters": 9 + 8 + 3} and scene["spread"] is None
    plane = Session({**RECIPE, "data": {"kind": "toy", "name": "plane", "n": 50}})
    values = [point[3] for point in plane.scene()["points"]["train"]]
    assert plane.scene()["spread"] == pytest.approx([np.mean(values), np.std(values)])
    assert plane.scene()["drawn"]["units"] == [[0, 1], [0, 1, 2], [0, 1], [0]]


def test_the_strongest_units_and_links_are_drawn() -> None:
    draw = np.random.default_rng(2)
    widths = [20, 30, 16, 4]
    sizes = [np.abs(draw.normal(size=(b, a))) for a, b in pairwise(widths)]
    found = drawn(widths, sizes)
    assert [len(units) for units in found["units"]] == [1, UNITS, UNITS, 4]  # 20 inputs are one block
    sums = sizes[1].sum(axis=0)
    assert set(found["units"][1]) == set(np.argsort(-sums)[:UNITS]) and found["units"][1] == sorted(found["units"][1])
    links = [tuple(link) for link in found["links"]]
    every = {
        (layer, unit, source): sizes[layer][unit, source]
        for layer in (1, 2)
        for unit in found["units"][layer + 1]
        for source in found["units"][layer]
    }
    assert found["of"] == 30 * 16 + 16 * 4
    assert len(every) == UNITS * UNITS + UNITS * 4 and len(links) == min(LINKS, len(every))
    assert links == sorted(every, key=lambda link: -every[link])[:LINKS]


# ── back-propagation and many ───────────────────────────────────────────────────────────────────


def test_products_and_steps_add_up_to_the_sheet() -> None:
    session = Session(RECIPE)
    session.advance(20)
    sheet = session.sheet(5)()
    found = numbers(sheet)
    for number, layer in enumerate(found["layers"]):
        sums = np.sum(layer["forward"], axis=1) + layer["bias"]
        np.testing.assert_allclose(sums, layer["z"]["worked"][0], atol=1e-6)
        if number < 2:
            np.testing.assert_allclose(np.sum(layer["backward"], axis=1), layer["arriving"][0], atol=1e-6)
        np.testing.assert_allclose(np.add(layer["weight"], layer["step"]), layer["new_weight"], atol=1e-7)
        off = np.abs(np.subtract(layer["weight_gradient"]["worked"], layer["weight_gradient"]["automatic"]))
        assert np.array_equal(layer["off"], off) and len(layer["bias_off"]) == len(layer["bias_step"])
    assert found["layers"][-1]["backward"] == [[]]


def test_many_are_ordered_by_their_validation_loss() -> None:
    crowd = Crowd(Session(RECIPE).recipe, "rate")
    crowd.advance(60)
    found = frames.unpacked(crowd.frame()())[2]
    losses = np.where(np.isfinite(found["losses"][:, 2]), found["losses"][:, 2], np.inf)
    assert sorted(found["order"].tolist()) == list(range(len(losses)))
    assert (np.diff(losses[found["order"]])[np.isfinite(np.diff(losses[found["order"]]))] >= 0).all()
    assert found["shades"].shape == (*found["surface"].shape[:3], 2)
