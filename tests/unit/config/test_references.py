"""References to secrets: found, missing, and never printed."""

from __future__ import annotations

from pathlib import Path

import pytest

from tidings.config.references import look_up, resolve


def test_references_are_replaced_where_secrets_stand_and_only_there() -> None:
    faults: list[str] = []
    tree = {"apps": [{"key": "env:S", "secret": "env:S", "keys": [{"secret": "env:S"}]}]}
    found = resolve(tree, {"S": "hidden"}, faults)
    assert found == {"apps": [{"key": "env:S", "secret": "hidden", "keys": [{"secret": "hidden"}]}]}
    assert faults == []


def test_a_missing_variable_is_told_with_the_setting() -> None:
    faults: list[str] = []
    resolve({"apps": [{"jwt_secret": "env:NOPE"}]}, {}, faults)
    assert faults == ["apps[1].jwt_secret: env:NOPE: the environment variable NOPE is not set"]


def test_a_file_gives_its_text_without_the_line_end(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    path.write_text("hidden\n")
    assert look_up(f"file:{path}", {}) == "hidden"


@pytest.mark.parametrize("content", [None, b"", b"\n", b"\xff\xfe"])
def test_a_file_that_holds_no_secret_is_told(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "secret"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(LookupError, match=f"file:{path}"):
        look_up(f"file:{path}", {})


@pytest.mark.parametrize("secret", ["plain", "env:", "file:", "http://x:y", ""])
def test_what_is_no_reference_is_the_secret_itself(secret: str) -> None:
    assert look_up(secret, {}) == secret


def test_an_address_may_be_a_reference_too() -> None:
    faults: list[str] = []
    tree = {"sources": [{"url": "env:DATABASE_URL"}, {"url": "sqlite:///a.db"}]}
    environ = {"DATABASE_URL": "postgresql://u:p@h/d"}
    assert resolve(tree, environ, faults)["sources"][0]["url"] == "postgresql://u:p@h/d"
    assert faults == []
