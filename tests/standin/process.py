"""The stand-in's process: start, control and end."""

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
    """A running stand-in: MAST at the address `url`, with `set` and `log` for the test."""

    def __init__(self, url: str) -> None:
        self.url = url

    def set(self, **wanted: object) -> None:
        """Set latency, page size, cap and faults, and empty the log.

        Settings that are not named go back to their defaults.
        """
        self._call("/standin/set", json.dumps(wanted).encode())

    def log(self, what: str = "") -> list[dict]:
        """The requests since the last `set` whose description holds `what`."""
        entries = json.loads(self._call("/standin/log"))
        return [entry for entry in entries if what in f"{entry['method']} {entry['what']}"]

    def write_config(self, folder: Path) -> dict[str, str]:
        """Environment with a configuration file by which astroquery takes the stand-in for MAST."""
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "astroquery.cfg").write_text(f"[mast]\nserver = {self.url}\n")
        return {"ASTROPY_CONFIG_DIR": str(folder)}

    def _call(self, path: str, data: bytes | None = None) -> bytes:
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(self.url + path, data, timeout=20) as reply:
            return reply.read()


@contextmanager
def standin(**options: int) -> Iterator[StandInProcess]:
    """A running stand-in.

    It ends when its standard input closes, and so also when the test process dies.
    """
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
        process.stdout.close()
        process.wait(10)
