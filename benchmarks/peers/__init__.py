"""Programs to stand beside: each prints its port, serves subscribers, and ends with its input."""
