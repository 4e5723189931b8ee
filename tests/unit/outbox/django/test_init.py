"""What is particular to Django: nothing is loaded early, blocks of `atomic`, aliases, and what the migration says."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from pathlib import Path

import pytest

from tests.fixtures.fix_django import django_databases
from tests.outbox.logs import SqliteLog
from tidings.errors import ConfigError, Refusal
from tidings.outbox.django import emit, publish
from tidings.outbox.django.writing import create_outbox

from django.db import connections, transaction  # isort: skip  # after the settings

LAZY = """
import sys
import tidings.outbox, tidings.outbox.django
loaded = {"django", "sqlalchemy", "tidings.outbox.table", "asyncio", "starlette"} & set(sys.modules)
assert not loaded, loaded
"""

PROJECT = """
import django
from django.conf import settings
settings.configure(
    INSTALLED_APPS=["tidings.outbox.django"],
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": "app.db"}},
    USE_TZ=True,
)
django.setup()
from django.core.management import call_command
call_command("check", fail_level="WARNING")
call_command("makemigrations", "--check", "--dry-run")
call_command("migrate", verbosity=0)
call_command("migrate", verbosity=0)
from django.db import connection
assert "tidings_outbox" in connection.introspection.table_names()
call_command("migrate", "tidings_outbox", "zero", verbosity=0)
assert "tidings_outbox" not in connection.introspection.table_names()
"""


@pytest.mark.parametrize("program", [LAZY, PROJECT], ids=["lazy", "project"])
def test_in_a_process_of_its_own(program: str, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_outside_a_block_a_message_is_its_own_transaction(tmp_path: Path) -> None:
    log = SqliteLog(tmp_path / "app.db")
    with django_databases(shop=log.url):
        with connections["shop"].schema_editor() as editor:
            create_outbox(None, editor)
        log.begin()
        publish("a", "alone", using="shop")
        assert [staged.event for staged in log.told()] == ["alone"]
        with contextlib.suppress(Refusal), transaction.atomic(using="shop"):
            publish("a", "gone", using="shop")
            publish("two words", "e", using="shop")
    assert [staged.event for staged in log.told()] == ["alone"]


def test_a_broken_block_takes_no_more_messages(tmp_path: Path) -> None:
    """Django lets nothing through after an error inside a block, or a message could outlive its work."""
    log = SqliteLog(tmp_path / "app.db")
    with django_databases(shop=log.url):
        with connections["shop"].schema_editor() as editor:
            create_outbox(None, editor)
        log.begin()
        with transaction.atomic(using="shop"):
            transaction.set_rollback(True, using="shop")
            with pytest.raises(transaction.TransactionManagementError):
                publish("a", "e", using="shop")
    assert log.told() == []


def test_emit_says_what_it_needs(tmp_path: Path) -> None:
    with (
        django_databases(shop=f"sqlite:///{tmp_path / 'app.db'}"),
        pytest.raises(ConfigError, match="'shop' is none; publish works"),
    ):
        emit("a", "e", using="shop")
