"""What a look at a deployment found, one thing each: well, to be minded, or broken. Finds nothing itself."""

from __future__ import annotations

from typing import Literal

import msgspec

Level = Literal["ok", "warn", "fail"]


class Finding(msgspec.Struct, frozen=True):
    """about: the part that was looked at. what: how it is. fix: what to do; empty where nothing is to be done."""

    level: Level
    about: str
    what: str
    fix: str = ""


def sized(count: int) -> str:
    """Bytes as a person reads them."""
    size = float(count)
    for unit in ("bytes", "kB", "MB", "GB"):
        if size < 1024 or unit == "GB":
            return f"{size:.0f} {unit}" if unit == "bytes" or size >= 10 else f"{size:.1f} {unit}"
        size /= 1024
    raise AssertionError("the last unit takes all")


def lasting(seconds: float) -> str:
    """A span of time as a person reads it."""
    for unit, length in (("days", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:.0f} {unit}"
    return f"{seconds:.0f} s"
