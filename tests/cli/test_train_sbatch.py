"""`train --print-sbatch`: the job is a script that bash runs."""

from __future__ import annotations

import os
import shlex
import subprocess
from pathlib import Path

import pytest

from paperclip_cli.cli.app import run

OPTIONS = (
    "--init",
    "scratch:tiny",
    "--name",
    "my model's",
    "--batch-size",
    "64",
    "--multi-positive",
)


def printed(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    assert run([*words]) == 0
    return capsys.readouterr().out


def run_job(folder: Path, job: str, code: int) -> tuple[int, list[str], str]:
    """The exit code of a job whose tasks end with `code`, what srun got, and what was requeued."""
    tools = folder / "bin"
    tools.mkdir(exist_ok=True)
    for name, body in {
        "srun": f'printf "%s\\n" "$PAPERCLIP_CACHE_DIR" "$@" > {folder}/srun.txt; exit {code}',
        "scontrol": f'echo "$@" > {folder}/scontrol.txt',
    }.items():
        (tools / name).write_text(f"#!/bin/bash\n{body}\n")
        (tools / name).chmod(0o755)
    (folder / "job.sh").write_text(job)
    (folder / "scontrol.txt").write_text("")
    done = subprocess.run(
        ["bash", str(folder / "job.sh")],
        env={**os.environ, "PATH": f"{tools}:{os.environ['PATH']}", "SLURM_JOB_ID": "77"},
    )
    got = (folder / "srun.txt").read_text().splitlines()
    return done.returncode, got, (folder / "scontrol.txt").read_text().strip()


def test_the_job_runs_the_command_and_waits_for_its_next_turn(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cache = tmp_path / "a cache"
    words = ["--cache-dir", str(cache), "--offline", "train", *OPTIONS, "--print-sbatch"]
    job = printed(capsys, *words, "--nodes", "2", "--gpus-per-node", "4")
    for line in ("nodes=2", "ntasks-per-node=4", "gpus-per-node=4", "signal=TERM@120", "requeue"):
        assert f"#SBATCH --{line}" in job.splitlines()
    assert "#SBATCH --job-name=paperclip-my-model-s" in job.splitlines()
    for code, requeued in ((0, ""), (1, ""), (143, "requeue 77")):
        ended, got, asked = run_job(tmp_path, job, code)
        assert (ended, asked) == (code, requeued)
    assert got[:2] == [str(cache), "--kill-on-bad-exit=1"]
    command = got[-len(OPTIONS) - 2 :]
    assert command[:2] == ["--offline", "train"] and sorted(command[2:]) == sorted(OPTIONS)
    assert command[command.index("--name") + 1] == "my model's"


def test_the_job_names_a_program_that_is_there(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    job = printed(capsys, "--cache-dir", str(tmp_path), "train", "--print-sbatch")
    (line,) = (line for line in job.splitlines() if line.startswith("srun"))
    program = shlex.split(line)[2:-1]
    assert subprocess.run([*program, "--version"], stdout=subprocess.DEVNULL).returncode == 0
    assert not [*tmp_path.glob("*")], "nothing else is done"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--print-sbatch", "--nodes", "3"), "a batch of 32 does not divide by 3 GPUs"),
        (("--print-sbatch", "--force"), "--force would start over"),
        (("--nodes", "2"), "are of --print-sbatch"),
        (("--print-sbatch", "--nodes", "0"), "0"),
    ],
)
def test_what_makes_no_job_is_refused(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, words: tuple[str, ...], message: str
) -> None:
    assert run(["--cache-dir", str(tmp_path), "train", *words]) == 2
    assert message in capsys.readouterr().err
