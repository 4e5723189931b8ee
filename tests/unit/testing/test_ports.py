"""Free ports are free, and out of the way of the kernel's own choices."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from tidings.testing import ports


def test_a_free_port_can_be_listened_on() -> None:
    with socket.create_server(("127.0.0.1", ports.free_port())) as server:
        assert server.getsockname()[1] >= ports.LOWEST_PORT


def test_it_stands_below_the_range_of_source_ports() -> None:
    low, _ = ports.source_port_range()
    assert all(ports.free_port() < low for _ in range(50))


def test_a_system_that_does_not_tell_gets_the_usual_range(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(ports, "_RANGE_FILE", tmp_path / "absent")
    assert ports.source_port_range() == ports.FALLBACK_RANGE


def test_running_out_of_ports_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ports, "_is_free", lambda host, port: False)
    with pytest.raises(OSError, match="no free port"):
        ports.free_port()
