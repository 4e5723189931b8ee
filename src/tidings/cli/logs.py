"""How the server writes its own log: structured, on standard error, with no secret and no line that a client forged.

The rooms below log through the standard `logging`; only the command line decides where that goes.
"""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Iterable, MutableMapping
from typing import Any, Final, TextIO

import structlog

from tidings.config.settings import Config

LONGEST_VALUE: Final = 2_000
"""Characters of one value: a client's megabyte must not become a line of the log."""

SHORTEST_SECRET: Final = 6
"""Characters. Something shorter would be found in innocent words."""

MASK: Final = "[redacted]"

_CARRIERS: Final = re.compile(
    r"(?i)\b(token|auth|auth_signature|signature|secret|jwt_secret|password|apikey|access_token)(=|\"?: ?\"?)"
    r"[^\s&\"',;]+"
)
_BEARER: Final = re.compile(r"(?i)\bbearer +[^\s\"',;]+")
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_SECRET_FIELDS: Final = frozenset(
    {"token", "auth", "secret", "jwt_secret", "signature", "password", "authorization"}
)

Event = MutableMapping[str, Any]


class Redactor:
    """Takes secrets, control characters and overlong values out of an entry.

    secrets: known ones, taken out wherever they stand.
    """

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        long_ones = sorted({s for s in secrets if len(s) >= SHORTEST_SECRET}, key=len, reverse=True)
        self._known = re.compile("|".join(map(re.escape, long_ones))) if long_ones else None

    def __call__(self, _logger: Any, _method: str, event: Event) -> Event:
        """A structlog processor."""
        for name, value in event.items():
            event[name] = self._value(name, value)
        return event

    def text(self, text: str, *, lines: bool = False) -> str:
        """One text made safe. lines: leave line ends (tracebacks)."""
        if self._known is not None:
            text = self._known.sub(MASK, text)
        text = _CARRIERS.sub(rf"\1\2{MASK}", text)
        text = _BEARER.sub(f"Bearer {MASK}", text)
        if len(text) > LONGEST_VALUE and not lines:
            text = f"{text[:LONGEST_VALUE]}… ({len(text)} characters)"
        return _CONTROL.sub(
            lambda found: found[0] if lines and found[0] == "\n" else _escaped(found[0]), text
        )

    def _value(self, name: str, value: Any) -> Any:
        if name in _SECRET_FIELDS:
            return MASK
        if value is None or isinstance(value, bool | int | float):
            return value
        return self.text(value if isinstance(value, str) else repr(value), lines=name == "exception")


def set_up_logs(config: Config, *, stream: TextIO | None = None) -> None:
    """Send everything that is logged to `stream` (standard error). Replaces what was set up before."""
    stream = stream or sys.stderr
    as_json = config.server.log_format == "json" or (
        config.server.log_format == "auto" and not stream.isatty()
    )
    before: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.ExtraAdder(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
    ]
    redactor = Redactor(_secrets(config))
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=before,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                redactor,
                _renderer(stream, as_json=as_json),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(config.server.log_level.upper())
    # Its lines tell of itself what ours tell of the whole, and the request lines hold tokens.
    logging.getLogger("uvicorn").setLevel(logging.WARNING)
    logging.getLogger("httpx2").setLevel(logging.WARNING)
    structlog.configure(
        processors=[*before, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
    )


def _renderer(stream: TextIO, *, as_json: bool) -> Any:
    if as_json:
        return structlog.processors.JSONRenderer(ensure_ascii=False)
    return structlog.dev.ConsoleRenderer(colors=stream.isatty())


def _secrets(config: Config) -> list[str]:
    found = [secret for app in config.apps for secret in app.pairs().values()]
    return found + [app.jwt_secret for app in config.apps if app.jwt_secret]


def _escaped(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")
