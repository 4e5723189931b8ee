"""`tidings demo`: the server with the example systems. Finds them; what they are they say themselves."""

from __future__ import annotations

import importlib
import socket
import sys
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Annotated, Any, Final, Protocol

import msgspec
from cyclopts import Parameter
from rich.console import Console

import tidings
from tidings.bootstrap import Assembly, assemble, claim
from tidings.bootstrap import serve as serve_assembly
from tidings.cli.local_app import make_folder
from tidings.cli.logs import set_up_logs
from tidings.cli.options import EVERYWHERE, callable_host
from tidings.cli.serve import closing_all
from tidings.config.settings import Config, ServerSettings
from tidings.errors import ConfigError
from tidings.node.node import Node
from tidings.server.lifecycle import run_in_loop

DEFAULT_DATA: Final = Path("tidings-data") / "demo"

ELSEWHERE: Final = ("192.0.2.1", 9)
"""An address that belongs to nobody (RFC 5737): the way to it shows which of our addresses the network knows."""

INSTALLED: Final = Path(sys.prefix) / "share" / "tidings"
"""Where a wheel puts the examples (docs/decisions/0003)."""


class Plan(Protocol):
    """What `examples.demo.build` gives."""

    config: Config
    hooks: Sequence[tuple[str, Callable[..., Awaitable[Any]]]]
    extra: Any
    """The ASGI application for the paths that are not the server's."""

    def prepare(self) -> None:
        """Make the databases; before the sources are opened."""

    async def start(self, node: Node) -> None:
        """The server listens."""

    async def stop(self) -> None: ...


def demo(
    *,
    port: Annotated[
        int, Parameter(help="TCP port. [env: TIDINGS_PORT]", env_var="TIDINGS_PORT", show_env_var=False)
    ] = 8000,
    host: Annotated[
        str,
        Parameter(
            help="Address to listen on; 0.0.0.0 for your phone too: everybody in the network can look."
        ),
    ] = "127.0.0.1",
    data: Annotated[
        Path, Parameter(help="Folder for the databases and the log; removing it starts afresh.")
    ] = (DEFAULT_DATA),
) -> int:
    """Run the example systems on SQLite. Open it: two boards side by side.

    ```
    tidings demo
    tidings demo --port 9000
    ```
    """
    sockets = claim_port(host, port)
    with closing_all(sockets):  # nothing is made before it is sure that the server can be
        make_folder(data)
        shown = Addresses.of(host, port)
        plan = load_plan(data, shown)
        plan.prepare()
        server = msgspec.structs.replace(plan.config.server, host=host, port=port, data=str(data))
        config = msgspec.structs.replace(plan.config, server=server)
        set_up_logs(config)
        assembly = assemble(config, extra=plan.extra, sqlite="apsw")
        for pattern, hook in plan.hooks:
            assembly.node.authorizer.add_hook(pattern, hook)
        run_in_loop(_serve(plan, assembly, sockets, shown))
    return 0


class Addresses(msgspec.Struct, frozen=True):
    """Where the demo listens, and by which address each kind of browser calls it. lan: None on this computer alone."""

    host: str
    port: int
    here: str
    lan: str | None = None

    @classmethod
    def of(cls, host: str, port: int) -> Addresses:
        """The addresses of a server that listens on `host`."""
        lan = lan_address() if host in EVERYWHERE else None
        return cls(host, port, f"http://{callable_host(host)}:{port}", lan and f"http://{lan}:{port}")


def lan_address() -> str | None:
    """This computer's address in its network; None when it is in none. Nothing is sent to find out."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        try:
            sock.connect(ELSEWHERE)
        except OSError:
            return None
        found = str(sock.getsockname()[0])
    return None if found.startswith(("127.", "0.")) else found


def claim_port(host: str, port: int) -> list[socket.socket]:
    """Take the demo's address. Raises ConfigError that names the way of `make` too."""
    try:
        return claim(ServerSettings(host=host, port=port))
    except ConfigError as error:
        raise ConfigError(f'{error} (make demo ARGS="--port 8206")') from error


def load_plan(data: Path, shown: Addresses) -> Plan:
    """The example systems over a data folder. Raises ConfigError when they are not to be found."""
    place = find_examples()
    if str(place) not in sys.path:
        sys.path.insert(0, str(place))
    plan: Plan = importlib.import_module("examples.demo").build(data, shown.port, shown.host, shown.lan)
    return plan


def find_examples(places: Sequence[Path] | None = None) -> Path:
    """The folder that holds `examples`: the checkout around this package, else what the wheel brought along."""
    if places is None:
        checkout = Path(next(iter(tidings.__path__))).resolve().parents[1]
        places = (checkout, INSTALLED)
    for place in places:
        if (place / "examples" / "demo" / "__init__.py").is_file():
            return place
    raise ConfigError(
        f"the example systems are not here (looked in {', '.join(map(str, places))}); use a checkout"
    )


async def _serve(plan: Plan, assembly: Assembly, sockets: Sequence[socket.socket], shown: Addresses) -> None:
    def started() -> None:
        assembly.node.spawn(plan.start(assembly.node))
        announce(shown, assembly.config.server.data)

    try:
        await serve_assembly(assembly, sockets=sockets, started=started)
    finally:
        await plan.stop()


def announce(shown: Addresses, data: str, console: Console | None = None) -> None:
    """Say where the demo is."""
    console = console or Console(highlight=False, soft_wrap=True)
    console.print(f"The demo is ready at [bold green]{shown.here}[/]")
    if shown.lan is not None:
        console.print(f"On your phone, in the same network: [bold green]{shown.lan}[/]")
    console.print(f"Open it: two boards side by side. Its data lies in {data}; Ctrl-C ends it.")
