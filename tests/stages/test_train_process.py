"""Real `paperclip train` processes that are terminated and killed, and go on exactly where they were."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

from paperclip_cli.config import BuildDatasetConfig
from paperclip_cli.data.metrics import read_metrics
from paperclip_cli.errors import ExitCode
from paperclip_cli.stages import build_dataset
from paperclip_cli.workspace import Workspace
from tests.factories import write_fetched

STEPS = 30


def start(workspace: Workspace, name: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "paperclip_cli", "--cache-dir", str(workspace.root), "train", "--init", "scratch:tiny",
               "--batch-size", "8", "--steps", str(STEPS), "--eval-every", "4", "--name", name,
               "--accumulate", "2", "--shuffle-pairs", "--unique-proposals", "--multi-positive"]
    return subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=os.environ | {"JAX_PLATFORMS": "cpu"})


def steps_done(workspace: Workspace, name: str) -> int:
    log = workspace.training(name) / "metrics.jsonl"
    return max((line["step"] for line in read_metrics(log)), default=0) if log.is_file() else 0


def stop_after(workspace: Workspace, name: str, step: int, number: signal.Signals) -> tuple[int, str]:
    """Starts a training, sends it a signal once it is past a step; gives its exit status and what it said."""
    process = start(workspace, name)
    while steps_done(workspace, name) < step and process.poll() is None:
        time.sleep(0.01)
    process.send_signal(number)
    _, said = process.communicate(timeout=120)
    return process.returncode, said


def test_a_training_that_is_terminated_and_killed_ends_as_one_that_was_not(workspace: Workspace) -> None:
    write_fetched(workspace, proposals=12)
    build_dataset.run(BuildDatasetConfig(val_fraction=0, test_fraction=0), workspace)
    _, said = (straight := start(workspace, "straight")).communicate(timeout=240)
    assert straight.returncode == ExitCode.OK, said

    code, said = stop_after(workspace, "stopped", 2, signal.SIGTERM)
    assert code == ExitCode.TERMINATED, said
    assert "the same command goes on from there" in said
    saved = steps_done(workspace, "stopped")
    assert 2 <= saved < STEPS

    code, said = stop_after(workspace, "stopped", saved + 6, signal.SIGKILL)
    assert code == -signal.SIGKILL and f"going on from step {saved} of {STEPS}" in said
    assert "stopped" not in workspace.names("models")

    _, said = (process := start(workspace, "stopped")).communicate(timeout=240)
    assert process.returncode == ExitCode.OK and "going on from step" in said
    names = ("straight", "stopped")
    one, other = ((workspace.model(name) / "model.safetensors").read_bytes() for name in names)
    assert one == other, "not the same to the last bit"
    losses = [[line["loss"] for line in read_metrics(workspace.model(name) / "metrics.jsonl")] for name in names]
    assert losses[0] == losses[1] and len(losses[0]) == STEPS
