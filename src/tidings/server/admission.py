"""How often one address may connect. Holds a bounded table of addresses and no connection."""

from __future__ import annotations

import ipaddress
from collections import OrderedDict
from typing import Final

from tidings.node.limits import RateLimiter

MAX_ADDRESSES: Final = 50_000
"""Addresses remembered; the one quiet longest is forgotten first, which forgives it and nobody else."""

BURST_SECONDS: Final = 10.0
"""How many seconds' worth may come at once: an office behind one address reconnects after an outage."""


class Admission:
    """Connects per address, by GCRA. rate: per second; 0 admits everybody."""

    def __init__(self, rate: float, *, burst: float | None = None) -> None:
        self._rate = rate
        self._burst = rate * BURST_SECONDS if burst is None else burst
        self._limiters: OrderedDict[str, RateLimiter] = OrderedDict()

    def allow(self, address: str, now: float) -> bool:
        """Count one connect at `now` (seconds of a monotonic clock). An IPv6 host owns a whole /64."""
        if self._rate <= 0:
            return True
        key = _key(address)
        limiter = self._limiters.get(key)
        if limiter is None:
            limiter = self._limiters[key] = RateLimiter(self._rate, burst=self._burst)
            if len(self._limiters) > MAX_ADDRESSES:
                self._limiters.popitem(last=False)
        else:
            self._limiters.move_to_end(key)
        return limiter.allow(now)


def _key(address: str) -> str:
    """An IPv4 address, or the /64 network of an IPv6 one: whoever has one address there has them all."""
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if found.version == 4:
        return address
    mapped = found.ipv4_mapped
    return str(mapped) if mapped is not None else str(ipaddress.ip_network((int(found) >> 64 << 64, 64)))
