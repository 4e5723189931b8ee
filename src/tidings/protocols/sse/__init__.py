"""Server-Sent Events (HTML standard, 9.2): the log as a stream that EventSource follows. docs/protocols/sse.md."""
