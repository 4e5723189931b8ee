"""Layers: what each place gives, which one wins, and that every value remembers where it came from."""

from __future__ import annotations

from pathlib import Path

import pytest

from tidings.config.layers import Layer, Origin, overlay, read_environment, read_file, read_flags
from tidings.errors import ConfigError


def test_a_named_file_that_is_missing_is_an_error_with_the_flag_to_check(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"cannot read .*none\.toml.*--config"):
        read_file(tmp_path / "none.toml")


def test_no_file_is_needed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert read_file(None) == Layer()


def test_the_usual_file_is_read_where_it_exists(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tidings.toml").write_text("[server]\nport = 9000\n")
    layer = read_file(None)
    assert layer.tree == {"server": {"port": 9000}}
    assert layer.origins["server.port"] == Origin("file tidings.toml")


def test_broken_toml_is_told_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "bad.toml").write_text("[server\nport = 1\n")
    with pytest.raises(ConfigError, match=r"bad\.toml is not TOML: .*line 1"):
        read_file(tmp_path / "bad.toml")


def test_environment_variables_are_flags_or_dotted_names() -> None:
    layer = read_environment(
        {
            "TIDINGS_PORT": "9000",
            "TIDINGS_SERVER__DRAIN_SECONDS": "3",
            "TIDINGS_SOURCE": "sqlite:///a.db, sqlite:///b.db",
            "TIDINGS_APP": "1:k:s,2:l:env:SECRET",
            "TIDINGS_CONFIG": "x.toml",
            "PATH": "/bin",
        }
    )
    assert layer.tree == {
        "server": {"port": "9000", "drain_seconds": "3"},
        "sources": [{"url": "sqlite:///a.db"}, {"url": "sqlite:///b.db"}],
        "apps": [
            {"id": "1", "key": "k", "secret": "s"},
            {"id": "2", "key": "l", "secret": "env:SECRET"},
        ],
    }
    assert layer.origins["server.port"] == Origin("env TIDINGS_PORT", text=True)


def test_what_an_orchestrator_puts_beside_a_service_is_left_alone() -> None:
    given = {
        "TIDINGS_PORT": "tcp://10.0.0.1:80",
        "TIDINGS_PORT_80_TCP": "tcp://10.0.0.1:80",
        "TIDINGS_SERVICE_HOST": "10.0.0.1",
    }
    assert read_environment(given).tree == {}


def test_a_malformed_app_is_told_without_its_secret() -> None:
    with pytest.raises(ConfigError) as told:
        read_environment({"TIDINGS_APP": "only-hunter2"})
    assert "TIDINGS_APP" in str(told.value)
    assert "ID:KEY:SECRET" in str(told.value)
    assert "hunter2" not in str(told.value)


def test_flags_that_were_not_given_set_nothing() -> None:
    assert read_flags() == Layer()


def test_flags_name_themselves_as_origin() -> None:
    layer = read_flags(port=1, engine="memory:", apps=["1:k:s"])
    assert layer.origins["server.port"].name == "flag --port"
    assert layer.origins["engine.url"].name == "flag --engine"
    assert layer.origins["apps[1].secret"].name == "flag --app"


def test_the_later_layer_wins_key_by_key_and_a_list_is_taken_whole() -> None:
    below = Layer(
        {"server": {"host": "a", "port": 1}, "apps": [{"id": "1"}, {"id": "2"}]},
        {
            "server": Origin("f"),
            "server.host": Origin("f"),
            "server.port": Origin("f"),
            "apps": Origin("f"),
            "apps[1]": Origin("f"),
            "apps[1].id": Origin("f"),
            "apps[2]": Origin("f"),
            "apps[2].id": Origin("f"),
        },
    )
    both = overlay([below, read_flags(port=2, apps=["3:k:s"])])
    assert both.tree["server"] == {"host": "a", "port": 2}
    assert [app["id"] for app in both.tree["apps"]] == ["3"]
    assert both.origins["server.host"].name == "f"
    assert both.origins["server.port"].name == "flag --port"
    assert "apps[2].id" not in both.origins
