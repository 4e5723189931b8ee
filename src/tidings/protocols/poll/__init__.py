"""Polling: pages of the log over plain HTTP, with entity tags. docs/protocols/poll.md."""
