"""Time to the first step and peak memory of real `paperclip train` processes.

    python tests/benchmarks/training_cost.py [--batch-size 8]

Each row is a process of its own that trains `--init` (`scratch:base`, a ViT-B/16) for `--steps`
steps on a small simulated sky: with an empty compilation cache, with a filled one, and with options
that save memory. Prints the seconds from the command to its first step (from its log), how many of
them are beyond a later step, the seconds of a later step, and peak resident memory.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import _checkout  # noqa: F401

from paperclip_cli.config import BuildDatasetConfig, FetchConfig
from paperclip_cli.stages import build_dataset, fetch
from paperclip_cli.workspace import Workspace

SETTINGS = {
    "empty cache": (),
    "filled cache": (),
    "accumulate 4": ("--accumulate", "4"),
    "remat": ("--remat",),
}


def run(
    workspace: Workspace, options: argparse.Namespace, *extra: str
) -> tuple[float, float, float]:
    """Train once. Returns seconds to the first step, seconds per later step, peak memory in GB."""
    python = [sys.executable, "-m", "paperclip_cli"]
    command = [*python, "--cache-dir", str(workspace.root), "--quiet", "train", "--force"]
    command += ["--init", options.init, "--batch-size", str(options.batch_size)]
    command += ["--steps", str(options.steps), "--eval-every", "100000", *extra]

    log = workspace.training("default") / "metrics.jsonl"
    shutil.rmtree(log.parent, ignore_errors=True)
    os.sync()  # or the previous run would still be writing its checkpoint

    begun, stamps = time.monotonic(), []
    process = subprocess.Popen(command)
    while process.poll() is None and len(stamps) < options.steps:
        steps = log.read_bytes().count(b"\n") if log.is_file() else 0
        stamps += [time.monotonic()] * (steps - len(stamps))
        time.sleep(0.02)
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"training ended with {status}")

    return stamps[0] - begun, (stamps[-1] - stamps[0]) / (len(stamps) - 1), usage.ru_maxrss / 1e6


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--init", default="scratch:base")
    parser.add_argument("--batch-size", type=int, default=8)
    parser.add_argument("--steps", type=int, default=4)
    parser.add_argument("--runs", type=int, default=3, help="number of runs with a filled cache")
    parser.add_argument("--only", nargs="+", choices=tuple(SETTINGS), default=list(SETTINGS))
    options = parser.parse_args()

    with tempfile.TemporaryDirectory() as folder:
        workspace = Workspace(Path(folder), offline=True)
        fetch.run(FetchConfig(simulate=40), workspace)
        build_dataset.run(BuildDatasetConfig(val_fraction=0, test_fraction=0), workspace)

        print("| training | to the first step | beyond a later one | per step | peak memory |")
        print("|---|---|---|---|---|")
        for name in options.only:
            print_rows(name, workspace, options)


def print_rows(name: str, workspace: Workspace, options: argparse.Namespace) -> None:
    """Print a row for each run with one of SETTINGS."""
    compiled = workspace.root / "jax"
    if name == "empty cache":
        shutil.rmtree(compiled, ignore_errors=True)
    elif name == "filled cache" and not compiled.is_dir():
        run(workspace, options)

    for _ in range(options.runs if name == "filled cache" else 1):
        first, steady, peak = run(workspace, options, *SETTINGS[name])
        times = f"{first:.1f} s | {first - steady:.1f} s | {steady:.2f} s"
        print(f"| {name} | {times} | {peak:.2f} GB |", flush=True)


if __name__ == "__main__":
    main()
