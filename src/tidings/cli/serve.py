"""`tidings serve`: the server. Settles the app and the logs, then hands over to bootstrap."""

from __future__ import annotations

from pathlib import Path

from tidings.bootstrap import assemble
from tidings.bootstrap import serve as serve_assembly
from tidings.cli.banner import Banner
from tidings.cli.local_app import make_folder, obtain_app
from tidings.cli.logs import set_up_logs
from tidings.cli.options import (
    Apps,
    ConfigFile,
    Data,
    Engine,
    Host,
    Port,
    Sources,
    load_settings,
    with_app,
)
from tidings.config.loading import Loaded
from tidings.server.lifecycle import run_in_loop


def serve(
    *,
    config: ConfigFile = None,
    host: Host = None,
    port: Port = None,
    data: Data = None,
    engine: Engine = None,
    source: Sources = None,
    app: Apps = None,
) -> int:
    """Run the server. With no configuration at all it works: one app, its log and keys in ./tidings-data.

    It prints every URL and key to use, and logs to standard error. SIGTERM or Ctrl-C drains it: clients are told to
    come back, spread over `drain_seconds`; a second one ends it at once.

    ```
    tidings serve
    tidings serve --port 9000 --source sqlite:///app.db --config tidings.toml
    ```
    """
    loaded = with_an_app(
        load_settings(config=config, host=host, port=port, data=data, engine=engine, source=source, app=app)
    )
    set_up_logs(loaded.config)
    if loaded.config.engine.url is None:
        make_folder(Path(loaded.config.server.data))
    assembly = assemble(loaded.config, sqlite="apsw")
    banner = Banner(loaded, assembly.node.engine.durability)
    run_in_loop(serve_assembly(assembly, started=banner.print))
    return 0


def with_an_app(loaded: Loaded) -> Loaded:
    """The configuration, with an app of its own when it names none. Raises ConfigError."""
    if loaded.config.apps or loaded.config.apps_table is not None:
        return loaded
    return with_app(loaded, obtain_app(Path(loaded.config.server.data)))
