"""What all tests share: the marks that follow from the folder a test lies in. Fixtures live in tests/fixtures."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fixtures.fix_postgres import end_clusters, newest_postgres, postgres

__all__ = ["newest_postgres", "postgres"]  # fixtures for every folder

TESTS = Path(__file__).parent

MARKS_OF_FOLDER: dict[str, tuple[str, ...]] = {
    "engines": ("engines",),
    "sources": ("sources",),
    "outbox": ("outbox",),
    "conformance": ("conformance",),
    "integration": ("integration",),
    "clients": ("clients",),
    "properties": ("properties",),
    # A browser on two cores is slow enough alone; beside other tests its waits would measure the neighbours.
    "browser": ("browser", "serial"),
}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark each test by the first folder below tests/ that has marks of its own."""
    for item in items:
        for folder in item.path.relative_to(TESTS).parts[:-1]:
            for mark in MARKS_OF_FOLDER.get(folder, ()):
                item.add_marker(mark)


def pytest_make_parametrize_id(config: pytest.Config, val: object, argname: str) -> str | None:
    """Name bytes by their argument: client frames are masked at random, and all workers must collect the same names."""
    return argname if isinstance(val, bytes) else None


def pytest_sessionfinish() -> None:
    """End the database servers that this process has started."""
    end_clusters()
