"""Configuration: plain typed data, and where each value came from. It reads settings and never acts on them."""
