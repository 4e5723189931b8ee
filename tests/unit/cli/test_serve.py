"""`tidings serve`: the app it settles for. What it serves, and how it fails, is in tests/integration."""

from __future__ import annotations

from pathlib import Path

import pytest

from tidings.cli.options import load_settings
from tidings.cli.serve import with_an_app


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_without_a_configured_app_one_is_made_and_kept() -> None:
    first = with_an_app(load_settings()).config.apps
    assert with_an_app(load_settings()).config.apps == first
    assert Path("tidings-data", "app.json").is_file()


def test_with_a_configured_app_none_is_made() -> None:
    assert [app.id for app in with_an_app(load_settings(app=["7:k:s"])).config.apps] == ["7"]
    assert not Path("tidings-data").exists()


def test_with_a_table_of_apps_none_is_made() -> None:
    Path("tidings.toml").write_text('[apps_table]\nurl = "sqlite:///apps.db"\n')
    assert with_an_app(load_settings()).config.apps == ()
    assert not Path("tidings-data").exists()
