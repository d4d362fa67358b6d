"""How well a model finds texts by images, and images by texts, on held-out pairs."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

import numpy as np

from paperclip_cli.config import EvaluateConfig
from paperclip_cli.data import retrieval
from paperclip_cli.data.batches import look_ahead
from paperclip_cli.data.heldout import held_out
from paperclip_cli.data.images import centre_view, decode_jpeg
from paperclip_cli.data.pairs import Pair, available_splits, count_rows, find_dataset, stream_split
from paperclip_cli.data.retrieval import Accuracy, Embeddings
from paperclip_cli.data.split import TEST, TRAIN, VALIDATION
from paperclip_cli.data.view import View
from paperclip_cli.errors import BadItem, PaperclipError
from paperclip_cli.model.devices import remember_compilations
from paperclip_cli.model.embed import ImageEmbedder
from paperclip_cli.model.folder import WEIGHTS, ModelFolder, resolve
from paperclip_cli.model.tensors import TensorFile
from paperclip_cli.model.text_tower import TextTower
from paperclip_cli.model.tokenizer import ENDS, Tokenizer
from paperclip_cli.progress import Progress, SilentProgress
from paperclip_cli.report import Report
from paperclip_cli.workspace import Workspace

STAGE = "evaluate"
MAX_SCALE = 100.0
_DECODED_AT_A_TIME = 256


@dataclass(frozen=True)
class Result:
    """What one model reaches. `trained_on` counts the images whose proposal it was trained on: a score on those says little.

    `loss` is symmetric InfoNCE over batches of 100 (`retrieval.loss`); `similarity` is that of true and of shuffled pairs (NaN where there
    is one caption only).
    """

    model: str
    splits: tuple[str, ...]
    protocol: str
    direction: str
    n_images: int
    n_captions: int
    n_proposals: int
    trained_on: int
    loss: float
    accuracy: Accuracy
    similarity: tuple[float, float]


@dataclass(frozen=True)
class Evaluation:
    """The model's result, and the baseline's if one was asked for."""

    result: Result
    baseline: Result | None
    report: Report


def run(config: EvaluateConfig, workspace: Workspace, progress: Progress | None = None) -> Evaluation:
    """Embeds a split with a model (and a baseline) and measures retrieval. MissingStage without a dataset, an error without a model."""
    progress = progress or SilentProgress()
    dataset = find_dataset(config.dataset, workspace)
    splits = _splits(config.split, dataset)
    remember_compilations(workspace.root / "jax")
    models = [resolve(name, workspace) for name in (config.model, *([config.baseline] if config.baseline else []))]
    results = [_measure(model, config, dataset, splits, progress) for model in models]
    report = Report(STAGE, {"images": results[0].n_images, "captions": results[0].n_captions, "proposals": results[0].n_proposals},
                    notes=(f"on the {' and the '.join(splits)} split of {dataset}", *_warnings(results)))
    return Evaluation(results[0], results[1] if config.baseline else None, report)


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


def _measure(model: ModelFolder, config: EvaluateConfig, dataset: Path, splits: Sequence[str], progress: Progress) -> Result:
    found, pairs = embed(model, config.batch_size, dataset, splits, progress)
    total = retrieval.candidates(found, config.direction)
    accuracy = retrieval.accuracy(retrieval.ranks(found, config.direction), found.proposal, total)
    trained = set(model.card.get("data", {}).get("splits", {}).get(TRAIN, ()))
    return Result(
        model=model.name, splits=tuple(splits), protocol=config.protocol, direction=config.direction,
        n_images=len(pairs), n_captions=len(found.texts), n_proposals=len({pair.key for pair in pairs}),
        trained_on=sum(str(pair.key) in trained for pair in pairs),
        loss=retrieval.loss(found, _scale(model)), accuracy=accuracy, similarity=retrieval.similarity(found))


def embed(model: ModelFolder, batch_size: int, dataset: Path, splits: Sequence[str], progress: Progress) -> tuple[Embeddings, list[Pair]]:
    """Embeddings of all pairs, and the pairs without their images: those pass through memory a few at a time."""
    embedder = ImageEmbedder(model, batch_size)
    vectors, pairs = [], []
    total = sum(count_rows(dataset, split) for split in splits)
    with (progress.task(f"embed with {model.name}", total, "images") as task,
          closing(look_ahead(_views(dataset, splits, model.view))) as groups):
        for some, views in groups:
            for first in range(0, len(some), batch_size):
                vectors.append(embedder.embed(views[first:first + batch_size]))
                task.advance(len(vectors[-1]))
            pairs += some
    tokenizer = Tokenizer.load(model)
    split = held_out(pairs, tokenizer.count, _caption_length(model) - ENDS)
    return split.embeddings(np.concatenate(vectors), TextTower.open(model).embed(split.texts)), pairs


def _views(dataset: Path, splits: Sequence[str], view: View) -> Iterator[tuple[list[Pair], np.ndarray]]:
    """Some pairs, without their images, and their views uint8 [n,S,S,3], until the splits are through."""
    pairs = (pair for split in splits for pair in stream_split(dataset, split))
    with ThreadPoolExecutor() as pool:
        while some := list(islice(pairs, _DECODED_AT_A_TIME)):
            views = np.stack(list(pool.map(lambda pair: _view(pair, view), some)))
            yield [replace(pair, image=b"") for pair in some], views


def _view(pair: Pair, view: View) -> np.ndarray:
    try:
        return centre_view(decode_jpeg(pair.image), view)
    except BadItem as error:
        raise PaperclipError(f"image {pair.path or pair.key} of the dataset: {error}", "run `paperclip build-dataset --force`") from error


def _caption_length(model: ModelFolder) -> int:
    """In tokens: that of training, else all that the text encoder takes."""
    return model.card.get("training", {}).get("caption_tokens") or model.config.text.max_position_embeddings


def _scale(model: ModelFolder) -> float:
    """What the model multiplies similarities with (`model.contrastive.similarity_scale`)."""
    return min(math.exp(float(TensorFile(model.path / WEIGHTS).read("logit_scale", ()))), MAX_SCALE)


def _warnings(results: Sequence[Result]) -> list[str]:
    return [f"{result.model} was trained on the proposals of {result.trained_on:,} of these {result.n_images:,} images"
            for result in results if result.trained_on]
