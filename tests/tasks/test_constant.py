"""The best constant answer: by hand, and against a search over constants, with weights."""

import jax.numpy as jnp
import numpy as np
import pytest
from scipy.optimize import minimize

from layerwise.tasks.constant import constant_loss
from layerwise.tasks.objective import Objective, example_losses

MAE, HUBER = Objective("quantities", 1, loss="mae"), Objective("quantities", 1, loss="huber")


@pytest.mark.parametrize(
    ("objective", "y", "expected"),
    [
        (Objective("classes", 3, 3), np.array([0, 0, 1, 2]), 0.5 * np.log(2) + 0.5 * np.log(4)),
        (Objective("probability", 1, 2), np.array([0, 0, 0, 1]), 0.25),
        (Objective("labels", 2), np.array([[0.0, 1], [1, 1]], np.float32), np.log(2) / 2),
        (Objective("quantities", 1), np.array([[1.0], [3.0]], np.float32), 1.0),
        (MAE, np.array([[1.0], [3.0], [8.0]], np.float32), 7 / 3),
        # The errors -1, 1/2 and 1/2 from the middle 3, none beyond 1.
        (HUBER, np.array([[2.0], [3.5], [3.5]], np.float32), (0.5 + 0.125 + 0.125) / 3),
        (Objective("perceptron", 1, 2), np.array([0, 1]), np.nan),
    ],
    ids=str,
)
def test_by_hand(objective: Objective, y: np.ndarray, expected: float) -> None:
    assert constant_loss(objective, y, np.ones(len(y), np.float32)) == pytest.approx(expected, nan_ok=True)


def test_weights_move_the_median_and_huber_s_middle() -> None:
    """Of 0, 1 and 10 with weights 5, 1 and 1 the median is 0; Huber's middle c has 5 c = (1 - c) + 1."""
    y, weight = np.array([[0.0], [1.0], [10.0]], np.float32), np.array([5, 1, 1], np.float32)
    assert constant_loss(MAE, y, weight) == pytest.approx(11 / 7)
    middle = 1 / 3
    expected = (5 * middle**2 / 2 + (1 - middle) ** 2 / 2 + (10 - middle - 0.5)) / 7
    assert constant_loss(HUBER, y, weight) == pytest.approx(expected)


@pytest.mark.parametrize(
    "objective",
    [
        Objective("quantities", 2),
        Objective("quantities", 2, loss="mae"),
        Objective("quantities", 2, loss="huber"),
        Objective("classes", 3, 3),
        Objective("binary", 1, 2),
        Objective("labels", 2),
    ],
    ids=lambda objective: f"{objective.kind}-{objective.loss}",
)
@pytest.mark.parametrize("seed", range(5))
def test_no_constant_fits_better_and_one_fits_as_well(objective: Objective, seed: int) -> None:
    random = np.random.default_rng(seed)
    rows = 41
    y = {
        "quantities": random.lognormal(size=(rows, 2)).astype(np.float32),  # whose mean and median are apart
        "labels": (random.random((rows, 2)) < 0.3).astype(np.float32),
        "classes": random.choice(3, rows, p=[0.6, 0.3, 0.1]).astype(np.int32),
    }.get(objective.kind, (random.random(rows) < 0.3).astype(np.int32))
    weight = random.exponential(size=rows).astype(np.float32)
    smoothing, delta = 0.1, 0.4

    def loss(constant: np.ndarray) -> float:
        outputs = jnp.tile(jnp.asarray(constant, jnp.float32), (rows, 1))
        each = np.asarray(
            example_losses(objective, outputs, jnp.asarray(y), jnp.float32(smoothing), jnp.float32(delta))
        )
        return float(np.average(each.astype(np.float64), weights=weight))

    searched = minimize(loss, np.full(objective.outputs, 0.5), method="Nelder-Mead").fun
    best = constant_loss(objective, y, weight, smoothing, delta)
    assert best == pytest.approx(searched, rel=1e-3) and best <= searched * (1 + 1e-5)
