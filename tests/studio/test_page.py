"""The Studio's page in a real browser, against the real server."""

from collections.abc import Callable
from typing import Any

import pytest

NAMELESS = """[...document.querySelectorAll('button:not([hidden]), input, select, textarea, [role=slider]')]
  .filter((one) => !(one.getAttribute('aria-label') || one.textContent.trim() || one.labels?.length))
  .map((one) => one.outerHTML)"""
WEIGHTS = "[...state.frame.weights.values, ...state.frame.biases.values]"

Opened = Callable[..., Any]


def test_the_page_loads_and_asks_nobody_else(opened: Opened, address: str) -> None:
    page = opened()
    home = address.partition("//")[2].partition("/")[0]
    assert len(page.asked) > 10
    assert {url.partition("//")[2].partition("/")[0] for url in page.asked if not url.startswith("data:")} == {home}
    assert page.state("state.scene.recipe.data.name") == "moons"
    assert page.page.inner_text("#caption p").startswith("Initial weights.")
    assert page.page.locator(".unit").count() == 2 + 3 + 2 + 1
    assert page.page.locator(".link").count() == 2 * 3 + 3 * 2 + 2


def test_playing_changes_step_and_loss_and_moves_nothing(opened: Opened) -> None:
    page = opened()
    boxes = (
        "[...document.querySelectorAll('button, input, canvas, h2, .caption, .unit, .scrub, .clock')]"
        ".filter((one) => !one.closest('.caption p')).map((one) => Object.values(one.getBoundingClientRect().toJSON()))"
    )
    page.page.mouse.move(2, 2)
    before = page.state(boxes)
    page.page.keyboard.press("Space")
    page.until("state.scene.playing && state.step > 400 && state.frame.curve.shape[0] > 5")
    assert page.state(boxes) == before
    page.press("Space")
    assert not page.state("state.scene.playing")
    first, last = page.state("[state.frame.curve.values[1], state.frame.curve.values.at(-4)]")
    assert last < first
    assert page.page.inner_text("#epoch") != "0"
    assert int(page.page.get_attribute("#scrub", "aria-valuenow")) == page.state("state.step") > 400


def test_a_step_back_is_as_before(opened: Opened) -> None:
    page = opened()
    for _ in range(3):
        page.press("ArrowRight")
    before, surface = page.state(WEIGHTS), page.state("[...state.frame.surface.values]")
    page.press("Shift+ArrowRight")
    assert page.state("state.step") > 3 and page.state(WEIGHTS) != before
    page.press("Shift+ArrowLeft")
    assert page.state("state.step") == 0
    for _ in range(3):
        page.click("#batch-on")
    assert page.state(WEIGHTS) == before and page.state("[...state.frame.surface.values]") == surface
    page.click("#batch-on")
    assert page.state(WEIGHTS) != before
    page.click("#batch-back")
    assert page.state(WEIGHTS) == before
    page.press("End")
    end = page.state("state.end")
    assert page.state("state.step") == end == 5
    page.page.focus("#scrub")
    page.press("Home")
    assert page.state("state.step") == 0
    bar = page.page.locator("#scrub").bounding_box()
    page.page.mouse.click(bar["x"] + 0.4 * bar["width"], bar["y"] + bar["height"] / 2)
    page.until("state.step === 2")


def test_the_bar_begins_with_the_oldest_step_that_can_be_gone_back_to(opened: Opened) -> None:
    page = opened()
    page.page.evaluate("async () => (await import('/static/main.js')).app.command('step', { batches: 10 })")
    page.settle()
    page.page.evaluate(
        """async () => {
          const { app } = await import('/static/main.js');
          app.state.scene.oldest = 6;
          app.changed();
        }"""
    )
    bar = page.page.locator("#scrub")
    page.page.wait_for_function("() => document.querySelector('#scrub').getAttribute('aria-valuemin') === '6'")
    box = bar.bounding_box()
    page.page.mouse.click(box["x"] + 0.5 * box["width"], box["y"] + box["height"] / 2)
    page.until("state.step === 8")
    page.page.evaluate("import('/static/main.js').then(({ app }) => { app.state.scene.oldest = 6; })")
    page.page.focus("#play-pause")
    page.press("Home")
    assert page.state("state.step") == 6


def test_a_weight_typed_in_shows_and_acts(opened: Opened) -> None:
    page = opened()
    page.press("ArrowRight")
    surface = page.state("[...state.frame.surface.values]")
    box = page.page.locator('[data-link="2 0 1"]').bounding_box()  # an S is in the middle of its box
    page.page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.page.fill(".popover input", "-3.5")
    page.press("Enter")
    assert page.page.locator(".popover").count() == 0
    assert page.state("state.frame.weights.values[6 * 64 + 1]") == -3.5
    assert page.state("[...state.frame.surface.values]") != surface
    assert page.page.get_attribute(".link >> nth=13", "data-state") == "negative"
    assert page.page.locator(".ticks i").count() == 1
    page.click('[data-bias="0 2"]')
    page.page.fill(".popover input", "0,25")
    page.press("Enter")
    assert page.state("state.frame.biases.values[2]") == 0.25
    page.page.focus(".unit >> nth=2")
    page.press("Enter")  # all of a unit's by the keyboard
    assert page.page.locator(".popover input").count() == 3
    page.press("Escape")
    page.click("#reset-run")
    assert page.state("state.step") == 0 and page.page.locator(".ticks i").count() == 0


def test_every_setting_is_answered(opened: Opened) -> None:
    page = opened()
    moved = 0
    for name in page.page.evaluate("[...document.querySelectorAll('[data-toy]')].map((one) => one.dataset.toy)"):
        page.click(f'[data-toy="{name}"]')
        assert page.state("[state.error, state.scene.recipe.data.name]") == [None, name]
    for kind, name, lists in (("quantities", "plane", "[data-path=task]"), ("binary", "circle", "[data-path]")):
        page.click(f'[data-toy="{name}"]')
        assert page.state("state.scene.kind") == kind
        query = f"[...document.querySelectorAll('select{lists}')].map((one) => one.dataset.path)"
        for path in page.page.evaluate(query):
            choose = f'select[data-path="{path}"]'
            for value in page.page.eval_on_selector(choose, "(list) => [...list.options].map((one) => one.value)"):
                page.page.select_option(choose, value)
                page.settle()
                assert page.state("state.error") is None, (path, value)
                moved += 1
                for slider in page.page.query_selector_all(".sub input[type=range]"):
                    slider.fill("2")
                page.settle()
                assert page.state("state.error") is None, (path, value, "further settings")
            page.page.select_option(choose, index=0)
            page.settle()
    page.click('[data-path="train.patience"]')
    for track in page.page.query_selector_all("input[type=range]"):
        before = page.state("state.scene.toml")
        for place in (int(track.get_attribute("max")), 1 + int(track.get_attribute("max")) // 2):
            track.fill(str(place))
            page.settle()
            assert page.state("state.error") is None, track.get_attribute("data-path")
        assert page.state("state.scene.toml") != before, track.get_attribute("data-path")
        moved += 1
    for handle in ("0", "1"):
        before = page.state("state.scene.points.train.length + 1000 * state.scene.points.validation.length")
        page.page.focus(f'[data-split="{handle}"]')
        page.press("ArrowLeft")
        assert page.state("state.scene.points.train.length + 1000 * state.scene.points.validation.length") != before
    page.page.fill("[aria-label='Learning rate, typed']", "0.0123")
    page.press("Enter")
    assert page.state("state.scene.recipe.train.learning_rate") == 0.0123 and moved >= 34


def test_layers_and_units_come_and_go(opened: Opened) -> None:
    page = opened()
    page.press("ArrowRight")
    page.click("[aria-label='One unit more in layer 1']")
    assert page.state("state.scene.recipe.network.hidden") == [4, 2] and page.state("state.step") == 1
    page.page.select_option("[data-activation='1']", "relu")
    page.settle()
    assert [each["kind"] for each in page.state("state.scene.recipe.network.activation")] == ["tanh", "relu"]
    page.click("[aria-label='Insert a layer at the front']")
    assert page.state("state.scene.recipe.network.hidden") == [2, 4, 2]
    for _ in range(2):
        page.click(".head:has([data-activation='2']) .round >> nth=0")
    assert page.state("state.scene.recipe.network.hidden") == [2, 4] and page.state("state.error") is None
    assert page.page.locator(".unit").count() == 2 + 2 + 4 + 1


def test_a_bad_recipe_is_answered_in_words(opened: Opened) -> None:
    page = opened()
    page.click("#tab-recipe")
    for text, words in (("network = ", "A recipe is written in TOML."), ("layerwise = 1\nlayers = 3", "layers")):
        page.page.fill("#toml", text)
        page.page.click("#use-recipe")
        page.until("state.error !== null")
        page.page.wait_for_selector(f"#caption p:has-text('{words}')")
        assert words in page.page.inner_text("#alert")
        assert page.page.input_value("#toml") == text  # what was typed stays
        page.click("#caption button")
    page.page.fill(
        "#toml", 'layerwise = 1\ndata = { kind = "named", name = "iris" }\nnetwork = { kind = "mlp", hidden = [4] }'
    )
    page.click("#use-recipe")
    assert page.state("state.scene.kind") == "classes" and page.page.locator(".unit").count() == 4 + 4 + 3
    assert "petal" in page.page.inner_text(".board")


def test_the_numbers_of_a_point(opened: Opened) -> None:
    page = opened()
    page.press("Shift+ArrowRight")
    spot = page.state(
        "(() => { const { reach, points } = state.scene; const [row, x1, x2] = points.train[0];"
        " return [row, 0.5 + x1 / (2 * reach), 0.5 - x2 / (2 * reach)]; })()"
    )
    box = page.page.locator("#surface").bounding_box()
    page.page.mouse.click(box["x"] + spot[1] * box["width"], box["y"] + spot[2] * box["height"])
    page.page.wait_for_selector(".numbers-table")
    row, difference = page.state("[state.row, state.sheet.difference]")
    near = page.state("state.scene.points")
    assert row == spot[0] or row in [point[0] for part in near.values() for point in part]
    assert difference < 1e-9
    page.click(".unit >> nth=3")
    assert "Into layer 1, unit 2" in page.page.inner_text("#drawer-body")
    assert "δ" in page.page.inner_text(".units")
    page.press("Escape")
    assert page.page.locator(".numbers-table").count() == 0


def test_keys(opened: Opened) -> None:
    page = opened()
    page.press("ArrowRight")
    page.press("ArrowRight")
    page.press("ArrowLeft")
    assert page.state("state.step") == 1
    page.press("n")
    assert page.state("[state.scene.recipe.seed, state.step]") == [1, 0]
    page.press("d")
    assert page.page.is_visible("#drawer-body")
    page.press("p")
    assert page.page.get_attribute("#present", "aria-pressed") == "true" and "present=1" in page.page.url
    page.press("Shift+?")
    assert page.page.is_visible("#sheet-of-keys dt:has-text('Space')")
    page.press("Escape")
    page.click("[aria-label='One unit more in layer 1']")
    page.page.keyboard.press("Space")  # a control that was clicked leaves it to play
    page.until("state.scene.playing")
    assert page.state("state.scene.recipe.network.hidden[0]") == 4
    page.press("r")
    page.page.focus("#seed")
    page.page.keyboard.type("r5")  # typing is not a command
    assert page.state("state.step") == 0 and page.page.input_value("#seed").endswith("r5")


def test_a_cut_line_comes_back_with_the_recipe(opened: Opened, browser: Any, address: str) -> None:
    page = opened()
    lines = page.lines()
    page.click('[data-toy="spiral"]')
    lines[0].close()
    page.page.wait_for_selector("#caption p:has-text('The line to the server is cut.')")
    page.until("state.online && state.scene.recipe.data.name === 'spiral' && state.frame !== null")
    page.settle()
    assert len(lines) == 2 and page.state("state.error") is None


@pytest.mark.parametrize(("width", "scheme"), [(400, "light"), (760, "dark"), (1120, "light")])
def test_it_fits_any_width_in_light_and_dark(opened: Opened, width: int, scheme: str) -> None:
    page = opened(viewport={"width": width, "height": 850}, color_scheme=scheme)
    assert page.page.evaluate("document.documentElement.scrollWidth") <= width
    for selector in ("#play-pause", "#scrub", "#epoch"):
        box = page.page.locator(selector).bounding_box()
        assert box["x"] >= 0 and box["x"] + box["width"] <= width and box["y"] + box["height"] <= 850
    color = page.page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert color == {"light": "rgb(252, 251, 249)", "dark": "rgb(19, 20, 22)"}[scheme]
    assert page.page.evaluate(NAMELESS) == []
