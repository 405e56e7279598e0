"""What the linear classifiers share: classes, weights of rows, scores."""

from typing import Any

import numpy as np
from jaxtyping import Float, Shaped
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.class_weight import compute_class_weight
from sklearn.utils.extmath import safe_sparse_dot
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data

from layerwise.estimators import checked


class LinearEstimator(ClassifierMixin, BaseEstimator):
    """What the two have in common: one row of weights a class, or one row for two classes."""

    def decision_function(self, X: Any) -> Float[np.ndarray, "rows *classes"]:
        """The score of each class, of shape (n_samples, n_classes); for two that of the second, (n_samples,)."""
        check_is_fitted(self)
        X = validate_data(self, X, accept_sparse="csr", reset=False)
        found: Float[np.ndarray, "rows classes"] = safe_sparse_dot(X, self.coef_.T, dense_output=True) + self.intercept_
        return found[:, 0] if found.shape[1] == 1 else found

    def predict(self, X: Any) -> Shaped[np.ndarray, " rows"]:
        """The class of each row, of shape (n_samples,)."""
        scores = self.decision_function(X)
        found: Shaped[np.ndarray, " rows"] = self.classes_[
            (scores > 0).astype(int) if scores.ndim == 1 else scores.argmax(axis=1)
        ]
        return found

    def _examples_and_classes(self, X: Any, y: Any) -> tuple[Any, Shaped[np.ndarray, " rows"]]:
        """X validated, and the number of each row's class in `classes_`, which are set."""
        X, y = validate_data(self, X, y, accept_sparse="csr", dtype=[np.float64, np.float32])
        check_classification_targets(y)
        self.classes_, found = np.unique(y, return_inverse=True)
        if len(self.classes_) < 2:
            raise ValueError(
                f"This solver needs samples of at least 2 classes in the data, but the data contains only one class:"
                f" {self.classes_[0]!r}"
            )
        return X, found.astype(np.int32)

    def _weights(self, sample_weight: Any, X: Any, found: Shaped[np.ndarray, " rows"]) -> Float[np.ndarray, " rows"]:
        """The weight of each row, its own times its class's."""
        weight = checked.weights(sample_weight, X)
        if self.class_weight is None:
            return weight
        labels = self.classes_[found]
        per_class = compute_class_weight(self.class_weight, classes=self.classes_, y=labels, sample_weight=weight)
        return np.asarray(weight * per_class[found])

    @property
    def _rows_of_coef(self) -> int:
        return 1 if len(self.classes_) == 2 else len(self.classes_)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags
