"""How well models find texts by images, and images by texts, on held-out pairs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from paperclip_cli.config import EvaluateConfig
from paperclip_cli.data import looks
from paperclip_cli.data.pairs import Pair, available_splits, find_dataset, read_split
from paperclip_cli.data.results import BASELINE, MODEL, Contestant, Result, Seen, results
from paperclip_cli.data.retrieval import DIRECTIONS, PAPER_BATCH, Embeddings
from paperclip_cli.data.split import TEST, TRAIN, VALIDATION
from paperclip_cli.errors import PaperclipError
from paperclip_cli.model.devices import remember_compilations
from paperclip_cli.model.embedded import embed_pairs
from paperclip_cli.model.folder import WEIGHTS, ModelFolder, resolve
from paperclip_cli.model.tensors import TensorFile
from paperclip_cli.progress import Progress, SilentProgress
from paperclip_cli.report import Report
from paperclip_cli.workspace import Workspace

STAGE = "evaluate"
MAX_SCALE = 100.0
_SEED = 0  # of the crops and captions of `paper-batch`


@dataclass(frozen=True)
class Evaluation:
    """The table, whose first row is the first model's on all images, and on which splits it was measured."""

    rows: tuple[Result, ...]
    splits: tuple[str, ...]
    report: Report

    @property
    def result(self) -> Result:
        return self.rows[0]


def run(config: EvaluateConfig, workspace: Workspace, progress: Progress | None = None) -> Evaluation:
    """Embeds a split with the models and measures retrieval. MissingStage without a dataset, an error without a model."""
    progress = progress or SilentProgress()
    dataset = find_dataset(config.dataset, workspace)
    splits = _splits(config.split, dataset)
    remember_compilations(workspace.root / "jax")
    models = [(MODEL, resolve(name, workspace)) for name in (config.model, *config.others)]
    models += [(BASELINE, resolve(config.baseline, workspace))] if config.baseline else []
    pairs = [pair for split in splits for pair in read_split(dataset, split, images=False)]
    seen = Seen(pairs)
    contestants = [_contestant(role, model, config, dataset, splits, pairs, progress) for role, model in models]
    directions = [direction for direction in DIRECTIONS if config.direction in (direction, "both")]
    rows = [row for contestant in contestants for row in results(contestant, seen, config.protocol, directions)]
    counts = {"images": rows[0].n_images, "captions": rows[0].n_captions, "proposals": rows[0].n_proposals}
    notes = (f"on the {' and the '.join(splits)} split of {dataset}", str(seen), *_warnings(contestants))
    return Evaluation(tuple(rows), splits, Report(STAGE, counts, notes=notes))


def _splits(wanted: str | None, dataset: Path) -> tuple[str, ...]:
    """The splits to be measured: those asked for, else test, else validation."""
    present = available_splits(dataset)
    if wanted == "all":
        return tuple(present)
    chosen = wanted or next((split for split in (TEST, VALIDATION) if split in present), None)
    if chosen is None:
        raise PaperclipError(f"the dataset {dataset} has a training split only", "build one with --test-fraction, or give --split all")
    if chosen not in present:
        raise PaperclipError(f"the dataset {dataset} has no {chosen} split", f"it has {' and '.join(present)}")
    return (chosen,)


def _contestant(role: str, model: ModelFolder, config: EvaluateConfig, dataset: Path, splits: Sequence[str], pairs: Sequence[Pair],
                progress: Progress) -> Contestant:
    trained = set(model.card.get("data", {}).get("splits", {}).get(TRAIN, ()))
    return Contestant(model.name, role, embed(model, config, dataset, splits, pairs, progress),
                      np.asarray([str(pair.key) in trained for pair in pairs], bool), _scale(model), has_paper_loss=_has_raw_scale(model))


def embed(model: ModelFolder, config: EvaluateConfig, dataset: Path, splits: Sequence[str], pairs: Sequence[Pair],
          progress: Progress) -> Embeddings:
    """The embeddings that a protocol asks for: `paper-batch` augments images and captions as training does."""
    if config.protocol == PAPER_BATCH:
        return embed_pairs(model, dataset, splits, pairs, config.batch_size, progress, looks.augmented, _SEED)
    return embed_pairs(model, dataset, splits, pairs, config.batch_size, progress)


def _scale(model: ModelFolder) -> float:
    """What the model multiplies similarities with (`model.contrastive.similarity_scale`)."""
    scale = float(TensorFile(model.path / WEIGHTS).read("logit_scale", ()))
    return scale if _has_raw_scale(model) else min(math.exp(scale), MAX_SCALE)


def _has_raw_scale(model: ModelFolder) -> bool:
    """Whether it was trained as in the paper's code, which multiplies with the parameter itself."""
    return model.card.get("training", {}).get("logit_scale") == "reference"


def _warnings(contestants: Sequence[Contestant]) -> list[str]:
    counts = [(contestant.name, int(np.count_nonzero(contestant.trained_on)), len(contestant.trained_on)) for contestant in contestants]
    return [f"{name} was trained on the proposals of {trained:,} of these {total:,} images" for name, trained, total in counts if trained]
