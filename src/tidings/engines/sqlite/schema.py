"""The tables of the log as numbered SQL texts, and how a file is brought up to date. It opens no file.

A channel's running count and size stand in its messages, so that a publish writes one row and the channel's own row
changes only when its floor does. `offset` is the app's, `id` the order of writing over all apps.
"""

from __future__ import annotations

from typing import Final

import apsw

from tidings.errors import EngineError
from tidings.ids import new_epoch

APPLICATION_ID: Final = 0x7469_646C
"""Tells a log of ours from anybody else's SQLite file ("tidl")."""

VERSIONS: Final = (
    """
    CREATE TABLE log (epoch TEXT NOT NULL, probe INTEGER NOT NULL DEFAULT 0);
    CREATE TABLE apps (
        id INTEGER PRIMARY KEY,
        name TEXT NOT NULL UNIQUE,
        last INTEGER NOT NULL,      -- newest offset
        floor INTEGER NOT NULL,     -- newest offset of any channel that was forgotten
        serial INTEGER NOT NULL     -- number of the log's commit that wrote this row
    );
    CREATE TABLE channels (
        id INTEGER PRIMARY KEY,
        app INTEGER NOT NULL,
        name TEXT NOT NULL,
        floor INTEGER NOT NULL,     -- offset of the newest dropped message; number and size: as it had them
        number INTEGER NOT NULL,
        size INTEGER NOT NULL,
        due INTEGER,                -- when the oldest message passes its age; NULL when there is none
        UNIQUE (app, name)
    );
    CREATE INDEX channels_due ON channels (due) WHERE due IS NOT NULL;
    CREATE INDEX channels_idle ON channels (id) WHERE due IS NULL;
    CREATE TABLE messages (
        id INTEGER PRIMARY KEY,
        channel INTEGER NOT NULL,
        offset INTEGER NOT NULL,
        previous INTEGER,
        number INTEGER NOT NULL,    -- messages, and bytes of data, of this channel up to and with this one
        size INTEGER NOT NULL,
        at INTEGER NOT NULL,
        name TEXT NOT NULL,         -- the message's id
        event TEXT NOT NULL,
        time INTEGER NOT NULL,
        extra BLOB,                 -- entity, keys, origin and the like as JSON; NULL when there is none
        data BLOB NOT NULL
    );
    -- Not UNIQUE, though it is: a constraint would make each statement keep a journal of its own.
    CREATE INDEX messages_channel ON messages (channel, offset);
    CREATE TABLE receipts (
        id INTEGER PRIMARY KEY,
        app INTEGER NOT NULL,
        key TEXT NOT NULL,
        digest BLOB NOT NULL,
        first INTEGER NOT NULL,
        count INTEGER NOT NULL,
        at INTEGER NOT NULL,
        UNIQUE (app, key)
    );
    CREATE TABLE gaps (
        app INTEGER NOT NULL,
        offset INTEGER NOT NULL,
        pattern TEXT NOT NULL,
        reason TEXT NOT NULL,
        PRIMARY KEY (app, offset)
    ) WITHOUT ROWID;
    CREATE TABLE held (
        app TEXT NOT NULL,
        client TEXT NOT NULL,
        epoch TEXT NOT NULL,
        connections INTEGER NOT NULL,
        channels BLOB NOT NULL,
        at INTEGER NOT NULL,
        PRIMARY KEY (app, client)
    ) WITHOUT ROWID;
    CREATE INDEX held_at ON held (at);
    """,
    """
    CREATE TABLE progress (
        app INTEGER NOT NULL,
        source TEXT NOT NULL,
        generation TEXT NOT NULL,
        value INTEGER NOT NULL,
        part INTEGER NOT NULL,
        PRIMARY KEY (app, source)
    ) WITHOUT ROWID;
    """,
    """
    -- Beside the progress, because they seldom change and that does with each publish.
    CREATE TABLE seals (
        app INTEGER NOT NULL,
        source TEXT NOT NULL,
        seals BLOB NOT NULL,        -- JSON: table to seal
        PRIMARY KEY (app, source)
    ) WITHOUT ROWID;
    """,
)
"""The text at index n brings a file from version n to n + 1. A text that was released never changes."""


def check(connection: apsw.Connection, path: str) -> None:
    """Raise EngineError for a file that is not a log of ours, or one that a newer Tidings wrote. Changes nothing."""
    version, owner = connection.pragma("user_version"), connection.pragma("application_id")
    empty = not connection.execute("SELECT count(*) FROM sqlite_schema").get
    if owner != APPLICATION_ID and not (empty and version == 0 and owner == 0):
        raise EngineError(f"{path} is an SQLite file, but not a Tidings log; name another file for the log")
    if version > len(VERSIONS):
        raise EngineError(
            f"{path} was written by a newer Tidings (log version {version}, this one knows {len(VERSIONS)}); "
            "start that version, or name another file for the log"
        )


def migrate(connection: apsw.Connection) -> None:
    """Bring a checked file to the newest version, in one transaction; a new file gets its epoch."""
    version = connection.pragma("user_version")
    if version == len(VERSIONS):
        return
    with connection:
        for text in VERSIONS[version:]:
            connection.execute(text)
        if version == 0:
            connection.execute("INSERT INTO log (epoch) VALUES (?)", (new_epoch(),))
            connection.pragma("application_id", APPLICATION_ID)
        connection.pragma("user_version", len(VERSIONS))
