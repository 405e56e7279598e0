"""The fingerprint of a split, and the baselines beside a run."""

import dataclasses
import shutil
import sys
import threading
import time

import numpy as np
import pytest

from layerwise.data import load as load_data
from layerwise.recipe import decode
from layerwise.tasks import apart
from layerwise.tasks.apart import leave, prepare, take
from layerwise.tasks.baselines import Problem, score_baselines
from layerwise.tasks.intervals import Interval
from layerwise.training import result
from layerwise.training.familiar import fingerprint
from layerwise.training.result import Baselines, remarks


@pytest.fixture(scope="module")
def data():
    recipe = decode({"data": {"kind": "toy", "name": "circle", "n": 60}})
    return load_data(recipe.data, recipe.task, 0)


def test_the_fingerprint_is_that_of_the_rows_in_their_parts(data):
    same = fingerprint(data)
    assert len(same) == 16
    assert fingerprint(dataclasses.replace(data, x=data.x + 1, notes=("other",))) == same
    swapped = dataclasses.replace(data, validation=data.test, test=data.validation)
    moved = dataclasses.replace(data, train=data.train[:-1], validation=np.append(data.validation, data.train[-1]))
    turned = dataclasses.replace(data, train=data.train[::-1])
    assert len({same, *map(fingerprint, (swapped, moved, turned))}) == 4


@pytest.mark.parametrize("up_to", [1 << 28, 0], ids=["in a process", "in a thread"])
def test_baselines_begin_when_told_and_once(data, monkeypatch, up_to):
    monkeypatch.setattr(result, "SENT_UP_TO", up_to)
    taken = []
    monkeypatch.setattr(result, "take", lambda: taken.append(take()) or taken[-1])
    before = threading.active_count()
    baselines = Baselines(data, 0, data.weight)
    assert threading.active_count() == before
    baselines.start()
    baselines.start()
    found, _, remarks, _ = baselines.result({})
    assert threading.active_count() == before
    assert found == {a.name: a.scores for a in score_baselines(Problem.of(data, 0, data.weight))}
    assert all(set(parts) == {"validation", "test"} for parts in found.values())
    assert isinstance(remarks, tuple)
    assert len(taken) == bool(up_to)
    baselines.cancel()  # now the process is another's
    assert all(process.alive for process in taken)


def test_for_data_too_large_to_send_no_process_is_kept_in_memory(data, monkeypatch):
    monkeypatch.setattr(result, "SENT_UP_TO", 0)
    prepare()
    waiting = take()
    leave(waiting)
    baselines = Baselines(data, 0, data.weight)
    baselines.start()
    baselines.cancel()
    baselines.result({})
    assert not waiting.alive


def test_where_no_process_works_they_are_scored_all_the_same(data, monkeypatch, tmp_path):
    expected = Baselines(data, 0, data.weight).result({})
    for process in ("/nowhere/python", "false"):
        monkeypatch.setattr(result, "take", lambda path=process: _of(path))
        assert Baselines(data, 0, data.weight).result({}) == expected


def _of(path):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "executable", shutil.which(path) or path)
        patch.setattr(apart, "_idle", [])
        return take()


def test_cancelled_before_they_begin_there_are_none(data):
    baselines = Baselines(data, 0, data.weight)
    baselines.cancel()
    assert baselines.result({}) == ({}, {}, ("8 of 8 classical methods were not scored: it was interrupted.",), 8)


def test_cancelled_in_a_process_they_are_not_waited_for(monkeypatch):
    """What was found stays, and the process ends; the whole would take a minute and more."""
    recipe = decode({"data": {"kind": "toy", "name": "spiral", "n": 100_000}})
    data = load_data(recipe.data, recipe.task, 0)
    taken = []
    monkeypatch.setattr(result, "take", lambda: taken.append(take()) or taken[-1])
    baselines = Baselines(data, 0, data.weight)
    baselines.start()
    until = time.monotonic() + 60
    while not baselines._found and time.monotonic() < until:
        time.sleep(0.01)
    baselines.cancel()
    found, _, remarks, unscored = baselines.result({})
    assert 0 < len(found) < 8
    assert unscored == 8 - len(found)
    assert remarks[-1] == f"{unscored} of 8 classical methods were not scored: it was interrupted."
    assert not taken[0].alive


def test_cancelled_in_a_thread_no_other_is_begun(data, monkeypatch):
    monkeypatch.setattr(result, "SENT_UP_TO", 0)
    baselines = Baselines(data, 0, data.weight)

    def answers(problem):
        for answer in score_baselines(problem):
            baselines.cancel()
            yield answer

    monkeypatch.setattr(result, "score_baselines", answers)
    assert set(baselines.result({})[0]) == {"majority_class"}


# ── remarks ─────────────────────────────────────────────────────────────────────────────────────


def figures(accuracy: float, half: float = 0.02) -> dict[str, Interval]:
    return {"accuracy": Interval(accuracy, accuracy - half, accuracy + half)}


def test_a_baseline_that_beats_the_network_is_named_with_both_figures() -> None:
    table = {"naive_bayes": {"test": figures(0.91)}, "rbf_svm": {"test": figures(0.95)}}
    assert remarks({"validation": figures(0.99), "test": figures(0.9)}, table, {}) == (
        "rbf_svm beats the network on the test part: accuracy 0.95 (0.93 to 0.97) against 0.9 (0.88 to 0.92); "
        "the intervals do not overlap.",
    )
    (remark,) = remarks({"test": figures(0.94)}, table, {})
    assert remark.startswith("rbf_svm is ahead of") and remark.endswith("the intervals overlap, so it may be chance.")


@pytest.mark.parametrize(
    ("apart", "said"),
    [
        (Interval(0.02, 0.005, 0.04), "by 0.02 (0.005 to 0.04) on the same rows: more than chance."),
        (Interval(0.02, -0.01, 0.04), "by 0.02 on the same rows, which may be chance."),
    ],
)
def test_the_difference_on_the_same_rows_decides(apart: Interval, said: str) -> None:
    """Intervals that overlap say little: most rows are as hard for the one as for the other."""
    table = {"rbf_svm": {"test": figures(0.95)}}
    (remark,) = remarks({"test": figures(0.93)}, table, {"rbf_svm": {"test": apart}})
    assert remark.endswith(said)


def test_a_baseline_that_failed_is_named() -> None:
    table: dict[str, dict[str, dict[str, Interval]]] = {"naive_bayes (failed: no luck)": {}}
    assert remarks({}, table, {}) == ("no figures for naive_bayes (failed: no luck).",)


def test_no_baseline_better_no_remark() -> None:
    assert remarks({"test": figures(0.95)}, {"rbf_svm": {"test": figures(0.95)}}, {}) == ()
    assert remarks({}, {"rbf_svm": {"test": figures(0.95)}}, {}) == ()
    assert remarks({"train": figures(0.5)}, {"rbf_svm": {"train": figures(0.95)}}, {}) == ()


def test_a_network_worse_than_the_same_answer_for_all_rows_is_said_to_be() -> None:
    def both(accuracy: float, balanced: float) -> dict[str, dict[str, Interval]]:
        return {"test": {**figures(accuracy), "balanced_accuracy": Interval(balanced, balanced, balanced)}}

    table, clear = {"majority_class": both(0.9, 0.5)}, {"majority_class": {"test": Interval(0.05, 0.02, 0.08)}}
    assert remarks(both(0.85, 0.48), table, clear)[1:] == (
        "the network does worse on the test part than majority_class, which gives all rows the same answer: "
        "it has learned nothing of use.",
    )
    assert remarks(both(0.85, 0.8), table, clear)[1:] == (
        "the network's balanced accuracy is higher, 0.8 against 0.5: it knows rarer classes better.",
    )
    same = {"majority_class": {"test": Interval(0.0, 0.0, 0.0)}}
    assert remarks(both(0.9, 0.5), table, same) == (
        "the network does on the test part what majority_class does: it gives all rows the same answer.",
    )
    assert not remarks(both(0.9, 0.6), table, same), "as many are right, but others"
    assert not remarks(both(0.85, 0.48), table, {})[1:], "other rows, so it may be chance"


def test_for_quantities_the_smaller_error_wins() -> None:
    def error(value: float) -> dict[str, dict[str, Interval]]:
        return {"validation": {"rmse": Interval(value, value - 1, value + 1), "r2": Interval(0.1, 0, 0.2)}}

    table = {"mean": error(80), "ridge_regression": error(53.25), "decision_tree": error(70)}
    worse = "the network does worse on the validation part than mean, which gives all rows the same answer: "
    clear = {"mean": {"validation": Interval(-1, -2, -0.5)}}
    assert remarks(error(81), table, clear)[1:] == (f"{worse}it has learned nothing of use.",)
    assert remarks(error(801), table, clear)[1:] == (f"{worse}its weights went astray, lower train.learning_rate.",)
    assert not remarks(error(81), table, {"mean": {"validation": Interval(-1, -2, 0.5)}})[1:], "it may be chance"
    assert remarks(error(54), table, {}) == (
        "ridge_regression is ahead of the network on the validation part: rmse 53.25 (52.25 to 54.25) against 54 "
        "(53 to 55); the intervals overlap, so it may be chance.",
    )
    assert remarks(error(50), table, {}) == ()
