"""Many runs of `paperclip` in processes that can be killed, with the imports paid for once.

`python -m tests.standin.zygote` reads a command line as JSON from each line of its standard input,
runs it in a fork of itself, and prints the fork's process number, then its exit code. It has no
threads of its own, so that forking is safe.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]


class Run:
    """A running command; `wait` returns its exit code, negative for a signal."""

    def __init__(self, process: subprocess.Popen[str], pid: int) -> None:
        self._process, self.pid = process, pid

    def kill(self, number: int = signal.SIGKILL) -> None:
        os.kill(self.pid, number)

    def is_running(self) -> bool:
        """Whether it has not ended. One that has ended keeps its number until it is waited for."""
        return Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"

    def wait(self) -> int:
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        return int(self._process.stdout.readline())


class Zygote:
    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def start(self, *arguments: object) -> Run:
        """Start `paperclip ARGUMENTS`; one at a time."""
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write(json.dumps(list(map(str, arguments))) + "\n")
        self._process.stdin.flush()
        return Run(self._process, int(self._process.stdout.readline()))

    def run(self, *arguments: object) -> int:
        return self.start(*arguments).wait()


@contextmanager
def zygote(environment: Mapping[str, str], stderr: Path) -> Iterator[Zygote]:
    """A running zygote; the messages of its commands go to the file `stderr`."""
    with stderr.open("ab") as file:
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.standin.zygote"],
            cwd=REPOSITORY,
            text=True,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=file,
            env={**os.environ, **environment},
        )
        try:
            yield Zygote(process)
        finally:
            assert process.stdin is not None and process.stdout is not None
            process.stdin.close()
            process.stdout.close()
            process.wait(20)


def main() -> None:
    import astroquery.mast  # noqa: F401

    from paperclip_cli.cli.app import run
    from paperclip_cli.images import pictures  # noqa: F401
    from paperclip_cli.sky import footprint  # noqa: F401
    from paperclip_cli.stages import fetch  # noqa: F401

    while line := sys.stdin.readline():
        pid = os.fork()
        if pid == 0:
            code = 1
            try:
                code = run(json.loads(line))
            finally:
                sys.stderr.flush()
                os._exit(code)
        print(pid, flush=True)
        sys.stdin.readline()  # until then the process number is not reused: a late kill is safe
        print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)


if __name__ == "__main__":
    main()
