"""Wire protocols: bytes to commands and pushes to bytes, without I/O. None of them is the native one."""
