"""Apps from a SQL table, followed while the server runs. Keeps no app itself: the node does."""
