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
from layerwise.training import result
from layerwise.training.result import Baselines, fingerprint


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
    found, _, remarks = baselines.result({})
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
    assert baselines.result({}) == ({}, {}, ())


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
    found, _, remarks = baselines.result({})
    assert 0 < len(found) < 8 and remarks == ()
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
