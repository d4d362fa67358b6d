"""Finds the position of `--near` on the sky."""

from __future__ import annotations

from paperclip_cli.services.resolver import resolve_name
from paperclip_cli.sky.coordinates import parse_position
from paperclip_cli.workspace import Workspace


def run(near: str, workspace: Workspace) -> tuple[float, float]:
    """Right ascension and declination in degrees (ICRS), from coordinates or an object's name.

    Raises:
        UsageError: the numbers are not a position on the sky.
        PaperclipError: the resolver does not know the name, or may not be asked (`--offline`).
    """
    return parse_position(near) or resolve_name(near, workspace.offline)
