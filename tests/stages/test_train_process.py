"""Real `paperclip train` processes that are terminated or killed continue exactly."""

from __future__ import annotations

import signal
import time

import pytest

from paperclip_cli.config import BuildDatasetConfig
from paperclip_cli.errors import ExitCode
from paperclip_cli.stages import build_dataset
from paperclip_cli.training.metrics import read_metrics
from paperclip_cli.workspace import Workspace
from tests.factories import write_fetched
from tests.small_trainings import ended, start, steps_done

STEPS = 200
OPTIONS = (
    "--steps",
    str(STEPS),
    "--eval-every",
    "4",
    "--accumulate",
    "2",
    "--shuffle-pairs",
    "--unique-proposals",
    "--multi-positive",
)


def stop_after(
    workspace: Workspace, name: str, step: int, number: signal.Signals
) -> tuple[int, str]:
    """Starts a training and signals it after a step. Returns its exit status and output."""
    process = start(workspace, name, *OPTIONS)
    while steps_done(workspace, name) < step and process.poll() is None:
        time.sleep(0.01)
    process.send_signal(number)
    return ended(process)


@pytest.mark.nightly
def test_a_training_that_is_terminated_and_killed_ends_as_one_that_was_not(
    workspace: Workspace,
) -> None:
    write_fetched(workspace, proposals=12)
    build_dataset.run(BuildDatasetConfig(val_fraction=0, test_fraction=0), workspace)
    code, said = ended(start(workspace, "straight", *OPTIONS))
    assert code == ExitCode.OK, said

    code, said = stop_after(workspace, "stopped", 2, signal.SIGTERM)
    assert code == ExitCode.TERMINATED, said
    assert "the same command resumes from there" in said
    saved = steps_done(workspace, "stopped")
    assert 2 <= saved < STEPS

    code, said = stop_after(workspace, "stopped", saved + 6, signal.SIGKILL)
    assert code == -signal.SIGKILL and f"continuing from step {saved} of {STEPS}" in said
    assert "stopped" not in workspace.names("models")

    code, said = ended(start(workspace, "stopped", *OPTIONS))
    assert code == ExitCode.OK and "continuing from step" in said
    names = ("straight", "stopped")
    one, other = ((workspace.model(name) / "model.safetensors").read_bytes() for name in names)
    assert one == other, "not the same to the last bit"
    losses = [
        [line["loss"] for line in read_metrics(workspace.model(name) / "metrics.jsonl")]
        for name in names
    ]
    assert losses[0] == losses[1] and len(losses[0]) == STEPS
