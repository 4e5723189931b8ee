"""`tidings outbox sql`: what makes or removes the outbox in a database. Prints it; runs nothing."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

from tidings.outbox.table import Dialect, ddl, drop

DialectOfDatabase = Annotated[Dialect, Parameter(name="--dialect", help="Whose SQL.")]
Drop = Annotated[bool, Parameter(name="--drop", help="What removes it instead.", negative=())]


def sql(*, dialect: DialectOfDatabase = "postgresql", remove: Drop = False) -> int:
    """Print the SQL that makes the outbox: a table that empties itself and, on Postgres, functions to publish with.

    It may be run again. Migrations of Alembic and Django have a way of their own: docs/how-to/outbox.md.

    ```
    tidings outbox sql | psql "$DATABASE_URL"
    tidings outbox sql --dialect sqlite | sqlite3 app.db
    ```
    """
    print(drop(dialect) if remove else ddl(dialect), end="")
    return 0
