"""Fuzzes plain WebSocket frames: any text is a command or a Refusal, and what is read can be written again.

`python fuzz/fuzz_plain.py -max_total_time=60`. Its hypothesis twin is in tests/unit/protocols/plain/test_server.py.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

import atheris

with atheris.instrument_imports():
    from tidings.commands import Command
    from tidings.errors import Refusal
    from tidings.protocols.plain.messages import decode_command, encode_command
    from tidings.protocols.plain.server import PlainServer
    from tidings.pushes import Refused


HOLES = (
    "?",
    '{"type":"?"}',
    '{"type":"ping","ref":?}',
    '{"type":"subscribe","channel":?,"cursor":"1f2e3d4c:1"}',
    '{"type":"subscribe","channels":["a",?]}',
    '{"type":"subscribe","channel":"a","cursor":"?"}',
    '{"type":"publish","channel":"a","event":"?","data":1}',
    '{"type":"publish","channel":"a","event":"e","data":?}',
    '{"type":"publish","channel":"a","event":"e","data":1,"key":"?"}',
    '{"type":"track","channel":"a","info":?}',
    '{"type":"token","token":"?"}',
)
"""Frames with a hole for the fuzzer: the JSON reader is compiled, so nothing guides it to a whole frame by itself."""


def one_frame(data: bytes) -> None:
    """Feed one frame; an exception other than Refusal, or a command that changes on the way, is a finding."""
    hole = HOLES[data[0] % len(HOLES)] if data else "?"
    # Lone surrogates too, as a careless carrier may let them through.
    text = hole.replace("?", data[1:].decode("utf-8", "surrogateescape"))
    server = PlainServer()
    refused = None
    commands: Sequence[Command] = ()
    try:
        commands = server.receive(text)
    except Refusal as refusal:
        refused = refusal
    if refused is not None:
        assert len(server.push(Refused(command="", refusal=refused))) == 1
    for command in commands:
        assert decode_command(encode_command(command), max_data_bytes=1 << 20) == command


if __name__ == "__main__":
    atheris.Setup(sys.argv, one_frame)
    atheris.Fuzz()
