"""Patterns of texts: channels' names, templates of them, SQL's LIKE. Holds no rights; row filters are built upon it."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache

from tidings.errors import ConfigError


# Patterns come from configuration and signed tokens; the bound stops a hostile stream of them.
@lru_cache(maxsize=1024)
def matcher(pattern: str) -> Callable[[str], bool]:
    """Return what tells whether a whole name fits a pattern: `*` stands for any run of characters, all else for itself.

    Linear in the name for any pattern. A regular expression would not be: five stars in a token were enough to hold
    the loop for seconds.
    """
    first, *rest = pattern.split("*")
    if not rest:
        return pattern.__eq__
    *middle, last = rest
    shortest = len(pattern) - len(rest)

    def fits(name: str) -> bool:
        if len(name) < shortest or not name.startswith(first) or not name.endswith(last):
            return False
        at, end = len(first), len(name) - len(last)
        for piece in middle:  # the leftmost place for each leaves most room for the others
            found = name.find(piece, at, end)
            if found < 0:
                return False
            at = found + len(piece)
        return at <= end

    return fits


def like_matcher(pattern: str, *, fold: bool = False) -> Callable[[str], bool]:
    r"""Return what tells whether a whole text is LIKE a pattern of SQL: `%` any run of characters, `_` any one.

    A backslash takes the next character as it is. fold: upper and lower case are one. Linear in the text, like
    `matcher`, whatever the pattern.
    """
    pieces = [_Piece(piece) for piece in _like_pieces(pattern.lower() if fold else pattern)]
    first, *rest = pieces
    shortest = sum(len(piece) for piece in pieces)

    def fits(text: str) -> bool:
        if fold:
            text = text.lower()
        if not rest:
            return len(text) == shortest and first.stands(text, 0)
        last = rest[-1]
        at, end = len(first), len(text) - len(last)
        if len(text) < shortest or not first.stands(text, 0) or not last.stands(text, end):
            return False
        for piece in rest[:-1]:
            found = piece.find(text, at, end)
            if found < 0:
                return False
            at = found + len(piece)
        return at <= end

    return fits


def _like_pieces(pattern: str) -> list[list[str | None]]:
    """What stands between the `%`: characters, None for `_`."""
    pieces: list[list[str | None]] = [[]]
    characters = iter(pattern)
    for char in characters:
        if char == "%":
            pieces.append([])
        elif char == "_":
            pieces[-1].append(None)
        else:
            pieces[-1].append(next(characters, char) if char == "\\" else char)
    return pieces


class _Piece:
    """A run of a LIKE pattern without `%`."""

    __slots__ = ("_any", "_characters", "_masks", "_solid")

    def __init__(self, characters: list[str | None]) -> None:
        self._characters = characters
        self._solid = None if None in characters else "".join(char or "" for char in characters)
        self._any = sum(1 << at for at, char in enumerate(characters) if char is None)
        self._masks: dict[str, int] = {}
        for at, char in enumerate(characters):
            if char is not None:
                self._masks[char] = self._masks.get(char, self._any) | 1 << at

    def __len__(self) -> int:
        return len(self._characters)

    def stands(self, text: str, at: int) -> bool:
        """Whether it stands in the text at this place, where there is room for it."""
        if self._solid is not None:
            return text.startswith(self._solid, at)
        return all(char is None or text[at + n] == char for n, char in enumerate(self._characters))

    def find(self, text: str, start: int, end: int) -> int:
        """The leftmost place within the bounds, -1 for none.

        With `_` in it by Shift-And: bit n of the state says that the last n + 1 characters fit, so each character of
        the text is looked at once. Trying every place would cost pattern times text.
        """
        if self._solid is not None:
            return text.find(self._solid, start, end)
        state, whole = 0, 1 << len(self) - 1
        for at in range(start, end):
            state = (state << 1 | 1) & self._masks.get(text[at], self._any)
            if state & whole:
                return at - len(self) + 1
        return -1


def matches(pattern: str, channel: str) -> bool:
    """True when the channel's whole name fits the pattern."""
    return matcher(pattern)(channel)


def template_pattern(template: str) -> re.Pattern[str]:
    """`private-family-{family_id}` → a regular expression with a named group for each pair of braces.

    Raises ConfigError when a name in braces is not an identifier or stands twice.
    """
    parts = re.split(r"\{([^{}]*)\}", template)
    names = parts[1::2]
    if any(not name.isidentifier() for name in names) or len(set(names)) != len(names):
        raise ConfigError(
            f"channel pattern {template!r}: names in braces must be identifiers, each used once"
        )
    return re.compile(
        "".join(re.escape(part) if at % 2 == 0 else f"(?P<{part}>.+)" for at, part in enumerate(parts))
        + r"\Z"
    )
