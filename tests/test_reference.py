"""docs/reference says what the code says: it is written from it, and must be written anew when the code changes."""

from __future__ import annotations

import msgspec
import pytest

from scripts.make_reference import FOLDER, MEANINGS, TABLES, field_docs, main, pages, type_text
from tidings.errors import CATALOGUE
from tidings.sources.rules import Rule


@pytest.mark.parametrize("name", ["configuration.md", "cli.md", "errors.md"])
def test_the_page_is_current(name: str) -> None:
    assert (FOLDER / name).read_text(encoding="utf-8") == pages()[name], "run scripts/make_reference.py"


def test_check_fails_for_a_page_that_is_not_current(monkeypatch: pytest.MonkeyPatch) -> None:
    assert main(["--check"]) == 0
    monkeypatch.setattr("scripts.make_reference.errors", lambda: "something else")
    assert main(["--check"]) == 1


@pytest.mark.parametrize(("title", "struct"), TABLES, ids=[title for title, _ in TABLES])
def test_every_setting_is_described(title: str, struct: type[msgspec.Struct]) -> None:
    told = {**MEANINGS.get(struct, {}), **field_docs(struct)}
    assert set(told) == set(struct.__struct_fields__)


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        (str, "text"),
        (tuple[str, ...], "list of texts"),
        (tuple[tuple[str, ...], ...], "list of lists of texts"),
        (tuple[Rule, ...], "list of tables"),
        (int | None, "whole number"),
    ],
)
def test_types_are_named_as_a_person_would(kind: object, text: str) -> None:
    assert type_text(kind) == text


def test_every_error_is_listed() -> None:
    page = pages()["errors.md"]
    assert [name for name in CATALOGUE if f"`{name}`" not in page] == []
