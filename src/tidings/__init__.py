"""Tidings saves first, then tells every screen what changed; the public names live in the rooms below."""
