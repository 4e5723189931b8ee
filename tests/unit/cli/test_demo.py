"""`tidings demo`: where the example systems are looked for. That they run is a matter of integration."""

from __future__ import annotations

from pathlib import Path

import pytest

from tidings.cli.demo import find_examples, load_plan
from tidings.errors import ConfigError

CHECKOUT = Path(__file__).parents[3]


def place(folder: Path) -> Path:
    (folder / "examples" / "demo").mkdir(parents=True)
    (folder / "examples" / "demo" / "__init__.py").touch()
    return folder


def test_the_checkout_around_the_package_is_used() -> None:
    assert find_examples() == CHECKOUT


def test_the_first_place_that_has_them_is_used(tmp_path: Path) -> None:
    installed = place(tmp_path / "share")
    assert find_examples([tmp_path / "checkout", installed]) == installed
    checkout = place(tmp_path / "checkout")
    assert find_examples([checkout, installed]) == checkout


def test_where_they_are_missing_the_places_are_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=f"looked in {tmp_path}"):
        find_examples([tmp_path])


def test_the_plan_has_what_the_command_needs(tmp_path: Path) -> None:
    plan = load_plan(tmp_path, 8000)
    plan.prepare()
    assert plan.config.apps
    assert callable(plan.extra)
    assert list(tmp_path.iterdir())
