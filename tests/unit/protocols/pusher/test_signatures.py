"""Signatures: the protocol's vectors, what is covered by them, and what must be refused."""

from __future__ import annotations

import time
from collections.abc import Mapping
from urllib.parse import quote, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidings.commands import Grant
from tidings.errors import Refusal
from tidings.ids import ChannelName, SessionId
from tidings.protocols.http import Request
from tidings.protocols.pusher.signatures import (
    CLOCK_WINDOW,
    MAX_AUTH,
    MAX_USER_DATA,
    MAX_USER_INFO,
    MAX_WATCHLIST,
    PusherSignature,
    PusherUserSignature,
    body_md5,
    channel_text,
    read_member,
    request_text,
    sign,
    sign_webhook,
    user_text,
    verify,
    verify_request,
)

KEY, SECRET = "278d425bdf160c739803", "7ad3773142a6692b25b8"
SECRETS = {KEY: SECRET}
SESSION = SessionId("1234.1234")
NOW = 1353088179


def proof(channel: str, channel_data: str | None = None, *, secret: str = SECRET) -> PusherSignature:
    signature = sign(secret, channel_text(SESSION, channel, channel_data))
    return PusherSignature(f"{KEY}:{signature}", channel_data)


def refusal(signature: PusherSignature, channel: str, session: str = SESSION) -> str:
    with pytest.raises(Refusal) as refused:
        signature.verify(SECRETS, SessionId(session), ChannelName(channel))
    return refused.value.name


# ── the vectors of the protocol


def test_the_vector_of_a_private_channel() -> None:
    text = channel_text(SESSION, "private-foobar")
    assert text == "1234.1234:private-foobar"
    assert sign(SECRET, text) == "58df8b0c36d6982b82c3ecf6b4662e34fe8c25bba48f5369f135bf843651c3a4"


def test_the_vector_of_a_user() -> None:
    text = user_text(SESSION, '{"id":"12345"}')
    assert sign(SECRET, text) == "4708d583dada6a56435fb8bc611c77c359a31eebde13337c16ab43aa6de336ba"


def test_the_vector_of_a_presence_channel() -> None:
    data = '{"user_id":10,"user_info":{"name":"Mr. Channels"}}'
    text = channel_text(SESSION, "presence-foobar", data)
    assert sign(SECRET, text) == "31935e7d86dba64c2a90aed31fdc61869f9b22ba9d8863bba239c03ca481bc80"


def test_the_vector_of_a_request() -> None:
    body = b'{"name":"foo","channels":["project-3"],"data":"{\\"some\\":\\"data\\"}"}'
    parameters = [
        ("auth_version", "1.0"),
        ("auth_timestamp", "1353088179"),
        ("auth_key", KEY),
        ("body_md5", body_md5(body)),
    ]
    assert body_md5(body) == "ec365a775a4cd0599faeb73354201b6f"
    signature = sign(SECRET, request_text("POST", "/apps/3/events", parameters))
    assert signature == "da454824c97ba181a32ccc17a72625ba02771f50b50e1e7430e47a1f3f457e6c"
    query = urlencode([*parameters, ("auth_signature", signature)])
    request = Request(method="POST", path="/apps/3/events", query=query, body=body)
    signed = verify_request(request, SECRETS, NOW)
    assert (signed.signature, signed.expires, signed.parameters) == (signature, NOW + CLOCK_WINDOW, ())


def test_a_webhook_is_signed_over_its_raw_body() -> None:
    assert sign_webhook(SECRET, b'{"time_ms":1}') == sign(SECRET, '{"time_ms":1}')


# ── channels


def test_a_private_channel_grants_no_user() -> None:
    grant = proof("private-a").verify(SECRETS, SESSION, ChannelName("private-a"))
    assert (grant.user, grant.member) == (None, None)


def test_channel_data_is_part_of_the_signature_on_private_channels_too() -> None:
    grant = proof("private-a", '{"user_id":1}').verify(SECRETS, SESSION, ChannelName("private-a"))
    assert grant.member is None
    stripped = PusherSignature(proof("private-a", '{"user_id":1}').auth)
    assert refusal(stripped, "private-a") == "bad_signature"


def test_a_presence_channel_grants_the_signed_member() -> None:
    data = '{"user_id":10, "user_info":{"name" : "Ada"}}'
    grant = proof("presence-a", data).verify(SECRETS, SESSION, ChannelName("presence-a"))
    assert grant.user == "10"
    assert grant.member is not None
    assert (grant.member.user, grant.member.info) == ("10", b'{"name" : "Ada"}')


def test_a_presence_channel_without_channel_data_names_no_member() -> None:
    """The node then takes whoever the connection is signed in as, or refuses (pusher.md 1.8)."""
    assert proof("presence-a").verify(SECRETS, SESSION, ChannelName("presence-a")) == Grant()


@pytest.mark.parametrize(
    "auth", ["", ":", KEY, f"{KEY}:", f"{KEY}:ff", "x:" + "0" * 64, "\ud800:ä", f"{KEY}:\ud800"]
)
def test_a_malformed_proof_proves_nothing(auth: str) -> None:
    assert refusal(PusherSignature(auth), "private-a") == "bad_signature"


def test_a_proof_is_good_for_one_connection_one_channel_and_one_text() -> None:
    good = proof("private-a")
    assert refusal(good, "private-b") == "bad_signature"
    assert refusal(good, "private-a", "1234.1235") == "bad_signature"
    assert refusal(PusherSignature(good.auth, "{}"), "private-a") == "bad_signature"
    assert refusal(proof("private-a", secret="another"), "private-a") == "bad_signature"
    assert refusal(PusherSignature(good.auth.upper()), "private-a") == "bad_signature"


def test_any_of_the_apps_keys_will_do() -> None:
    secrets = {"newer": "s", KEY: SECRET}
    proof("private-a").verify(secrets, SESSION, ChannelName("private-a"))


@pytest.mark.parametrize(
    "session", ["1.1:private-b", "1.1\n", "1", "1.", ".1", "", "1.1 ", "\u0661.\u0661", "1.1:a:b"]
)
def test_a_session_id_of_another_form_is_never_signed(session: str) -> None:
    with pytest.raises(Refusal, match="socket_id"):
        channel_text(SessionId(session), "private-a")
    with pytest.raises(Refusal, match="socket_id"):
        user_text(SessionId(session), "")


@given(
    st.text("0123456789.:\nap-", max_size=12),
    st.text("a:-\nprivate", max_size=12),
    st.none() | st.text(":{\n1"),
)
def test_no_two_requests_share_a_signed_text(session: str, channel: str, data: str | None) -> None:
    try:
        text = channel_text(SessionId(session), channel, data)
    except Refusal:
        return
    parts = text.split(":", 2)
    assert parts == [session, channel] if data is None else parts == [session, channel, data]


def test_an_unknown_key_costs_the_same_work_as_a_wrong_signature() -> None:
    text = "x" * 200_000

    def cost(key: str) -> float:
        started = time.perf_counter()
        assert not verify(SECRETS, key, text, "0" * 64)
        return time.perf_counter() - started

    known, unknown = (min(cost(key) for _ in range(20)) for key in (KEY, "unknown"))
    assert unknown > known / 5  # without a signature made it would be less than a thousandth


# ── members


@pytest.mark.parametrize(
    ("data", "name"),
    [
        ("", "bad_json"),
        ("[]", "bad_message"),
        ("{}", "bad_message"),
        ('{"user_id":""}', "bad_message"),
        ('{"user_id":true}', "bad_message"),
        ('{"user_id":"' + "x" * 129 + '"}', "bad_message"),
        ('{"user_id":"a","user_id":"b"}', "bad_json"),
        ('{"user_id":"a","user_info":{"n":1,"n":2}}', "bad_json"),
        ('{"user_id":"a","user_info":"' + "x" * MAX_USER_INFO + '"}', "member_too_large"),
        ('{"user_id":"a","user_info":' + "[" * 40 + "]" * 40 + "}", "too_deep"),
        ('{"user_id":"\\ud800"}', "bad_json"),
        ("\ud800", "bad_json"),
    ],
)
def test_member_data_that_is_not_right_is_refused(data: str, name: str) -> None:
    with pytest.raises(Refusal) as refused:
        read_member(data)
    assert refused.value.name == name


def test_a_member_may_have_ids_and_info_up_to_the_limits() -> None:
    info = '"' + "x" * (MAX_USER_INFO - 2) + '"'
    member = read_member('{"user_id":"' + "u" * 128 + '","user_info":' + info + "}")
    assert (len(member.user), len(member.info)) == (128, MAX_USER_INFO)
    assert read_member('{"user_id":"a"}').info == b"null"


# ── requests


def signed_request(
    method: str = "GET",
    path: str = "/apps/3/channels",
    *,
    extra: Mapping[str, str] | None = None,
    body: bytes = b"",
    secret: str = SECRET,
    changed: Mapping[str, str] | None = None,
) -> Request:
    """A request signed as the SDKs do, `changed` parameters taking the place of the right ones (`-`: left out)."""
    parameters = {"auth_key": KEY, "auth_timestamp": str(NOW), "auth_version": "1.0", **(extra or {})}
    if body:
        parameters["body_md5"] = body_md5(body)
    parameters.update(changed or {})
    pairs = [(name, value) for name, value in parameters.items() if value != "-"]
    query = urlencode([*pairs, ("auth_signature", sign(secret, request_text(method, path, pairs)))])
    return Request(method=method, path=path, query=query, body=body)


def refused_request(request: Request, now: float = NOW) -> tuple[str, str | None]:
    with pytest.raises(Refusal) as refused:
        verify_request(request, SECRETS, now)
    return refused.value.name, refused.value.field


def changed_request(request: Request, **fields: object) -> Request:
    old = {name: getattr(request, name) for name in request.__struct_fields__}
    return Request(**(old | fields))


def test_a_signed_request_gives_its_own_parameters() -> None:
    signed = verify_request(
        signed_request(extra={"info": "user_count", "Filter_By_Prefix": "a"}), SECRETS, NOW
    )
    assert signed.parameter("info") == "user_count"
    assert signed.parameter("filter_by_prefix") == "a"
    assert signed.parameter("auth_key") == ""


def test_values_are_signed_as_they_read_not_as_they_are_escaped() -> None:
    request = signed_request(extra={"filter_by_prefix": "a=b@c,d;e"})
    assert quote("@") in request.query
    assert verify_request(request, SECRETS, NOW).parameter("filter_by_prefix") == "a=b@c,d;e"


def test_names_are_lower_cased_and_sorted_for_signing() -> None:
    assert request_text("get", "/p", [("B", "2"), ("a", "1"), ("auth_signature", "x")]) == "GET\n/p\na=1&b=2"


def test_a_list_parameter_may_repeat_and_keeps_its_order() -> None:
    pairs = [
        ("auth_key", KEY),
        ("auth_timestamp", str(NOW)),
        ("auth_version", "1.0"),
        ("c[]", "z"),
        ("c[]", "a"),
    ]
    query = urlencode([*pairs, ("auth_signature", sign(SECRET, request_text("GET", "/p", pairs)))])
    signed = verify_request(Request(method="GET", path="/p", query=query), SECRETS, NOW)
    assert signed.parameters_of("c[]") == ("z", "a")


@pytest.mark.parametrize("name", ["auth_key", "auth_timestamp"])
def test_an_unsigned_request_is_told_what_is_missing(name: str) -> None:
    assert refused_request(signed_request(changed={name: "-"})) == ("not_authenticated", name)
    assert refused_request(Request(method="GET", path="/p"))[0] == "not_authenticated"


def test_method_path_parameters_and_order_are_covered() -> None:
    good = signed_request(extra={"info": "a"})
    for changes in (
        {"method": "POST"},
        {"path": "/apps/4/channels"},
        {"query": good.query.replace("info=a", "info=b")},
        {"query": good.query + "&more=1"},
        {"query": good.query.replace("auth_signature=", "auth_signature=0")},
    ):
        assert refused_request(changed_request(good, **changes))[0] == "bad_signature"


@pytest.mark.parametrize(
    "again", ["info=b", "INFO=b", "auth_key=x", "auth_timestamp=1", "body_md5=x&body_md5=y"]
)
def test_parameters_given_twice_are_refused(again: str) -> None:
    good = signed_request(extra={"info": "a"})
    assert refused_request(changed_request(good, query=f"{good.query}&{again}"))[0] == "bad_request"


@pytest.mark.parametrize(
    ("offset", "fine"), [(0, True), (600, True), (-600, True), (601, False), (-601, False)]
)
def test_the_clock_may_differ_by_the_window(offset: int, fine: bool) -> None:
    request = signed_request()
    if fine:
        verify_request(request, SECRETS, NOW + offset)
    else:
        assert refused_request(request, NOW + offset) == ("signature_expired", "auth_timestamp")


@pytest.mark.parametrize(
    "stamp", ["now", "1353088179.5", "-1", "1" * 13, "\u0661\u0662", " 1353088179", "0x1"]
)
def test_a_timestamp_is_whole_seconds(stamp: str) -> None:
    assert refused_request(signed_request(changed={"auth_timestamp": stamp})) == (
        "bad_signature",
        "auth_timestamp",
    )


def test_a_body_must_be_signed_and_be_the_one_received() -> None:
    good = signed_request("POST", "/apps/3/events", body=b"{}")
    verify_request(good, SECRETS, NOW)
    assert refused_request(changed_request(good, body=b"{ }")) == ("bad_signature", "body_md5")
    assert refused_request(changed_request(good, body=b"")) == ("bad_signature", "body_md5")
    unsigned = signed_request("POST", "/apps/3/events", body=b"{}", changed={"body_md5": "-"})
    assert refused_request(unsigned) == ("bad_signature", "body_md5")
    odd = signed_request("POST", "/apps/3/events", body=b"{}", changed={"body_md5": "ä"})
    assert refused_request(odd) == ("bad_signature", "body_md5")


def test_the_fingerprint_of_an_empty_body_may_be_there() -> None:
    verify_request(signed_request(changed={"body_md5": body_md5(b"")}), SECRETS, NOW)


def test_the_key_of_another_app_is_unknown() -> None:
    assert refused_request(signed_request(changed={"auth_key": "other"}))[0] == "bad_signature"
    assert refused_request(signed_request(secret="other"))[0] == "bad_signature"


def test_another_version_of_signing_is_not_known() -> None:
    assert refused_request(signed_request(changed={"auth_version": "2.0"})) == (
        "bad_signature",
        "auth_version",
    )


# ── signing in (pusher.md 3.3, 1.11, 1.12)


def user_proof(user_data: str, *, secret: str = SECRET) -> PusherUserSignature:
    return PusherUserSignature(f"{KEY}:{sign(secret, user_text(SESSION, user_data))}", user_data)


def sign_in_refusal(credential: PusherUserSignature) -> str:
    with pytest.raises(Refusal) as refused:
        credential.verify(SECRETS, SESSION)
    return refused.value.name


def test_the_vector_of_the_protocol_signs_a_user_in() -> None:
    signature = "4708d583dada6a56435fb8bc611c77c359a31eebde13337c16ab43aa6de336ba"
    grant = PusherUserSignature(f"{KEY}:{signature}", '{"id":"12345"}').verify(SECRETS, SESSION)
    assert (grant.user, grant.data, grant.info) == ("12345", b'{"id":"12345"}', b"null")


def test_user_data_holds_the_user_what_others_may_see_and_the_watchlist() -> None:
    data = '{"id":7,"user_info":{"name":"Ada"},"watchlist":["a",8,"a"],"more":1}'
    grant = user_proof(data).verify(SECRETS, SESSION)
    assert (grant.user, grant.info, grant.watchlist) == ("7", b'{"name":"Ada"}', ("a", "8"))
    assert not grant.watchlist_cut


def test_a_watchlist_is_cut_at_its_limit() -> None:
    names = ",".join(f'"{n}"' for n in range(MAX_WATCHLIST + 1))
    grant = user_proof(f'{{"id":"7","watchlist":[{names}]}}').verify(SECRETS, SESSION)
    assert grant.watchlist == tuple(str(n) for n in range(MAX_WATCHLIST))
    assert grant.watchlist_cut


@pytest.mark.parametrize(
    ("user_data", "name"),
    [
        ("", "bad_json"),
        ("{", "bad_json"),
        ("[]", "bad_message"),
        ("{}", "bad_message"),
        ('{"id":""}', "bad_message"),
        ('{"id":null}', "bad_message"),
        ('{"id":true}', "bad_message"),
        ('{"id":["7"]}', "bad_message"),
        ('{"id":"' + "x" * 129 + '"}', "bad_message"),
        ('{"id":"a\\nb"}', "bad_message"),
        ('{"id":"7","id":"8"}', "bad_json"),
        ('{"id":"7","watchlist":"8"}', "bad_message"),
        ('{"id":"7","watchlist":[null]}', "bad_message"),
        ('{"id":"7","user_info":"' + "x" * MAX_USER_INFO + '"}', "member_too_large"),
        ('{"id":"7","x":' + "[" * 33 + "]" * 33 + "}", "too_deep"),
        ("x" * (MAX_USER_DATA + 1), "bad_signature"),
    ],
)
def test_user_data_that_is_not_proper_is_refused_although_it_is_signed(user_data: str, name: str) -> None:
    assert sign_in_refusal(user_proof(user_data)) == name


@pytest.mark.parametrize("auth", ["", ":", KEY, f"{KEY}::user::0", "x:" + "0" * 64, "x" * (MAX_AUTH + 1)])
def test_a_malformed_sign_in_proves_nothing(auth: str) -> None:
    assert sign_in_refusal(PusherUserSignature(auth, '{"id":"7"}')) == "bad_signature"


def test_a_sign_in_is_bound_to_secret_session_and_data() -> None:
    good = user_proof('{"id":"7"}')
    assert sign_in_refusal(user_proof('{"id":"7"}', secret="other")) == "bad_signature"
    assert sign_in_refusal(PusherUserSignature(good.auth, '{"id":"8"}')) == "bad_signature"
    with pytest.raises(Refusal):
        good.verify(SECRETS, SessionId("1234.1235"))


@pytest.mark.parametrize("name", ["#server-to-user-7", "#server-to-user-a:b"])
def test_no_signature_is_made_for_a_users_own_channel(name: str) -> None:
    with pytest.raises(Refusal):
        channel_text(SESSION, name)
