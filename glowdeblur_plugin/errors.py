"""The one exception that reaches a user as a single line."""


class UserError(Exception):
    """Something the user gave is wrong: an option, a file, a checkpoint.

    The message is one line that names the option or file, what was found and what would be right.
    The launchers print it without a stack trace and exit with status 2.
    """

    def __init__(self, message: str) -> None:
        super().__init__(message)


def made_by(command: str | None) -> str:
    """End of an error about something missing: the command that makes it; empty when it is not known."""
    return f'; it is made by: {command}' if command else ''
