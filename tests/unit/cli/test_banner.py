"""What `serve` prints: everything to use, and a secret only when nobody else can know it yet."""

from __future__ import annotations

from pathlib import Path

import pytest

from tidings.cli.banner import Banner
from tidings.cli.local_app import obtain_app
from tidings.cli.options import load_settings, with_kept_app


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def printed(**flags: object) -> str:
    banner = Banner(with_kept_app(load_settings(**flags)), "kept until the process ends")  # type: ignore[arg-type]
    return "\n".join(line for _, line in banner.lines())


def test_a_made_app_is_printed_with_its_secret_and_place() -> None:
    app = obtain_app(Path("tidings-data"))
    text = printed()
    assert f"secret {app.secret}" in text
    assert "tidings-data/app.json" in text
    for part in (
        f"ws://127.0.0.1:8000/app/{app.key}",
        "/apps/1001/events",
        "/events?channel=news",
        "/poll?",
        "/ws?",
    ):
        assert part in text
    assert text.count("tidings listen news\n") == 1


def test_a_configured_secret_is_not_printed() -> None:
    text = printed(app=["7:key7:hidden-secret"])
    assert "hidden-secret" not in text
    assert "key7" in text


def test_the_commands_to_paste_find_this_server() -> None:
    obtain_app(Path("elsewhere"))
    text = printed(data=Path("elsewhere"), port=9000)
    assert "tidings listen news --url http://127.0.0.1:9000 --data elsewhere" in text


def test_apps_of_a_table_are_pointed_at() -> None:
    Path("tidings.toml").write_text('[apps_table]\nurl = "sqlite:///apps.db"\n')
    banner = Banner(load_settings(), "kept until the process ends")
    text = "\n".join(line for _, line in banner.lines())
    assert "of table tidings_apps" in text
    assert "ws://127.0.0.1:8000/app/KEY" in text


def test_the_snippet_for_pages_asks_for_resume_and_names_origins() -> None:
    obtain_app(Path("tidings-data"))
    text = printed()
    assert "wsPath: `/c/${crypto.randomUUID()}`" in text
    assert "`origins`" in text
