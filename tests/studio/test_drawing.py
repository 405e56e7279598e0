"""Points drawn by hand and inputs of seven, in a real browser."""

from collections.abc import Callable
from typing import Any

Opened = Callable[..., Any]
POINTS = "state.scene.recipe.data.points"


class Sheet:
    """The drawing area of a page: places from 0 to 1, from the left and from above."""

    def __init__(self, page: Any) -> None:
        self.tab, self.page = page, page.page
        page.click("#draw")
        self.page.wait_for_selector("#pen")
        self.box = self.page.locator("#pen").bounding_box()

    def at(self, x: float, y: float) -> tuple[float, float]:
        return self.box["x"] + x * self.box["width"], self.box["y"] + y * self.box["height"]

    def spot(self, x: float, y: float) -> list[float]:
        """The coordinates there."""
        reach = self.tab.state("state.scene.reach")
        return [reach * (2 * x - 1), reach * (1 - 2 * y)]

    def click(self, x: float, y: float, button: str = "left") -> None:
        self.page.mouse.click(*self.at(x, y), button=button)
        self.tab.settle()

    def drag(self, *places: tuple[float, float]) -> None:
        self.page.mouse.move(*self.at(*places[0]))
        self.page.mouse.down()
        for place in places[1:]:
            self.page.mouse.move(*self.at(*place))
        self.page.mouse.up()
        self.tab.settle()

    def points(self) -> Any:
        return self.tab.state(POINTS)


def near(a: list[float], b: list[float], within: float = 0.03) -> bool:
    return all(abs(x - y) < within for x, y in zip(a, b, strict=True))


def test_a_figure_is_drawn_on(opened: Opened) -> None:
    page = opened()
    sheet = Sheet(page)
    assert page.state("[state.scene.recipe.data.kind, state.scene.names.join()]") == ["points", "upper,lower"]
    before = sheet.points()
    assert len(before) == 80
    sheet.click(0.95, 0.93)
    added = sheet.points()[-1]
    assert added[2] == 0 and near(added[:2], sheet.spot(0.95, 0.93))
    page.click(".targets [role=radio] >> nth=1")
    sheet.click(0.04, 0.95)
    assert sheet.points()[-1][2] == 1 and len(sheet.points()) == 82
    sheet.drag((0.95, 0.93), (0.9, 0.9), (0.8, 0.95))
    moved = sheet.points()[-2]
    assert near(moved[:2], sheet.spot(0.8, 0.95)) and moved[2] == 0
    sheet.click(0.04, 0.95, button="right")
    assert len(sheet.points()) == 81 and sheet.points()[-1] == moved
    page.click("#pen-undo")
    page.click("#pen-undo")
    assert near(sheet.points()[-2][:2], sheet.spot(0.95, 0.93)) and len(sheet.points()) == 82
    for _ in range(3):
        page.click("#pen-undo")
    assert page.state("state.scene.recipe.data.kind") == "toy" and page.state("state.error") is None


def test_that_training_begins_anew_is_said_once(opened: Opened) -> None:
    page = opened()
    sheet = Sheet(page)
    said = page.page.locator("#caption p")
    sheet.click(0.95, 0.93)
    assert "anew" not in said.inner_text()  # nothing was trained
    page.click("#epoch-on")
    sheet.click(0.9, 0.9)
    page.page.wait_for_selector("#caption p:has-text('Training began anew.')")
    assert page.state("[state.step, state.end]") == [0, 0]
    page.click("#epoch-on")
    page.until("state.told === null")
    sheet.click(0.85, 0.93)
    assert page.state("[state.step, state.told]") == [0, None]
    page.click("#epoch-on")
    page.page.press("#pen", "Escape")
    page.click('[data-toy="circle"]')
    page.click("#epoch-on")
    Sheet(page)  # taken up again: the figure's points become drawn ones
    page.page.wait_for_selector("#caption p:has-text('Training began anew.')")


def test_a_drawing_from_nothing_is_learned(opened: Opened) -> None:
    page = opened()
    sheet = Sheet(page)
    toml = page.state("state.scene.toml")
    page.click("#pen-clear")
    page.page.wait_for_selector("#pen-hint:has-text('4 more points are missing')")
    page.page.wait_for_selector("#caption p:has-text('Play waits until there are enough.')")
    page.press("Space")  # what is shown is not what would be trained on
    page.press("Shift+ArrowRight")
    assert page.page.is_hidden("#figures") and page.state("[state.step, state.scene.playing]") == [0, False]
    for place in ((0.2, 0.2), (0.3, 0.3), (0.2, 0.4), (0.3, 0.2)):
        sheet.click(*place)
    page.page.wait_for_selector("#pen-hint:has-text('a second class')")
    assert page.state("state.scene.toml") == toml, "what cannot be learned yet stays on the page"
    page.click("[aria-label='Another class']")
    page.click("[data-tool=spray]")
    sheet.drag((0.7, 0.7), (0.75, 0.75), (0.8, 0.9))
    found = sheet.points()
    assert len(found) > 6 and {point[2] for point in found} == {0, 2}
    assert page.state("[state.scene.kind, state.scene.names.at(-1)]") == ["classes", "class 3"]
    page.click("[data-tool=erase]")
    sheet.drag((0.2, 0.2), (0.3, 0.3))
    assert len(sheet.points()) == len(found) - 2
    page.click("#pen-done")
    assert page.page.is_hidden("#pen") and page.page.is_visible("#legend")
    page.press("Shift+ArrowRight")
    assert page.state("state.step") > 0 and page.state("state.error") is None


def test_points_by_the_keyboard(opened: Opened) -> None:
    page = opened()
    sheet = Sheet(page)
    page.press("2")
    page.press("3")  # there is no third class, and digits lead to no other view while points are drawn
    page.page.evaluate("document.activeElement.blur()")
    page.press("3")
    page.page.focus("#pen")
    assert page.state("state.view.page") == "playground"
    for key in ("ArrowRight", "ArrowUp", "ArrowUp", "Enter"):
        page.press(key)
    reach = page.state("state.scene.reach")
    added = sheet.points()[-1]
    assert near(added, [reach / 20, reach / 10, 1], 0.002) and page.state("state.step") == 0
    assert page.page.inner_text("#pen-hint").startswith("lower · 81 points at ")
    page.press("Delete")
    assert len(sheet.points()) == 80
    page.press("Control+z")
    assert sheet.points()[-1] == added
    page.press("Escape")
    assert page.page.is_hidden("#pen") and page.page.evaluate("document.activeElement.id") == "draw"


def test_values_are_drawn_for_a_quantity(opened: Opened) -> None:
    page = opened()
    page.click('[data-toy="plane"]')
    sheet = Sheet(page)
    page.page.locator(".targets input").fill("-10")
    sheet.click(0.5, 0.02)
    assert page.state("[state.scene.kind, state.error]") == ["quantities", None]
    assert sheet.points()[-1][2] == -0.5


def test_a_finger_draws_and_takes_away(opened: Opened) -> None:
    page = opened(viewport={"width": 400, "height": 850}, has_touch=True, is_mobile=True)
    page.page.tap("#draw")
    page.page.wait_for_selector("#pen")
    page.settle()
    box = page.page.locator("#pen").bounding_box()
    assert box["y"] >= 0 and box["y"] + box["height"] < 850 - 100, "the page has come to it"
    x, y = box["x"] + 0.9 * box["width"], box["y"] + 0.95 * box["height"]
    page.page.touchscreen.tap(x, y)
    page.settle()
    assert len(page.state(POINTS)) == 81
    touch = page.context.new_cdp_session(page.page)
    touch.send("Input.dispatchTouchEvent", {"type": "touchStart", "touchPoints": [{"x": x, "y": y}]})
    page.page.wait_for_selector("#pen-hint:has-text('80 points')")  # the finger stays
    touch.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    page.until(f"{POINTS}.length === 80")


def test_inputs_come_and_go(opened: Opened) -> None:
    page = opened()
    features = "state.scene.recipe.data.features"
    picture = "[...document.querySelector('.place canvas').getContext('2d').getImageData(0, 0, 16, 16).data]"
    before = page.state(picture)
    page.click("[aria-label='Add the input x1*x2']")
    assert page.state(features) == ["x1", "x2", "x1*x2"]
    assert page.page.locator(".unit").count() == 3 + 3 + 2 + 1 and page.page.locator(".chip").count() == 4
    page.page.hover(".unit >> nth=0")
    page.click("[aria-label='Remove the input x1']")
    assert page.state(features) == ["x2", "x1*x2"] and page.state(picture) != before
    page.page.focus(".unit >> nth=0")
    page.press("Delete")
    assert page.state(features) == ["x1*x2"]
    page.page.focus(".unit >> nth=0")
    page.press("Delete")  # the last one stays
    assert page.state(features) == ["x1*x2"] and page.page.locator(".cross").count() == 0
    page.click(".head .inputs")
    ticks = page.page.locator(".popover input")
    assert ticks.count() == 7 and ticks.nth(4).is_disabled()
    ticks.nth(5).check()
    page.settle()
    page.click(".popover button")
    assert page.state(features) == ["x1*x2", "sin(3*x1)"] and page.page.inner_text(".head .inputs").endswith("2 of 7")
    page.press("ArrowRight")
    assert page.state("state.step") == 1 and page.state("state.error") is None


def test_dropout_and_penalties_are_shown_where_they_act(opened: Opened) -> None:
    page = opened()
    acting = "[...document.querySelectorAll('[data-acting]')].map((one) => one.textContent)"
    assert page.state(acting) == ["", "", ""]
    page.page.locator("[data-path='train.dropout']").fill("6")  # 0.3
    page.page.locator("[data-path='train.l2']").fill("8")  # 0.01
    page.click("#batch-on")
    page.click("#batch-on")
    assert page.state(acting) == ["L2 0.01", "L2 0.01\ndropout 30 %", "L2 0.01\ndropout 30 %"]
    shares = page.state(
        "[...document.querySelectorAll('.place')].map((one) => one.style.getPropertyValue('--left-out'))"
    )
    dropped, width = page.state("[[...state.frame.dropped.values], state.frame.dropped.shape[1]]")
    units = [*dropped[:3], *dropped[width : width + 2]]
    assert [float(share) for share in shares[2:-1]] == [round(share, 3) for share in units] and any(units)
    assert "of the batch" in page.page.get_attribute(f".unit >> nth={2 + units.index(max(units))}", "aria-label")
