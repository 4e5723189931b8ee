"""The engine that keeps the log in this process's memory: until the process ends, and not a moment longer."""

from tidings.engines.memory.engine import MemoryEngine

__all__ = ["MemoryEngine"]
