"""Retrieval accuracy at 10 % of every way to train `scratch:tiny`, by cross-validation.

    python tests/benchmarks/modes.py --simulate 300 --steps 400 [--folds 5]
        [--views centre whole tiles] [--only full head ...]
    python tests/benchmarks/modes.py --from DIR

Prints a Markdown table. Folds are made of whole proposals, and each is searched by a model that was
trained on the others. A row gives the mean over folds and its 95 % interval (1.96 standard errors),
by image and by proposal.

Rows other than `full` are measured in the first of the views only. `tiles` uses the model of the
row `centre`: the best of an image's crops counts. A head needs trained towers. They come from a
model that was trained in full on another simulated sky (`--base` names a different one), and so
does the row `base-full`, which trains all of it. `shuffled` is the control.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import _checkout  # noqa: F401
import numpy as np

from paperclip_cli import malloc
from paperclip_cli.config import (
    TINY_PRESET,
    BuildDatasetConfig,
    FetchConfig,
    SummarizeConfig,
    TrainConfig,
)
from paperclip_cli.dataset.pairs import Pair, read_split
from paperclip_cli.dataset.texts import texts_of
from paperclip_cli.evaluation.held_out import held_out
from paperclip_cli.images.pictures import decode_jpeg
from paperclip_cli.images.tiles import tile_views
from paperclip_cli.output import bars
from paperclip_cli.simulation.archive import MISSION
from paperclip_cli.stages import build_dataset, fetch, summarize, train
from paperclip_cli.towers.embedder import ImageEmbedder
from paperclip_cli.towers.folder import resolve
from paperclip_cli.towers.numpy_text_tower import TextTower
from paperclip_cli.towers.tokenizer import ENDS, Tokenizer
from paperclip_cli.workspace import Workspace
from tests.benchmarks.crossvalidate import PERCENT, deal, measured, searched

OTHER_SKY = 1_000_000  # added to the seed for the sky of the base
BASE, BASE_STEPS = "base", 1_000
HEAD_STEPS = 1_000
VIEWS = ("centre", "whole", "tiles")


@dataclass(frozen=True)
class Mode:
    """A row of the table: its changes to the training, its start and its captions."""

    changes: dict = field(default_factory=dict)
    from_base: bool = False
    summaries: bool = False


MODES = {
    "full": Mode(),
    "sigmoid": Mode({"loss": "sigmoid"}),
    "multi-positive": Mode({"multi_positive": True}),
    "unique-proposals": Mode({"unique_proposals": True}),
    "summaries": Mode(summaries=True),
    "head": Mode({"train": "head", "steps": HEAD_STEPS, "learning_rate": 1e-3}, from_base=True),
    "base-full": Mode(
        {"steps": TINY_PRESET.steps, "learning_rate": TINY_PRESET.learning_rate}, from_base=True
    ),
    "shuffled": Mode({"shuffle_pairs": True}),
}


def main() -> None:
    options = parser().parse_args()
    malloc.keep_freed_pages()  # as the commands do
    with tempfile.TemporaryDirectory() as folder:
        workspace = Workspace(Path(options.work or folder), offline=True)
        captions = {wanted: read(workspace, options, wanted) for wanted in (False, True)}
        if any(MODES[name].from_base for name in options.only) and options.base is None:
            train_base(workspace, options)

        print_head(captions[False], options.folds)
        for name in options.only:
            pairs = captions[MODES[name].summaries]
            for view in options.views if name == "full" else options.views[:1]:
                print(row(name, view, pairs, workspace, options), flush=True)


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    source = made.add_mutually_exclusive_group(required=True)
    source.add_argument("--simulate", type=int, help="proposals of a simulated sky")
    source.add_argument(
        "--from",
        dest="source",
        type=Path,
        help="an archive on disk, as for `paperclip fetch --from`",
    )
    made.add_argument("--folds", type=int, default=5)
    made.add_argument("--views", nargs="+", choices=VIEWS, default=list(VIEWS))
    made.add_argument("--only", nargs="+", choices=tuple(MODES), default=list(MODES))
    made.add_argument("--steps", type=int, help="steps of every training (default: its preset)")
    made.add_argument("--base", help="a trained model for the heads")
    made.add_argument("--seed", type=int, default=42)
    made.add_argument("--work", help="keep the results in this folder, and reuse them")
    return made


def print_head(pairs: Sequence[Pair], folds: int) -> None:
    proposals = len({pair.key for pair in pairs})
    chance = PERCENT / 100
    print(f"{len(pairs)} images of {proposals} proposals, {folds} folds; chance {chance:.2f}\n")
    print("| training | view | by image | 95 % | by proposal | 95 % | s per fold |", flush=True)
    print("|---|---|---|---|---|---|---|", flush=True)


def read(workspace: Workspace, options: argparse.Namespace, summaries: bool) -> list[Pair]:
    """All pairs, with abstracts or with summaries as captions."""
    fetch.run(
        FetchConfig(source=options.source, simulate=options.simulate, seed=options.seed), workspace
    )
    summarize.run(SummarizeConfig(), workspace)

    name = "summaries" if summaries else "abstracts"
    build_dataset.run(
        BuildDatasetConfig(
            val_fraction=0,
            test_fraction=0,
            name=name,
            captions="summary" if summaries else "abstract",
            missions=(MISSION if options.simulate else "local",),
        ),
        workspace,
    )
    return read_split(workspace.dataset(name), "train")


def train_base(workspace: Workspace, options: argparse.Namespace) -> None:
    """Train a model in full on another sky."""
    other = Workspace(workspace.root / "other-sky", offline=True)
    fetch.run(FetchConfig(simulate=options.simulate or 400, seed=options.seed + OTHER_SKY), other)
    build_dataset.run(BuildDatasetConfig(val_fraction=0, test_fraction=0), other)
    config = TrainConfig(
        init="scratch:tiny", dataset=str(other.dataset("default")), name=BASE, steps=BASE_STEPS
    )
    train.run(config, workspace, bars.PlainProgress())


def row(
    name: str, view: str, pairs: Sequence[Pair], workspace: Workspace, options: argparse.Namespace
) -> str:
    """One line of the table."""
    mode, start = MODES[name], time.monotonic()
    init = (options.base or BASE) if mode.from_base else "scratch:tiny"
    config = replace(
        training(init, options),
        view="centre" if view == "tiles" else view,
        **mode.changes | ({"steps": options.steps} if options.steps else {}),
    )

    measure = by_tiles if view == "tiles" else measured
    folds = [
        measure(pairs, held, f"{name}-{config.view}-{number}", workspace, config)
        for number, held in enumerate(deal(pairs, options.folds, options.seed))
    ]
    seconds = (time.monotonic() - start) / options.folds
    by_image, by_proposal = (interval(values) for values in zip(*folds, strict=True))
    return f"| {name} | {view} | {by_image} | {by_proposal} | {seconds:.0f} |"


def by_tiles(
    pairs: Sequence[Pair], held: np.ndarray, name: str, workspace: Workspace, config: TrainConfig
) -> tuple[float, float]:
    """Accuracy as by `measured`, with the best of an image's tiles instead of its centre.

    A model of that name is reused if there is one.
    """
    if not workspace.model(name).is_dir():
        measured(pairs, held, name, workspace, config)
    model = resolve(name, workspace)
    inside = [pair for pair, is_held in zip(pairs, held, strict=True) if is_held]

    tiles = np.stack([tile_views(decode_jpeg(pair.image), model.view) for pair in inside])
    flat = ImageEmbedder(model, 64).embed(tiles.reshape(-1, *tiles.shape[2:]))
    vectors = flat.reshape(*tiles.shape[:2], -1)

    longest = model.config.text.max_position_embeddings - ENDS
    split, _ = held_out(texts_of(inside), Tokenizer.load(model).encode, longest)
    best = (vectors @ TextTower.open(model).embed(split.texts).T).max(axis=1)
    # The products of these "embeddings" are the best tiles' similarities.
    return searched(split.embeddings(best, np.eye(best.shape[1], dtype=np.float32)))


def training(init: str, options: argparse.Namespace) -> TrainConfig:
    """The settings of `scratch:tiny`, also for a training that starts from a trained model."""
    names = (
        "batch_size weight_decay schedule caption_runs ema_decay keep eval_every warmup_steps "
        "optimiser"
    ).split()
    same = {name: getattr(TINY_PRESET, name) for name in names}
    return TrainConfig(init=init, seed=options.seed, log_every=10_000, **same)  # type: ignore[arg-type]


def interval(values: Sequence[float]) -> str:
    """Mean and 95 % interval, as `mean | low - high`."""
    mean, error = np.mean(values), 1.96 * np.std(values, ddof=1) / np.sqrt(len(values))
    return f"{mean:.3f} | {mean - error:.3f} - {mean + error:.3f}"


if __name__ == "__main__":
    main()
