"""`doctor`: what it looks at, how it says it, and its exit codes."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import pytest

from tests.fixtures.fix_postgres import Database
from tidings.cli import main
from tidings.cli.doctor import line
from tidings.sources.findings import Finding


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def looked(capsys: pytest.CaptureFixture[str], *arguments: str, code: int = 0) -> list[Finding]:
    assert main(["doctor", "--json", *arguments]) == code
    return [Finding(**json.loads(one)) for one in capsys.readouterr().out.splitlines()]


def failed(found: list[Finding]) -> list[tuple[str, str]]:
    return [(one.about, one.what) for one in found if one.level == "fail"]


def test_a_line_says_how_it_is_what_and_the_fix() -> None:
    assert line(Finding("ok", "shop", "it is well")) == "ok    shop: it is well"
    assert line(Finding("fail", "shop", "broken", "mend it")) == "FAIL  shop: broken; mend it"


def test_without_anything_it_is_well_and_nothing_is_made(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["doctor"]) == 0
    assert "ok    sources: there is none" in capsys.readouterr().out
    assert list(tmp_path.iterdir()) == []


def test_every_fault_of_the_settings_is_told_and_the_rest_is_looked_at(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "tidings.toml").write_text("[server]\nprot = 1\n[engine]\nurl = 'redis://x'\n")
    found = looked(capsys, code=1)
    assert [about for about, _ in failed(found)] == ["settings", "log"]


def test_a_log_in_memory_and_one_that_cannot_be_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "warn" in [one.level for one in looked(capsys, "--engine", "memory:")]
    (tmp_path / "file").write_text("")
    found = looked(capsys, "--engine", "sqlite:///file/log.db", "--data", "file/data", code=1)
    assert [about for about, _ in failed(found)] == ["data folder", "log"]


def test_a_sqlite_source_and_its_rules(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with closing(sqlite3.connect(tmp_path / "app.db")) as db:
        db.execute("CREATE TABLE tasks (id INTEGER PRIMARY KEY)")
    rule = '[[rules]]\ntable = "tasks"\nchannel = "news"\ninsert = "made"\n'
    settings = tmp_path / "tidings.toml"
    settings.write_text(f'[[sources]]\nurl = "sqlite:///app.db"\n{rule}')
    assert failed(looked(capsys)) == []
    settings.write_text(f'[[sources]]\nurl = "sqlite:///app.db"\n{rule}{rule}data = {{ id = "idd" }}\n')
    assert failed(looked(capsys, code=1)) == [
        ("app", "rules[2].data: there is no column 'idd' in table 'tasks'")
    ]
    settings.write_text('[[sources]]\nurl = "sqlite:///none.db"\ntables = ["tasks"]\n')
    assert [about for about, _ in failed(looked(capsys, code=1))] == ["none"]


def test_a_rule_for_a_table_that_no_source_captures_fails_as_it_would_at_the_start(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with closing(sqlite3.connect(tmp_path / "app.db")) as db:
        db.execute("CREATE TABLE tasks (id INTEGER PRIMARY KEY)")
    source = '[[sources]]\nurl = "sqlite:///app.db"\ntables = ["tasks"]\n'
    rule = '[[rules]]\ntable = "notes"\nchannel = "notes"\ninsert = "made"\n'
    (tmp_path / "tidings.toml").write_text(source + rule)
    ((about, what),) = failed(looked(capsys, code=1))
    assert about == "rules"
    assert "no source captures table 'notes'" in what


def test_a_postgres_source_and_its_rules(
    newest_postgres: Database, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    newest_postgres.run("CREATE TABLE tasks (id int PRIMARY KEY, project_id int)")
    rule = '[[rules]]\ntable = "tasks"\nchannel = "project-{project_id}"\ninsert = "a"\nupdate = "b"\n'
    (tmp_path / "tidings.toml").write_text(rule)
    found = looked(capsys, "--source", newest_postgres.url, code=1)
    ((about, what),) = failed(found)
    assert about == newest_postgres.name
    assert what.startswith("rules[1].channel: who was told of a row before")
    newest_postgres.run("ALTER TABLE tasks REPLICA IDENTITY FULL")
    assert failed(looked(capsys, "--source", newest_postgres.url)) == []
    assert newest_postgres.rows("SELECT * FROM pg_publication") == []


def test_a_database_that_does_not_answer_fails_alone(capsys: pytest.CaptureFixture[str]) -> None:
    found = looked(capsys, "--source", "postgresql://me:geheim@127.0.0.1:1/x", code=1)
    ((about, what),) = failed(found)
    assert about == "x"
    assert "geheim" not in what


@contextmanager
def answering(status: int, body: bytes) -> Iterator[str]:
    """A server that says one thing at every path; its address."""

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Answer) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def ready(*, well: bool) -> bytes:
    source = {"ok": well, "detail": "" if well else "the slot is gone", "behind_bytes": 5}
    engine = {"name": "sqlite", "ok": True, "detail": ""}
    return json.dumps(
        {"ready": well, "draining": False, "engine": engine, "sources": {"shop": source}}
    ).encode()


def test_a_running_server_is_asked(capsys: pytest.CaptureFixture[str]) -> None:
    with answering(200, ready(well=True)) as url:
        found = looked(capsys, "--url", url)
    assert found[-1] == Finding("ok", url, "source shop: 5 bytes behind")
    with answering(503, ready(well=False)) as url:
        found = looked(capsys, "--url", url, code=1)
    assert failed(found) == [
        (url, "/readyz says not ready"),
        (url, "source shop: the slot is gone, 5 bytes behind"),
    ]


def test_what_is_no_server_of_ours_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    with answering(404, b"<html>") as url:
        assert failed(looked(capsys, "--url", url, code=1))[0][1].endswith("is no Tidings server")
    assert "no answer" in failed(looked(capsys, "--url", url, code=1))[0][1]
