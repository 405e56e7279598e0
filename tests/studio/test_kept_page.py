"""The way back in a real browser: a page that is loaded anew, and one whose server was started anew."""

from collections.abc import Callable
from typing import Any

Opened = Callable[..., Any]


def says(page: Any, words: str) -> None:
    page.wait_for_selector(f"#caption p:has-text('{words}')")


def test_a_page_that_is_loaded_anew_is_where_it_was_and_can_begin_anew(opened: Opened) -> None:
    page = opened()
    page.click('[data-toy="spiral"]')
    page.click("#play-pause")
    page.until("state.step > 20 && state.kept?.revision === state.scene.revision")
    page.page.reload()
    says(page.page, "You are back where you were")
    page.settle()
    assert page.state("state.scene.recipe.data.name") == "spiral"
    assert page.state("state.step > 20 && !state.scene.playing")
    page.page.click("#caption button")
    page.page.wait_for_selector("#data-name:has-text('Moons')")
    page.settle()
    assert page.state("state.step") == 0
    page.page.reload()  # there is nothing to go back to
    says(page.page, "Initial weights.")


def test_a_change_that_was_made_last_is_not_lost(opened: Opened) -> None:
    page = opened()
    page.until("state.kept?.revision === state.scene.revision")
    page.click('[data-toy="spiral"]')
    page.page.wait_for_selector("#data-name:has-text('Spirals')")
    page.page.reload()  # before what leads back was asked for
    says(page.page, "You are back where you were")
    page.settle()
    assert page.state("state.scene.recipe.data.name") == "spiral"


def test_a_server_that_was_started_anew_is_told_of_and_gone_on_with(opened: Opened, address: str) -> None:
    page = opened()
    lines = page.lines()
    page.click('[data-toy="xor"]')
    page.until("state.kept?.revision === state.scene.revision")
    page.context.clear_cookies()  # as are those of the server before
    lines[0].close()
    says(page.page, "This Studio was started anew.")
    other = page.context.new_page()
    other.goto(address)
    says(other, "What was played before is kept.")
    other.click("#caption button")
    other.wait_for_selector("#data-name:has-text('XOR')")
    page.complaints.clear()  # the browser's own words of the lines that were refused
