"""Where `--near` lies on the sky."""

from __future__ import annotations

from paperclip_cli.services.resolver import resolve_name
from paperclip_cli.sky.coordinates import parse_position
from paperclip_cli.workspace import Workspace


def run(near: str, workspace: Workspace) -> tuple[float, float]:
    """Right ascension and declination in degrees (ICRS): coordinates as they stand, a name as the resolver knows it.

    Raises:
        UsageError: numbers that are not a place on the sky.
        PaperclipError: a name that the resolver does not know, or may not be asked for.
    """
    return parse_position(near) or resolve_name(near, workspace.offline)
