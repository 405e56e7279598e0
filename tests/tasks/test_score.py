"""The score of a network's outputs is that of what they mean."""

import numpy as np
import pytest
from scipy.special import expit
from sklearn.metrics import accuracy_score, log_loss, mean_absolute_error, roc_auc_score, root_mean_squared_error

from layerwise.data.dataset import Classes, Labels, Quantities
from layerwise.tasks.objective import Objective
from layerwise.tasks.score import score

RNG = np.random.default_rng(0)
N = 60
TWO = Classes("y", ("no", "yes"))


def values(objective, outputs, y, target):
    found = score(objective, outputs.astype(np.float32), y, target, seed=1).metrics
    assert all(interval.low <= interval.value <= interval.high for interval in found.values())
    assert found == score(objective, outputs.astype(np.float32), y, target, seed=1).metrics
    return {name: interval.value for name, interval in found.items()}


def test_quantities_are_scored_in_their_own_unit():
    target = Quantities(("price", "area"), (100.0, -3.0), (20.0, 0.5))
    outputs, y = RNG.standard_normal((2, N, 2)).astype(np.float32)
    found = values(Objective("quantities", 2), outputs, y, target)
    own, true = (a.astype(np.float64) * target.scale + target.mean for a in (outputs, y))
    assert set(found) >= {"rmse", "mae", "r2"}
    assert found["rmse"] == pytest.approx(root_mean_squared_error(true, own), rel=1e-5)
    assert found["mae"] == pytest.approx(mean_absolute_error(true, own), rel=1e-5)


def test_one_logit_is_scored_as_two_probabilities():
    outputs, y = RNG.standard_normal((N, 1)).astype(np.float32), RNG.integers(0, 2, N).astype(np.int32)
    found = values(Objective("binary", 1, 2), outputs, y, TWO)
    assert found["accuracy"] == pytest.approx(accuracy_score(y, outputs[:, 0] > 0))
    assert found["log_loss"] == pytest.approx(log_loss(y, expit(outputs[:, 0].astype(np.float64))), rel=1e-5)
    assert found["roc_auc"] == pytest.approx(roc_auc_score(y, outputs[:, 0]))


def test_labels():
    outputs, y = RNG.standard_normal((N, 3)).astype(np.float32), RNG.integers(0, 2, (N, 3)).astype(np.float32)
    found = values(Objective("labels", 3), outputs, y, Labels(("a", "b", "c")))
    assert found["accuracy"] == pytest.approx(((outputs > 0) == y).mean())
    assert found["exact_match"] == pytest.approx(((outputs > 0) == y).all(1).mean())


@pytest.mark.parametrize("classes", [2, 3])
def test_a_perceptron_has_no_probabilities_to_score(classes):
    outputs = RNG.standard_normal((N, 1 if classes == 2 else classes)).astype(np.float32)
    y = RNG.integers(0, classes, N).astype(np.int32)
    found = values(Objective("perceptron", outputs.shape[1], classes), outputs, y, TWO)
    assert set(found) == {"accuracy", "balanced_accuracy", "macro_f1", "roc_auc"}
    said = outputs[:, 0] > 0 if classes == 2 else outputs.argmax(1)
    assert found["accuracy"] == pytest.approx(accuracy_score(y, said))
    if classes == 2:
        assert found["roc_auc"] == pytest.approx(roc_auc_score(y, outputs[:, 0]))


def test_steps_are_scored_as_certainties():
    outputs, y = np.array([[0.0], [1.0], [1.0], [0.0]]), np.array([0, 1, 1, 1], np.int32)
    assert values(Objective("probability", 1, 2), outputs, y, TWO)["accuracy"] == 0.75


def test_outputs_that_are_not_finite_have_no_score():
    outputs, y = np.array([[np.nan], [1.0]], np.float32), np.array([0, 1], np.int32)
    assert score(Objective("binary", 1, 2), outputs, y, TWO, seed=0).metrics == {}
