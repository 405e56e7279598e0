"""Hyper-parameter search with scikit-learn's names and conventions: all settings and folds are lanes."""

import warnings
from collections.abc import Sequence
from contextlib import ExitStack
from numbers import Integral
from typing import Any, ClassVar

import joblib
import numpy as np
from sklearn.model_selection import check_cv
from sklearn.model_selection._search import BaseSearchCV
from sklearn.utils._param_validation import Interval, StrOptions
from threadpoolctl import threadpool_limits

from layerwise.estimators import crew
from layerwise.estimators.candidates import Candidate, Candidates
from layerwise.estimators.crew import Crew, Threads
from layerwise.estimators.linear import LinearEstimator
from layerwise.estimators.network import NetworkEstimator
from layerwise.training.place import room


class LaneSearchCV(BaseSearchCV):
    """A search over an estimator of ours, or over one that has ours in it, such as a pipeline.

    It is scikit-learn's `RandomizedSearchCV` in parameters, fitted attributes and results, and fits
    what that would fit. But here the fits of all candidates on all folds are lanes: they share one
    compiled program for each kind of network, and run on all cores at once, within one process.

    estimator : one of layerwise, or a pipeline or meta-estimator around one
    space : what is searched: a mapping from each parameter's name to a list, a distribution of
        scipy.stats, or an axis: ``{"log": [1e-4, 1e-1]}``, ``{"uniform": [0, 0.5]}``, ``{"int": [1, 8]}``,
        ``{"choice": [16, 64]}``. A list of mappings is drawn from, or taken whole by "grid"
    n_iter : how many candidates; a grid takes all of its lists, and as many levels of its ranges as fit
    method : "random", with the candidates that `RandomizedSearchCV` would draw, "grid", "sobol", a
        quasi-random sequence, or "bayes", a tree-structured Parzen estimator (Optuna's) that learns
        from `best_score_`'s metric, eight candidates at a time
    n_jobs : fits at a time; None is one a core. Networks so large that one keeps all cores busy take
        less memory with 1
    scoring, refit, cv, verbose, random_state, error_score, return_train_score : scikit-learn's

    After `fit` there are `best_estimator_`, `best_score_`, `best_params_`, `best_index_`,
    `cv_results_`, `scorer_`, `n_splits_`, `refit_time_`, `multimetric_`, `classes_`, `n_features_in_`
    and `feature_names_in_`. Raises `ValueError` where the estimator has none of ours in it.

    >>> from sklearn.datasets import load_iris
    >>> from layerwise import LogisticRegression
    >>> X, y = load_iris(return_X_y=True)
    >>> search = LaneSearchCV(LogisticRegression(), {"C": {"log": [1e-3, 1e3]}}, n_iter=4, random_state=0)
    >>> search.fit(X, y).predict(X[:3]).tolist()
    [0, 0, 0]
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **BaseSearchCV._parameter_constraints,
        "space": [dict, list],
        "n_iter": [Interval(Integral, 1, None, closed="left")],
        "method": [StrOptions({"random", "grid", "sobol", "bayes"})],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        estimator: Any,
        space: Any,
        *,
        n_iter: Any = 10,
        method: Any = "random",
        scoring: Any = None,
        n_jobs: Any = None,
        refit: Any = True,
        cv: Any = None,
        verbose: Any = 0,
        random_state: Any = None,
        error_score: Any = np.nan,
        return_train_score: Any = False,
    ) -> None:
        self.space = space
        self.n_iter = n_iter
        self.method = method
        self.random_state = random_state
        super().__init__(
            estimator,
            scoring=scoring,
            n_jobs=n_jobs,
            refit=refit,
            cv=cv,
            verbose=verbose,
            error_score=error_score,
            return_train_score=return_train_score,
        )

    def fit(self, X: Any, y: Any = None, **params: Any) -> "LaneSearchCV":
        """Search with X of shape (n_samples, n_features) and y as the estimator takes them.

        `params` go to the estimator's `fit` (`sample_weight`, divided among the folds) and, as
        `groups`, to `cv`. Raises `ValueError` where something is not what it should be.
        """
        if not _has_ours(self.estimator):
            raise ValueError(
                f"LaneSearchCV trains networks of layerwise, and {self.estimator!r} has none in it: search it with"
                " sklearn.model_selection.RandomizedSearchCV, or put an estimator of layerwise in"
            )
        everyone = Crew()
        with ExitStack() as stack:
            stack.enter_context(warnings.catch_warnings())  # here end the filters that fits exchange
            stack.enter_context(everyone.assembled())
            stack.enter_context(joblib.parallel_config(backend=Threads(everyone)))
            # The cores are for the fits: small products spread over them wait longer than they take.
            stack.enter_context(threadpool_limits(1, user_api="blas"))
            super().fit(X, y, **params)
        del self._checked_cv_orig  # a model is pickled without the row numbers of its folds
        return self

    def _check_input_parameters(self, X: Any, y: Any, split_params: dict[str, Any]) -> None:
        """Split once and for all: every batch of candidates gets the same folds, and all folds one shape."""
        splits = list(self._checked_cv_orig.split(X, y, **split_params))
        self._checked_cv_orig: Any = check_cv(splits)
        everyone = crew.present()
        assert everyone is not None
        everyone.rows = max((room(_count(train)) for train, _ in splits), default=0)

    def _run_search(self, evaluate_candidates: Any) -> None:
        candidates = Candidates(self.space, self.method, self.n_iter, self.random_state)
        everyone = crew.present()
        assert everyone is not None
        everyone.dropout = any(name.split("__")[-1] == "dropout" for name in candidates.names)

        def evaluate(batch: Sequence[Candidate]) -> Sequence[float]:
            results = evaluate_candidates(batch)
            scores: Sequence[float] = results[self._guide(results)][-len(batch) :].tolist()
            return scores

        candidates.run(evaluate)

    def _guide(self, results: dict[str, Any]) -> str:
        """The name of the scores that a search may learn from."""
        if "mean_test_score" in results:
            return "mean_test_score"
        if not isinstance(self.refit, str):
            if self.method == "bayes":
                raise ValueError('method="bayes" learns from one score: name it, refit="..."')
            return next(name for name in results if name.startswith("mean_test_"))
        return f"mean_test_{self.refit}"


def _has_ours(estimator: Any) -> bool:
    parts = estimator.get_params(deep=True).values() if hasattr(estimator, "get_params") else ()
    return any(isinstance(part, LinearEstimator | NetworkEstimator) for part in (estimator, *parts))


def _count(rows: Any) -> int:
    """How many rows are meant, by their numbers or by a yes or no for each."""
    found = np.asarray(rows)
    return int(found.sum()) if found.dtype == bool else len(found)
