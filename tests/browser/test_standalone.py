"""The kanban board by itself, beside `tidings serve`: the commands of its README, on ports of their own."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tidings.testing.ports import free_port
from tidings.testing.process import ServerProcess

LIMIT = 20_000  # milliseconds; generous, because the machine may be busy
KANBAN = Path(__file__).parents[2] / "examples" / "kanban"


class Serve(ServerProcess):
    """`tidings serve --config`, with the example's own file."""

    def command(self) -> list[str]:
        return [*self._program, "--data", str(self._data), *self._arguments]


class BoardAlone(ServerProcess):
    """`python -m examples.kanban`."""

    def command(self) -> list[str]:
        return [*self._program, "--port", str(self.port), *self._arguments]

    def _is_ready(self) -> bool:
        return "Uvicorn running" in self._end_of("err")


@pytest.fixture
def board(tmp_path: Path) -> Iterator[str]:
    """The board's address, with a live server on another port."""
    live, own = free_port(), free_port()
    settings = tmp_path / "tidings.toml"
    text = (KANBAN / "tidings.toml").read_text().replace("port = 8000", f"port = {live}")
    settings.write_text(text.replace("8001", str(own)).replace("kanban.db", f"{tmp_path}/kanban.db"))
    flags = ["--database", f"{tmp_path}/kanban.db", "--live", f"http://127.0.0.1:{live}"]
    flags += ["--key", "kanban-key", "--private", "--secret", "kanban-secret-for-local-use"]
    alone = (sys.executable, "-m", "examples.kanban")
    with (
        BoardAlone(tmp_path / "board", port=own, program=alone, arguments=flags) as pages,
        Serve(tmp_path / "live", port=live, arguments=["--config", str(settings)]),
    ):
        yield pages.url


def opened(browser: Browser, board: str, user: str) -> Page:
    page = browser.new_context(viewport={"width": 1500, "height": 900}).new_page()
    page.goto(f"{board}/?user={user}")
    expect(page.get_by_role("status").filter(has_text="Connected").first).to_be_visible(timeout=LIMIT)
    return page


def test_the_board_by_itself_is_live_beside_a_server_on_another_port(
    browser: Browser, board: str, shots: Path
) -> None:
    complaints: list[str] = []
    ada, grace = opened(browser, board, "Ada"), opened(browser, board, "Grace")
    grace.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    ada.get_by_role("button", name="Add task to To do").click()
    box = ada.get_by_role("textbox", name="Title of the new task in To do")
    box.fill("Told by the other port")
    box.press("Enter")
    expect(grace.get_by_role("button", name="Told by the other port", exact=True)).to_be_visible(
        timeout=4_000
    )
    grace.screenshot(path=str(shots / "kanban-alone.png"))
    assert complaints == []
