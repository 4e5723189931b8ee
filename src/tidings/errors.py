"""Every error that Tidings can tell, in one catalogue. How each protocol spells them is in its `codes.py`.

TidingsError
├── Refusal             no to a command or request; the connection lives on
├── Unsubscription      the end of one subscription
├── Disconnect          the end of a connection
├── ConfigError         a setting is wrong; names the setting and the fix
├── EngineError         the log cannot do what was asked
│   └── EngineUnavailable   for now; asking again later may work
├── SourceError         a change source cannot go on
├── LocalProtocolError  our own caller broke a protocol's rules
└── RemoteProtocolError the peer did
"""

from __future__ import annotations

from typing import Final

import msgspec


class Reason(msgspec.Struct, frozen=True):
    """An entry of the catalogue.

    code: stable number. 100-199 refuse, 200-299 end a subscription, 300-399 end a connection.
    status: the HTTP status that says the same.
    retry: whether the same request may succeed later without being changed.
    """

    code: int
    name: str
    status: int
    meaning: str
    fix: str
    retry: bool = False


_REFUSALS: Final = (
    Reason(
        100, "bad_json", 400, "the text is not JSON", "send one JSON value in UTF-8, without lone surrogates"
    ),
    Reason(
        101, "bad_message", 400, "a field is missing or has the wrong type", "correct the field that is named"
    ),
    Reason(102, "unknown_command", 400, "no such command or event", "see the protocol's list of messages"),
    Reason(
        103, "bad_channel", 400, "the channel name is not allowed", "use letters, digits and _ - = @ , . ;"
    ),
    Reason(104, "bad_event", 400, "the event name is not allowed", "use a shorter name that is not reserved"),
    Reason(
        105,
        "message_too_large",
        413,
        "the message's data is above the limit",
        "send an id and let clients refetch",
    ),
    Reason(106, "too_deep", 400, "the JSON is nested above the limit", "flatten the data"),
    Reason(
        107, "too_many_channels", 400, "more channels than the limit", "spread them over several requests"
    ),
    Reason(
        108,
        "bad_cursor",
        400,
        "the cursor is not one of ours",
        "start without a cursor, then use what you are given",
    ),
    Reason(109, "bad_request", 400, "the request cannot be understood", "see the reference of the endpoint"),
    Reason(
        110,
        "not_authenticated",
        401,
        "the channel needs a proof of who you are",
        "send a signature or a token",
    ),
    Reason(111, "forbidden", 403, "this user may not do that", "ask for access in the application"),
    Reason(
        112, "bad_signature", 401, "the signature does not fit", "check key, secret and the exact signed text"
    ),
    Reason(
        113,
        "signature_expired",
        401,
        "the signature's time is outside the window",
        "set the clock; sign anew",
    ),
    Reason(
        114, "signature_replayed", 401, "this signed request was already accepted", "sign each request anew"
    ),
    Reason(115, "bad_token", 401, "the token is not valid", "get a new token from the application"),
    Reason(116, "unknown_app", 404, "no app has this id or key", "check the id and the key"),
    Reason(117, "app_disabled", 403, "the app is switched off", "ask whoever runs the server"),
    Reason(118, "not_subscribed", 400, "the connection is not in that channel", "subscribe first"),
    Reason(119, "already_subscribed", 400, "the connection is in that channel already", "subscribe once"),
    Reason(
        120, "client_events_off", 403, "clients may not publish here", "switch on client_events for the app"
    ),
    Reason(121, "rate_limited", 429, "more than the rate limit", "slow down", retry=True),
    Reason(
        122,
        "presence_full",
        403,
        "the presence channel has as many members as it may",
        "use several channels",
    ),
    Reason(123, "member_too_large", 413, "the member's data is above the limit", "send less user data"),
    Reason(
        124,
        "key_reused",
        422,
        "the idempotency key was used for another message",
        "use a new key per message",
    ),
    Reason(
        125, "bad_key", 400, "the idempotency key is not allowed", "use 1 to 128 printable ASCII characters"
    ),
    Reason(
        126,
        "unavailable",
        503,
        "the log cannot be written just now",
        "send it again, with the same key if it had one",
        retry=True,
    ),
    Reason(
        127,
        "storage_full",
        507,
        "the log's disk is full",
        "nothing acknowledged is lost; it goes on by itself when there is space",
        retry=True,
    ),
    Reason(128, "not_found", 404, "there is nothing here", "check the path"),
    Reason(
        129,
        "method_not_allowed",
        405,
        "the method does not fit the path",
        "see the reference of the endpoint",
    ),
    Reason(130, "bad_origin", 403, "the page's origin is not allowed", "add it to the app's origins"),
    Reason(
        131, "busy", 503, "the connection has too many commands under way", "wait for replies", retry=True
    ),
    Reason(
        132, "bad_host", 400, "the Host header is not allowed", "use a host name the server is configured for"
    ),
    Reason(133, "request_too_large", 413, "the request is above the limit", "send less at once"),
    Reason(134, "not_presence", 400, "only presence channels have members", "use a presence- channel"),
    Reason(135, "internal", 500, "the server could not answer", "the fault is in the server's log"),
    Reason(
        136,
        "over_quota",
        403,
        "the app has used up its quota",
        "wait for the next day (UTC), or ask whoever runs the server for more",
    ),
    Reason(
        137,
        "watchlist_too_long",
        400,
        "the watchlist names more users than it may; those beyond are not watched",
        "watch fewer users",
    ),
    Reason(
        138,
        "bad_filter",
        400,
        "the row filter cannot be read",
        "write column=operator.value, and commas between several, such as project_id=eq.42",
    ),
)

_UNSUBSCRIPTIONS: Final = (
    Reason(
        200,
        "revoked",
        403,
        "the right to read the channel has ended",
        "get a new token, then subscribe again",
    ),
    Reason(201, "interrupted", 503, "the channel cannot be followed for now", "subscribe again", retry=True),
)

_DISCONNECTS: Final = (
    Reason(300, "draining", 503, "the server is stopping", "connect again", retry=True),
    Reason(
        301,
        "slow",
        503,
        "the client read too slowly and its buffer is full",
        "connect again with the cursor",
        retry=True,
    ),
    Reason(302, "silent", 408, "the client did not answer in time", "connect again", retry=True),
    Reason(303, "expired", 401, "the token has expired", "get a new token, then connect again"),
    Reason(
        304, "not_signed_in", 401, "the connection did not sign in in time", "authenticate after connecting"
    ),
    Reason(305, "protocol_error", 400, "the peer broke the protocol", "correct the client"),
    Reason(306, "flood", 429, "too many frames", "slow down"),
    Reason(307, "deaf", 503, "the server cannot hear its log", "connect again, to another node", retry=True),
    Reason(
        308,
        "over_capacity",
        503,
        "the server has as many connections as it may",
        "connect again later",
        retry=True,
    ),
    Reason(309, "ended", 403, "the application ended this connection", "ask the application"),
    Reason(310, "frame_too_large", 413, "a frame is above the limit", "send smaller frames"),
    Reason(311, "app_gone", 404, "no app has this key", "check the key"),
    Reason(312, "bad_protocol", 400, "the protocol version is not supported", "use protocol 5, 6 or 7"),
    Reason(313, "app_off", 403, "the app is switched off", "ask whoever runs the server"),
    Reason(
        314,
        "app_full",
        503,
        "the app has as many connections as its quota allows",
        "connect again later",
        retry=True,
    ),
    Reason(
        315,
        "quota_reached",
        403,
        "the app has as many connections as its quota allows",
        "ask whoever runs the server for more",
    ),
)

CATALOGUE: Final[dict[str, Reason]] = {r.name: r for r in (*_REFUSALS, *_UNSUBSCRIPTIONS, *_DISCONNECTS)}
"""Name to entry. docs/reference/errors.md is made from it."""

RESET_REASONS: Final[dict[str, str]] = {
    "retention": "messages after the cursor are no longer kept",
    "epoch": "the log began anew, or was restored; continuity with the cursor's log cannot be proved",
    "ahead": "the cursor is ahead of the log, which was set back to an earlier state unseen",
    "unknown_cursor": "the cursor is not one that this server wrote",
    "unreadable": "a message could not be put into the client's protocol; the server's log says why",
    "source": "the change source lost changes that it can no longer tell",
}
"""Why a channel must be read anew."""


class TidingsError(Exception):
    """The root of all our errors."""


class _Told(TidingsError):
    """An error from the catalogue, with what was wrong this time.

    field: the offending field, when there is one. limit: the limit that was passed, with its unit in `detail`.
    """

    def __init__(
        self, name: str, *, detail: str = "", field: str | None = None, limit: int | None = None
    ) -> None:
        self.reason = CATALOGUE[name]
        self.detail = detail
        self.field = field
        self.limit = limit
        super().__init__(self.text)

    @property
    def name(self) -> str:
        return self.reason.name

    @property
    def text(self) -> str:
        """One sentence for a person: the field, what is wrong, the limit, the fix."""
        where = f"{self.field}: " if self.field else ""
        limit = f" (limit {self.limit})" if self.limit is not None else ""
        return f"{where}{self.detail or self.reason.meaning}{limit}; {self.reason.fix}"


class Refusal(_Told):
    """No to a command or a request. The connection lives on."""


class Unsubscription(_Told):
    """The end of one subscription. The connection lives on."""


class Disconnect(_Told):
    """The end of a connection. `reason.retry` says whether to come back by itself.

    after: seconds to wait before coming back, when the server asks for it.
    """

    def __init__(self, name: str, *, detail: str = "", field: str | None = None, after: float = 0.0) -> None:
        super().__init__(name, detail=detail, field=field)
        self.after = after


class ConfigError(TidingsError):
    """A setting is wrong. The text names the setting, what was given and the fix."""


class EngineError(TidingsError):
    """The log cannot do what was asked."""


class EngineUnavailable(EngineError):
    """The log cannot do it now. `full` when its disk is."""

    def __init__(self, text: str, *, full: bool = False) -> None:
        self.full = full
        super().__init__(text)

    def refusal(self) -> Refusal:
        """What a client is told: try again, and whether the disk is the trouble."""
        return Refusal("storage_full" if self.full else "unavailable", detail=str(self))


class SourceError(TidingsError):
    """A change source cannot go on by itself. The text says what to do."""


class LocalProtocolError(TidingsError):
    """Our own caller broke a protocol's rules."""


class RemoteProtocolError(TidingsError):
    """The peer broke a protocol's rules."""
