"""`tidings token`: a JWT for an app, as an application's own back end would make it."""

from __future__ import annotations

import re
import time
from typing import Annotated, Any, Final

import jwt
import msgspec
from cyclopts import Parameter

from tidings.cli.options import Apps, ConfigFile, Data, first_app, load_settings
from tidings.errors import ConfigError

_UNITS: Final = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}


def token(
    *,
    user: Annotated[str | None, Parameter(help="Id of the user; needed for presence channels.")] = None,
    subscribe: Annotated[
        list[str] | None, Parameter(help="Channels it opens, `*` as wildcard. May repeat.", negative=())
    ] = None,
    publish: Annotated[
        list[str] | None,
        Parameter(help="Channels it may publish to, `*` as wildcard. May repeat.", negative=()),
    ] = None,
    info: Annotated[str | None, Parameter(help="JSON that other members are shown.")] = None,
    expires: Annotated[str, Parameter(help="How long it is valid: seconds, or 30m, 12h, 7d.")] = "1h",
    config: ConfigFile = None,
    app: Apps = None,
    data: Data = None,
) -> int:
    """Print a token that opens private channels, for trying things out.

    In production your own back end makes tokens: HS256 over the app's `jwt_secret`, with `exp`, `sub` (user),
    `channels` and `publish` (patterns).

    ```
    tidings token --user ann --subscribe 'private-project-*'
    ```
    """
    entry = first_app(load_settings(config=config, data=data, app=app))
    secret = entry.jwt_secret
    if secret is None:
        raise ConfigError(f"app {entry.id} has no jwt_secret; set it in [[apps]], the server needs it too")
    claims: dict[str, Any] = {"exp": int(time.time()) + seconds_of(expires)}
    if user is not None:
        claims["sub"] = user
    claims |= {name: value for name, value in (("channels", subscribe), ("publish", publish)) if value}
    if info is not None:
        claims["info"] = _json(info)
    print(jwt.encode(claims, secret, algorithm="HS256"))
    return 0


def seconds_of(text: str) -> int:
    """`90`, `90s`, `30m`, `12h` or `7d` in seconds. Raises ConfigError."""
    found = re.fullmatch(r"([0-9]{1,9})([smhd]?)", text.strip())
    if found is None:
        raise ConfigError(f"--expires {text!r}: give seconds, or a number with s, m, h or d, such as 12h")
    return int(found[1]) * _UNITS[found[2]]


def _json(text: str) -> Any:
    try:
        return msgspec.json.decode(text)
    except msgspec.DecodeError as error:
        raise ConfigError(f"--info is not JSON: {error}") from error
