"""The package's public names: all there, each loaded only when it is used."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import tidings


@pytest.mark.parametrize("name", tidings.__all__)
def test_every_public_name_is_there(name: str) -> None:
    assert getattr(tidings, name).__name__ == name
    assert name in dir(tidings)


def test_the_stub_names_the_same() -> None:
    stub = Path(tidings.__path__[0], "__init__.pyi").read_text()
    named = [
        alias.name
        for node in ast.parse(stub).body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    ]
    assert sorted(named) == sorted(tidings.__all__)


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="Tidngs"):
        _ = tidings.Tidngs  # type: ignore[attr-defined]


def test_importing_the_package_loads_neither_server_nor_engine() -> None:
    code = (
        "import sys, tidings; tidings.Message;"
        "print(sorted(m for m in sys.modules"
        " if m.startswith(('uvicorn', 'starlette', 'apsw', 'tidings.server', 'tidings.node', 'tidings.engines'))))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
