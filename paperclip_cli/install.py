"""Shell commands that install what is missing from the environment of this program.

The requirements of an extra are read from the metadata of the installed distribution, so no list of
them is kept here.
"""

from __future__ import annotations

import json
import os
import shlex
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import unquote, urlsplit

if TYPE_CHECKING:
    from packaging.markers import Marker

DISTRIBUTION = "paperclip-cli"


class Checkout(NamedTuple):
    """A local folder that the program was installed from."""

    folder: Path
    is_editable: bool


def extra_line(extra: str) -> str:
    """The command that adds one of the program's extras to this environment."""
    pipx = _pipx_name()
    if pipx is not None:  # pipx keeps what is injected when it reinstalls or upgrades
        return shlex.join(["pipx", "inject", pipx, *requirements(extra)])
    return shlex.join([*_pip(), *_wanted(extra)])


def library_line(requirement: str) -> str:
    """The command that installs a library that the program itself needs."""
    pipx = _pipx_name()
    pip = _pip() if pipx is None else ["pipx", "runpip", pipx, "install"]
    return shlex.join([*pip, requirement])


def requirements(extra: str = "") -> list[str]:
    """Requirements of an extra, or of the program, in pip's form: `jax[cuda12]<0.12,>=0.10`.

    Raises:
        ValueError: there is no such extra.
    """
    from importlib import metadata  # a query that lacks nothing does not need it

    from packaging.requirements import Requirement

    given = [Requirement(line) for line in metadata.requires(DISTRIBUTION) or ()]
    always = [str(need) for need in given if _is_met(need.marker, "")]
    found = [str(need) for need in given if _is_met(need.marker, extra)]
    found = [need for need in found if need not in always] if extra else found
    if not found:
        raise ValueError(f"{DISTRIBUTION} has no extra {extra!r}")
    return [need.partition(";")[0].strip() for need in found]


def _is_met(marker: Marker | None, extra: str) -> bool:
    return marker is None or marker.evaluate({"extra": extra})


def _wanted(extra: str) -> list[str]:
    """Arguments for pip: the extra of the checkout, or else the requirements of the extra.

    A package index may lack this distribution, but it has the libraries.
    """
    checkout = find_checkout()
    if checkout is None:
        return requirements(extra)
    named = f"{checkout.folder}[{extra}]"
    return ["-e", named] if checkout.is_editable else [named]


def find_checkout() -> Checkout | None:
    """The folder that the program was installed from (PEP 610), if it still exists.

    For a program that is not installed, the folder that it runs from.
    """
    from importlib import metadata

    try:
        said = json.loads(metadata.distribution(DISTRIBUTION).read_text("direct_url.json") or "{}")
    except metadata.PackageNotFoundError:
        said = {"url": Path(__file__).parents[1].as_uri(), "dir_info": {"editable": True}}
    if "dir_info" not in said:
        return None

    folder = Path(unquote(urlsplit(said["url"]).path))
    is_editable = bool(said["dir_info"].get("editable"))
    return Checkout(folder, is_editable) if (folder / "pyproject.toml").is_file() else None


def _pipx_name() -> str | None:
    """The name of this environment in pipx, including any suffix; None where it is not pipx's."""
    prefix = Path(sys.prefix)
    return prefix.name if (prefix / "pipx_metadata.json").is_file() else None


def _pip() -> list[str]:
    """pip for this interpreter; uv's pip in environments without one, such as those of uv."""
    if find_spec("pip") is None:
        return ["uv", "pip", "install", "--python", sys.executable]
    if _is_active():
        return ["pip", "install"]
    if _is_marked():  # PEP 668: this program was installed there, so its libraries can be, too
        return [sys.executable, "-m", "pip", "install", "--break-system-packages"]
    return [sys.executable, "-m", "pip", "install"]


def _is_active() -> bool:
    """Whether `pip` in this shell is ours: our virtual or conda environment is activated."""
    active = [os.environ[name] for name in ("VIRTUAL_ENV", "CONDA_PREFIX") if os.environ.get(name)]
    return any(Path(folder).resolve() == Path(sys.prefix).resolve() for folder in active[:1])


def _is_marked() -> bool:
    import sysconfig

    is_virtual = sys.prefix != sys.base_prefix
    return not is_virtual and Path(sysconfig.get_path("stdlib"), "EXTERNALLY-MANAGED").is_file()
