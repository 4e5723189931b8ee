"""What the application hands to the HTTP class."""

from __future__ import annotations

import pytest

from tidings.server.fast import Fast
from tidings.server.guard import BadHead, HostRule
from tidings.server.routing import Router
from tidings.server.visitors import TrustedProxies

FAST = Fast(router=Router(), hosts=HostRule(["h"]), proxies=TrustedProxies(["10.0.0.0/8"]))


def test_a_scope_is_read_by_the_rules_of_the_door() -> None:
    headers = [(b"Host", b"h"), (b"X-Forwarded-For", b"1.2.3.4"), (b"cookie", b"a=1"), (b"cookie", b"b=2")]
    joined, peer = FAST.checked({"headers": headers, "client": ("10.0.0.9", 1), "http_version": "1.1"})
    assert peer == "1.2.3.4"
    assert joined["cookie"] == "a=1; b=2"


@pytest.mark.parametrize("headers", [[(b"host", b"other")], [], [(b"host", b"h"), (b"host", b"h")]])
def test_another_server_does_not_open_the_door_wider(headers: list[tuple[bytes, bytes]]) -> None:
    with pytest.raises(BadHead):
        FAST.checked({"headers": headers, "client": None})
