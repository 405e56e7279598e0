"""The table of simple methods: what each can learn, on small datasets made by hand."""

import subprocess
import sys
import threading
import warnings
from collections.abc import Sequence
from dataclasses import replace
from typing import Any
from unittest.mock import Mock

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from layerwise.data.dataset import Classes, Dataset, Embedding, Encoder, Labels, Quantities, Target
from layerwise.tasks import baselines
from layerwise.tasks.baselines import Baseline, Problem, score_baselines


def dataset(x: Any, y: Any, target: Target, codes: Sequence[Embedding] = (), held_out: float = 0.4) -> Dataset:
    """Rows as they come: the first train, the last test."""
    rows = np.arange(len(x))
    train, validation, test = np.split(rows, [int(len(x) * (1 - held_out)), int(len(x) * (1 - held_out / 2))])
    return Dataset(
        name="by hand",
        x=np.asarray(x, np.float32),
        y=y,
        weight=np.ones(len(x), np.float32),
        train=train,
        validation=validation,
        test=test,
        encoder=Mock(spec=Encoder, embeddings=tuple(codes)),  # all that a baseline asks of it
        target=target,
        raw=lambda rows: x[rows],
    )


def xor(n: int, noise: float = 0.15) -> Dataset:
    rng = np.random.default_rng(0)
    corner = rng.integers(0, 2, (n, 2))
    x = 2.0 * corner - 1 + noise * rng.normal(size=(n, 2))
    return dataset(x, (corner[:, 0] ^ corner[:, 1]).astype(np.int32), Classes("xor", ("same", "different")))


def scores(data: Dataset, seed: int = 0) -> baselines.Scores:
    return {answer.name: answer.scores for answer in score_baselines(Problem.of(data, seed, data.weight))}


def test_the_table_says_which_methods_can_learn_xor() -> None:
    table = scores(xor(400))
    accuracy = {name: parts["test"]["accuracy"].value for name, parts in table.items()}
    learn = {name for name, value in accuracy.items() if value > 0.95}
    assert learn == {"decision_tree", "nearest_neighbors", "gradient_boosting", "rbf_svm"}
    # one line can at best keep three of the four clouds right
    assert all(accuracy[name] < 0.8 for name in ("majority_class", "logistic_regression", "naive_bayes", "linear_svm"))
    assert set(accuracy) == {baseline.name for baseline in baselines.CLASSIFIERS}


def test_four_points_are_scored_as_learned_where_nothing_is_held_out() -> None:
    x = np.array([[0, 0], [0, 1], [1, 0], [1, 1]])
    four = dataset(x, np.array([0, 1, 1, 0], np.int32), Classes("xor", ("0", "1")), held_out=0)
    table = scores(four)
    assert all(set(parts) == {"train"} for parts in table.values())
    accuracy = {name: parts["train"]["accuracy"].value for name, parts in table.items()}
    assert {name for name, value in accuracy.items() if value == 1} >= {"decision_tree", "nearest_neighbors", "rbf_svm"}
    assert accuracy["logistic_regression"] == accuracy["linear_svm"] == 0.5


def digits(n: int = 300, classes: int = 3) -> Dataset:
    rng = np.random.default_rng(2)
    y = rng.integers(0, classes, n)
    x = rng.normal(size=(n, 5)) + 2 * np.eye(classes, 5)[y]
    return dataset(x, y.astype(np.int32), Classes("kind", tuple("abcdefgh"[:classes])))


def test_figures_are_those_of_the_estimator_on_the_held_out_rows() -> None:
    data = digits()
    table = scores(data)
    model = LogisticRegression().fit(data.x[data.train], data.y[data.train])
    expected = (model.predict(data.x[data.test]) == data.y[data.test]).mean()
    assert table["logistic_regression"]["test"]["accuracy"].value == pytest.approx(expected)
    share = (data.y[data.validation] == np.bincount(data.y[data.train]).argmax()).mean()
    assert table["majority_class"]["validation"]["accuracy"].value == pytest.approx(share)
    assert "log_loss" in table["naive_bayes"]["test"]
    assert "log_loss" not in table["rbf_svm"]["test"]
    assert table == scores(data)


def test_quantities_are_scored_in_their_own_unit() -> None:
    rng = np.random.default_rng(3)
    x = rng.normal(size=(200, 3))
    raw = np.stack([100 + 20 * x[:, 0], 5 - 2 * x[:, 1] + 0.5 * x[:, 0]], axis=1)
    mean, scale = raw[:120].mean(axis=0), raw[:120].std(axis=0)
    y = ((raw - mean) / scale).astype(np.float32)
    table = scores(dataset(x, y, Quantities(("a", "b"), tuple(mean), tuple(scale))))
    assert set(table) == {baseline.name for baseline in baselines.REGRESSORS}
    expected = np.sqrt(np.square(raw[160:] - mean).mean(axis=0)).mean()
    assert table["mean"]["test"]["rmse"].value == pytest.approx(expected, rel=1e-4)
    assert table["ridge_regression"]["test"]["r2"].value > 0.99
    assert table["linear_svm"]["test"]["r2"].value > 0.99
    assert all(parts["test"]["rmse"].value < expected for name, parts in table.items() if name != "mean")


def test_labels_are_learned_one_by_one_and_a_constant_one_is_known() -> None:
    rng = np.random.default_rng(4)
    x = rng.normal(size=(250, 2))
    y = np.stack([x[:, 0] > 0, x[:, 1] > 0.5, np.ones(250), np.zeros(250)], axis=1).astype(np.float32)
    table = scores(dataset(x, y, Labels(("right", "up", "always", "never"))))
    assert all("(" not in name for name in table)
    for name, parts in table.items():
        bound = 0.85 if name == "majority_class" else 0.97
        assert (parts["test"]["accuracy"].value > bound) == (name != "majority_class"), name
    assert "log_loss" not in table["linear_svm"]["test"]


def test_codes_are_one_hot_or_categories() -> None:
    rng = np.random.default_rng(5)
    code = rng.integers(0, 90, 3000)
    code[rng.random(3000) < 0.8] %= 20  # so the codes from 20 on are rare, and many share a place
    y = (code % 2).astype(np.int32)  # no threshold on the code helps a linear method
    x = np.stack([rng.normal(size=3000), code], axis=1)
    table = scores(dataset(x, y, Classes("odd", ("no", "yes")), [Embedding(column=1, size=90, width=4)]))
    for name in ("logistic_regression", "linear_svm", "rbf_svm", "decision_tree", "gradient_boosting"):
        assert table[name]["test"]["accuracy"].value > 0.9, name


def test_a_class_that_no_training_row_has_is_never_predicted_but_scored() -> None:
    data = digits()
    y = data.y.copy()
    y[data.train] %= 2
    table = scores(replace(data, y=y))
    assert all("(" not in name for name in table)
    assert all("accuracy" in parts["test"] and "roc_auc" in parts["test"] for parts in table.values())


def test_weights_decide() -> None:
    data = xor(200)
    y = data.y.copy()
    y[::2] = 1 - y[::2]  # every other row is wrong, and weighs nothing
    weight = np.where(np.arange(len(y)) % 2, 1, 0).astype(np.float32)
    right = np.flatnonzero(weight)
    table = scores(replace(data, y=y, weight=weight, test=np.intersect1d(data.test, right)))
    assert table["rbf_svm"]["test"]["accuracy"].value > 0.95
    assert table["nearest_neighbors"]["test"]["accuracy"].value > 0.95


# ── limits, failures, silence ───────────────────────────────────────────────────────────────────


def test_a_name_says_what_was_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    small = (
        Baseline("majority_class", 10**6, 1e9),
        Baseline("nearest_neighbors", 150, 1e9, scored=50),
        Baseline("decision_tree", 10**6, 2.0 * 120, coded=True),
    )
    monkeypatch.setattr(baselines, "CLASSIFIERS", small)
    table = scores(xor(400))
    assert list(table) == ["majority_class", "nearest_neighbors (150 rows, 50 scored)", "decision_tree (120 rows)"]
    assert table == scores(xor(400))
    assert table["decision_tree (120 rows)"]["test"]["accuracy"].value > 0.95


def test_one_that_fails_is_there_without_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(self: Any, x: Any, y: Any, **weights: Any) -> None:
        raise ValueError("no luck\nat all")

    monkeypatch.setattr("sklearn.naive_bayes.GaussianNB.fit", fail)
    table = scores(xor(100))
    assert table["naive_bayes (failed: no luck)"] == {}
    assert len(table) == len(baselines.CLASSIFIERS)


def test_none_is_begun_before_it_is_asked_for_or_after_two_minutes(monkeypatch: pytest.MonkeyPatch) -> None:
    begun = []
    job = baselines._Job
    monkeypatch.setattr(baselines, "_Job", lambda *both: begun.append(both[1].name) or job(*both))
    answers = score_baselines(Problem.of(xor(60), 0, xor(60).weight))
    assert [next(answers)[0], next(answers)[0]] == begun == ["majority_class", "logistic_regression"]
    answers.close()
    monkeypatch.setattr(baselines, "SECONDS", -1.0)
    assert set(scores(xor(60))) == {f"{baseline.name} (left out for time)" for baseline in baselines.CLASSIFIERS}


def test_nothing_is_written_and_no_setting_is_left_behind(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from threadpoolctl import threadpool_info

    # far from converged, which scikit-learn warns of
    monkeypatch.setattr(LogisticRegression, "__init__", lambda self, **_: _init(self))
    before, threads = list(warnings.filters), threadpool_info()
    table = scores(digits(classes=5))
    assert "logistic_regression" in table
    assert capfd.readouterr() == ("", "")
    assert list(warnings.filters) == before
    assert threadpool_info() == threads


_original = LogisticRegression.__init__


def _init(self: LogisticRegression) -> None:
    _original(self, max_iter=1)


def test_one_openmp_thread_is_used_though_the_library_comes_with_scikit_learn() -> None:
    program = """
import sys
from layerwise.tasks.baselines import _quietly
from threadpoolctl import threadpool_info
assert "sklearn" not in sys.modules
with _quietly():
    import sklearn.ensemble
    from sklearn.utils._openmp_helpers import _openmp_effective_n_threads
    print(_openmp_effective_n_threads())
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout == "1\n"


def test_it_runs_in_a_thread() -> None:
    data, found = digits(), {}
    threads = [threading.Thread(target=lambda i=i: found.setdefault(i, scores(data))) for i in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found[0] == found[1] == scores(data)
