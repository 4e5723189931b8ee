"""The kanban board in Chromium against a running demo: rows K2 to K21, and what the eye and the keyboard need.

Every test ends where all pages and the database agree. Nothing waits for a time; all waits are for a condition.
"""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import pytest
from playwright.sync_api import Browser, BrowserContext, Locator, Page, Route, WebSocket, expect

from tests.fixtures.fix_demo import DemoProcess

LIMIT = 20_000  # milliseconds; generous, because the machine may be busy
AXE = Path(__file__).parents[2] / "node_modules" / "axe-core" / "axe.min.js"
AXE_RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
COLUMNS_SQL = (
    "SELECT id, name FROM statuses WHERE project_id = 'atlas' ORDER BY position IS NULL, position, rowid"
)
TASKS_SQL = "SELECT title FROM tasks WHERE status_id = '{}' ORDER BY position IS NULL, position, rowid"

Board = dict[str, list[str]]


@dataclass
class Window:
    """One person's browser window on the board."""

    page: Page
    complaints: list[str] = field(default_factory=list)
    frames: list[str] = field(default_factory=list)

    def column(self, name: str) -> Locator:
        return self.page.get_by_role("region", name=name, exact=True)

    def card(self, title: str) -> Locator:
        return self.page.get_by_role("button", name=title, exact=True)

    def toast(self, text: str) -> Locator:
        return self.page.locator("[data-toast]").get_by_text(text, exact=True)

    def board(self) -> Board:
        """What this window shows: column names and the titles in each."""
        shown: Board = self.page.evaluate(
            """() => Object.fromEntries([...document.querySelectorAll('section.column')].map((column) => [
                 column.getAttribute('aria-label'),
                 [...column.querySelectorAll('.card-open')].map((card) => card.textContent)]))"""
        )
        return shown

    def add_task(self, column: str, title: str) -> None:
        self.page.get_by_role("button", name=f"Add task to {column}").click()
        box = self.page.get_by_role("textbox", name=f"Title of the new task in {column}")
        box.fill(title)
        box.press("Enter")
        box.press("Escape")

    def menu(self, of: str, item: str) -> None:
        self.page.get_by_role("button", name=f"Actions for {of}", exact=True).click()
        self.page.get_by_role("menuitem", name=item, exact=True).click()

    def edit(self, card: str, **fields: str) -> None:
        self.card(card).click()
        dialog = self.page.get_by_role("dialog", name="Edit task")
        for label, value in fields.items():
            dialog.get_by_label(label.capitalize()).fill(value)
        dialog.get_by_role("button", name="Save").click()

    def add_column(self, name: str) -> None:
        self.page.get_by_role("button", name="Add column").click()
        box = self.page.get_by_role("textbox", name="Name of the new column")
        box.fill(name)
        box.press("Enter")

    def delete_column(self, name: str) -> None:
        self.menu(f"column {name}", "Delete column")
        dialog = self.page.get_by_role("dialog")
        dialog.get_by_role("button", name="delete").last.click()


@dataclass
class Desk:
    """A demo with any number of windows on it."""

    browser: Browser
    demo: DemoProcess
    contexts: list[BrowserContext] = field(default_factory=list)

    def open(self, user: str, *, wait: bool = True, **options: Any) -> Window:
        """A window of its own browser profile; it is connected when this returns, unless wait is False."""
        context = self.browser.new_context(**{"viewport": {"width": 1500, "height": 900}, **options})
        self.contexts.append(context)
        window = Window(context.new_page())
        window.page.on("console", lambda message: _complain(window, message.type, message.text))
        window.page.on("pageerror", lambda error: window.complaints.append(str(error)))
        window.page.on("websocket", lambda socket: _listen(window, socket))
        window.page.goto(f"{self.demo.board}?user={user}")
        if wait:
            connected(window)
            expect(window.page.locator("[data-card]").first).to_be_visible(timeout=LIMIT)
        return window

    def sql(self, statement: str) -> list[list[Any]]:
        """Through the command line, as a person with a shell would: no code of ours sees it."""
        command = ["sqlite3", "-json", "-cmd", ".timeout 5000", str(self.demo.database), statement]
        output = subprocess.run(command, check=True, capture_output=True).stdout
        return [list(row.values()) for row in msgspec.json.decode(output or b"[]")]

    def database(self) -> Board:
        columns = self.sql(COLUMNS_SQL)
        return {name: [row[0] for row in self.sql(TASKS_SQL.format(id))] for id, name in columns}

    def converge(self, *windows: Window) -> Board:
        """Wait until every window shows exactly what the database holds."""
        until(lambda: all(window.board() == self.database() for window in windows), windows[0])
        return self.database()

    def close(self) -> None:
        for context in self.contexts:
            context.close()


def _complain(window: Window, kind: str, text: str) -> None:
    if kind in ("error", "warning"):
        window.complaints.append(text)


def _listen(window: Window, socket: WebSocket) -> None:
    socket.on("framereceived", lambda frame: window.frames.append(str(frame)))


def connected(window: Window) -> None:
    expect(window.page.get_by_role("status").filter(has_text="Connected").first).to_be_attached(timeout=LIMIT)


def until(holds: Callable[[], bool], window: Window) -> None:
    """Look again until it holds; the page's own events run meanwhile."""
    deadline = time.monotonic() + LIMIT / 1000
    while not holds():
        assert time.monotonic() < deadline, "it did not come true in time"
        window.page.wait_for_timeout(50)


@pytest.fixture
def desk(browser: Browser, demo: DemoProcess) -> Iterator[Desk]:
    desk = Desk(browser, demo)
    yield desk
    desk.close()


@contextmanager
def slow_posts(window: Window, *, status: int | None = None) -> Iterator[Callable[[], None]]:
    """Hold every POST of a new task until released; then let it through, or answer with `status`."""
    held: list[Route] = []

    def hold(route: Route) -> None:
        if route.request.method == "POST":
            held.append(route)
        else:
            route.continue_()

    def release() -> None:
        until(lambda: bool(held), window)
        for route in held:
            if status is None:
                route.continue_()
            else:
                route.fulfill(status=status, content_type="application/problem+json", body="{}")

    window.page.route("**/api/tasks", hold)
    yield release
    window.page.unroute("**/api/tasks", hold)


class TestSeenByAll:
    @pytest.mark.parametrize("count", [2, 5])
    def test_k02_k03_k07_k08_every_verb_is_seen_by_all(self, desk: Desk, count: int) -> None:
        users = ["Ada", "Grace", "Linus", "Margaret", "Alan"][:count]
        ada, *others = [desk.open(user) for user in users]
        steps: list[Callable[[], None]] = [
            lambda: ada.add_task("To do", "Seen by all"),
            lambda: ada.edit("Seen by all", title="Changed for all"),
            lambda: ada.menu("Changed for all", "Review"),
            lambda: ada.menu("Changed for all", "Delete"),
            lambda: ada.add_column("Blocked"),
            lambda: rename_column(ada, "Blocked", "Waiting"),
            lambda: ada.delete_column("Waiting"),
        ]
        boards = [desk.converge(ada, *others)]
        for step in steps:
            step()
            until(lambda: desk.database() != boards[-1], ada)
            boards.append(desk.converge(ada, *others))
        assert "Seen by all" in boards[1]["To do"]
        assert "Changed for all" in boards[2]["To do"]
        assert "Changed for all" in boards[3]["Review"]
        assert boards[4] == boards[0] == boards[7]
        assert ("Blocked" in boards[5], "Waiting" in boards[6]) == (True, True)
        assert [window.complaints for window in (ada, *others)] == [[]] * count
        assert payloads(others[0]) == PAYLOADS

    def test_k18_a_change_is_shown_and_marked_for_the_others_only(self, desk: Desk, shots: Path) -> None:
        ada, grace = desk.open("Ada"), desk.open("Grace")
        ada.edit("Fix homepage", title="Fix the homepage")
        expect(grace.page.get_by_text("Changed by Ada")).to_be_visible(timeout=LIMIT)
        grace.page.screenshot(path=str(shots / "kanban-news.png"))
        expect(ada.page.get_by_text("Changed by Ada")).to_have_count(0)
        desk.converge(ada, grace)

    def test_a_row_changed_in_a_shell_shows_without_a_reload(self, desk: Desk) -> None:
        ada = desk.open("Ada")
        desk.sql("UPDATE tasks SET title = 'From the shell' WHERE title = 'Fix homepage'")
        desk.sql("INSERT INTO tasks (project_id, status_id, title) VALUES ('atlas', 'atlas-s4', 'By hand')")
        desk.sql("DELETE FROM tasks WHERE title = 'New navigation'")
        expect(ada.card("From the shell")).to_be_visible(timeout=LIMIT)
        expect(ada.column("Review").get_by_text("By hand")).to_be_visible(timeout=LIMIT)
        expect(ada.card("New navigation")).to_have_count(0, timeout=LIMIT)
        desk.converge(ada)

    def test_d06_own_change_makes_one_fetch(self, desk: Desk) -> None:
        ada, grace = desk.open("Ada"), desk.open("Grace")
        reads: list[str] = []
        ada.page.on(
            "request", lambda request: reads.append(request.url) if "/api/projects/" in request.url else None
        )
        ada.add_task("To do", "Counted")
        expect(grace.card("Counted")).to_be_visible(timeout=LIMIT)
        desk.converge(ada, grace)
        # Grace's change is the mark: whatever Ada's page would fetch for its own event came before it.
        grace.menu("Counted", "Review")
        desk.converge(ada, grace)
        assert len(reads) == 2


PAYLOADS = {
    "task-created": {"taskId", "projectId"},
    "task-updated": {"taskId", "projectId"},
    "task-deleted": {"taskId", "projectId"},
    "task-moved": {"taskId", "newStatusId", "projectId"},
    "status-created": {"statusId", "projectId"},
    "status-updated": {"statusId", "projectId"},
    "status-deleted": {"statusId", "projectId"},
}
"""K7, K8: the seven names, and ids alone in each."""


def payloads(window: Window) -> dict[str, set[str]]:
    """Of every event that this window's unmodified pusher-js was sent: its name and the keys of its data."""
    messages = [msgspec.json.decode(frame) for frame in window.frames]
    own = [message for message in messages if not message["event"].startswith("pusher")]
    return {message["event"]: set(msgspec.json.decode(message["data"])) for message in own}


def rename_column(window: Window, old: str, new: str) -> None:
    window.menu(f"column {old}", "Rename column")
    box = window.page.get_by_role("textbox", name=f"New name of {old}")
    box.fill(new)
    box.press("Enter")


class TestToasts:
    def test_k12_every_success_has_its_words(self, desk: Desk) -> None:
        ada = desk.open("Ada")
        steps: list[tuple[str, Callable[[], None]]] = [
            ("Task created successfully", lambda: ada.add_task("To do", "Worded")),
            ("Task updated successfully", lambda: ada.edit("Worded", title="Reworded")),
            ("Task moved", lambda: ada.menu("Reworded", "Done")),
            ("Task deleted successfully", lambda: ada.menu("Reworded", "Delete")),
            ("Status created successfully", lambda: ada.add_column("Fresh")),
            ("Status updated successfully", lambda: rename_column(ada, "Fresh", "Stale")),
            ("Status deleted successfully", lambda: ada.delete_column("Stale")),
        ]
        for text, step in steps:
            step()
            expect(ada.toast(text)).to_be_visible(timeout=LIMIT)

    def test_a_deleted_task_comes_back_with_undo(self, desk: Desk) -> None:
        ada, grace = desk.open("Ada"), desk.open("Grace")
        before = desk.converge(ada, grace)
        ada.menu("Fix homepage", "Delete")
        expect(grace.card("Fix homepage")).to_have_count(0, timeout=LIMIT)
        ada.page.get_by_role("button", name="Undo").click()
        expect(grace.card("Fix homepage")).to_be_visible(timeout=LIMIT)
        assert desk.converge(ada, grace) == before

    def test_a_column_with_tasks_gives_them_a_new_home(self, desk: Desk) -> None:
        ada, grace = desk.open("Ada"), desk.open("Grace")
        ada.menu("column To do", "Delete column")
        dialog = ada.page.get_by_role("dialog")
        dialog.get_by_label("Move the tasks to").select_option("Review")
        dialog.get_by_role("button", name="Move and delete").click()
        expect(grace.column("To do")).to_have_count(0, timeout=LIMIT)
        board = desk.converge(ada, grace)
        assert "Fix homepage" in board["Review"]


class TestOptimistic:
    def test_k19_k20_the_task_is_there_before_the_post_returns(self, desk: Desk) -> None:
        ada, grace = desk.open("Ada"), desk.open("Grace")
        with slow_posts(ada) as release:
            ada.add_task("To do", "Instant")
            expect(ada.card("Instant")).to_be_visible(timeout=1_000)
            assert "Instant" not in str(desk.database())
            release()
            expect(grace.card("Instant")).to_be_visible(timeout=LIMIT)
        desk.converge(ada, grace)

    def test_k20_delayed_by_two_seconds_it_is_still_there_at_once(self, desk: Desk) -> None:
        ada = desk.open("Ada")

        def delay(route: Route) -> None:
            ada.page.wait_for_timeout(2_000)
            route.continue_()

        ada.page.route("**/api/tasks", delay)
        shown = ada.page.evaluate_handle(
            """() => new Promise((resolve) => {
                 let typed = 0;
                 addEventListener('submit', () => { typed = performance.now() }, true);
                 addEventListener('keydown', (event) => { if (event.key === 'Enter') typed = performance.now() }, true);
                 new MutationObserver(() => {
                   const cards = [...document.querySelectorAll('.card-open')];
                   const there = cards.some((card) => card.textContent === 'Quick');
                   if (there && typed) { globalThis.shownAfter = performance.now() - typed; }
                 }).observe(document.body, { childList: true, subtree: true });
                 resolve(true);
               })"""
        )
        assert shown.json_value() is True
        ada.add_task("To do", "Quick")
        expect(ada.card("Quick")).to_be_visible(timeout=1_000)
        assert ada.page.evaluate("globalThis.shownAfter") < 500
        expect(ada.toast("Task created successfully")).to_be_visible(timeout=LIMIT)
        desk.converge(ada)

    def test_k19_k10_on_500_it_disappears_and_says_why(self, desk: Desk, shots: Path) -> None:
        ada = desk.open("Ada")
        before = desk.converge(ada)
        with slow_posts(ada, status=500) as release:
            ada.add_task("To do", "Never saved")
            expect(ada.card("Never saved")).to_be_visible(timeout=1_000)
            release()
            expect(ada.toast("Failed to create task")).to_be_visible(timeout=LIMIT)
            expect(ada.card("Never saved")).to_have_count(0)
            ada.page.screenshot(path=str(shots / "kanban-failed.png"))
        assert desk.converge(ada) == before

    def test_k10_trying_again_saves_it_once(self, desk: Desk) -> None:
        ada = desk.open("Ada")
        with slow_posts(ada, status=502) as release:
            ada.add_task("To do", "Second try")
            release()
            expect(ada.toast("Failed to create task")).to_be_visible(timeout=LIMIT)
        ada.page.get_by_role("button", name="Try again").click()
        expect(ada.card("Second try")).to_have_count(1, timeout=LIMIT)
        assert desk.converge(ada)["To do"].count("Second try") == 1


class TestTheFourOfTheSource:
    def test_k21_1_basic_update(self, desk: Desk) -> None:
        one, two = desk.open("Ada"), desk.open("Grace")
        one.add_task("Backlog", "Basic")
        expect(two.card("Basic")).to_be_visible(timeout=LIMIT)
        desk.converge(one, two)

    def test_k21_2_multiple_actions(self, desk: Desk) -> None:
        one, two = desk.open("Ada"), desk.open("Grace")
        one.add_task("Backlog", "Passed around")
        expect(two.card("Passed around")).to_be_visible(timeout=LIMIT)
        two.edit("Passed around", title="Passed back")
        expect(one.card("Passed back")).to_be_visible(timeout=LIMIT)
        one.menu("Passed back", "Delete")
        expect(two.card("Passed back")).to_have_count(0, timeout=LIMIT)
        desk.converge(one, two)

    def test_k21_3_status_updates(self, desk: Desk) -> None:
        one, two = desk.open("Ada"), desk.open("Grace")
        one.add_column("Blocked")
        expect(two.column("Blocked")).to_be_visible(timeout=LIMIT)
        one.delete_column("Blocked")
        expect(two.column("Blocked")).to_have_count(0, timeout=LIMIT)
        desk.converge(one, two)

    def test_k21_4_many_users(self, desk: Desk, shots: Path) -> None:
        windows = {user: desk.open(user) for user in ("Ada", "Grace", "Linus", "Margaret", "Alan")}
        for turn in range(3):
            for user, window in windows.items():
                window.add_task("To do" if turn % 2 else "Review", f"{user} {turn}")
        windows["Grace"].edit("Ada 0", title="Ada 0 by Grace")
        windows["Linus"].menu("Grace 1", "Done")
        windows["Alan"].menu("Margaret 2", "Delete")
        board = desk.converge(*windows.values())
        titles = [title for column in board.values() for title in column]
        wanted = {f"{user} {turn}" for user in windows for turn in range(3)} - {"Ada 0", "Margaret 2"}
        assert wanted | {"Ada 0 by Grace"} <= set(titles)
        windows["Ada"].page.screenshot(path=str(shots / "kanban-five.png"))
        assert [window.complaints for window in windows.values()] == [[]] * 5

    def test_a_card_that_comes_in_while_the_mouse_is_down_does_not_take_the_click(self, desk: Desk) -> None:
        ada, grace = desk.open("Ada"), desk.open("Grace")
        ada.page.get_by_role("button", name="Add task to To do").hover()
        ada.page.mouse.down()
        grace.add_task("To do", "in between")
        expect(ada.card("in between")).to_be_visible(timeout=LIMIT)
        ada.page.mouse.up()
        box = ada.page.get_by_role("textbox", name="Title of the new task in To do")
        box.fill("after it")
        box.press("Enter")
        assert desk.converge(ada, grace)["To do"][-2:] == ["in between", "after it"]


class TestDragging:
    def test_mouse_lifts_shows_the_place_and_drops(self, desk: Desk, shots: Path) -> None:
        ada, grace = desk.open("Ada"), desk.open("Grace")
        carry(ada, "Fix homepage", "Move pictures to the new store", drop=False)
        expect(ada.page.locator("[data-slot]")).to_be_visible()
        ada.page.screenshot(path=str(shots / "kanban-drag.png"))
        ada.page.mouse.up()
        expect(ada.toast("Task moved")).to_be_visible(timeout=LIMIT)
        board = desk.converge(ada, grace)
        assert board["In progress"] == ["New navigation", "Fix homepage", "Move pictures to the new store"]

    def test_escape_puts_it_back(self, desk: Desk) -> None:
        ada = desk.open("Ada")
        before = desk.converge(ada)
        carry(ada, "Fix homepage", "New navigation", drop=False)
        ada.page.keyboard.press("Escape")
        ada.page.mouse.up()
        expect(ada.page.locator("[data-slot]")).to_have_count(0)
        assert desk.converge(ada) == before

    def test_keys_pick_up_move_and_drop(self, desk: Desk) -> None:
        ada, grace = desk.open("Ada"), desk.open("Grace")
        said = ada.page.locator("[data-announcements]")
        ada.card("Fix homepage").focus()
        ada.page.keyboard.press("Space")
        expect(said).to_contain_text("Picked up Fix homepage. To do, position 1 of 3.")
        ada.page.keyboard.press("ArrowRight")
        ada.page.keyboard.press("ArrowDown")
        expect(said).to_have_text("In progress, position 2 of 3.")
        ada.page.keyboard.press("Space")
        expect(said).to_have_text("Dropped in In progress, position 2 of 3.")
        expect(ada.card("Fix homepage")).to_be_focused()
        until(lambda: "Fix homepage" in desk.database()["In progress"], ada)
        board = desk.converge(ada, grace)
        assert board["In progress"][1] == "Fix homepage"

    def test_keys_cancel(self, desk: Desk) -> None:
        ada = desk.open("Ada")
        before = desk.converge(ada)
        ada.card("Fix homepage").focus()
        for key in ("Space", "ArrowRight", "Escape"):
            ada.page.keyboard.press(key)
        expect(ada.page.locator("[data-announcements]")).to_contain_text("Cancelled.")
        expect(ada.card("Fix homepage")).to_be_focused()
        assert desk.converge(ada) == before

    def test_a_finger_lifts_by_resting(self, desk: Desk) -> None:
        ada = desk.open("Ada", viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True)
        touch = ada.page.context.new_cdp_session(ada.page)
        box = ada.card("Collect customer stories").bounding_box()
        assert box is not None
        x, y = box["x"] + 40, box["y"] + 10
        touch.send("Input.dispatchTouchEvent", {"type": "touchStart", "touchPoints": [{"x": x, "y": y}]})
        expect(ada.page.locator("[data-slot]")).to_be_visible(timeout=LIMIT)
        for step in range(1, 13):
            point = {"x": x, "y": y - 12 * step}
            touch.send("Input.dispatchTouchEvent", {"type": "touchMove", "touchPoints": [point]})
        touch.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
        expect(ada.toast("Task moved")).to_be_visible(timeout=LIMIT)
        assert desk.converge(ada)["Backlog"][0] == "Collect customer stories"


def carry(window: Window, title: str, onto: str, *, drop: bool = True) -> None:
    """Drag a card with the mouse until its middle lies on the upper part of another."""
    start, end = window.card(title).bounding_box(), window.card(onto).bounding_box()
    assert start is not None
    assert end is not None
    mouse = window.page.mouse
    mouse.move(start["x"] + 50, start["y"] + 8)
    mouse.down()
    mouse.move(start["x"] + 70, start["y"] + 14, steps=4)
    mouse.move(end["x"] + 60, end["y"], steps=12)
    if drop:
        mouse.up()


class TestConnection:
    def test_k17_d01_what_was_missed_while_the_server_was_away_is_shown(
        self, desk: Desk, shots: Path
    ) -> None:
        ada = desk.open("Ada")
        desk.demo.kill()
        indicator = ada.page.locator(".connection")
        expect(indicator).to_contain_text("Reconnecting", timeout=LIMIT)
        expect(ada.page.get_by_role("button", name="Retry now")).to_be_visible(timeout=LIMIT)
        ada.page.screenshot(path=str(shots / "kanban-reconnecting.png"))
        desk.sql("UPDATE tasks SET title = 'Changed while away' WHERE title = 'Fix homepage'")
        desk.demo.restart()
        # If it is still there: the board tries by itself, too, and takes it away in between.
        ada.page.get_by_text("Retry now").evaluate_all("all => all.forEach(one => one.click())")
        expect(ada.card("Changed while away")).to_be_visible(timeout=LIMIT)
        connected(ada)
        ada.add_task("To do", "After the return")
        until(lambda: "After the return" in desk.database()["To do"], ada)
        desk.converge(ada)

    def test_k15_a_stranger_is_told_that_live_updates_failed(self, desk: Desk) -> None:
        alan = desk.open("Alan")
        alan.page.goto(f"{desk.demo.board}?user=Alan&project=hermes")
        expect(alan.toast("Failed to connect to real-time updates. Please refresh.")).to_be_visible(
            timeout=LIMIT
        )
        expect(alan.page.get_by_role("alert").filter(has_text="This project is not yours")).to_be_visible()

    def test_offline_is_said_and_taken_back(self, desk: Desk) -> None:
        ada = desk.open("Ada")
        ada.page.context.set_offline(True)
        expect(ada.page.locator(".connection")).to_contain_text("Offline", timeout=LIMIT)
        ada.page.context.set_offline(False)
        connected(ada)


class TestLooks:
    @pytest.mark.parametrize("scheme", ["light", "dark"])
    @pytest.mark.parametrize("width", [390, 1024, 1600])
    def test_it_fits_and_is_accessible(self, desk: Desk, shots: Path, width: int, scheme: Any) -> None:
        size = {"width": width, "height": 844 if width == 390 else 900}
        ada = desk.open("Ada", viewport=size, color_scheme=scheme, has_touch=width == 390)
        ada.page.screenshot(path=str(shots / f"kanban-{width}-{scheme}.png"))
        wide = ada.page.evaluate("document.documentElement.scrollWidth > innerWidth")
        assert not wide, "the page scrolls sideways"
        assert axe(ada) == []
        ada.card("Fix homepage").click()
        expect(ada.page.get_by_role("dialog")).to_be_visible()
        assert axe(ada) == []
        ada.page.screenshot(path=str(shots / f"kanban-{width}-{scheme}-dialog.png"))
        assert ada.complaints == []

    def test_on_a_wide_screen_the_place_for_a_new_column_is_in_sight(self, desk: Desk) -> None:
        ada = desk.open("Ada", viewport={"width": 1600, "height": 900})
        box = ada.page.get_by_role("button", name="Add column").bounding_box()
        assert box is not None
        assert box["x"] + box["width"] <= 1600

    def test_a_name_that_nobody_has_is_said(self, desk: Desk, shots: Path) -> None:
        nobody = desk.open("Nobody", wait=False)
        said = nobody.page.get_by_role("alert")
        expect(said).to_contain_text("Nobody here has that name", timeout=LIMIT)
        expect(said).to_contain_text("?user=Ada, ")
        nobody.page.screenshot(path=str(shots / "kanban-nobody.png"))

    def test_touch_targets_are_large_on_a_phone(self, desk: Desk) -> None:
        ada = desk.open("Ada", viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True)
        small = ada.page.evaluate(
            """() => [...document.querySelectorAll('button, select')]
                 .filter((one) => one.checkVisibility() && !one.closest('.card'))
                 .map((one) => [one.getAttribute('aria-label') ?? one.textContent, one.getBoundingClientRect()])
                 .filter(([, box]) => box.width > 0 && (box.height < 40 || box.width < 40))
                 .map(([name]) => name)"""
        )
        assert small == []

    def test_nothing_comes_from_elsewhere(self, desk: Desk) -> None:
        ada = desk.open("Ada", wait=False)
        asked: list[str] = []
        ada.page.on("request", lambda request: asked.append(request.url))
        ada.page.reload()
        connected(ada)
        assert asked
        assert [url for url in asked if not url.startswith((desk.demo.url, "data:"))] == []

    def test_shortcuts(self, desk: Desk) -> None:
        ada = desk.open("Ada")
        ada.page.keyboard.press("?")
        expect(ada.page.get_by_role("dialog", name="Keyboard shortcuts")).to_be_visible()
        assert axe(ada) == []
        ada.page.keyboard.press("Escape")
        ada.card("New navigation").focus()
        ada.page.keyboard.press("n")
        expect(ada.page.get_by_role("textbox", name="Title of the new task in In progress")).to_be_focused()


def axe(window: Window) -> list[str]:
    """What axe-core finds, as one line each; animations are let end first, since it measures colours."""
    window.page.evaluate("Promise.allSettled(document.getAnimations().map((one) => one.finished))")
    if not window.page.evaluate("'axe' in globalThis"):
        window.page.evaluate(AXE.read_text())
    found = window.page.evaluate("(tags) => axe.run(document, { runOnly: tags })", AXE_RULES)
    return [f"{one['id']}: {[node['target'] for node in one['nodes']]}" for one in found["violations"]]
