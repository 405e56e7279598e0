"""What simple and classical methods make of the same rows, so that a network's score means something.

Every baseline learns from the training part and is scored on the rows the network is scored on, in
the same figures. Settings are scikit-learn's defaults, or follow from the size of the data; nothing
is chosen on the test part. Where a baseline would take too long it learns from a sample, or is
scored on one, and its name says so: ``"rbf_svm (20,000 rows)"``. The limits are set so that all of
them together need about a minute on one free core, whatever the data.

`score_baselines` may run beside the training, in a thread or in a process of its own
(`layerwise.tasks.apart`): it computes on one OpenMP thread (two busy teams on the same cores mostly
wait for each other) and writes nothing.
"""

import hashlib
import time
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import metadata
from typing import Any, Literal, NamedTuple, cast
from uuid import uuid4

import msgspec
import numpy as np
from jaxtyping import Float, Float32, Int64, Shaped

from layerwise.data.dataset import Classes, Dataset, Embedding, Labels, Quantities, Rows, Target
from layerwise.tasks import kernel, metrics
from layerwise.tasks.intervals import Interval


class Answer(NamedTuple):
    """One baseline's name, its figures (part -> metric -> interval), and of each part the headline figure on all
    resamples, by which it compares with another model's on the same rows; none where it saw a sample of them.
    """

    name: str
    scores: dict[str, dict[str, Interval]]
    draws: dict[str, list[float]]

    @property
    def method(self) -> str:
        """The name without what was left out or went wrong."""
        return self.name.partition(" ")[0]


class Answered(msgspec.Struct, frozen=True):
    """What the baselines have answered to the problem of a fingerprint."""

    problem: str
    answers: tuple[Answer, ...]


Scores = dict[str, dict[str, dict[str, Interval]]]  # baseline -> part -> metric -> interval
Name = Literal[
    "majority_class",
    "mean",
    "logistic_regression",
    "ridge_regression",
    "naive_bayes",
    "decision_tree",
    "linear_svm",
    "nearest_neighbors",
    "gradient_boosting",
    "rbf_svm",
]

SECONDS = 120.0  # no baseline is begun after so long; reached where the cores are busy with other things
CATEGORIES = 64  # codes of a column that are told apart: the most frequent ones, and one for the others


@dataclass(frozen=True)
class Problem:
    """What a baseline is asked: encoded rows, which to learn from, which to answer, and what is to be said.

    `weight` is each row's weight in training, its class's included. `parts` are the rows to be scored
    on: those held out, or the training part where nothing is. `answered` are baselines that need no asking.
    """

    x: Float32[np.ndarray, "rows width"]
    y: Shaped[np.ndarray, "rows *outputs"]
    weight: Float32[np.ndarray, " rows"]
    train: Rows
    parts: Mapping[str, Rows]
    embeddings: tuple[Embedding, ...]
    target: Target
    seed: int
    answered: tuple[Name, ...] = ()

    @classmethod
    def of(cls, dataset: Dataset, seed: int, weight: Float32[np.ndarray, " rows"]) -> "Problem":
        """The problem that a dataset poses."""
        held_out = {part: dataset.part(part) for part in ("validation", "test") if dataset.part(part).size}
        return cls(
            x=dataset.x,
            y=dataset.y,
            weight=weight,
            train=dataset.train,
            parts=held_out or {"train": dataset.train},
            embeddings=dataset.encoder.embeddings,
            target=dataset.target,
            seed=seed,
        )

    def fingerprint(self) -> str:
        """What tells the problem from another one, or from the same to other versions; a second for each GB."""
        digest = hashlib.blake2b(digest_size=16)
        arrays = {"x": self.x, "y": self.y, "weight": self.weight, "train": self.train, **self.parts}
        for name, array in arrays.items():
            digest.update(f"{name} {array.dtype.str} {array.shape}".encode())
            digest.update(np.ascontiguousarray(array).data)
        versions = [metadata.version(package) for package in ("layerwise", "scikit-learn", "scipy", "numpy")]
        digest.update(repr((self.embeddings, self.target, self.seed, versions)).encode())
        return digest.hexdigest()

    @property
    def nbytes(self) -> int:
        """The size of its arrays in bytes, but for the row numbers."""
        return self.x.nbytes + self.y.nbytes + self.weight.nbytes

    @property
    def baselines(self) -> tuple["Baseline", ...]:
        """Those that suit the target and are not answered, from simple to costly."""
        every = REGRESSORS if isinstance(self.target, Quantities) else CLASSIFIERS
        return tuple(baseline for baseline in every if baseline.name not in self.answered)


@dataclass(frozen=True)
class Baseline:
    """A method and what it can be asked to do in some ten seconds on one core.

    It learns from at most `rows` rows, fewer where rows x columns x fits exceed `work`; a fit is
    one for each label or quantity, and for each of more than two classes where `per_class`. It is
    scored on at most `scored` rows of a part. `coded`: it takes categories as codes, not one-hot.
    """

    name: Name
    rows: int
    work: float
    scored: int = 100_000
    per_class: bool = False
    coded: bool = False


TRIVIAL = Baseline("majority_class", 1_000_000, 400e6)
LOGISTIC = Baseline("logistic_regression", 1_000_000, 160e6, per_class=True)
TREE = Baseline("decision_tree", 200_000, 16e6, coded=True)
LINEAR_SVM = Baseline("linear_svm", 20_000, 80e6, per_class=True)
NEIGHBORS = Baseline("nearest_neighbors", 20_000, 16e6, scored=10_000)
BOOSTING = Baseline("gradient_boosting", 200_000, 40e6, per_class=True, coded=True)
RBF_SVM = Baseline("rbf_svm", 20_000, 8e6, scored=10_000)
BAYES = Baseline("naive_bayes", 1_000_000, 400e6)

CLASSIFIERS = (TRIVIAL, LOGISTIC, BAYES, TREE, LINEAR_SVM, NEIGHBORS, BOOSTING, RBF_SVM)
REGRESSORS = (
    Baseline("mean", 1_000_000, 400e6),
    Baseline("ridge_regression", 1_000_000, 400e6),
    TREE,
    LINEAR_SVM,
    NEIGHBORS,
    BOOSTING,
    RBF_SVM,
)


def score_baselines(problem: Problem) -> Iterator[Answer]:
    """The name and the figures (part -> metric -> interval) of one baseline after the other.

    A baseline that fails is there without figures, the reason in its name; after two minutes no other
    is begun. Nearest neighbors, the majority class and the mean take no weights.
    """
    started = time.monotonic()
    with _quietly():
        for baseline in problem.baselines:
            if time.monotonic() - started > SECONDS:
                yield Answer(f"{baseline.name} (left out for time)", {}, {})
                continue
            job = _Job(problem, baseline)
            try:
                answer = Answer(job.title, *job.scores())
            except Exception as error:  # whatever a library may raise: a table without one row is still a table
                reason = str(error).strip().partition("\n")[0][:100] or type(error).__name__
                answer = Answer(f"{baseline.name} (failed: {reason})", {}, {})
            yield answer


@contextmanager
def _quietly() -> Iterator[None]:
    """One OpenMP thread (a setting of the calling thread only), and no word of scikit-learn's.

    Warning filters belong to the whole process. `warnings.catch_warnings` puts all of them back as
    they were, which undoes what another thread did meanwhile; so one filter is added, told from any
    other by a comment in its pattern, and that one is taken out again.
    """
    import sklearn.utils._openmp_helpers  # noqa: F401  (no library can be limited before it is there)
    from threadpoolctl import threadpool_limits

    own = rf"(sklearn|scipy|joblib|layerwise\.tasks\.baselines)(?#{uuid4()})"
    warnings.filterwarnings("ignore", module=own)
    try:
        with threadpool_limits(1, user_api="openmp"), np.errstate(all="ignore"):
            yield
    finally:
        filters = cast(list[Any], warnings.filters)
        for entry in [entry for entry in filters if getattr(entry[3], "pattern", "") == own]:
            filters.remove(entry)


# ── one baseline on one dataset ─────────────────────────────────────────────────────────────────


class _Job:
    """A baseline, the rows it learns from and the arrays it sees."""

    def __init__(self, problem: Problem, baseline: Baseline) -> None:
        self.problem, self.baseline, self.seed = problem, baseline, problem.seed
        self.codes = {e.column: min(e.size, CATEGORIES) for e in problem.embeddings}
        self.ranks = {e.column: _ranks(problem, e.column, e.size) for e in problem.embeddings}
        usable = problem.train[problem.weight[problem.train] > 0]
        fits = 1 if problem.y.ndim == 1 else problem.y.shape[1]
        if baseline.per_class and isinstance(problem.target, Classes) and len(problem.target.names) > 2:
            fits = len(problem.target.names)
        most = min(baseline.rows, int(baseline.work / (self.width * fits)))
        self.all_rows = usable.size <= most
        self.rows = usable if self.all_rows else _sample(usable, max(most, 100), self.seed)

    @property
    def width(self) -> int:
        """Columns that the baseline sees."""
        width = int(self.problem.x.shape[1])
        return width if self.baseline.coded else width - len(self.codes) + sum(self.codes.values())

    @property
    def title(self) -> str:
        """The baseline's name, with what was left out."""
        limits = [] if self.all_rows else [f"{self.rows.size:,} rows"]
        if max(rows.size for rows in self.problem.parts.values()) > self.baseline.scored:
            limits.append(f"{self.baseline.scored:,} scored")
        return f"{self.baseline.name} ({', '.join(limits)})" if limits else self.baseline.name

    def scores(self) -> tuple[dict[str, dict[str, Interval]], dict[str, list[float]]]:
        """Learn, then answer for a part at a time: its figures, and the headline figure on all resamples."""
        x, y, weight = self.features(self.rows), self.problem.y[self.rows], self.problem.weight[self.rows]
        columns = [y] if y.ndim == 1 else list(y.T)
        targets = [_Fitted(self, x, column, weight) for column in columns]
        scores, draws = {}, {}
        for part, rows in self.problem.parts.items():
            whole = rows.size <= self.baseline.scored
            if not whole:
                rows = _sample(rows, self.baseline.scored, self.seed)
            seen = self.features(rows)
            answers = [fitted.answer(seen) for fitted in targets]
            found = self.figures(answers, rows)
            scores[part] = found.metrics
            if whole and found.metrics:
                draws[part] = found.draws.tolist()
        return scores, draws

    def figures(self, answers: list[Float[np.ndarray, "rows _"]], rows: Rows) -> metrics.Scored:
        """The answers to the rows, as the target's kind of task is scored."""
        y, probable = self.problem.y[rows], "svm" not in self.baseline.name
        match self.problem.target:
            case Classes():
                score = metrics.classification if probable else metrics.classification_by_score
                return score(answers[0], y, self.seed)
            case Labels():
                score = metrics.multilabel if probable else metrics.multilabel_by_score
                return score(np.stack([answer[:, 1] for answer in answers], axis=1), y, self.seed)
            case Quantities(mean=mean, scale=scale):
                predicted = np.concatenate(answers, axis=1)
                return metrics.regression(
                    predicted * np.array(scale) + np.array(mean), y * np.array(scale) + np.array(mean), self.seed
                )

    def features(self, rows: Rows) -> Float32[np.ndarray, "_ width"]:
        """Rows of `x` as the baseline takes them: codes by rank of frequency, or one-hot at the end."""
        x = self.problem.x[rows]
        codes = {column: ranks[x[:, column].astype(np.int64)] for column, ranks in self.ranks.items()}
        if not codes:
            return np.asarray(x)
        if self.baseline.coded:
            for column, rank in codes.items():
                x[:, column] = rank
            return np.asarray(x)
        plain = np.setdiff1d(np.arange(x.shape[1]), list(codes))
        hot = [np.eye(self.codes[column], dtype=np.float32)[rank] for column, rank in codes.items()]
        return np.concatenate([x[:, plain], *hot], axis=1)


def _ranks(problem: Problem, column: int, size: int) -> Int64[np.ndarray, " size"]:
    """The rank of each code by its frequency in the training part; the rarest share the last."""
    counts = np.bincount(problem.x[problem.train, column].astype(np.int64), minlength=size)
    ranks = np.empty(size, np.int64)
    ranks[np.argsort(-counts, kind="stable")] = np.arange(size)
    return np.minimum(ranks, CATEGORIES - 1)


def _sample(rows: Rows, size: int, seed: int) -> Rows:
    return np.sort(np.random.default_rng((seed, rows.size)).choice(rows, size, replace=False))


# ── one estimator for one target ────────────────────────────────────────────────────────────────


class _Fitted:
    """An estimator fitted to one target, or the constant that is all there is to learn.

    Its answers have a column a class (probabilities or scores), or one column for a quantity.
    """

    def __init__(
        self,
        job: _Job,
        x: Float32[np.ndarray, "rows width"],
        y: Shaped[np.ndarray, " rows"],
        weight: Float32[np.ndarray, " rows"],
    ) -> None:
        self.target, self.name = job.problem.target, job.baseline.name
        self.constant: Float[np.ndarray, " _"] | None = None
        if isinstance(self.target, Quantities):
            if self.name == "mean":
                self.constant = y.mean(keepdims=True, dtype=np.float64)
        else:
            y = y.astype(np.int64)
            self.classes = len(self.target.names) if isinstance(self.target, Classes) else 2
            shares = np.bincount(y, minlength=self.classes) / len(y)
            if self.name == "majority_class" or shares.max() == 1:
                self.constant = shares
        if self.constant is None:
            self.estimator = _estimator(job, x, 1 if isinstance(self.target, Quantities) else len(np.unique(y)))
            weights = {} if self.name == "nearest_neighbors" else {"sample_weight": weight}
            self.estimator.fit(x, y, **weights)

    def answer(self, x: Float32[np.ndarray, "rows width"]) -> Float[np.ndarray, "rows outputs"]:
        """What the target of each row is thought to be."""
        if self.constant is not None:
            return np.tile(self.constant, (len(x), 1))
        machine = self.estimator
        if isinstance(self.target, Quantities):
            return np.asarray(kernel.decision(machine, x) if self.name == "rbf_svm" else machine.predict(x)[:, None])
        if self.name == "rbf_svm":
            known = kernel.decision(machine, x)
        elif self.name == "linear_svm":
            known = machine.decision_function(x)
            known = np.stack([-known, known], axis=1) if known.ndim == 1 else known
        else:
            known = machine.predict_proba(x)
        # a class that the sample lacks is the least likely one
        absent = 0.0 if "svm" not in self.name else float(known.min()) - 1
        answer = np.full((len(x), self.classes), absent)
        answer[:, machine.classes_] = known
        return answer


def _estimator(job: _Job, x: Float32[np.ndarray, "rows width"], classes: int) -> Any:
    """scikit-learn's estimator for a target of so many classes (1: a quantity)."""
    if classes == 1:
        return _regressor(job, x)
    rows = len(x)
    match job.baseline.name:
        case "logistic_regression":
            from sklearn.linear_model import LogisticRegression

            # on tens of millions of numbers the last steps cost much and gain little
            return LogisticRegression(max_iter=100 if x.size * classes < 50e6 else 40)
        case "naive_bayes":
            from sklearn.naive_bayes import GaussianNB

            return GaussianNB()
        case "decision_tree":
            from sklearn.tree import DecisionTreeClassifier

            return DecisionTreeClassifier(random_state=job.seed)
        case "linear_svm":
            from sklearn.svm import LinearSVC

            return LinearSVC(tol=1e-2, max_iter=200, random_state=job.seed)
        case "nearest_neighbors":
            from sklearn.neighbors import KNeighborsClassifier

            return KNeighborsClassifier(_neighbors(rows), algorithm="brute")
        case "gradient_boosting":
            from sklearn.ensemble import HistGradientBoostingClassifier

            return HistGradientBoostingClassifier(**_boosting(job, rows, classes))
        case "rbf_svm":
            from sklearn.svm import SVC

            # more than these megabytes took longer, not shorter, on 20,000 rows
            return SVC(gamma=kernel.scale(x), cache_size=100)
    raise AssertionError(job.baseline.name)


def _regressor(job: _Job, x: Float32[np.ndarray, "rows width"]) -> Any:
    rows = len(x)
    match job.baseline.name:
        case "ridge_regression":
            from sklearn.linear_model import Ridge

            return Ridge()
        case "decision_tree":
            from sklearn.tree import DecisionTreeRegressor

            return DecisionTreeRegressor(random_state=job.seed)
        case "linear_svm":
            from sklearn.svm import LinearSVR

            return LinearSVR(tol=1e-2, max_iter=200, random_state=job.seed)
        case "nearest_neighbors":
            from sklearn.neighbors import KNeighborsRegressor

            return KNeighborsRegressor(_neighbors(rows), algorithm="brute")
        case "gradient_boosting":
            from sklearn.ensemble import HistGradientBoostingRegressor

            return HistGradientBoostingRegressor(**_boosting(job, rows, 1))
        case "rbf_svm":
            from sklearn.svm import SVR

            return SVR(gamma=kernel.scale(x), cache_size=400)
    raise AssertionError(job.baseline.name)


def _neighbors(rows: int) -> int:
    """Five, or fewer where five would be a large share of all rows."""
    return min(5, max(1, rows // 10))


def _boosting(job: _Job, rows: int, classes: int) -> dict[str, Any]:
    """The defaults, but about 300 trees in all where each class needs its own, smaller and faster ones."""
    rounds = min(100, max(10, 300 // classes)) if classes > 2 else 100
    return {
        "max_iter": rounds,
        "learning_rate": min(0.2, 10 / rounds),  # faster, many classes now and then diverge
        "max_leaf_nodes": 31 if classes <= 2 else 15,
        "max_bins": 255 if classes <= 2 else CATEGORIES,
        "min_samples_leaf": min(20, max(1, rows // 20)),
        "categorical_features": sorted(job.codes) or None,
        "early_stopping": False,
        "random_state": job.seed,
    }
