"""Retrieval accuracy at 10 % of `train --init scratch:tiny` on an archive, by cross-validation.

    python tests/benchmarks/crossvalidate.py --from DIR [--folds 5] [--grey] [--steps N ...]

The archive is a folder of images and abstracts. Proposals are dealt into folds. Each fold is
searched by a model that was trained on the others. `--grey` uses grey copies of one size and equal
stretch, so that neither colour nor size nor exposure gives an object away.

The baseline is seven trivial statistics of an image: it is represented by the captions of its
nearest neighbours in them.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import _checkout  # noqa: F401
import numpy as np
from PIL import Image

from paperclip_cli import malloc
from paperclip_cli.config import BuildDatasetConfig, EvaluateConfig, FetchConfig, TrainConfig
from paperclip_cli.dataset.pairs import Pair, read_split, write_split
from paperclip_cli.evaluation import controls, retrieval
from paperclip_cli.evaluation.held_out import uncut
from paperclip_cli.evaluation.retrieval import Accuracy, Embeddings
from paperclip_cli.images.pictures import decode_jpeg, encode_jpeg, read_picture
from paperclip_cli.output import bars
from paperclip_cli.previews.records import read_previews
from paperclip_cli.stages import build_dataset, evaluate, fetch, train
from paperclip_cli.workspace import Workspace

PERCENT = 10
GREY_SIDE = 256


def main() -> None:
    options = parser().parse_args()
    malloc.keep_freed_pages()  # as the commands do
    with tempfile.TemporaryDirectory() as folder:
        workspace = Workspace(Path(options.work or folder), offline=True)
        fetch.run(FetchConfig(source=options.source), workspace)
        build_dataset.run(BuildDatasetConfig(val_fraction=0, test_fraction=0), workspace)
        pairs = read_split(workspace.dataset("default"), "train")
        proposals = len({pair.key for pair in pairs})
        print(
            f"{len(pairs)} images of {proposals} proposals, {options.folds} folds, "
            f"chance {PERCENT / 100:.2f}"
        )

        statistics = {
            f"{preview.mission}/{preview.image}": controls.statistics(
                read_picture(options.source / preview.original)
            )
            for preview in read_previews(workspace, ("local",))
        }
        if options.grey:
            pairs = [replace(pair, image=grey_copy(pair.image)) for pair in pairs]

        folds = deal(pairs, options.folds, options.seed)
        report("seven statistics", [neighbours(pairs, held, statistics) for held in folds])
        report(
            "scratch:tiny" + (" (grey)" if options.grey else ""),
            [trained(pairs, held, number, workspace, options) for number, held in enumerate(folds)],
        )


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    made.add_argument(
        "--from",
        dest="source",
        type=Path,
        required=True,
        help="an archive on disk, as for `paperclip fetch --from`",
    )
    made.add_argument("--folds", type=int, default=5)
    made.add_argument(
        "--grey", action="store_true", help="grey, equal-sized, equally stretched copies"
    )
    made.add_argument("--seed", type=int, default=42)
    made.add_argument("--work", help="keep the results in this folder, and reuse them")
    made.add_argument("--steps", type=int)
    made.add_argument("--learning-rate", type=float)
    made.add_argument("--weight-decay", type=float)
    made.add_argument("--ema-decay", type=float)
    made.add_argument("--crop", type=float)
    return made


def deal(pairs: Sequence[Pair], folds: int, seed: int) -> list[np.ndarray]:
    """Masks of the pairs in each fold, bool [N]. A proposal is in one fold only."""
    keys = sorted({pair.key for pair in pairs})
    order = np.random.default_rng(seed).permutation(len(keys))
    parts = np.array_split(order, folds)
    home = {keys[place]: number for number, part in enumerate(parts) for place in part}
    return [np.asarray([home[pair.key] == number for pair in pairs]) for number in range(folds)]


def grey_copy(jpeg: bytes) -> bytes:
    return encode_jpeg(levelled(decode_jpeg(jpeg)))


def levelled(canvas: np.ndarray) -> np.ndarray:
    """A grey square of GREY_SIDE pixels: the 1st percentile is black, the 99.5th white."""
    grey = Image.fromarray(canvas).convert("L")
    square = grey.resize((GREY_SIDE, GREY_SIDE), Image.Resampling.BICUBIC)
    pixels = np.asarray(square, np.float32)
    low, high = np.percentile(pixels, (1, 99.5))
    return (np.clip((pixels - low) / max(high - low, 1), 0, 1) * 255).astype(np.uint8)


def trained(
    pairs: Sequence[Pair],
    held: np.ndarray,
    number: int,
    workspace: Workspace,
    options: argparse.Namespace,
) -> tuple[float, float]:
    """Accuracy on a fold, by image and by proposal, of a model trained on the other folds."""
    config = TrainConfig(
        init="scratch:tiny",
        steps=options.steps,
        learning_rate=options.learning_rate,
        weight_decay=options.weight_decay,
        ema_decay=options.ema_decay,
        crop=options.crop,
    )
    name = f"fold-{number}{'-grey' if options.grey else ''}"
    return measured(pairs, held, name, workspace, config)


def measured(
    pairs: Sequence[Pair], held: np.ndarray, name: str, workspace: Workspace, config: TrainConfig
) -> tuple[float, float]:
    """The same for any training. Dataset and model are called `name`."""
    dataset = workspace.dataset(name)
    write_split(dataset, "train", (pair for pair, out in zip(pairs, held, strict=True) if not out))
    write_split(dataset, "test", (pair for pair, out in zip(pairs, held, strict=True) if out))

    start, cpu = time.monotonic(), time.process_time()
    train.run(replace(config, dataset=name, name=name, force=True), workspace, bars.PlainProgress())
    seconds, cpu_seconds = time.monotonic() - start, time.process_time() - cpu
    print(f"{name}: trained in {seconds:.0f} s ({cpu_seconds:.0f} s of CPU time)", file=sys.stderr)

    return shares(evaluate.run(EvaluateConfig(model=name, dataset=name), workspace).result.accuracy)


def shares(accuracy: Accuracy) -> tuple[float, float]:
    """Accuracy by image and by proposal."""
    return accuracy.by_image[PERCENT] or 0.0, accuracy.by_proposal[PERCENT] or 0.0


def searched(found: Embeddings) -> tuple[float, float]:
    """Accuracy of embeddings, by image and by proposal."""
    return shares(retrieval.measure(retrieval.standing(found), found.proposal, (PERCENT,)))


def neighbours(
    pairs: Sequence[Pair], held: np.ndarray, statistics: dict[str, np.ndarray]
) -> tuple[float, float]:
    """Accuracy if the captions of its nearest neighbours in statistics represent an image."""
    values = np.stack([statistics[pair.path] for pair in pairs])
    known = [pair.caption for pair, inside in zip(pairs, held, strict=True) if not inside]
    split = uncut([pair for pair, inside in zip(pairs, held, strict=True) if inside])
    return searched(controls.by_neighbours(split, values[held], known, values[~held]))


def report(name: str, folds: Sequence[tuple[float, float]]) -> None:
    """Print one line: the mean over folds and its standard error."""
    by_image, by_proposal = np.asarray(folds).T
    error = by_image.std(ddof=1) / np.sqrt(len(folds))
    each = " ".join(f"{value:.2f}" for value in by_image)
    print(
        f"{name}: accuracy at {PERCENT} % {by_image.mean():.3f} +- {error:.3f} by image, "
        f"{by_proposal.mean():.3f} by proposal (folds {each})",
        flush=True,
    )


if __name__ == "__main__":
    main()
