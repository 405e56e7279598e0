"""What the multi-layer perceptrons share: scikit-learn's parameters, and its rules on the compiled loop.

They start from the very weights that scikit-learn's would start from and follow the same rules, in
single precision; only the order of the rows within an epoch is another.
"""

import warnings
from abc import abstractmethod
from itertools import pairwise
from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
from jaxtyping import Float, Shaped
from sklearn.base import BaseEstimator, ClassifierMixin, _fit_context
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import train_test_split
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval, Options, StrOptions
from sklearn.utils.validation import check_is_fitted, validate_data

from layerwise.estimators import checked, crew
from layerwise.estimators.fitting import Epoch, Examples, Fitting, Layers, Patience, distinct, minimize, room_for
from layerwise.estimators.forward import ACTIVATIONS, outputs
from layerwise.recipe import records as r
from layerwise.tasks.objective import Objective
from layerwise.training.step import Program

AUTO_BATCH = 200  # scikit-learn's min(200, rows): what is missing to a batch weighs nothing
SMALLEST_RATE = 1e-6  # where learning_rate="adaptive" gives up


class NetworkEstimator(BaseEstimator):
    """What classifier and regressor have in common: the parameters, and how they train."""

    coefs_: list[Float[np.ndarray, "_ _"]]
    intercepts_: list[Float[np.ndarray, " _"]]
    n_outputs_: int

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "hidden_layer_sizes": ["array-like", Interval(Integral, 1, None, closed="left")],
        "activation": [StrOptions(set(ACTIVATIONS))],
        "solver": [StrOptions({"lbfgs", "sgd", "adam", "adamw", "rmsprop", "adagrad", "lion"})],
        "alpha": [Interval(Real, 0, None, closed="left")],
        "batch_size": [StrOptions({"auto"}), Interval(Integral, 1, None, closed="left")],
        "learning_rate": [StrOptions({"constant", "invscaling", "adaptive"})],
        "learning_rate_init": [Interval(Real, 0, None, closed="neither")],
        "power_t": [Interval(Real, 0, None, closed="left")],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "shuffle": ["boolean"],
        "random_state": ["random_state"],
        "tol": [Interval(Real, 0, None, closed="left")],
        "verbose": ["verbose"],
        "warm_start": ["boolean"],
        "momentum": [Interval(Real, 0, 1, closed="both")],
        "nesterovs_momentum": ["boolean"],
        "early_stopping": ["boolean"],
        "validation_fraction": [Interval(Real, 0, 1, closed="left")],
        "beta_1": [Interval(Real, 0, 1, closed="left")],
        "beta_2": [Interval(Real, 0, 1, closed="left")],
        "epsilon": [Interval(Real, 0, None, closed="neither")],
        "n_iter_no_change": [Interval(Integral, 1, None, closed="left"), Options(Real, {np.inf})],
        "max_fun": [Interval(Integral, 1, None, closed="left")],
        "dropout": [Interval(Real, 0, 1, closed="left")],
    }

    def __init__(
        self,
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
        self.hidden_layer_sizes = hidden_layer_sizes
        self.activation = activation
        self.solver = solver
        self.alpha = alpha
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.learning_rate_init = learning_rate_init
        self.power_t = power_t
        self.max_iter = max_iter
        self.shuffle = shuffle
        self.random_state = random_state
        self.tol = tol
        self.verbose = verbose
        self.warm_start = warm_start
        self.momentum = momentum
        self.nesterovs_momentum = nesterovs_momentum
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.beta_1 = beta_1
        self.beta_2 = beta_2
        self.epsilon = epsilon
        self.n_iter_no_change = n_iter_no_change
        self.max_fun = max_fun
        self.dropout = dropout

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> "NetworkEstimator":
        """Fit to X of shape (n_samples, n_features), dense or sparse, and y of shape (n_samples,) or more columns.

        `sample_weight`, of shape (n_samples,), weighs each row in the loss. Raises `ValueError` where
        the input is not what it should be.
        """
        return self._fit(X, y, sample_weight, incremental=False)

    # ── what differs between the two ────────────────────────────────────────────────────────────

    @abstractmethod
    def _read(
        self, X: Any, y: Any, *, incremental: bool, first: bool
    ) -> tuple[Any, Shaped[np.ndarray, "rows *outputs"]]:
        """X and y validated, y as the engine takes it; sets `n_outputs_`, and what the classes are."""

    @abstractmethod
    def _objective(self) -> Objective: ...

    @abstractmethod
    def _scales(self) -> tuple[float, float]:
        """The engine's loss over scikit-learn's, as it is minimized and as it is reported."""

    # ── fitting ─────────────────────────────────────────────────────────────────────────────────

    def _fit(self, X: Any, y: Any, sample_weight: Any, *, incremental: bool) -> "NetworkEstimator":
        if incremental and self.early_stopping:
            raise ValueError("partial_fit does not support early_stopping=True")
        sizes = self.hidden_layer_sizes
        hidden = [int(size) for size in (sizes if hasattr(sizes, "__iter__") else [sizes])]
        if any(size <= 0 for size in hidden):
            raise ValueError(f"hidden_layer_sizes must be > 0, got {hidden}.")
        first = not hasattr(self, "coefs_") or not (self.warm_start or incremental)
        X, target = self._read(X, y, incremental=incremental, first=first)
        weight = checked.weights(sample_weight, X)
        random = check_random_state(self.random_state)
        if first:
            self._initialize([X.shape[1], *hidden, self.n_outputs_], X.dtype, random)
        examples = self._examples(X, target, weight, random)
        seed = (int(random.randint(2**31 - 1)) + self.t_) % 2**32
        if self.solver == "lbfgs":
            self._fit_lbfgs(examples, seed)
        else:
            self._fit_stochastic(examples, seed, incremental=incremental)
        return self

    def _initialize(self, units: list[int], dtype: Any, random: np.random.RandomState) -> None:
        """Weights as scikit-learn draws them: uniform within the bound of Glorot & Bengio 2010, the biases too."""
        self.n_layers_ = len(units)
        self.n_iter_ = 0
        self.t_ = 0
        self.coefs_, self.intercepts_ = [], []
        for inputs, width in pairwise(units):
            bound = np.sqrt((2.0 if self.activation == "logistic" else 6.0) / (inputs + width))
            self.coefs_.append(random.uniform(-bound, bound, (inputs, width)).astype(dtype, copy=False))
            self.intercepts_.append(random.uniform(-bound, bound, width).astype(dtype, copy=False))
        self._memory: list[np.ndarray] = []
        self._rate = float(self.learning_rate_init)
        if self.solver != "lbfgs":
            self.loss_curve_: list[float] = []
            self.validation_scores_: list[float] | None = [] if self.early_stopping else None
            self.best_validation_score_: float | None = -np.inf if self.early_stopping else None
            self.best_loss_: float | None = None if self.early_stopping else np.inf

    def _examples(
        self,
        X: Any,
        target: Shaped[np.ndarray, "rows *outputs"],
        weight: Float[np.ndarray, " rows"],
        random: np.random.RandomState,
    ) -> Examples:
        x = checked.single(checked.dense(X), "X")
        train, validation = np.arange(len(x)), np.arange(0)
        if self.early_stopping and self.solver != "lbfgs":
            strata = target if self.n_outputs_ == 1 and isinstance(self, ClassifierMixin) else None
            train, validation = train_test_split(
                train, random_state=random, test_size=self.validation_fraction, stratify=strata
            )
            if validation.size < 2:
                raise ValueError(
                    "The validation set is too small. Increase 'validation_fraction' or the size of your dataset."
                )
        elif self.solver == "lbfgs" or (len(x) <= self._batch(len(x)) and not self.dropout):
            # All rows at each step: neither their order nor equal ones mean anything.
            x, target, weight = distinct(x, target, weight)
            train = np.arange(len(x))
        return Examples(x, target, weight.astype(np.float32), checked.weighing(train, weight), validation)

    def _batch(self, rows: int) -> int:
        if self.batch_size == "auto":
            return AUTO_BATCH
        if self.batch_size > rows:
            warnings.warn("Got `batch_size` larger than sample size. It is going to be clipped", stacklevel=4)
        return min(int(self.batch_size), room_for(rows))

    def _fitting(self, examples: Examples, seed: int, *, whole: bool) -> Fitting:
        rows = examples.train.size
        batch = room_for(rows) if whole else self._batch(rows)
        scale, _ = self._scales()
        train, uses = self._settings(scale, min(rows, batch) * float(examples.weight[examples.train].mean()))
        objective = self._objective()
        program = Program(
            objective=objective,
            optimizer=type(train.optimizer),
            schedule=r.ConstantRate,
            batch_size=batch,
            monitor="r2" if objective.kind == "quantities" else "accuracy",
            uses=uses,
            memory=train.optimizer.memory if isinstance(train.optimizer, r.Lbfgs) else 0,
            shuffle=bool(self.shuffle) and not whole,
            penalized=True,
        )
        activation, _ = ACTIVATIONS[self.activation]
        activations = (*(activation for _ in range(self.n_layers_ - 2)), r.Linear())
        layers = Layers(self.coefs_, self.intercepts_)
        return Fitting(program, train, examples, layers, activations, seed, self._memory)

    def _settings(self, scale: float, weight_of_batch: float) -> tuple[r.Train, frozenset[str]]:
        """The engine's settings, and which of them are in use.

        scikit-learn minimizes loss + alpha/2 ||W||^2 / (weight of the batch); the engine's loss is
        `scale` times its loss, so the penalty must be, and the rate of plain gradient steps the inverse.
        """
        uses, decay, rate = {"l2"}, 0.0, self._rate
        optimizer: r.Optimizer
        match self.solver:
            case "lbfgs":
                optimizer, rate = r.Lbfgs(), 1.0
            case "sgd":
                rate /= scale
                if self.momentum == 0:
                    optimizer = r.Sgd()
                else:
                    optimizer = (r.Nesterov if self.nesterovs_momentum else r.Momentum)(float(self.momentum))
            case "rmsprop":
                optimizer = r.RmsProp(float(self.beta_2), float(self.epsilon) * scale)
            case "adagrad":
                optimizer = r.Adagrad(float(self.epsilon) * scale)
            case "lion":
                optimizer = r.Lion(float(self.beta_1), float(self.beta_2))
            case kind:
                law = r.AdamW if kind == "adamw" else r.Adam
                optimizer = law(float(self.beta_1), float(self.beta_2), float(self.epsilon) * scale)
        if self.solver == "adamw":
            uses, decay = {"weight_decay"}, float(self.alpha)
        if self.dropout or (self.solver != "lbfgs" and crew.has_dropout()):
            uses = {*uses, "dropout"}
        train = r.Train(
            optimizer=optimizer,
            learning_rate=rate,
            l2=scale * float(self.alpha) / weight_of_batch,
            weight_decay=decay,
            dropout=float(self.dropout),
        )
        return train, frozenset(uses)

    def _fit_lbfgs(self, examples: Examples, seed: int) -> None:
        scale, _ = self._scales()
        fitting = self._fitting(examples, seed, whole=True)
        # Each iteration looks at the loss at least once, so max_fun bounds their number too.
        most = min(self.max_iter, self.max_fun)
        self.n_iter_, converged = minimize(fitting, float(self.tol) * scale, most)
        self.loss_ = fitting.value / scale
        if not converged:
            warnings.warn(
                f"lbfgs has not converged after {self.n_iter_} iterations. Increase max_iter or scale the data.",
                ConvergenceWarning,
                stacklevel=4,
            )
        self._keep(fitting.latest)

    def _fit_stochastic(self, examples: Examples, seed: int, *, incremental: bool) -> None:
        scale, _ = self._scales()
        if not incremental:
            self._memory, self._rate = [], float(self.learning_rate_init)
        fitting = self._fitting(examples, seed, whole=False)
        patience = Patience(float(self.tol), self.n_iter_no_change + 1)
        schedule = self.learning_rate if self.solver == "sgd" else "constant"
        most = 1 if incremental else self.max_iter
        stopped, self.n_iter_ = False, 0
        while self.n_iter_ < most and fitting.running and not stopped:
            for epoch in fitting.advance(patience.ahead(1 if schedule == "invscaling" else most - self.n_iter_)):
                self.t_ += examples.train.size
                stopped = self._ended(epoch, patience)
            if schedule == "invscaling":
                self._rate = float(self.learning_rate_init / (self.t_ + 1) ** self.power_t)
                fitting.set_rate(self._rate / scale)
            elif stopped and schedule == "adaptive" and self._rate > SMALLEST_RATE:
                self._rate /= 5
                fitting.set_rate(self._rate / scale)
                stopped, patience.waited = False, 0
        self._finish(fitting, stopped or incremental)

    def _ended(self, epoch: Epoch, patience: Patience) -> bool:
        """Note what an epoch gave; whether to stop."""
        _, reported = self._scales()
        self.n_iter_ += 1
        self.loss_ = epoch.loss / reported
        self.loss_curve_.append(self.loss_)
        if self.verbose:
            print(f"Iteration {self.n_iter_}, loss = {self.loss_:.8f}")
        if not self.early_stopping:
            assert self.best_loss_ is not None
            self.best_loss_ = min(self.best_loss_, self.loss_)
            return patience.saw(self.loss_)
        assert self.validation_scores_ is not None and self.best_validation_score_ is not None
        self.validation_scores_.append(epoch.score)
        self.best_validation_score_ = max(self.best_validation_score_, epoch.score)
        if self.verbose:
            print(f"Validation score: {epoch.score:.6f}")
        return patience.saw(-epoch.score)

    def _finish(self, fitting: Fitting, expected: bool) -> None:
        if fitting.diverged and not self.n_iter_:
            raise ValueError(
                "Solver produced a loss that is not finite. The input data may contain large values and need to be"
                " preprocessed."
            )
        if fitting.diverged or not expected:
            why = "the loss was no longer finite" if fitting.diverged else "the optimization has not converged yet"
            warnings.warn(f"Stopped after {self.n_iter_} iterations: {why}.", ConvergenceWarning, stacklevel=5)
        self._memory = fitting.memory
        self._keep(fitting.best if self.early_stopping else fitting.latest)

    def _keep(self, layers: Layers) -> None:
        self.coefs_ = [new.astype(old.dtype) for new, old in zip(layers.coefs, self.coefs_, strict=True)]
        self.intercepts_ = [new.astype(old.dtype) for new, old in zip(layers.intercepts, self.intercepts_, strict=True)]

    # ── using ───────────────────────────────────────────────────────────────────────────────────

    def _outputs(self, X: Any) -> Float[np.ndarray, "rows outputs"]:
        """The last layer's outputs, before its own activation."""
        check_is_fitted(self)
        X = validate_data(self, X, accept_sparse=["csr", "csc"], reset=False)
        return outputs(X, self.coefs_, self.intercepts_, self.activation)

    def _check_solver(self) -> bool:
        if self.solver == "lbfgs":
            raise AttributeError("partial_fit is only available for stochastic optimizers. lbfgs is not stochastic.")
        return True

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags
