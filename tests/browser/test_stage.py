"""The demo's stage: two boards in step, a cable that can be pulled, an edit that nobody announced."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Browser, FrameLocator, Page, expect

from tests.fixtures.fix_demo import DemoProcess

LIMIT = 20_000  # milliseconds; generous, because the machine may be busy


@pytest.fixture
def page(browser: Browser, demo: DemoProcess) -> Page:
    page = browser.new_context(viewport={"width": 1600, "height": 900}).new_page()
    page.goto(demo.url)
    for side in ("#left", "#right"):
        connected(page.frame_locator(side))
    return page


def connected(board: FrameLocator) -> None:
    expect(board.get_by_role("status").filter(has_text="Connected").first).to_be_visible(timeout=LIMIT)


def card(board: FrameLocator, title: str):  # type: ignore[no-untyped-def]
    return board.get_by_text(title, exact=True).first


def test_somebody_elses_edit_shows_on_both_boards(page: Page, shots: Path) -> None:
    page.get_by_role("button", name="Someone else edits").click()
    told = page.locator("#told")
    expect(told).to_contain_text("renamed to", timeout=LIMIT)
    title = (told.text_content() or "").split("renamed to “")[1].split("”")[0]
    for side in ("#left", "#right"):
        expect(card(page.frame_locator(side), title)).to_be_visible(timeout=LIMIT)
    page.screenshot(path=str(shots / "stage.png"))


def test_a_board_whose_plug_was_pulled_catches_up_when_it_is_back(page: Page, shots: Path) -> None:
    page.get_by_role("button", name="Pull the plug").click()
    expect(page.locator("#told")).to_contain_text("Unplugged", timeout=LIMIT)
    page.get_by_role("button", name="Someone else edits").click()
    told = page.locator("#told")
    expect(told).to_contain_text("renamed to", timeout=LIMIT)
    title = (told.text_content() or "").split("renamed to “")[1].split("”")[0]
    left, right = page.frame_locator("#left"), page.frame_locator("#right")
    expect(card(right, title)).to_be_visible(timeout=LIMIT)
    expect(card(left, title)).to_have_count(0)
    page.screenshot(path=str(shots / "stage-unplugged.png"))
    page.get_by_role("button", name="Plug it in again").click()
    expect(card(left, title)).to_be_visible(timeout=LIMIT)
    connected(left)


def test_on_a_phone_one_board_shows_at_a_time(browser: Browser, demo: DemoProcess, shots: Path) -> None:
    page = browser.new_context(viewport={"width": 390, "height": 844}).new_page()
    page.goto(demo.url)
    expect(page.locator("#right")).not_to_be_visible()
    page.get_by_role("button", name="Grace").click()
    expect(page.locator("#right")).to_be_visible()
    expect(page.locator("#left")).not_to_be_visible()
    wide = page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth")
    assert not wide, "the page scrolls sideways"
    page.screenshot(path=str(shots / "stage-phone.png"))
