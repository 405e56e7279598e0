"""LaneSearchCV against scikit-learn's own search: the same fits, results and conventions, from one program."""

import pickle
import threading
import warnings
from collections.abc import Callable
from itertools import count
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from sklearn.base import BaseEstimator, TransformerMixin, clone
from sklearn.datasets import load_iris, make_classification, make_regression
from sklearn.exceptions import FitFailedWarning, NotFittedError
from sklearn.linear_model import Ridge
from sklearn.model_selection import (
    GridSearchCV,
    GroupKFold,
    KFold,
    RandomizedSearchCV,
    ShuffleSplit,
    cross_val_score,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import check_estimator

import layerwise
from layerwise.estimators import LaneSearchCV, LogisticRegression, MLPClassifier, MLPRegressor, Perceptron
from layerwise.training import loop

X, Y = load_iris(return_X_y=True)
# What scikit-learn's own list exempts RandomizedSearchCV from.
EXEMPT = {"check_supervised_y_2d": "", "check_requires_y_none": ""}

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


@pytest.mark.filterwarnings("ignore")  # the checks provoke warnings of all kinds
@pytest.mark.parametrize(
    ("estimator", "space"),
    [
        (LogisticRegression(max_iter=20), {"C": [0.1, 1.0]}),
        (MLPRegressor(hidden_layer_sizes=(), solver="lbfgs", max_iter=10, random_state=0), {"alpha": [0.1, 1.0]}),
    ],
)
def test_scikit_learns_own_checks(estimator: Any, space: dict[str, Any]) -> None:
    search = LaneSearchCV(estimator, space, n_iter=2, cv=2, error_score="raise", random_state=0)
    results = check_estimator(search, expected_failed_checks=EXEMPT, on_skip=None)
    # It calls for settings in the environment.
    assert {r["check_name"] for r in results if r["status"] == "skipped"} <= {"check_array_api_input"}


# ── the same as one fit after another ───────────────────────────────────────────────────────────


def weights(fitted: Any) -> list[np.ndarray]:
    if hasattr(fitted, "coefs_"):
        return [*fitted.coefs_, *fitted.intercepts_]
    return [fitted.coef_, fitted.intercept_]


class Remembering:
    """A scorer that keeps what it was given."""

    def __init__(self) -> None:
        self.fitted: dict[tuple[str, bytes], list[np.ndarray]] = {}

    def __call__(self, estimator: Any, x: np.ndarray, y: np.ndarray) -> float:
        self.fitted[repr(sorted(estimator.get_params().items())), x.tobytes()] = weights(estimator)
        return float(estimator.score(x, y))


RATES = {"learning_rate_init": stats.loguniform(1e-3, 1e-1), "alpha": stats.loguniform(1e-6, 1e-1)}
# Each program costs seconds, so most are those of test_mlp.py and of scikit-learn's checks.
SETTINGS: list[tuple[Any, dict[str, Any]]] = [
    (MLPClassifier(max_iter=4, random_state=0), RATES),
    (MLPClassifier(activation="gelu", solver="adamw", max_iter=4, random_state=0), RATES),
    (
        MLPClassifier((7, 5), solver="sgd", learning_rate="adaptive", tol=1e-2, n_iter_no_change=2, random_state=0),
        {"momentum": [0.0, 0.9], "learning_rate_init": [0.01, 0.1]},
    ),
    (MLPClassifier((7, 5), solver="sgd", learning_rate="invscaling", max_iter=4, random_state=0), RATES),
    (MLPClassifier((5,), early_stopping=True, batch_size=16, max_iter=9, random_state=0), RATES),
    (MLPClassifier((5,), solver="lbfgs", max_iter=20, random_state=0), {"alpha": stats.loguniform(1e-4, 1)}),
    (
        MLPClassifier(solver="lbfgs", max_iter=4, random_state=0),
        {"hidden_layer_sizes": [(5,), ()], "alpha": [1e-4, 1e-2]},
    ),
    (MLPClassifier(dropout=0.2, max_iter=4, random_state=0), RATES),
    (MLPRegressor("huber", (5,), batch_size=16, max_iter=4, random_state=0), RATES),
    (MLPRegressor(hidden_layer_sizes=(), solver="lbfgs", max_iter=20, random_state=0), {"alpha": [1e-3, 1e-1, 1]}),
    (LogisticRegression(), {"C": stats.loguniform(1e-2, 1e2)}),
    (LogisticRegression(solver="saga", l1_ratio=0.5, max_iter=3), {"C": stats.loguniform(1e-1, 1e1)}),
    (Perceptron(max_iter=5, random_state=0), {"penalty": [None, "l2", "l1"], "alpha": [1e-4, 1e-2]}),
]


@pytest.mark.parametrize(("estimator", "space"), SETTINGS)
def test_fits_and_results_are_those_of_a_loop(estimator: Any, space: dict[str, Any]) -> None:
    """Every fit on every fold to the bit, and every column of the results but for the times."""
    found = []
    for search in (LaneSearchCV, RandomizedSearchCV):
        scorer = Remembering()
        fitted = search(estimator, space, n_iter=3, cv=3, scoring=scorer, random_state=5, return_train_score=True).fit(
            X, Y
        )
        found.append((scorer.fitted, fitted))
    (ours, lanes), (theirs, looped) = found
    assert ours.keys() == theirs.keys() and len(ours) == 2 * 3 * 3  # test and train scores
    for key, expected in theirs.items():
        for mine, its in zip(ours[key], expected, strict=True):
            np.testing.assert_array_equal(mine, its)
    assert list(lanes.cv_results_) == list(looped.cv_results_)
    for name, values in looped.cv_results_.items():
        if not name.endswith("_time"):
            np.testing.assert_array_equal(lanes.cv_results_[name], values, err_msg=name)
    assert (lanes.best_index_, lanes.best_params_) == (looped.best_index_, looped.best_params_)
    assert (lanes.best_score_, lanes.n_splits_, lanes.multimetric_) == (looped.best_score_, 3, False)
    for mine, its in zip(weights(lanes.best_estimator_), weights(looped.best_estimator_), strict=True):
        np.testing.assert_array_equal(mine, its)
    np.testing.assert_array_equal(lanes.predict(X), looped.predict(X))
    assert lanes.score(X, Y) == looped.score(X, Y)


def test_a_fit_without_dropout_shares_the_program_of_those_with_it(programs: Callable[[], int]) -> None:
    estimator = MLPClassifier(max_iter=4, random_state=0)
    scorer = Remembering()
    LaneSearchCV(estimator, {"dropout": [0.0, 0.1, 0.3]}, method="grid", cv=2, scoring=scorer).fit(X, Y)
    assert programs() == 1
    alone = Remembering()
    GridSearchCV(estimator, {"dropout": [0.0, 0.1, 0.3]}, cv=2, scoring=alone).fit(X, Y)
    for key, expected in alone.fitted.items():
        for mine, its in zip(scorer.fitted[key], expected, strict=True):
            np.testing.assert_allclose(mine, its, rtol=1e-5, atol=1e-6)


# ── one program ─────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("estimator", "rows", "columns"),
    [
        (MLPClassifier((6,), max_iter=3, batch_size=64), 768, 50),
        (LogisticRegression(max_iter=5), 768, 50),
        (LogisticRegression(max_iter=5), 17_000, 4),
    ],
)
def test_folds_that_straddle_a_size_share_a_program(
    estimator: Any, rows: int, columns: int, programs: Callable[[], int]
) -> None:
    """Folds of 500 and 524 rows, which alone fill up to 512 and 1024; of 700 and 16,390, which are not filled up."""
    x, y = make_classification(rows, columns, random_state=0)
    numbers = np.arange(rows)
    sizes = (500, 524) if rows == 768 else (700, 16_390)
    splits = [(numbers[:size], numbers[size:]) for size in sizes]
    name = "alpha" if isinstance(estimator, MLPClassifier) else "C"
    LaneSearchCV(estimator, {name: [0.1, 1.0]}, n_iter=2, cv=splits, refit=False).fit(x, y)
    assert programs() == 1


# ── scikit-learn's tools around it ──────────────────────────────────────────────────────────────


def classifier(**settings: Any) -> MLPClassifier:
    return MLPClassifier(**{"max_iter": 4, "random_state": 0, **settings})


ALPHA = {"alpha": {"log": [1e-4, 1.0]}}


@pytest.mark.parametrize("method", ["random", "grid", "sobol", "bayes"])
def test_methods(method: str) -> None:
    search = layerwise.LaneSearchCV(classifier(), ALPHA, method=method, n_iter=9, cv=2, random_state=0).fit(X, Y)
    assert len(search.cv_results_["params"]) == 9
    assert search.best_score_ == search.cv_results_["mean_test_score"].max()
    assert all(1e-4 <= params["alpha"] <= 1 for params in search.cv_results_["params"])
    assert search.predict_proba(X).shape == (150, 3)
    assert search.classes_.tolist() == [0, 1, 2] and search.n_features_in_ == 4
    with pytest.raises(NotFittedError):
        clone(search).predict(X)


def test_a_pipeline() -> None:
    """Its transformers are fitted to each fold, as scikit-learn would."""
    pipeline = make_pipeline(StandardScaler(), classifier())
    space = {"mlpclassifier__alpha": stats.loguniform(1e-4, 1), "standardscaler__with_mean": [True, False]}
    ours = LaneSearchCV(pipeline, space, n_iter=4, cv=3, random_state=0).fit(X, Y)
    theirs = RandomizedSearchCV(pipeline, space, n_iter=4, cv=3, random_state=0).fit(X, Y)
    assert ours.best_params_ == theirs.best_params_
    np.testing.assert_array_equal(ours.cv_results_["mean_test_score"], theirs.cv_results_["mean_test_score"])
    np.testing.assert_array_equal(ours.predict_proba(X), theirs.predict_proba(X))


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_it_is_an_estimator_in_a_cross_validation(n_jobs: int) -> None:
    """Also in several processes, each with lanes of its own."""
    stopping = classifier(hidden_layer_sizes=(7, 5), solver="sgd", early_stopping=True, max_iter=200)
    search = LaneSearchCV(stopping, ALPHA, n_iter=2, cv=2, random_state=0)
    assert np.isfinite(cross_val_score(search, X, Y, cv=2, n_jobs=n_jobs)).all()


def test_it_survives_pickling_without_the_data() -> None:
    x, y = np.resize(X, (500, 4)), np.resize(Y, 500)
    search = LaneSearchCV(LogisticRegression(), {"C": [0.1, 1.0]}, n_iter=2).fit(x, y)
    pickled = pickle.dumps(search)
    assert len(pickled) < 8 * len(x)
    np.testing.assert_array_equal(pickle.loads(pickled).predict(X), search.predict(X))


@pytest.mark.parametrize("estimator", [Ridge(), make_pipeline(StandardScaler(), Ridge()), object()])
def test_what_is_not_ours_is_refused(estimator: Any) -> None:
    with pytest.raises(ValueError, match=r"RandomizedSearchCV|'fit' method"):
        LaneSearchCV(estimator, {"alpha": [1.0]}).fit(X, Y)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"method": "tpe"}, "method"),
        ({"n_iter": 0}, "n_iter"),
        ({"n_jobs": 0}, "n_jobs"),
        ({"space": 3}, "space"),
        ({"space": {"alpha": {"log": [1, 0.1]}}}, "low < high"),
        ({"space": {"aplha": [1.0, 2.0]}}, "Invalid parameter 'aplha'"),
        ({"method": "bayes", "scoring": ["accuracy", "f1_macro"], "refit": False}, "learns from one score"),
    ],
)
def test_bad_settings_are_refused(settings: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        LaneSearchCV(classifier(), **{"space": ALPHA, "n_iter": 2, "cv": 2, **settings}).fit(X, Y)


def test_several_scores() -> None:
    scoring = {"right": "accuracy", "loss": "neg_log_loss"}
    for method in ("random", "bayes"):
        search = LaneSearchCV(
            classifier(), ALPHA, n_iter=3, method=method, cv=2, scoring=scoring, refit="loss", random_state=0
        ).fit(X, Y)
        assert search.multimetric_ and set(search.scorer_) == set(scoring)
        assert search.best_index_ == search.cv_results_["mean_test_loss"].argmax()
        assert search.score(X, Y) < 0
    unguided = LaneSearchCV(classifier(), ALPHA, n_iter=2, cv=2, scoring=scoring, refit=False).fit(X, Y)
    assert not hasattr(unguided, "best_params_") and "mean_test_right" in unguided.cv_results_


def test_refit_decides() -> None:
    last = LaneSearchCV(classifier(), ALPHA, n_iter=3, cv=2, refit=lambda results: 2).fit(X, Y)
    assert last.best_index_ == 2 and last.best_estimator_.alpha == last.best_params_["alpha"]
    unfitted = LaneSearchCV(classifier(), ALPHA, n_iter=3, cv=2, refit=False).fit(X, Y)
    assert not hasattr(unfitted, "best_estimator_") and np.isfinite(unfitted.best_score_)


@pytest.mark.filterwarnings("ignore:One or more of the test scores are non-finite")
def test_a_fit_that_fails_spoils_only_its_own_score() -> None:
    space = {"hidden_layer_sizes": [(5,), (-1,), ()]}
    search = LaneSearchCV(classifier(solver="lbfgs"), space, method="grid", cv=2)
    with pytest.warns(FitFailedWarning, match="2 fits failed out of a total of 6"):
        search.fit(X, Y)
    assert np.isnan(search.cv_results_["mean_test_score"]).tolist() == [False, True, False]
    with pytest.raises(ValueError, match="hidden_layer_sizes must be > 0"):
        search.set_params(error_score="raise").fit(X, Y)
    with pytest.warns(FitFailedWarning):
        assert search.set_params(error_score=-1.0).fit(X, Y).cv_results_["rank_test_score"][1] == 3


def test_every_batch_of_a_bayesian_search_gets_the_same_folds() -> None:
    seen: set[bytes] = set()

    def scorer(estimator: Any, x: np.ndarray, y: np.ndarray) -> float:
        seen.add(x.tobytes())
        return float(estimator.score(x, y))

    drawn = ShuffleSplit(2, test_size=0.3)  # anew at each call
    LaneSearchCV(classifier(), ALPHA, method="bayes", n_iter=12, cv=drawn, scoring=scorer).fit(X, Y)
    assert len(seen) == 2


def test_cv_may_be_a_generator_or_yes_and_no() -> None:
    splits = list(KFold(3, shuffle=True, random_state=0).split(X))
    masks = [(np.isin(np.arange(150), train), np.isin(np.arange(150), test)) for train, test in splits]
    scores = []
    for cv in (splits, iter(splits), masks):
        search = LaneSearchCV(classifier(), ALPHA, n_iter=2, cv=cv, random_state=0).fit(X, Y)
        assert search.n_splits_ == 3
        scores.append(search.cv_results_["mean_test_score"].tolist())
    assert scores[0] == scores[1] == scores[2]


def test_groups_and_weights_reach_their_places() -> None:
    groups = np.arange(150) % 5
    weight = np.random.default_rng(0).uniform(0.1, 2, 150)
    found = [
        search(LogisticRegression(), {"C": [0.1, 1.0]}, n_iter=2, cv=GroupKFold(3), random_state=0)
        .fit(X, Y, groups=groups, sample_weight=weight)
        .cv_results_["mean_test_score"]
        .tolist()
        for search in (LaneSearchCV, RandomizedSearchCV)
    ]
    assert found[0] == found[1]


def test_frames_give_feature_names() -> None:
    table = pd.DataFrame(X, columns=list("abcd"))
    search = LaneSearchCV(classifier(), ALPHA, n_iter=2, cv=2).fit(table, Y)
    assert search.feature_names_in_.tolist() == list("abcd")


@pytest.mark.parametrize("n_jobs", [None, 1, 3, -1])
def test_how_many_at_a_time_changes_nothing(n_jobs: int | None) -> None:
    x, y = make_regression(60, 3, random_state=0)
    estimator = MLPRegressor("huber", (5,), batch_size=16, max_iter=5, random_state=0)
    search = LaneSearchCV(estimator, ALPHA, n_iter=3, cv=2, n_jobs=n_jobs, random_state=0).fit(x, y)
    looped = RandomizedSearchCV(estimator, search_space(), n_iter=3, cv=2, random_state=0).fit(x, y)
    np.testing.assert_array_equal(search.cv_results_["mean_test_score"], looped.cv_results_["mean_test_score"])


def search_space() -> dict[str, Any]:
    return {"alpha": stats.loguniform(1e-4, 1.0)}


# ── threads ─────────────────────────────────────────────────────────────────────────────────────


def test_warning_filters_outlive_a_search() -> None:
    before = list(warnings.filters)
    LaneSearchCV(classifier(), ALPHA, n_iter=8, cv=3, n_jobs=4).fit(X, Y)
    assert warnings.filters == before


def test_filters_hold_in_every_fit() -> None:
    """A fit may not see the filters while another is just exchanging them."""
    with warnings.catch_warnings():
        warnings.filterwarnings("error", "Stopped after")
        search = LaneSearchCV(classifier(), ALPHA, n_iter=8, cv=3, n_jobs=4, refit=False)
        with pytest.raises(ValueError, match="All the 24 fits failed"):
            search.fit(X, Y)


class Interrupting(TransformerMixin, BaseEstimator):
    """Ctrl-C, at its third fit."""

    fits: list[int] = []  # noqa: RUF012 (shared on purpose)

    def fit(self, X: Any, y: Any = None) -> "Interrupting":
        self.fits.append(1)
        if len(self.fits) == 3:
            raise KeyboardInterrupt
        return self

    def transform(self, X: Any) -> Any:
        return X

    def __sklearn_is_fitted__(self) -> bool:
        return True


def test_ctrl_c_ends_the_search() -> None:
    Interrupting.fits.clear()
    search = LaneSearchCV(
        make_pipeline(Interrupting(), classifier(max_iter=10**6, tol=0.0, n_iter_no_change=10**6)),
        {"mlpclassifier__alpha": {"log": [1e-4, 1.0]}},
        n_iter=50,
        cv=2,
        n_jobs=3,
    )
    with pytest.raises(KeyboardInterrupt):
        search.fit(X, Y)
    assert len(Interrupting.fits) < 10  # it takes a moment until all threads have heard of it


def test_fits_run_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    meeting, calls = threading.Barrier(2), count()
    real: Callable[..., Any] = loop.advance

    def advance(*arguments: Any) -> Any:
        if next(calls) < 2:
            meeting.wait(30)
        return real(*arguments)

    monkeypatch.setattr(loop, "advance", advance)
    LaneSearchCV(classifier(), ALPHA, n_iter=2, cv=2, n_jobs=2, refit=False, error_score="raise").fit(X, Y)
    assert next(calls) >= 4
