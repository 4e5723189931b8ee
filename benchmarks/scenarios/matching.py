"""Row changes that 500 subscribers get, all matching: the whole server, beside asking the database for each of them.

The other way stands in for Supabase's `apply_rls`, which is not run here. It does that function's main step, and only
that: for each change and subscriber, in one loop inside the database, the subscriber's claims are set and a prepared
query asks under row security whether they see the row. It reads no log, judges no filter, and sends nothing.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable
from contextlib import ExitStack

from benchmarks.database import TITLE, fresh_database, start_postgres
from benchmarks.generator import Generator
from benchmarks.machine import pinned
from benchmarks.rounds import Plan, interleaved
from benchmarks.subjects import start_tidings, upgrade
from benchmarks.table import Bound, Group, Row
from tests.fixtures.fix_postgres import Cluster

SUBSCRIBERS = 500
CHANGES, ASKED = 1_000, 40
"""A round of ours and of the other's, some seconds of either at most."""

RULES = """
[[rules]]
table = "tasks"
channel = "bench-0"
deliver = "change"
"""

ONE_FILTER = "tidings, one filter for all"
OWN_FILTERS = "tidings, a filter for each"
"""As dear as filters get: no two equal, none an equality, so that each is judged and each is a group of its own."""

BY_SQL = "a query each, in place of apply_rls"
BOUND = Bound(4, 6, more=True)

PROJECT = 42

CHANGE_BY_CHANGE = """
DO $$ BEGIN
  FOR n IN 1..{count} LOOP
    INSERT INTO tasks (project_id, title) VALUES ({project}, '{title}');
    COMMIT;
  END LOOP;
END $$
"""

BY_SUBSCRIBER = (
    "CREATE ROLE reader",
    "GRANT SELECT ON asked TO reader",
    "ALTER TABLE asked ENABLE ROW LEVEL SECURITY",
    """
    CREATE POLICY members ON asked FOR SELECT TO reader
    USING (project_id = (current_setting('request.jwt.claims')::jsonb ->> 'project')::int)
    """,
    """
    CREATE FUNCTION seen(row_id bigint) RETURNS int LANGUAGE plpgsql AS $$
    DECLARE
      all_claims text[] := ARRAY(SELECT claims FROM subscriptions);
      claims text;
      may boolean;
      found int := 0;
    BEGIN
      PERFORM set_config('role', 'reader', true);
      FOREACH claims IN ARRAY all_claims LOOP
        PERFORM set_config('request.jwt.claims', claims, true);
        EXECUTE format('EXECUTE sees(%s)', row_id) INTO may;
        found := found + may::int;
      END LOOP;
      PERFORM set_config('role', 'none', true);
      RETURN found;
    END $$
    """,
)
"""`asked` is a table that nobody captures, with the columns of the one that is."""


def matching(plan: Plan) -> list[Group]:
    """Ours with equal filters and with different ones, and the database's answers."""
    subscribers = min(SUBSCRIBERS, plan.subscribers)
    with ExitStack() as stack:
        cluster = start_postgres(stack)
        series = interleaved(
            {
                ONE_FILTER: _delivering(plan, stack, cluster, "project_id%3Deq.42", subscribers),
                OWN_FILTERS: _delivering(plan, stack, cluster, "id%3Dgt.-{n}", subscribers),
                BY_SQL: _asking(plan, stack, cluster, subscribers),
            },
            plan.rounds,
        )
    group = Group(f"Postgres changes to {subscribers} subscribers, all matching", "changes per second")
    group.rows.append(Row(ONE_FILTER, series[ONE_FILTER]))
    group.rows.append(Row(OWN_FILTERS, series[OWN_FILTERS]))
    for name, bound, note in (
        (ONE_FILTER, BOUND, "one filter ÷ it"),
        (OWN_FILTERS, None, "a filter each ÷ it"),
    ):
        group.rows.append(Row(BY_SQL, series[BY_SQL], series[name].ratio(series[BY_SQL]), bound, note))
    return [group]


def _delivering(
    plan: Plan, stack: ExitStack, cluster: Cluster, filter: str, subscribers: int
) -> Callable[[], float]:
    """Changes a second from the first commit to the last delivery, over WebSocket; each change a commit."""
    database = stack.enter_context(fresh_database(cluster))  # of its own: two servers cannot read one slot
    server = start_tidings(stack, engine="sqlite", config=RULES, arguments=["--source", database.url])
    talk = dataclasses.replace(server.talk, subscribe=upgrade(f"/ws?channel=bench-0&filter={filter}"))
    load = stack.enter_context(
        Generator(server.port, talk, subscribers=subscribers, groups=subscribers, publishers=0)
    )
    with pinned(server=False):
        writer = stack.enter_context(database.connect())
    count = plan.some(CHANGES)
    statement = CHANGE_BY_CHANGE.format(count=count, project=PROJECT, title=TITLE)

    def measure() -> float:
        with load.receiving(count * subscribers):
            began = time.perf_counter()
            writer.execute(statement)
        return count / (time.perf_counter() - began)

    return measure


def _asking(plan: Plan, stack: ExitStack, cluster: Cluster, subscribers: int) -> Callable[[], float]:
    """Changes a second when the database is asked once for each change and subscriber."""
    database = stack.enter_context(fresh_database(cluster))
    database.run("CREATE TABLE asked (LIKE tasks INCLUDING ALL)", "CREATE TABLE subscriptions (claims text)")
    database.run(*BY_SUBSCRIBER)
    connection = stack.enter_context(database.connect())
    claims = [(f'{{"sub":"user-{n}","project":{PROJECT}}}',) for n in range(subscribers)]
    with connection.cursor() as cursor:
        cursor.executemany("INSERT INTO subscriptions VALUES (%s)", claims)
    count = plan.some(ASKED)
    rows = "INSERT INTO asked (project_id, title) SELECT %s, %s FROM generate_series(1, %s) RETURNING id"
    ids = [id for (id,) in connection.execute(rows, [PROJECT, TITLE, count])]
    connection.execute("ANALYZE asked")
    connection.execute("SET ROLE reader")  # the plan is made for who it is run by
    connection.execute("PREPARE sees(bigint) AS SELECT EXISTS (SELECT FROM asked WHERE id = $1)")
    connection.execute("RESET ROLE")

    def measure() -> float:
        began = time.perf_counter()
        for id in ids:
            answer = connection.execute("SELECT seen(%s)", [id]).fetchone()
            assert answer == (subscribers,), "each of them sees it"
        return count / (time.perf_counter() - began)

    return measure
