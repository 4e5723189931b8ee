"""Which addresses a webhook may reach: a table of addresses, written in every way."""

from __future__ import annotations

import pytest

from tidings.node.webhooks.guard import AddressRefused, permitted, why_refused

REFUSED = [
    "0.0.0.0",
    "0.1.2.3",
    "10.0.0.1",
    "10.255.255.255",
    "100.64.0.1",
    "100.100.100.200",  # a cloud's metadata
    "127.0.0.1",
    "127.255.255.254",
    "169.254.169.254",  # most clouds' metadata
    "168.63.129.16",  # a cloud's metadata that looks public
    "172.16.0.1",
    "172.31.255.255",
    "192.0.0.192",  # a cloud's metadata
    "192.0.2.1",
    "192.88.99.1",
    "192.168.0.1",
    "198.18.0.1",
    "198.51.100.1",
    "203.0.113.1",
    "224.0.0.1",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::127.0.0.1",  # compatible
    "::ffff:127.0.0.1",  # mapped
    "::ffff:8.8.8.8",
    "::ffff:0:127.0.0.1",  # translated
    "64:ff9b::7f00:1",  # NAT64 of 127.0.0.1
    "64:ff9b::169.254.169.254",
    "64:ff9b:1::1",  # NAT64 of a local network
    "100::1",  # discard
    "2001:0:4136:e378:8000:63bf:3fff:fdd2",  # Teredo
    "2001:db8::1",
    "2002:7f00:1::",  # 6to4 of 127.0.0.1
    "2002:0808:0808::1",
    "3fff::1",
    "5f00::1",
    "fc00::1",
    "fd00:ec2::254",  # a cloud's metadata
    "fe80::1",
    "fe80::1%eth0",
    "fec0::1",
    "ff02::1",
    "0177.0.0.1",  # octal: no address to us, whatever others make of it
    "2130706433",
    "0x7f.1",
    "",
    "localhost",
]

ALLOWED = [
    "8.8.8.8",
    "1.1.1.1",
    "9.255.255.255",
    "11.0.0.1",
    "100.63.255.255",
    "100.128.0.1",
    "126.255.255.255",
    "128.0.0.1",
    "169.253.255.255",
    "172.15.255.255",
    "172.32.0.1",
    "192.167.255.255",
    "192.169.0.1",
    "198.17.255.255",
    "198.20.0.1",
    "223.255.255.255",
    "2606:4700:4700::1111",
    "2a00:1450:4001:81b::200e",
    "64:ff9b::8.8.8.8",  # how networks with IPv6 alone reach the rest
]


@pytest.mark.parametrize("address", REFUSED)
def test_an_inner_or_disguised_address_is_refused(address: str) -> None:
    assert why_refused(address) is not None


@pytest.mark.parametrize("address", ALLOWED)
def test_a_public_address_is_allowed(address: str) -> None:
    assert why_refused(address) is None


def test_of_several_addresses_only_those_allowed_are_reached() -> None:
    found = ["10.0.0.1", "8.8.8.8", "8.8.8.8", "::1"]
    assert permitted("h", found, allow_private=False) == ["8.8.8.8"]
    assert permitted("h", found, allow_private=True) == ["10.0.0.1", "8.8.8.8", "::1"]


def test_a_refusal_says_which_address_and_what_to_do() -> None:
    with pytest.raises(
        AddressRefused, match=r"h is at 169\.254\.169\.254, which is link-local.*allow_private"
    ):
        permitted("h", ["169.254.169.254"], allow_private=False)
    with pytest.raises(AddressRefused, match="no address"):
        permitted("h", [], allow_private=True)
