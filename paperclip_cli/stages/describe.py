"""Describes images with phrases."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby, islice
from operator import itemgetter

import numpy as np

from paperclip_cli.config import DescribeConfig
from paperclip_cli.dataset.labels import read_labels
from paperclip_cli.dataset.phrases import PAPER_PHRASES
from paperclip_cli.errors import MissingStage, PaperclipError, UsageError
from paperclip_cli.files import expanded
from paperclip_cli.images.find import find_images
from paperclip_cli.images.pictures import quiet_decoders
from paperclip_cli.images.reading import Reading
from paperclip_cli.images.view import View
from paperclip_cli.indexes.reader import Candidate, Prepared, read_ahead
from paperclip_cli.indexes.vectors import best
from paperclip_cli.previews.records import read_previews
from paperclip_cli.progress import Progress, SilentProgress
from paperclip_cli.records import Key
from paperclip_cli.report import Failure, Report
from paperclip_cli.towers.embedder import ImageEmbedder
from paperclip_cli.towers.folder import resolve
from paperclip_cli.towers.prompts import embed_phrases
from paperclip_cli.workspace import Workspace

STAGE = "describe"
_BATCH = 16
_KEY = re.compile(r"[A-Za-z0-9][\w.-]*:\d+")


@dataclass(frozen=True)
class Description:
    """The labels of an image with their cosines, best first."""

    image: str
    labels: tuple[tuple[str, float], ...]


@dataclass(frozen=True)
class Descriptions:
    """The descriptions of all readable images, in the order given."""

    items: tuple[Description, ...]
    report: Report


def run(
    config: DescribeConfig,
    workspace: Workspace,
    progress: Progress | None = None,
    tell: Callable[[Description], None] = lambda _: None,
) -> Descriptions:
    """Describes images with the labels that match them best.

    Images are files, folders (with `batch`), or the cached previews of a proposal such as
    `hst:15354`. `tell` is called with each description as soon as its batch is done.

    Raises:
        PaperclipError: no image can be read, or the labels cannot be read.
        MissingStage: there is no model.
    """
    phrases = read_labels(config.labels) if config.labels else PAPER_PHRASES
    model = resolve(config.model, workspace)
    candidates = [
        candidate
        for name in config.images
        for candidate in _candidates(name, config.batch, workspace)
    ]
    if not candidates:
        raise PaperclipError(
            f"there is no image in {', '.join(config.images) or 'the list'}",
            "give JPEG, PNG, TIFF or FITS files",
        )

    views = [
        model.view_of(each.key is not None or workspace.is_preview(each.path))
        for each in candidates
    ]
    texts = embed_phrases(phrases, config.templates, model, workspace)
    reading = Reading(hdu=config.hdu, stretch=config.stretch)
    items: list[Description] = []
    failures: list[Failure] = []
    tower = None
    with (
        quiet_decoders(),
        (progress or SilentProgress()).task(STAGE, total=len(candidates), unit="images") as task,
    ):
        prepared = _prepared(candidates, views, reading)
        while batch := list(islice(prepared, _BATCH)):
            readable = [
                (str(done.candidate.path), done.views) for done in batch if done.views is not None
            ]
            failures += [
                Failure(done.candidate.stored, done.reason) for done in batch if done.views is None
            ]
            if readable:
                tower = tower or ImageEmbedder(model, min(_BATCH, len(candidates)))
                vectors = tower.embed(np.concatenate([views for _, views in readable]))
                for (path, _), vector in zip(readable, vectors, strict=True):
                    items.append(Description(path, _best_labels(phrases, texts @ vector, config.k)))
                    tell(items[-1])
            task.advance(len(batch))

    if not items:
        raise PaperclipError(
            f"{failures[0].item}: {failures[0].reason}", "give JPEG, PNG, TIFF or FITS files"
        )
    seen = [] if model.has_view else dict.fromkeys(map(str, views))
    report = Report(
        stage=STAGE,
        counts={"images": len(items)},
        failures=tuple(failures),
        notes=tuple(f"{model.name} sees {part}" for part in seen),
    )
    return Descriptions(tuple(items), report)


def _prepared(
    candidates: Sequence[Candidate], views: Sequence[View], reading: Reading
) -> Iterator[Prepared]:
    """The candidates in order, each prepared with its view."""
    for view, group in groupby(zip(views, candidates, strict=True), key=itemgetter(0)):
        yield from read_ahead([candidate for _, candidate in group], (), view, reading)


def _candidates(name: str, takes_folders: bool, workspace: Workspace) -> list[Candidate]:
    """A file, the images of a folder, or the previews of a proposal if no file has that name."""
    path = expanded(name)
    if path.is_dir():
        if not takes_folders:
            raise UsageError(f"{name} is a folder", "add --batch, or give the files in it")
        images = find_images([path.absolute()])
        return [Candidate(path=image, stored=str(image)) for image in images]
    if path.exists() or not _KEY.fullmatch(name):
        return [Candidate(path=path.absolute(), stored=name)]

    key = Key.parse(name)
    fetched = read_previews(workspace, [key.mission])
    previews = [preview for preview in fetched if preview.key == key]
    if not previews:
        raise MissingStage(
            f"no image of {key} was fetched",
            f"paperclip fetch --mission {key.mission} --proposal {key.proposal_id}",
        )
    return [
        Candidate(
            path=workspace.previews(key.mission) / preview.image,
            stored=f"{key} {preview.image}",
            key=key,
        )
        for preview in previews
    ]


def _best_labels(
    labels: Sequence[str], cosines: np.ndarray, k: int
) -> tuple[tuple[str, float], ...]:
    return tuple((labels[place], float(cosines[place])) for place in best(cosines, k))
