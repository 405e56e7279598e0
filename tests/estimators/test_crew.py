"""A crew: Python in one thread at a time, compiled calls in all, and an end that reaches everyone."""

import threading
import time
from collections.abc import Callable
from typing import Any

import joblib
import pytest

from layerwise.estimators import crew
from layerwise.estimators.crew import Crew, Dismissed, Threads


def together(everyone: Crew, *tasks: Callable[[], Any]) -> list[Any]:
    with joblib.parallel_config(backend=Threads(everyone)):
        return list(joblib.Parallel(n_jobs=len(tasks))(joblib.delayed(task)() for task in tasks))


def test_python_runs_in_one_fit_at_a_time() -> None:
    inside, most = [0], [0]

    def task() -> None:
        for _ in range(5):
            inside[0] += 1
            most[0] = max(most[0], inside[0])
            time.sleep(0.001)
            inside[0] -= 1
            with crew.computing():
                time.sleep(0.001)

    together(Crew(), task, task, task)
    assert most == [1]


def test_compiled_calls_run_at_once() -> None:
    meeting = threading.Barrier(3)

    def task() -> int:
        with crew.computing():
            return meeting.wait(timeout=30)

    assert sorted(together(Crew(), task, task, task)) == [0, 1, 2]


def test_whoever_belongs_to_no_crew_is_left_alone() -> None:
    assert crew.present() is None and not crew.has_dropout()
    with crew.computing():
        pass
    everyone = Crew()
    everyone.dropout = True
    with everyone.assembled():
        assert crew.has_dropout()
        with crew.computing():  # the thread that leads the search holds no baton
            pass
    assert crew.present() is None


def test_each_fit_knows_its_crew() -> None:
    everyone = Crew()
    assert together(everyone, crew.present, crew.present) == [everyone, everyone]


def test_an_error_ends_the_others_after_their_call() -> None:
    calls, begun = [0], threading.Event()

    def endless() -> None:
        while True:
            with crew.computing():
                begun.set()
                calls[0] += 1
                time.sleep(0.001)

    def fails() -> None:
        with crew.computing():
            begun.wait(30)
        raise RuntimeError("one of them")

    everyone = Crew()
    with pytest.raises(RuntimeError, match="one of them"):
        together(everyone, endless, fails)
    made = calls[0]
    time.sleep(0.01)
    assert calls[0] == made
    assert together(everyone, lambda: 1, lambda: 2) == [1, 2]  # and they can be called upon again


def test_dismissed_is_no_exception_of_a_fit() -> None:
    assert not issubclass(Dismissed, Exception)


@pytest.mark.parametrize(("asked", "given"), [(3, 3), (-1, joblib.cpu_count()), (-10_000, 1)])
def test_how_many(asked: int, given: int) -> None:
    assert Threads(Crew()).effective_n_jobs(asked) == given


def test_none_at_all_is_refused() -> None:
    with pytest.raises(ValueError, match="n_jobs"):
        Threads(Crew()).effective_n_jobs(0)
