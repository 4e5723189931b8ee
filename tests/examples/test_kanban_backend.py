"""The kanban back end by itself: REST (K9), refusals (K10), commit before answer (K1), the trigger (K4)."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import apsw
import pytest
from starlette.testclient import TestClient

from examples.kanban.app import create_app
from examples.kanban.bodies import DESCRIPTION_MAX, MAX_BODY_BYTES, MAX_EVENT_BYTES, TITLE_MAX
from examples.kanban.live import TRIGGER_BURST, LiveSettings, channel_signature, project_of
from examples.kanban.ordering import key_between, keys_in_a_row
from examples.kanban.problems import Problem

LIVE = LiveSettings(key="kanban-key", secret="kanban-secret", host="127.0.0.1", port=8000)
WAIT_SECONDS = 30.0


@dataclass
class Bench:
    """A board under test: its client, its file, what it published, and a clock that stands still."""

    database: Path
    published: list[tuple[str, str, dict[str, Any]]] = field(default_factory=list)
    before_commit: Callable[[], None] = lambda: None
    on_publish: Callable[[], None] = lambda: None
    now: float = 0.0

    def __post_init__(self) -> None:
        app = create_app(
            self.database,
            live=LIVE,
            emit="client-trigger",
            publish=self.publish,
            commit_delay=lambda: self.before_commit(),
            clock=lambda: self.now,
        )
        self.client = TestClient(app, cookies={"kanban_user": "Ada"}, raise_server_exceptions=False)

    async def publish(self, channel: str, event: str, data: dict[str, Any]) -> None:
        self.on_publish()
        self.published.append((channel, event, data))

    def project(self, project_id: str = "atlas") -> dict[str, Any]:
        answer = self.client.get(f"/api/projects/{project_id}")
        assert answer.status_code == 200
        found: dict[str, Any] = answer.json()
        return found

    def titles(self, status_id: str) -> list[str]:
        return [task["title"] for task in self.project()["tasks"] if task["statusId"] == status_id]

    def create(self, **values: Any) -> dict[str, Any]:
        answer = self.client.post("/api/tasks", json={"projectId": "atlas", "title": "New", **values})
        assert answer.status_code == 201, answer.text
        task: dict[str, Any] = answer.json()
        return task

    def sql(self, statement: str) -> list[Any]:
        """Through apsw, as the back end: two copies of SQLite in one process undo each other's file locks."""
        connection = apsw.Connection(str(self.database))
        try:
            return connection.execute(statement).fetchall()
        finally:
            connection.close()


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    bench = Bench(tmp_path / "kanban.db")
    with bench.client:
        yield bench


class TestK01SavedBeforeAnnounced:
    def test_k01_row_is_readable_before_the_answer(self, bench: Bench) -> None:
        for number in range(25):
            task = bench.create(title=f"Task {number}")
            assert bench.sql(f"SELECT title FROM tasks WHERE id = '{task['id']}'") == [(f"Task {number}",)]

    def test_k01_answer_waits_for_a_slow_commit_and_readers_see_the_old_rows(self, bench: Bench) -> None:
        entered, release = threading.Event(), threading.Event()

        def hold() -> None:
            entered.set()
            assert release.wait(WAIT_SECONDS)

        bench.before_commit = hold
        with ThreadPoolExecutor(1) as pool:
            waiting = pool.submit(bench.create, id="held", title="Held back")
            assert entered.wait(WAIT_SECONDS)
            assert not waiting.done()
            assert bench.client.get("/api/tasks/held").status_code == 404
            release.set()
            waiting.result(WAIT_SECONDS)
        assert bench.client.get("/api/tasks/held").json()["title"] == "Held back"

    def test_k01_rollback_leaves_nothing_and_announces_nothing(self, bench: Bench) -> None:
        def fail() -> None:
            raise OSError("disk full")

        bench.before_commit = fail
        answer = bench.client.post("/api/tasks", json={"projectId": "atlas", "title": "Lost", "id": "lost"})
        assert answer.status_code == 500
        assert bench.client.get("/api/tasks/lost").status_code == 404
        assert bench.published == []

    def test_k01_event_finds_the_row_committed(self, bench: Bench) -> None:
        task = bench.create(title="Told after")
        seen: list[Any] = []
        bench.on_publish = lambda: seen.append(bench.sql(f"SELECT 1 FROM tasks WHERE id = '{task['id']}'"))
        answer = trigger(bench, data={"taskId": task["id"], "projectId": "atlas"})
        assert answer.status_code == 200
        assert seen == [[(1,)]]


def trigger(bench: Bench, **changes: Any) -> Any:
    body = {
        "channel": "project-atlas",
        "event": "task-created",
        "data": {"taskId": "t1", "projectId": "atlas"},
        "projectId": "atlas",
        **changes,
    }
    return bench.client.post("/api/pusher/trigger", json=body)


class TestK04Trigger:
    def test_k04_publishes_for_a_member(self, bench: Bench) -> None:
        assert trigger(bench).status_code == 200
        assert bench.published == [
            ("project-atlas", "task-created", {"taskId": "t1", "projectId": "atlas"}),
        ]

    def test_k08_task_id_alone_is_enough(self, bench: Bench) -> None:
        assert trigger(bench, data={"taskId": "t1"}).status_code == 200
        assert bench.published[0][2] == {"taskId": "t1"}

    def test_d15_browser_cannot_forge_events(self, bench: Bench) -> None:
        bench.client.cookies.set("kanban_user", "Alan")
        answer = trigger(bench, channel="project-hermes", projectId="hermes", data={"taskId": "t1"})
        assert answer.status_code == 403
        assert bench.published == []

    def test_d15_own_project_does_not_open_another_channel(self, bench: Bench) -> None:
        bench.client.cookies.set("kanban_user", "Alan")
        answer = trigger(bench, channel="project-hermes", projectId="atlas")
        assert answer.status_code == 422
        assert answer.json()["field"] == "projectId"
        assert bench.published == []

    def test_d15_nobody_is_refused(self, bench: Bench) -> None:
        bench.client.cookies.clear()
        assert trigger(bench).status_code == 401

    @pytest.mark.parametrize(
        ("changes", "status", "code"),
        [
            ({"event": "task-exploded"}, 422, "invalid_body"),
            ({"event": "pusher:error"}, 422, "invalid_body"),
            ({"channel": "private-org.5"}, 422, "unknown_channel"),
            ({"channel": "project-"}, 422, "unknown_channel"),
            ({"channel": "project-nowhere", "projectId": "nowhere", "data": {}}, 404, "project_not_found"),
            ({"data": {"taskId": "t1", "title": "a whole row"}}, 422, "invalid_body"),
            ({"data": {"taskId": "x" * MAX_EVENT_BYTES}}, 413, "body_too_large"),
        ],
    )
    def test_k04_refuses(self, bench: Bench, changes: dict[str, Any], status: int, code: str) -> None:
        answer = trigger(bench, **changes)
        assert (answer.status_code, answer.json()["code"]) == (status, code)
        assert bench.published == []

    def test_k04_size_limit_is_named(self, bench: Bench) -> None:
        assert trigger(bench, data={"taskId": "x" * MAX_EVENT_BYTES}).json()["limit"] == MAX_EVENT_BYTES

    def test_k04_burst_is_limited_and_recovers(self, bench: Bench) -> None:
        answers = [trigger(bench).status_code for _ in range(TRIGGER_BURST + 1)]
        assert answers == [200] * TRIGGER_BURST + [429]
        bench.now += 1
        assert trigger(bench).status_code == 200

    def test_k04_failing_live_server_is_a_502(self, bench: Bench) -> None:
        def fail() -> None:
            raise ConnectionError("refused")

        bench.on_publish = fail
        assert trigger(bench).json()["code"] == "live_server_failed"


class TestK06ChannelAuthorisation:
    def test_k06_member_gets_the_signature(self, bench: Bench) -> None:
        form = {"socket_id": "12.34", "channel_name": "private-project-atlas"}
        answer = bench.client.post("/api/pusher/auth", data=form)
        assert answer.json() == {"auth": channel_signature(LIVE, "12.34", "private-project-atlas")}

    def test_k15_stranger_gets_403(self, bench: Bench) -> None:
        bench.client.cookies.set("kanban_user", "Alan")
        form = {"socket_id": "12.34", "channel_name": "private-project-hermes"}
        assert bench.client.post("/api/pusher/auth", data=form).status_code == 403

    def test_k06_socket_id_cannot_smuggle_a_second_channel(self, bench: Bench) -> None:
        form = {"socket_id": "12.34:private-project-hermes", "channel_name": "project-atlas"}
        assert bench.client.post("/api/pusher/auth", data=form).status_code == 422

    @pytest.mark.parametrize("channel", ["project-", "projects-1", "presence-project-1", "", "xproject-1"])
    def test_d11_channel_name_is_parsed_not_searched(self, channel: str) -> None:
        with pytest.raises(Problem):
            project_of(channel)
        assert project_of("project-project-7") == "project-7"


class TestK09Rest:
    def test_k09_create_answers_the_saved_row(self, bench: Bench) -> None:
        task = bench.create(title="  Fix it ", statusId="atlas-s2", priority="high", assignee="Grace")
        assert task["title"] == "Fix it"
        assert (task["statusId"], task["priority"], task["assignee"]) == ("atlas-s2", "high", "Grace")
        assert (task["version"], task["updatedBy"], task["projectId"]) == (1, "Ada", "atlas")

    def test_k09_create_needs_project_id(self, bench: Bench) -> None:
        answer = bench.client.post("/api/tasks", json={"title": "No project"})
        assert answer.status_code == 422
        assert answer.json()["field"] == "projectId"

    def test_k09_update_changes_only_what_is_named(self, bench: Bench) -> None:
        task = bench.create(title="Old", description="Stays")
        answer = bench.client.patch(f"/api/tasks/{task['id']}", json={"title": "New"})
        assert answer.status_code == 200
        assert (answer.json()["title"], answer.json()["description"], answer.json()["version"]) == (
            "New",
            "Stays",
            2,
        )

    def test_k09_move_without_a_place_goes_to_the_end(self, bench: Bench) -> None:
        task = bench.create(statusId="atlas-s1")
        answer = bench.client.patch(f"/api/tasks/{task['id']}/move", json={"statusId": "atlas-s2"})
        assert answer.json()["statusId"] == "atlas-s2"
        assert bench.titles("atlas-s2")[-1] == "New"

    def test_k09_move_before_a_task(self, bench: Bench) -> None:
        body = {"statusId": "atlas-s2", "beforeId": "atlas-s2-t2"}
        bench.client.patch("/api/tasks/atlas-s3-t1/move", json=body)
        assert bench.titles("atlas-s2")[1] == "New navigation"

    def test_k09_move_within_a_column(self, bench: Bench) -> None:
        body = {"statusId": "atlas-s2", "beforeId": "atlas-s2-t1"}
        bench.client.patch("/api/tasks/atlas-s2-t3/move", json=body)
        assert bench.titles("atlas-s2")[0] == "Measure the first paint"

    def test_k09_delete_sends_and_answers_no_body(self, bench: Bench) -> None:
        answer = bench.client.delete("/api/tasks/atlas-s2-t1")
        assert (answer.status_code, answer.content) == (204, b"")
        assert bench.client.get("/api/tasks/atlas-s2-t1").status_code == 404

    def test_k09_status_life(self, bench: Bench) -> None:
        made = bench.client.post("/api/statuses", json={"projectId": "atlas", "name": "Blocked"}).json()
        assert bench.project()["statuses"][-1]["name"] == "Blocked"
        renamed = bench.client.patch(f"/api/statuses/{made['id']}", json={"name": "Waiting"}).json()
        assert (renamed["name"], renamed["version"]) == ("Waiting", 2)
        assert bench.client.delete(f"/api/statuses/{made['id']}").status_code == 204
        assert "Waiting" not in [status["name"] for status in bench.project()["statuses"]]

    def test_column_with_tasks_is_not_deleted(self, bench: Bench) -> None:
        answer = bench.client.delete("/api/statuses/atlas-s2")
        assert answer.status_code == 409
        assert answer.json()["detail"] == "The column “To do” still has 3 tasks."
        assert len(bench.titles("atlas-s2")) == 3

    def test_column_with_tasks_moves_them_in_the_same_transaction(self, bench: Bench) -> None:
        leaving = bench.titles("atlas-s2")
        assert bench.client.delete("/api/statuses/atlas-s2?moveTo=atlas-s1").status_code == 204
        assert bench.titles("atlas-s1")[-3:] == leaving

    def test_mounted_json_only(self, bench: Bench) -> None:
        answer = bench.client.post("/api/tasks", content=b"title=x", headers={"Content-Type": "text/plain"})
        assert answer.status_code == 415


class TestRepeatedWrites:
    def test_same_mutation_id_gets_the_same_answer_once(self, bench: Bench) -> None:
        headers = {"X-Mutation-Id": "m-1"}
        body = {"projectId": "atlas", "title": "Once"}
        first, second = (bench.client.post("/api/tasks", json=body, headers=headers) for _ in range(2))
        assert (first.status_code, first.json()) == (second.status_code, second.json())
        assert bench.sql("SELECT count(*) FROM tasks WHERE title = 'Once'") == [(1,)]

    def test_repeated_delete_is_still_204(self, bench: Bench) -> None:
        headers = {"X-Mutation-Id": "m-2"}
        answers = [
            bench.client.delete("/api/tasks/atlas-s1-t1", headers=headers).status_code for _ in range(2)
        ]
        assert answers == [204, 204]

    def test_mutation_id_of_another_request_is_refused(self, bench: Bench) -> None:
        headers = {"X-Mutation-Id": "m-3"}
        bench.client.delete("/api/tasks/atlas-s1-t1", headers=headers)
        answer = bench.client.delete("/api/tasks/atlas-s1-t2", headers=headers)
        assert answer.json()["code"] == "mutation_id_reused"

    def test_failed_write_is_not_remembered(self, bench: Bench) -> None:
        headers = {"X-Mutation-Id": "m-4"}
        body = {"projectId": "atlas", "title": "Later", "statusId": "fresh"}
        assert bench.client.post("/api/tasks", json=body, headers=headers).status_code == 422
        bench.sql("INSERT INTO statuses (id, project_id, name) VALUES ('fresh', 'atlas', 'Fresh')")
        assert bench.client.post("/api/tasks", json=body, headers=headers).status_code == 201

    def test_parallel_repeats_write_one_row(self, bench: Bench) -> None:
        def send(_: int) -> str:
            headers = {"X-Mutation-Id": "m-5"}
            body = {"projectId": "atlas", "title": "Raced"}
            return str(bench.client.post("/api/tasks", json=body, headers=headers).json()["id"])

        with ThreadPoolExecutor(4) as pool:
            assert len(set(pool.map(send, range(8)))) == 1

    def test_d05_client_made_ids_collide_loudly(self, bench: Bench) -> None:
        bench.create(id="mine")
        answer = bench.client.post("/api/tasks", json={"projectId": "atlas", "title": "Again", "id": "mine"})
        assert (answer.status_code, answer.json()["code"]) == (409, "task_exists")


class TestK10Refusals:
    @pytest.mark.parametrize(
        ("body", "status", "field", "limit"),
        [
            (b"{", 400, None, None),
            (b"[]", 422, None, None),
            (b'{"projectId": "atlas", "title": 7}', 422, "title", None),
            (b'{"projectId": "atlas", "title": "  "}', 422, "title", TITLE_MAX),
            (b'{"projectId": "atlas", "title": "%s"}' % (b"x" * 201), 422, "title", TITLE_MAX),
            (
                b'{"projectId": "atlas", "title": "x", "description": "%s"}' % (b"x" * 5001),
                422,
                "description",
                5000,
            ),
            (b'{"projectId": "atlas", "title": "x", "priority": "huge"}', 422, "priority", None),
            (b'{"projectId": "atlas", "title": "x", "assignee": "Eve"}', 422, "assignee", None),
            (b'{"projectId": "atlas", "title": "x", "colour": "red"}', 422, "colour", None),
            (b'{"projectId": "atlas", "title": "x", "statusId": "hermes-s1"}', 422, "statusId", None),
            (b'{"projectId": "nowhere", "title": "x"}', 404, "id", None),
            (b'"%s"' % (b"x" * MAX_BODY_BYTES), 413, None, MAX_BODY_BYTES),
        ],
    )
    def test_k10_bad_input_names_field_limit_and_fix(
        self, bench: Bench, body: bytes, status: int, field: str | None, limit: int | None
    ) -> None:
        answer = bench.client.post("/api/tasks", content=body, headers={"Content-Type": "application/json"})
        problem = answer.json()
        assert answer.headers["content-type"] == "application/problem+json"
        assert (answer.status_code, problem.get("field"), problem.get("limit")) == (status, field, limit)
        assert problem["fix"]

    def test_k10_description_limit_is_where_it_says(self, bench: Bench) -> None:
        bench.create(description="x" * DESCRIPTION_MAX)

    @pytest.mark.parametrize(
        ("method", "path"),
        [
            ("GET", "/api/projects/none"),
            ("GET", "/api/tasks/none"),
            ("DELETE", "/api/tasks/none"),
            ("DELETE", "/api/statuses/none"),
            ("GET", "/api/nothing"),
        ],
    )
    def test_k10_unknown_ids_and_paths(self, bench: Bench, method: str, path: str) -> None:
        answer = bench.client.request(method, path)
        assert answer.status_code == 404
        assert answer.json()["fix"]

    def test_k10_wrong_method(self, bench: Bench) -> None:
        assert bench.client.put("/api/tasks/atlas-s1-t1").json()["status"] == 405

    def test_k10_empty_change(self, bench: Bench) -> None:
        assert bench.client.patch("/api/tasks/atlas-s1-t1", json={}).json()["code"] == "nothing_to_change"

    def test_k10_project_of_others_is_closed(self, bench: Bench) -> None:
        bench.client.cookies.set("kanban_user", "Alan")
        assert [project["id"] for project in bench.client.get("/api/projects").json()] == ["atlas"]
        for method, path in (("GET", "/api/projects/hermes"), ("DELETE", "/api/tasks/hermes-s1-t1")):
            assert bench.client.request(method, path).status_code == 403

    def test_task_cannot_move_to_another_project(self, bench: Bench) -> None:
        answer = bench.client.patch("/api/tasks/atlas-s1-t1/move", json={"statusId": "hermes-s1"})
        assert answer.json()["field"] == "statusId"


class TestPage:
    def test_config_holds_no_secret_and_signs_in_a_first_visitor(self, bench: Bench) -> None:
        bench.client.cookies.clear()
        answer = bench.client.get("/api/config")
        assert LIVE.secret not in answer.text
        assert answer.json()["user"] == "Ada"
        assert bench.client.get("/api/projects").status_code == 200

    def test_user_in_the_address_sets_the_cookie(self, tmp_path: Path) -> None:
        (tmp_path / "index.html").write_text("<!doctype html>")
        client = TestClient(create_app(tmp_path / "kanban.db", live=LIVE, static=tmp_path))
        assert client.get("/?user=Grace").cookies["kanban_user"] == "Grace"
        assert client.get("/api/config").json()["user"] == "Grace"
        assert "kanban_user" not in client.get("/?user=Eve").cookies

    def test_header_lets_each_window_be_its_own_person(self, bench: Bench) -> None:
        answer = bench.client.post(
            "/api/tasks", json={"projectId": "atlas", "title": "x"}, headers={"X-Kanban-User": "Linus"}
        )
        assert answer.json()["updatedBy"] == "Linus"

    def test_unbuilt_page_says_how_to_build_it(self, tmp_path: Path) -> None:
        client = TestClient(create_app(tmp_path / "kanban.db", live=LIVE, static=tmp_path / "none"))
        assert "run build" in client.get("/").text


class TestRowsWrittenByHand:
    def test_row_from_a_shell_shows_at_the_end_of_its_column(self, bench: Bench) -> None:
        bench.sql("INSERT INTO tasks (project_id, status_id, title) VALUES ('atlas', 'atlas-s2', 'By hand')")
        assert bench.titles("atlas-s2")[-1] == "By hand"

    def test_tasks_can_be_placed_around_rows_without_a_position(self, bench: Bench) -> None:
        for name in ("one", "two"):
            columns = "id, project_id, status_id, title"
            bench.sql(f"INSERT INTO tasks ({columns}) VALUES ('{name}', 'atlas', 'atlas-s5', '{name}')")
        bench.create(statusId="atlas-s5", beforeId="two", title="between")
        assert bench.titles("atlas-s5")[-3:] == ["one", "between", "two"]

    def test_ties_are_spread_when_something_must_go_between(self, bench: Bench) -> None:
        bench.sql("UPDATE tasks SET position = 'a0' WHERE status_id = 'atlas-s2'")
        bench.create(statusId="atlas-s2", beforeId="atlas-s2-t2", title="between")
        assert bench.titles("atlas-s2")[:3] == ["Fix homepage", "between", "Write the privacy page"]


def test_the_demo_process_has_one_sqlite_only() -> None:
    """Two copies undo each other's file locks: with both, every acknowledged row of the board was lost."""
    check = "import examples.demo, sys; sys.exit('sqlite3' in sys.modules)"
    root = Path(__file__).parents[2]
    assert subprocess.run([sys.executable, "-c", check], cwd=root, check=False).returncode == 0


class TestOrdering:
    @pytest.mark.parametrize(
        ("low", "high", "between"),
        [
            (None, None, "a0"),
            ("a0", None, "a1"),
            (None, "a0", "Zz"),
            ("a0", "a1", "a0V"),
            ("a0", "a0V", "a0G"),
            ("az", None, "b00"),
            (None, "b00", "az"),
            ("Zz", "a0", "ZzV"),
            ("a1", "a2V", "a2"),
            ("zzzzzzzzzzzzzzzzzzzzzzzzzzz", None, "zzzzzzzzzzzzzzzzzzzzzzzzzzzV"),
        ],
    )
    def test_keys_equal_those_of_the_npm_package(
        self, low: str | None, high: str | None, between: str
    ) -> None:
        assert key_between(low, high) == between

    def test_a_thousand_keys_rise(self) -> None:
        keys = keys_in_a_row(1_000)
        assert keys == sorted(set(keys))

    def test_always_room_in_between(self) -> None:
        low, high = "a0", "a1"
        for turn in range(200):
            middle = key_between(low, high)
            assert low < middle < high
            low, high = (middle, high) if turn % 3 else (low, middle)

    @pytest.mark.parametrize(
        ("low", "high"), [("a1", "a0"), ("a0", "a0"), ("", None), ("a00", None), ("!", None)]
    )
    def test_what_is_no_order_is_refused(self, low: str, high: str | None) -> None:
        with pytest.raises(ValueError, match=r"key|sort|letter"):
            key_between(low, high)
