"""The frame around every page: looks, keys, dialogs, theme, signing in; with and without scripts."""

import re

import pytest
from playwright.sync_api import expect
from tests.browser.conftest import press

pytestmark = pytest.mark.usefixtures("data")


def test_pages_can_be_read_by_everybody(looks):
    looks("/", "overview")


def test_help_opens_by_key_and_closes(page, check):
    page.goto("/")
    press(page, "?")
    dialog = page.get_by_role("dialog", name="Keyboard shortcuts")
    expect(dialog).to_be_visible()
    check(page)
    press(page, "Escape")
    expect(dialog).to_be_hidden()


def test_search_takes_the_focus(page):
    page.goto("/")
    press(page, "/")
    expect(page.locator("#side input[type=search]")).to_be_focused()
    page.keyboard.type("?gj")
    expect(page.locator("#side input[type=search]")).to_have_value("?gj")
    press(page, "Escape")
    expect(page.locator("#side input[type=search]")).not_to_be_focused()


def test_keys_work_in_a_narrow_window_too(contexts):
    page = contexts(viewport={"width": 360, "height": 780}).new_page()
    page.goto("/")
    press(page, "?")
    expect(page.get_by_role("dialog", name="Keyboard shortcuts")).to_be_visible()
    expect(page.get_by_role("heading", name="Keyboard shortcuts")).to_be_focused()
    press(page, "Escape")
    press(page, "/")
    expect(page).to_have_url(re.compile("/jobs#find$"))
    press(page, "/")
    expect(page.get_by_label("An id, or words of an error")).to_be_focused()


def test_shortcuts_can_be_turned_off(page):
    page.goto("/")
    press(page, "?")
    page.get_by_role("button", name="Turn them off").click()
    expect(page.locator("html[data-shortcuts=off]")).to_have_count(1)
    press(page, "?")
    expect(page.get_by_role("dialog")).to_be_hidden()
    page.get_by_role("button", name="Keyboard shortcuts").click()
    page.get_by_role("button", name="Turn them on").click()
    expect(page.locator("html:not([data-shortcuts]) [data-live-state]")).to_have_text("Live")
    press(page, "?")
    expect(page.get_by_role("dialog")).to_be_visible()


def test_a_look_is_chosen_and_remembered(page):
    page.goto("/")
    background = "getComputedStyle(document.body).backgroundColor"
    light = page.evaluate(background)
    for theme in ("light", "dark"):
        page.locator("[data-theme-button]").click()
        expect(page.locator(f"html[data-theme={theme}]")).to_have_count(1)
    dark = page.evaluate(background)
    assert dark != light
    page.reload()
    assert page.evaluate(background) == dark
    page.locator("[data-theme-button]").click()
    expect(page.locator("html:not([data-theme])")).to_have_count(1)


def test_one_can_skip_to_the_page(page):
    page.goto("/")
    press(page, "Tab")
    expect(page.get_by_role("link", name="Skip to the page")).to_be_focused()
    press(page, "Enter")
    expect(page.locator("main")).to_be_focused()


def test_on_a_telephone_the_pages_are_in_a_menu(contexts):
    page = contexts(viewport={"width": 360, "height": 780}, java_script_enabled=False).new_page()
    page.goto("/")
    expect(page.locator("#side")).to_be_hidden()
    page.get_by_role("button", name="Menu").click()
    expect(page.locator("#side")).to_be_visible()


def test_it_can_be_read_without_scripts(contexts):
    page = contexts(java_script_enabled=False).new_page()
    page.goto("/")
    expect(page.get_by_role("heading", level=1)).to_have_text("Overview")
    expect(page.get_by_role("link", name="Overview")).to_have_attribute("aria-current", "page")


def test_what_is_not_there_says_so(page, looks):
    looks("/nowhere", "not-found")
    for path in ("/static/x/none.css", "/nowhere"):
        answer = page.goto(path)
        assert answer.status == 404
        expect(page.get_by_role("heading", name="Not Found")).to_be_visible()


def test_the_stream_is_open_while_the_tab_is_seen(page):
    streams = []
    page.on("request", lambda request: streams.append(request) if "/changes" in request.url else None)
    page.goto("/")
    expect(page.locator("[data-live-state]")).to_have_text(re.compile("Live"))
    assert len(streams) == 1
