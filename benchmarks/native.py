"""Compiles the C programs at run time, once for each state of their source. Holds no program."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
from pathlib import Path

from benchmarks.machine import OUTPUT

FLAGS = ("-O2", "-Wall", "-Wextra")

COMPILE_SECONDS = 120.0
"""A limit; one file takes less than a second."""


def compiler() -> str | None:
    """Where the C compiler is, or None."""
    return shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")


def compiled(source: Path) -> Path | None:
    """The program of a source file, made when missing; None when there is no compiler.

    Raises subprocess.CalledProcessError when it does not compile.
    """
    found = compiler()
    if found is None:
        return None
    mark = hashlib.sha256(" ".join((found, *FLAGS)).encode() + source.read_bytes()).hexdigest()[:16]
    program = OUTPUT / "bin" / f"{source.stem}-{mark}"
    if not program.exists():
        program.parent.mkdir(parents=True, exist_ok=True)
        unfinished = program.with_suffix(".part")
        subprocess.run(
            [found, *FLAGS, "-o", str(unfinished), str(source)], check=True, timeout=COMPILE_SECONDS
        )
        unfinished.rename(program)
    return program
