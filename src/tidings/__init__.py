"""Tidings: save first, then tell every screen what changed. The public names, each loaded when it is first used.

Their types stand in `__init__.pyi`: were they imported here, if only for checking, every room would import all others.
"""

from __future__ import annotations

import importlib
from typing import Any, Final

__all__ = [
    "Change",
    "ConfigError",
    "Draft",
    "EngineError",
    "EngineUnavailable",
    "FunctionRule",
    "Grant",
    "Member",
    "Message",
    "Position",
    "Refusal",
    "SourceError",
    "Tidings",
    "TidingsError",
    "Visitor",
]

_ROOMS: Final = {
    "tidings.changes": ("Change",),
    "tidings.commands": ("Grant",),
    "tidings.errors": (
        "ConfigError",
        "EngineError",
        "EngineUnavailable",
        "Refusal",
        "SourceError",
        "TidingsError",
    ),
    "tidings.messages": ("Message", "Position"),
    "tidings.mount": ("Tidings",),
    "tidings.node.authorizer": ("Visitor",),
    "tidings.presence": ("Member",),
    "tidings.sources.rules": ("Draft", "FunctionRule"),
}
"""Module to its public names. A client program must not pay for the server, nor the server for the client."""

_HOME: Final = {name: room for room, names in _ROOMS.items() for name in names}


def __getattr__(name: str) -> Any:
    """Load a public name (PEP 562)."""
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(_HOME[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
