"""Retrieval accuracy at 10 % of `train --init scratch:tiny` on a folder of images and abstracts, by cross-validation.

    python tests/benchmarks/crossvalidate.py --from DIR [--folds 5] [--grey] [--steps N ...]

Proposals are dealt into folds; each fold is searched by a model that was trained on the others. `--grey` does it on copies that are grey,
of one size and equally stretched, so that neither colour nor size nor exposure gives an object away. For comparison: what seven
trivial statistics of an image reach, whose nearest neighbours' captions stand for it.
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
    with tempfile.TemporaryDirectory() as folder:
        workspace = Workspace(Path(options.work or folder), offline=True)
        fetch.run(FetchConfig(source=options.source), workspace)
        build_dataset.run(BuildDatasetConfig(val_fraction=0, test_fraction=0), workspace)
        pairs = read_split(workspace.dataset("default"), "train")
        print(
            f"{len(pairs)} images of {len({pair.key for pair in pairs})} proposals, {options.folds} folds, chance {PERCENT / 100:.2f}"
        )
        statistics = {
            f"{preview.mission}/{preview.image}": controls.statistics(
                read_picture(options.source / preview.original)
            )
            for preview in read_previews(workspace, ("local",))
        }
        if options.grey:
            pairs = [
                replace(pair, image=encode_jpeg(levelled(decode_jpeg(pair.image))))
                for pair in pairs
            ]
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
    made.add_argument("--work", help="a folder to keep (and reuse) what is made")
    made.add_argument("--steps", type=int)
    made.add_argument("--learning-rate", type=float)
    made.add_argument("--weight-decay", type=float)
    made.add_argument("--ema-decay", type=float)
    made.add_argument("--crop", type=float)
    return made


def deal(pairs: Sequence[Pair], folds: int, seed: int) -> list[np.ndarray]:
    """For each fold, which pairs it holds: bool [N]. A proposal is in one fold only."""
    keys = sorted({pair.key for pair in pairs})
    home = {
        keys[place]: number
        for number, part in enumerate(
            np.array_split(np.random.default_rng(seed).permutation(len(keys)), folds)
        )
        for place in part
    }
    return [np.asarray([home[pair.key] == number for pair in pairs]) for number in range(folds)]


def levelled(canvas: np.ndarray) -> np.ndarray:
    """Grey, GREY_SIDE pixels a side, its 1st and 99.5th percentiles made black and white."""
    grey = (
        Image.fromarray(canvas)
        .convert("L")
        .resize((GREY_SIDE, GREY_SIDE), Image.Resampling.BICUBIC)
    )
    pixels = np.asarray(grey, np.float32)
    low, high = np.percentile(pixels, (1, 99.5))
    return (np.clip((pixels - low) / max(high - low, 1), 0, 1) * 255).astype(np.uint8)


def trained(
    pairs: Sequence[Pair],
    held: np.ndarray,
    number: int,
    workspace: Workspace,
    options: argparse.Namespace,
) -> tuple[float, float]:
    """Accuracy by image and by proposal of a model trained on the pairs outside the fold, on those in it."""
    config = TrainConfig(
        init="scratch:tiny",
        steps=options.steps,
        learning_rate=options.learning_rate,
        weight_decay=options.weight_decay,
        ema_decay=options.ema_decay,
        crop=options.crop,
    )
    return measured(
        pairs, held, f"fold-{number}{'-grey' if options.grey else ''}", workspace, config
    )


def measured(
    pairs: Sequence[Pair], held: np.ndarray, name: str, workspace: Workspace, config: TrainConfig
) -> tuple[float, float]:
    """The same for any training: dataset and model are called `name`."""
    dataset = workspace.dataset(name)
    write_split(dataset, "train", (pair for pair, out in zip(pairs, held, strict=True) if not out))
    write_split(dataset, "test", (pair for pair, out in zip(pairs, held, strict=True) if out))
    start, cpu = time.monotonic(), time.process_time()
    train.run(replace(config, dataset=name, name=name, force=True), workspace, bars.PlainProgress())
    print(
        f"{name}: trained in {time.monotonic() - start:.0f} s ({time.process_time() - cpu:.0f} s of processor time)",
        file=sys.stderr,
    )
    return shares(evaluate.run(EvaluateConfig(model=name, dataset=name), workspace).result.accuracy)


def shares(accuracy: Accuracy) -> tuple[float, float]:
    """By image and by proposal."""
    return accuracy.by_image[PERCENT] or 0.0, accuracy.by_proposal[PERCENT] or 0.0


def searched(found: Embeddings) -> tuple[float, float]:
    """The same of embeddings."""
    return shares(retrieval.measure(retrieval.standing(found), found.proposal, (PERCENT,)))


def neighbours(
    pairs: Sequence[Pair], held: np.ndarray, statistics: dict[str, np.ndarray]
) -> tuple[float, float]:
    """The same accuracy when an image is known by its statistics only, and its nearest neighbours' captions stand for it."""
    values = np.stack([statistics[pair.path] for pair in pairs])
    known = [pair.caption for pair, inside in zip(pairs, held, strict=True) if not inside]
    split = uncut([pair for pair, inside in zip(pairs, held, strict=True) if inside])
    return searched(controls.by_neighbours(split, values[held], known, values[~held]))


def report(name: str, folds: Sequence[tuple[float, float]]) -> None:
    """One line: mean over folds and its standard error."""
    by_image, by_proposal = np.asarray(folds).T
    error = by_image.std(ddof=1) / np.sqrt(len(folds))
    print(
        f"{name}: accuracy at {PERCENT} % {by_image.mean():.3f} +- {error:.3f} by image, {by_proposal.mean():.3f} by proposal "
        f"(folds {' '.join(f'{value:.2f}' for value in by_image)})",
        flush=True,
    )


if __name__ == "__main__":
    main()
