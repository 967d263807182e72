"""The one exception that reaches a user as a single line."""

from pathlib import Path


class UserError(Exception):
    """Something the user gave is wrong: an option, a file, a checkpoint.

    The message is one line that names the option or file, what was found and what would be right.
    The launchers print it without a stack trace and exit with status 2.
    """

    def __init__(self, message: str) -> None:
        super().__init__(printable(message))


def printable(text: str | Path) -> str:
    """`text` with escapes in place of a file name's bytes that are no UTF-8, fit for every terminal and file."""
    return str(text).encode(errors='backslashreplace').decode()


def made_by(command: str | None) -> str:
    """End of an error about something missing: the command that makes it; empty when it is not known."""
    return f'; it is made by: {command}' if command else ''
