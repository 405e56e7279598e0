"""The multi-layer perceptrons against scikit-learn's: where chance has no say, step by step the same."""

import warnings
from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest
from sklearn import neural_network
from sklearn.datasets import load_diabetes, load_digits
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import log_loss
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import scale

from layerwise.estimators import MLPClassifier, MLPRegressor
from layerwise.estimators.forward import ACTIVATIONS
from layerwise.nets.activation import activate

RANDOM = np.random.default_rng(0)
X = RANDOM.normal(size=(60, 5))
CLASSES = RANDOM.integers(0, 3, 60)
BINARY = RANDOM.integers(0, 2, 60)
LABELS = RANDOM.integers(0, 2, (60, 3))
QUANTITY = X @ RANDOM.normal(size=5) + np.sin(X[:, 0])
QUANTITIES = np.stack([QUANTITY, X[:, 1] ** 2], axis=1)
WEIGHT = RANDOM.uniform(0.1, 3, 60)
SGD = {"solver": "sgd", "learning_rate_init": 0.05}

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def both(y: Any, **settings: Any) -> tuple[Any, Any]:
    """Ours and scikit-learn's for a target, unfitted; for classes, on which most is tried, with a layer more."""
    hidden = (7, 5) if y is CLASSES else (7,)
    settings = {"hidden_layer_sizes": hidden, "max_iter": 20, "random_state": 0, **settings}
    name = "MLPClassifier" if np.asarray(y).dtype.kind == "i" else "MLPRegressor"
    ours = {"MLPClassifier": MLPClassifier, "MLPRegressor": MLPRegressor}[name]
    return ours(**settings), getattr(neural_network, name)(**settings)


def assert_same(ours: Any, theirs: Any, tolerance: float = 2e-5) -> None:
    for mine, its in zip(ours.coefs_ + ours.intercepts_, theirs.coefs_ + theirs.intercepts_, strict=True):
        np.testing.assert_allclose(mine, its, atol=tolerance)
    for name in ("n_iter_", "n_layers_", "n_outputs_", "out_activation_", "t_"):
        assert getattr(ours, name) == getattr(theirs, name), name


# Each line costs a compiled program, so some differ from the first in several ways at once.
# Several outputs are left out of the losses: scikit-learn averages the loss over them but adds up its gradient.
CASES = {
    "classes": (CLASSES, {}),
    "binary": (BINARY, {}),
    "labels": (LABELS, {}),
    "quantity": (QUANTITY, {}),
    "quantities": (QUANTITIES, {}),
    "strong penalty, no momentum": (CLASSES, {"alpha": 10.0, "momentum": 0}),
    "one layer, heavy ball": (
        CLASSES,
        {"hidden_layer_sizes": 4, "activation": "logistic", "nesterovs_momentum": False},
    ),
    "inverse scaling": (CLASSES, {"learning_rate": "invscaling", "learning_rate_init": 0.5}),
    "adaptive": (CLASSES, {"learning_rate": "adaptive", "tol": 0.02, "max_iter": 100}),
    "no hidden layer, in their order": (
        CLASSES,
        {"hidden_layer_sizes": (), "shuffle": False, "batch_size": 17, "alpha": 0.0},
    ),
    "stopping early": (QUANTITIES, {"early_stopping": True, "max_iter": 60}),
    "stopping at a score": (CLASSES, {"early_stopping": True, "max_iter": 60}),
}


@pytest.mark.parametrize("case", CASES)
def test_gradient_steps_are_scikit_learns(case: str) -> None:
    y, settings = CASES[case]
    ours, theirs = (model.fit(X, y) for model in both(y, **{**SGD, **settings}))
    assert_same(ours, theirs)
    if np.ndim(y) == 1 or case == "labels":
        np.testing.assert_allclose(ours.loss_curve_, theirs.loss_curve_, rtol=1e-4)
        if ours.best_loss_ is not None:
            assert ours.best_loss_ == min(ours.loss_curve_)
    if settings.get("early_stopping"):
        np.testing.assert_allclose(ours.validation_scores_, theirs.validation_scores_, atol=1e-5)
        assert ours.best_validation_score_ == pytest.approx(theirs.best_validation_score_, abs=1e-5)
        assert ours.best_loss_ is None


@pytest.mark.parametrize("y", [CLASSES, QUANTITIES], ids=["classes", "quantities"])
def test_weights_of_rows_are_scikit_learns(y: Any) -> None:
    ours, theirs = (model.fit(X, y, sample_weight=WEIGHT) for model in both(y, **SGD))
    for mine, its in zip(ours.coefs_, theirs.coefs_, strict=True):
        np.testing.assert_allclose(mine, its, atol=2e-5)


def test_adams_steps_are_scikit_learns() -> None:
    """With tanh no unit dies: where all gradients vanish, it is the place of epsilon that counts."""
    ours, theirs = (model.fit(X, BINARY) for model in both(BINARY, solver="adam", activation="tanh"))
    assert_same(ours, theirs, 1e-3)


@pytest.mark.parametrize("learning_rate", ["constant", "invscaling"])
def test_partial_fit_is_scikit_learns(learning_rate: str) -> None:
    ours, theirs = both(CLASSES, **SGD, learning_rate=learning_rate)
    for _ in range(5):
        ours.partial_fit(X, CLASSES, classes=[0, 1, 2])
        theirs.partial_fit(X, CLASSES, classes=[0, 1, 2])
    assert_same(ours, theirs)
    np.testing.assert_allclose(ours.loss_curve_, theirs.loss_curve_, rtol=1e-4)


def test_warm_start_is_scikit_learns() -> None:
    ours, theirs = both(CLASSES, **SGD, warm_start=True)
    for _ in range(2):
        ours.fit(X, CLASSES)
        theirs.fit(X, CLASSES)
    assert_same(ours, theirs)
    with pytest.raises(ValueError, match="same classes"):
        ours.fit(X, BINARY)


@pytest.mark.parametrize(
    "y", [CLASSES, BINARY, LABELS, QUANTITY, QUANTITIES], ids=["classes", "binary", "labels", "quantity", "quantities"]
)
def test_predictions_are_scikit_learns(y: Any) -> None:
    """Given the same weights, each answer is the same."""
    ours, theirs = (model.fit(X, y) for model in both(y, **SGD))
    theirs.coefs_, theirs.intercepts_ = ours.coefs_, ours.intercepts_
    for method in ("predict", "predict_proba", "predict_log_proba"):
        assert hasattr(ours, method) == hasattr(theirs, method)
        if hasattr(ours, method):
            mine, its = (getattr(model, method)(X) for model in (ours, theirs))
            assert mine.dtype == its.dtype
            np.testing.assert_allclose(mine, its, rtol=1e-9)
    assert ours.score(X, y) == pytest.approx(theirs.score(X, y))


def test_lbfgs_finds_what_scipys_finds() -> None:
    """Without a hidden layer there is one minimum."""
    settings = {"hidden_layer_sizes": (), "solver": "lbfgs", "alpha": 1.0, "max_iter": 1000, "tol": 1e-7}
    for y in (CLASSES, QUANTITY):
        ours, theirs = (model.fit(X, y) for model in both(y, **settings))
        np.testing.assert_allclose(
            ours.coefs_[0] - ours.coefs_[0].mean(), theirs.coefs_[0] - theirs.coefs_[0].mean(), atol=1e-3
        )
        assert ours.loss_ == pytest.approx(theirs.loss_, rel=1e-4)
        assert not hasattr(ours, "partial_fit")


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_prediction_and_training_have_the_same_activation(name: str) -> None:
    record, function = ACTIVATIONS[name]
    z = np.linspace(-30, 30, 301)
    for dtype in (np.float32, np.float64):
        found = function(z.astype(dtype))
        assert found.dtype == dtype
        np.testing.assert_allclose(
            found, np.asarray(activate(record, jnp.asarray(z, jnp.float32))), atol=2e-6, rtol=2e-6
        )


@pytest.mark.parametrize(
    "settings",
    [
        {"solver": "adamw", "alpha": 0.01, "activation": "gelu"},
        {"solver": "rmsprop"},
        {"solver": "adagrad", "learning_rate_init": 0.05},
        {"solver": "lion"},
        {"dropout": 0.2},
    ],
    ids=str,
)
def test_ours_learn_too(settings: dict[str, Any]) -> None:
    y = (X[:, 0] * X[:, 1] > 0) * (1 + (X[:, 0] > 0))
    model = MLPClassifier(learning_rate_init=0.01, max_iter=200, random_state=0).set_params(**settings)
    assert model.fit(X, y).score(X, y) > 0.95


def test_dropout_is_for_training_only_and_follows_the_seed() -> None:
    one, other, another = (
        MLPClassifier(dropout=0.5, max_iter=20, random_state=seed).fit(X, CLASSES) for seed in (0, 0, 1)
    )
    np.testing.assert_array_equal(one.predict_proba(X), other.predict_proba(X))
    assert not np.array_equal(one.predict_proba(X), another.predict_proba(X))
    # What is predicted with is the whole network: its own loss is another than the one trained on.
    assert one.loss_ != pytest.approx(log_loss(CLASSES, one.predict_proba(X)), rel=1e-3)


def test_equal_rows_and_weights_give_the_same_bits() -> None:
    twice = np.concatenate([X, X[:20]])
    weight = np.where(np.arange(60) < 20, 2, 1)
    cases = ((BINARY, {"activation": "tanh"}), (CLASSES, {"solver": "lbfgs", "hidden_layer_sizes": (5,)}))
    for y, settings in cases:
        once, _ = both(y, **settings)
        double, _ = both(y, **settings)
        once.fit(X[::-1], y[::-1], sample_weight=weight[::-1])
        double.fit(twice, np.concatenate([y, y[:20]]))
        np.testing.assert_array_equal(once.predict_proba(X), double.predict_proba(X))


def test_one_class_is_always_answered() -> None:
    model = MLPClassifier((7,), activation="tanh", max_iter=2).fit(X, np.full(60, 7))
    assert set(model.predict(X)) == {7}


def test_what_is_not_finite_is_said() -> None:
    model = MLPRegressor(hidden_layer_sizes=(7,), solver="sgd", learning_rate_init=1e30, max_iter=20, random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("error", ConvergenceWarning)
        with pytest.raises((ValueError, ConvergenceWarning), match="finite"):
            model.fit(X, 1e6 * QUANTITY)


def test_early_stopping_needs_a_validation_part() -> None:
    with pytest.raises(ValueError, match="validation set is too small"):
        MLPClassifier(early_stopping=True, validation_fraction=0.1).fit(X[:8], CLASSES[:8])
    with pytest.raises(ValueError, match="early_stopping"):
        MLPClassifier(early_stopping=True).partial_fit(X, CLASSES, classes=[0, 1, 2])
    with pytest.raises(ValueError, match="> 0"):
        MLPClassifier((4, 0)).fit(X, CLASSES)


def test_verbose_tells_each_epoch(capsys: pytest.CaptureFixture[str]) -> None:
    model = MLPClassifier((7,), "tanh", max_iter=3, verbose=True).fit(X, BINARY)
    lines = capsys.readouterr().out.splitlines()
    assert lines == [f"Iteration {i}, loss = {loss:.8f}" for i, loss in enumerate(model.loss_curve_, start=1)]


def test_scores_on_real_data_are_scikit_learns() -> None:
    """Minibatches come in another order here, so scores agree within noise."""
    x, y = load_digits(return_X_y=True)
    parts = train_test_split(x / 16, y, random_state=0)
    settings = {"hidden_layer_sizes": (32,), "max_iter": 40, "random_state": 0, "learning_rate_init": 0.005}
    ours, theirs = (
        model(**settings).fit(parts[0], parts[2]).score(parts[1], parts[3])
        for model in (MLPClassifier, neural_network.MLPClassifier)
    )
    assert ours > 0.95 and abs(ours - theirs) < 0.02
    x, y = load_diabetes(return_X_y=True)
    parts = train_test_split(scale(x), scale(y), random_state=0)
    settings = {**settings, "hidden_layer_sizes": (100,), "alpha": 10.0}
    ours, theirs = (
        model(**settings).fit(parts[0], parts[2]).score(parts[1], parts[3])
        for model in (MLPRegressor, neural_network.MLPRegressor)
    )
    assert ours > 0.3 and abs(ours - theirs) < 0.08
