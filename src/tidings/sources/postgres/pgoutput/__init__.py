"""The replication protocol around and inside pgoutput: bytes to values and back. No I/O, and no meaning of a value."""
