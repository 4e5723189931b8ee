"""The app that is kept in a file of its own."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from tidings.config.kept_app import find_kept, make_app, obtain_kept
from tidings.errors import ConfigError


def test_it_is_made_once_with_its_folder_and_found_again(tmp_path: Path) -> None:
    path = tmp_path / "a" / "live.db.app.json"
    assert find_kept(path, elsewhere="") is None
    made = obtain_kept(path, elsewhere="")
    assert obtain_kept(path, elsewhere="") == made == find_kept(path, elsewhere="")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert os.listdir(path.parent) == [path.name]


def test_each_has_secrets_of_its_own() -> None:
    assert make_app().secret != make_app().secret


@pytest.mark.parametrize("content", ["", "{}", '{"id": 5}'])
def test_a_damaged_file_is_told_and_left_alone(tmp_path: Path, content: str) -> None:
    path = tmp_path / "x.json"
    path.write_text(content)
    with pytest.raises(ConfigError, match=r"x\.json is damaged"):
        obtain_kept(path, elsewhere="")
    assert path.read_text() == content


def test_a_place_that_cannot_be_written_is_told_with_the_fix(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="name the app yourself"):
        obtain_kept(tmp_path / "file" / "x.json", elsewhere="name the app yourself")
