"""Starts the stand-in, talks to it, and ends it."""

from __future__ import annotations

import json
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]


class StandInProcess:
    """`url` is its address, under which it is MAST; `set` and `log` are for the test."""

    def __init__(self, url: str) -> None:
        self.url = url

    def set(self, **wanted: object) -> None:
        """Latency, page size, cap, faults; what is not named goes back to its default. Empties the log."""
        self._call("/standin/set", json.dumps(wanted).encode())

    def log(self, what: str = "") -> list[dict]:
        """The requests since the last `set`, those whose description holds `what`."""
        return [
            entry
            for entry in json.loads(self._call("/standin/log"))
            if what in f"{entry['method']} {entry['what']}"
        ]

    def write_config(self, folder: Path) -> dict[str, str]:
        """Environment in which astroquery takes the stand-in for MAST, by its own configuration file."""
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "astroquery.cfg").write_text(f"[mast]\nserver = {self.url}\n")
        return {"ASTROPY_CONFIG_DIR": str(folder)}

    def _call(self, path: str, data: bytes | None = None) -> bytes:
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(self.url + path, data, timeout=20) as reply:
            return reply.read()


@contextmanager
def standin(**options: int) -> Iterator[StandInProcess]:
    """A running stand-in; it ends when its standard input closes, so also when the test process dies."""
    arguments = [word for name, value in options.items() for word in (f"--{name}", str(value))]
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.standin.server", *arguments],
        cwd=REPOSITORY,
        text=True,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    try:
        assert process.stdout is not None and process.stdin is not None
        url = process.stdout.readline().strip()
        assert url, "the stand-in did not start"
        yield StandInProcess(url)
    finally:
        process.stdin.close()
        process.wait(10)
