"""What the program finds around it: the libraries it stands on, optional ones, and the servers that it asks."""

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
from paperclip_cli.install import extra_line, library_line, requirements
from paperclip_cli.report import Check, State

# What is not needed until it is asked for: the backend, its command, the module, the extra that brings it.
_OPTIONAL = (
    ("llama-cpp", "summarize", "llama_cpp", "llama"),
    ("outlines", "summarize", "outlines", "outlines"),
    ("hnsw", "index", "hnswlib", "hnsw"),
    ("plots", "evaluate", "matplotlib", "plots"),
)
_PATIENCE = 5.0  # seconds for a server to answer


def versions() -> Iterator[Check]:
    """The program, Python, and every library that it needs: missing, too old, too new."""
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


def backends() -> Iterator[Check]:
    """What summarizers and searches can be had beside the built-in ones."""
    yield Check(topic="backends", name="keywords", found="built in (summarize)")
    yield Check(topic="backends", name="exact", found="built in (query)")
    for name, command, module, extra in _OPTIONAL:
        is_there = importlib.util.find_spec(module) is not None
        yield Check(
            topic="backends",
            name=name,
            found=f"{'installed' if is_there else extra_line(extra)} ({command})",
        )


def network(is_offline: bool) -> Iterator[Check]:
    """Whether the servers answer that are asked for previews, models and positions, all at once. Nothing is sent but a HEAD."""
    if is_offline:
        yield Check(topic="network", name="--offline", found="nothing is asked")
        return
    answers = {name: _silent(name, url) for name, url in _servers().items()}

    def ask(name: str, url: str) -> None:
        answers[name] = _server(name, url)

    # Daemons, because a name server that is silent cannot be hurried.
    threads = [
        threading.Thread(target=ask, args=server, daemon=True) for server in _servers().items()
    ]
    for thread in threads:
        thread.start()
    end = time.monotonic() + _PATIENCE
    for thread in threads:
        thread.join(max(0.0, end - time.monotonic()))
    yield from list(answers.values())


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
    return (
        _unreachable(name, f"{url} answers {status}")
        if status >= 500
        else Check(topic="network", name=name, found=f"{url} answers")
    )


def _silent(name: str, url: str) -> Check:
    return _unreachable(name, f"{url} does not answer within {_PATIENCE:.0f} s")


def _unreachable(name: str, found: str) -> Check:
    proxy = (
        " and HTTPS_PROXY" if os.environ.get("HTTPS_PROXY") or os.environ.get("https_proxy") else ""
    )
    return Check(
        topic="network",
        name=name,
        found=found,
        state=State.NOTE,
        advice=f"check the network{proxy}; what is in the cache needs none",
    )
