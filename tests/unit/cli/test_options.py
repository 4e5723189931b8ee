"""What the flags that commands share make of the configuration."""

from __future__ import annotations

from pathlib import Path

import pytest

from tidings.cli.local_app import obtain_app
from tidings.cli.options import first_app, load_settings, server_url, with_kept_app
from tidings.errors import ConfigError


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_the_app_of_the_data_folder_stands_in_for_a_configured_one(tmp_path: Path) -> None:
    kept = obtain_app(tmp_path / "d")
    loaded = with_kept_app(load_settings(data=tmp_path / "d"))
    assert loaded.config.apps[0].secret == kept.secret
    assert loaded.origins["apps[1].secret"].name.startswith("data folder")


def test_a_configured_app_is_not_replaced(tmp_path: Path) -> None:
    obtain_app(tmp_path / "d")
    assert first_app(load_settings(data=tmp_path / "d", app=["7:k:s"])).id == "7"


def test_the_app_of_the_data_folder_has_the_shared_limits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TIDINGS_LIMITS__BATCH", "3")
    obtain_app(tmp_path / "d")
    assert with_kept_app(load_settings(data=tmp_path / "d")).config.apps[0].limits.batch == 3


def test_without_any_app_the_way_to_one_is_told() -> None:
    with pytest.raises(ConfigError, match=r"--app ID:KEY:SECRET.*tidings-data"):
        first_app(load_settings())


def test_the_address_is_the_one_given_else_where_a_server_would_listen() -> None:
    assert server_url("http://h/live/", load_settings()) == "http://h/live"
    assert server_url("127.0.0.1:8217", load_settings()) == "http://127.0.0.1:8217"
    assert server_url("localhost", load_settings()) == "http://localhost"
    assert server_url("https://h", load_settings()) == "https://h"
    assert server_url(None, load_settings()) == "http://127.0.0.1:8000"
    assert server_url(None, load_settings(host="0.0.0.0", port=9)) == "http://127.0.0.1:9"
    assert server_url(None, load_settings(host="::1", port=9)) == "http://[::1]:9"
