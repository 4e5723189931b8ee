"""docs/reference says what the code says: it is written from it, and must be written anew when the code changes."""

from __future__ import annotations

import msgspec
import pytest

from scripts.make_reference import FOLDER, field_docs, main, pages
from tidings.config.settings import AppEntry, EngineSettings, KeyPair, ServerSettings, SourceSettings
from tidings.errors import CATALOGUE
from tidings.node.limits import Limits
from tidings.node.webhooks.settings import BatchSettings, WebhookSettings


@pytest.mark.parametrize("name", ["configuration.md", "cli.md", "errors.md"])
def test_the_page_is_current(name: str) -> None:
    assert (FOLDER / name).read_text(encoding="utf-8") == pages()[name], "run scripts/make_reference.py"


def test_check_fails_for_a_page_that_is_not_current(monkeypatch: pytest.MonkeyPatch) -> None:
    assert main(["--check"]) == 0
    monkeypatch.setattr("scripts.make_reference.errors", lambda: "something else")
    assert main(["--check"]) == 1


@pytest.mark.parametrize(
    "struct",
    [
        ServerSettings,
        EngineSettings,
        SourceSettings,
        AppEntry,
        KeyPair,
        Limits,
        WebhookSettings,
        BatchSettings,
    ],
)
def test_every_setting_is_described(struct: type[msgspec.Struct]) -> None:
    assert set(field_docs(struct)) == set(struct.__struct_fields__)


def test_every_error_is_listed() -> None:
    page = pages()["errors.md"]
    assert [name for name in CATALOGUE if f"`{name}`" not in page] == []
