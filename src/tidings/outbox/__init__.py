"""For services that name their own events inside their own transaction. Loads nothing before it is asked for by name.

`tidings.outbox.sqlalchemy` and `tidings.outbox.django` publish; `tidings.outbox.table` holds the row and its SQL. None
of them connects to a Tidings server: what they write, the server reads from the database's own log.
"""

from __future__ import annotations
