"""What the fast path costs, beside other servers, in one run. `make bench` runs `run.py`; it asserts nothing."""
