"""The browser's own EventSource, and curl, against a real server: they resume after a crash and miss nothing."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from tidings.testing.process import AppCredentials, ServerProcess

LIMIT = 20_000  # milliseconds

LISTEN = """
(url) => {
  window.seen = [];
  window.opened = 0;
  window.events = new EventSource(url);
  window.events.addEventListener("subscribed", () => { window.opened += 1; });
  window.events.addEventListener("hello", (event) => window.seen.push(JSON.parse(event.data).n));
  window.events.addEventListener("reset", (event) => window.seen.push(`reset ${event.data}`));
}
"""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ServerProcess]:
    with ServerProcess(tmp_path / "data", app=AppCredentials("1001", "app-key", "app-secret")) as running:
        yield running


@pytest.fixture
def page(browser: Browser, server: ServerProcess) -> Page:
    page = browser.new_page()
    page.goto(f"{server.url}/healthz")
    page.evaluate(LISTEN, f"{server.url}/events?channel=news")
    page.wait_for_function("window.opened === 1", timeout=LIMIT)
    return page


def publish(server: ServerProcess, number: int) -> None:
    command = [sys.executable, "-m", "tidings", "publish", "news", "hello", json.dumps({"n": number})]
    where = ["--url", server.url, "--app", server.app.flag()]
    subprocess.run([*command, *where], check=True, capture_output=True, timeout=60)


def seen(page: Page, count: int) -> list[object]:
    page.wait_for_function(f"window.seen.length >= {count}", timeout=LIMIT)
    found: list[object] = page.evaluate("window.seen")
    return found


def test_eventsource_comes_back_by_itself_after_a_crash_and_has_everything(
    page: Page, server: ServerProcess
) -> None:
    publish(server, 1)
    assert seen(page, 1) == [1]
    server.kill9()
    server.restart()
    publish(server, 2)
    assert seen(page, 2) == [1, 2]


def test_what_was_said_while_it_was_away_comes_once_and_in_order(page: Page, server: ServerProcess) -> None:
    publish(server, 1)
    assert seen(page, 1) == [1]
    last = page.evaluate("window.events.close()") or curl(server, "channel=news")["cursor"]
    for number in (2, 3):
        publish(server, number)
    page.evaluate(LISTEN, f"{server.url}/events?channel=news&last_event_id={last}")
    assert seen(page, 2) == [2, 3]


def test_curl_follows_by_cursor(server: ServerProcess) -> None:
    start = curl(server, "channel=news")
    assert start["messages"] == []
    publish(server, 7)
    page = curl(server, f"channel=news&cursor={start['cursor']}&wait=10")
    assert [message["data"] for message in page["messages"]] == [{"n": 7}]
    again = curl(server, f"channel=news&cursor={page['cursor']}")
    assert again["messages"] == []


def curl(server: ServerProcess, query: str) -> dict[str, list[dict[str, object]]]:
    program = shutil.which("curl")
    assert program, "this test needs curl (Debian: apt-get install curl)"
    answer = subprocess.run(
        [program, "--silent", "--fail", f"{server.url}/poll?{query}"],
        check=True,
        capture_output=True,
        timeout=60,
    )
    found: dict[str, list[dict[str, object]]] = json.loads(answer.stdout)
    return found
