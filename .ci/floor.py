"""Fail if a lower bound of pyproject.toml is not the installed version, as nothing has tested it.

    floor.py [EXTRA ...]     the extras that were installed too

Run it where paperclip was installed by `uv pip install --resolution lowest-direct`. If a library
requires a later version of another library than the stated bound, that version is the true bound.
"""

from __future__ import annotations

import sys
from importlib import metadata

from packaging.requirements import Requirement
from packaging.version import Version


def bound(requirement: Requirement) -> Version:
    return max(Version(part.version) for part in requirement.specifier if part.operator == ">=")


def is_wanted(requirement: Requirement, extras: tuple[str, ...]) -> bool:
    marker = requirement.marker
    return marker is None or any(marker.evaluate({"extra": extra}) for extra in extras)


def main(*extras: str) -> int:
    stated = [Requirement(line) for line in metadata.requires("paperclip-cli") or ()]
    wanted = [requirement for requirement in stated if is_wanted(requirement, extras)]
    found = [(each.name, bound(each), Version(metadata.version(each.name))) for each in wanted]
    wrong = [
        f"{name}: {low} is stated, {version} is installed"
        for name, low, version in found
        if version != low
    ]
    print("\n".join(wrong) or f"{len(found)} lower bounds are the installed versions")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
