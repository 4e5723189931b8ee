"""The demo's stage: two boards in step, a cable that can be pulled, an edit that nobody announced."""

from __future__ import annotations

import json
import re
import socket
import subprocess
import urllib.request
from pathlib import Path

import pytest
from playwright.sync_api import Browser, FrameLocator, Locator, Page, expect

from tests.fixtures.fix_demo import DemoProcess

LIMIT = 20_000  # milliseconds; generous, because the machine may be busy


@pytest.fixture
def page(browser: Browser, demo: DemoProcess) -> Page:
    page = browser.new_context(viewport={"width": 1600, "height": 900}).new_page()
    page.goto(demo.url)
    for side in ("#left", "#right"):
        connected(page.frame_locator(side))
        # A board that is unplugged before it has read its rows has none that could be old.
        expect(page.frame_locator(side).locator(".card-open").first).to_be_visible(timeout=LIMIT)
    return page


def connected(board: FrameLocator) -> None:
    expect(board.get_by_role("status").filter(has_text="Connected").first).to_be_attached(timeout=LIMIT)


def card(board: FrameLocator, title: str) -> Locator:
    return board.get_by_text(title, exact=True).first


def edit(page: Page) -> str:
    """Somebody else renames a card; returns its new title."""
    page.get_by_role("button", name="Someone else edits").click()
    told = page.locator("#told")
    expect(told).to_contain_text("renamed to", timeout=LIMIT)
    return (told.text_content() or "").split("renamed to “")[1].split("”")[0]


def pill(board: FrameLocator) -> Locator:
    return board.locator(".connection")


def rename_in_a_shell(demo: DemoProcess, old: str, new: str) -> None:
    statement = f"UPDATE tasks SET title = '{new}' WHERE title = '{old}'"
    subprocess.run(["sqlite3", "-cmd", ".timeout 5000", str(demo.database), statement], check=True)


def log_of(demo: DemoProcess) -> str:
    return (demo.database.parent / "server.err").read_text()


def test_somebody_elses_edit_shows_on_both_boards(page: Page, shots: Path) -> None:
    title = edit(page)
    for side in ("#left", "#right"):
        expect(card(page.frame_locator(side), title)).to_be_visible(timeout=LIMIT)
    page.screenshot(path=str(shots / "stage.png"))


def test_somebody_elses_edits_are_told_in_different_words(page: Page) -> None:
    told = page.locator("#told")
    for part in ("renamed to", "moved to “", "marked urgent", "renamed to"):
        page.get_by_role("button", name="Someone else edits").click()
        expect(told).to_contain_text(part, timeout=LIMIT)


def test_a_board_whose_plug_was_pulled_catches_up_when_it_is_back(
    page: Page, demo: DemoProcess, shots: Path
) -> None:
    quiet = log_of(demo)
    page.get_by_role("button", name="Pull Ada").click()
    expect(page.locator("#told")).to_contain_text("Unplugged", timeout=LIMIT)
    title = edit(page)
    left, right = page.frame_locator("#left"), page.frame_locator("#right")
    expect(card(right, title)).to_be_visible(timeout=LIMIT)
    expect(card(left, title)).to_have_count(0)
    expect(pill(left)).to_contain_text("Reconnecting", timeout=LIMIT)
    page.screenshot(path=str(shots / "stage-unplugged.png"))
    page.get_by_role("button", name="Plug it in again").click()
    expect(card(left, title)).to_be_visible(timeout=LIMIT)
    connected(left)
    assert log_of(demo) == quiet, "the demo complains of its own cable"


def test_plugged_in_again_a_board_does_not_wait_for_its_next_try(page: Page, shots: Path) -> None:
    left = page.frame_locator("#left")
    switcher = left.locator(".project-switcher")
    wide = switcher.bounding_box()
    page.get_by_role("button", name="Pull Ada").click()
    # By then the board waits between its tries: at least eight more seconds.
    expect(pill(left)).to_contain_text(
        re.compile(r"Data may be old · retrying\s*in 1[0-9] s"), timeout=60_000
    )
    page.screenshot(path=str(shots / "stage-old.png"))
    narrow = switcher.bounding_box()
    assert wide is not None
    assert narrow is not None
    assert (narrow["x"], narrow["width"]) == (wide["x"], wide["width"]), "the pill squeezes the header"
    page.get_by_role("button", name="Plug it in again").click()
    expect(left.get_by_role("status").filter(has_text="Connected").first).to_be_visible(timeout=5_000)


def test_a_board_that_was_loaded_while_unplugged_is_loaded_anew(page: Page) -> None:
    page.get_by_role("button", name="Pull Ada").click()
    expect(page.locator("#told")).to_contain_text("Unplugged", timeout=LIMIT)
    page.reload()
    page.get_by_role("button", name="Plug it in again").click()
    for side in ("#left", "#right"):
        connected(page.frame_locator(side))


def test_both_boards_come_back_after_a_kill_and_a_restart(page: Page, demo: DemoProcess, shots: Path) -> None:
    boards = [page.frame_locator(side) for side in ("#left", "#right")]
    demo.kill()
    expect(page.locator("#told")).to_contain_text("The server is gone", timeout=LIMIT)
    rename_in_a_shell(demo, "Fix homepage", "Changed while the server was dead")
    demo.restart()
    for board in boards:
        expect(card(board, "Changed while the server was dead")).to_be_visible(timeout=LIMIT)
        connected(board)
    rename_in_a_shell(demo, "New navigation", "Live again")
    for board in boards:
        expect(card(board, "Live again")).to_be_visible(timeout=LIMIT)
    page.screenshot(path=str(shots / "stage-restarted.png"))


def test_a_cable_whose_port_was_taken_meanwhile_gets_another_and_the_board_follows(
    page: Page, demo: DemoProcess
) -> None:
    with urllib.request.urlopen(f"{demo.url}/demo/setup") as answer:
        port = json.load(answer)["cable_port"]
    demo.kill()
    with socket.create_server(("127.0.0.1", port)):
        demo.restart()
        left = page.frame_locator("#left")
        expect(page.locator("#left")).not_to_have_attribute("src", re.compile(f":{port}/"), timeout=LIMIT)
        connected(left)


def test_on_a_phone_one_board_shows_at_a_time(browser: Browser, demo: DemoProcess, shots: Path) -> None:
    page = browser.new_context(viewport={"width": 390, "height": 844}).new_page()
    page.goto(demo.url)
    expect(page.locator("#right")).not_to_be_visible()
    page.get_by_role("button", name="Grace", exact=True).click()
    expect(page.locator("#right")).to_be_visible()
    expect(page.locator("#left")).not_to_be_visible()
    wide = page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth")
    assert not wide, "the page scrolls sideways"
    page.screenshot(path=str(shots / "stage-phone.png"))


def test_on_a_small_screen_the_first_column_stands_at_the_edge(
    browser: Browser, demo: DemoProcess, shots: Path
) -> None:
    page = browser.new_context(viewport={"width": 1024, "height": 768}).new_page()
    page.goto(demo.url)
    for side in ("#left", "#right"):
        board = page.frame_locator(side)
        connected(board)
        expect(card(board, "Fix homepage")).to_be_visible(
            timeout=LIMIT
        )  # the columns, not their skeleton, which goes
        edge, column = page.locator(side).bounding_box(), board.locator(".column").first.bounding_box()
        assert edge is not None
        assert column is not None
        assert column["x"] - edge["x"] < 25
    page.screenshot(path=str(shots / "stage-1024.png"))
