"""The live lines of a search, and its lines in a log."""

import io
import re

import pytest
from rich.console import Console, Group

from layerwise.progress.search import AnyStudyEvent, SearchBoard, live_lines, watching
from layerwise.training.events import Scoring
from layerwise.tuning.events import Searching, StudyStarted

STARTED = StudyStarted(
    seconds=0.0, method="grid", trials=64, done=0, monitor="loss", axes={}, rows={"train": 80}, notes=()
)


def searching(done: int) -> Searching:
    return Searching(seconds=1.0, done=done, alive=59, best=None, lane_epochs_per_second=7.0)


def shown(*events: AnyStudyEvent) -> list[str]:
    board = SearchBoard("digits")
    for event in events:
        board.hear(event)
    console = Console(file=io.StringIO(), width=80, force_terminal=False)
    console.print(Group(*live_lines(board, 80, "*")))
    return console.file.getvalue().splitlines()  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("events", "last", "lanes"),
    [
        ([searching(3)], "searching; Ctrl-C ends it and keeps the best so far", True),
        ([searching(64)], "training the best on further seeds; Ctrl-C ends it and keeps the best so far", False),
        (
            [searching(64), Scoring(seconds=9.0, status="finished")],
            "scoring network and baselines; Ctrl-C leaves out baselines not yet begun",
            False,
        ),
    ],
)
def test_the_lines_say_what_is_true(events: list[AnyStudyEvent], last: str, lanes: bool) -> None:
    lines = shown(STARTED, *events)
    assert lines[-1].strip() == last
    assert ("59 lanes alive" in lines[0]) == lanes
    assert max(map(len, lines)) <= 80


def test_a_log_tells_that_programs_are_compiled() -> None:
    console = Console(file=io.StringIO(), width=80, force_terminal=False)
    with watching(SearchBoard("digits"), console) as watch:
        watch(STARTED)
    lines = console.file.getvalue().splitlines()  # type: ignore[attr-defined]
    assert re.match("digits: grid search, 64 trials", lines[-2])
    assert lines[-1] == "compiling the training programs"
