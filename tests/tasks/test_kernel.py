"""Answers by matrix products against libsvm's own."""

import numpy as np
import pytest
from sklearn.svm import SVC, SVR

from layerwise.tasks import kernel


@pytest.mark.parametrize("classes", [2, 3, 5])
def test_class_scores_are_scikit_learns(classes: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kernel, "CHUNK", 64)  # several chunks, the last one incomplete
    rng = np.random.default_rng(classes)
    x = (5 + rng.normal(size=(300, 4))).astype(np.float32)
    y = rng.integers(0, classes, 300)
    x[:, 0] += y
    machine = SVC(gamma=kernel.scale(x)).fit(x, y, sample_weight=1 + rng.random(300))
    fresh = (5 + 2 * rng.normal(size=(150, 4))).astype(np.float32)
    expected = machine.decision_function(fresh)
    expected = np.stack([-expected, expected], axis=1) if classes == 2 else expected
    np.testing.assert_allclose(kernel.decision(machine, fresh), expected, atol=1e-4)


def test_predictions_are_scikit_learns() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(200, 3)).astype(np.float32)
    machine = SVR(gamma=kernel.scale(x)).fit(x, np.sin(x[:, 0]))
    np.testing.assert_allclose(kernel.decision(machine, x)[:, 0], machine.predict(x), atol=1e-5)


def test_the_scale_is_scikit_learns() -> None:
    x = np.random.default_rng(1).normal(3, 2, size=(50, 3)).astype(np.float32)
    assert kernel.scale(x) == pytest.approx(SVC(gamma="scale").fit(x, np.arange(50) % 2)._gamma, rel=1e-6)
    assert kernel.scale(np.ones((3, 2), np.float32)) == 1
