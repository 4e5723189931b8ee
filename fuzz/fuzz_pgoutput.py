"""Fuzz target for what Postgres' log tells: pgoutput's messages, frames and the text of values. Holds the properties.

Run `python fuzz/fuzz_pgoutput.py fuzz/corpus/pgoutput [-max_total_time=60]` where atheris is installed. The corpus was
recorded from real servers by tests/sources/record_pgoutput.py. A test runs the same functions under hypothesis.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from pathlib import Path

import msgspec

from tidings.sources.postgres.pgoutput.decoder import Decoder
from tidings.sources.postgres.pgoutput.frames import read_frame
from tidings.sources.postgres.pgoutput.messages import DecodeError
from tidings.sources.postgres.values.types import TypeInfo, Types

CORPUS = Path(__file__).parent / "corpus" / "pgoutput"

MOST_CUTS = 200
"""Places at which one message is cut, so that a long one does not take all the time."""

TOLD = re.compile(
    r"the database sent a replication message ('.'|0x[0-9a-f]{2}|nothing) that cannot be read at byte \d+: [\w ,-]+"
)

_TYPES = Types()
_TYPES.add(
    [
        TypeInfo(100_000, "pair", "c", fields=(("a", 23), ("b", 1009), ("c", 100_000), ("d", 3802))),
        TypeInfo(100_001, "_pair", element=100_000),
        TypeInfo(100_002, "domain", "d", base=100_001),
        TypeInfo(100_003, "nothing", "c"),
    ]
)
CONVERTERS = [
    _TYPES.converter(oid)
    for oid in (16, 20, 22, 30, 25, 114, 701, 1082, 1114, 1184, 1700, 1016, 1009, 1020, 1231, 3807, 199, 1006)
] + [_TYPES.converter(oid) for oid in range(100_000, 100_004)]


def streaming(*, parallel: bool = False) -> Decoder:
    """A decoder that stands between StreamStart and StreamStop."""
    decoder = Decoder(4, parallel=parallel)
    decoder.decode(b"S\0\0\0\1\1")
    return decoder


def read_message(data: bytes) -> None:
    """A message outside a stream."""
    reads_or_refuses(lambda: Decoder(4), data)


def read_streamed(data: bytes) -> None:
    """A message within a stream."""
    reads_or_refuses(streaming, data)


def read_parallel(data: bytes) -> None:
    """A message for a parallel reader."""
    reads_or_refuses(lambda: Decoder(4, parallel=True), data)


def reads_or_refuses(make: Callable[[], Decoder], data: bytes) -> None:
    """What can be read cannot be cut or lengthened; what cannot be read is one error, and changes nothing."""
    decoder = make()
    before = decoder.in_stream
    error = refusal(decoder.decode, data)
    if error is not None:
        assert TOLD.fullmatch(str(error)), str(error)
        assert 0 <= error.offset <= len(data)
        assert decoder.in_stream == before
        return
    assert make().decode(data) == make().decode(data)
    for end in range(0, len(data), len(data) // MOST_CUTS + 1):
        assert refusal(make().decode, data[:end]), "a message that is cut was read"
    assert refusal(make().decode, data + b"\0"), "a message that is too long was read"


def refusal(function: Callable[[bytes], object], data: bytes) -> DecodeError | None:
    """The error, when it is that one; any other is a finding."""
    try:
        function(data)
    except DecodeError as error:
        return error
    return None


def read_any_frame(data: bytes) -> None:
    """A frame is read or refused."""
    error = refusal(read_frame, data)
    assert error is None or TOLD.fullmatch(str(error)), str(error)


def read_value(data: bytes) -> None:
    """A value becomes something that JSON can hold, or ValueError. The first byte chooses the type."""
    if data:
        try:
            value = CONVERTERS[data[0] % len(CONVERTERS)](data[1:])
        except ValueError:
            return
        msgspec.json.encode(value)


TARGETS = (read_message, read_streamed, read_parallel, read_any_frame, read_value)


def one_input(data: bytes) -> None:
    """The first byte chooses the target, the rest is its input."""
    if data:
        TARGETS[data[0] % len(TARGETS)](data[1:])


def main() -> None:
    """Hand over to atheris, which never returns."""
    import atheris

    atheris.instrument_all()
    atheris.Setup(sys.argv, one_input)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
