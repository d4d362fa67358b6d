"""Errors that are reported to the user, and the exit codes of the command."""

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
    """A failure: one line on what went wrong with which item, and a hint on what to do."""

    exit_code = ExitCode.ERROR

    def __init__(self, message: str, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class UsageError(PaperclipError):
    """The command line, or a call from Python, is wrong in itself (exit 2)."""

    exit_code = ExitCode.USAGE


class MissingStage(PaperclipError):
    """A stage lacks its input, which `command` makes. `instead` is another way to go on."""

    def __init__(self, what: str, command: str, instead: str = "") -> None:
        super().__init__(what, f"run `{command}` first" + (instead and f"; {instead}"))
        self.command, self.instead = command, instead

    def __reduce__(self) -> tuple[type[MissingStage], tuple[str, str, str]]:
        # A pool of processes sends errors back.
        return type(self), (self.message, self.command, self.instead)


class Busy(PaperclipError):
    """Another process is writing what this one is to write."""


class ReaderGone(Exception):
    """stdout was closed by its reader (`head -1`): the command ends quietly with exit 0."""


class BadItem(Exception):
    """An item (an image, a record) is unusable; the stage records the reason and continues."""


class Unreachable(BadItem):
    """An item that could not be fetched in any attempt, but may well be available another day."""
