"""`tidings demo`: where the example systems are looked for. That they run is a matter of integration."""

from __future__ import annotations

import io
import ipaddress
import socket
from pathlib import Path

import pytest
from rich.console import Console

from tidings.cli.demo import Addresses, announce, claim_port, find_examples, lan_address, load_plan
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
    plan = load_plan(tmp_path, Addresses.of("127.0.0.1", 8000))
    plan.prepare()
    assert plan.config.apps
    assert callable(plan.extra)
    assert list(tmp_path.iterdir())


def said(shown: Addresses) -> str:
    written = io.StringIO()
    announce(shown, "d", Console(file=written, width=200, color_system=None))
    return written.getvalue()


def test_on_this_computer_alone_its_address_is_told() -> None:
    text = said(Addresses.of("127.0.0.1", 8000))
    assert "http://127.0.0.1:8000" in text
    assert "two boards side by side" in text
    assert "phone" not in text


def test_for_the_network_an_address_that_can_be_called_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tidings.cli.demo.lan_address", lambda: "192.168.1.5")
    text = said(Addresses.of("0.0.0.0", 8000))
    assert "http://127.0.0.1:8000" in text
    assert "http://192.168.1.5:8000" in text
    assert "0.0.0.0" not in text


def test_the_networks_address_is_an_address_or_none() -> None:
    found = lan_address()
    assert found is None or not ipaddress.ip_address(found).is_loopback


def test_a_busy_port_is_told_with_the_way_of_make() -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as taken,
        pytest.raises(ConfigError, match=r'in use .* --port .*make demo ARGS="--port 8206"'),
    ):
        claim_port("127.0.0.1", taken.getsockname()[1])
