"""Lessons in a real browser: each is reached by its link, asks before it plays, and leads to its states."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from layerwise.studio.school.lessons import built_in, read

Opened = Callable[..., Any]
NAMES = [read(path).name for path in built_in()]
OWN = """+++
title = "Mine"
lock = ["network", "seed"]
hide = ["drawer"]
show = ["train.learning_rate"]
answer = 9

[recipe]
network = { hidden = [2] }
+++
<script>document.title = "gone"</script>

## Question
How many?

## Answer
Nine.
"""


@pytest.fixture
def lesson(opened: Opened) -> Callable[[str], Any]:
    def at(name: str) -> Any:
        page = opened()
        show(page, name)
        return page

    return at


def show(page: Any, name: str) -> None:
    page.page.evaluate(f"location.hash = 'page=lessons&lesson={name}'")
    page.page.wait_for_selector(".lesson .way ~ h2")
    page.until(f"state.view.lesson === '{name}'")
    page.settle()


def test_every_lesson_is_reached_and_waits(lesson: Callable[[str], Any]) -> None:
    """By its link: its text, its state, its question; play is held back until the answer."""
    page = lesson(NAMES[0])
    titles = set()
    for path in built_in():
        found = read(path)
        show(page, found.name)
        page.page.wait_for_selector(f".lesson h2:text-is('{found.head.title}')")
        page.settle()
        titles.add(page.page.inner_text(".lesson h2"))
        assert page.state("state.scene.recipe.data.name") == getattr(found.recipe.data, "name", "")
        assert page.state("[state.step, state.scene.recipe.seed]") == [0, found.recipe.seed]
        page.page.keyboard.press("Space")
        page.page.evaluate("document.getElementById('epoch-on').click()")
        page.settle()
        assert page.state("[state.step, state.scene.playing, state.error]") == [0, False, None]
    assert len(titles) == len(NAMES)


def test_the_answer_lets_play_and_its_buttons_lead_on(lesson: Callable[[str], Any]) -> None:
    page = lesson("xor")
    assert page.page.get_attribute("#play-pause", "aria-disabled") == "true"
    assert page.page.locator(".why").count() == 0
    page.page.click(".choice >> nth=0")
    assert "Not quite." in page.page.inner_text(".why") and "0.576" in page.page.inner_text(".why")
    assert page.page.locator(".choice[data-mark=right]").inner_text().startswith("A little above one half")
    page.page.click("[data-state=ten]")
    page.settle()
    page.until("Math.abs(state.frame.weights.values[0] - 10) < 1e-6")
    page.press("Shift+ArrowRight")
    assert page.state("state.step") == 1
    page.page.click("button:text-is('Start again')")
    page.until("state.step === 0 && Math.abs(state.frame.weights.values[0] - 1) < 1e-6")
    page.page.click("a:text-is('All lessons')")
    assert page.page.locator(".lessons li").count() >= len(NAMES)
    assert page.page.locator(".lessons li:has-text('seen')").count() == 1
    page.press("1")  # elsewhere nothing is held back or hidden
    assert page.page.get_attribute("#play-pause", "aria-disabled") == "false"
    assert page.page.is_visible("[data-path='train.l1']")


def test_a_number_is_asked_for_and_judged(lesson: Callable[[str], Any]) -> None:
    page = lesson("back-propagation")
    field = ".question input"
    page.page.fill(field, "one")
    page.page.press(field, "Enter")
    assert page.page.locator(".why").count() == 0
    page.page.fill(field, "−0,42")
    page.page.press(field, "Enter")
    assert "Right." in page.page.inner_text(".why")
    assert page.page.is_visible("#drawer-body")


def test_a_lecturers_lesson_locks_hides_and_cannot_script(opened: Opened, folder: Path) -> None:
    home = folder / "lessons"
    home.mkdir(exist_ok=True)
    (home / "mine.md").write_text(OWN)
    (home / "broken.md").write_text(OWN.replace("hidden = [2]", "hiden = [2]"))
    page = opened()
    show(page, "mine")
    assert page.page.title() == "layerwise Studio" and page.page.locator(".lesson script").count() == 0
    assert "<script>" in page.page.inner_text(".lesson .prose >> nth=0")
    assert page.page.is_visible("[data-path='train.learning_rate']") and not page.page.is_visible(
        "[data-path='train.l1']"
    )
    assert page.page.evaluate("document.getElementById('board').inert")
    assert page.page.evaluate("getComputedStyle(document.getElementById('drawer')).visibility") == "hidden"
    page.press("n")
    assert page.state("state.scene.recipe.seed") == 0
    page.page.click("a:text-is('All lessons')")
    problem = page.page.inner_text(".problem")
    assert "broken.md, line 9" in problem and "hidden" in problem
