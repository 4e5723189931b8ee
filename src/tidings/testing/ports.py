"""Free TCP ports for servers that tests start and restart. It binds nothing for longer than a look.

A port that is to survive restarts must stand outside the range from which the kernel takes source ports:
while the server is down, a client that keeps dialling a port of that range can be given the very same port
as its own source and connect to itself.
"""

from __future__ import annotations

import random
import socket
from pathlib import Path

LOWEST_PORT = 10_240
"""Below stand well-known services."""

FALLBACK_RANGE = (32_768, 60_999)
"""Linux's default range of source ports, for systems that do not tell theirs."""

ATTEMPTS_MAX = 500
"""More misses than this mean that the box is out of ports, not that we were unlucky."""

_RANGE_FILE = Path("/proc/sys/net/ipv4/ip_local_port_range")


def source_port_range() -> tuple[int, int]:
    """Return the lowest and the highest port that the kernel hands out as a source port."""
    try:
        low, high = _RANGE_FILE.read_text().split()
    except (OSError, ValueError):
        return FALLBACK_RANGE
    return int(low), int(high)


def free_port(host: str = "127.0.0.1") -> int:
    """Return a TCP port of `host` on which nobody listens now, outside the range of source ports.

    Raises OSError when none is found in `ATTEMPTS_MAX` tries.
    """
    low, _ = source_port_range()
    ceiling = low if low - LOWEST_PORT > ATTEMPTS_MAX else FALLBACK_RANGE[0]
    chooser = random.SystemRandom()
    for _ in range(ATTEMPTS_MAX):
        port = chooser.randrange(LOWEST_PORT, ceiling)
        if _is_free(host, port):
            return port
    raise OSError(f"no free port on {host} in {ATTEMPTS_MAX} tries")


def _is_free(host: str, port: int) -> bool:
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True
