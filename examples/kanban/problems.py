"""Refusals of the kanban API as problem details (RFC 9457). Decides nothing about what is refused."""

from __future__ import annotations

from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response


class Problem(Exception):
    """A request that cannot be served, told so that the caller can mend it.

    status: HTTP status, 400 to 599.
    code: short stable name for programs, such as `title_too_long`.
    detail: one sentence for people. fix: what to do instead.
    field: the faulty field of the body, header or path. limit: the bound that was passed.
    """

    def __init__(
        self,
        status: int,
        code: str,
        detail: str,
        *,
        fix: str,
        field: str | None = None,
        limit: int | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.code = code
        self.detail = detail
        self.fix = fix
        self.field = field
        self.limit = limit
        self.headers = headers or {}

    def body(self) -> dict[str, Any]:
        """The problem as JSON-ready data; `field` and `limit` only where they apply."""
        shown: dict[str, Any] = {
            "type": f"urn:kanban:problem:{self.code}",
            "title": self.code.replace("_", " "),
            "status": self.status,
            "code": self.code,
            "detail": self.detail,
            "fix": self.fix,
        }
        if self.field is not None:
            shown["field"] = self.field
        if self.limit is not None:
            shown["limit"] = self.limit
        return shown


def not_found(kind: str, wanted: str) -> Problem:
    """404 for an id nobody has; it may have been deleted a moment ago."""
    return Problem(
        404,
        f"{kind}_not_found",
        f"There is no {kind} with the id {wanted!r}; it may have been deleted.",
        field="id",
        fix="Read the project again and use an id that it lists.",
    )


async def problem_response(_request: Request, error: Exception) -> Response:
    """Starlette's exception handler for Problem."""
    assert isinstance(error, Problem)
    return Response(
        msgspec.json.encode(error.body()),
        status_code=error.status,
        headers=error.headers,
        media_type="application/problem+json",
    )
