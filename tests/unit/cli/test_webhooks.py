"""`tidings webhooks`: what a person is shown. The road to a server is tested in tests/integration/test_webhooks.py."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tidings.cli import main
from tidings.cli.publish import RequestFailed
from tidings.cli.webhooks import app_of, line_of
from tidings.config.loading import Loaded
from tidings.config.settings import AppEntry, Config
from tidings.testing.ports import free_port

ROW: dict[str, Any] = {
    "id": "abc",
    "url": "https://example.com/hook",
    "reason": "answered 500, an error",
    "tries": 9,
    "time_ms": 0,
    "event": {"name": "channel_occupied", "channel": "a"},
}


def test_a_line_tells_what_where_when_and_why() -> None:
    assert line_of(ROW) == (
        "abc  1970-01-01 00:00:00Z  channel_occupied a  https://example.com/hook"
        "  (9 tries) answered 500, an error"
    )


def test_a_loss_is_told_as_one() -> None:
    row = {"id": "lost-1", "url": None, "reason": "full", "tries": 0, "time_ms": 0, "lost": 12}
    assert "LOST 12 event(s)  all webhooks" in line_of(row)


def test_nothing_moves_the_cursor_of_a_terminal() -> None:
    assert line_of({**ROW, "reason": "a\x1b[2Jb\nc"}).isprintable()


def test_the_app_is_the_one_named_or_the_first() -> None:
    apps = (AppEntry(id="1", key="k", secret="s"), AppEntry(id="2", key="l", secret="s"))
    loaded = Loaded(Config(apps=apps))
    assert (app_of(None, loaded).id, app_of("2", loaded).id) == ("1", "2")
    with pytest.raises(RequestFailed, match="configured are 1, 2"):
        app_of("3", loaded)


@pytest.mark.parametrize("command", ["list", "replay"])
def test_nobody_there_is_told_with_what_to_do(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    url = f"http://127.0.0.1:{free_port()}"
    assert main(["webhooks", command, "--url", url, "--app", "1:k:s"]) == 1
    assert "is `tidings serve` running there?" in capsys.readouterr().err
