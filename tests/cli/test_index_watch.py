"""`paperclip index --watch` as a process of its own, beside one that writes files and queries."""

from __future__ import annotations

import io
import re
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from paperclip_cli.cli import app as cli
from paperclip_cli.errors import ExitCode
from paperclip_cli.workspace import Workspace
from tests.small_indexes import holds, index_of, write_picture


def lines_until(process: subprocess.Popen[str], what: str) -> list[str]:
    """The lines on stderr up to one with `what`."""
    assert process.stderr is not None
    found = []
    for line in process.stderr:
        found.append(line)
        if what in line:
            return found
    raise AssertionError(f"no {what!r} in {found}")


@pytest.mark.parametrize(
    ("number", "code"),
    [(signal.SIGINT, ExitCode.INTERRUPTED), (signal.SIGTERM, ExitCode.TERMINATED)],
)
def test_what_arrives_is_found_until_ctrl_c(
    number: int, code: int, tmp_path: Path, tiny_model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, cache = tmp_path / "p", tmp_path / "cache"
    folder.mkdir()
    packed = io.BytesIO()
    fits.PrimaryHDU(np.random.default_rng(0).normal(9, 1, (32, 32))).writeto(packed)
    program = [sys.executable, "-m", "paperclip_cli", "--cache-dir", str(cache), "--offline"]
    command = [*program, "index", str(folder), "--model", str(tiny_model), "--watch"]
    with subprocess.Popen(
        command, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            lines_until(process, f"index: watching {folder}, until Ctrl-C")
            for name in range(30):
                write_picture(folder / f"{name:02d}.png", name)
            (folder / "bad.png").write_text("no picture")
            told = lines_until(process, "bad.png: not a JPEG")
            assert re.fullmatch(
                r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d index: 30 images, 30 new, 1 failed\n", told[-2]
            )
            half = (folder / "slow.fits").open("wb")
            half.write(packed.getvalue()[:3000])
            half.flush()
            (folder / "00.png").unlink()
            half.write(packed.getvalue()[3000:])
            half.close()
            told = lines_until(process, "1 new")
            assert all("slow.fits" not in line and "bad.png" not in line for line in told)
            assert cli.run(["--cache-dir", str(cache), "query", "dust", "-k", "99", "--paths"]) == 0
            found = {Path(line).name for line in capsys.readouterr().out.splitlines()}
            names = {*(f"{name:02d}.png" for name in range(1, 30)), "slow.fits"}
            assert found == names
            process.send_signal(number)
            out, err = process.communicate(timeout=60)
        finally:
            process.kill()
    assert (process.returncode, out) == (code, "")
    assert err.splitlines()[-1] in ("interrupted", "terminated")
    held = holds(index_of(Workspace(cache)))
    assert {Path(path).name for path in held} == names


@pytest.mark.parametrize(
    "more", [("--status",), ("--export", "a.zip"), ("--import", "a.zip"), ("--max-failures", "1")]
)
def test_a_watch_goes_with_nothing_that_ends(
    tmp_path: Path, more: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["--cache-dir", str(tmp_path), "index", str(tmp_path), "--watch", *more]
    assert cli.run(arguments) == ExitCode.USAGE
    assert "--watch does not go with --status" in capsys.readouterr().err
