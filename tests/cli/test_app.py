"""Every failure ends as one or two lines on stderr and an exit code."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from paperclip_cli.cli import app as cli
from paperclip_cli.errors import ExitCode, MissingStage, PaperclipError, UsageError
from tests.test_layers import loaded_by


def run_raising(
    error: BaseException, monkeypatch: pytest.MonkeyPatch, arguments: list[str] | None = None
) -> int:
    def broken(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(cli, "app", broken)
    return cli.run(arguments or [])


@pytest.mark.parametrize(
    ("error", "code", "text"),
    [
        (
            PaperclipError("the index is empty", "index something"),
            ExitCode.ERROR,
            "error: the index is empty\nhint: index something\n",
        ),
        (UsageError("-k 0 is too small"), ExitCode.USAGE, "error: -k 0 is too small\n"),
        (
            PaperclipError("no column \x1b[31mred\x07", "it has \u202edesrever"),
            ExitCode.ERROR,
            "error: no column ?[31mred?\nhint: it has ?desrever\n",
        ),
        (
            MissingStage("there is no index", "paperclip index"),
            ExitCode.ERROR,
            "error: there is no index\nhint: run `paperclip index` first\n",
        ),
        (KeyboardInterrupt(), ExitCode.INTERRUPTED, "interrupted\n"),
        (cli.Terminated(), ExitCode.TERMINATED, "terminated\n"),
        (
            OSError(28, "No space left on device", "/x"),
            ExitCode.ERROR,
            "error: /x: No space left on device\n"
            "hint: free some space, or put the cache elsewhere with --cache-dir\n",
        ),
    ],
)
def test_failures_become_lines_and_codes(
    error: BaseException,
    code: int,
    text: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run_raising(error, monkeypatch) == code
    out, err = capsys.readouterr()
    assert (out, err) == ("", text)


def test_a_bug_shows_its_traceback_only_when_asked(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_raising(ZeroDivisionError("by zero"), monkeypatch) == ExitCode.ERROR
    assert "Traceback" not in capsys.readouterr().err
    assert run_raising(ZeroDivisionError("by zero"), monkeypatch, ["--verbose"]) == ExitCode.ERROR
    assert "Traceback" in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments", [["frobnicate"], ["--frobnicate"], ["query", "--frobnicate"], ["--cache-dir"]]
)
def test_wrong_usage_is_two_lines_and_exit_2(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.run(arguments) == ExitCode.USAGE
    out, err = capsys.readouterr()
    assert (
        out == ""
        and err.startswith("error: ")
        and "hint: see `paperclip" in err
        and len(err.splitlines()) == 2
    )


def test_switches_of_every_command_may_stand_behind_it(monkeypatch: pytest.MonkeyPatch) -> None:
    heard: list[list[str]] = []
    monkeypatch.setattr(cli, "app", lambda arguments, **_: heard.append(arguments))
    cli.run(["--cache-dir", "x", "query", "dust", "--offline", "-q", "--json", "--", "-v"])
    assert heard == [["--offline", "-q", "--cache-dir", "x", "query", "dust", "--json", "--", "-v"]]


@pytest.mark.parametrize("name", cli.EXAMPLES)
def test_every_help_ends_in_an_example(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run([name, "--help"]) == 0
    assert f"Example: paperclip {name}" in capsys.readouterr().out.splitlines()[-1]


def test_every_module_of_a_command_is_a_command() -> None:
    shared = {"__init__", "app", "complete", "session", "system_errors"}
    modules = {path.stem for path in Path(cli.__file__).parent.glob("*.py")} - shared
    assert {name.replace("-", "_") for name in cli.EXAMPLES} == modules


def test_a_command_does_not_import_the_others() -> None:
    assert "typer" in loaded_by(
        "from paperclip_cli.cli.app import run\nassert run(['cite', '--help']) == 0\n"
        "assert 'paperclip_cli.cli.cite' in sys.modules\n"
        "assert 'paperclip_cli.cli.query' not in sys.modules"
    )


def test_sigterm_unwinds_and_exits_143() -> None:
    code = """
import sys, time
from paperclip_cli.cli import app as cli
def sleepy(*_, **__):
    try:
        print('ready', flush=True); time.sleep(30)
    finally:
        print('files in order', flush=True)
cli.app = sleepy
cli.main()
"""
    with subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None and process.stdout.readline() == "ready\n"
        time.sleep(0.05)
        process.send_signal(signal.SIGTERM)
        assert process.stdout.read() == "files in order\n"
        assert process.wait() == ExitCode.TERMINATED


@pytest.mark.parametrize(
    ("number", "code", "said"),
    [
        (signal.SIGINT, ExitCode.INTERRUPTED, "interrupted\n"),
        (signal.SIGTERM, ExitCode.TERMINATED, "terminated\n"),
    ],
)
def test_a_signal_that_arrives_in_a_finaliser_is_not_lost(
    number: signal.Signals, code: ExitCode, said: str
) -> None:
    program = f"""
import signal, time
from paperclip_cli.cli import app as cli
class Finalised:
    def __del__(self):
        signal.raise_signal({int(number)})
def waiting(*_, **__):
    Finalised()
    time.sleep(30)
cli.app = waiting
cli.main()
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=20
    )
    assert (done.returncode, done.stderr) == (code, said)


def test_another_exception_in_a_finaliser_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[object] = []
    monkeypatch.setattr(sys, "__unraisablehook__", told.append)
    monkeypatch.setattr(sys, "unraisablehook", cli._not_lost)

    class Finalised:
        def __del__(self) -> None:
            raise ValueError("odd")

    Finalised()
    assert [str(dropped.exc_value) for dropped in told] == ["odd"]  # type: ignore[attr-defined]


def test_a_reader_that_leaves_early_is_no_error(tmp_path: Path) -> None:
    code = """
from paperclip_cli.output import console
from paperclip_cli.cli import app as cli
@cli.app.command()
def many():
    for _ in range(100_000):
        console.emit('line\\n')
import sys; sys.argv = ['paperclip', 'many']
cli.main()
"""
    pipe = f'{sys.executable} -c "$CODE" 2>{tmp_path}/err | head -1; echo ${{PIPESTATUS[0]}}'
    done = subprocess.run(
        ["bash", "-c", pipe],
        env={"CODE": code, "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
    )
    assert done.stdout == "line\n0\n"
    assert (tmp_path / "err").read_text() == ""
