"""What a back end pays for `import tidings.auth`: no server, no engine, no framework."""

from __future__ import annotations

import subprocess
import sys

BLOCKED = (
    "uvicorn",
    "starlette",
    "django",
    "apsw",
    "asyncio",
    "httptools",
    "websockets",
    "redis",
    "nats",
    "psycopg",
)

PROGRAM = f"""
import sys
for name in {BLOCKED!r}:
    sys.modules[name] = None
from tidings.auth import Auth, MemberInfo, User
auth = Auth("k", "s", encryption_master_key=bytes(32))
assert auth.channel("1.2", "private-encrypted-a")["shared_secret"]
assert auth.decrypt("private-encrypted-a", auth.encrypt("private-encrypted-a", [1])) == [1]
rooms = {{name.split(".")[1] for name in sys.modules if name.startswith("tidings.")}}
assert not rooms & {{"node", "hub", "engines", "sources", "server", "client", "cli", "mount"}}, rooms
"""


def test_it_runs_without_server_engine_or_framework() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
