"""`tidings serve`: the server. Settles the app and the logs, then hands over to bootstrap."""

from __future__ import annotations

import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tidings.bootstrap import assemble, claim
from tidings.bootstrap import check as check_parts
from tidings.bootstrap import serve as serve_assembly
from tidings.cli.banner import Banner
from tidings.cli.local_app import make_folder, obtain_app
from tidings.cli.logs import set_up_logs
from tidings.cli.options import ServerFlags, with_app
from tidings.config.loading import Faults, Loaded
from tidings.server.lifecycle import run_in_loop


def serve(
    *,
    flags: ServerFlags | None = None,
) -> int:
    """Run the server. With no configuration at all it works: one app, its log and keys in ./tidings-data.

    It prints every URL and key to use, and logs to standard error. SIGTERM or Ctrl-C drains it: clients are told to
    come back, spread over `drain_seconds`; a second one ends it at once.

    ```
    tidings serve
    tidings serve --port 9000 --source sqlite:///app.db --config tidings.toml
    ```
    """
    loaded = (flags or ServerFlags()).load()
    if faults := check_parts(loaded.config, sqlite="apsw", rows=False):
        raise Faults(faults)
    sockets = claim(loaded.config.server)
    with closing_all(sockets):  # nothing is made before it is sure that the server can be
        loaded = with_an_app(loaded)
        set_up_logs(loaded.config)
        if loaded.config.engine.url is None:
            make_folder(Path(loaded.config.server.data))
        assembly = assemble(loaded.config, sqlite="apsw")
        banner = Banner(loaded, assembly.node.engine.durability)
        run_in_loop(serve_assembly(assembly, sockets=sockets, started=banner.print))
    return 0


@contextmanager
def closing_all(sockets: Sequence[socket.socket]) -> Iterator[None]:
    """Close them at the end, however it comes."""
    try:
        yield
    finally:
        for sock in sockets:
            sock.close()


def with_an_app(loaded: Loaded) -> Loaded:
    """The configuration, with an app of its own when it names none. Raises ConfigError."""
    if loaded.config.apps or loaded.config.apps_table is not None:
        return loaded
    return with_app(loaded, obtain_app(Path(loaded.config.server.data)))
