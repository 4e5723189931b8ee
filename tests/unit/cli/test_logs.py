"""The server's own log: structured, and no place for secrets or forged lines."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator

import pytest
import structlog

from tidings.cli.logs import LONGEST_VALUE, MASK, Redactor, set_up_logs
from tidings.config.settings import AppEntry, Config, ServerSettings

APP = AppEntry(id="1", key="k", secret="hunter2hunter2", jwt_secret="jwt-hunter2")


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    """A stream that the log goes to; the root logger is put back afterwards."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield io.StringIO()
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()
    for name in ("uvicorn", "httpx2"):
        logging.getLogger(name).setLevel(logging.NOTSET)


def logged(stream: io.StringIO) -> list[dict[str, object]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_entries_of_both_libraries_are_json_with_their_fields(stream: io.StringIO) -> None:
    set_up_logs(Config(apps=(APP,)), stream=stream)
    logging.getLogger("tidings.node").warning("source_failed", extra={"source": "s"})
    structlog.get_logger("tidings.sources").info("gap", tables=["t"])
    first, second = logged(stream)
    assert (first["event"], first["level"], first["logger"], first["source"]) == (
        "source_failed",
        "warning",
        "tidings.node",
        "s",
    )
    assert (second["event"], second["tables"]) == ("gap", "['t']")
    assert "timestamp" in first


def test_the_level_is_a_setting(stream: io.StringIO) -> None:
    set_up_logs(Config(server=ServerSettings(log_level="error")), stream=stream)
    logging.getLogger("tidings").warning("quiet")
    logging.getLogger("tidings").error("loud")
    assert [entry["event"] for entry in logged(stream)] == ["loud"]


def test_a_traceback_is_one_entry(stream: io.StringIO) -> None:
    set_up_logs(Config(apps=(APP,)), stream=stream)
    try:
        raise ValueError("with hunter2hunter2 in it")
    except ValueError:
        logging.getLogger("tidings").exception("failed")
    (entry,) = logged(stream)
    assert "Traceback" in str(entry["exception"])
    assert "hunter2" not in str(entry)


def test_console_lines_cannot_be_forged(stream: io.StringIO) -> None:
    set_up_logs(Config(server=ServerSettings(log_format="console")), stream=stream)
    logging.getLogger("tidings").warning("seen", extra={"path": "/x\n2026 [info] forged\x1b[31m"})
    assert stream.getvalue().count("\n") == 1
    assert "\x1b" not in stream.getvalue()


@pytest.mark.parametrize(
    "text",
    [
        "/events?token=abcdef&x=1",
        "auth_signature=abcdef",
        "Authorization: Bearer abcdef",
        '{"token":"abcdef"}',
        "secret=abcdef",
    ],
)
def test_what_carries_a_secret_is_taken_out(text: str) -> None:
    safe = Redactor().text(text)
    assert "abcdef" not in safe
    assert MASK in safe


def test_known_secrets_are_taken_out_wherever_they_stand() -> None:
    redactor = Redactor(["hunter2hunter2", "abc"])
    assert redactor.text("x hunter2hunter2 y abc") == f"x {MASK} y abc"


def test_fields_that_are_secrets_by_name_are_taken_out() -> None:
    assert Redactor()(None, "info", {"event": "e", "token": "abcdef"})["token"] == MASK


def test_a_long_value_is_cut() -> None:
    cut = Redactor().text("x" * 1_000_000)
    assert len(cut) < LONGEST_VALUE + 50
    assert "1000000 characters" in cut


def test_numbers_stay_numbers() -> None:
    event = Redactor()(None, "info", {"event": "e", "n": 3, "f": 0.5, "none": None, "yes": True})
    assert event == {"event": "e", "n": 3, "f": 0.5, "none": None, "yes": True}
