"""The baselines' own process: the same answers, and none of the ways to go leaves it behind."""

import os
import signal
import subprocess
import sys
import time
from dataclasses import fields
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from layerwise.data.dataset import Classes, Embedding, Labels, Quantities
from layerwise.tasks import apart, scorer
from layerwise.tasks.apart import Process, leave, prepare, take
from layerwise.tasks.baselines import Problem, score_baselines

MINUTE = 60.0


def problem(rows: int = 60, width: int = 3, classes: int = 2, **changes: Any) -> Problem:
    rng = np.random.default_rng(0)
    y = rng.integers(0, classes, rows).astype(np.int32)
    x = (rng.normal(size=(rows, width)) + y[:, None]).astype(np.float32)
    train, test = np.split(np.arange(rows), [rows // 2])
    own = {"x": x, "y": y, "weight": np.ones(rows, np.float32), "train": train, "parts": {"test": test}}
    named = Classes("kind", tuple(map(str, range(classes))))
    return Problem(**{**own, "embeddings": (), "target": named, "seed": 3, **changes})


COSTLY = problem(8000, 40, 10)  # a minute of work


def wait_for(what: Any) -> bool:
    until = time.monotonic() + MINUTE
    while not what() and time.monotonic() < until:
        time.sleep(0.02)
    return bool(what())


def gone(number: int) -> bool:
    """Whether a process has ended, whether or not its parent has taken notice."""
    try:
        os.kill(number, 0)
    except ProcessLookupError:
        return True
    state = Path(f"/proc/{number}/stat")
    return state.exists() and state.read_text().rpartition(")")[2].split()[0] == "Z"


@pytest.fixture
def process():
    found = take()
    assert found is not None
    yield found
    leave(found)


def same(one: Problem, other: Problem) -> bool:
    def plain(value: Any) -> Any:
        return (value.dtype.str, value.shape, value.tobytes()) if isinstance(value, np.ndarray) else value

    def all_of(each: Problem) -> dict[str, Any]:
        own = {field.name: plain(getattr(each, field.name)) for field in fields(each)}
        return {**own, "parts": {name: plain(rows) for name, rows in each.parts.items()}}

    return all_of(one) == all_of(other)


# ── what goes through the pipe ──────────────────────────────────────────────────────────────────


def texts() -> st.SearchStrategy[str]:
    return st.text(st.characters(codec="utf-8"), max_size=8)


targets = st.one_of(
    st.builds(Classes, texts(), st.lists(texts(), max_size=3).map(tuple)),
    st.builds(Labels, st.lists(texts(), max_size=3).map(tuple)),
    st.builds(
        lambda name, mean: Quantities((name,), (mean,), (1 / 3,)), texts(), st.floats(-1e300, 1e300, allow_nan=False)
    ),
)
embeddings = st.lists(st.builds(Embedding, *[st.integers(0, 9)] * 3), max_size=2).map(tuple)


@given(target=targets, codes=embeddings, rows=st.integers(1, 9), width=st.integers(0, 4), cut=st.integers(0, 2000))
def test_a_problem_comes_over_to_the_bit_or_not_at_all(target, codes, rows, width, cut) -> None:
    one_column = isinstance(target, Classes)
    x = np.arange(rows * width, dtype=np.float32).reshape(rows, width) / 7
    y = np.arange(rows, dtype=np.int32) if one_column else x[:, :1] * np.float32(np.nan)
    sent = problem(rows, x=x[::-1], y=y, target=target, embeddings=codes, parts={"validation": np.arange(rows)})
    with TemporaryFile() as pipe:
        for _ in range(2):
            scorer.send(pipe, sent)
        whole = pipe.tell() // 2
        pipe.seek(0)
        assert same(sent, scorer.receive(pipe)) and same(sent, scorer.receive(pipe))
        assert scorer.receive(pipe) is None
        pipe.truncate(min(cut, whole - 1))
        pipe.seek(0)
        assert scorer.receive(pipe) is None


@pytest.mark.parametrize("kind", ["classes", "labels", "quantities"])
def test_the_answers_are_those_given_in_place(process: Process, kind: str) -> None:
    rng = np.random.default_rng(1)
    x = np.stack([rng.normal(size=200), rng.normal(size=200), rng.integers(0, 5, 200)], axis=1).astype(np.float32)
    y = np.stack([x[:, 0] > 0, x[:, 2] > 2], axis=1).astype(np.float32)
    train, validation, test = np.split(rng.permutation(200), [120, 160])
    which = {
        "classes": {"y": x[:, 2].astype(np.int32), "target": Classes("c", ("a", "b", "c", "d", "e"))},
        "labels": {"y": y, "target": Labels(("right", "many"))},
        "quantities": {"y": x[:, :1] - x[:, 1:2], "target": Quantities(("q",), (1 / 3,), (2.0,))},
    }
    asked = problem(
        x=x,
        weight=rng.uniform(0, 2, 200).astype(np.float32),
        train=train,
        parts={"validation": validation, "test": test},
        embeddings=(Embedding(column=2, size=5, width=2),),
        **which[kind],
    )
    assert process.ask(asked)
    assert list(process.answers(asked)) == list(score_baselines(asked))


# ── its life ────────────────────────────────────────────────────────────────────────────────────


def test_one_process_answers_all_problems() -> None:
    prepare()
    prepare()
    numbers = set()
    for _ in range(3):
        process = take()
        assert process is not None and process.ask(problem())
        assert len(list(process.answers(problem()))) == len(problem().baselines)
        numbers.add(process.number)
        leave(process)
    assert len(numbers) == 1
    assert os.getsid(process.number) != os.getsid(0)  # so Ctrl-C does not reach it
    one, other = take(), take()
    assert one is not None and other is not None and one.number != other.number
    leave(one)
    other.close()


def test_one_that_was_killed_leaves_those_it_owes_without_figures() -> None:
    process = take()
    assert process is not None and process.ask(COSTLY)
    answers = process.answers(COSTLY)
    first, figures, _ = next(answers)
    os.kill(process.number, signal.SIGKILL)
    rest = {answer.name: answer.scores for answer in answers}
    assert (first, set(figures)) == ("majority_class", {"test"})
    assert rest["gradient_boosting (failed: its process ended with code -9)"] == {}
    assert len(rest) == len(COSTLY.baselines) - 1
    assert not process.free
    leave(process)
    assert gone(process.number)
    again = take()
    assert again is not None and again.number != process.number
    leave(again)


def test_one_that_we_end_says_no_more() -> None:
    process = take()
    assert process is not None and process.ask(COSTLY)
    answers = process.answers(COSTLY)
    next(answers)
    process.kill()
    assert not any("failed" in answer.name for answer in answers)
    leave(process)
    assert gone(process.number)


def test_one_that_ended_while_it_waited_is_replaced() -> None:
    process = take()
    assert process is not None
    leave(process)
    os.kill(process.number, signal.SIGKILL)
    assert wait_for(lambda: not process.alive)
    other = take()
    assert other is not None and other.number != process.number
    leave(other)


def test_one_that_ends_before_it_takes_the_problem_says_so() -> None:
    process = Process()
    os.kill(process.number, signal.SIGKILL)
    assert not process.ask(COSTLY)
    process.close()


ALONE = """
import sys, time
import numpy as np
from layerwise.data.dataset import Classes
from layerwise.tasks import apart
from layerwise.tasks.baselines import Problem

process = apart.take()
if sys.argv[1] == "busy":
    rng = np.random.default_rng(0)
    rows = np.arange(20_000)
    names = tuple("abcdefghij")
    asked = Problem(
        x=rng.normal(size=(20_000, 60)).astype(np.float32), y=(rows % 10).astype(np.int32),
        weight=np.ones(20_000, np.float32), train=rows, parts={"train": rows}, embeddings=(),
        target=Classes("kind", names), seed=0,
    )
    assert process.ask(asked)
    next(process.answers(asked))
print(process.number, flush=True)
time.sleep(600)
"""


@pytest.mark.parametrize("state", ["waiting", "busy"])
def test_it_ends_with_the_process_that_started_it(state: str) -> None:
    parent = subprocess.Popen([sys.executable, "-c", ALONE, state], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    with parent:
        number = int(parent.stdout.readline())
        assert not gone(number)
        parent.kill()
        assert wait_for(lambda: gone(number))


def test_it_ends_when_nothing_is_asked_of_it() -> None:
    program = "import os; from layerwise.tasks import scorer; scorer.IDLE = 0.01; scorer.main(); os._exit(5)"
    child = subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE)
    assert child.wait(MINUTE) == 5
    child.communicate()


def test_a_forked_process_does_not_use_its_parents() -> None:
    program = """
import os
from layerwise.tasks import apart
apart.prepare()
own = apart._idle[0].number
if os.fork() == 0:
    process = apart.take()
    os._exit(process.number == own)
print(os.waitstatus_to_exitcode(os.wait()[1]), apart.take().number == own)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=MINUTE)
    assert done.stdout == "0 True\n"


# ── where it cannot be ──────────────────────────────────────────────────────────────────────────


@pytest.fixture
def nothing_ready():
    while apart._idle:
        apart._idle.pop().close()


@pytest.mark.parametrize("name, value", [("executable", ""), ("executable", "/nowhere/python"), ("frozen", True)])
def test_where_no_interpreter_can_be_started_there_is_none(
    nothing_ready: None, monkeypatch: pytest.MonkeyPatch, name: str, value: object
) -> None:
    monkeypatch.setattr(sys, name, value, raising=False)
    prepare()
    assert take() is None


@pytest.mark.parametrize("says", ["exit 3", "echo hello; cat > /dev/null", "echo; exec cat"])
def test_another_program_in_the_interpreters_place_takes_no_problem(
    nothing_ready: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, says: str
) -> None:
    program = tmp_path / "python"
    program.write_text(f"#!/bin/sh\n{says}\n")
    program.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(program))
    process = take()
    assert process is not None and not process.ask(problem())
    leave(process)
    assert gone(process.number) and apart._idle == []


def test_files_of_the_current_folder_are_not_imported(
    nothing_ready: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("random", "gzip", "numpy", "sklearn"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit")
    monkeypatch.chdir(tmp_path)
    process = take()
    assert process is not None and process.ask(problem())
    assert all(answer.scores for answer in process.answers(problem()))
    leave(process)


def test_a_script_needs_no_main_guard(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text("""
import layerwise
print("once")
run = layerwise.train({"data": {"kind": "toy", "name": "circle", "n": 60}, "train": {"epochs": 2}}, out="run")
print(*run.baselines)
""")
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        [sys.executable, script],
        cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=MINUTE, check=True,
    )  # fmt: skip
    assert done.stdout.count("once") == 1
    assert done.stdout.splitlines()[-1].split() == [baseline.name for baseline in problem().baselines]
