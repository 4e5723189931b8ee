"""Change sources: where committed rows are captured. The port is in `base`, the rules in `rules` and `router`."""
