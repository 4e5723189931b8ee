"""Browser tests share one Chromium and a demo each."""

from __future__ import annotations

from tests.fixtures.fix_demo import browser, demo, playwright_driver, shots

__all__ = ["browser", "demo", "playwright_driver", "shots"]
