"""Channel and event names: what is let through, what a prefix turns on."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidings.errors import Refusal
from tidings.hub.channel import ChannelOptions
from tidings.protocols.pusher.names import (
    CHANNEL_PATTERN,
    ChannelTraits,
    default_options,
    is_presence,
    user_of,
    validate_channel,
    validate_event,
)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("orders", ChannelTraits()),
        ("privateer", ChannelTraits()),
        ("presence", ChannelTraits()),
        ("cache-prices", ChannelTraits(cache=True)),
        ("private-orders", ChannelTraits(require_auth=True, client_events=True)),
        ("private-cache-a", ChannelTraits(require_auth=True, client_events=True, cache=True)),
        ("private-encrypted-a", ChannelTraits(require_auth=True)),
        ("private-encrypted-cache-a", ChannelTraits(require_auth=True, cache=True)),
        ("presence-room", ChannelTraits(require_auth=True, presence=True, client_events=True)),
        (
            "presence-cache-room",
            ChannelTraits(require_auth=True, presence=True, client_events=True, cache=True),
        ),
    ],
)
def test_a_prefix_says_what_a_channel_allows(name: str, options: ChannelTraits) -> None:
    assert default_options(name) == options


def test_traits_are_options_of_a_channel_by_their_names() -> None:
    options = ChannelOptions(**msgspec.structs.asdict(default_options("presence-cache-a")))
    assert (options.require_auth, options.presence, options.client_events, options.cache) == (True,) * 4
    assert ChannelOptions(**msgspec.structs.asdict(default_options("a"))) == ChannelOptions()


def test_only_presence_channels_have_members() -> None:
    assert is_presence("presence-a")
    assert not is_presence("private-a")


@pytest.mark.parametrize("name", ["a", "A-z_0=@,.;9", "x" * 200, "private-user.7"])
def test_allowed_names_come_back_as_they_are(name: str) -> None:
    assert validate_channel(name) == name


@pytest.mark.parametrize(
    "name",
    [
        "",
        "a b",
        "a:b",
        "a\n",
        "\na",
        "ä",
        "a/b",
        "a#b",
        "#users-1",
        "#server-to-user-",
        "#server-to-user-a\n",
        "#a",
        "a*",
        "a>",
        "\ud800",
        "x" * 201,
    ],
)
def test_other_names_are_refused_with_the_field(name: str) -> None:
    with pytest.raises(Refusal) as refused:
        validate_channel(name)
    assert (refused.value.name, refused.value.field) == ("bad_channel", "channel")


def test_a_name_above_the_limit_is_told_the_limit() -> None:
    with pytest.raises(Refusal) as refused:
        validate_channel("x" * 165, max_length=164)
    assert refused.value.limit == 164


@given(st.text(max_size=210))
def test_no_name_passes_that_could_break_a_signed_text(name: str) -> None:
    try:
        validate_channel(name)
    except Refusal:
        return
    if user_of(name) is not None:  # no signature opens these
        return
    assert CHANNEL_PATTERN.fullmatch(name)
    assert not set(name) & set(":\n# /*>")


@pytest.mark.parametrize("name", ["App\\Events\\OrderShipped", "client-typing", "ä.b", "x" * 200, ".dotted"])
def test_event_names_are_free(name: str) -> None:
    assert validate_event(name) == name


@pytest.mark.parametrize(
    "name",
    ["", "x" * 201, "pusher:error", "pusher_internal:member_added", "tidings:reset", "phx_reply", "a\ud800"],
)
def test_reserved_and_unsayable_events_are_refused(name: str) -> None:
    with pytest.raises(Refusal) as refused:
        validate_event(name)
    assert refused.value.name == "bad_event"
