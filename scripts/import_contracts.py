"""Import-linter contract types that pass over rooms not built yet; the contracts stand in pyproject.toml.

The walls of the house are written down before every room stands. The stock contracts stop with an error at
a module that does not exist; these leave it out, say so in a warning, and hold everything else as written.
"""

from __future__ import annotations

from grimp import ImportGraph
from importlinter.contracts.forbidden import ForbiddenContract
from importlinter.contracts.independence import IndependenceContract
from importlinter.domain.contract import Contract, ContractCheck

ROOT = "tidings"
"""Only our own modules may be missing: a misspelt package of somebody else's still stops the check."""


def leave_out_unbuilt(contract: Contract, field: str, graph: ImportGraph) -> list[str]:
    """Drop from `field` the modules of ours that are not in `graph`; return a warning that names them."""
    named = {str(expression): expression for expression in getattr(contract, field)}
    absent = {
        name
        for name in named
        if "*" not in name and name.startswith(f"{ROOT}.") and name not in graph.modules
    }
    setattr(contract, field, {expression for name, expression in named.items() if name not in absent})
    return [f"not built yet: {', '.join(sorted(absent))}"] if absent else []


class ForbiddenAmongBuilt(ForbiddenContract):
    """The stock `forbidden` contract over those modules that exist."""

    def check(self, graph: ImportGraph, verbose: bool) -> ContractCheck:  # noqa: FBT001  # the base class says so
        """Leave out what is missing, then check as the stock contract does."""
        missing = [
            warning
            for field in ("source_modules", "forbidden_modules")
            for warning in leave_out_unbuilt(self, field, graph)
        ]
        outcome = super().check(graph, verbose)
        outcome.warnings.extend(missing)
        return outcome


class IndependenceAmongBuilt(IndependenceContract):
    """The stock `independence` contract over those modules that exist."""

    def check(self, graph: ImportGraph, verbose: bool) -> ContractCheck:  # noqa: FBT001  # the base class says so
        """Leave out what is missing, then check as the stock contract does."""
        missing = leave_out_unbuilt(self, "modules", graph)
        outcome = super().check(graph, verbose)
        outcome.warnings.extend(missing)
        return outcome
