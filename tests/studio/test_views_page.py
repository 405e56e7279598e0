"""Compare, Many and its searches in a real browser: played, edited, walked through, opened, and at any width."""

from collections.abc import Callable
from typing import Any

import pytest

Opened = Callable[..., Any]
SETTINGS = "JSON.stringify(state.scene.other)"


def go(page: Any, view: str, game: str) -> None:
    """Turn to a view, and wait until its game is there and drawn."""
    page.page.click(f"#pages a[data-page={view}]")
    page.until(f"state.scene.game === '{game}' && state.frame?.revision === state.scene.revision")
    page.settle()


def choose(page: Any, vary: str, game: str) -> None:
    page.page.click(f"[data-vary={vary}]")
    page.until(f"state.scene.game === '{game}' && state.frame?.revision === state.scene.revision")
    page.settle()


def test_two_are_compared_edited_and_taken_back(opened: Opened) -> None:
    page = opened()
    go(page, "compare", "compare")
    assert page.page.locator("#compare .mini .link").count() == 2 * (2 * 3 + 3 * 2 + 2)
    page.press("Shift+ArrowRight")
    assert page.state("state.step") == 5 and "both" in page.page.inner_text(".clock")
    page.page.fill("[data-side=B][data-path='train.l2']", "0.5")
    page.press("Enter")
    assert page.state(SETTINGS) == '{"train.l2":0.5}' and page.state("state.scene.recipe.train.l2") == 0
    page.page.fill("[data-side=A][data-path='train.l2']", "0.01")
    page.press("Enter")
    assert page.state("[state.scene.recipe.train.l2, state.scene.other['train.l2']]") == [0.01, 0.5]
    page.page.select_option("#differ", "train.optimizer")
    page.until("'train.optimizer' in state.scene.other")
    page.page.evaluate("async () => (await import('/static/main.js')).app.undo()")
    page.settle()
    assert page.state(SETTINGS) == '{"train.l2":0.5}'
    page.page.evaluate("async () => (await import('/static/main.js')).app.command('step', { batches: 400 })")
    page.until("state.frame.parted.shape[0] > 0")
    page.page.wait_for_selector(".parted button")
    assert "epoch" in page.page.inner_text(".parted button >> nth=0")
    page.page.hover(".parted button >> nth=0")
    page.page.wait_for_selector("#compare .over >> nth=1")  # in both networks
    assert "other=" in page.page.url
    page.page.reload()
    page.until(f"state.scene?.game === 'compare' && {SETTINGS} === '{{\"train.l2\":0.5}}'")


def test_many_learn_are_sorted_at_rest_walked_and_opened(opened: Opened) -> None:
    page = opened()
    go(page, "many", "many")
    lanes = "[...document.querySelectorAll('.lane')].map((one) => Number(one.dataset.lane))"
    losses = "[...document.querySelectorAll('.lane b')].map((one) => Number(one.textContent))"
    before = page.state(lanes)
    page.page.click("#play-pause")
    page.until("state.scene.playing && state.step > 100")
    playing = page.state(lanes)
    page.click("#play-pause")
    page.until("!state.scene.playing")
    page.settle()
    shown = page.state(losses)
    assert playing == before and page.state(lanes) != before and shown == sorted(shown) and len(shown) == 32
    assert "steps in all" in page.page.inner_text(".clock")
    page.page.focus(".lane >> nth=0")
    for key in ("ArrowRight", "ArrowDown"):
        page.page.keyboard.press(key)
    lane = page.state(f"({lanes})[9]")
    assert page.page.evaluate("Number(document.activeElement.dataset.lane)") == lane
    assert page.page.evaluate("document.activeElement.getAttribute('aria-label')").startswith(f"seed {lane}, loss ")
    step = page.state("state.step")
    page.page.keyboard.press("Enter")
    page.until("state.scene.game === 'playground' && state.frame?.revision === state.scene.revision")
    page.settle()
    assert page.state("[state.scene.start, state.step, state.view.page]") == [lane, step, "playground"]
    page.press("Home")
    assert page.state("state.step") == 0
    page.press("n")
    assert page.state("state.scene.start") is None


def test_searches_race_and_a_trial_is_opened(opened: Opened) -> None:
    page = opened()
    go(page, "many", "many")
    choose(page, "rate", "many")
    assert page.page.inner_text(".lane >> nth=0").split()[-2] == "rate"
    choose(page, "search", "race")
    for _ in range(3):
        page.click("#batch-on")
    assert page.state("[state.step, state.frame.trials.shape]") == [3, [3, 3, 3]]
    assert page.page.inner_text(".clock").startswith("trial 3")
    page.click("#batch-back")
    assert page.state("[state.step, state.end]") == [2, 3]
    page.page.click("#next-draw")
    page.until("state.scene.draw === 1 && state.step === 0")
    page.click("#batch-on")
    x, y = page.state("[...state.frame.trials.values.slice(3, 5)]")
    box = page.page.locator(".panels canvas >> nth=1").bounding_box()
    inner = box["width"] * 0.85
    page.page.mouse.click(box["x"] + 0.02 * box["width"] + x * inner, box["y"] + box["height"] * 0.98 - y * inner)
    page.until("state.scene.game === 'playground' && state.view.page === 'playground'")
    assert page.state("state.scene.recipe.train.l2") > 0


@pytest.mark.parametrize("view", ["page=compare", "page=many", "page=many&vary=search"])
def test_they_fit_a_phone_in_the_dark(opened: Opened, address: str, view: str) -> None:
    page = opened(viewport={"width": 400, "height": 850}, color_scheme="dark", has_touch=True)
    page.page.evaluate(f"() => {{ location.hash = '#{view}' }}")
    game = "compare" if "compare" in view else "race" if "search" in view else "many"
    page.until(f"state.scene.game === '{game}' && state.frame?.revision === state.scene.revision")
    page.settle()
    assert page.page.evaluate("document.documentElement.scrollWidth") <= 400
    nameless = """[...document.querySelectorAll('#compare, #many')].flatMap((stage) =>
      [...stage.querySelectorAll('button, input, select, [role=img]')]).filter((one) => one.checkVisibility()
      && !(one.getAttribute('aria-label') || one.textContent.trim())).map((one) => one.outerHTML)"""
    assert page.page.evaluate(nameless) == []
