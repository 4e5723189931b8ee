"""The table of commands, and the exit codes: 0 well, 1 failed, 2 wrong usage; errors are one line, no traceback."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest

from tidings.cli import COMMANDS, FAILED, WELL, WRONG_USAGE, main, make_app


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["config", "--help"], []])
def test_asking_for_help_is_well(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == WELL
    assert "tidings" in capsys.readouterr().out


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_a_help_with_an_example(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*command.split(), "--help"]) == WELL
    told = capsys.readouterr().out
    assert told.count(f"tidings {command}") >= 2  # the usage, and an example below it


@pytest.mark.parametrize("place", [place for place, _ in COMMANDS.values()])
def test_every_command_is_where_the_table_says(place: str) -> None:
    module, _, function = place.partition(":")
    assert callable(getattr(importlib.import_module(f"tidings.cli.{module}"), function))


@pytest.mark.parametrize(
    ("arguments", "hint"),
    [
        (["sreve"], 'Did you mean "serve"'),
        (["serve", "--prt", "1"], "Did you mean --port"),
        (["serve", "--port", "abc"], "--port"),
        (["publish", "news"], "EVENT"),
    ],
)
def test_wrong_usage_is_two_and_one_line(
    arguments: list[str], hint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == WRONG_USAGE
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.startswith("tidings: ")
    assert told.err.count("\n") == 1
    assert hint in told.err


def test_a_failure_is_one_and_each_fault_a_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "tidings.toml").write_text("[server]\nprot = 1\nport = 0\n")
    assert main(["config", "check"]) == FAILED
    lines = capsys.readouterr().err.splitlines()
    assert [line.split(":")[1].split(" ")[1] for line in lines] == ["server.prot", "server.port"]


def test_an_interrupt_ends_well(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(**_: object) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr("tidings.cli.options.load_settings", interrupted)
    assert main(["config", "show"]) == WELL


def test_a_list_of_commands_loads_none_of_them() -> None:
    app = make_app(["--help"])
    assert "serve" in list(app)
