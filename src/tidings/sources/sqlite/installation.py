"""What must be done to a database so that it records its changes, and what was lost meanwhile. Decides, does nothing.

A table's triggers are intact when their text is exactly what its present columns ask for. If not, somebody may have
written without being recorded: the triggers are made anew and the gap is told. That holds for a new column too: the
old triggers keep working, but do not see an update of that column alone, and every row has changed its form.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from tidings.sources.sqlite.triggers import TableShape, triggers_of

CAPTURED = "captured"
MISSING = "missing"


class Plan(msgspec.Struct, frozen=True):
    """drop: triggers by name. create: statements. gaps: table to why. states: table to its state from now on."""

    drop: tuple[str, ...]
    create: tuple[str, ...]
    gaps: Mapping[str, str]
    states: Mapping[str, str]


def plan(
    shapes: Mapping[str, TableShape | None], triggers: Mapping[str, str], states: Mapping[str, str]
) -> Plan | None:
    """Compare what should be with what is; None when nothing is to be done.

    shapes: each table to capture; None when it is not there. triggers: ours that exist, name to text.
    states: what was noted for each table the last time.
    """
    wanted = {shape.name: triggers_of(shape) for shape in shapes.values() if shape is not None}
    expected = {name: sql for each in wanted.values() for name, sql in each.items()}
    broken = {
        table
        for table, each in wanted.items()
        if any(triggers.get(name) != sql for name, sql in each.items())
    }
    new_states = {table: MISSING if shape is None else CAPTURED for table, shape in shapes.items()}
    gaps = _gaps(new_states, broken, states)
    drop = [
        name for name in triggers if name not in expected or any(name in wanted[table] for table in broken)
    ]
    create = [sql for table in sorted(broken) for sql in wanted[table].values()]
    if not drop and not create and new_states == states:
        return None
    return Plan(tuple(drop), tuple(create), gaps, new_states)


def _gaps(now: Mapping[str, str], broken: set[str], before: Mapping[str, str]) -> dict[str, str]:
    """A table that was never captured has no gap: nobody was promised anything."""
    gaps = {}
    for table, state in now.items():
        if state == MISSING and before.get(table) == CAPTURED:
            gaps[table] = "the table is gone"
        elif state == CAPTURED and before.get(table) == MISSING:
            gaps[table] = "the table is back"
        elif table in broken and table in before:
            gaps[table] = "the triggers or the columns were changed"
    return gaps
