"""How the outbox comes into a Django project's database."""
