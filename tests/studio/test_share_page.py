"""Links in a real browser: they bring back what was shared, paused; and a page comes back by itself after a cut."""

import base64
import json
import re
import zlib
from collections.abc import Callable
from typing import Any

Opened = Callable[..., Any]
WEIGHTS = "[...state.frame.weights.values, ...state.frame.biases.values]"


def played(page: Any) -> None:
    """Some training, with changes on the way."""
    page.press("Shift+ArrowRight")
    page.page.evaluate("import('/static/main.js').then(({ app }) => app.set('train.l2', 0.01))")
    page.settle()
    page.page.evaluate("import('/static/main.js').then(({ app }) => app.weight(0, 1, null, 0.75))")
    page.settle()
    page.press("ArrowRight")
    page.press("ArrowRight")


def test_a_copied_link_brings_everything_back_paused(opened: Opened) -> None:
    page = opened(permissions=["clipboard-read", "clipboard-write"])
    played(page)
    page.press("d")
    page.page.keyboard.press("s")
    page.page.wait_for_selector("#caption p:has-text('Link copied.')")
    assert "It opens paused at step" in page.page.inner_text("#caption p")
    link = page.page.evaluate("navigator.clipboard.readText()")
    assert "drawer=numbers" in link and len(link) < 500 and "token" not in link
    there = page.state(f"[state.step, state.scene.recipe, {WEIGHTS}]")
    other = page.context.new_page()
    other.goto(link)
    other.wait_for_selector(".place canvas")
    page.page = other
    page.until(f"state.step === {there[0]} && state.frame?.step === state.step")
    page.settle()
    assert page.state(f"[state.step, state.scene.recipe, {WEIGHTS}]") == there
    assert not page.state("state.scene.playing") and page.state("state.scene.edits.length") == 1
    assert other.is_visible("#drawer-body") and "state=" not in other.url  # it leads there once
    page.press("ArrowRight")
    assert page.state("state.step") == there[0] + 1


def test_without_a_clipboard_the_link_is_there_to_copy(opened: Opened) -> None:
    page = opened()
    page.page.evaluate("() => void (navigator.clipboard.writeText = () => Promise.reject(new Error('not allowed')))")
    page.click("#share")
    field = page.page.locator(".popover input")
    field.wait_for()
    assert re.search(r"/#step=0&state=[\w-]+$", field.input_value())
    assert page.page.evaluate("document.activeElement.selectionEnd > 20")  # marked, to be copied at once


def test_a_cut_line_comes_back_to_the_same_step(opened: Opened) -> None:
    page = opened()
    lines = page.lines()
    played(page)
    there = page.state(f"[state.step, {WEIGHTS}]")
    page.until("state.kept?.revision === state.scene.revision")
    lines[0].close()  # the session is gone with its line
    page.page.wait_for_selector("#caption p:has-text('The line to the server is cut.')")
    page.until(f"state.online && state.frame?.step === {there[0]}")
    page.settle()
    assert page.state(f"[state.step, {WEIGHTS}]") == there and page.state("state.error") is None


def test_a_link_of_somebody_else_starts_nothing(opened: Opened) -> None:
    """It names a file, holds a command, or is no link at all: that is said, and the page is as it begins."""
    page = opened()
    home = page.page.url.partition("#")[0]
    for said in ({"recipe": {"data": {"kind": "table", "path": "/etc/passwd", "target": "x"}}}, {"do": "play"}, None):
        text = "<script>alert(1)</script>" if said is None else packed(said)
        page.page.goto("about:blank")
        page.page.goto(f"{home}#step=1000000000&page=playground&state={text}")
        page.page.wait_for_selector(".place canvas")
        page.until("state.error !== null || state.scene !== null")
        page.settle()
        assert page.state("[state.step, state.scene.playing, state.scene.recipe.data.name]") == [0, False, "moons"]


def packed(said: Any) -> str:
    return base64.urlsafe_b64encode(zlib.compress(json.dumps(said).encode())).decode().rstrip("=")
