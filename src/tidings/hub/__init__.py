"""The hub: who listens to what in this process, and the fan-out. Synchronous, without clock, socket or task."""
