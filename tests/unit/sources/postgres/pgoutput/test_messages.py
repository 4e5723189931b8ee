"""The text of a decode error."""

from __future__ import annotations

import pytest

from tidings.errors import SourceError
from tidings.sources.postgres.pgoutput.messages import DecodeError


@pytest.mark.parametrize(
    ("kind", "name"), [(ord("I"), "'I'"), (0, "0x00"), (ord("\\"), "0x5c"), (200, "0xc8"), (None, "nothing")]
)
def test_a_decode_error_names_the_message_and_the_place(kind: int | None, name: str) -> None:
    error = DecodeError(kind, 7, "it ends too early")
    assert isinstance(error, SourceError)
    assert (error.kind, error.offset) == (kind, 7)
    assert str(error) == (
        f"the database sent a replication message {name} that cannot be read at byte 7: it ends too early"
    )
