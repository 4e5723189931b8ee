"""Values of every type that a column can have: what we make of their text is what the server's own to_jsonb says.

One column for each type, one row for each tricky value and for arrays of them. The text is that of the type's output
function, as the log carries it (a cast to text may differ: of inet, bpchar and bool it does).
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import psycopg
import pytest
from psycopg.sql import quote

from tests.fixtures.fix_postgres import Database
from tidings.sources.postgres.values.builtin_types import MULTIRANGES, RANGES, SCALARS
from tidings.sources.postgres.values.types import CATALOG_SQL, TypeInfo, Types

SETTINGS = (
    "SET DateStyle = ISO",
    "SET IntervalStyle = postgres",
    "SET TimeZone = UTC",
    "SET extra_float_digits = 1",
    "SET bytea_output = hex",
)

OWN_TYPES = (
    "CREATE TYPE mood AS ENUM ('sad', 'so, so', 'a \"quoted\" \\ one', 'NULL', '{x}')",
    "CREATE DOMAIN positive AS int CHECK (VALUE > 0)",
    "CREATE DOMAIN still_positive AS positive",
    "CREATE DOMAIN tags AS text[]",
    'CREATE TYPE inner_t AS (a int, "b ""c" text, m mood, at timestamptz, b bytea)',
    "CREATE TYPE outer_t AS (i inner_t, list inner_t[], gone int, j jsonb, d positive, x box[], n numeric, t tags)",
    "ALTER TYPE outer_t DROP ATTRIBUTE gone",
    "CREATE DOMAIN inner_d AS inner_t",
    "CREATE TYPE empty_t AS ()",
    "CREATE TYPE one_t AS (only_one text)",
    "CREATE TABLE row_t (a int, gone text, b float8[], j json)",
    "ALTER TABLE row_t DROP COLUMN gone",
    "CREATE TYPE floatrange AS RANGE (subtype = float8)",
    "CREATE TYPE momentrange AS RANGE (subtype = timestamptz, multirange_type_name = moments)",
)

NO_VALUES = {
    "gtsvector",
    "pg_node_tree",
    "pg_ndistinct",
    "pg_dependencies",
    "pg_mcv_list",
    "pg_brin_bloom_summary",
    "pg_brin_minmax_multi_summary",
}
"""Types of the catalog that no statement can make a value of."""

NEEDS_LIBXML = "xml"
"""A server may be built without it; then it has no values either."""

TEXTS = [
    "",
    " ",
    "NULL",
    "null",
    'a "b" \\c\\ , ; {d} (e)',
    "[1:2]={3,4}",
    "line\nbreak\ttab\r",
    "\u00e9\u6f22\U0001f600",
    "\x01\x7f",
]

JSONS = [
    "null",
    "true",
    "0",
    "-0",
    "-0.0",
    "1.10",
    "1e2",
    "1E400",
    "1e-400",
    "0.1234567890123456789",
    "123456789012345.6",
    "9007199254740993",
    "18446744073709551616",
    "9" * 5000,
    '""',
    '"\\u00e9\\ud83d\\ude00\\u0001 \\" \\\\ {}[]"',
    ' { "b" : [1, {"a": null}, []], "aa" : {}, "" : "x", "b": 2 } ',
    "[" * 150 + "]" * 150,
    '["a,b", "{", 1.5, 100000000000000000000.5]',
]

MOMENTS = [
    "2026-08-01 10:11:12",
    "2026-08-01 10:11:12.345678",
    "2026-08-01 10:11:12.5",
    "0044-03-15 12:00:00 BC",
    "0044-03-15 12:00:00.25 BC",
    "12345-01-02 03:04:05",
    "0001-01-01 00:00:00",
    "infinity",
    "-infinity",
]

FLOATS = ["0", "-0", "1", "-1.5", "0.1", "1e10", "1.17549435e-38", "3.4e38", "NaN", "Infinity", "-Infinity"]

VALUES: dict[str, list[str]] = {
    "bool": ["t", "f"],
    "bytea": ["", "\\x00ff", "\\x7b2c22"],
    '"char"': ["a", "", "\\377", '"', ",", "\\"],
    "name": TEXTS[1:8],
    "int8": ["0", "-9223372036854775808", "9223372036854775807"],
    "int2": ["0", "-32768", "32767"],
    "int2vector": ["", "1", "1 -2 3"],
    "int4": ["0", "-2147483648", "2147483647"],
    "regproc": ["now", "-"],
    "text": TEXTS,
    "oid": ["0", "4294967295"],
    "tid": ["(0,1)", "(4294967295,65535)"],
    "xid": ["3", "4294967295"],
    "cid": ["0", "7"],
    "oidvector": ["", "1 2 4294967295"],
    "json": JSONS,
    "xml": ["<a b='c'>\"d\" &amp; {e}</a>", ""],
    "point": ["(1,2)", "(-1.5,1e300)", "(NaN,Infinity)"],
    "lseg": ["[(1,2),(3,4)]"],
    "path": ["((1,2),(3,4))", "[(1,2),(3,4)]"],
    "box": ["(3,4),(1,2)", "(0.1,0.2),(-1,-2)"],
    "polygon": ["((1,2),(3,4),(5,6))"],
    "line": ["{1,2,3}"],
    "cidr": ["10.0.0.0/8", "2001:db8::/32", "10.1.2.3/32"],
    "float4": [*FLOATS, "16777216", "1.1"],
    "float8": [*FLOATS, "1e308", "5e-324", "123456789.12345679", "1e15", "9007199254740993"],
    "circle": ["<(1,2),3>"],
    "macaddr8": ["08:00:2b:01:02:03:04:05"],
    "money": ["0", "-1234.5", "92233720368547758.07"],
    "macaddr": ["08:00:2b:01:02:03"],
    "inet": ["10.1.2.3", "10.1.2.3/24", "::1", "::ffff:1.2.3.4"],
    "aclitem": ["postgres=r/postgres", "=arw*/postgres"],
    "bpchar": ["a", "b  ", ""],
    "varchar": TEXTS,
    "date": ["2026-08-01", "0044-03-15 BC", "12345-06-07", "infinity", "-infinity"],
    "time": ["00:00:00", "23:59:59.999999", "24:00:00"],
    "timestamp": MOMENTS,
    "timestamptz": [*MOMENTS, "2026-08-01 10:11:12+05:30", "1890-01-01 00:00:00+00:19:32"],
    "interval": ["0", "1 year 2 mons -3 days 04:05:06.789", "-00:00:01", "100 years ago"],
    "timetz": ["10:11:12+00", "10:11:12.5-05:30", "24:00:00+15:59"],
    "bit": ["1", "0"],
    "varbit": ["", "10101"],
    "numeric": [
        "0",
        "-0.0",
        "1.10",
        "100",
        "-12345678901234567890.12345678901234567890",
        "1e-30",
        "9" * 4299,
        "9" * 5000,
        "-" + "9" * 4300,
        "0." + "1" * 5000,
        "1e131071",
        "NaN",
        "Infinity",
        "-Infinity",
    ],
    "refcursor": ["c", "a,b"],
    "regprocedure": ["now()", "substring(text,integer,integer)"],
    "regoper": ["||/"],
    "regoperator": ["+(integer,integer)"],
    "regclass": ["pg_class", "row_t", "0"],
    "regtype": ["integer[]", '"char"', "timestamp with time zone"],
    "uuid": ["a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"],
    "txid_snapshot": ["10:20:10,14,15"],
    "pg_lsn": ["0/0", "16/B374D848"],
    "tsvector": ["", "'a b':1A,2 'c''d':3B 'e\\\\f' \"'g\""],
    "tsquery": ["", "'a' & !'b c':*AB | 'd' <-> 'e'"],
    "regconfig": ["english"],
    "regdictionary": ["simple"],
    "jsonb": [*JSONS, '"{\\"a\\": 1}"'],
    "jsonpath": ['$."a"[*] ? (@ > 1 && @.b == "x, y")'],
    "regnamespace": ["pg_catalog"],
    "regrole": ["postgres"],
    "regcollation": ['"C"'],
    "pg_snapshot": ["10:20:10,14,15"],
    "xid8": ["0", "18446744073709551615"],
    "int4range": ["empty", "[1,5)", "(,)"],
    "numrange": ["empty", "[1.10,2)", "(,5]"],
    "tsrange": ["empty", "[2026-01-01,2026-01-02 03:04)", "[-infinity,infinity]"],
    "tstzrange": ["[2026-01-01,2026-01-02 03:04+02)"],
    "daterange": ["[2026-01-01,2026-01-05)"],
    "int8range": ["[-9223372036854775808,9223372036854775807)"],
    "int4multirange": ["{}", "{[1,3),[5,9)}"],
    "nummultirange": ["{[1.10,2),(3,4]}"],
    "tsmultirange": ["{[2026-01-01,2026-01-02),[2026-02-01,2026-02-02)}"],
    "tstzmultirange": ["{[2026-01-01,2026-01-02)}"],
    "datemultirange": ["{[2026-01-01,2026-01-02)}"],
    "int8multirange": ["{[1,2)}"],
}

OUTER = (
    "ROW(ROW(1, 'x \"y\", (z) \\', 'sad', NULL, '\\x00'), ARRAY[ROW(1, '', NULL, NULL, NULL)::inner_t, NULL,"
    " ROW(2, 'a \" b,{}', 'a \"quoted\" \\ one', 'infinity', '')::inner_t],"
    """ '{"a": [1, 1.10, 123456789012345678901, "q\\"\\\\"]}', 3, '{(1,1),(0,0);(2,2),(1,1)}', 1.50,"""
    """ '{a,NULL,"b c"}')"""
)
"""Everything nested in everything, with whatever needs quotes."""

OWN_VALUES: dict[str, list[str]] = {
    "mood": ["sad", "so, so", 'a "quoted" \\ one', "NULL", "{x}"],
    "positive": ["1", "2147483647"],
    "still_positive": ["7"],
    "tags": ["{}", '{a,"b,c",NULL,"NULL",""}', "{{a,b},{c,d}}", "[2:3]={x,y}"],
    "inner_t": [
        "(,,,,)",
        '(1,"",sad,"2026-08-01 10:00:00+02","\\\\x00ff")',
        '(2,"a ""b"" (c), \\\\ d","so, so",,)',
    ],
    "outer_t": [
        "(,,,,,,)",
        OUTER,
    ],
    "inner_d": ['(1,"x, y",NULL,infinity,)'],
    "empty_t": ["()"],
    "one_t": ["()", '("")', "(NULL)", '("a ""b""")'],
    "row_t": ["(,,)", '(1,"{1.5,NaN,-Infinity,NULL}","[1, {""a"": 1e3}]")'],
    "floatrange": ["[0.1,1e300)", "empty"],
    "floatmultirange": ["{[0.1,1),[2,3)}"],
    "momentrange": ["[2026-01-01,infinity)"],
    "moments": ["{[2026-01-01 10:00+02,2026-01-02)}"],
}

EVERY_SCALAR = """
SELECT t.oid::int8, t.typname::text, t.typtype::text, t.typarray::int8
FROM pg_type t
WHERE t.typnamespace = 'pg_catalog'::regnamespace AND t.typtype IN ('b', 'e', 'r', 'm', 'd')
  AND NOT EXISTS (SELECT FROM pg_type e WHERE e.typarray = t.oid)
"""


@pytest.fixture
def connection(postgres: Database) -> Iterator[psycopg.Connection[Any]]:
    """A session with our settings, in a database with types of its own."""
    with postgres.connect() as made:
        for statement in (*SETTINGS, *OWN_TYPES):
            made.execute(statement)
        yield made


def known_types(connection: psycopg.Connection[Any], oids: list[int]) -> Types:
    """All of them, by one query."""
    types = Types()
    missing = types.missing(oids)
    types.add(TypeInfo.from_row(row) for row in connection.execute(CATALOG_SQL, [missing]))
    assert types.missing(oids) == []
    return types


def samples(name: str, values: list[str]) -> Iterator[tuple[str, str]]:
    """(column's type, expression) for each value, and for arrays of them in every shape."""
    literals = [f"{value if value.startswith('ROW(') else quote(value)}::{name}" for value in values]
    yield from ((name, literal) for literal in literals)
    array = f"{name}[]"
    first, last = literals[0], literals[-1]
    yield array, "'{}'"
    yield array, f"ARRAY[NULL, NULL]::{array}"
    if name in ("int2vector", "oidvector", "tags"):  # ARRAY[] of arrays is an array of more dimensions
        yield array, f"array_fill({first}, ARRAY[1])" if name != "tags" else f"ARRAY[{first}, {last}]::tags[]"
        return
    yield array, f"ARRAY[{', '.join(literals)}, NULL]::{array}"
    yield array, f"ARRAY[[{first}, NULL], [{last}, {last}]]::{array}"
    yield array, f"ARRAY[[[{first}], [{last}]]]::{array}"
    yield array, f"array_fill({last}, ARRAY[1, 2], ARRAY[-1, 5])"


def exact(value: Any) -> Any:
    """A JSON value that can be compared without rounding, and without taking true for 1."""
    if isinstance(value, dict):
        return {key: exact(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [exact(inner) for inner in value]
    if isinstance(value, bool) or value is None or isinstance(value, str):
        return value
    return ("number", Decimal(repr(value)) if isinstance(value, float) else Decimal(value))


def from_server(text: str) -> Any:
    return exact(json.loads(text, parse_float=Decimal, parse_int=Decimal))


def fill(connection: psycopg.Connection[Any]) -> list[tuple[str, int]]:
    """The table `every`; gives its columns' names and types."""
    values = VALUES | OWN_VALUES
    if not has_xml(connection):
        del values[NEEDS_LIBXML]
    columns: dict[str, str] = {}
    connection.execute("CREATE TABLE every ()")
    for name, texts in values.items():
        for type_, expression in samples(name, texts):
            if type_ not in columns:
                columns[type_] = f"c{len(columns)}"
                connection.execute(f"ALTER TABLE every ADD {columns[type_]} {type_}")
            connection.execute(f"INSERT INTO every ({columns[type_]}) VALUES ({expression})")
    return connection.execute(
        "SELECT attname, atttypid::int8 FROM pg_attribute WHERE attrelid = 'every'::regclass AND attnum > 0"
    ).fetchall()


def test_every_value_is_what_the_server_makes_of_it(connection: psycopg.Connection[Any]) -> None:
    every = fill(connection)
    types = known_types(connection, [oid for _, oid in every])
    wrong = []
    compared = 0
    for column, oid in every:
        convert = types.converter(oid)
        # Not IS NOT NULL: that asks whether every field of a composite is set.
        told = f"""SELECT format('%s', {column}), to_jsonb({column})::text FROM every
                   WHERE {column} IS DISTINCT FROM NULL"""
        for text, expected in connection.execute(told).fetchall():
            compared += 1
            if exact(convert(text.encode())) != from_server(expected):
                wrong.append((column, oid, text[:200], convert(text.encode()), expected[:200]))
    assert wrong == []
    assert compared > 600


def test_numbers_keep_every_digit(connection: psycopg.Connection[Any]) -> None:
    convert = Types().converter(1700)
    for value in VALUES["numeric"]:
        (told,) = connection.execute("SELECT format('%%s', %s::numeric)", [value]).fetchone() or ("",)
        made = convert(told.encode())
        assert isinstance(made, str) == (value.lstrip("-")[0] in "NI")
        assert (format(made, "f") if isinstance(made, Decimal) else str(made)) == told


def test_the_server_has_exactly_the_types_that_are_known(connection: psycopg.Connection[Any]) -> None:
    """And each has values above, but for those that can have none."""
    scalars = connection.execute(EVERY_SCALAR).fetchall()
    assert {name.strip('"') for name in VALUES} | NO_VALUES == {name for _, name, _, _ in scalars}
    known = {}
    for kind, table in (("b", SCALARS), ("r", RANGES), ("m", MULTIRANGES)):
        for entry in table.replace("\n", "|").strip("|").split("|"):
            oid, name, array = entry.split()
            known[int(oid)] = (name, kind, int(array))
    assert known == {oid: (name, kind, array) for oid, name, kind, array in scalars if array}


def test_what_the_catalog_tells_of_built_in_types_is_what_is_known(
    connection: psycopg.Connection[Any],
) -> None:
    built_in = Types()._infos
    told = [TypeInfo.from_row(row) for row in connection.execute(CATALOG_SQL, [list(built_in)])]
    assert {info.oid: info for info in told} == built_in


def test_types_are_fetched_with_all_that_they_are_made_of(connection: psycopg.Connection[Any]) -> None:
    found = connection.execute("SELECT 'outer_t[]'::regtype::oid::int8").fetchone()
    assert found is not None
    types = known_types(connection, [found[0]])
    assert types.converter(found[0])(b'{"(,,,3,,,)"}') == [
        {"i": None, "list": None, "j": None, "d": 3, "x": None, "n": None, "t": None}
    ]


def test_a_type_that_was_dropped_is_not_found_and_its_values_are_text(
    connection: psycopg.Connection[Any],
) -> None:
    assert connection.execute(CATALOG_SQL, [[999_999_999]]).fetchall() == []
    assert Types().converter(999_999_999)(b"(1,2)") == "(1,2)"


def has_xml(connection: psycopg.Connection[Any]) -> bool:
    try:
        connection.execute("SELECT '<a/>'::xml")
    except psycopg.errors.FeatureNotSupported:
        return False
    return True
