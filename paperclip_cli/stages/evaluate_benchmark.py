"""Measures how far models agree with people on the similarity of a benchmark's images."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice

import numpy as np

from paperclip_cli.config import BenchmarkConfig
from paperclip_cli.errors import BadItem, PaperclipError
from paperclip_cli.evaluation import hisp
from paperclip_cli.evaluation.agreement import Agreement, agreement, distances
from paperclip_cli.evaluation.hisp import Compared, Cutout
from paperclip_cli.evaluation.seeds import SeedResult, same_model, spread
from paperclip_cli.evaluation.table import ALL, BASELINE, MODEL
from paperclip_cli.files import expanded
from paperclip_cli.images.pictures import quiet_decoders
from paperclip_cli.images.view import View
from paperclip_cli.indexes.reader import image_view
from paperclip_cli.progress import Progress, SilentProgress
from paperclip_cli.report import Failure, Report
from paperclip_cli.towers.embedder import ImageEmbedder
from paperclip_cli.towers.folder import ModelFolder, resolve
from paperclip_cli.wording import counted
from paperclip_cli.workspace import Workspace

STAGE = "evaluate"


@dataclass(frozen=True)
class Row:
    """A model and its agreement with people."""

    name: str
    role: str
    agreement: Agreement


@dataclass(frozen=True, kw_only=True)
class Benchmarked:
    """The rows of all models on the same `images`, beside which `missing` could not be read.

    `seeds` are means and spreads over models that differ in the seed alone.
    """

    kind: str
    rows: tuple[Row, ...]
    images: int
    missing: int
    report: Report
    seeds: tuple[SeedResult, ...] = ()


def run(
    config: BenchmarkConfig, workspace: Workspace, progress: Progress | None = None
) -> Benchmarked:
    """Embeds the images of a benchmark, and compares their distances with those that people see.

    Raises:
        PaperclipError: there is no such model, or the folder does not hold the benchmark.
    """
    progress = progress or SilentProgress()
    models = [(MODEL, resolve(name, workspace)) for name in (config.model, *config.others)]
    models += [(BASELINE, resolve(config.baseline, workspace))] if config.baseline else []
    compared = hisp.read(expanded(config.folder))

    embedded = [_embedded(model, compared, config.batch_size, progress) for _, model in models]
    bad = embedded[0][1]  # whether an image can be read does not depend on the model
    some = np.asarray([name not in bad for name in compared.names])
    if np.count_nonzero(some) < hisp.LEAST:
        name, reason = next(iter(bad.items()))
        raise PaperclipError(f"{name}: {reason}", "download the images again")

    theirs = compared.distance[np.ix_(some, some)]
    rows = [
        Row(model.name, role, agreement(distances(vectors), theirs))
        for (role, model), (vectors, _) in zip(models, embedded, strict=True)
    ]
    absent = dict.fromkeys(compared.missing, "there is no image of that name")
    failures = [Failure(name, reason) for name, reason in {**bad, **absent}.items()]
    images, pairs = int(np.count_nonzero(some)), rows[0].agreement.pairs
    source = f"the distances that people see are those of {hisp.CITATION}"
    report = Report(
        stage=STAGE,
        counts={"images": images, "pairs": pairs},
        failures=tuple(failures),
        notes=(source, *_left_out(images, pairs)),
    )
    return Benchmarked(
        kind=config.kind,
        rows=tuple(rows),
        images=images,
        missing=len(failures),
        report=report,
        seeds=_over_seeds(rows, [model for role, model in models if role == MODEL], config.kind),
    )


def _over_seeds(
    rows: Sequence[Row], models: Sequence[ModelFolder], kind: str
) -> tuple[SeedResult, ...]:
    found = {row.name: row.agreement for row in rows}
    groups = same_model([model.name for model in models], [model.card for model in models])
    return tuple(
        SeedResult(
            names,
            kind,
            ALL,
            {
                "rank_correlation": spread([found[name].correlation for name in names]),
                "rank_correlation_by_image": spread([found[name].by_image for name in names]),
            },
        )
        for names in groups
    )


def _left_out(images: int, pairs: int) -> list[str]:
    unknown = images * (images - 1) // 2 - pairs
    return [f"{counted(unknown, 'pairs')} without a distance left out"] if unknown else []


def _embedded(
    model: ModelFolder, compared: Compared, batch_size: int, progress: Progress
) -> tuple[np.ndarray, dict[str, str]]:
    """The embeddings of the images that can be read, in order, and why the others cannot."""
    embedder = ImageEmbedder(model, batch_size)
    vectors = [np.zeros((0, model.config.projection_dim), np.float32)]
    bad: dict[str, str] = {}
    with (
        quiet_decoders(),
        progress.task(f"embed with {model.name}", len(compared.names), "images") as task,
    ):
        views = iter(_views(compared.cutouts, model.view, batch_size))
        names = iter(compared.names)
        while some := list(islice(views, batch_size)):
            read = [view for view in some if not isinstance(view, BadItem)]
            bad |= {
                name: str(view)
                for view, name in zip(some, names, strict=False)
                if isinstance(view, BadItem)
            }
            if read:
                vectors.append(embedder.embed(np.stack(read)))
            task.advance(len(some))
    return np.concatenate(vectors), bad


def _views(cutouts: Sequence[Cutout], view: View, at_once: int) -> Iterator[np.ndarray | BadItem]:
    """What a model sees of each image, uint8 [S, S, 3], or why it cannot be read."""

    def seen(one: Cutout) -> np.ndarray | BadItem:
        try:
            return image_view(one.picture(), view)
        except BadItem as error:
            return error

    with ThreadPoolExecutor() as pool:
        for first in range(0, len(cutouts), at_once):
            yield from pool.map(seen, cutouts[first : first + at_once])
