"""Checks of the program's environment: required and optional libraries, and servers."""

from __future__ import annotations

import importlib.util
import os
import platform
import sys
import threading
import time
from collections.abc import Iterator
from importlib import metadata

import requests

from paperclip_cli import __version__
from paperclip_cli.config.user import resolved
from paperclip_cli.config.user_file import VARIABLE, settings_path
from paperclip_cli.errors import PaperclipError
from paperclip_cli.http.settings import KEYS, check_address, key_in, proxy_faults
from paperclip_cli.install import extra_line, library_line, requirements
from paperclip_cli.report import Check, State
from paperclip_cli.services.hub import HUB_ADDRESS

# Optional backends: their names, commands, modules, and the extras that install them.
_OPTIONAL = (
    ("llama-cpp", "summarize", "llama_cpp", "llama"),
    ("outlines", "summarize", "outlines", "outlines"),
    ("hnsw", "index", "hnswlib", "hnsw"),
    ("plots", "evaluate", "matplotlib", "plots"),
    ("postgres", "index", "psycopg", "postgres"),
    ("milvus", "index", "pymilvus", "milvus"),
)
_PATIENCE = 5.0  # seconds for a server to answer


def versions() -> Iterator[Check]:
    """The versions of the program, Python, and every required library.

    A library may be missing, too old or too new.
    """
    from packaging.requirements import Requirement

    yield Check(topic="versions", name="paperclip", found=__version__)
    python = f"{platform.python_version()} in {sys.prefix}"
    yield Check(topic="versions", name="python", found=python)
    for requirement in map(Requirement, requirements()):
        yield _library(requirement.name, str(requirement.specifier), requirement.specifier.contains)


def _library(name: str, wanted: str, fits) -> Check:  # type: ignore[no-untyped-def]
    advice = library_line(f"{name}{wanted}")
    try:
        version = metadata.version(name)
    except metadata.PackageNotFoundError:
        return Check(
            topic="versions", name=name, found="not installed", state=State.PROBLEM, advice=advice
        )
    if fits(version, prereleases=True):
        return Check(topic="versions", name=name, found=version)
    return Check(
        topic="versions",
        name=name,
        found=f"{version}, but {wanted} is needed",
        state=State.PROBLEM,
        advice=advice,
    )


def settings() -> Iterator[Check]:
    """The user's own defaults: which there are and where they come from, or what is wrong."""
    path = settings_path()
    try:
        found = [one for one in resolved() if one.source != "default"]
    except PaperclipError as error:
        yield Check.of_error("settings", "config", error)
        return
    names = ", ".join(one.setting.name if one.source == "file" else one.place for one in found)
    if os.environ.get(VARIABLE) and not path.exists():
        yield Check(
            topic="settings",
            name="config",
            found=f"{path} does not exist",
            state=State.NOTE,
            advice=f"paperclip config set NAME VALUE makes it; or unset {VARIABLE}",
        )
    elif path.exists():
        yield Check(topic="settings", name="config", found=f"{path} ({names or 'sets nothing'})")
    elif names:
        yield Check(topic="settings", name="config", found=names)


def backends() -> Iterator[Check]:
    """The summarizers and searches available, built in or optional."""
    yield Check(topic="backends", name="keywords", found="built in (summarize)")
    yield Check(topic="backends", name="exact", found="built in (query)")
    for name, command, module, extra in _OPTIONAL:
        is_there = importlib.util.find_spec(module) is not None
        state = "installed" if is_there else extra_line(extra)
        yield Check(topic="backends", name=name, found=f"{state} ({command})")


def network(is_offline: bool) -> Iterator[Check]:
    """Whether the servers for previews, models and positions answer.

    All are asked at once. Nothing is sent but a HEAD request.
    """
    if is_offline:
        yield Check(topic="network", name="--offline", found="not checked")
        return
    faults = list(_settings())
    if faults:  # no library can be asked
        yield from faults
        return

    answers = {name: _silent(name, url) for name, url in _servers().items()}

    def ask(name: str, url: str) -> None:
        answers[name] = _server(name, url)

    # Daemons, because a silent name server cannot be interrupted.
    threads = [
        threading.Thread(target=ask, args=server, daemon=True) for server in _servers().items()
    ]
    for thread in threads:
        thread.start()

    end = time.monotonic() + _PATIENCE
    for thread in threads:
        thread.join(max(0.0, end - time.monotonic()))
    yield from list(answers.values())


def _settings() -> Iterator[Check]:
    """What the environment's variables make impossible."""
    for fault in proxy_faults():
        yield _wrong(fault.partition(" ")[0], fault, "set it to a URL, or unset it")
    for name, check in ((HUB_ADDRESS, check_address), *((key, key_in) for key in KEYS)):
        try:
            check(name)
        except PaperclipError as error:
            yield _wrong(name, error.message, error.hint or "")


def _wrong(name: str, found: str, advice: str) -> Check:
    return Check(topic="network", name=name, found=found, state=State.PROBLEM, advice=advice)


def _servers() -> dict[str, str]:
    from astropy.coordinates.name_resolve import sesame_url
    from astroquery.mast import conf
    from huggingface_hub import constants

    return {
        "MAST": conf.server,
        "Hugging Face Hub": constants.ENDPOINT,
        "CDS (names)": sesame_url.get()[0],
    }


def _server(name: str, url: str) -> Check:
    try:
        status = requests.head(url, timeout=_PATIENCE, allow_redirects=False).status_code
    except requests.Timeout:
        return _silent(name, url)
    except requests.RequestException:
        return _unreachable(name, f"{url} cannot be reached")
    if status >= 500:
        return _unreachable(name, f"{url} answers {status}")
    return Check(topic="network", name=name, found=f"{url} answers")


def _silent(name: str, url: str) -> Check:
    return _unreachable(name, f"{url} does not answer within {_PATIENCE:.0f} s")


def _unreachable(name: str, found: str) -> Check:
    has_proxy = os.environ.get("HTTPS_PROXY") or os.environ.get("https_proxy")
    proxy = " and HTTPS_PROXY" if has_proxy else ""
    return Check(
        topic="network",
        name=name,
        found=found,
        state=State.NOTE,
        advice=f"check the network{proxy}; cached data do not need it",
    )
