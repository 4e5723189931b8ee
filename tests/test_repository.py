"""The repository as a whole: no address in a tracked file, tests that mirror the source, links that resolve.

It looks at files only. What the code does is tested beside the code.
"""

from __future__ import annotations

import ast
import json
import re
import subprocess
import tomllib
from functools import cache
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parent.parent
SOURCE = ROOT / "src" / "tidings"
UNIT = ROOT / "tests" / "unit"

TESTED_ELSEWHERE: dict[str, str] = {}
"""Modules without a unit test file, by path below src/tidings, each with the reason and the test that covers it."""

LONGEST_FILE = 600
"""Lines. Beyond that a file holds two things; the aim is 80 to 300."""

GENERATED = {"package-lock.json", "requirements/dev.txt", "requirements/compat.txt", "LICENSE"}
"""Files no person writes: free of the limit on length."""

NOT_OURS = {".git", "node_modules", "dist", "build", "tidings-data", "test-output", "console"}
"""Folders to pass over where there is no git to ask, as in an unpacked source archive."""

# Put together here, so that this file does not hold what it forbids.
ADDRESSES = (
    '"resolved' + '":',
    "--index" + "-url",
    "--find" + "-links",
    ".".join(("pypi", "org")),
    ".".join(("files", "pythonhosted", "org")),
    ".".join(("registry", "npmjs", "org")),
    ".".join(("registry", "yarnpkg", "com")),
    ".".join(("registry", "npmmirror", "com")),
)
LOCKS_WITH_ADDRESSES = ("uv.lock", "pylock.toml", "poetry.lock", "yarn.lock", "pnpm-lock.yaml")


@cache
def files() -> tuple[Path, ...]:
    """Every file that is tracked or would be, relative to the root."""
    if (ROOT / ".git").exists():
        command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
        listed = subprocess.run(command, cwd=ROOT, capture_output=True, check=True, text=True).stdout
        found = [Path(name) for name in listed.split("\0") if name]
    else:
        found = [
            path.relative_to(ROOT) for path in ROOT.rglob("*") if not is_left_out(path.relative_to(ROOT))
        ]
    return tuple(sorted(path for path in found if (ROOT / path).is_file()))


def is_left_out(path: Path) -> bool:
    """Whether `path` lies in an environment, a cache or a build."""
    return any(
        part in NOT_OURS or part.startswith((".venv", "__pycache__")) or part.endswith("_cache")
        for part in path.parts
    )


@cache
def texts() -> dict[Path, str]:
    """The text of every file that is text."""
    readable: dict[Path, str] = {}
    for path in files():
        data = (ROOT / path).read_bytes()
        if b"\0" not in data[:8192]:
            readable[path] = data.decode("utf-8", errors="replace")
    return readable


@cache
def project() -> dict[str, Any]:
    """pyproject.toml as data."""
    return tomllib.loads((ROOT / "pyproject.toml").read_text())


# ── addresses


@pytest.mark.parametrize("address", ADDRESSES)
def test_no_file_says_where_packages_come_from(address: str) -> None:
    holders = [str(path) for path, text in texts().items() if address in text]
    assert holders == []


def test_no_lock_file_that_records_addresses_is_tracked() -> None:
    assert [str(path) for path in files() if path.name in LOCKS_WITH_ADDRESSES] == []


@pytest.mark.parametrize("name", ["dev.txt", "compat.txt"])
def test_every_pin_is_exact_and_hashed(name: str) -> None:
    pins = re.split(r"\n(?=\S)", (ROOT / "requirements" / name).read_text().strip())
    assert [pin.split()[0] for pin in pins if "==" not in pin or "--hash=sha256:" not in pin] == []


def test_dev_pins_hold_everything_the_project_asks_for() -> None:
    groups = project()["dependency-groups"]
    wanted = project()["project"]["dependencies"] + groups["test"] + groups["check"] + groups["fuzz"]
    pinned = set(re.findall(r"^([\w.-]+)==", (ROOT / "requirements" / "dev.txt").read_text(), re.MULTILINE))
    assert {package_name(requirement) for requirement in wanted} - pinned == set()


def package_name(requirement: str) -> str:
    """The name in front of `requirement`'s version, extras and markers, as pip writes it."""
    found = re.match(r"[\w.-]+", requirement)
    assert found is not None
    return re.sub(r"[-_.]+", "-", found.group()).lower()


def test_web_parts_ask_for_the_packages_of_the_root_only() -> None:
    root = json.loads((ROOT / "package.json").read_text())
    installed = root["dependencies"] | root["devDependencies"]
    strangers = []
    for path in files():
        if path.name == "package.json" and len(path.parts) > 1:
            part = json.loads(texts()[path])
            for kind in ("dependencies", "devDependencies"):
                strangers += [
                    f"{path}: {name} {version}"
                    for name, version in part.get(kind, {}).items()
                    if installed.get(name) != version
                ]
    assert strangers == []


# ── the mirror


def holds_code(path: Path) -> bool:
    """Whether a module has a function that does something: ports and plain values have nothing to test."""
    tree = ast.parse(path.read_text())
    functions = (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))
    return any(not is_empty(statement) for function in functions for statement in function.body)


def is_empty(statement: ast.stmt) -> bool:
    """Whether `statement` is a docstring, an ellipsis or `pass`."""
    return isinstance(statement, ast.Pass) or (
        isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)
    )


def source_modules() -> list[Path]:
    """Every Python module of the package, by path below src/tidings."""
    return sorted(path.relative_to(SOURCE) for path in SOURCE.rglob("*.py"))


def test_every_module_with_code_has_a_unit_test_file() -> None:
    untested = [
        str(module)
        for module in source_modules()
        if str(module) not in TESTED_ELSEWHERE and holds_code(SOURCE / module) and not unit_tests_of(module)
    ]
    assert untested == []


def unit_tests_of(module: Path) -> list[Path]:
    """tests/unit/room/test_module.py, and test_module_and_what.py where one file would grow too long."""
    folder = UNIT / module.parent
    stem = module.stem.strip("_")
    return [*folder.glob(f"test_{stem}.py"), *folder.glob(f"test_{stem}_*.py")]


def test_every_unit_test_file_belongs_to_a_module() -> None:
    claimed = {test for module in source_modules() for test in unit_tests_of(module)}
    orphans = [str(path.relative_to(UNIT)) for path in UNIT.rglob("test_*.py") if path not in claimed]
    assert sorted(orphans) == []


def test_no_exception_from_the_mirror_outlives_its_reason() -> None:
    stale = [name for name in TESTED_ELSEWHERE if not (SOURCE / name).exists() or unit_tests_of(Path(name))]
    assert stale == []


# ── size, doors, walls


def test_no_file_is_too_long() -> None:
    long = {
        str(path): lines
        for path, text in texts().items()
        if str(path) not in GENERATED and (lines := text.count("\n")) >= LONGEST_FILE
    }
    assert long == {}


def test_readme_makefile_and_ci_know_the_same_two_commands() -> None:
    readme, makefile, ci = (texts()[Path(name)] for name in ("README.md", "Makefile", ".ci/run"))
    for command in ("demo", "test"):
        assert f"make {command}" in readme
        assert re.search(rf"^{command}:", makefile, re.MULTILINE)
    assert ci.rstrip().endswith("exec make test")


@pytest.mark.parametrize(
    ("contract", "rooms"),
    [
        ("wire protocols do not know one another", ["protocols"]),
        ("engines and sources do not know one another", ["engines", "sources"]),
        ("the node knows ports only", ["protocols", "engines", "sources"]),
        ("the server knows no engine and no source", ["engines", "sources"]),
    ],
)
def test_every_adapter_stands_behind_its_wall(contract: str, rooms: list[str]) -> None:
    found = {
        f"tidings.{room}.{package.parent.name}"
        for room in rooms
        for package in (SOURCE / room).glob("*/__init__.py")
    }
    assert found - named_in(contract) == set()


def named_in(contract: str) -> set[str]:
    """The modules that an import contract of pyproject.toml lists."""
    contracts = project()["tool"]["importlinter"]["contracts"]
    (found,) = [entry for entry in contracts if entry["name"] == contract]
    return set(found.get("modules", found.get("forbidden_modules")))


# ── links


def markdown_links() -> list[tuple[Path, str]]:
    """Every link in a Markdown file that names another place in the repository."""
    links = []
    for path, text in texts().items():
        if path.suffix == ".md":
            prose = re.sub(r"```.*?```|`[^`\n]*`", "", text, flags=re.DOTALL)
            targets = re.findall(r"\]\(\s*<?([^)\s>]+)", prose)
            links += [(path, target) for target in targets if not re.match(r"[a-z][a-z0-9+.-]*:", target)]
    return links


def anchors(text: str) -> set[str]:
    """The names a Markdown page gives its headings: lower case, no punctuation, hyphens for spaces."""
    headings = re.findall(r"^#{1,6}\s+(.+?)\s*#*$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def leads_somewhere(page: Path, target: str) -> bool:
    """Whether a link on `page` names a file that stands, and a heading in it where it names one."""
    name, _, anchor = target.partition("#")
    goal = (ROOT / page).parent / name if name else ROOT / page
    if not goal.exists():
        return False
    return not anchor or goal.suffix != ".md" or anchor in anchors(goal.read_text())


def test_links_between_documents_resolve() -> None:
    broken = [f"{page}: {target}" for page, target in markdown_links() if not leads_somewhere(page, target)]
    assert broken == []
