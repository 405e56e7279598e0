"""The perceptron with scikit-learn's names, parameters and conventions."""

import warnings
from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
from jaxtyping import Float, Shaped
from sklearn.base import _fit_context
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import train_test_split
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.multiclass import _check_partial_fit_first_call, check_classification_targets
from sklearn.utils.validation import validate_data

from layerwise.estimators import checked
from layerwise.estimators.fitting import Examples, Fitting, Layers, Patience, distinct
from layerwise.estimators.linear import LinearEstimator
from layerwise.recipe import records as r
from layerwise.tasks.objective import Objective
from layerwise.training.step import Program


class Perceptron(LinearEstimator):
    """Rosenblatt's perceptron: one example at a time, and only a mistake moves the weights, by eta0 times the example.

    Parameters are scikit-learn's, with its defaults; three classes and more are learned at once, by
    Kesler's construction, rather than one against the rest. Training ends when a whole epoch makes no
    mistake, or when the mean loss has not fallen by `tol` for `n_iter_no_change` epochs. Equal rows
    count as one with the sum of their weights, unless `shuffle` is off. An L1 penalty shrinks after each
    example, so the last mistakes leave fewer exact zeros than scikit-learn's cumulated penalty does.

    After `fit` there are `classes_`, `coef_` of shape (1, n_features) or (n_classes, n_features),
    `intercept_`, `n_iter_`, `t_`, `n_features_in_` and `feature_names_in_`.

    >>> X, y = [[0, 0], [0, 1], [1, 0], [1, 1]], [0, 0, 0, 1]
    >>> Perceptron(tol=None).fit(X, y).predict(X).tolist()
    [0, 0, 0, 1]
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "penalty": [StrOptions({"l2", "l1", "elasticnet"}), None],
        "alpha": [Interval(Real, 0, None, closed="left")],
        "l1_ratio": [Interval(Real, 0, 1, closed="both")],
        "fit_intercept": ["boolean"],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "tol": [Interval(Real, 0, None, closed="left"), None],
        "shuffle": ["boolean"],
        "verbose": ["verbose"],
        "eta0": [Interval(Real, 0, None, closed="neither")],
        "n_jobs": [None, Integral],
        "random_state": ["random_state"],
        "early_stopping": ["boolean"],
        "validation_fraction": [Interval(Real, 0, 1, closed="neither")],
        "n_iter_no_change": [Interval(Integral, 1, None, closed="left")],
        "class_weight": [StrOptions({"balanced"}), dict, None],
        "warm_start": ["boolean"],
    }

    def __init__(
        self,
        *,
        penalty: Any = None,
        alpha: Any = 0.0001,
        l1_ratio: Any = 0.15,
        fit_intercept: Any = True,
        max_iter: Any = 1000,
        tol: Any = 1e-3,
        shuffle: Any = True,
        verbose: Any = 0,
        eta0: Any = 1.0,
        n_jobs: Any = None,
        random_state: Any = 0,
        early_stopping: Any = False,
        validation_fraction: Any = 0.1,
        n_iter_no_change: Any = 5,
        class_weight: Any = None,
        warm_start: Any = False,
    ) -> None:
        self.penalty = penalty
        self.alpha = alpha
        self.l1_ratio = l1_ratio
        self.fit_intercept = fit_intercept
        self.max_iter = max_iter
        self.tol = tol
        self.shuffle = shuffle
        self.verbose = verbose
        self.eta0 = eta0
        self.n_jobs = n_jobs
        self.random_state = random_state
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.class_weight = class_weight
        self.warm_start = warm_start

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(
        self, X: Any, y: Any, coef_init: Any = None, intercept_init: Any = None, sample_weight: Any = None
    ) -> "Perceptron":
        """Fit to X of shape (n_samples, n_features), dense or sparse, and the classes y of shape (n_samples,).

        `coef_init` and `intercept_init` are weights to start from, of the fitted ones' shapes;
        `sample_weight`, of shape (n_samples,), is how far a mistake on each row moves. Raises
        `ValueError` where the input is not what it should be.
        """
        before = (self.coef_, self.intercept_) if self.warm_start and hasattr(self, "coef_") else (None, None)
        X, found = self._examples_and_classes(X, y)
        shape = (self._rows_of_coef, X.shape[1])
        given = (coef_init, intercept_init)
        start = [new if new is not None else old for new, old in zip(given, before, strict=True)]
        coef, intercept = (
            np.zeros(size) if value is None else _shaped(value, size, name)
            for value, size, name in zip(start, (shape, shape[:1]), ("coef_init", "intercept_init"), strict=True)
        )
        self.t_ = 1.0
        return self._fit(X, found, sample_weight, coef, intercept, incremental=False)

    @_fit_context(prefer_skip_nested_validation=True)
    def partial_fit(self, X: Any, y: Any, classes: Any = None, sample_weight: Any = None) -> "Perceptron":
        """One epoch over the given rows; `classes`, all there will be, is required in the first call."""
        if self.early_stopping:
            raise ValueError("early_stopping should be False with partial_fit")
        if self.class_weight == "balanced":
            raise ValueError(
                "class_weight 'balanced' is not supported for partial_fit: give the weights as a dict, computed by"
                " compute_class_weight('balanced', classes=classes, y=y) from all rows"
            )
        first = not hasattr(self, "coef_")
        X, y = validate_data(self, X, y, accept_sparse="csr", dtype=[np.float64, np.float32], reset=first)
        _check_partial_fit_first_call(self, classes)
        check_classification_targets(y)
        if unknown := set(np.unique(y)) - set(self.classes_):
            raise ValueError(f"`y` has classes not in `classes`: {sorted(unknown)}")
        if first:
            self.coef_ = np.zeros((self._rows_of_coef, X.shape[1]))
            self.intercept_ = np.zeros(self._rows_of_coef)
            self.t_ = 1.0
        found = np.searchsorted(self.classes_, y).astype(np.int32)
        return self._fit(X, found, sample_weight, self.coef_, self.intercept_, incremental=True)

    def _fit(
        self,
        X: Any,
        found: Shaped[np.ndarray, " rows"],
        sample_weight: Any,
        coef: Float[np.ndarray, "classes inputs"],
        intercept: Float[np.ndarray, " classes"],
        *,
        incremental: bool,
    ) -> "Perceptron":
        weight = self._weights(sample_weight, X, found)
        random = check_random_state(self.random_state)
        examples = self._examples(X, found, weight, random)
        settings = self._settings()
        fitting = Fitting(
            self._program(settings),
            settings,
            examples,
            Layers([coef.T], [intercept]),
            (r.Linear(),),
            seed=(int(random.randint(2**31 - 1)) + int(self.t_)) % 2**32,
        )
        patience = Patience(None if self.tol is None else float(self.tol), self.n_iter_no_change)
        most = 1 if incremental else self.max_iter
        stopped, self.n_iter_ = incremental, 0
        while self.n_iter_ < most and fitting.running:
            for epoch in fitting.advance(patience.ahead(most - self.n_iter_)):
                self.n_iter_ += 1
                stopped = patience.saw(-epoch.score if self.early_stopping else epoch.loss)
                if self.verbose:
                    print(f"Epoch {self.n_iter_}, mean loss = {epoch.loss:.8f}")
            if stopped:
                break
        if not (stopped or incremental) and fitting.running and self.tol is not None:
            warnings.warn("Maximum number of iteration reached before convergence.", ConvergenceWarning, stacklevel=3)
        self.t_ += float(self.n_iter_ * examples.train.size)
        layers = fitting.best if self.early_stopping else fitting.latest
        dtype = X.dtype
        self.coef_ = np.ascontiguousarray(layers.coefs[0].T, dtype)
        self.intercept_ = layers.intercepts[0].astype(dtype)
        return self

    def _examples(
        self,
        X: Any,
        found: Shaped[np.ndarray, " rows"],
        weight: Float[np.ndarray, " rows"],
        random: np.random.RandomState,
    ) -> Examples:
        x = checked.single(checked.dense(X), "X")
        validation = np.arange(0)
        if self.early_stopping:
            train, validation = train_test_split(
                np.arange(len(x)), random_state=random, test_size=self.validation_fraction, stratify=found
            )
        else:
            if self.shuffle:
                x, found, weight = distinct(x, found, weight)
            train = np.arange(len(x))
        return Examples(x, found, weight.astype(np.float32), checked.weighing(train, weight), validation)

    def _settings(self) -> r.Train:
        ratio = {"l2": 0.0, "l1": 1.0}.get(self.penalty, self.l1_ratio)
        alpha = 0.0 if self.penalty is None else float(self.alpha)
        return r.Train(
            optimizer=r.Sgd(),
            learning_rate=float(self.eta0),
            weight_decay=0.0,
            l2=alpha * (1 - ratio),
            l1=alpha * ratio,
        )

    def _program(self, settings: r.Train) -> Program:
        return Program(
            objective=Objective("perceptron", self._rows_of_coef, len(self.classes_)),
            optimizer=r.Sgd,
            schedule=r.ConstantRate,
            batch_size=1,
            monitor="accuracy",
            uses=frozenset(name for name in ("l1", "l2") if getattr(settings, name)),
            shuffle=bool(self.shuffle),
            biases=bool(self.fit_intercept),
            shrink=settings.l1 > 0,
        )


def _shaped(value: Any, shape: tuple[int, ...], name: str) -> Float[np.ndarray, "*shape"]:
    found = np.asarray(value, np.float64)
    if found.size != np.prod(shape):
        raise ValueError(f"{name} must be of shape {shape}, got {found.shape}")
    return found.reshape(shape)
