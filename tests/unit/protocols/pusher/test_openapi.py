"""The OpenAPI document: it has every route and nothing else, and its references lead somewhere."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from tests.unit.protocols.pusher.test_api import MemoryHost
from tidings.protocols.http import Request, Route, json_response
from tidings.protocols.pusher.api import ROUTES
from tidings.protocols.pusher.openapi import document


def described() -> dict[str, Any]:
    return document([route for route in ROUTES if route.pattern != "/openapi.json"])


def test_every_route_is_described() -> None:
    told = {(method.upper(), path) for path, item in described()["paths"].items() for method in item}
    assert told == {(route.method, route.pattern) for route in ROUTES} - {("GET", "/openapi.json")}


def test_a_route_that_nobody_described_is_noticed() -> None:
    async def handle(request: Request, host: Any) -> Any:
        return json_response({})

    with pytest.raises(KeyError):
        document([Route("GET", "/new", handle)])


def test_every_reference_leads_somewhere() -> None:
    told = described()
    for reference in re.findall(r'"\$ref": "#/([^"]+)"', json.dumps(told)):
        at = told
        for name in reference.split("/"):
            at = at[name]
        assert at


def test_every_operation_says_its_path_parameters_and_its_signature() -> None:
    for path, method, operation in operations():
        parameters = operation["parameters"]
        names = {parameter["name"] for parameter in parameters if parameter.get("in") == "path"}
        assert names == set(re.findall(r"{(\w+)}", path)), (method, path)
        assert {"$ref": "#/components/parameters/auth_signature"} in parameters


def operations() -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, item in described()["paths"].items():
        for method, operation in item.items():
            yield path, method, operation


async def test_it_is_served() -> None:
    (route,) = (route for route in ROUTES if route.pattern == "/openapi.json")
    response = await route.handler(Request(method="GET", path="/openapi.json"), MemoryHost())
    assert (response.status, json.loads(response.body)) == (200, described())
