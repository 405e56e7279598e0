"""The page with more than fits on it: digits, wide tables, and planes to look at them."""

from collections.abc import Callable
from typing import Any


def test_digits_are_prepared_drawn_and_recognized(opened: Callable[..., Any]) -> None:
    page = opened()
    page.page.click("#digits")
    page.until("state.scene.recipe.data.name === 'digits' && state.frame?.revision === state.scene.revision")
    page.settle()
    assert page.state("state.error") is None
    assert page.page.locator(".unit").count() == 1 + 12 + 10 and page.page.locator(".link[data-state]").count() == 120
    assert page.page.inner_text(".more >> nth=0") == "12 of 32 shown"
    assert page.page.get_attribute(".unit.block", "aria-label") == "64 inputs"
    page.page.keyboard.press("Space")
    page.until("state.step > 300")
    box = page.page.locator(".pad canvas").bounding_box()
    for place, move in (((0.3, 0.2), "move"), ((0.7, 0.2), "to"), ((0.5, 0.85), "to")):
        page.page.mouse.move(box["x"] + place[0] * box["width"], box["y"] + place[1] * box["height"], steps=8)
        if move == "move":
            page.page.mouse.down()
    page.page.mouse.up()
    page.until("state.asked?.layers[0].length === 32")
    page.press("Space")
    assert len(page.state("Object.keys(state.asked.probabilities)")) == 10
    page.page.wait_for_selector(".taken.top")
    page.page.click(".pad button")
    assert page.state("state.asked") is None


def test_the_axes_of_the_square_are_chosen(opened: Callable[..., Any]) -> None:
    page = opened()
    assert not page.page.is_visible("#axes")
    page.page.evaluate(
        "async () => (await import('/static/main.js')).app.recipe("
        '\'layerwise = 1\\ndata = { kind = "named", name = "iris" }\\nnetwork = { kind = "mlp", hidden = [3] }\')'
    )
    page.settle()
    before = page.state("[...state.frame.surface.values]")
    page.page.select_option("[data-axis='0']", "petal length (cm)")
    page.until("Array.isArray(state.scene.plane.over)")
    page.settle()
    assert page.state("state.scene.plane.over") == ["petal length (cm)", "sepal length (cm)"]
    assert page.state("[...state.frame.surface.values]") != before
    page.page.select_option("[data-axis='0']", "")
    page.until("state.scene.plane.over === 'pca'")
    page.settle()
    assert page.state("state.error") is None
