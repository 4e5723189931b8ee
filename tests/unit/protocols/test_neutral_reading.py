"""A client reads what a server wrote, and nothing that no server of ours writes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.protocols.nouns import plainly, pushes
from tidings.errors import RemoteProtocolError
from tidings.protocols.neutral_reading import decode_push
from tidings.protocols.neutral_writing import encode_push
from tidings.pushes import Goodbye, Push, Refused


@given(pushes)
def test_what_is_written_is_read_as_it_was_meant(push: Push) -> None:
    assert plainly(decode_push(encode_push(push))) == plainly(push)


def test_a_type_of_a_newer_server_is_passed_over() -> None:
    assert decode_push(b'{"type":"weather","sun":true}') is None


def test_an_error_of_a_newer_server_is_still_an_error() -> None:
    error = b'{"code":199,"name":"too_blue","message":"too blue","retry":false}'
    push = decode_push(b'{"type":"reply","ok":false,"command":"publish","error":%b}' % error)
    assert isinstance(push, Refused)
    assert "too blue" in push.refusal.text


def test_a_goodbye_of_a_newer_server_still_says_whether_to_return() -> None:
    for retry in (True, False):
        told = b'{"type":"goodbye","code":399,"name":"new","message":"m","retry":%b}'
        push = decode_push(told % (b"true" if retry else b"false"))
        assert isinstance(push, Goodbye)
        assert push.disconnect.reason.retry is retry


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{",
        b"[]",
        b'{"type":1}',
        b'{"type":"reset"}',
        b'{"type":"reset","channels":[],"reason":"epoch","cursor":"later"}',
        b'{"type":"reply","ok":false,"command":"publish"}',
        b'{"type":"message","id":"\xff","channel":"a","event":"b","data":1,"time":0}',
        b'{"type":"heartbeat","time":' + b"[" * 5000,
    ],
)
def test_what_cannot_be_read_is_the_servers_fault(data: bytes) -> None:
    with pytest.raises(RemoteProtocolError):
        decode_push(data)


@given(st.binary(max_size=60))
def test_no_bytes_raise_anything_else(data: bytes) -> None:
    try:
        decode_push(data)
    except RemoteProtocolError:
        pass
