"""Headers that a setting may not contradict."""

from __future__ import annotations

import pytest

from tidings.node.webhooks.settings import is_reserved


@pytest.mark.parametrize(
    "header", ["Host", "content-type", "X-Pusher-Key", "x-pusher-signature", "Tidings-Webhook-Id"]
)
def test_what_frames_or_signs_the_request_is_ours(header: str) -> None:
    assert is_reserved(header)


@pytest.mark.parametrize("header", ["Authorization", "X-Tenant", "User-Agent"])
def test_other_headers_are_the_owners(header: str) -> None:
    assert not is_reserved(header)
