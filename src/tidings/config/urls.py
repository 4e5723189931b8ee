"""Addresses as they may be shown: without what may be a secret. Opens nothing."""

from __future__ import annotations

import re
from typing import Final

MASK: Final = "…"
"""In place of a password."""

_USER: Final = re.compile(r"\A([A-Za-z][A-Za-z0-9+.\-]*:/{1,2})([^/?#@:]*):(.*)@", re.DOTALL)
"""Up to the last `@`: a password that should have been escaped is one all the same, and too much is masked rather than
too little."""
_PARAMETER: Final = re.compile(r"((?:\A|[?&\s])(?:ssl)?password=)('(?:[^'\\]|\\.)*'|[^&\s]*)", re.IGNORECASE)


def without_password(url: str) -> str:
    """An address with its passwords masked: the one before `@`, and those of libpq's parameters."""
    shown = _USER.sub(rf"\1\2:{MASK}@", url)
    return _PARAMETER.sub(rf"\1{MASK}", shown)
