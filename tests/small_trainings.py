"""Trainings for tests: a model small enough to be fast, and real `paperclip train` processes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from paperclip_cli.towers.config import ClipConfig, TextConfig, VisionConfig
from paperclip_cli.training.metrics import read_metrics
from paperclip_cli.workspace import Workspace

# Takes the place of `scratch:tiny`: in tests, compiling takes nearly all of the time.
SMALL = ClipConfig(
    TextConfig(
        vocab_size=1_000,
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=1,
        num_attention_heads=2,
        max_position_embeddings=40,
    ),
    VisionConfig(
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=1,
        num_attention_heads=2,
        image_size=32,
        patch_size=8,
    ),
    projection_dim=24,
)
PROGRAM = """
from paperclip_cli.cli.app import main
from paperclip_cli.towers import scratch
from tests.small_trainings import SMALL
scratch.SHAPES["scratch:tiny"] = SMALL
main()
"""


def start(
    workspace: Workspace, name: str, *options: str, environment: dict[str, str] | None = None
) -> subprocess.Popen[str]:
    """`paperclip train` with SMALL and batches of 8, in a process of its own."""
    command = [
        sys.executable,
        "-c",
        PROGRAM,
        "--cache-dir",
        str(workspace.root),
        "train",
        "--init",
        "scratch:tiny",
        "--batch-size",
        "8",
        "--name",
        name,
        *options,
    ]
    return subprocess.Popen(
        command,
        stderr=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).resolve().parents[1],
        env=os.environ | {"JAX_PLATFORMS": "cpu"} | (environment or {}),
    )


def ended(process: subprocess.Popen[str]) -> tuple[int, str]:
    """The exit status of a process, and its output."""
    _, said = process.communicate(timeout=240)
    return process.returncode, said


def steps_done(workspace: Workspace, name: str) -> int:
    """The last step in a training's log."""
    log = workspace.training(name) / "metrics.jsonl"
    return max((line["step"] for line in read_metrics(log)), default=0) if log.is_file() else 0
