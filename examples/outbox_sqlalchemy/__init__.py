"""A shop's orders with SQLAlchemy, whose events are part of its transactions."""
