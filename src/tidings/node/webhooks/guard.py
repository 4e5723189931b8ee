"""Which addresses a webhook may reach (SSRF). Pure: it is given addresses and resolves none.

A webhook's URL may come from a tenant, and our server stands inside a network that the tenant does not. A name is
resolved once, its addresses are checked here, and the connection goes to a checked address: a name that changes between
the check and the connection (rebinding) gains nothing.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from typing import Final

from tidings.errors import TidingsError

_NETWORKS_4: Final = (
    ("0.0.0.0/8", "of this network"),
    ("10.0.0.0/8", "private"),
    ("100.64.0.0/10", "of a carrier's network"),
    ("127.0.0.0/8", "of this computer"),
    ("169.254.0.0/16", "link-local, where clouds keep their metadata"),
    ("172.16.0.0/12", "private"),
    ("192.0.0.0/24", "reserved"),
    ("192.0.2.0/24", "for documentation"),
    ("192.88.99.0/24", "of a 6to4 relay"),
    ("192.168.0.0/16", "private"),
    ("198.18.0.0/15", "for benchmarks"),
    ("198.51.100.0/24", "for documentation"),
    ("203.0.113.0/24", "for documentation"),
    ("168.63.129.16/32", "of a cloud's metadata"),
    ("224.0.0.0/4", "multicast"),
    ("240.0.0.0/4", "reserved"),
)
"""IANA's special-purpose registry, and the one metadata address that looks public."""

_NETWORKS_6: Final = (
    ("2001::/23", "a tunnel or reserved (Teredo, ORCHID)"),
    ("2001:db8::/32", "for documentation"),
    ("2002::/16", "of 6to4, which embeds an IPv4 address"),
    ("3fff::/20", "for documentation"),
)
"""What is not reachable within global unicast, 2000::/3; all outside of that is refused as a whole."""

_REFUSED_4: Final = tuple((ipaddress.IPv4Network(network), why) for network, why in _NETWORKS_4)
_REFUSED_6: Final = tuple((ipaddress.IPv6Network(network), why) for network, why in _NETWORKS_6)
_GLOBAL_6: Final = ipaddress.IPv6Network("2000::/3")
_MAPPED: Final = ipaddress.IPv6Network("::ffff:0:0/96")
_NAT64: Final = ipaddress.IPv6Network("64:ff9b::/96")
"""The well-known prefix. Networks with IPv6 alone reach every IPv4 host through it, so what it embeds decides."""


class AddressRefused(TidingsError):
    """The webhook's host has no address that may be reached. The text says why."""


def why_refused(address: str) -> str | None:
    """Why an address must not be reached; None when it may. Text that is no address is refused."""
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return "not an address"
    if isinstance(parsed, ipaddress.IPv4Address):
        return next((why for network, why in _REFUSED_4 if parsed in network), None)
    if parsed in _NAT64:
        return why_refused(str(ipaddress.IPv4Address(int(parsed) & 0xFFFF_FFFF)))
    if parsed in _MAPPED:
        return "an IPv4 address in disguise"
    if parsed not in _GLOBAL_6:
        return "of this computer" if parsed.is_loopback else "private or reserved"
    return next((why for network, why in _REFUSED_6 if parsed in network), None)


def permitted(host: str, addresses: Iterable[str], *, allow_private: bool) -> list[str]:
    """Those of a host's addresses that may be reached, each once. Raises AddressRefused when there is none."""
    found = list(dict.fromkeys(addresses))
    if allow_private:
        allowed = found
    else:
        allowed = [address for address in found if why_refused(address) is None]
    if allowed:
        return allowed
    if not found:
        raise AddressRefused(f"{host} has no address")
    raise AddressRefused(
        f"{host} is at {found[0]}, which is {why_refused(found[0])}; set allow_private to send there"
    )
