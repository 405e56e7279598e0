"""Progress in a notebook, whose frontend is played by a few lines."""

import sys
from io import StringIO
from types import ModuleType
from typing import Any

import pytest
from rich.console import Console
from rich.text import Text

from layerwise.progress.board import Board
from layerwise.progress.screen import page, redraws
from layerwise.progress.view import watching
from layerwise.training.events import AnyEvent, Epoch, Finished, Progress, Scoring, Started


class Frontend(ModuleType):
    """Keeps the pages that were shown in one place of a notebook, the newest last."""

    def __init__(self) -> None:
        super().__init__("IPython.display")
        self.pages: list[str] = []
        self.places = 0

    def HTML(self, text: str) -> str:
        return text

    def display(self, html: str, *, display_id: bool) -> "Frontend":
        assert display_id
        self.places += 1
        return self

    def update(self, html: str) -> None:
        self.pages.append(html)


@pytest.fixture
def frontend(monkeypatch: pytest.MonkeyPatch) -> Frontend:
    package, played = ModuleType("IPython"), Frontend()
    package.display = played  # type: ignore[attr-defined]
    package.get_ipython = lambda: None  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "IPython", package)
    monkeypatch.setitem(sys.modules, "IPython.display", played)
    return played


def course(epochs: int = 40) -> list[AnyEvent]:
    known: dict[str, Any] = {"inputs": 2, "outputs": 1, "parameters": 9, "steps_per_epoch": 3, "first_step": 0}
    notes = ("batch_size <64> is reduced",)
    events: list[AnyEvent] = [Started(seconds=0.0, rows={"train": 9}, epochs=epochs, notes=notes, **known)]
    for number in range(1, epochs + 1):
        figures = {"loss": 1 / number}
        events.append(
            Epoch(
                seconds=1.0, epoch=number, step=3 * number, loss=1 / number, validation=figures, best=True,
                learning_rate=0.1,
            )
        )  # fmt: skip
        events.append(
            Progress(seconds=1.0, step=3 * number, epoch=float(number), loss=1 / number, examples_per_second=1e3)
        )
    ends: dict[str, Any] = {"metrics": {}, "baselines": {}, "remarks": ()}
    return [
        *events,
        Scoring(seconds=2.0, status="finished"),
        Finished(seconds=3.0, status="finished", epochs=epochs, **ends),
    ]


def notebook() -> Console:
    return Console(force_jupyter=True)


def test_one_place_is_drawn_anew_and_what_it_shows_last_stays(frontend: Frontend) -> None:
    with watching(Board("digits"), notebook()) as watch:
        assert "digits: reading the data" in frontend.pages[-1]
        for event in course():
            watch(event)
    assert frontend.places == 1
    assert any("interrupting the kernel" in page for page in frontend.pages)
    last = frontend.pages[-1]
    assert "epoch 40/40" in last
    assert "9 rows to train on" in last
    assert "&lt;64&gt;" in last
    assert "interrupting" not in last and "scoring" not in last
    assert "✓" in last and "\x1b" not in last


def test_a_fast_run_does_not_flood_the_notebook(frontend: Frontend) -> None:
    now = 0.0
    board = Board("digits", clock=lambda: now)
    with watching(board, notebook()) as watch:
        for event in course(1000):
            now += 0.001
            watch(event)
    assert 10 < len(frontend.pages) < 25, "eight a second, and those that say something new"


def test_a_run_that_fails_leaves_where_it_stood(frontend: Frontend) -> None:
    with pytest.raises(ZeroDivisionError), watching(Board("digits"), notebook()) as watch:
        for event in course()[:9]:
            watch(event)
        _ = 1 / 0
    assert "epoch 5/40" in frontend.pages[-1]
    assert "✗" in frontend.pages[-1]


def test_a_page_keeps_every_sign_and_color() -> None:
    html = page(Text("a < b & c", style="green"), Text("█▁"))
    assert "a &lt; b &amp; c" in html
    assert "color: #008000" in html
    assert "█▁" in html


def test_who_looks_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    assert redraws(notebook())
    assert redraws(Console(file=StringIO(), force_terminal=True))
    assert not redraws(Console(file=StringIO()))
    monkeypatch.setenv("TERM", "dumb")
    assert not redraws(Console(file=StringIO(), force_terminal=True))
