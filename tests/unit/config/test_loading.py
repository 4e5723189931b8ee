"""The whole configuration: layers over one another, shared limits, all faults in one error."""

from __future__ import annotations

from pathlib import Path

import pytest

from tidings.config.layers import read_flags
from tidings.config.loading import Faults, load


def write(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "t.toml"
    path.write_text(text)
    return path


def test_flags_win_over_environment_over_file(tmp_path: Path) -> None:
    file = write(tmp_path, '[server]\nhost = "f"\nport = 1\ndata = "f"\n')
    environ = {"TIDINGS_PORT": "2", "TIDINGS_DATA": "e"}
    loaded = load(file=file, environ=environ, flags=read_flags(data="flag"))
    server = loaded.config.server
    assert (server.host, server.port, server.data) == ("f", 2, "flag")
    assert loaded.origins["server.host"].name == f"file {file}"
    assert loaded.origins["server.port"].name == "env TIDINGS_PORT"
    assert loaded.origins["server.data"].name == "flag --data"


def test_the_environment_can_name_the_file(tmp_path: Path) -> None:
    file = write(tmp_path, "[server]\nport = 77\n")
    assert load(file=None, environ={"TIDINGS_CONFIG": str(file)}).config.server.port == 77


def test_limits_are_shared_and_an_app_may_differ(tmp_path: Path) -> None:
    file = write(
        tmp_path,
        "[limits]\nbatch = 5\nmessage_bytes = 7\n"
        '[[apps]]\nid = "1"\nkey = "k"\nsecret = "s"\nlimits = { batch = 6 }\n'
        '[[apps]]\nid = "2"\nkey = "l"\nsecret = "s"\n',
    )
    config = load(file=file, environ={}).config
    assert [(app.limits.batch, app.limits.message_bytes) for app in config.apps] == [(6, 7), (5, 7)]
    assert config.limits.batch == 5


def test_secrets_are_looked_up(tmp_path: Path) -> None:
    file = write(tmp_path, '[[apps]]\nid = "1"\nkey = "k"\nsecret = "env:S"\n')
    assert load(file=file, environ={"S": "hidden"}).config.apps[0].secret == "hidden"


def test_faults_of_types_and_references_come_in_one_error(tmp_path: Path) -> None:
    file = write(tmp_path, '[server]\nport = "x"\n[[apps]]\nid = "1"\nkey = "k"\nsecret = "env:NOPE"\n')
    with pytest.raises(Faults) as told:
        load(file=file, environ={})
    assert len(told.value.lines) == 2
    assert str(told.value) == "\n".join(told.value.lines)


def test_faults_between_settings_are_told(tmp_path: Path) -> None:
    file = write(tmp_path, '[[apps]]\nid = "1"\nkey = "k"\n')
    with pytest.raises(Faults, match="belong together"):
        load(file=file, environ={})


def lines(file: Path) -> list[str]:
    with pytest.raises(Faults) as told:
        load(file=file, environ={})
    return told.value.lines


def test_a_shared_limit_that_is_wrong_is_told_once(tmp_path: Path) -> None:
    app = '[[apps]]\nid = "1"\nkey = "k"\nsecret = "s"\n'
    assert len(lines(write(tmp_path, f'[limits]\nbatch = "ten"\n{app}'))) == 1
    assert lines(write(tmp_path, f"[limits]\nbatch = 0\n{app}")) == [
        "limits.batch: 0: expected a number above zero"
    ]


def test_faults_of_types_and_between_settings_come_in_one_error(tmp_path: Path) -> None:
    file = write(
        tmp_path,
        '[server]\ndran = 1\npath_prefix = "live/"\n[limits]\nbatch = "ten"\n'
        '[[apps]]\nid = "a b"\nkey = "k"\nsecret = "s"\n',
    )
    told = lines(file)
    assert [line.split(":")[0].split(" ")[0] for line in told] == [
        "server.dran",
        "limits.batch",
        "server.path_prefix",
        "apps[1].id",
    ]
    assert "did you mean drain_seconds" in told[0]


def test_what_follows_from_another_fault_is_not_told(tmp_path: Path) -> None:
    app = '[[apps]]\nid = "1"\nkey = "k"\nsecret = 5\n'
    source = '[[sources]]\nurl = "sqlite:///a.db"\napp = "1"\n'
    assert [line.split(" ")[0] for line in lines(write(tmp_path, app + source))] == ["apps[1].secret"]
