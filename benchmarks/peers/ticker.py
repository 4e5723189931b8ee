"""Something outside that happens every few milliseconds, whatever the reader does: writes the moment of each."""

from __future__ import annotations

import random
import sys
import time

PAUSE_SECONDS = (0.002, 0.006)

try:
    while True:
        time.sleep(random.uniform(*PAUSE_SECONDS))
        sys.stdout.write(f"{time.perf_counter()}\n")
        sys.stdout.flush()
except (BrokenPipeError, KeyboardInterrupt):
    sys.stderr.close()
