"""Checks of option values. Each raises UsageError."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from urllib.parse import urlsplit

from paperclip_cli.config.choices import values_of
from paperclip_cli.errors import UsageError


def check_network(rate: float, timeout: float) -> None:
    if not 0 <= rate < float("inf"):
        raise UsageError(
            f"--rate {rate:g} is not a valid number of requests per second",
            "give for example 10, or 0 for no limit",
        )
    if not 0 < timeout < float("inf"):
        raise UsageError(
            f"--timeout {timeout:g} is not a valid number of seconds", "give for example 60"
        )


def at_least(option: str, value: int | None, least: int) -> None:
    if value is not None and value < least:
        raise UsageError(f"{option} {value} is too small", f"give at least {least}")


def within(option: str, value: float | None, what: str, holds: Callable[[float], bool]) -> None:
    if value is not None and not holds(value):
        raise UsageError(f"{option} {value} is out of range", f"give a number {what}")


def one_of(option: str, value: str | None, choice: object) -> None:
    """`choice` is a type of `config.choices`."""
    if value is not None and value not in values_of(choice):
        raise UsageError(f"unknown {option} {value!r}", f"choose {' or '.join(values_of(choice))}")


def each_has_a_place(templates: Iterable[str]) -> None:
    """Every `--template` says where the label stands."""
    for template in templates:
        if "{}" not in template:
            raise UsageError(
                f"--template {template!r} has no place for the label",
                'write for example --template "an image of {}"',
            )


def option(name: str) -> str:
    """How an option is typed: `--batch-size`, `-k`."""
    return ("-" if len(name) == 1 else "--") + name.replace("_", "-")


def is_in_engine(index: str | None) -> bool:
    """Whether the name of an index is an address in an engine."""
    return index is not None and "://" in index


def is_address(url: str, schemes: tuple[str, ...] = ("http", "https")) -> bool:
    """Whether a text is the URL of a server: a scheme, a host, and perhaps a port that exists."""
    try:
        parts = urlsplit(url)
        port = parts.port  # ValueError: it is no number, or too large
    except ValueError:
        return False
    return parts.scheme in schemes and bool(parts.hostname) and port != 0 and " " not in url
