"""Multi-layer perceptrons with scikit-learn's names, parameters and conventions."""

from typing import Any, ClassVar, Literal

import numpy as np
from jaxtyping import Float, Shaped
from sklearn.base import ClassifierMixin, RegressorMixin, _fit_context
from sklearn.preprocessing import LabelBinarizer
from sklearn.utils import column_or_1d
from sklearn.utils._param_validation import StrOptions
from sklearn.utils.metaestimators import available_if
from sklearn.utils.multiclass import _check_partial_fit_first_call, type_of_target, unique_labels
from sklearn.utils.validation import validate_data

from layerwise.estimators import checked
from layerwise.estimators.forward import sigmoid, softmax
from layerwise.estimators.network import NetworkEstimator
from layerwise.tasks.objective import Objective

LOSSES: dict[str, Literal["mse", "mae", "huber"]] = {
    "squared_error": "mse",
    "absolute_error": "mae",
    "huber": "huber",
}


class MLPClassifier(ClassifierMixin, NetworkEstimator):
    """A multi-layer perceptron that classifies, by cross-entropy; one class of several, or several labels at once.

    Parameters are scikit-learn's, with its defaults and its scaling: `alpha` is divided by the batch's
    weight, improvement is measured by the absolute `tol`, early stopping by accuracy (of labels: each
    by itself). Beyond those:

    activation : further "leaky_relu", "elu", "gelu", "silu" and "softplus"
    solver : further "adamw" (`alpha` is then its decoupled decay), "rmsprop", "adagrad" and "lion"
    dropout : float in [0, 1), default 0: the share of hidden values zeroed at each step

    After `fit` there are `classes_`, `n_features_in_`, `feature_names_in_`, `coefs_`, `intercepts_`,
    `n_iter_`, `n_layers_`, `n_outputs_`, `out_activation_`, `t_` and `loss_`, and but for L-BFGS
    `loss_curve_`, `best_loss_`, `validation_scores_` and `best_validation_score_`, all NumPy or plain
    numbers. Sparse input is made dense for training.

    >>> from sklearn.datasets import load_iris
    >>> X, y = load_iris(return_X_y=True)
    >>> MLPClassifier((8,), solver="lbfgs", random_state=0).fit(X, y).score(X, y) > 0.95
    True
    """

    def _read(
        self, X: Any, y: Any, *, incremental: bool, first: bool
    ) -> tuple[Any, Shaped[np.ndarray, "rows *outputs"]]:
        X, y = validate_data(
            self,
            X,
            y,
            accept_sparse=["csr", "csc"],
            multi_output=True,
            dtype=(np.float64, np.float32),
            reset=first,
        )
        if y.ndim == 2 and y.shape[1] == 1:
            y = column_or_1d(y, warn=True)
        if not hasattr(self, "classes_") or not (self.warm_start or incremental):
            self._label_binarizer = LabelBinarizer().fit(y)
            self.classes_ = self._label_binarizer.classes_
        else:
            self._check_classes(unique_labels(y))
        target = self._label_binarizer.transform(y)
        self.n_outputs_ = target.shape[1]
        match self._label_binarizer.y_type_:
            case "multiclass":
                self.out_activation_ = "softmax"
                return X, target.argmax(axis=1).astype(np.int32)
            case "binary":
                self.out_activation_ = "logistic"
                return X, target[:, 0].astype(np.int32)
            case _:
                self.out_activation_ = "logistic"
                return X, target.astype(np.float32)

    def _check_classes(self, found: Shaped[np.ndarray, " classes"]) -> None:
        if self.warm_start and set(found) != set(self.classes_):
            raise ValueError(
                "warm_start can only be used where `y` has the same classes as in the previous call to fit. "
                f"Previously got {self.classes_}, `y` has {found}"
            )
        if set(found) - set(self.classes_):
            raise ValueError(
                f"`y` has classes not in `self.classes_`. `self.classes_` has {self.classes_}. 'y' has {found}."
            )

    def _objective(self) -> Objective:
        match self._label_binarizer.y_type_:
            case "multiclass":
                return Objective("classes", self.n_outputs_, self.n_outputs_)
            case "binary":
                return Objective("binary", 1, 2)
            case _:
                return Objective("labels", self.n_outputs_)

    def _scales(self) -> tuple[float, float]:
        # The engine averages over labels, scikit-learn adds them up.
        scale = 1 / self.n_outputs_ if self._objective().kind == "labels" else 1.0
        return scale, scale

    @available_if(lambda estimator: estimator._check_solver())
    @_fit_context(prefer_skip_nested_validation=True)
    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None, classes: Any = None) -> "MLPClassifier":
        """One epoch over the given rows; `classes`, all there will be, is required in the first call."""
        if _check_partial_fit_first_call(self, classes):
            labels = y if type_of_target(y).startswith("multilabel") else classes
            self._label_binarizer = LabelBinarizer().fit(labels)
        return self._fit(X, y, sample_weight, incremental=True)

    def predict(self, X: Any) -> Any:
        """The class of each row, of shape (n_samples,), or its labels, of shape (n_samples, n_classes)."""
        z = self._outputs(X)
        found = softmax(z) if self.out_activation_ == "softmax" else sigmoid(z)
        return self._label_binarizer.inverse_transform(found[:, 0] if self.n_outputs_ == 1 else found)

    def predict_proba(self, X: Any) -> Float[np.ndarray, "rows classes"]:
        """The probability of each class, or of each label, of shape (n_samples, n_classes)."""
        z = self._outputs(X)
        if self.out_activation_ == "softmax":
            return softmax(z)
        found = sigmoid(z)
        return np.concatenate([1 - found, found], axis=1) if self.n_outputs_ == 1 else found

    def predict_log_proba(self, X: Any) -> Float[np.ndarray, "rows classes"]:
        """The logarithm of `predict_proba`."""
        with np.errstate(divide="ignore"):
            return np.asarray(np.log(self.predict_proba(X)))

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        return tags


class MLPRegressor(RegressorMixin, NetworkEstimator):
    """A multi-layer perceptron that predicts one quantity or several.

    Parameters and fitted attributes are those of `MLPClassifier`, early stopping goes by R2, and

    loss : "squared_error" (half of it, as in scikit-learn), "absolute_error" or "huber" (with its
        bend at 1); scikit-learn's "poisson" is not there

    As in scikit-learn the target is not standardized; `TransformedTargetRegressor` does that.

    >>> import numpy as np
    >>> X = np.linspace(-1, 1, 50)[:, None]
    >>> y = X[:, 0] ** 2
    >>> MLPRegressor(hidden_layer_sizes=(16,), solver="lbfgs", random_state=0).fit(X, y).score(X, y) > 0.9
    True
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **NetworkEstimator._parameter_constraints,
        "loss": [StrOptions(set(LOSSES))],
    }

    def __init__(
        self,
        loss: Any = "squared_error",
        hidden_layer_sizes: Any = (100,),
        activation: Any = "relu",
        *,
        solver: Any = "adam",
        alpha: Any = 0.0001,
        batch_size: Any = "auto",
        learning_rate: Any = "constant",
        learning_rate_init: Any = 0.001,
        power_t: Any = 0.5,
        max_iter: Any = 200,
        shuffle: Any = True,
        random_state: Any = None,
        tol: Any = 1e-4,
        verbose: Any = False,
        warm_start: Any = False,
        momentum: Any = 0.9,
        nesterovs_momentum: Any = True,
        early_stopping: Any = False,
        validation_fraction: Any = 0.1,
        beta_1: Any = 0.9,
        beta_2: Any = 0.999,
        epsilon: Any = 1e-8,
        n_iter_no_change: Any = 10,
        max_fun: Any = 15000,
        dropout: Any = 0.0,
    ) -> None:
        self.loss = loss
        super().__init__(
            hidden_layer_sizes,
            activation,
            solver=solver,
            alpha=alpha,
            batch_size=batch_size,
            learning_rate=learning_rate,
            learning_rate_init=learning_rate_init,
            power_t=power_t,
            max_iter=max_iter,
            shuffle=shuffle,
            random_state=random_state,
            tol=tol,
            verbose=verbose,
            warm_start=warm_start,
            momentum=momentum,
            nesterovs_momentum=nesterovs_momentum,
            early_stopping=early_stopping,
            validation_fraction=validation_fraction,
            beta_1=beta_1,
            beta_2=beta_2,
            epsilon=epsilon,
            n_iter_no_change=n_iter_no_change,
            max_fun=max_fun,
            dropout=dropout,
        )

    def _read(
        self, X: Any, y: Any, *, incremental: bool, first: bool
    ) -> tuple[Any, Shaped[np.ndarray, "rows *outputs"]]:
        X, y = validate_data(
            self,
            X,
            y,
            accept_sparse=["csr", "csc"],
            multi_output=True,
            y_numeric=True,
            dtype=(np.float64, np.float32),
            reset=first,
        )
        if y.ndim == 2 and y.shape[1] == 1:
            y = column_or_1d(y, warn=True)
        y = checked.single(y.reshape(len(y), -1), "y")
        if not first and y.shape[1] != self.n_outputs_:
            raise ValueError(f"y has {y.shape[1]} outputs, but was fitted with {self.n_outputs_}")
        self.n_outputs_ = y.shape[1]
        self.out_activation_ = "identity"
        return X, y

    def _objective(self) -> Objective:
        return Objective("quantities", self.n_outputs_, loss=LOSSES[self.loss])

    def _scales(self) -> tuple[float, float]:
        # The engine averages over outputs. scikit-learn adds up half the squares, but reports their mean.
        reported = 2.0 if self.loss == "squared_error" else 1.0
        return reported / self.n_outputs_, reported

    @available_if(lambda estimator: estimator._check_solver())
    @_fit_context(prefer_skip_nested_validation=True)
    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None) -> "MLPRegressor":
        """One epoch over the given rows."""
        return self._fit(X, y, sample_weight, incremental=True)

    def predict(self, X: Any) -> Float[np.ndarray, "rows *outputs"]:
        """The quantities, of shape (n_samples,) or (n_samples, n_outputs)."""
        found = self._outputs(X)
        return found[:, 0] if found.shape[1] == 1 else found
