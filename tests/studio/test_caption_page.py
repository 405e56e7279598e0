"""The sentence below the network in a real browser: what it says, and that what it offers is done by a click."""

from collections.abc import Callable
from typing import Any

Opened = Callable[..., Any]
CAPTION = "#caption p"
ACT = "#caption button"


def do(page: Any, what: str) -> None:
    page.page.evaluate(f"import('/static/main.js').then(({{ app }}) => {what})")
    page.settle()


def says(page: Any, words: str) -> None:
    page.page.wait_for_selector(f"{CAPTION}:has-text('{words}')")


def test_a_branch_can_be_left_for_the_line_before(opened: Opened) -> None:
    page = opened()
    says(page, "Initial weights.")
    do(page, "app.command('epochs', { count: 20 })")
    end = page.state("state.step")
    before = page.state("[...state.frame.weights.values]")
    do(page, "app.command('seek', { step: 40 })")
    says(page, "Back at epoch")
    do(page, "app.set('train.learning_rate', 0.3)")
    do(page, "app.command('epochs', { count: 2 })")
    says(page, "A new branch.")
    page.click(ACT)
    page.until(f"state.step === {end}")
    page.settle()
    assert page.state("[...state.frame.weights.values]") == before
    assert page.state("state.scene.recipe.train.learning_rate") == 0.1


def test_a_divergence_is_an_alert_and_can_be_undone(opened: Opened) -> None:
    page = opened()
    do(page, "app.command('epochs', { count: 3 })")
    do(page, "app.set('train.learning_rate', 3e38)")
    page.press("Shift+ArrowRight")
    says(page, "Went back to step")
    assert page.page.get_attribute("#caption", "class") == "caption pill"
    assert "not finite" in page.page.inner_text("#alert")
    assert page.page.inner_text(ACT) == "Undo"
    page.click(ACT)
    assert page.state("state.scene.recipe.train.learning_rate") == 0.1
    page.press("Shift+ArrowRight")
    assert page.state("[state.scene.status, state.error]") == ["running", None]
    assert page.page.get_attribute("#caption", "class") == "caption"


def test_dead_units_are_marked_and_told_and_helped(opened: Opened) -> None:
    page = opened()
    do(page, "app.set('network.activation', 'relu')")
    page.press("ArrowRight")
    for unit in range(3):
        do(page, f"app.weight(0, {unit}, null, -100)")
    page.press("Shift+ArrowRight")
    says(page, "3 of 3 units of layer 1 are dead.")
    assert page.page.locator(".place[data-ailing=dead]").count() >= 3
    assert "dead" in page.page.get_attribute(".unit >> nth=2", "aria-label")
    page.click(ACT)
    assert page.state("state.scene.recipe.network.activation.map((one) => one.kind)") == ["leaky_relu", "relu"]
