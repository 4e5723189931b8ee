"""Engines: where an app's log is kept. The port is in `base`; each engine is a room of its own."""
