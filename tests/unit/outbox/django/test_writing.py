"""The outbox by Django's connections: made and taken out again, and refused where it cannot be."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from tests.fixtures.fix_django import django_databases
from tests.fixtures.fix_postgres import Database
from tidings.errors import ConfigError
from tidings.outbox.django.writing import create_outbox, dialect_of, drop_outbox

from django.db import connections  # isort: skip  # after the settings


def test_made_and_removed_on_postgres(postgres: Database) -> None:
    def ours() -> list[tuple[str]]:
        return postgres.rows("SELECT relname FROM pg_class WHERE relname LIKE 'tidings%' AND relkind = 'r'")

    with django_databases(shop=postgres.url):
        with connections["shop"].schema_editor() as editor:
            create_outbox(None, editor)
        assert ours() == [("tidings_outbox",)]
        with connections["shop"].schema_editor() as editor:
            drop_outbox(None, editor)
        assert ours() == []


def test_another_database_is_told_what_to_do() -> None:
    with pytest.raises(ConfigError, match=r"'legacy' is mysql; publish after .* DATABASE_ROUTERS"):
        dialect_of(SimpleNamespace(vendor="mysql", alias="legacy"))
