"""Findings: sizes and spans as a person reads them."""

from __future__ import annotations

import pytest

from tidings.sources.findings import lasting, sized


@pytest.mark.parametrize(
    ("count", "text"),
    [(0, "0 bytes"), (1023, "1023 bytes"), (1536, "1.5 kB"), (16 << 20, "16 MB"), (5 << 40, "5120 GB")],
)
def test_bytes(count: int, text: str) -> None:
    assert sized(count) == text


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.4, "0 s"), (119, "119 s"), (300, "5 min"), (7_200, "2 h"), (172_800, "2 days")]
)
def test_spans(seconds: float, text: str) -> None:
    assert lasting(seconds) == text
