"""Each trouble is told with what to do."""

from __future__ import annotations

from pathlib import Path

import pytest

from tidings.sources.sqlite.driver import DatabaseError
from tidings.sources.sqlite.troubles import explain, is_busy


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (DatabaseError("busy", "x"), "long transaction"),
        (DatabaseError("damaged", "x"), "backup"),
        (DatabaseError("other", "some text"), "some text"),
        (FileNotFoundError(), "not there"),
        (PermissionError(), "right"),
        (OSError("odd"), "odd"),
    ],
)
def test_troubles_are_explained(error: Exception, says: str) -> None:
    assert says in explain(error, Path("a.db"))


def test_only_a_lock_is_waited_for() -> None:
    assert is_busy(DatabaseError("busy", "x"))
    assert not is_busy(DatabaseError("full", "x"))
    assert not is_busy(OSError())
