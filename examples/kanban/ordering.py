"""Fractional index keys: an order that takes a new item between any two without touching the others.

The same keys as the npm package `fractional-indexing` (base 62: an integer part whose first letter is its
length, then a fraction), so that the page can foretell the key. Knows nothing of tasks.
"""

from __future__ import annotations

from typing import Final

DIGITS: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
ZERO: Final = "a0"
SMALLEST_INTEGER: Final = "A" + "0" * 26


def key_between(low: str | None, high: str | None) -> str:
    """A key that sorts strictly between `low` and `high`; None means no bound on that side.

    Raises ValueError when a bound is no key, or when `low` does not sort before `high`.
    """
    for key in (low, high):
        if key is not None:
            _check(key)
    if low is not None and high is not None and low >= high:
        raise ValueError(f"{low!r} does not sort before {high!r}")
    if low is None:
        return ZERO if high is None else _before(high)
    return _after(low) if high is None else _inside(low, high)


def keys_in_a_row(count: int) -> list[str]:
    """`count` rising keys, evenly spaced, for laying a column out afresh."""
    keys: list[str] = []
    for _ in range(count):
        keys.append(key_between(keys[-1] if keys else None, None))
    return keys


def _before(high: str) -> str:
    integer, fraction = _split(high)
    if integer == SMALLEST_INTEGER:
        return integer + _midpoint("", fraction)
    return integer if fraction else _step(integer, -1)


def _after(low: str) -> str:
    integer, fraction = _split(low)
    if integer == "z" * 27:
        return integer + _midpoint(fraction, None)
    return _step(integer, 1)


def _inside(low: str, high: str) -> str:
    low_integer, low_fraction = _split(low)
    high_integer, high_fraction = _split(high)
    if low_integer == high_integer:
        return low_integer + _midpoint(low_fraction, high_fraction)
    following = _step(low_integer, 1)
    return following if following < high else low_integer + _midpoint(low_fraction, None)


def _split(key: str) -> tuple[str, str]:
    length = _integer_length(key[:1])
    if len(key) < length:
        raise ValueError(f"{key!r} is shorter than its first letter says")
    return key[:length], key[length:]


def _integer_length(head: str) -> int:
    if "a" <= head <= "z":
        return ord(head) - ord("a") + 2
    if "A" <= head <= "Z":
        return ord("Z") - ord(head) + 2
    raise ValueError(f"a key begins with a letter, not {head!r}")


def _check(key: str) -> None:
    _, fraction = _split(key)
    if key == SMALLEST_INTEGER or fraction.endswith("0") or any(digit not in DIGITS for digit in key):
        raise ValueError(f"{key!r} is not a fractional index key")


def _midpoint(low: str, high: str | None) -> str:
    """A fraction strictly between two fractions; `low` may be empty, which is zero."""
    if high is not None:
        shared = _shared_prefix(low, high)
        if shared:
            return high[:shared] + _midpoint(low[shared:], high[shared:])
    first = DIGITS.index(low[0]) if low else 0
    last = len(DIGITS) if high is None else DIGITS.index(high[0])
    if last - first > 1:
        return DIGITS[(first + last + 1) // 2]
    if high is not None and len(high) > 1:
        return high[:1]
    return DIGITS[first] + _midpoint(low[1:], None)


def _shared_prefix(low: str, high: str) -> int:
    padded = low.ljust(len(high), "0")
    return next((at for at, digit in enumerate(high) if padded[at] != digit), 0)


def _step(integer: str, by: int) -> str:
    """The integer key one above or below: carries, and grows or shrinks by a digit at the ends."""
    head, digits = integer[0], list(integer[1:])
    for at in range(len(digits) - 1, -1, -1):
        moved = DIGITS.index(digits[at]) + by
        digits[at] = DIGITS[moved % len(DIGITS)]
        if 0 <= moved < len(DIGITS):
            return head + "".join(digits)
    return _other_length(head, by)


def _other_length(head: str, by: int) -> str:
    if (head, by) == ("Z", 1):
        return ZERO
    if (head, by) == ("a", -1):
        return "Z" + DIGITS[-1]
    following = chr(ord(head) + by)
    if not following.isalpha():
        raise ValueError("there is no key further out")
    digit = DIGITS[0] if by > 0 else DIGITS[-1]
    return following + digit * (_integer_length(following) - 1)
