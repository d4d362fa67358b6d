"""Run the commands one after another on a small simulated sky, with this Python's versions.

    PYTHON .ci/endtoend.py FOLDER

PYTHON belongs to an environment in which paperclip is installed. FOLDER is created. The first
command that ends with an unexpected exit code ends this program with exit 1. A graph is built if
hnswlib is installed, figures are drawn if matplotlib is.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path

PAPERCLIP = str(Path(sys.executable).with_name("paperclip"))
SHOWN = ("typer", "jax", "flax", "optax", "orbax-checkpoint", "numpy", "pyarrow", "astropy")
FAILED, TERMINATED = 1, 143
TRAIN = ("train", "--init", "scratch:tiny", "--steps")
QUERY = ("query", "galaxy mergers", "-k", "3")


def started(folder: Path, *arguments: str) -> subprocess.Popen[str]:
    """Start a command in `folder`, with its own cache there, whatever the environment says."""
    print(f"$ paperclip {' '.join(arguments)}", flush=True)
    ours = ("PYTHON", "PAPERCLIP")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    environment["PAPERCLIP_CONFIG"] = "config.toml"
    command = [PAPERCLIP, "--cache-dir", "cache", "--offline", *arguments]
    return subprocess.Popen(command, cwd=folder, env=environment, stdout=subprocess.PIPE, text=True)


def ended(process: subprocess.Popen[str], code: int = 0) -> str:
    """Wait for a command. Returns its output, or exits if its exit code is not `code`."""
    printed, _ = process.communicate()
    if process.returncode != code:
        print(printed)
        sys.exit(f"endtoend: exit {process.returncode} instead of {code}")
    return printed


def paperclip(folder: Path, *arguments: str) -> str:
    """The output of a command."""
    return ended(started(folder, *arguments))


def need(holds: bool, what: str) -> None:
    if not holds:
        sys.exit(f"endtoend: {what}")


def data(folder: Path) -> None:
    paperclip(folder, "fetch", "--simulate", "40")
    paperclip(folder, "summarize")
    summaries = json.loads(paperclip(folder, "summarize", "--show", "--json"))
    need(len(summaries) > 30, "summaries are missing")
    paperclip(folder, "build-dataset", "--captions", "summary")


def models(folder: Path) -> None:
    paperclip(folder, *TRAIN, "20")
    training = (*TRAIN, "30", "--name", "stopped")
    terminated(folder, *training)
    paperclip(folder, *training)
    need(last_step(folder, "models") == 30, "a stopped training did not continue")
    head = "--train head --head-views 1 --init default --name head".split()
    paperclip(folder, *TRAIN, "20", *head)

    figures = ["--plots", "figures"] if find_spec("matplotlib") else []
    measured = json.loads(paperclip(folder, "evaluate", "--model", "default", "--json", *figures))
    need(measured["n_images"] > 0, "nothing was evaluated")


def terminated(folder: Path, *arguments: str) -> None:
    """Start a training, and end it as soon as it has taken a step."""
    process = started(folder, *arguments)
    while process.poll() is None and not last_step(folder, "training"):
        time.sleep(0.02)
    process.send_signal(signal.SIGTERM)
    ended(process, TERMINATED)


def last_step(folder: Path, kind: str) -> int:
    log = folder / "cache" / kind / "stopped" / "metrics.jsonl"
    lines = log.read_text(encoding="utf-8").splitlines(keepends=True) if log.is_file() else []
    return max((json.loads(line)["step"] for line in lines if line.endswith("\n")), default=0)


def answers(folder: Path) -> None:
    graph = ["--hnsw"] if find_spec("hnswlib") else []
    paperclip(folder, "index", "--model", "default", *graph)
    hits = json.loads(paperclip(folder, *QUERY, "--json"))
    need([hit["rank"] for hit in hits] == [1, 2, 3], "hits are missing")
    key = f"{hits[0]['mission']}:{hits[0]['proposal_id']}"
    need(bool(json.loads(paperclip(folder, "show", key, "--json"))[0]["images"]), "no images")
    need("<VOTABLE" in paperclip(folder, *QUERY, "--format", "votable"), "no VOTable")
    need("%ECSV" in paperclip(folder, *QUERY, "--format", "ecsv"), "no ECSV")
    need(bool(paperclip(folder, *QUERY, "--html", "hits.html")), "no table")

    here, image = f"{hits[0]['s_ra']} {hits[0]['s_dec']}", hits[0]["image"]
    need(bool(paperclip(folder, *QUERY, "--near", here, "--format", "csv")), "no hits near a hit")
    alike = json.loads(paperclip(folder, "query", "--image", image, "--json"))
    need(alike[0]["image"] == image, "an image is not most similar to itself")
    described = json.loads(paperclip(folder, "describe", image, "--model", "default", "--json"))
    need(len(described[0]["labels"]) == 4, "labels are missing")


def hand_on(folder: Path) -> None:
    paperclip(folder, "index", "--export", "index.zip")
    paperclip(folder, "index", "--import", "index.zip", "--index", "copy")
    hits = json.loads(paperclip(folder, "query", "comet", "--index", "copy", "--json"))
    need(bool(hits), "the copy does not answer")
    for kind in ("model", "dataset", "index"):
        paperclip(folder, "publish", kind, "default", "org/name", "--dry-run")
    ended(started(folder, "pull", "org/name"), FAILED)  # there is no network
    need("@" in paperclip(folder, "cite", "--index", "default", "--bibtex"), "nothing to cite")
    print(paperclip(folder, "doctor", "--verify"))
    kinds = {one["kind"] for one in json.loads(paperclip(folder, "cache", "ls", "--json"))}
    need({"previews", "dataset", "model", "index", "training"} <= kinds, "the cache is not listed")
    paperclip(folder, "cache", "prune", "--yes")
    paperclip(folder, "config", "set", "k", "2")
    need(paperclip(folder, "config", "get", "k") == "2\n", "a setting was not kept")
    need(len(json.loads(paperclip(folder, "query", "comet", "--json"))) == 2, "nor used")
    paperclip(folder, "config", "unset", "k")


def main(name: str) -> None:
    folder, begin = Path(name), time.monotonic()
    folder.mkdir(parents=True)

    versions = ", ".join(f"{each} {metadata.version(each)}" for each in SHOWN)
    print(f"Python {sys.version.split()[0]}, {versions}")
    for part in (data, models, answers, hand_on):
        part(folder)
    print(f"endtoend: everything ran ({time.monotonic() - begin:.0f} s)")


if __name__ == "__main__":
    main(*sys.argv[1:])
