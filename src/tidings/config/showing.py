"""A configuration as rows to show: setting, value, origin. Secrets are masked here, once, for every caller."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

import msgspec

from tidings.config.layers import Origin
from tidings.config.settings import SECRET_NAMES, URL_NAMES, Config
from tidings.config.urls import without_password
from tidings.node.apps import MASK

DEFAULT: Final = "default"


class Row(msgspec.Struct, frozen=True):
    """One setting as it is shown."""

    setting: str
    value: str
    origin: str


def rows_of(config: Config, origins: Mapping[str, Origin]) -> list[Row]:
    """Every setting in the order of the file. A default that is not set in a list's entry is left out."""
    return list(_rows(config, origins, ""))


def _rows(struct: msgspec.Struct, origins: Mapping[str, Origin], at: str) -> Iterator[Row]:
    for field in msgspec.structs.fields(struct):
        path = f"{at}.{field.encode_name}" if at else field.encode_name
        value = getattr(struct, field.name)
        if isinstance(value, msgspec.Struct):
            yield from _rows(value, origins, path)
        elif isinstance(value, tuple) and value and isinstance(value[0], msgspec.Struct):
            for index, item in enumerate(value, 1):
                yield from _rows(item, origins, f"{path}[{index}]")
        elif "[" not in path or path in origins or field.required:
            yield Row(path, _text(field.encode_name, value), _origin(path, origins))


def _text(name: str, value: Any) -> str:
    if name in SECRET_NAMES and value is not None:
        return MASK
    if value is None:
        return "-"
    if name in URL_NAMES and isinstance(value, str):
        value = without_password(value)
    return msgspec.json.encode(value, enc_hook=str).decode()


def _origin(path: str, origins: Mapping[str, Origin]) -> str:
    origin = origins.get(path) or origins.get(path.partition("[")[0] if "[" in path else path)
    return origin.name if origin else DEFAULT
