"""Ctrl-C and SIGTERM in real processes, at any moment: one line, 130 or 143."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from paperclip_cli.errors import ExitCode
from paperclip_cli.workspace import Workspace
from tests.small_indexes import run as build_index
from tests.small_indexes import write_picture
from tests.test_layers import loaded_by

SIGNALS = pytest.mark.parametrize(
    ("number", "code", "said"),
    [
        (signal.SIGINT, ExitCode.INTERRUPTED, "interrupted\n"),
        (signal.SIGTERM, ExitCode.TERMINATED, "terminated\n"),
    ],
)
# The command prints "ready" and then runs the lines inserted here.
COMMAND = """
from paperclip_cli.cli import app as cli
def command(*_, **__):
{}
cli.app = command
cli.main()
"""


@contextmanager
def ready(program: str) -> Iterator[subprocess.Popen[str]]:
    """A process that has printed "ready"."""
    with subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None and process.stdout.readline() == "ready\n"
        try:
            yield process
        finally:
            process.kill()


def command(*lines: str) -> str:
    """A program whose command consists of these lines of Python."""
    return COMMAND.format("\n".join(f"    {line}" for line in lines))


def ended(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    """The exit code of a process, and its further output on stdout and stderr."""
    out, err = process.communicate(timeout=60)
    return process.returncode, out, err


def test_the_entry_point_imports_next_to_nothing() -> None:
    """The handlers are installed after it: until then, Ctrl-C prints Python's traceback."""
    ours = loaded_by("import paperclip_cli.__main__") - loaded_by("")
    assert ours == {"paperclip_cli", "__future__"}


@pytest.mark.parametrize("how", ["python -m", "console script"])
@pytest.mark.parametrize("place", [0, 1, 2, 4, 9, 30, 90])
def test_ctrl_c_is_quiet_from_the_first_import_of_the_program_on(place: int, how: str) -> None:
    """The signal comes at an import, of which a start consists."""
    start = {
        "python -m": "import runpy; runpy.run_module('paperclip_cli', run_name='__main__')",
        "console script": "from paperclip_cli.__main__ import main; main()",
    }
    program = f"""
import os, signal, sys
imported = []
def hook(event, arguments):
    if event == 'import' and (imported or arguments[0] == 'paperclip_cli.cli.app'):
        imported.append(arguments[0])
        if len(imported) == {place + 1}:
            os.kill(os.getpid(), signal.SIGINT)
sys.addaudithook(hook)
sys.argv[1:] = ['--help']
{start[how]}
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "interrupted\n")


@SIGNALS
def test_while_the_program_is_imported(number: int, code: int, said: str) -> None:
    program = """
import sys, time
class Slow:
    def find_spec(self, name, path=None, target=None):
        if name == 'paperclip_cli.cli.app':
            print('ready', flush=True)
            time.sleep(60)
sys.meta_path.insert(0, Slow())
from paperclip_cli.__main__ import main
main()
"""
    with ready(program) as process:
        process.send_signal(number)
        assert ended(process) == (code, "", said)


@SIGNALS
def test_while_an_extension_is_imported(number: int, code: int, said: str) -> None:
    """C++ code that imports a module does not expect an exception there, and aborts."""
    program = """
import sys, time
class Slow:
    def find_spec(self, name, path=None, target=None):
        if name == 'extension':
            try:
                print('ready', flush=True)
                time.sleep(60)
            except BaseException:
                import os
                os.abort()
sys.meta_path.insert(0, Slow())
""" + command("import extension")
    with ready(program) as process:
        process.send_signal(number)
        assert ended(process) == (code, "", said)


@SIGNALS
def test_after_the_work_is_done(number: int, code: int, said: str) -> None:
    program = """
import time
from paperclip_cli import signals
def slow(self, code):
    print('ready', flush=True)
    time.sleep(60)
signals.Listener.leave = slow
""" + command("return 0")
    with ready(program) as process:
        process.send_signal(number)
        assert ended(process) == (code, "", said)


@SIGNALS
def test_what_is_begun_is_put_in_order_though_a_launcher_sends_the_signal_twice(
    number: int, code: int, said: str
) -> None:
    program = command(
        "import time",
        "try:",
        "    print('ready', flush=True); time.sleep(60)",
        "finally:",
        "    time.sleep(0.1); print('in order', flush=True)",
    )
    with ready(program) as process:
        process.send_signal(number)
        time.sleep(0.02)  # two that come at once may be made one by the kernel
        process.send_signal(number)
        assert ended(process) == (code, "in order\n", said)


def test_a_second_signal_is_told_of_and_ends_what_runs_in_native_code() -> None:
    program = command(
        "import hashlib, threading",
        "threading.Timer(0.5, print, ['ready'], {'flush': True}).start()",
        "hashlib.pbkdf2_hmac('sha256', b'', b'', 2**31 - 1)",
    )
    with ready(program) as process:
        process.send_signal(signal.SIGINT)
        assert process.stderr is not None
        assert process.stderr.readline() == "stopping; a second signal ends it at once\n"
        process.send_signal(signal.SIGTERM)
        assert ended(process) == (ExitCode.TERMINATED, "", "terminated\n")


@SIGNALS
def test_one_that_does_not_break_off_a_wait_is_sent_again(
    number: int, code: int, said: str
) -> None:
    """Like a signal just before the wait, or one that the system gives to another thread."""
    send = f"lambda: signal.pthread_kill(threading.get_ident(), {int(number)})"
    elsewhere = f"threading.Timer(0.3, {send}).start()"
    program = command(
        "import signal, threading, time",
        elsewhere,
        "print('ready', flush=True)",
        "time.sleep(3600)",
    )
    with ready(program) as process:
        assert ended(process) == (code, "", said)


@SIGNALS
def test_threads_that_work_on_are_not_waited_for(number: int, code: int, said: str) -> None:
    program = command(
        "import time",
        "from paperclip_cli.threads import in_a_thread",
        "in_a_thread(lambda: time.sleep(3600))",
        "print('ready', flush=True)",
        "time.sleep(3600)",
    )
    with ready(program) as process:
        process.send_signal(number)
        assert ended(process) == (code, "", said)


def test_a_compiler_that_works_on_does_not_crash_the_process() -> None:
    program = command(
        "import jax, jax.numpy as jnp",
        "def deep(x):",
        "    for number in range(100):",
        "        x = jnp.sin(x @ x) + jnp.cos(x).sum(number % 2, keepdims=True) * number",
        "    return x",
        "lowered = jax.jit(deep).lower(jnp.ones((8, 8)))",
        "print('ready', flush=True)",
        "while True:",
        "    lowered.compile()",
    )
    with ready(program) as process:
        time.sleep(0.3)
        process.send_signal(signal.SIGTERM)
        assert ended(process) == (ExitCode.TERMINATED, "", "terminated\n")


@SIGNALS
def test_one_that_is_caught_on_the_way_counts_all_the_same(
    number: int, code: int, said: str
) -> None:
    caught = (
        "import time",
        "try:",
        "    print('ready', flush=True); time.sleep(60)",
        "except BaseException as error:",
    )
    for program in (
        command(*caught, "    return 0"),
        command(*caught, "    raise ValueError('odd')"),
    ):
        with ready(program) as process:
            process.send_signal(number)
            assert ended(process) == (code, "", said)


def test_one_that_is_ignored_stays_so() -> None:
    program = "import signal; signal.signal(signal.SIGINT, signal.SIG_IGN)\n" + command(
        "import sys", "print('ready', flush=True)", "sys.stdin.readline()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None and process.stdout.readline() == "ready\n"
        process.send_signal(signal.SIGINT)
        process.communicate("\n", timeout=60)
        assert process.returncode == ExitCode.OK


def test_results_that_cannot_be_written_are_an_error() -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "paperclip_cli", "--version"],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
        )
    assert (
        done.returncode == ExitCode.ERROR
        and done.stderr.startswith("error: ")
        and "No space left" in done.stderr
    )


@pytest.mark.parametrize("seed", range(6))
def test_commands_at_seeded_moments(
    seed: int, tmp_path: Path, workspace: Workspace, tiny_model: Path
) -> None:
    """From the first with a handler; one that has ended by itself has done its work."""
    chance = random.Random(seed)
    for number in range(3):
        write_picture(tmp_path / "pictures" / f"{number}.png", number)
    build_index(tmp_path / "pictures", workspace, str(tiny_model))
    arguments, longest = (
        (["query", "galaxy"], 1.0)
        if seed % 2
        else (
            ["index", str(tmp_path / "pictures"), "--index", "new", "--model", str(tiny_model)],
            5.0,
        )
    )
    number = chance.choice([signal.SIGINT, signal.SIGTERM])
    process = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "paperclip_cli",
            "-q",
            "--cache-dir",
            str(workspace.root),
            *arguments,
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"JAX_PLATFORMS": "cpu"},
    )
    _wait_for_handlers(process)
    time.sleep(chance.uniform(0, longest))
    process.send_signal(number)
    code, _, said = ended(process)
    assert (code, said) in [
        (128 + number, f"{'interrupted' if number == signal.SIGINT else 'terminated'}\n"),
        (0, ""),
    ]


def _wait_for_handlers(process: subprocess.Popen[str]) -> None:
    """Waits until the process catches SIGTERM, according to Linux."""
    while process.poll() is None:
        status = Path(f"/proc/{process.pid}/status").read_text()
        caught = next(line.split()[1] for line in status.splitlines() if line.startswith("SigCgt"))
        if int(caught, 16) >> (signal.SIGTERM - 1) & 1:
            return
        time.sleep(0.002)
