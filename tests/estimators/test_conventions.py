"""The estimators keep scikit-learn's conventions, by its own checks and in its own tools."""

import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
from scipy import sparse
from sklearn.base import clone
from sklearn.datasets import load_iris, make_classification
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import check_estimator

import layerwise
from layerwise.estimators import LogisticRegression, MLPClassifier, MLPRegressor, Perceptron

EVERY = (LogisticRegression, MLPClassifier, MLPRegressor, Perceptron)
X, Y = load_iris(return_X_y=True)

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def short(estimator: type, **settings: Any) -> Any:
    """One that trains for a moment: these tests are not about what it learns."""
    if estimator is not LogisticRegression:
        settings = {"max_iter": 5, "random_state": 0, **settings}
    return estimator(**settings)


@pytest.mark.filterwarnings("ignore")  # the checks provoke warnings of all kinds
@pytest.mark.parametrize("estimator", EVERY)
def test_scikit_learns_own_checks(estimator: type) -> None:
    """All of them, exempting none: a check that fails raises. Networks train as long as scikit-learn's own there."""
    settings = {"max_iter": 100} if estimator in (MLPClassifier, MLPRegressor) else {}
    results = check_estimator(estimator(**settings), on_skip=None)
    skipped = {result["check_name"] for result in results if result["status"] == "skipped"}
    # The first calls for settings in the environment, the second for a method that scikit-learn's has not either.
    assert skipped <= {"check_array_api_input", "check_classifiers_multilabel_output_format_decision_function"}
    assert {result["status"] for result in results} <= {"passed", "skipped"}


@pytest.mark.parametrize("estimator", EVERY)
def test_signature_is_scikit_learns(estimator: type) -> None:
    """Each parameter of the class it stands in for, with its default; ours come on top."""
    from sklearn import linear_model, neural_network

    home = neural_network if estimator.__name__.startswith("MLP") else linear_model
    theirs = getattr(home, estimator.__name__)().get_params()
    ours = estimator().get_params()
    assert {name: ours.get(name) for name in theirs} == theirs
    assert set(ours) - set(theirs) <= {"dropout"}
    assert getattr(layerwise, estimator.__name__) is estimator


@pytest.mark.parametrize("estimator", EVERY)
def test_cross_validation_compiles_once(estimator: type, programs: Callable[[], int]) -> None:
    """Folds of 80 and of 81 rows."""
    x, y = make_classification(101, 16, random_state=0)
    assert np.isfinite(cross_val_score(short(estimator), x, y, cv=5)).all()
    assert programs() == 1


def test_pipeline_and_grid_search() -> None:
    search = GridSearchCV(
        make_pipeline(StandardScaler(), MLPClassifier((5,), solver="lbfgs", random_state=0)),
        {"mlpclassifier__alpha": [1e-3, 1000.0]},
        cv=3,
    ).fit(X, Y)
    assert search.best_params_ == {"mlpclassifier__alpha": 1e-3}
    assert search.best_score_ > 0.9


@pytest.mark.parametrize("estimator", EVERY)
def test_survives_pickling_and_holds_only_numpy(estimator: type) -> None:
    fitted = short(estimator).fit(X, Y)
    for value in vars(fitted).values():
        assert not type(value).__module__.startswith(("jax", "layerwise.nets"))
    again = pickle.loads(pickle.dumps(fitted))
    np.testing.assert_array_equal(again.predict(X), fitted.predict(X))
    with pytest.raises(NotFittedError):
        clone(fitted).predict(X)


def test_a_pickled_network_goes_on_learning_to_the_same_bits() -> None:
    one = short(MLPClassifier).partial_fit(X, Y, classes=[0, 1, 2])
    other = pickle.loads(pickle.dumps(one))
    for _ in range(3):
        one.partial_fit(X, Y)
        other.partial_fit(X, Y)
    for mine, its in zip(one.coefs_, other.coefs_, strict=True):
        np.testing.assert_array_equal(mine, its)


@pytest.mark.parametrize("frame", [pd.DataFrame, pl.DataFrame])
@pytest.mark.parametrize("estimator", EVERY)
def test_frames_give_feature_names(estimator: type, frame: Any) -> None:
    table = frame({name: X[:, i] for i, name in enumerate("abcd")})
    fitted = short(estimator).fit(table, Y)
    assert fitted.feature_names_in_.tolist() == list("abcd")
    np.testing.assert_array_equal(fitted.predict(table), short(estimator).fit(X, Y).predict(X))
    with pytest.raises(ValueError, match="feature names"):
        fitted.predict(frame({name: X[:, i] for i, name in enumerate("abdc")}))


@pytest.mark.parametrize("container", [sparse.csr_array, sparse.csr_matrix, sparse.csc_array])
@pytest.mark.parametrize("estimator", EVERY)
def test_sparse_is_dense(estimator: type, container: Any) -> None:
    from_sparse = short(estimator).fit(container(X), Y)
    from_dense = short(estimator).fit(X, Y)
    np.testing.assert_allclose(from_sparse.predict(container(X)), from_dense.predict(X), rtol=1e-12)


@pytest.mark.parametrize("estimator", [LogisticRegression, MLPClassifier, Perceptron])
def test_classes_may_be_texts(estimator: type) -> None:
    names = np.array(["setosa", "versicolor", "virginica"])
    fitted = short(estimator).fit(X, names[Y])
    assert fitted.classes_.tolist() == names.tolist()
    np.testing.assert_array_equal(fitted.predict(X), names[short(estimator).fit(X, Y).predict(X)])


@pytest.mark.parametrize("estimator", EVERY)
def test_single_precision_stays_single(estimator: type) -> None:
    fitted = short(estimator).fit(X.astype(np.float32), Y)
    arrays = fitted.coefs_ if hasattr(fitted, "coefs_") else [fitted.coef_, fitted.intercept_]
    assert {array.dtype for array in arrays} == {np.dtype(np.float32)}


@pytest.mark.parametrize("estimator", EVERY)
def test_same_seed_same_bits(estimator: type) -> None:
    one, other = (short(estimator).fit(X, Y) for _ in range(2))
    np.testing.assert_array_equal(
        one.predict_proba(X) if hasattr(one, "predict_proba") else one.predict(X),
        other.predict_proba(X) if hasattr(other, "predict_proba") else other.predict(X),
    )


@pytest.mark.parametrize("estimator", EVERY)
@pytest.mark.parametrize(
    ("data", "message"),
    [
        ((np.full((4, 2), np.nan), [0, 1, 0, 1]), "NaN"),
        ((np.full((4, 2), 1e200) * [[1], [-1], [1], [-1]], [0, 1, 0, 1]), "too large"),
        ((np.ones((4, 2)), [0, 1, 0]), "inconsistent"),
    ],
)
def test_bad_input_is_refused(estimator: type, data: tuple[Any, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        short(estimator).fit(*data)


@pytest.mark.parametrize("estimator", EVERY)
def test_bad_weights_are_refused(estimator: type) -> None:
    for weight, message in ((np.full(len(X), -1.0), "[Nn]egative"), (np.zeros(len(X)), "non-zero")):
        with pytest.raises(ValueError, match=message):
            short(estimator).fit(X, Y, sample_weight=weight)


@pytest.mark.parametrize(
    "estimator",
    [MLPClassifier(activation="step"), MLPRegressor(loss="poisson"), Perceptron(eta0=0), LogisticRegression(C=0)],
)
def test_bad_parameters_are_refused(estimator: Any) -> None:
    with pytest.raises(ValueError, match="parameter of"):
        estimator.fit(X, Y)


def test_a_short_training_says_that_it_has_not_converged() -> None:
    from sklearn.exceptions import ConvergenceWarning

    x, y = make_classification(n_features=16, random_state=0)
    for estimator in (MLPClassifier(max_iter=2), LogisticRegression(max_iter=2), Perceptron(max_iter=1)):
        with pytest.warns(ConvergenceWarning):
            estimator.fit(x, y)
