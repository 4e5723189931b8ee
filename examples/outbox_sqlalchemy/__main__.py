"""`python -m examples.outbox_sqlalchemy`: the shop, beside a Tidings server. Only reads the command line."""

from __future__ import annotations

import argparse
import os

import uvicorn

from examples.outbox_sqlalchemy.app import create_app


def main() -> None:
    """Serve until interrupted."""
    parser = argparse.ArgumentParser(
        prog="python -m examples.outbox_sqlalchemy", description="A shop's orders."
    )
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8101)
    options = parser.parse_args()
    url = os.environ.get("DATABASE_URL", "sqlite:///orders.db")
    uvicorn.run(create_app(url), host=options.host, port=options.port)


if __name__ == "__main__":
    main()
