"""The settings as data: derived values, and the form of `--app`."""

from __future__ import annotations

import pytest

from tidings.config.settings import (
    AppEntry,
    Config,
    EngineSettings,
    KeyPair,
    ServerSettings,
    app_from_flag,
)


def test_the_default_engine_is_a_file_in_the_data_folder() -> None:
    assert Config(server=ServerSettings(data="d/")).engine_url == "sqlite:///d/log.db"
    assert Config(server=ServerSettings(data="/var/t")).engine_url == "sqlite:////var/t/log.db"
    assert Config(engine=EngineSettings(url="memory:")).engine_url == "memory:"


def test_the_key_to_sign_with_comes_first() -> None:
    app = AppEntry(id="1", key="new", secret="a", keys=(KeyPair(key="old", secret="b"),))
    assert list(app.pairs().items()) == [("new", "a"), ("old", "b")]


def test_a_secret_may_hold_colons() -> None:
    assert app_from_flag("1:k:env:NAME") == {"id": "1", "key": "k", "secret": "env:NAME"}


@pytest.mark.parametrize("text", ["", "1", "1:k", "1:k:", "::"])
def test_an_incomplete_app_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="ID:KEY:SECRET"):
        app_from_flag(text)
