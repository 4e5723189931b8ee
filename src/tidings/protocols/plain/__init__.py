"""Plain WebSocket: the neutral vocabulary of commands and pushes as JSON. docs/protocols/plain.md."""
