"""The machine a run takes place on: cores, process clocks, descriptors, and words that describe it. Holds no figure."""

from __future__ import annotations

import os
import platform
import resource
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]

OUTPUT = ROOT / "test-output" / "bench"
"""Compiled programs, data of servers, what they wrote. `make clean` removes it."""

FEW_DESCRIPTORS = 3_000
"""What the largest scenario needs in one process."""


def raise_descriptors() -> None:
    """Raise the soft limit of open files to the hard one; what is started inherits it.

    Raises SystemExit when even that is too little.
    """
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    if hard != resource.RLIM_INFINITY and hard < FEW_DESCRIPTORS:
        raise SystemExit(f"bench: {FEW_DESCRIPTORS} open files are needed, this machine allows {hard}")


def cores() -> tuple[int, int] | None:
    """The core of the servers and that of the load; None where there is only one, or no pinning."""
    if not hasattr(os, "sched_getaffinity"):
        return None
    found = sorted(os.sched_getaffinity(0))
    return (found[0], found[1]) if len(found) > 1 else None


CORES = cores()
"""As they were when the run began: pinning ourselves must not narrow the choice."""


@contextmanager
def pinned(*, server: bool) -> Iterator[None]:
    """What is started inside inherits the core: of the servers, or of the load."""
    if CORES is None:
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {CORES[0 if server else 1]})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def cpu_seconds(pid: int) -> float:
    """User and system time of all threads of a process so far, to the nanosecond (Linux: its CPU clock)."""
    return time.clock_gettime(
        (~pid << 3) | 2
    )  # clock_getcpuclockid(3): MAKE_PROCESS_CPUCLOCK(pid, CPUCLOCK_SCHED)


def resident_kb(pid: int) -> int:
    """Resident memory of a process in kB (Linux: VmRSS)."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS:"))


def words() -> str:
    """The machine in one line."""
    pinning = f"servers on core {CORES[0]}, load on core {CORES[1]}" if CORES else "nothing pinned"
    load = ", ".join(f"{each:.1f}" for each in os.getloadavg())
    return (
        f"{_model()}, {os.cpu_count()} cores, {_memory()}, {platform.system()} {platform.release()}, "
        f"{platform.python_implementation()} {platform.python_version()} ({sys.platform}); {pinning}; "
        f"load average before: {load}"
    )


def _model() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.processor() or "unknown processor")


def _memory() -> str:
    size = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return f"{size / 2**30:.0f} GiB"
