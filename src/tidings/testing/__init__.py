"""Tools to test with: broken networks, real server processes, and the judge of what clients saw.

`faults` breaks TCP, `process` runs `tidings serve`, `observations` and `history` record and judge. Nothing is
imported here, so that a test pays only for the tool it takes. The server imports none of it.
"""
