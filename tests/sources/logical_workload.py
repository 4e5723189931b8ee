"""Statements that bring about every message of pgoutput. Data only; `test_pgoutput_differential.py` runs them."""

from __future__ import annotations

from tests.sources.logical_rig import Statement

LARGE = "(SELECT string_agg(md5(i::text), '') FROM generate_series(1, 200) i)"
"""A text that is stored out of line, so that an update which leaves it does not tell it."""

TABLES: tuple[Statement, ...] = (
    "CREATE TYPE mood AS ENUM ('sad', 'so, so')",
    "CREATE DOMAIN positive AS int CHECK (VALUE > 0)",
    "CREATE TYPE pair AS (a int, b text)",
    """CREATE TABLE a (id int PRIMARY KEY, n numeric, t text, b bool, at timestamptz, j jsonb, big text, f float8,
                       bits bit(3), list int[], s "char")""",
    "ALTER TABLE a ALTER big SET STORAGE EXTERNAL",
    "CREATE TABLE whole (id int PRIMARY KEY, t text, big text)",
    "ALTER TABLE whole REPLICA IDENTITY FULL",
    "ALTER TABLE whole ALTER big SET STORAGE EXTERNAL",
    "CREATE TABLE by_index (x int NOT NULL, y text NOT NULL, z text)",
    "CREATE UNIQUE INDEX by_index_xy ON by_index (x, y)",
    "ALTER TABLE by_index REPLICA IDENTITY USING INDEX by_index_xy",
    "CREATE TABLE no_identity (x int, y text)",
    "ALTER TABLE no_identity REPLICA IDENTITY NOTHING",
    "CREATE TABLE parent (id serial PRIMARY KEY, t text)",
    "CREATE TABLE child (id serial PRIMARY KEY, parent int REFERENCES parent)",
    "CREATE TABLE typed (id int PRIMARY KEY, m mood, p positive, c pair, l mood[])",
    "CREATE TABLE part (id int, day int, t text, PRIMARY KEY (id, day)) PARTITION BY LIST (day)",
    "CREATE TABLE part_1 PARTITION OF part FOR VALUES IN (1)",
    "CREATE TABLE part_2 PARTITION OF part FOR VALUES IN (2)",
    'CREATE SCHEMA "odd one"',
    'CREATE TABLE "odd one"."T.b ""x""" ("a: [b]" int PRIMARY KEY, "select" text)',
)

ROOTS = {"public.part_1": "public.part", "public.part_2": "public.part"}

WORKLOAD: tuple[Statement, ...] = (
    f"""INSERT INTO a VALUES (1, 1.50, 'it''s "x" \\ new-tuple: \u00e9', true, '2026-08-01 10:00:00+02',
                              '{{"k": [1, null]}}', {LARGE}, 'NaN', B'101', '{{1,NULL}}', 'x')""",
    "INSERT INTO a (id) VALUES (2), (3), (4)",
    "UPDATE a SET t = 'line\nbreak' WHERE id = 1",
    "UPDATE a SET id = 10 WHERE id = 1",
    "UPDATE a SET big = NULL WHERE id = 10",
    "UPDATE a SET t = '' WHERE id > 1",
    "DELETE FROM a WHERE id = 2",
    f"INSERT INTO whole VALUES (1, 'one', {LARGE}), (2, NULL, NULL)",
    "UPDATE whole SET t = 'two' WHERE id = 1",
    "UPDATE whole SET id = 3 WHERE id = 2",
    "DELETE FROM whole",
    "INSERT INTO by_index VALUES (1, 'y', 'z')",
    "UPDATE by_index SET z = NULL",
    "UPDATE by_index SET y = 'yy'",
    "DELETE FROM by_index",
    "INSERT INTO no_identity VALUES (1, NULL)",
    "INSERT INTO typed VALUES (1, 'so, so', 7, (1, 'a \"b\"'), '{sad,NULL}')",
    ("INSERT INTO parent (t) VALUES ('p')", "INSERT INTO child (parent) VALUES (1)", "COMMIT"),
    "TRUNCATE child",
    "TRUNCATE parent, child RESTART IDENTITY",
    "TRUNCATE parent RESTART IDENTITY CASCADE",
    "TRUNCATE parent CASCADE",
    "INSERT INTO part VALUES (1, 1, 'a'), (2, 2, 'b')",
    "UPDATE part SET t = 'c' WHERE id = 1",
    "UPDATE part SET day = 2 WHERE id = 1",
    "DELETE FROM part WHERE id = 2",
    "TRUNCATE part",
    'INSERT INTO "odd one"."T.b ""x""" VALUES (1, NULL)',
    "SELECT pg_logical_emit_message(true, 'app', 'alone')",
    "SELECT pg_logical_emit_message(false, 'app', 'not in it')",
    (
        "INSERT INTO a (id, t) VALUES (20, 'kept')",
        "SELECT pg_logical_emit_message(true, '', 'within')",
        "SELECT pg_logical_emit_message(false, 'app', '')",
        "SAVEPOINT s",
        "INSERT INTO a (id, t) VALUES (21, 'gone')",
        "SELECT pg_logical_emit_message(true, 'app', 'gone')",
        "ROLLBACK TO s",
        "INSERT INTO a (id, t) VALUES (22, 'kept too')",
        "SAVEPOINT s2",
        "UPDATE a SET n = 22 WHERE id = 22",
        "RELEASE s2",
        "COMMIT",
    ),
    ("INSERT INTO a (id) VALUES (30)", "ROLLBACK"),
    ("SAVEPOINT s", "INSERT INTO a (id) VALUES (31)", "ROLLBACK TO s", "COMMIT"),
    "ALTER TABLE a ADD extra int DEFAULT 5",
    "UPDATE a SET extra = 6 WHERE id = 20",
    (
        "INSERT INTO a (id, extra) VALUES (40, 1)",
        "ALTER TABLE a RENAME t TO title",
        "ALTER TABLE a DROP n",
        "INSERT INTO a (id, title) VALUES (41, 'after')",
        "ALTER TABLE a ALTER extra TYPE text USING extra::text || '!'",
        "UPDATE a SET title = 'x' WHERE id = 41",
        "COMMIT",
    ),
    "ALTER TABLE a RENAME TO a_new",
    "DELETE FROM a_new WHERE id = 41",
    "CREATE TABLE late (id int PRIMARY KEY)",
    "INSERT INTO late VALUES (1)",
    "UPDATE late SET id = 1",
)

ORIGIN: tuple[Statement, ...] = (
    "SELECT pg_replication_origin_create(current_database() || ' elsewhere')",
    "SELECT pg_replication_origin_session_setup(current_database() || ' elsewhere')",
    (
        "SELECT pg_replication_origin_xact_setup('1/ABC', '2026-08-01')",
        "INSERT INTO late VALUES (2)",
        "COMMIT",
    ),
    "SELECT pg_replication_origin_session_reset()",
)

DROP_ORIGIN = "SELECT pg_replication_origin_drop(current_database() || ' elsewhere')"

STREAMED: tuple[Statement, ...] = (
    (
        "INSERT INTO a (id, t) SELECT i, md5(i::text) FROM generate_series(1, 2000) i",
        "INSERT INTO typed VALUES (2, 'sad', 1, NULL, NULL)",
        "SAVEPOINT gone",
        "INSERT INTO a (id, t) SELECT i, 'gone' FROM generate_series(3001, 4000) i",
        "UPDATE a SET t = 'gone' WHERE id < 500",
        "ROLLBACK TO gone",
        "SAVEPOINT kept",
        f"INSERT INTO a (id, t, big) SELECT i, 'kept', {LARGE} FROM generate_series(4001, 4005) i",
        "UPDATE a SET t = 'toast stays' WHERE id > 4000",
        "UPDATE a SET id = id + 10000 WHERE id <= 500",
        "DELETE FROM a WHERE id BETWEEN 600 AND 700",
        "RELEASE kept",
        "SELECT pg_logical_emit_message(true, 'app', 'in the stream')",
        "INSERT INTO whole SELECT i, 'w' FROM generate_series(1, 800) i",
        "UPDATE whole SET t = 'ww' WHERE id < 300",
        "DELETE FROM whole WHERE id = 1",
        "TRUNCATE child",
        "ALTER TABLE a ADD extra int",
        "INSERT INTO a (id, extra) SELECT i, i FROM generate_series(5001, 6500) i",
        "COMMIT",
    ),
    ("INSERT INTO a (id) SELECT i FROM generate_series(20001, 24000) i", "ROLLBACK"),
    "INSERT INTO a (id) VALUES (99999)",
)

STREAMED_FROM_ELSEWHERE: tuple[Statement, ...] = (
    *ORIGIN[:2],
    (
        "SELECT pg_replication_origin_xact_setup('1/ABC', '2026-08-01')",
        "INSERT INTO a (id) SELECT i FROM generate_series(30001, 33000) i",
        "COMMIT",
    ),
    ORIGIN[3],
)

# In two parts, to be read after each: of what is known to be rolled back, the server tells no changes.
PREPARED: tuple[Statement, ...] = (
    ("INSERT INTO a (id) VALUES (1)", "PREPARE TRANSACTION 'small, kept'"),
    "COMMIT PREPARED 'small, kept'",
    ("UPDATE a SET t = 'no' WHERE id = 1", "PREPARE TRANSACTION 'small, gone'"),
)

PREPARED_LATER: tuple[Statement, ...] = (
    "ROLLBACK PREPARED 'small, gone'",
    (
        "INSERT INTO a (id, t) SELECT i, md5(i::text) FROM generate_series(2, 2500) i",
        "SAVEPOINT s",
        "INSERT INTO a (id, t) SELECT i, 'gone' FROM generate_series(3001, 5000) i",
        "ROLLBACK TO s",
        "INSERT INTO whole (id) VALUES (7)",
        "PREPARE TRANSACTION 'large, kept'",
    ),
    "INSERT INTO a (id) VALUES (100000)",
    "COMMIT PREPARED 'large, kept'",
)
