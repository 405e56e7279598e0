"""How a run is shown while it happens, from hand-made events."""

import math
from collections.abc import Iterator
from io import StringIO

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from layerwise.progress.board import SCORING, Board
from layerwise.progress.view import live_lines, said, watching
from layerwise.progress.wording import sparkline
from layerwise.recipe import load
from layerwise.tasks.intervals import Interval
from layerwise.training.events import AnyEvent, Epoch, Finished, Progress, RolledBack, Scoring, Started, TestTouched


def started(epochs: int = 100, **changes: object) -> Started:
    values = {
        "seconds": 1.0,
        "rows": {"train": 1000, "validation": 200, "test": 0},
        "inputs": 64,
        "outputs": 1,
        "parameters": 4810,
        "epochs": epochs,
        "steps_per_epoch": 10,
        "first_step": 0,
        "notes": ("batch_size 64 is reduced [to 32]",),
    }
    return Started(**values | changes)


def epoch(number: int, *, seconds: float = 2.0, best: bool = True, loss: float = 0.5) -> Epoch:
    return Epoch(
        seconds=seconds,
        epoch=number,
        step=10 * number,
        loss=loss,
        validation={"loss": loss + 0.1, "accuracy": 0.9, "balanced_accuracy": 0.8},
        best=best,
        learning_rate=0.01,
    )


def progress(done: float, *, seconds: float, rate: float = 12_345.0) -> Progress:
    return Progress(seconds=seconds, step=int(10 * done), epoch=done, loss=0.4321, examples_per_second=rate)


CALLS = [progress(10.0, seconds=3.0), *(progress(done, seconds=done / 10) for done in (31.0, 33.0, 36.0, 39.0))]


def course(epochs: int, pace: float = 0.1) -> Iterator[AnyEvent]:
    """A run of `pace` seconds an epoch, ten epochs a compiled call."""
    yield started(epochs)
    for number in range(1, epochs + 1):
        yield epoch(number, seconds=1 + number * pace, best=number < 50, loss=1 / number)
        if number % 10 == 0:
            yield progress(float(number), seconds=1 + number * pace)
    yield Scoring(seconds=2 + epochs * pace, status="finished")
    yield TestTouched(seconds=2 + epochs * pace, count=1, reason="end of training")
    yield Finished(seconds=3 + epochs * pace, status="finished", epochs=epochs, metrics={}, baselines={}, remarks=())


def board_after(events: list[AnyEvent], **known: float) -> Board:
    board = Board("digits", clock=lambda: 0.0)
    for name, value in known.items():
        setattr(board, name, value)
    for event in events:
        board.hear(event)
    return board


def drawn(board: Board, width: int) -> list[str]:
    file = StringIO()
    console = Console(file=file, width=width, highlight=False)
    for line in live_lines(board, width, "*"):
        console.print(line)
    return file.getvalue().splitlines()


def plain(events: list[AnyEvent]) -> list[str]:
    file = StringIO()
    board = Board("digits", clock=lambda: 0.0)
    with watching(board, Console(file=file, width=60, highlight=False, markup=False)) as watch:
        for event in events:
            watch(event)
    return file.getvalue().splitlines()


# ── the live lines ──────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("width", [60, 80, 120])
@pytest.mark.parametrize("epochs", [100, 1_000_000])
def test_live_lines_fit_and_say_it_all(width: int, epochs: int) -> None:
    events = [started(epochs), *(epoch(n, loss=1 / n, best=n < 30) for n in range(1, 41))]
    board = board_after([*events, *CALLS, progress(40.0, seconds=4.0, rate=1.7e6)])
    lines = drawn(board, width)
    assert max(map(len, lines)) <= width
    assert 5 <= len(lines) <= 7
    text = "\n".join(lines)
    for part in (f"epoch 41/{epochs:,}", "0.432", "0.125", "at epoch 29", "1.70 M examples/s", "left", "█", "0.900"):
        assert part in text
    assert "balanced" not in text


@pytest.mark.parametrize("width", [20, 40])
def test_very_narrow_terminals_get_the_epoch_at_least(width: int) -> None:
    head = drawn(board_after([started(), epoch(40), *CALLS]), width)[0]
    assert "epoch" in head
    assert "examples/s" not in head
    assert ("left" in head) is (width > 20)


def test_the_phases() -> None:
    board = Board("digits")
    assert "reading the data" in drawn(board, 80)[0]
    board.hear(started())
    assert "compiling" in drawn(board, 80)[0]
    board.hear(epoch(1))
    board.hear(progress(1.0, seconds=3.0))
    assert board.phase == "training"
    assert "Ctrl-C" in drawn(board, 80)[-1]
    board.hear(Scoring(seconds=4.0, status="interrupted"))
    assert SCORING in drawn(board, 80)[-1]
    assert "Ctrl-C" not in drawn(board, 80)[-1]  # the one that ended the training was the last that is harmless


@pytest.mark.parametrize("width", [60, 80])
def test_scoring_after_an_ordinary_end_can_be_cut_short(width: int) -> None:
    assert drawn(board_after(list(course(100))[:-1]), width)[-1].endswith("0:00; Ctrl-C ends it")


def test_weights_by_hand_go_straight_to_scoring() -> None:
    assert board_after([started(0)]).phase == SCORING


def test_time_left_follows_the_pace_after_the_first_call() -> None:
    board = board_after([started(), progress(1.0, seconds=9.0)])
    for call in range(3):
        assert board.left is None  # the first call compiled, and one more says little
        board.hear(progress(2.0 + call, seconds=10.0 + call / 10))
    assert board.left == pytest.approx(9.6)  # ten epochs a second, 96 to go
    board.time_limit = 3.0  # counted from the end of that call
    assert board.left == pytest.approx(1.8)


def test_time_left_forgets_a_slow_beginning() -> None:
    slow = [progress(float(call), seconds=10.0 * call) for call in range(1, 5)]
    fast = [progress(4.0 + call, seconds=40.0 + call) for call in range(1, 20)]
    assert board_after([started(), *slow, *fast]).left == pytest.approx(77.0)


def test_losses_that_are_not_finite_are_shown() -> None:
    board = board_after([started(), epoch(1, loss=math.nan), progress(1.0, seconds=2.0)])
    assert any("nan" in line for line in drawn(board, 80))


@given(st.lists(st.floats(allow_nan=True, allow_infinity=True)), st.integers(1, 50))
def test_a_curve_is_as_long_as_there_is_room(values: list[float], width: int) -> None:
    curve = sparkline(values, width)
    assert len(curve) == min(len(values), width)
    assert set(curve) <= set(" ▁▂▃▄▅▆▇█")


# ── plain lines ─────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("epochs", [1, 7, 100, 12_345])
def test_plain_lines_are_few_and_hold_the_first_and_the_last_epoch(epochs: int) -> None:
    lines = [line for line in plain(list(course(epochs, pace=1e-4))) if line.startswith("epoch")]
    assert min(epochs, 20) <= len(lines) <= 22
    assert lines[0].split("/")[0].split()[-1] == "1"
    assert lines[-1].split("/")[0].split()[-1] == str(epochs)


def test_plain_lines_come_at_least_every_half_minute() -> None:
    slow = [started(), *(epoch(n, seconds=40.0 * n) for n in range(1, 5))]
    assert sum(line.startswith("epoch") for line in plain(slow)) == 4


@pytest.mark.parametrize("end", [Scoring, Finished])
def test_the_last_epoch_is_shown_where_training_ends_early(end: type) -> None:
    events = [event for event in course(100) if not isinstance(event, Epoch) or event.epoch <= 33]
    lines = plain(
        [event for event in events if not isinstance(event, Scoring | TestTouched | Finished) or isinstance(event, end)]
    )
    assert sum("epoch  33/100" in line for line in lines) == 1


def test_plain_lines_tell_the_course() -> None:
    lines = plain(list(course(100)))
    assert lines[0] == "digits: reading the data"
    assert lines[1] == "digits: 1,000 rows to train on and 200 to validate (64 inputs, 1 output and 4,810 parameters)"
    assert lines[2] == "note: batch_size 64 is reduced [to 32]"
    assert lines[3] == "compiling the training program"
    assert lines[-1] == SCORING
    assert "epoch   1/100  loss 1.000  validation loss 1.100 (best)  validation accuracy 0.900" in lines
    assert "\x1b" not in "".join(lines)


def test_what_is_said_for_good() -> None:
    board = Board("digits")
    rolled = RolledBack(seconds=2.0, epoch=7, attempt=2, learning_rate=0.005)
    assert "learning rate halved to 0.005 (attempt 2 of 3)" in next(said(board, rolled))[0]
    resumed = started(first_step=120)
    board.hear(resumed)
    assert any("resumed after step 120" in line for line, _ in said(board, resumed))


def test_a_terminal_gets_live_lines_that_vanish() -> None:
    file = StringIO()
    console = Console(file=file, force_terminal=True, width=80, height=30, highlight=False, markup=False)
    with watching(Board("digits"), console) as watch:
        for event in course(100):
            watch(event)
    text = file.getvalue()
    assert "\x1b[2K" in text  # what was drawn is wiped out
    assert text.count("1,000 rows to train on") == 1


# ── the folds of a cross-validation ─────────────────────────────────────────────────────────────


def folds(number: int, epochs: int = 100) -> Iterator[tuple[int, AnyEvent]]:
    """The events of a cross-validation, each with its fold."""
    for fold in range(1, number + 1):
        for event in course(epochs):
            if isinstance(event, Finished):
                figure = {"test": {"accuracy": Interval(0.9 + fold / 100, 0.8, 1.0)}}
                event = msgspec.structs.replace(event, metrics=figure)
            yield fold, event


def at_fold(board: Board, fold: int, of: int) -> None:
    board.follow(load({"data": {"kind": "toy", "name": "xor", "split": {"kind": "kfold", "folds": of, "fold": fold}}}))


def test_plain_lines_of_folds_are_as_few_as_those_of_a_run() -> None:
    file = StringIO()
    board = Board("digits", several=True, clock=lambda: 0.0)
    with watching(board, Console(file=file, width=60, highlight=False, markup=False)) as watch:
        for fold, event in folds(3):
            if isinstance(event, Started):
                at_fold(board, fold, 3)
            watch(event)
    lines = file.getvalue().splitlines()
    assert [line for line in lines if "rows to train on" in line] == [
        "digits, fold 1 of 3: 1,000 rows to train on and 200 to validate (64 inputs, 1 output and 4,810 parameters)"
    ]
    assert sum(line.startswith("note:") for line in lines) == 1
    assert [line for line in lines if line.startswith("fold")] == [
        "fold 1 of 3: accuracy 0.910 after 100 epochs",
        "fold 2 of 3: accuracy 0.920 after 100 epochs",
        "fold 3 of 3: accuracy 0.930 after 100 epochs",
    ]
    shown = [line for line in lines if line.startswith("epoch")]
    assert len(shown) <= 27
    assert sum(line.startswith("epoch   1/100") for line in shown) == 3
    assert sum(line.startswith("epoch 100/100") for line in shown) == 3


@pytest.mark.parametrize("width", [60, 80, 120])
def test_live_lines_say_which_fold(width: int) -> None:
    board = Board("digits", several=True, clock=lambda: 0.0)
    for fold, event in folds(2):
        if isinstance(event, Started):
            at_fold(board, fold, 2)
        board.hear(event)
        if isinstance(event, Progress):
            lines = drawn(board, width)
            assert max(map(len, lines)) <= width
            assert f"fold {fold}/2  epoch" in lines[0]
            assert lines[-1].endswith("keeps the folds that are over")
            assert len(board.losses) <= 100, "a fold's curve is its own"
        if isinstance(event, Finished) and fold == 1:
            assert drawn(board, width) == ["* digits: reading the data ..."]
    assert board.phase == "done"


def test_a_single_run_of_one_fold_is_a_run_like_any_other() -> None:
    board = Board("digits", clock=lambda: 0.0)
    at_fold(board, 2, 5)
    for event in course(100):
        board.hear(event)
        if isinstance(event, Progress):
            assert drawn(board, 80)[-1].endswith("keeps the best weights")
    assert board.phase == "done"
    assert list(said(board, list(course(1))[-1])) == []
