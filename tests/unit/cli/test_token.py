"""`tidings token`: tokens that the server's own authorizer accepts."""

from __future__ import annotations

import time
from pathlib import Path

import jwt
import pytest

from tidings.cli import main
from tidings.cli.local_app import obtain_app
from tidings.cli.token import seconds_of
from tidings.errors import ConfigError


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_it_holds_what_was_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    app = obtain_app(Path("tidings-data"))
    flags = ["--user", "ann", "--subscribe", "a-*", "--subscribe", "b", "--publish", "c", "--info", '{"n":1}']
    assert main(["token", *flags, "--expires", "2h"]) == 0
    claims = jwt.decode(capsys.readouterr().out.strip(), str(app.jwt_secret), algorithms=["HS256"])
    assert claims["sub"] == "ann"
    assert claims["channels"] == ["a-*", "b"]
    assert claims["publish"] == ["c"]
    assert claims["info"] == {"n": 1}
    assert 7100 < claims["exp"] - time.time() < 7300


def test_an_app_without_a_jwt_secret_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["token", "--app", "1:k:s"]) == 1
    assert "jwt_secret" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "seconds"), [("90", 90), ("90s", 90), ("30m", 1800), ("12h", 43200), ("7d", 604800)]
)
def test_times_have_units(text: str, seconds: int) -> None:
    assert seconds_of(text) == seconds


@pytest.mark.parametrize("text", ["", "h", "1y", "-1", "1.5h"])
def test_another_time_is_told(text: str) -> None:
    with pytest.raises(ConfigError, match="--expires"):
        seconds_of(text)
