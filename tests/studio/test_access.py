"""The page for everyone: axe's rules in every view, light and dark, wide and narrow, and room for fingers."""

from collections.abc import Callable
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe

Opened = Callable[..., Any]
PAGES = ("playground", "compare", "many", "lessons", "runs")
GRAVE = ("serious", "critical")
# Units and biases stand as close as the network needs: there is room for six layers of eight on a phone.
SMALL_TARGETS = """(least) => [...document.querySelectorAll('button, select, input, a, [role=slider]')]
  .filter((one) => one.checkVisibility({ visibilityProperty: true }) && !one.closest('label, .place'))
  .map((one) => [one.outerHTML.slice(0, 120), one.getBoundingClientRect()])
  .filter(([, box]) => box.width > 0 && Math.min(box.width, box.height) < least - 0.5)
  .map(([words, box]) => `${words} ${box.width} x ${box.height}`)"""


def findings(page: Any) -> list[str]:
    """What axe finds grave, in words."""
    found = Axe().run(page.page).response["violations"]
    return [
        f"{each['id']} ({each['impact']}): {node['html'][:160]}"
        for each in found
        if each["impact"] in GRAVE
        for node in each["nodes"]
    ]


def turned_to(page: Any, view: str) -> None:
    page.page.evaluate("(page) => import('/static/main.js').then(({ app }) => app.view({ page }))", view)
    page.settle()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_grave_in_any_view(opened: Opened, scheme: str) -> None:
    page = opened(color_scheme=scheme)
    page.press("Shift+ArrowRight")
    for view in PAGES:
        turned_to(page, view)
        assert findings(page) == [], view


def test_axe_finds_nothing_grave_in_the_drawer_and_the_dialogs(opened: Opened) -> None:
    page = opened()
    page.press("Shift+ArrowRight")
    for tab in ("numbers", "distributions", "recipe"):
        page.click(f"#tab-{tab}")
        assert findings(page) == [], tab
    page.press("Shift+?")
    assert findings(page) == []


def test_axe_finds_nothing_grave_while_drawing_and_choosing_inputs(opened: Opened) -> None:
    page = opened()
    page.click("#draw")
    assert findings(page) == []
    page.click(".head .inputs")
    assert findings(page) == []


def test_fingers_find_room_to_draw_and_choose_inputs(opened: Opened) -> None:
    page = opened(viewport={"width": 400, "height": 850}, has_touch=True, is_mobile=True)
    page.click("#draw")
    page.click(".head .inputs")
    assert page.page.evaluate(SMALL_TARGETS, 44) == []
    assert page.page.evaluate("document.documentElement.scrollWidth") <= 400


def test_fingers_find_room(opened: Opened) -> None:
    page = opened(viewport={"width": 400, "height": 850}, has_touch=True, is_mobile=True)
    for view in PAGES:
        turned_to(page, view)
        assert page.page.evaluate(SMALL_TARGETS, 44) == [], view
        assert page.page.evaluate("document.documentElement.scrollWidth") <= 400, view
