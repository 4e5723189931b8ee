"""`python -m examples.outbox_django migrate`, `… runserver 8101`: the shop. Holds no command but Django's own."""

from __future__ import annotations

import os
import sys

from django.core.management import execute_from_command_line


def main() -> None:
    """Run a command of Django."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "examples.outbox_django.settings")
    execute_from_command_line(["python -m examples.outbox_django", *sys.argv[1:]])


if __name__ == "__main__":
    main()
