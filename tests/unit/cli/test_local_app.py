"""The app that is made when none is configured."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from tidings.cli.local_app import find_app, make_folder, obtain_app
from tidings.config.checks import faults_of
from tidings.config.kept_app import FIRST_ID
from tidings.config.settings import Config
from tidings.errors import ConfigError


def test_it_is_made_once_and_found_again(tmp_path: Path) -> None:
    data = tmp_path / "a" / "b"
    assert find_app(data) is None
    made = obtain_app(data)
    assert made.id == FIRST_ID
    assert obtain_app(data) == made == find_app(data)
    assert faults_of(Config(apps=(made,))) == []


def test_every_folder_gets_secrets_of_its_own(tmp_path: Path) -> None:
    assert obtain_app(tmp_path / "a").secret != obtain_app(tmp_path / "b").secret


def test_only_its_owner_can_read_it(tmp_path: Path) -> None:
    obtain_app(tmp_path)
    assert stat.S_IMODE((tmp_path / "app.json").stat().st_mode) == 0o600
    assert os.listdir(tmp_path) == ["app.json"]


@pytest.mark.parametrize("content", ["", "{}", "[1]", '{"id": 5}'])
def test_a_damaged_file_is_told_and_left_alone(tmp_path: Path, content: str) -> None:
    (tmp_path / "app.json").write_text(content)
    with pytest.raises(ConfigError, match=r"app\.json is damaged"):
        obtain_app(tmp_path)
    assert (tmp_path / "app.json").read_text() == content


def test_a_folder_that_cannot_be_made_is_told_with_the_flag(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match=r"cannot write to the data folder .*--data"):
        make_folder(tmp_path / "file" / "data")
    with pytest.raises(ConfigError, match=r"--data"):
        make_folder(tmp_path / "file")
