"""Start and memory of a training on a dataset of some gigabytes, before and after a change.

    python tests/benchmarks/training_start.py [--gigabytes 2.5] [--checkout DIR ...]

Makes a synthetic dataset: grey, noisy previews of 512 pixels and about 80 kB, and abstracts of the
usual length, each shared by the images of its proposal. Then `paperclip train` runs for two steps
in a process of its own, with an empty cache (the first start) and again with the cache that this
left. That is done for each of the `--checkout` folders, this one by default.

Prints the seconds to the first step (from the training's log) and the most memory that the process
had: all of it, its own (`anonymous`) and that of mapped files. `beyond` is what it had more than
the same start on 64 images, each of a proposal of its own: more than model, step, compiler and
libraries. The ratios are those of the first checkout to the last.

The dataset has a manifest, as those of `build-dataset` have. `--work` keeps it for the next time.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import _checkout  # noqa: F401
import numpy as np

from paperclip_cli.dataset.pairs import Pair, write_split
from paperclip_cli.images.pictures import encode_jpeg
from paperclip_cli.records import Key, Observation
from paperclip_cli.workspace import Manifest, stamps_of, write_manifest

SIDE, NOISE = 512, 3.7
A_PROPOSAL = 19  # images, as Hubble's 31,859 previews of 1,700 proposals
DIFFERENT = 32  # pictures; a few bytes after the end make each JPEG another
SMALL = 64
STARTS = ("first start", "second start")
WORDS = 210
KINDS = {"VmRSS": "memory", "RssAnon": "anonymous", "RssFile": "mapped files"}


class Run(NamedTuple):
    """Seconds to the first step, and the most memory of each of KINDS, in MB."""

    seconds: float
    memory: dict[str, float]


def write_dataset(folder: Path, images: int, a_proposal: int = A_PROPOSAL) -> None:
    """A dataset of so many training images and a tenth as many for validation."""
    pairs = made_pairs(images + images // 10, a_proposal)
    write_split(folder, "train", islice(pairs, images))
    write_split(folder, "validation", pairs)
    names = [path.relative_to(folder).as_posix() for path in folder.glob("data/*")]
    written = Manifest(stage="build-dataset", config={}, files=stamps_of(folder, names))
    write_manifest(folder, written)


def made_pairs(count: int, a_proposal: int) -> Iterator[Pair]:
    rng = np.random.default_rng(0)
    jpegs = [picture(rng) for _ in range(DIFFERENT)]
    words = [f"w{''.join(map(chr, rng.integers(97, 123, 6)))}" for _ in range(4_000)]
    texts: dict[int, str] = {}
    for number in range(count):
        proposal = number // a_proposal
        if proposal not in texts:
            texts = {proposal: abstract(rng, words)}
        yield Pair(
            key=Key("hst", 10_000 + proposal),
            image=jpegs[number % DIFFERENT] + number.to_bytes(4, "big"),
            caption=texts[proposal],
            abstract=texts[proposal],
            summary=None,
            seen_sky=None,
            seen_text=None,
            observation=Observation(target=f"NGC {number}", s_ra=number / 100, s_dec=0.0),
            title=f"Proposal {proposal}",
            category="GALAXIES",
            path=f"hst/proposal_{proposal}/{number}.jpg",
        )


def picture(rng: np.random.Generator) -> bytes:
    """A grey JPEG of about 80 kB."""
    return encode_jpeg(rng.normal(60, NOISE, (SIDE, SIDE)).clip(0, 255).astype(np.uint8))


def abstract(rng: np.random.Generator, words: list[str]) -> str:
    drawn = [words[i] for i in rng.zipf(1.3, WORDS) % len(words)]
    sentences = [drawn[first : first + 21] for first in range(0, WORDS, 21)]
    return " ".join(" ".join(sentence).capitalize() + "." for sentence in sentences)


def train(checkout: Path, cache: Path, dataset: Path, options: argparse.Namespace) -> Run:
    """One training in a process of its own, watched until it ends."""
    command = [sys.executable, "-P", "-m", "paperclip_cli", "--cache-dir", str(cache), "--quiet"]
    command += ["train", "--init", options.init, "--dataset", str(dataset), "--force"]
    command += ["--steps", "2", "--cache", options.cache]
    log = cache / "training" / "default" / "metrics.jsonl"
    shutil.rmtree(log.parent, ignore_errors=True)
    os.sync()

    most, seconds, begun = dict.fromkeys(KINDS.values(), 0.0), 0.0, time.monotonic()
    process = subprocess.Popen(command, env=os.environ | {"PYTHONPATH": str(checkout)})
    while process.poll() is None:
        for kind, size in resident(process.pid).items():
            most[kind] = max(most[kind], size)
        if not seconds and log.is_file() and log.stat().st_size:
            seconds = time.monotonic() - begun
        time.sleep(0.01)
    if process.returncode:
        raise SystemExit(f"the training in {checkout} ended with {process.returncode}")
    return Run(seconds, most)


def resident(process: int) -> dict[str, float]:
    """The memory of a process at this moment, in MB by kind."""
    try:
        lines = Path(f"/proc/{process}/status").read_text(encoding="ascii").splitlines()
    except (FileNotFoundError, ProcessLookupError):
        return {}
    said = (line.partition(":") for line in lines)
    return {KINDS[name]: int(text.split()[0]) / 1e3 for name, _, text in said if name in KINDS}


def printed(name: str, checkout: Path, run: Run, small: Run) -> None:
    kinds = " | ".join(f"{run.memory[kind]:,.0f} MB" for kind in KINDS.values())
    beyond = run.memory["memory"] - small.memory["memory"]
    print(f"| {name} | {checkout} | {run.seconds:.1f} s | {kinds} | {beyond:,.0f} MB |", flush=True)


def measured(work: Path, options: argparse.Namespace) -> dict[tuple[str, Path], Run]:
    """Runs everything, prints a row for each, and returns those on the whole dataset."""
    runs: dict[tuple[str, Path], Run] = {}
    for checkout in options.checkout:
        small: dict[str, Run] = {}
        for size in ("small", "large"):
            shutil.rmtree(work / "cache", ignore_errors=True)
            shutil.rmtree(work / size / ".store", ignore_errors=True)  # of earlier versions
            for start in STARTS:
                run = train(checkout, work / "cache", work / size, options)
                small.setdefault(start, run)
                runs[start, checkout] = run
                printed(f"{start}, {size}", checkout, run, small[start])
    return runs


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--gigabytes", type=float, default=2.5)
    parser.add_argument("--init", default="scratch:tiny")
    parser.add_argument("--cache", default="auto")
    parser.add_argument("--work", type=Path, help="folder that keeps the dataset")
    here = Path(__file__).resolve().parents[2]
    parser.add_argument("--checkout", type=Path, nargs="+", default=[here])
    options = parser.parse_args()
    options.checkout = [checkout.resolve() for checkout in options.checkout]

    with tempfile.TemporaryDirectory() as folder:
        work = options.work or Path(folder)
        one = len(picture(np.random.default_rng(0)))
        if not (work / "small").is_dir():
            write_dataset(work / "small", SMALL, a_proposal=1)
        if not (work / "large").is_dir():
            write_dataset(work / "large", int(options.gigabytes * 1e9 / one))
        print(
            "| start | checkout | to the first step | " + " | ".join(KINDS.values()) + " | beyond |"
        )
        print("|---|---|---|---|---|---|---|")
        runs = measured(work, options)

    first, last = options.checkout[0], options.checkout[-1]
    for name in STARTS:
        before, after = runs[name, first], runs[name, last]
        memory = before.memory["memory"] / after.memory["memory"]
        ratio = before.seconds / after.seconds
        print(f"{name}, {first.name} / {last.name}: {ratio:.2f} in time, {memory:.2f} in memory")


if __name__ == "__main__":
    main()
