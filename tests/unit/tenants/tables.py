"""A table of apps in a file, written as an administrator would."""

from __future__ import annotations

import re
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

DOCS = Path(__file__).parents[3] / "docs/how-to/several-apps.md"


def create_table() -> str:
    """The statement as it stands in the documentation."""
    found = re.search(r"```sql\n(CREATE TABLE tidings_apps .*?;)\n", DOCS.read_text(), re.DOTALL)
    assert found is not None
    return found[1]


def run(path: Path, sql: str, *values: Any) -> None:
    with closing(sqlite3.connect(path)) as db, db:
        db.execute(sql, values)


def insert(path: Path, app: str, key: str, **more: Any) -> None:
    row = {"id": app, "key": key, "secret": f"secret-of-{key}", **more}
    marks = ", ".join("?" for _ in row)
    run(path, f"INSERT INTO tidings_apps ({', '.join(row)}) VALUES ({marks})", *row.values())
