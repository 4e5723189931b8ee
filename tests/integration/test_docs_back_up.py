"""docs/how-to/back-up.md is right: its commands back a running server up and bring it back, and clients are told."""

from __future__ import annotations

import re
import sqlite3
import subprocess
from pathlib import Path
from typing import Any

import httpx2 as httpx

from tests.integration.test_command_line import BareServer, run
from tests.test_repository import ROOT
from tidings.testing.process import ServerProcess

PAGE = (ROOT / "docs/how-to/back-up.md").read_text(encoding="utf-8")
BACK_UP, BRING_BACK = re.findall(r"```sh\n(.*?)```", PAGE, re.S)
SQLITE = re.compile(r'^sqlite3 (\S+) "(.*)"\n', re.M)
"""Done without the shell of SQLite, which not every machine has."""


def back_up(folder: Path) -> None:
    subprocess.run(["sh", "-ec", SQLITE.split(BACK_UP)[0]], cwd=folder, check=True)
    ((file, sql),) = SQLITE.findall(BACK_UP)
    connection = sqlite3.connect(folder / file)
    connection.execute(sql.replace("backup/", f"{folder}/backup/"))
    connection.close()
    subprocess.run(["sh", "-ec", SQLITE.split(BACK_UP)[-1]], cwd=folder, check=True)


def publish(server: ServerProcess, *numbers: int) -> None:
    for number in numbers:
        assert run(server, "publish", "news", "e", str(number)).returncode == 0


def poll(server: ServerProcess, cursor: str = "") -> dict[str, Any]:
    answer = httpx.get(f"{server.url}/poll", params={"channel": "news", "cursor": cursor or None})
    page: dict[str, Any] = answer.json()
    return page


def test_a_client_of_before_is_told_although_the_log_has_grown_past_its_cursor(tmp_path: Path) -> None:
    with BareServer(tmp_path / "tidings-data", logs=tmp_path) as server:
        begun = poll(server)["cursor"]
        publish(server, 1)
        back_up(tmp_path)
        publish(server, 2)
        back_up(tmp_path)  # in place of the last
        publish(server, 3)
        cursor = poll(server, begun)["cursor"]
        server.kill9()
        subprocess.run(["sh", "-ec", BRING_BACK], cwd=tmp_path, check=True)
        server.restart()
        publish(server, 4, 5)  # in the place of the third, and beyond
        page = poll(server, cursor)
        assert page["reset"] == [{"channels": ["news"], "reason": "epoch"}]
        after = page["cursor"]
        server.kill9()
        server.restart()
        publish(server, 6)
        assert [message["data"] for message in poll(server, after)["messages"]] == [6]
    assert "log_not_continued" in (tmp_path / "server.err").read_text()
