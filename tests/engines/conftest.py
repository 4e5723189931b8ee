"""Every test of this folder runs over every engine."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.engines.harness import Bench, Kit, opened
from tests.engines.kits import KITS, make_kit


@pytest.fixture(params=sorted(KITS))
def kit(request: pytest.FixtureRequest, tmp_path: Path) -> Kit:
    return make_kit(request.param, tmp_path)


@pytest.fixture
async def bench(kit: Kit) -> AsyncIterator[Bench]:
    async with opened(kit.make()) as bench:
        yield bench
