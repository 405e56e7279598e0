"""Logistic regression with scikit-learn's names, parameters and conventions."""

import warnings
from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
from jaxtyping import Float
from sklearn.base import _fit_context
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils._param_validation import Hidden, Interval, StrOptions

from layerwise.estimators import checked
from layerwise.estimators.fitting import Examples, Fitting, Layers, distinct, minimize, room_for
from layerwise.estimators.forward import sigmoid, softmax
from layerwise.estimators.linear import LinearEstimator
from layerwise.recipe import records as r
from layerwise.tasks.objective import Objective
from layerwise.training.step import Program

PROXIMAL_STEPS = 100  # that count as one iteration


class LogisticRegression(LinearEstimator):
    """Logistic regression, softmax regression for three classes and more, by L-BFGS over all rows.

    Parameters are scikit-learn's, with its defaults and its scaling: what is minimized is

        C sum_i w_i loss_i + (1 - l1_ratio) / 2 ||W||^2 + l1_ratio ||W||_1

    with intercepts exempt. Every `solver` name is accepted and finds the same optimum; as in
    scikit-learn an L1 penalty calls for "saga" or "liblinear", and both mean proximal gradient steps
    here, 100 of which are an iteration. `dual`, `intercept_scaling`, `n_jobs` and `random_state`
    change nothing. `penalty`, where it is given, counts as it did before scikit-learn 1.8.

    After `fit` there are `classes_`, `coef_` of shape (1, n_features) or (n_classes, n_features),
    `intercept_`, `n_iter_`, `n_features_in_` and `feature_names_in_`.

    >>> from sklearn.datasets import load_iris
    >>> X, y = load_iris(return_X_y=True)
    >>> LogisticRegression().fit(X, y).coef_.shape
    (3, 4)
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "penalty": [StrOptions({"l1", "l2", "elasticnet"}), None, Hidden(StrOptions({"deprecated"}))],
        "C": [Interval(Real, 0, None, closed="right")],
        "l1_ratio": [Interval(Real, 0, 1, closed="both"), None],
        "dual": ["boolean"],
        "tol": [Interval(Real, 0, None, closed="left")],
        "fit_intercept": ["boolean"],
        "intercept_scaling": [Interval(Real, 0, None, closed="neither")],
        "class_weight": [dict, StrOptions({"balanced"}), None],
        "random_state": ["random_state"],
        "solver": [StrOptions({"lbfgs", "liblinear", "newton-cg", "newton-cholesky", "sag", "saga"})],
        "max_iter": [Interval(Integral, 0, None, closed="left")],
        "verbose": ["verbose"],
        "warm_start": ["boolean"],
        "n_jobs": [None, Integral],
    }

    def __init__(
        self,
        penalty: Any = "deprecated",
        *,
        C: Any = 1.0,
        l1_ratio: Any = 0.0,
        dual: Any = False,
        tol: Any = 1e-4,
        fit_intercept: Any = True,
        intercept_scaling: Any = 1,
        class_weight: Any = None,
        random_state: Any = None,
        solver: Any = "lbfgs",
        max_iter: Any = 100,
        verbose: Any = 0,
        warm_start: Any = False,
        n_jobs: Any = None,
    ) -> None:
        self.penalty = penalty
        self.C = C
        self.l1_ratio = l1_ratio
        self.dual = dual
        self.tol = tol
        self.fit_intercept = fit_intercept
        self.intercept_scaling = intercept_scaling
        self.class_weight = class_weight
        self.random_state = random_state
        self.solver = solver
        self.max_iter = max_iter
        self.verbose = verbose
        self.warm_start = warm_start
        self.n_jobs = n_jobs

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> "LogisticRegression":
        """Fit to X of shape (n_samples, n_features), dense or sparse, and the classes y of shape (n_samples,).

        `sample_weight`, of shape (n_samples,), weighs each row in the loss. Raises `ValueError` where
        the input is not what it should be, or `solver` and penalty do not go together.
        """
        l2, l1 = self._penalties()
        X, found = self._examples_and_classes(X, y)
        weight = self._weights(sample_weight, X, found)
        dtype = X.dtype
        x, found, weight = distinct(checked.dense(X), found, weight)
        total = weight.sum()
        # Fitting centered columns and taking their means out of the intercept is the same, but single
        # precision then loses nothing to a large offset, and the curvatures are more alike.
        with np.errstate(over="ignore", invalid="ignore"):
            center = weight @ x / total if self.fit_intercept else np.zeros(x.shape[1])
            x = checked.single(x - center, "X")
        examples = Examples(x, found, weight.astype(np.float32), np.arange(len(x)), np.arange(0))
        curvature = _curvature(x, weight, len(self.classes_)) if l1 else 0.0
        settings = _settings(l2 / total, l1 / total, curvature)
        coef, intercept = self._begin(center)
        layers, linear = Layers([coef.T], [intercept]), (r.Linear(),)
        fitting = Fitting(self._program(settings, len(x)), settings, examples, layers, linear, seed=0)
        most, tol = int(self.max_iter), float(self.tol)
        done, converged = (_shrink if l1 else minimize)(fitting, tol, most)
        if not converged:
            warnings.warn(
                f"{self.solver} has not converged after {done} iterations. Increase max_iter or scale the data.",
                ConvergenceWarning,
                stacklevel=2,
            )
        layers = fitting.latest
        self.n_iter_ = np.array([done], np.int32)
        self.coef_ = np.ascontiguousarray(layers.coefs[0].T, dtype)
        self.intercept_ = (layers.intercepts[0] - self.coef_ @ center).astype(dtype)
        return self

    def _penalties(self) -> tuple[float, float]:
        """The L2 and L1 penalties on the sum of losses, once it is known that the solver has them."""
        ratio, strength = self.l1_ratio or 0.0, 0.0 if np.isinf(self.C) else 1 / self.C
        match self.penalty:
            case None:
                strength = 0.0
            case "l1" | "l2":
                ratio = float(self.penalty == "l1")
        if strength and ratio and self.solver not in ("saga", "liblinear")[: 2 if ratio == 1 else 1]:
            raise ValueError(
                f"Solver {self.solver} supports only 'l2' or None penalties, got l1_ratio={ratio}. Use solver='saga'."
            )
        return strength * (1 - ratio), strength * ratio

    def _begin(
        self, center: Float[np.ndarray, " inputs"]
    ) -> tuple[Float[np.ndarray, "classes inputs"], Float[np.ndarray, " classes"]]:
        """Zeros, or with `warm_start` the solution of the fit before."""
        shape = (self._rows_of_coef, len(center))
        if self.warm_start and hasattr(self, "coef_") and self.coef_.shape == shape:
            coef = self.coef_.astype(np.float64)
            return coef, self.intercept_ + coef @ center
        return np.zeros(shape), np.zeros(shape[0])

    def _program(self, settings: r.Train, rows: int) -> Program:
        outputs = self._rows_of_coef
        shrinks = settings.l1 > 0
        return Program(
            objective=Objective("binary" if outputs == 1 else "classes", outputs, len(self.classes_)),
            optimizer=type(settings.optimizer),
            schedule=r.ConstantRate,
            batch_size=room_for(rows),
            monitor="loss",
            uses=frozenset({"l2"}),
            memory=0 if shrinks else r.Lbfgs().memory,
            shuffle=False,
            biases=bool(self.fit_intercept),
            shrink=shrinks,
        )

    def predict_proba(self, X: Any) -> Float[np.ndarray, "rows classes"]:
        """The probability of each class, of shape (n_samples, n_classes)."""
        scores = self.decision_function(X)
        if scores.ndim == 2:
            return softmax(scores)
        second = sigmoid(scores)
        return np.stack([1 - second, second], axis=1)

    def predict_log_proba(self, X: Any) -> Float[np.ndarray, "rows classes"]:
        """The logarithm of `predict_proba`."""
        with np.errstate(divide="ignore"):
            return np.asarray(np.log(self.predict_proba(X)))


def _settings(l2: float, l1: float, curvature: float) -> r.Train:
    """L-BFGS, whose line search finds its own rate; with L1 the longest plain steps that cannot overshoot."""
    law, rate = (r.Sgd(), 1 / (curvature + l2)) if l1 else (r.Lbfgs(), 1.0)
    return r.Train(optimizer=law, learning_rate=float(rate), weight_decay=0.0, l2=float(l2), l1=float(l1))


def _curvature(x: Float[np.ndarray, "rows inputs"], weight: Float[np.ndarray, " rows"], classes: int) -> float:
    """A bound on the second derivative of the mean loss: 1/4 (softmax: 1/2) of the squares' largest eigenvalue.

    The Frobenius norm bounds that, and costs one product.
    """
    wide = np.concatenate([x, np.ones((len(x), 1), x.dtype)], axis=1)
    squares = (wide * weight[:, None]).T @ wide / weight.sum()
    return float(np.linalg.norm(squares)) / (4 if classes == 2 else 2)


def _shrink(fitting: Fitting, tol: float, most: int) -> tuple[int, bool]:
    """Proximal gradient steps until no weight moves by more than `tol` of the largest in an iteration."""
    before = fitting.latest.coefs[0]
    for done in range(1, most + 1):
        fitting.advance(PROXIMAL_STEPS)
        now = fitting.latest.coefs[0]
        if np.abs(now - before).max() <= tol * np.abs(now).max():
            return done, True
        before = now
    return most, False
