"""`GET /`: a page that says what this is and where everything lies, for whoever opens the address in a browser.

Holds no secret, no key and no name of an app: whoever can reach the port can read it.
"""

from __future__ import annotations

import html
import re
from typing import Final, NamedTuple

from tidings.protocols.http import Request, Response, json_response
from tidings.server.routing import Endpoint, Stream

PATH: Final = "/"

HEADERS: Final = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Vary": "Accept",
}


class Place(NamedTuple):
    """An address below this one. link: whether a browser can simply go there."""

    name: str
    path: str
    what: str
    link: bool = False


PLACES: Final = (
    Place("pusher", "app/{key}", "WebSocket of the Pusher protocol"),
    Place("plain", "ws?channel={channel}", "plain WebSocket, one JSON object a message"),
    Place("events", "events?channel={channel}", "event stream, for EventSource"),
    Place("poll", "poll?channel={channel}", "a page of the log, for anything with HTTP"),
    Place("publish", "apps/{id}/events", "POST: the publish API, for Pusher's server SDKs"),
    Place("health", "healthz", "whether the process runs", link=True),
    Place("readiness", "readyz", "whether it hears its log, and its sources", link=True),
    Place("metrics", "metrics", "numbers for Prometheus", link=True),
)

_PAGE: Final = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Tidings</title>
<style>
:root {{ color-scheme: light dark }}
body {{ font: 1rem/1.5 system-ui, sans-serif; max-width: 46rem; margin: 3rem auto; padding: 0 1rem }}
table {{ border-collapse: collapse; width: 100% }}
caption {{ text-align: left; padding-bottom: .5rem }}
th, td {{ text-align: left; font-weight: inherit; padding: .35rem 1.5rem .35rem 0; vertical-align: top }}
tr {{ border-top: 1px solid color-mix(in srgb, currentColor 25%, transparent) }}
code {{ overflow-wrap: anywhere }}
</style>
</head>
<body>
<main>
<h1>Tidings</h1>
<p>This server tells every screen what changed. Nothing needs to be done here.</p>
<table>
<caption>Addresses</caption>
<thead><tr><th scope="col">address</th><th scope="col">what is there</th></tr></thead>
<tbody>
{rows}
</tbody>
</table>
</main>
</body>
</html>
"""

_RANGE: Final = re.compile(r"\s*([\w*+.\-]+/[\w*+.\-]+)\s*(?:;[^,]*?\bq=([01](?:\.\d{0,3})?))?[^,]*")


async def answer(request: Request) -> Response | Stream:
    """The page, or the same in JSON for whoever prefers that."""
    base = request.path.rstrip("/") + "/"
    if prefers_json(request.headers.get("accept", "")):
        return json_response({"tidings": {p.name: base + p.path for p in PLACES}}, headers=HEADERS)
    rows = "\n".join(_row(base, place) for place in PLACES)
    return Response(
        body=_PAGE.format(rows=rows).encode(), content_type="text/html; charset=utf-8", headers=HEADERS
    )


def endpoint() -> Endpoint:
    """To be left out where another application has the path."""
    return Endpoint("GET", PATH, answer)


def prefers_json(accept: str) -> bool:
    """Whether an Accept header ranks JSON above HTML (RFC 9110 12.5.1). Without a preference it does not."""
    ranks: dict[str, float] = {}
    for part in accept[:1000].split(","):
        match = _RANGE.fullmatch(part)
        if match is not None:
            ranks[match[1].lower()] = float(match[2] or 1)
    everything = ranks.get("*/*", 0.0)
    page = ranks.get("text/html", ranks.get("text/*", everything))
    return ranks.get("application/json", ranks.get("application/*", everything)) > page


def _row(base: str, place: Place) -> str:
    address = f"<code>{html.escape(base + place.path)}</code>"
    if place.link:
        address = f'<a href="{html.escape(base + place.path)}">{address}</a>'
    return f'<tr><th scope="row">{address}</th><td>{html.escape(place.what)}</td></tr>'
