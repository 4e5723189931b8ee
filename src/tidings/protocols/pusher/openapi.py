"""The OpenAPI document of the Pusher HTTP API, made from its routes. Holds no endpoint: what a route does it describes.

`GET /openapi.json` answers it. Every route must have an entry in `_OPERATIONS`; there is no other list of paths.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, Final

from tidings.protocols.http import Host, Request, Response, Route, json_response
from tidings.protocols.pusher.names import MAX_CHANNEL_NAME, MAX_EVENT_NAME, MAX_USER_ID

VERSION: Final = "3.1.0"
Schema = dict[str, Any]

_CHANNEL: Final[Schema] = {
    "type": "string",
    "pattern": r"^(#server-to-user-.+|[-A-Za-z0-9_=@,.;]+)$",
    "minLength": 1,
    "maxLength": MAX_CHANNEL_NAME,
}
_SOCKET: Final[Schema] = {"type": "string", "pattern": r"^[0-9]{1,20}\.[0-9]{1,20}$"}
_NAME: Final[Schema] = {"type": "string", "minLength": 1, "maxLength": MAX_EVENT_NAME}
_COUNTS: Final[Schema] = {
    "type": "object",
    "properties": {"user_count": {"type": "integer"}, "subscription_count": {"type": "integer"}},
    "additionalProperties": False,
}
_EMPTY: Final[Schema] = {"type": "object", "maxProperties": 0}


def _object(*required: str, **properties: Schema) -> Schema:
    return {"type": "object", "properties": properties, "required": list(required)}


def _ref(name: str) -> Schema:
    return {"$ref": f"#/components/schemas/{name}"}


_EVENT: Final[Schema] = {
    "name": _NAME,
    "data": {"description": "A text, or any JSON value, which is then sent as its text."},
    "channel": _CHANNEL,
    "socket_id": {**_SOCKET, "description": "The connection that does not get the event."},
    "info": {"type": "string", "description": "user_count, subscription_count, or both with a comma."},
}

_SCHEMAS: Final[dict[str, Schema]] = {
    "Event": _object(
        "name", "data", **_EVENT, channels={"type": "array", "items": _CHANNEL, "maxItems": 100}
    ),
    "Batch": _object(
        "batch",
        batch={
            "type": "array",
            "minItems": 1,
            "maxItems": 10,
            "items": _object("name", "data", "channel", **_EVENT),
        },
    ),
    "Empty": _EMPTY,
    "Counts": _COUNTS,
    "Published": {
        "anyOf": [
            _EMPTY,
            _object("channels", channels={"type": "object", "additionalProperties": _ref("Counts")}),
        ]
    },
    "BatchPublished": {"anyOf": [_EMPTY, _object("batch", batch={"type": "array", "items": _ref("Counts")})]},
    "Channels": _object("channels", channels={"type": "object", "additionalProperties": _ref("Counts")}),
    "Channel": _object(
        "occupied",
        occupied={"type": "boolean"},
        user_count={"type": "integer"},
        subscription_count={"type": "integer"},
        cache={
            "anyOf": [
                {"type": "null"},
                _object("data", "ttl", data={"type": "string"}, ttl={"type": "integer"}),
            ]
        },
    ),
    "Users": _object("users", users={"type": "array", "items": _object("id", id={"type": "string"})}),
}


class _Operation:
    """What an endpoint takes and gives. body, answer: names of schemas, or a schema itself."""

    def __init__(
        self,
        name: str,
        summary: str,
        answer: str,
        *,
        status: str = "200",
        body: str | Schema | None = None,
        body_required: bool = True,
        query: tuple[Schema, ...] = (),
    ) -> None:
        self.name = name
        self.summary = summary
        self.answer = answer
        self.status = status
        self.body = body
        self.body_required = body_required
        self.query = query


def _query(name: str, schema: Schema, description: str, *, required: bool = False) -> Schema:
    return {
        "name": name,
        "in": "query",
        "required": required,
        "schema": schema,
        "description": description,
    }


_INFO: Final = _query("info", {"type": "string"}, "Attributes, with commas between them.")

_OPERATIONS: Final[dict[tuple[str, str], _Operation]] = {
    ("POST", "/apps/{app_id}/events"): _Operation(
        "publish", "Publish one event to channels", "Published", body="Event"
    ),
    ("POST", "/apps/{app_id}/batch_events"): _Operation(
        "publishBatch", "Publish several events, each to one channel", "BatchPublished", body="Batch"
    ),
    ("POST", "/apps/{app_id}/channels/{channel}/events"): _Operation(
        "publishOld",
        "Publish one event; the body is its data (the old form)",
        "Empty",
        status="202",
        body={},
        body_required=False,
        query=(
            _query("name", _NAME, "The event's name.", required=True),
            _query("socket_id", _SOCKET, "The connection that does not get the event."),
        ),
    ),
    ("GET", "/apps/{app_id}/channels"): _Operation(
        "channels",
        "Occupied channels",
        "Channels",
        query=(_query("filter_by_prefix", {"type": "string"}, "How the names begin."), _INFO),
    ),
    ("GET", "/apps/{app_id}/channels/{channel}"): _Operation(
        "channel", "One channel: user_count, subscription_count, cache", "Channel", query=(_INFO,)
    ),
    ("GET", "/apps/{app_id}/channels/{channel}/users"): _Operation(
        "users", "Who is in a presence channel", "Users"
    ),
    ("POST", "/apps/{app_id}/users/{user_id}/terminate_connections"): _Operation(
        "terminateConnections",
        "End the connections that are signed in as a user",
        "Empty",
        body={"type": "object"},
        body_required=False,
    ),
    ("POST", "/users/{user_id}/terminate_connections"): _Operation(
        "terminateConnectionsByKey",
        "The same, as the Python SDK asks it: the app is that of the key",
        "Empty",
        body={"type": "object"},
        body_required=False,
    ),
}

_PATH: Final[dict[str, Schema]] = {
    "app_id": {"type": "string", "minLength": 1},
    "channel": _CHANNEL,
    "user_id": {
        "type": "string",
        "pattern": "^[^/\\x00-\\x1f\\x7f]+$",
        "minLength": 1,
        "maxLength": MAX_USER_ID,
    },
}

_SIGNING: Final = tuple(
    {"name": name, "in": "query", "required": required, "schema": schema, "description": description}
    for name, required, schema, description in (
        ("auth_key", True, {"type": "string"}, "A key of the app."),
        ("auth_timestamp", True, {"type": "string", "pattern": "^[0-9]{1,12}$"}, "Unix seconds, within 600."),
        ("auth_version", True, {"const": "1.0"}, "The version of the signature."),
        ("body_md5", False, {"type": "string"}, "MD5 of the body in hexadecimal, where there is a body."),
        ("auth_signature", True, {"type": "string"}, "HMAC-SHA256 in hexadecimal; see pusher.md 3.1."),
    )
)

_REFUSALS: Final = {
    "400": "The request is wrong; the text says where.",
    "401": "The signature does not fit, is too old, or was accepted before.",
    "403": "The app is switched off or over its quota.",
    "404": "There is no such app.",
    "405": "The path knows other methods.",
    "413": "The data is above the limit, which the text names.",
    "422": "The idempotency key was used for another message.",
    "429": "More than the rate limit.",
    "503": "The log cannot be written just now; send it again.",
    "507": "The log's disk is full.",
}


def document(routes: Iterable[Route]) -> Schema:
    """The OpenAPI document of some routes. Raises KeyError for a route that is not described."""
    paths: dict[str, dict[str, Schema]] = {}
    for route in routes:
        paths.setdefault(route.pattern, {})[route.method.lower()] = _operation(route)
    return {
        "openapi": VERSION,
        "info": {
            "title": "Tidings: Pusher HTTP API",
            "version": "1.0",
            "description": "What the server SDKs of Pusher Channels speak. Success means that it is stored.",
        },
        "paths": paths,
        "components": {"schemas": _SCHEMAS, "parameters": {p["name"]: p for p in _SIGNING}},
    }


def _operation(route: Route) -> Schema:
    described = _OPERATIONS[route.method, route.pattern]
    parameters: list[Schema] = [
        {"name": name, "in": "path", "required": True, "schema": _PATH[name]}
        for name in re.findall(r"{(\w+)}", route.pattern)
    ]
    parameters += described.query
    parameters += [{"$ref": f"#/components/parameters/{p['name']}"} for p in _SIGNING]
    if route.method == "POST" and "terminate" not in described.name:
        key = {"type": "string", "minLength": 1, "maxLength": 128, "pattern": "^[ -~]+$"}
        parameters.append({"name": "Idempotency-Key", "in": "header", "required": False, "schema": key})
    told: Schema = {
        "operationId": described.name,
        "summary": described.summary,
        "parameters": parameters,
        "responses": {described.status: _answer(described), **_refusals()},
    }
    if described.body is not None:
        schema = _ref(described.body) if isinstance(described.body, str) else described.body
        told["requestBody"] = {
            "required": described.body_required,
            "content": {"application/json": {"schema": schema}},
        }
    return told


def _answer(described: _Operation) -> Schema:
    return {"description": "Done.", "content": {"application/json": {"schema": _ref(described.answer)}}}


def _refusals() -> dict[str, Schema]:
    # The server refuses what it cannot even take for a request before the API sees it, and says so in JSON.
    text: Schema = {"text/plain": {"schema": {"type": "string"}}, "application/json": {"schema": {}}}
    name = {"tidings-error": {"schema": {"type": "string"}, "description": "The name in the catalogue."}}
    return {
        status: {"description": meaning, "content": text, "headers": name}
        for status, meaning in _REFUSALS.items()
    }


def openapi_route(routes: Iterable[Route]) -> Route:
    """`GET /openapi.json` for these routes."""
    response = json_response(document(routes))

    async def handle(request: Request, host: Host) -> Response:
        return response

    return Route("GET", "/openapi.json", handle)
