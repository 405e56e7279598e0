"""Logistic regression against scikit-learn's optimum; the perceptron against Rosenblatt's rule worked by hand."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import linear_model
from sklearn.datasets import load_breast_cancer, load_iris
from sklearn.exceptions import ConvergenceWarning
from sklearn.preprocessing import scale

from layerwise.estimators import LogisticRegression, Perceptron

IRIS = load_iris(return_X_y=True)
# Up to 512 rows and 16 columns take the programs of many other tests.
CANCER = (scale(load_breast_cancer().data)[:500, :16], load_breast_cancer().target[:500])
DATA = {"iris": IRIS, "breast cancer": CANCER}


# ── logistic regression ─────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"C": 0.01},
        {"C": 0.1, "class_weight": "balanced"},
        {"class_weight": {0: 3.0, 1: 0.5}},
        {"fit_intercept": False},
        {"solver": "newton-cholesky"},
    ],
    ids=str,
)
@pytest.mark.parametrize("data", DATA)
def test_coefficients_are_scikit_learns(data: str, settings: dict[str, Any]) -> None:
    x, y = DATA[data]
    weight = np.random.default_rng(0).uniform(0, 2, len(x)) if settings.get("C") == 0.01 else None
    ours = LogisticRegression(**settings, tol=1e-6, max_iter=1000).fit(x, y, sample_weight=weight)
    theirs = linear_model.LogisticRegression(**settings, tol=1e-9, max_iter=5000).fit(x, y, sample_weight=weight)
    np.testing.assert_allclose(ours.coef_, theirs.coef_, atol=1e-3)
    np.testing.assert_allclose(ours.intercept_, theirs.intercept_, atol=2e-3)
    np.testing.assert_allclose(ours.predict_proba(x), theirs.predict_proba(x), atol=1e-3)
    assert ours.n_iter_.shape == (1,)


def test_defaults_come_as_near_the_optimum_as_scikit_learns() -> None:
    x, y = CANCER
    best = linear_model.LogisticRegression(tol=1e-10, max_iter=5000).fit(x, y).coef_
    ours, theirs = (model().fit(x, y).coef_ for model in (LogisticRegression, linear_model.LogisticRegression))
    assert np.abs(ours - best).max() <= max(np.abs(theirs - best).max(), 1e-3)


def test_scores_and_probabilities_are_scikit_learns() -> None:
    for x, y in DATA.values():
        ours, theirs = (model().fit(scale(x), y) for model in (LogisticRegression, linear_model.LogisticRegression))
        theirs.coef_, theirs.intercept_ = ours.coef_, ours.intercept_
        for method in ("predict", "decision_function", "predict_proba", "predict_log_proba"):
            np.testing.assert_allclose(getattr(ours, method)(x), getattr(theirs, method)(x), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("ratio", [1.0, 0.5])
def test_an_l1_penalty_gives_scikit_learns_zeros(ratio: float) -> None:
    x, y = CANCER
    settings = {"C": 0.1, "l1_ratio": ratio, "solver": "saga", "max_iter": 5000}
    ours = LogisticRegression(**settings, tol=1e-6).fit(x, y)
    theirs = linear_model.LogisticRegression(**settings, tol=1e-6).fit(x, y)
    np.testing.assert_allclose(ours.coef_, theirs.coef_, atol=2e-3)
    np.testing.assert_array_equal(ours.coef_ == 0, theirs.coef_ == 0)
    with pytest.raises(ValueError, match="saga"):
        LogisticRegression(l1_ratio=ratio).fit(x, y)


def test_the_former_penalty_still_counts() -> None:
    x, y = IRIS
    np.testing.assert_array_equal(
        LogisticRegression(penalty=None, tol=1e-3).fit(x, y).coef_,
        LogisticRegression(C=np.inf, tol=1e-3).fit(x, y).coef_,
    )
    np.testing.assert_array_equal(
        LogisticRegression(penalty="l2").fit(x, y).coef_, LogisticRegression().fit(x, y).coef_
    )


def test_a_large_offset_costs_no_digits() -> None:
    x, y = IRIS
    near, far = (LogisticRegression(tol=1e-6).fit(x + offset, y) for offset in (0, 1e6))
    np.testing.assert_allclose(far.coef_, near.coef_, atol=1e-4)


def test_warm_start_begins_where_it_ended() -> None:
    x, y = CANCER
    model = LogisticRegression(warm_start=True, tol=1e-5)
    cold, warm = int(model.fit(x, y).n_iter_[0]), int(model.fit(x, y).n_iter_[0])
    assert warm < cold


def test_weight_and_repetition_are_the_same_bits() -> None:
    x, y = IRIS
    weight = np.random.default_rng(0).integers(0, 3, len(x))
    weighted = LogisticRegression().fit(x, y, sample_weight=weight)
    repeated = LogisticRegression().fit(np.repeat(x, weight, axis=0), np.repeat(y, weight))
    np.testing.assert_array_equal(weighted.coef_, repeated.coef_)


def test_one_class_is_refused() -> None:
    for model in (LogisticRegression(), Perceptron()):
        with pytest.raises(ValueError, match="one class"):
            model.fit(IRIS[0], np.zeros(150))


# ── perceptron ──────────────────────────────────────────────────────────────────────────────────


def rosenblatt(
    x: Any, y: Any, classes: int, epochs: int, eta0: float, weight: Any, l2: float = 0.0, l1: float = 0.0
) -> tuple[np.ndarray, np.ndarray]:
    """The rule, an example at a time: a score of zero is a mistake; for several classes Kesler's construction."""
    rows = 1 if classes == 2 else classes
    w, b = np.zeros((rows, x.shape[1])), np.zeros(rows)
    for _ in range(epochs):
        for row, label, by in zip(x, y, weight, strict=True):
            scores, push = w @ row + b, np.zeros(rows)
            if classes == 2:
                sign = 2 * label - 1
                push[0] = sign * (sign * scores[0] <= 0)
            else:
                others = np.where(np.arange(rows) == label, -np.inf, scores)
                if scores[label] <= others.max():
                    rivals = (others == others.max()).astype(float)
                    push = -rivals / rivals.sum()  # equal rivals share
                    push[label] = 1
            w = w * (1 - eta0 * l2) + eta0 * by * np.outer(push, row)
            w = np.sign(w) * np.maximum(np.abs(w) - eta0 * l1, 0)
            b = b + eta0 * by * push
    return w, b


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize(
    "settings", [{}, {"eta0": 0.25}, {"penalty": "elasticnet", "alpha": 0.1, "l1_ratio": 0.6}], ids=str
)
def test_the_rule_worked_by_hand(classes: int, settings: dict[str, Any]) -> None:
    random = np.random.default_rng(classes)
    x, y = random.normal(size=(30, 4)), random.integers(0, classes, 30)
    weight = random.choice([0.5, 1.0, 2.0], 30)
    model = Perceptron(shuffle=False, tol=None, max_iter=4, **settings).fit(x, y, sample_weight=weight)
    w, b = rosenblatt(
        x, y, classes, 4, settings.get("eta0", 1.0), weight, *(0.04, 0.06) if "alpha" in settings else (0, 0)
    )
    np.testing.assert_allclose(model.coef_, w, atol=1e-4)
    np.testing.assert_allclose(model.intercept_, b, atol=1e-4)
    assert (model.n_iter_, model.t_) == (4, 121)
    again = Perceptron(shuffle=False, **settings)
    for _ in range(4):
        again.partial_fit(x, y, classes=range(classes), sample_weight=weight)
    np.testing.assert_allclose(again.coef_, w, atol=1e-4)


@given(st.integers(0, 2**32 - 1), st.integers(2, 3))
def test_separates_what_is_separable(seed: int, classes: int) -> None:
    random = np.random.default_rng(seed)
    x = random.normal(size=(200, 4))
    scores = x @ random.normal(size=(4, classes)) + 0.3 * random.normal(size=classes)
    first, second = np.sort(scores, axis=1)[:, -1], np.sort(scores, axis=1)[:, -2]
    clear = first - second > 0.2
    x, y = x[clear], scores.argmax(axis=1)[clear]
    if len(np.unique(y)) < classes:
        return
    model = Perceptron(tol=None, max_iter=3000).fit(x, y)
    assert model.score(x, y) == 1
    assert model.n_iter_ < 3000


def test_class_weights_move_the_boundary() -> None:
    random = np.random.default_rng(0)
    x = np.concatenate([random.normal(-0.5, 1, (100, 2)), random.normal(0.5, 1, (100, 2))])
    y = np.repeat([0, 1], 100)
    toward = [Perceptron(class_weight={label: 100.0}).fit(x, y).predict(x).mean() for label in (0, 1)]
    assert toward[0] < 0.3 and toward[1] > 0.7


def test_scores_are_near_scikit_learns() -> None:
    for x, y in DATA.values():
        ours, theirs = (model().fit(scale(x), y).score(scale(x), y) for model in (Perceptron, linear_model.Perceptron))
        assert ours > theirs - 0.05


def test_starts_from_given_weights_and_from_its_own() -> None:
    x, y = CANCER
    given = Perceptron(max_iter=1, tol=None, shuffle=False).fit(x, y, coef_init=np.zeros((1, 16)), intercept_init=[0.0])
    np.testing.assert_array_equal(given.coef_, Perceptron(max_iter=1, tol=None, shuffle=False).fit(x, y).coef_)
    warm = Perceptron(max_iter=1, tol=None, shuffle=False, warm_start=True).fit(x, y).fit(x, y)
    np.testing.assert_allclose(warm.coef_, Perceptron(max_iter=2, tol=None, shuffle=False).fit(x, y).coef_, atol=1e-5)
    with pytest.raises(ValueError, match="coef_init"):
        Perceptron().fit(x, y, coef_init=np.zeros((2, 3)))


def test_early_stopping_holds_out() -> None:
    x, y = CANCER
    assert Perceptron(early_stopping=True).fit(x, y).score(x, y) > 0.9


def test_partial_fit_is_told_the_classes() -> None:
    x, y = IRIS
    with pytest.raises(ValueError, match="classes"):
        Perceptron().partial_fit(x, y)
    with pytest.raises(ValueError, match="not in `classes`"):
        Perceptron().partial_fit(x, y, classes=[0, 1])
    with pytest.raises(ValueError, match="balanced"):
        Perceptron(class_weight="balanced").partial_fit(x, y, classes=[0, 1, 2])


def test_an_end_without_convergence_is_said() -> None:
    with pytest.warns(ConvergenceWarning):
        LogisticRegression(solver="saga", l1_ratio=1, max_iter=1).fit(*CANCER)
