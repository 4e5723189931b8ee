"""The OpenAPI document against the server it describes: schemathesis makes requests from it, right and wrong ones.

Each is signed as an SDK would sign it, so that it gets past the door. A status or body that the document does not
have, or any 5xx, is a failure.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.clients import local
from tests.fixtures.fix_server import Running
from tidings.protocols.pusher.api import ROUTES
from tidings.protocols.pusher.openapi import document
from tidings.protocols.pusher.signatures import body_md5, request_text, sign

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]
SIGNING = ("auth_key", "auth_timestamp", "auth_version", "auth_signature", "body_md5")


@pytest.fixture(scope="module")
def server() -> Iterator[Running]:
    with local.server() as found:
        yield found


def operations(schema: Any) -> Iterator[Any]:
    """The operations of a document; one that schemathesis cannot read raises."""
    for found in schema.get_all_operations():
        yield found.ok()


SCHEMA = schemathesis.openapi.from_dict(
    document([route for route in ROUTES if route.pattern != "/openapi.json"])
)
OPERATIONS = {found.label: found for found in operations(SCHEMA)}


def signed(request: Any) -> Any:
    """Sign a request that is ready to be sent, over what it is by then (an `auth` of the requests library)."""
    parts = urlsplit(request.url)
    body = request.body or b""
    body = body.encode() if isinstance(body, str) else bytes(body)
    pairs = [pair for pair in parse_qsl(parts.query, keep_blank_values=True) if pair[0] not in SIGNING]
    pairs += [("auth_key", local.KEY), ("auth_timestamp", str(int(time.time()))), ("auth_version", "1.0")]
    pairs += [("body_md5", body_md5(body))] if body else []
    text = request_text(request.method, unquote(parts.path), pairs)
    pairs.append(("auth_signature", sign(local.SECRET, text)))
    request.url = parts._replace(query=urlencode(pairs)).geturl()
    return request


@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE], ids=["right", "wrong"])
@pytest.mark.parametrize("label", OPERATIONS)
def test_the_server_does_what_its_document_says(server: Running, label: str, mode: GenerationMode) -> None:
    @settings(
        max_examples=40,
        deadline=None,
        database=None,
        derandomize=True,
        suppress_health_check=list(HealthCheck),
    )
    @given(case=OPERATIONS[label].as_strategy(generation_mode=mode))
    def ask(case: Any) -> None:
        if "app_id" in case.path_parameters:
            case.path_parameters["app_id"] = local.APP
        response = case.call(base_url=f"http://127.0.0.1:{server.port}", auth=signed)
        case.validate_response(response, checks=CHECKS)
        seen.append(response.status_code)

    seen: list[int] = []
    ask()
    assert seen


def test_the_document_served_is_the_one_that_was_tried(server: Running) -> None:
    served = schemathesis.openapi.from_url(f"http://127.0.0.1:{server.port}/openapi.json")
    assert {found.label for found in operations(served)} == set(OPERATIONS)
