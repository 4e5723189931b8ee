"""A shop's orders with Django, whose events are part of its transactions."""
