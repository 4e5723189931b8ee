"""Rows to show: every setting, its origin, and no secret."""

from __future__ import annotations

from tidings.config.layers import Origin
from tidings.config.settings import AppEntry, Config, KeyPair, ServerSettings
from tidings.config.showing import rows_of
from tidings.node.apps import MASK


def test_every_setting_is_shown_with_its_origin() -> None:
    rows = {
        row.setting: row
        for row in rows_of(Config(server=ServerSettings(port=9)), {"server.port": Origin("flag --port")})
    }
    assert (rows["server.port"].value, rows["server.port"].origin) == ("9", "flag --port")
    assert rows["server.host"].origin == "default"
    assert rows["limits.batch"].value == "10"
    assert rows["engine.url"].value == "-"


def test_no_secret_is_shown() -> None:
    app = AppEntry(
        id="1", key="k", secret="hidden", jwt_secret="hidden", keys=(KeyPair(key="l", secret="hidden"),)
    )
    origins = {
        at: Origin("file f") for at in ("apps[1].secret", "apps[1].jwt_secret", "apps[1].keys[1].secret")
    }
    rows = rows_of(Config(apps=(app,)), origins)
    assert "hidden" not in repr(rows)
    assert [row.setting for row in rows if row.value == MASK] == [
        "apps[1].secret",
        "apps[1].keys[1].secret",
        "apps[1].jwt_secret",
    ]
