"""Real `paperclip train` processes that train one model together over loopback."""

from __future__ import annotations

import signal
import socket
import subprocess
import time

import numpy as np
import pytest
from safetensors.numpy import load_file

from paperclip_cli.config import BuildDatasetConfig
from paperclip_cli.errors import ExitCode, UsageError
from paperclip_cli.stages import build_dataset
from paperclip_cli.training import distributed
from paperclip_cli.training.metrics import read_metrics
from paperclip_cli.workspace import Workspace
from tests.factories import write_fetched
from tests.small_trainings import ended, start, steps_done


def start_several(
    workspace: Workspace, name: str, *options: str, count: int = 2
) -> list[subprocess.Popen[str]]:
    """Runs some processes on a port that was free a moment ago."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    together = {
        distributed.COORDINATOR: f"127.0.0.1:{port}",
        distributed.COUNT: str(count),
        # Programs that the tests compile quickly, or take from a cache, exchange in other orders.
        "XLA_FLAGS": "",
        "JAX_ENABLE_COMPILATION_CACHE": "false",
    }
    return [
        start(workspace, name, *options, environment=together | {distributed.NUMBER: str(number)})
        for number in range(count)
    ]


@pytest.fixture
def ready(workspace: Workspace) -> Workspace:
    write_fetched(workspace, proposals=14)
    build_dataset.run(BuildDatasetConfig(val_fraction=0.3, test_fraction=0), workspace)
    return workspace


@pytest.mark.nightly
def test_two_processes_train_the_model_of_one(ready: Workspace) -> None:
    """Two processes give the losses and validation of one, and write the model and state once.

    A signal to one stops both, and they continue together.
    """
    options = ("--steps", "200", "--eval-every", "50", "--keep", "best", "--log-every", "20")
    alone = start(ready, "alone", *options)
    pair = start_several(ready, "two", *options)
    while steps_done(ready, "two") < 25 and all(process.poll() is None for process in pair):
        time.sleep(0.01)
    pair[1].send_signal(signal.SIGTERM)
    stopped = [ended(process) for process in pair]
    assert [code for code, _ in stopped] == [ExitCode.TERMINATED] * 2, stopped
    assert (
        "in 2 processes" in stopped[0][1]
        and "stopped after step" in stopped[0][1]
        and "in 2 processes" not in stopped[1][1]
    )
    assert "two" not in ready.names("models") and 25 <= steps_done(ready, "two") < 200

    again = [ended(process) for process in start_several(ready, "two", *options)]
    assert [code for code, _ in again] == [ExitCode.OK] * 2, again
    assert (
        "continuing from step" in again[0][1]
        and "train: done" in again[0][1]
        and "image" not in again[1][1]
    )
    assert ended(alone)[0] == ExitCode.OK
    logs = [read_metrics(ready.model(name) / "metrics.jsonl") for name in ("alone", "two")]
    for one, two in zip(*logs, strict=True):
        assert one["step"] == two["step"]
        for name in one.keys() - {"images_per_second", "step"}:
            expected = one[name]  # so few captions have no accuracy at 10 %
            assert two[name] == (None if expected is None else pytest.approx(expected, rel=1e-3)), (
                one,
                two,
            )
    one, two = (load_file(ready.model(name) / "model.safetensors") for name in ("alone", "two"))
    assert max(np.abs(one[name] - two[name]).max() for name in one) < 0.02
    steps = [
        sorted(path.name for path in (ready.training(name) / "checkpoints").glob("[0-9]*"))
        for name in ("alone", "two")
    ]
    assert steps[0] == steps[1] and not list(ready.training("two").rglob("*.orbax-checkpoint-tmp*"))


@pytest.mark.nightly
def test_four_processes_of_which_one_is_killed_continue_exactly(ready: Workspace) -> None:
    """As under `srun`, which ends all tasks when one of them dies, and then runs them again."""
    options = ("--steps", "60", "--eval-every", "20", "--log-every", "10")
    straight = start_several(ready, "straight", *options, count=4)
    assert [ended(process)[0] for process in straight] == [ExitCode.OK] * 4

    four = start_several(ready, "killed", *options, count=4)
    kept = ready.training("killed") / "checkpoints" / "20"
    while not kept.is_dir() and all(process.poll() is None for process in four):
        time.sleep(0.01)
    four[2].kill()
    for process in four:
        process.kill()
        ended(process)
    assert steps_done(ready, "killed") < 60 and "killed" not in ready.names("models")

    again = [ended(process) for process in start_several(ready, "killed", *options, count=4)]
    assert [code for code, _ in again] == [ExitCode.OK] * 4, again
    assert "continuing from step 20 of 60" in again[0][1]
    one, two = (
        load_file(ready.model(name) / "model.safetensors") for name in ("straight", "killed")
    )
    assert all(np.array_equal(one[name], two[name]) for name in one)


def test_what_the_environment_must_say(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (
        "SLURM_STEP_NODELIST",
        "SLURM_NTASKS",
        "SLURM_STEP_NUM_TASKS",
        distributed.COORDINATOR,
    ):
        monkeypatch.delenv(name, raising=False)
    joined: list[tuple] = []
    monkeypatch.setattr(
        distributed.jax.distributed, "initialize", lambda *arguments: joined.append(arguments)
    )
    distributed.join()
    monkeypatch.setenv("SLURM_NTASKS", "4")  # within a job, but in its script and not under srun
    distributed.join()
    monkeypatch.setenv("SLURM_STEP_NODELIST", "node1")
    monkeypatch.setenv("SLURM_STEP_NUM_TASKS", "1")  # a step of one task
    distributed.join()
    assert not joined
    monkeypatch.setenv("SLURM_STEP_NUM_TASKS", "2")
    distributed.join()
    assert joined == [()]
    monkeypatch.setenv(distributed.COORDINATOR, "node1:1234")
    monkeypatch.setenv(distributed.COUNT, "2")
    with pytest.raises(UsageError, match=distributed.NUMBER):
        distributed.join()
    monkeypatch.setenv(distributed.NUMBER, "1")
    distributed.join()
    assert joined == [(), ("node1:1234", 2, 1)]
