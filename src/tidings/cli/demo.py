"""`tidings demo`: the server with the example systems. Finds them; what they are they say themselves."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Annotated, Any, Final, Protocol

import msgspec
from cyclopts import Parameter
from rich.console import Console

import tidings
from tidings.bootstrap import Assembly, assemble
from tidings.bootstrap import serve as serve_assembly
from tidings.cli.local_app import make_folder
from tidings.cli.logs import set_up_logs
from tidings.config.settings import Config, ServerSettings
from tidings.errors import ConfigError
from tidings.node.node import Node
from tidings.server.lifecycle import run_in_loop

DEFAULT_DATA: Final = Path("tidings-data") / "demo"

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
    port: Annotated[int, Parameter(help="TCP port. [env: TIDINGS_PORT]", env_var="TIDINGS_PORT")] = 8000,
    host: Annotated[str, Parameter(help="Address to listen on.")] = "127.0.0.1",
    data: Annotated[
        Path, Parameter(help="Folder for the databases and the log; removing it starts afresh.")
    ] = (DEFAULT_DATA),
) -> int:
    """Run the example systems on SQLite: open the address in two windows, and they stay in step.

    ```
    tidings demo
    tidings demo --port 9000
    ```
    """
    make_folder(data)
    plan = load_plan(data, port)
    plan.prepare()
    server = msgspec.structs.replace(plan.config.server, host=host, port=port, data=str(data))
    config = msgspec.structs.replace(plan.config, server=server)
    set_up_logs(config)
    assembly = assemble(config, extra=plan.extra, sqlite="apsw")
    for pattern, hook in plan.hooks:
        assembly.node.authorizer.add_hook(pattern, hook)
    run_in_loop(_serve(plan, assembly))
    return 0


def load_plan(data: Path, port: int) -> Plan:
    """The example systems over a data folder. Raises ConfigError when they are not to be found."""
    place = find_examples()
    if str(place) not in sys.path:
        sys.path.insert(0, str(place))
    plan: Plan = importlib.import_module("examples.demo").build(data, port)
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


async def _serve(plan: Plan, assembly: Assembly) -> None:
    def started() -> None:
        assembly.node.spawn(plan.start(assembly.node))
        _announce(assembly.config.server)

    try:
        await serve_assembly(assembly, started=started)
    finally:
        await plan.stop()


def _announce(server: ServerSettings) -> None:
    console = Console(highlight=False, soft_wrap=True)
    console.print(f"The demo is ready at [bold green]http://{server.host}:{server.port}[/]")
    console.print(f"Open it in two windows. Its data lies in {server.data}; Ctrl-C ends it.")
