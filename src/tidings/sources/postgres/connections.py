"""Ways to connect to a Postgres server, and how an address and a driver's error may be told. Holds no question.

Every connection gives up on a peer that is gone without a word: a lock or a stream must not wait for it for hours.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

import psycopg

from tidings.errors import SourceError

Connection = psycopg.Connection[Any]
StreamingConnection = psycopg.AsyncConnection[Any]

CONNECT_SECONDS: Final = 10
"""How long a connection may take: a server on the same network answers in milliseconds, or is away."""

ALIVE: Final[dict[str, Any]] = {
    "connect_timeout": CONNECT_SECONDS,
    "application_name": "tidings",
    "client_encoding": "UTF8",
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 4,
    "tcp_user_timeout": 30_000,
}
"""A peer that is gone is found out within half a minute (seconds; the last in milliseconds)."""

VALUES_AS_TEXT: Final = (
    "-c DateStyle=ISO -c IntervalStyle=postgres -c TimeZone=UTC -c extra_float_digits=1 -c bytea_output=hex"
    " -c statement_timeout=0 -c idle_session_timeout=0"
)
"""How the server writes values in a session: what `values` reads."""


UNREADABLE: Final = "the database's address cannot be read; percent-encode special characters (%40 for @)"
"""What is said of an address that libpq cannot take apart."""


def connect(url: str, **options: Any) -> Connection:
    """A connection that commits each statement. Raises SourceError that never holds the password."""
    try:
        return psycopg.connect(url, autocommit=True, **{**ALIVE, **options})
    except psycopg.ProgrammingError:
        raise SourceError(
            UNREADABLE
        ) from None  # the driver's words would repeat the address, and the password
    except psycopg.Error as error:
        raise SourceError(f"cannot connect to {shown(url)}: {first_line(error)}") from error


async def connect_streaming(url: str, **options: Any) -> StreamingConnection:
    """The same for the event loop, for a session that writes values as we read them. Raises psycopg.Error."""
    own = psycopg.conninfo.conninfo_to_dict(url).get("options")
    told = f"{own} {VALUES_AS_TEXT}" if own else VALUES_AS_TEXT
    given = {**ALIVE, **options, "options": told}
    return await psycopg.AsyncConnection.connect(url, autocommit=True, **given)


def read_with(url: str, work: Callable[[Connection], Any]) -> Any:
    """Ask something on a connection of its own. Raises SourceError."""
    connection = connect(url)
    try:
        return work(connection)
    except psycopg.Error as error:
        raise SourceError(f"the database refused: {first_line(error)}") from error
    finally:
        connection.close()


def shown(url: str) -> str:
    """An address without its password."""
    try:
        parts = psycopg.conninfo.conninfo_to_dict(url)
    except psycopg.Error:
        return "the database"
    host, port = parts.get("host") or "localhost", parts.get("port")
    place = f"{host}:{port}" if port else host
    return f"postgresql://{parts.get('user') or ''}@{place}/{parts.get('dbname') or ''}"


def first_line(error: BaseException) -> str:
    """What an error of the driver says, in one line and without the connection's address."""
    lines: Sequence[str] = str(error).strip().splitlines()
    return lines[0][:300] if lines else type(error).__name__
