"""The shop's orders as a Django app."""
