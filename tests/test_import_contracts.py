"""The import contracts pass over rooms of ours that are not built, and over nothing else."""

from __future__ import annotations

from grimp import ImportGraph
from importlinter.configuration import configure
from importlinter.domain.contract import ContractCheck

from scripts.import_contracts import ForbiddenAmongBuilt, IndependenceAmongBuilt

configure()  # the stock contracts time themselves with what import-linter sets up at its start


def graph_of(*imports: tuple[str, str]) -> ImportGraph:
    graph = ImportGraph()
    for importer, imported in imports:
        graph.add_import(importer=importer, imported=imported, line_number=1, line_contents="-")
    return graph


def check_forbidden(graph: ImportGraph, sources: list[str], forbidden: list[str]) -> ContractCheck:
    session = {"root_packages": ["tidings"], "include_external_packages": True}
    options = {"source_modules": sources, "forbidden_modules": forbidden}
    return ForbiddenAmongBuilt("walls", session, options).check(graph, verbose=False)


def check_independence(graph: ImportGraph, modules: list[str]) -> ContractCheck:
    session = {"root_packages": ["tidings"]}
    return IndependenceAmongBuilt("walls", session, {"modules": modules}).check(graph, verbose=False)


def test_a_room_that_is_not_built_is_left_out_and_named() -> None:
    graph = graph_of(("tidings.hub", "tidings.ids"))
    outcome = check_forbidden(graph, ["tidings.hub", "tidings.node"], ["tidings.engines"])
    assert outcome.kept
    assert outcome.warnings == ["not built yet: tidings.node", "not built yet: tidings.engines"]


def test_rooms_that_stand_are_still_held_apart() -> None:
    graph = graph_of(("tidings.hub", "tidings.ids"), ("tidings.ids", "asyncio"))
    assert not check_forbidden(graph, ["tidings.hub", "tidings.node"], ["asyncio"]).kept


def test_independence_holds_among_those_that_stand() -> None:
    graph = graph_of(("tidings.sources.sqlite", "tidings.engines.sqlite"))
    rooms = ["tidings.sources.sqlite", "tidings.engines.sqlite", "tidings.engines.redis"]
    outcome = check_independence(graph, rooms)
    assert not outcome.kept
    assert outcome.warnings == ["not built yet: tidings.engines.redis"]


def test_independence_of_nothing_built_is_kept() -> None:
    graph = graph_of(("tidings.hub", "tidings.ids"))
    assert check_independence(graph, ["tidings.engines.redis", "tidings.engines.nats"]).kept
