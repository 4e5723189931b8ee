"""The node: one server process. It joins hub, engine and sessions, and knows ports only."""
