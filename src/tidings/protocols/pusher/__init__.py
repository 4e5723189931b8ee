"""The Pusher Channels protocol, version 7, and its HTTP API. Holds no socket, no clock and no right to anything."""
