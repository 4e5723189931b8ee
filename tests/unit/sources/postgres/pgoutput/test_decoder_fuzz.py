"""The fuzz target's properties: over the corpus from real servers, over mutations of it, and under hypothesis."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fuzz.fuzz_pgoutput import CONVERTERS, CORPUS, TARGETS, one_input, read_any_frame, read_value, streaming
from tidings.sources.postgres.pgoutput.decoder import Decoder
from tidings.sources.postgres.pgoutput.messages import DecodeError

FILES = sorted(CORPUS.glob("*.bin"))

MUTATIONS = 60
"""For each file: the whole run takes a second or two."""

STRUCTURE = st.text('{}[]()",;:=\\ne1.- NULtf', max_size=24).map(str.encode)


@pytest.mark.parametrize("file", FILES, ids=[file.stem for file in FILES])
def test_what_real_servers_sent_is_read(file: Path) -> None:
    data = file.read_bytes()
    one_input(data)
    decoder = (Decoder(4), streaming(), Decoder(4, parallel=True))[data[0]]
    decoder.decode(data[1:])


def test_the_corpus_holds_every_message() -> None:
    kinds = {chr(file.read_bytes()[1]) for file in FILES}
    assert kinds == set("BCORYIUDTMSEcAbPKrp")
    assert len(FILES) < 60


@pytest.mark.parametrize("file", FILES, ids=[file.stem for file in FILES])
def test_mutations_of_it_are_read_or_refused(file: Path) -> None:
    random = Random(file.name)
    data = file.read_bytes()
    for _ in range(MUTATIONS):
        one_input(data[:1] + mutated(data[1:], random))


def mutated(data: bytes, random: Random) -> bytes:
    made = bytearray(data)
    for _ in range(random.randint(1, 4)):
        at = random.randrange(len(made) + 1)
        match random.randrange(4):
            case 0:
                made[at : at + 1] = bytes([random.choice((0, 1, 127, 128, 255, random.randrange(256)))])
            case 1:
                del made[at : at + random.randint(1, 8)]
            case 2:
                made[at:at] = random.randbytes(random.randint(1, 8))
            case _:
                made[at:at] = made[at : at + random.randint(1, 16)]
    return bytes(made)


@pytest.mark.parametrize("target", TARGETS)
@settings(max_examples=300, deadline=None)
@given(data=st.binary(max_size=80))
def test_anything_is_read_or_refused(target: object, data: bytes) -> None:
    assert callable(target)
    target(data)
    one_input(data)


@settings(max_examples=1000, deadline=None)
@given(st.integers(0, len(CONVERTERS) - 1), STRUCTURE)
def test_text_that_is_nearly_a_value_is_read_or_refused(kind: int, text: bytes) -> None:
    read_value(bytes([kind]) + text)


@given(st.sampled_from(b"wk"), st.binary(max_size=40))
def test_bytes_that_are_nearly_a_frame_are_read_or_refused(kind: int, data: bytes) -> None:
    read_any_frame(bytes([kind]) + data)


def test_the_target_sees_a_message_that_is_read_although_it_is_too_long(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("tidings.sources.postgres.pgoutput.transactions.ended", lambda data, at: None)
    with pytest.raises(AssertionError, match="too long"):
        TARGETS[0](b"B" + bytes(20))


def test_the_stream_of_the_target_is_open() -> None:
    assert streaming().in_stream
    with pytest.raises(DecodeError):
        streaming().decode(b"B" + bytes(20))
