"""How a network errs: curves by hand and against scikit-learn, mistakes by brute force."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import confusion_matrix, precision_recall_curve, roc_auc_score

from layerwise.inspection import subject
from layerwise.inspection.evaluations import Decisions, calibration, curve, evaluation, mistakes
from layerwise.tasks.metrics import classification
from layerwise.tasks.objective import decide, probabilities
from layerwise.training.forward import Forward


@given(st.lists(st.tuples(st.integers(0, 6), st.booleans()), min_size=2, max_size=60))
def test_curves_are_scikit_learns(rows: list[tuple[int, bool]]) -> None:
    """Ties included: the area under the curve counts them half."""
    scores, positive = np.array([float(score) for score, _ in rows]), np.array([yes for _, yes in rows])
    found = curve("yes", scores, positive)
    assert found.positives == positive.sum()
    assert found.prevalence == pytest.approx(positive.mean()) == pytest.approx(found.precision[-1])
    if positive.any() and not positive.all():
        area = np.trapezoid(found.true_positive, found.false_positive)
        assert area == pytest.approx(roc_auc_score(positive, scores))
    if positive.any():
        precision, recall, _ = precision_recall_curve(positive, scores)
        ours = dict(zip(found.true_positive[1:].round(9), found.precision[1:].round(9), strict=True))
        assert set(ours) == set(recall[:-1].round(9))
        assert {round(p, 9) for p in ours.values()} <= set(precision.round(9))


def test_long_curves_are_thinned_and_keep_their_ends() -> None:
    random = np.random.default_rng(0)
    scores, positive = random.random(5000), random.random(5000) < 0.3
    found = curve("yes", scores, positive)
    assert found.true_positive.size <= 201
    assert (found.false_positive[0], found.true_positive[0]) == (0, 0)
    assert (found.false_positive[-1], found.true_positive[-1]) == (1, 1)
    assert np.trapezoid(found.true_positive, found.false_positive) == pytest.approx(
        roc_auc_score(positive, scores), abs=2e-3
    )


def test_a_curve_without_rows() -> None:
    found = curve("yes", np.zeros(0), np.zeros(0, bool))
    assert found.positives == 0 and found.false_positive.tolist() == [0.0]


def test_bins_of_calibration_by_hand() -> None:
    """15 bins: .99 and 1 share the last one, .5 stands in the eighth."""
    found = calibration(np.array([0.99, 1.0, 0.5, 0.52]), np.array([True, False, True, True]))
    assert found.rows.tolist() == [2, 2]
    assert found.confidence.tolist() == pytest.approx([0.51, 0.995])
    assert found.accuracy.tolist() == [1.0, 0.5]
    assert found.low is not None and found.low[1] == pytest.approx(0.0945, abs=1e-4)
    assert found.high is not None and found.high[1] == pytest.approx(0.9055, abs=1e-4)


@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_bins_are_those_of_the_calibration_error(kind: type) -> None:
    """Sevenths and fifteenths, the edges themselves: (rows in bin / rows) * |accuracy - mean probability|."""
    sure = np.concatenate([np.arange(8, 16) / 15, np.arange(4, 8) / 7]).astype(kind)
    right = np.arange(12) % 3 > 0
    found = calibration(sure, right)
    error = np.sum(found.rows / 12 * np.abs(found.accuracy - found.confidence))
    two = np.stack([1 - sure, sure], axis=1)
    scored = classification(two, right.astype(int), 0).metrics["calibration_error"]
    assert scored.value == pytest.approx(error, abs=1e-6)


@pytest.mark.parametrize("name", ["iris", "breast-cancer"])
def test_decisions_are_those_of_the_network(name: str) -> None:
    found = subject({"data": {"kind": "named", "name": name}})
    result = evaluation(found, "validation")
    rows = found.dataset.validation
    outputs, y = Forward(found.network)(found.dataset.x[rows]), found.dataset.y[rows]
    assert isinstance(result, Decisions)
    classes = range(len(result.names))
    np.testing.assert_array_equal(
        result.confusion, confusion_matrix(y, decide(found.objective, outputs), labels=classes)
    )
    assert len(result.curves) == (1 if name == "breast-cancer" else 3)
    assert result.calibration is not None and result.calibration.rows.sum() == rows.size


def test_the_worst_mistakes_by_brute_force() -> None:
    found = subject({"data": {"kind": "named", "name": "iris"}})
    rows = found.dataset.validation
    outputs, y = Forward(found.network)(found.dataset.x[rows]), found.dataset.y[rows]
    shares, said = probabilities(found.objective, outputs), decide(found.objective, outputs)
    wrong = sorted((float(shares[i, y[i]]), int(rows[i]) + 1) for i in range(len(y)) if said[i] != y[i])
    assert len(wrong) > 4  # an untrained network errs
    worst = mistakes(found, "validation", 4)
    assert [mistake.row for mistake in worst] == [row for _, row in wrong[:4]]
    first = worst[0]
    assert first.true == found.dataset.target.names[found.dataset.y[first.row - 1]]
    np.testing.assert_array_equal(np.asarray(first.raw), found.dataset.raw(np.array([first.row - 1]))[0])


def test_quantities_come_in_their_own_unit() -> None:
    found = subject({"data": {"kind": "named", "name": "diabetes"}})
    (values,) = evaluation(found, "test")
    assert values.name == "progression" and 24 < values.true.min() < values.true.max() < 347
    worst = mistakes(found, "validation", 3)
    assert [mistake.badness for mistake in worst] == sorted((mistake.badness for mistake in worst), reverse=True)


def test_a_perceptron_has_no_probabilities() -> None:
    found = subject({"data": {"kind": "toy", "name": "gaussians"}, "network": "perceptron"})
    result = evaluation(found, "validation")
    assert isinstance(result, Decisions) and result.curves == () and result.calibration is None
    assert result.confusion.sum() == found.dataset.validation.size


def test_labels() -> None:
    random = np.random.default_rng(0)
    import polars as pl

    table = pl.DataFrame({"a": random.random(80), "p": random.integers(0, 2, 80), "q": random.integers(0, 2, 80)})
    table.write_csv("labels.csv")
    found = subject({"data": {"kind": "table", "path": "labels.csv", "target": ["p", "q"]}, "task": "multilabel"})
    result = evaluation(found, "validation")
    assert isinstance(result, Decisions) and [c.name for c in result.curves] == ["p", "q"]
    assert result.calibration is not None and result.calibration.rows.sum() == 2 * found.dataset.validation.size
    assert result.calibration.low is result.calibration.high is None  # two labels of one row are not two rows
    assert all(mistake.badness > 0 for mistake in mistakes(found, "validation", 5))


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
