"""What can go wrong in a way that the user can read, and the exit codes of the command."""

from __future__ import annotations

from enum import IntEnum


class ExitCode(IntEnum):
    """Exit status of the `paperclip` process."""

    OK = 0
    ERROR = 1
    USAGE = 2
    PARTIAL = 3
    INTERRUPTED = 130
    TERMINATED = 143


class PaperclipError(Exception):
    """A failure with one line that says what and which item, and one that says what to do."""

    exit_code = ExitCode.ERROR

    def __init__(self, message: str, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class UsageError(PaperclipError):
    """The command line itself is wrong (exit 2)."""

    exit_code = ExitCode.USAGE


class MissingStage(PaperclipError):
    """A stage lacks its input; `command` is what makes it."""

    def __init__(self, what: str, command: str) -> None:
        super().__init__(what, f"run `{command}` first")


class ReaderGone(Exception):
    """Whoever read our standard output (`head -1`) has what it wanted: a quiet end, exit 0."""


class BadItem(Exception):
    """One item (an image, a record) cannot be used; the stage records the reason and goes on."""


class Unreachable(BadItem):
    """An item that could not be had in all our tries, but may well be another day."""
