"""From a tree of settings to typed structs, with every fault found on the way. Knows no setting by name.

msgspec alone would stop at the first fault; a person who corrects a file wants all of them at once.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from types import UnionType
from typing import Any, Final, Literal, Union, get_args, get_origin

import msgspec

from tidings.config.layers import Origin, split
from tidings.config.settings import SECRET_NAMES
from tidings.nearest import nearest

_MISSING: Final = object()
"""Stands for a value that could not be read; its fault has been noted."""

_WORDS: Final[Mapping[str, str]] = {
    "int": "a whole number",
    "float": "a number",
    "str": "text",
    "bool": "true or false",
    "array": "a list",
    "object": "a table",
    "null": "nothing",
}
"""How msgspec's names of types are told to a person."""

_LONGEST_SHOWN: Final = 60
"""Characters of a wrong value that are repeated."""


class Reader:
    """Reads one tree. `faults` grows while it does."""

    def __init__(self, origins: Mapping[str, Origin]) -> None:
        self.faults: list[str] = []
        self._origins = origins

    def struct(self, kind: type[Any], tree: Any, at: str) -> Any:
        """The struct that a table describes, or a marker when a value of it could not be read.

        An unknown setting is a fault and spoils nothing: the others are read, so that their faults show too.
        """
        if not isinstance(tree, Mapping):
            return self._fault(at, tree, "expected a table")
        values = self._values(kind, tree, at)
        if _MISSING in values.values():
            return _MISSING
        try:
            return kind(**values)
        except ValueError as error:  # a struct that checks itself
            return self._fault(at, None, str(error))

    def whole(self, kind: type[Any], tree: Mapping[str, Any]) -> tuple[Any, frozenset[str]]:
        """The struct of a whole tree, and the names of its tables that could not be read and are at their default."""
        values = self._values(kind, tree, "")
        broken = frozenset(name for name, value in values.items() if value is _MISSING)
        return kind(**{name: value for name, value in values.items() if name not in broken}), broken

    def _values(self, kind: type[Any], tree: Mapping[str, Any], at: str) -> dict[str, Any]:
        """Each field that is set, read; the marker for one that could not be."""
        fields = {field.encode_name: field for field in msgspec.structs.fields(kind)}
        for name in tree:
            if name not in fields:
                self._unknown(f"{at}.{name}" if at else name, name, list(fields))
        values: dict[str, Any] = {}
        for name, field in fields.items():
            path = f"{at}.{name}" if at else name
            if name in tree:
                values[field.name] = self.value(field.type, tree[name], path)
            elif field.required:
                self.faults.append(f"{path}: missing{self._where(at)}; it has no default")
                values[field.name] = _MISSING
        return values

    def value(self, kind: Any, tree: Any, at: str) -> Any:
        """One value of the type `kind`."""
        if (inner := _struct_in(kind)) is not None:
            return self.struct(inner, tree, at)
        if (item := _struct_list(kind)) is not None:
            return self._list(item, tree, at)
        lax = self._is_text(at)
        if lax and isinstance(tree, str) and get_origin(kind) is tuple:
            tree = split(tree)
        try:
            return msgspec.convert(tree, kind, strict=not lax)
        except msgspec.ValidationError as error:
            return self._fault(at, tree, _told(error, kind))

    def _list(self, item: Any, tree: Any, at: str) -> Any:
        if not isinstance(tree, Sequence) or isinstance(tree, str):
            return self._fault(at, tree, f"expected a list of tables, written [[{at}]]")
        items = tuple(self.struct(item, part, f"{at}[{index}]") for index, part in enumerate(tree, 1))
        return _MISSING if _MISSING in items else items

    def _unknown(self, path: str, name: str, known: Sequence[str]) -> None:
        near = nearest(name, known)
        hint = f"did you mean {near}?" if near else f"known are {', '.join(known)}"
        self.faults.append(f"{path}: unknown setting{self._where(path)}; {hint}")

    def _fault(self, at: str, given: Any, why: str) -> object:
        told = ""
        # A whole table or list is never shown: it may hold a secret further in.
        if isinstance(given, str | int | float) and at.rpartition(".")[2] not in SECRET_NAMES:
            shown = repr(given)
            told = f": {shown if len(shown) <= _LONGEST_SHOWN else shown[:_LONGEST_SHOWN] + '…'}"
        self.faults.append(f"{at}{told}{self._where(at)}: {why}")
        return _MISSING

    def _where(self, at: str) -> str:
        origin = self._origins.get(at) or self._origins.get(at.partition("[")[0])
        return f" ({origin.name})" if origin else ""

    def _is_text(self, at: str) -> bool:
        origin = self._origins.get(at)
        return origin is not None and origin.text


def _struct_in(kind: Any) -> Any:
    """The struct type of `Struct` or `Struct | None`."""
    options = get_args(kind) if get_origin(kind) in (Union, UnionType) else (kind,)
    return next((o for o in options if isinstance(o, type) and issubclass(o, msgspec.Struct)), None)


def _struct_list(kind: Any) -> Any:
    """The struct type of `tuple[Struct, ...]` or `list[Struct]`."""
    if get_origin(kind) not in (tuple, list):
        return None
    return _struct_in(get_args(kind)[0])


def _told(error: msgspec.ValidationError, kind: Any) -> str:
    text = str(error).split(" - at ")[0]
    text = re.sub(r"`([\w| ]+)`", lambda found: _in_words(found[1]), text)
    choices = [str(c) for o in (kind, *get_args(kind)) if get_origin(o) is Literal for c in get_args(o)]
    if choices:
        return f"expected one of {', '.join(choices)}"
    return text[:1].lower() + text[1:]


def _in_words(kinds: str) -> str:
    return " or ".join(_WORDS.get(kind, kind) for kind in kinds.split(" | "))
