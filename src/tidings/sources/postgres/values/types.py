"""Which type has which OID, and how the text of its values becomes JSON. Asks no database: it says what to ask.

Built-in types are known from the start. Others come and go with the application's schema: `missing` says which are to
be looked up with `CATALOG_SQL`, and `add` takes what that found.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import Any, Final

import msgspec

from tidings.sources.postgres.values import scalars as values
from tidings.sources.postgres.values.arrays import read_array, split_composite
from tidings.sources.postgres.values.builtin_types import MULTIRANGES, RANGES, SCALARS, SEMICOLON

TYPE_DEPTH: Final = 64
"""Types within types. Building a converter recurses; real schemas nest a handful."""

CATALOG_SQL: Final = """
WITH RECURSIVE needed(oid) AS (
    SELECT unnest(%s::oid[])
  UNION
    SELECT inner_type.oid
    FROM needed
    JOIN pg_catalog.pg_type t ON t.oid = needed.oid
    CROSS JOIN LATERAL (
        SELECT t.typbasetype AS oid
      UNION ALL
        SELECT t.typelem
      UNION ALL
        SELECT a.atttypid
        FROM pg_catalog.pg_attribute a
        WHERE t.typtype = 'c' AND a.attrelid = t.typrelid AND a.attnum > 0 AND NOT a.attisdropped
    ) inner_type
    WHERE inner_type.oid <> 0
)
SELECT t.oid::int8,
       t.typname::text,
       t.typtype::text,
       coalesce(element.oid, 0)::int8,
       coalesce(element.typdelim, t.typdelim)::text,
       t.typbasetype::int8,
       coalesce(fields.names, '{}'),
       coalesce(fields.oids, '{}')
FROM needed
JOIN pg_catalog.pg_type t ON t.oid = needed.oid
LEFT JOIN pg_catalog.pg_type element ON element.oid = t.typelem AND element.typarray = t.oid
LEFT JOIN LATERAL (
    SELECT array_agg(a.attname::text ORDER BY a.attnum) AS names,
           array_agg(a.atttypid::int8 ORDER BY a.attnum) AS oids
    FROM pg_catalog.pg_attribute a
    WHERE t.typtype = 'c' AND a.attrelid = t.typrelid AND a.attnum > 0 AND NOT a.attisdropped
) fields ON true
"""
"""The types with these OIDs (one parameter, a list) and all they are made of: a row for `TypeInfo.from_row` each.

Only what is the array type of its element has one here: box and name have a typelem too, but are no arrays.
"""

Converter = Callable[[bytes], Any]
"""From a value's text to its JSON value. Raises ValueError, and nothing else, when it cannot be read."""


class TypeInfo(msgspec.Struct, frozen=True):
    """One type. kind: pg_type's typtype, b(ase), c(omposite), d(omain), e(num), r(ange), m(ultirange), p(seudo).

    element, delimiter: of an array. base: of a domain. fields: name and type of each, of a composite. 0 is no type.
    """

    oid: int
    name: str
    kind: str = "b"
    element: int = 0
    delimiter: str = ","
    base: int = 0
    fields: tuple[tuple[str, int], ...] = ()

    @classmethod
    def from_row(cls, row: Sequence[Any]) -> TypeInfo:
        """From a row that `CATALOG_SQL` found."""
        oid, name, kind, element, delimiter, base, names, oids = row
        return cls(oid, name, kind, element, delimiter, base, tuple(zip(names, oids, strict=True)))

    @property
    def parts(self) -> tuple[int, ...]:
        """The types that it is made of."""
        return tuple(oid for oid in (self.element, self.base, *(oid for _, oid in self.fields)) if oid)


class Types:
    """The types of one database, as far as they are known."""

    def __init__(self) -> None:
        self._infos = dict(_BUILT_IN)
        self._converters: dict[int, Converter] = dict(_SCALAR_CONVERTERS)
        self._building: set[int] = set()

    def add(self, infos: Iterable[TypeInfo]) -> None:
        """Know these from now on, in place of what was known of them. Converters handed out before stay as they are."""
        self._infos.update({info.oid: info for info in infos})
        self._converters = dict(_SCALAR_CONVERTERS)

    def missing(self, oids: Iterable[int]) -> list[int]:
        """Those of the types, and of what they are made of, that are not known. One that was dropped stays missing."""
        seen: set[int] = set()
        todo = list(oids)
        while todo:
            oid = todo.pop()
            if oid not in seen:
                seen.add(oid)
                todo.extend(self._infos[oid].parts if oid in self._infos else ())
        return sorted(seen - self._infos.keys())

    def converter(self, oid: int) -> Converter:
        """How values of a type become JSON; as text when the type is not known."""
        found = self._converters.get(oid)
        if found is None:
            found = self._converters[oid] = self._build(oid)
        return found

    def _build(self, oid: int) -> Converter:
        info = self._infos.get(oid)
        if info is None or oid in self._building or len(self._building) >= TYPE_DEPTH:
            # Postgres has no type within itself, but what we were told of two moments may.
            return bytes.decode
        self._building.add(oid)
        try:
            if info.element:
                delimiter = info.delimiter.encode()
                return partial(read_array, delimiter=delimiter, convert=self.converter(info.element))
            if info.kind == "d":
                return self.converter(info.base)
            if info.kind == "c":
                return partial(_read_composite, tuple((n, self.converter(o)) for n, o in info.fields))
            return bytes.decode
        finally:
            self._building.remove(oid)


def _read_composite(fields: tuple[tuple[str, Converter], ...], text: bytes) -> dict[str, Any]:
    """A value with another number of fields than the type is from before or after an ALTER TYPE: ValueError."""
    if not fields and text == b"()":
        return {}
    parts = zip(fields, split_composite(text), strict=True)
    return {name: None if part is None else convert(part) for (name, convert), part in parts}


def _built_in() -> Iterator[TypeInfo]:
    for kind, table in (("b", SCALARS), ("r", RANGES), ("m", MULTIRANGES)):
        for entry in table.replace("\n", "|").strip("|").split("|"):
            oid, name, array = entry.split()
            delimiter = ";" if name in SEMICOLON else ","
            yield TypeInfo(int(oid), name, kind, delimiter=delimiter)
            yield TypeInfo(int(array), f"_{name}", element=int(oid), delimiter=delimiter)


_BUILT_IN: Final = {info.oid: info for info in _built_in()}

_BY_NAME: Final[dict[str, Converter]] = {
    "bool": values.read_boolean,
    "int2": int,
    "int4": int,
    "int8": int,
    "float4": values.read_float,
    "float8": values.read_float,
    "numeric": values.read_numeric,
    "json": values.read_json,
    "jsonb": values.read_json,
    "timestamp": values.read_timestamp,
    "timestamptz": values.read_timestamptz,
    "int2vector": values.read_int_vector,
    "oidvector": values.read_oid_vector,
}
_SCALAR_CONVERTERS: Final = {
    oid: _BY_NAME[info.name] for oid, info in _BUILT_IN.items() if info.name in _BY_NAME
}
