"""A job of SLURM that trains a model, and goes on in the queue until it is done."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from paperclip_cli.errors import ExitCode

_FILE = """\
#!/bin/bash
#SBATCH --job-name={name}
#SBATCH --nodes={nodes}
#SBATCH --ntasks-per-node={gpus}
#SBATCH --gpus-per-node={gpus}
#SBATCH --cpus-per-task={cpus}
#SBATCH --time={time}
#SBATCH --output=%x-%j.log
# Two minutes before the time is up every task is told, and the training is saved.
#SBATCH --signal=TERM@120
#SBATCH --requeue
#SBATCH --open-mode=append

{exports}
# One task a GPU. Without one of them the others wait in vain, so all are ended.
srun --kill-on-bad-exit=1 {command}
code=$?

# Stopped in time: the same job waits for its next turn, and continues where it was.
if [ "$code" -eq {terminated} ]; then
    scontrol requeue "$SLURM_JOB_ID"
fi
exit "$code"
"""


@dataclass(frozen=True, kw_only=True)
class Job:
    """A command in one task a GPU, and the `environment` that it needs."""

    name: str
    command: Sequence[str]
    environment: Mapping[str, str]
    nodes: int
    gpus: int
    cpus: int = 8
    time: str = "24:00:00"


def sbatch_file(job: Job) -> str:
    """The file for `sbatch`."""
    exports = "".join(
        f"export {name}={shlex.quote(value)}\n" for name, value in job.environment.items()
    )
    return _FILE.format(
        # What a user calls a model may not end a line, or begin another.
        name="".join(sign if sign.isalnum() or sign in "._-" else "-" for sign in job.name),
        nodes=job.nodes,
        gpus=job.gpus,
        cpus=job.cpus,
        time=job.time,
        exports=exports,
        command=shlex.join(job.command),
        terminated=int(ExitCode.TERMINATED),
    )
