"""The command line: arguments to configuration to bootstrap. Holds the table of commands and the exit codes.

Exit codes: 0 well, 1 failed, 2 wrong usage. An error is one clear line on standard error, never a traceback.
Commands are imported when they are called, so that `tidings --help` does not pay for the server.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.metadata import version
from typing import Final

from cyclopts import App, CycloptsError

from tidings.errors import TidingsError

WELL: Final = 0
FAILED: Final = 1
WRONG_USAGE: Final = 2


class WrongUsage(TidingsError):
    """A flag or argument that cannot mean anything."""


HELP: Final = """\
Save first, then tell every screen what changed.

Begin with `tidings serve`: it needs no configuration, and prints every URL and key to use. \
Then `tidings listen news` in one terminal and `tidings publish news hello` in another. \
`tidings COMMAND --help` has an example of each command.
"""

COMMANDS: Final = {
    "serve": ("serve:serve", "Run the server."),
    "demo": ("demo:demo", "Run the example systems."),
    "publish": ("publish:publish", "Send one message."),
    "listen": ("listen:listen", "Follow channels."),
    "token": ("token:token", "Print a token that opens private channels."),
    "config show": ("config:show", "Print every setting, its value and where it came from."),
    "config check": ("config:check", "Tell every fault of the settings."),
    "doctor": ("doctor:doctor", "Check a deployment, and say what to fix."),
    "source add": ("source:add", "Make a database ready for capture."),
    "source remove": ("source:remove", "Take what that made out of it again."),
    "outbox sql": ("outbox:sql", "Print the SQL that makes the outbox."),
    "rules try": ("rules:try_rules", "Show the messages that a change would send."),
    "webhooks list": ("webhooks:list_dead", "List the webhook events that could not be delivered."),
    "webhooks replay": ("webhooks:replay", "Send them again."),
}
"""Where each command is, and what a list of commands says of it without loading it."""

USAGE: Final = {"publish": "Usage: tidings publish [OPTIONS] CHANNEL EVENT [DATA]"}
"""Where the usage that is made of the arguments would not name them all."""

GROUPS: Final = {
    "config": "Show the settings in force, or check them.",
    "outbox": "The table in which services name their own events.",
    "rules": "Explain the rules that turn row changes into messages.",
    "source": "Make a database ready for capture, or take all of that out again.",
    "webhooks": "The webhook events that could not be delivered.",
}


def make_app(arguments: Sequence[str] = ()) -> App:
    """The table of commands, for these arguments.

    A summary would replace the help that a command has itself, so a command that is called gets none.
    """
    app = App(
        name="tidings",
        help=HELP,
        help_format="markdown",
        version=lambda: f"tidings {version('tidings')}",
        suppress_keyboard_interrupt=False,  # or it would end with 130, which is none of our exit codes
    )
    groups = {name: App(name=name, help=text) for name, text in GROUPS.items()}
    called = " ".join(arguments)
    for name, (place, summary) in COMMANDS.items():
        group, _, last = name.rpartition(" ")
        summary_or_own = None if called.startswith(name) else summary
        groups.get(group, app).command(
            f"tidings.cli.{place}", name=last, help=summary_or_own, usage=USAGE.get(name)
        )
    for group_app in groups.values():
        app.command(group_app)
    return app


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code. arguments: those of the process when None."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    try:
        done = make_app(given)(
            given,
            exit_on_error=False,
            print_error=False,
            result_action="return_value",
        )
    except CycloptsError as error:
        complain(f"{_one_line(str(error))} (tidings --help tells what there is)")
        return WRONG_USAGE
    except TidingsError as error:
        complain(str(error))
        return WRONG_USAGE if isinstance(error, WrongUsage) else FAILED
    except KeyboardInterrupt:  # the usual end of `listen`
        return WELL
    except BrokenPipeError:  # `tidings listen … | head`
        sys.stderr.close()  # or the interpreter complains of the same pipe once more at its end
        return WELL
    return done if isinstance(done, int) else WELL


def complain(text: str) -> None:
    """Tell each line of an error on standard error."""
    for line in text.splitlines() or [""]:
        print(f"tidings: {line}", file=sys.stderr)


def _one_line(text: str) -> str:
    return " ".join(text.split())
