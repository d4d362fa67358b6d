"""One function a stage, with the options and defaults of its command.

Each returns the stage's report or result, raises `PaperclipError`, and prints nothing. Three
arguments belong to all of them:

- `cache` is the cache directory; None is that of the command line (`PAPERCLIP_CACHE_DIR`, else the
  platform's).
- `offline` never uses the network, and fails at once if a file is missing.
- `progress` is True for bars on stderr, or an object with the methods of `progress.Progress`.

They leave the process as it is. What the commands set up for speed, a program may set up itself:
`malloc.keep_freed_pages()` before it computes, JAX_COMPILATION_CACHE_DIR before it imports JAX, and
OMP_WAIT_POLICY=passive before llama.cpp is used.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Unpack

from paperclip_cli.api.arguments import Shown, shown, workspace
from paperclip_cli.api.options import (
    BenchmarkOptions,
    BuildDatasetOptions,
    BundleOptions,
    DescribeOptions,
    EvaluateOptions,
    FetchOptions,
    GetOptions,
    IndexOptions,
    PathLike,
    Paths,
    PublishOptions,
    PullOptions,
    SetOptions,
    SummarizeOptions,
    TrainOptions,
)
from paperclip_cli.api.placed import placed
from paperclip_cli.api.signatures import with_options
from paperclip_cli.config import (
    BenchmarkConfig,
    BuildDatasetConfig,
    BundleConfig,
    CiteConfig,
    DescribeConfig,
    DoctorConfig,
    EvaluateConfig,
    FetchConfig,
    GetConfig,
    IndexConfig,
    MergeConfig,
    PublishConfig,
    PullConfig,
    SummarizeConfig,
    TrainConfig,
    configure,
)
from paperclip_cli.config.choices import Artefact, Benchmark
from paperclip_cli.report import Check, Report

if TYPE_CHECKING:
    from paperclip_cli.stages.describe import Descriptions
    from paperclip_cli.stages.evaluate import Evaluation
    from paperclip_cli.stages.evaluate_benchmark import Benchmarked
    from paperclip_cli.stages.get import Got


@with_options(FetchConfig, FetchOptions)
def fetch(
    *,
    cache: PathLike | None = None,
    offline: bool = False,
    progress: Shown = None,
    **options: Unpack[FetchOptions],
) -> Report:
    """Fetches proposals and previews into the cache, as `paperclip fetch`.

    They come from MAST, from a folder (`source=`), or from a simulated sky (`simulate=`). From
    MAST, some option has to select proposals, or `all=True`.

        fetch(proposal=[15354, 12577])
        fetch(instrument="ACS/WFC", near="M 51", radius="10arcmin", limit=20)
    """
    from paperclip_cli.stages import fetch as stage

    here = workspace(cache, offline)
    return stage.run(configure(FetchConfig, **placed(options, here)), here, shown(progress))


@with_options(SummarizeConfig, SummarizeOptions)
def summarize(
    *,
    cache: PathLike | None = None,
    offline: bool = False,
    progress: Shown = None,
    **options: Unpack[SummarizeOptions],
) -> Report:
    """Summarizes each proposal, as `paperclip summarize`.

    An interrupted run continues where it stopped: call the function again.
    """
    from paperclip_cli.stages import summarize as stage

    config = configure(SummarizeConfig, **options)
    return stage.run(config, workspace(cache, offline), shown(progress))


@with_options(SummarizeConfig, SetOptions)
def export_summaries(
    path: PathLike, *, cache: PathLike | None = None, **options: Unpack[SetOptions]
) -> Report:
    """Writes a set of summaries to a CSV file, as `paperclip summarize --export`."""
    from paperclip_cli.config.given import path as path_of
    from paperclip_cli.stages import summarize_export as stage

    config = configure(SummarizeConfig, **options)
    return stage.run(config, workspace(cache), path_of(path, "--export"))


@with_options(SummarizeConfig, SetOptions)
def import_summaries(
    path: PathLike, *, cache: PathLike | None = None, **options: Unpack[SetOptions]
) -> Report:
    """Reads a set of summaries from a CSV file, as `paperclip summarize --import`."""
    from paperclip_cli.config.given import path as path_of
    from paperclip_cli.stages import summarize_import as stage

    config = configure(SummarizeConfig, **options)
    return stage.run(config, workspace(cache), path_of(path, "--import"))


@with_options(BuildDatasetConfig, BuildDatasetOptions)
def build_dataset(
    *, cache: PathLike | None = None, progress: Shown = None, **options: Unpack[BuildDatasetOptions]
) -> Report:
    """Builds a dataset of image-text pairs, split by proposal, as `paperclip build-dataset`."""
    from paperclip_cli.stages import build_dataset as stage

    config = configure(BuildDatasetConfig, **options)
    return stage.run(config, workspace(cache), shown(progress))


@with_options(TrainConfig, TrainOptions)
def train(
    *,
    cache: PathLike | None = None,
    offline: bool = False,
    progress: Shown = None,
    **options: Unpack[TrainOptions],
) -> Report:
    """Trains a CLIP model on a dataset, as `paperclip train`.

    Ctrl-C raises KeyboardInterrupt at once, and the same call continues from the last state that
    was saved: that of the last evaluation, or ten minutes ago at most. (The command saves the
    state when it is interrupted. This function may not, because it installs no signal handler.)

    For several processes, initialise `jax.distributed` before the call, in each of them. The
    function returns an empty report in all but the first.
    """
    from paperclip_cli.stages import train as stage

    config = configure(TrainConfig, **options)
    return stage.run(config, workspace(cache, offline), shown(progress))


@with_options(EvaluateConfig, EvaluateOptions)
def evaluate(
    *,
    cache: PathLike | None = None,
    offline: bool = False,
    progress: Shown = None,
    **options: Unpack[EvaluateOptions],
) -> Evaluation:
    """Measures retrieval accuracy on held-out pairs, as `paperclip evaluate`.

    `.result` has the scores of the first model, `.rows` all rows of the table, and `.report` the
    report.
    """
    from paperclip_cli.stages import evaluate as stage

    config = configure(EvaluateConfig, **options)
    if not config.plots:
        return stage.run(config, workspace(cache, offline), shown(progress))

    from paperclip_cli.config.given import path as path_of
    from paperclip_cli.output import plots

    place = path_of(options["plots"], "--plots")
    plots.require_matplotlib()
    done = stage.run(config, workspace(cache, offline), shown(progress))
    if done.figures is not None:
        plots.draw(done.figures, place)
    return done


@with_options(BenchmarkConfig, BenchmarkOptions)
def benchmark(
    kind: Benchmark,
    folder: PathLike,
    *,
    cache: PathLike | None = None,
    offline: bool = False,
    progress: Shown = None,
    **options: Unpack[BenchmarkOptions],
) -> Benchmarked:
    """Measures models on a benchmark of others, as `paperclip evaluate --benchmark KIND FOLDER`.

    `.rows` has the agreement of each model with people, and `.report` the report.
    """
    from paperclip_cli.stages import evaluate_benchmark as stage

    config = configure(BenchmarkConfig, kind=kind, folder=folder, **options)
    return stage.run(config, workspace(cache, offline), shown(progress))


@with_options(IndexConfig, IndexOptions)
def index(
    paths: Paths | None = None,
    *,
    cache: PathLike | None = None,
    offline: bool = False,
    progress: Shown = None,
    **options: Unpack[IndexOptions],
) -> Report:
    """Embeds new and changed images, so that they can be searched, as `paperclip index`.

    `paths` are images or folders of images; without any, the cached previews.
    """
    from paperclip_cli.stages import index as stage

    config = configure(IndexConfig, paths=paths, **options)
    return stage.run(config, workspace(cache, offline), shown(progress))


def index_status(
    paths: Paths | None = None, *, index: str = IndexConfig.name, cache: PathLike | None = None
) -> dict[str, Any]:
    """What an index holds, and how much has changed since, as `paperclip index --status`."""
    from paperclip_cli.stages import index_status as stage

    return stage.run(configure(IndexConfig, paths=paths, index=index), workspace(cache))


def export_index(
    path: PathLike,
    *,
    index: str = IndexConfig.name,
    cache: PathLike | None = None,
    progress: Shown = None,
) -> Report:
    """Writes an index to one file, with thumbnails and its text tower (`index --export`)."""
    from paperclip_cli.stages import index_export as stage

    config = configure(BundleConfig, place=path, index=index)
    return stage.run(config, workspace(cache), shown(progress))


@with_options(BundleConfig, BundleOptions, index=IndexConfig.name)
def import_index(
    place: PathLike,
    *,
    cache: PathLike | None = None,
    offline: bool = False,
    progress: Shown = None,
    **options: Unpack[BundleOptions],
) -> Report:
    """Creates an index from a file that was exported, or from its URL (`index --import`)."""
    from paperclip_cli.stages import index_import as stage

    config = configure(BundleConfig, place=place, **options)
    return stage.run(config, workspace(cache, offline), shown(progress))


def merge_indexes(
    indexes: str | Iterable[str],
    *,
    index: str = MergeConfig.name,
    force: bool = False,
    cache: PathLike | None = None,
) -> Report:
    """Makes one index of several of the same model (`index --merge`). Nothing is embedded again."""
    from paperclip_cli.stages import index_merge as stage

    config = configure(MergeConfig, merge=indexes, index=index, force=force)
    return stage.run(config, workspace(cache))


@with_options(DescribeConfig, DescribeOptions)
def describe(
    images: Paths,
    *,
    cache: PathLike | None = None,
    offline: bool = False,
    progress: Shown = None,
    **options: Unpack[DescribeOptions],
) -> Descriptions:
    """Describes images with phrases, as `paperclip describe`.

    `images` are files, or cached proposals such as `hst:15354`; with `batch=True`, also folders.
    `.items` has the labels of each image, best first, and `.report` the report.
    """
    from paperclip_cli.stages import describe as stage

    config = configure(DescribeConfig, images=images, **options)
    return stage.run(config, workspace(cache, offline), shown(progress))


@with_options(GetConfig, GetOptions)
def get(
    hits: Iterable[Any] | PathLike,
    *,
    cache: PathLike | None = None,
    offline: bool = False,
    progress: Shown = None,
    **options: Unpack[GetOptions],
) -> Got:
    """Downloads the science files behind hits, as `paperclip get`.

    `hits` are the hits of a query, or texts: proposals (`hst:15354`), observations of the archive,
    or the output file of `query --json`. `.files` has the paths, `.addresses` the URIs of what was
    missing, and `.report` the report.
    """
    from paperclip_cli.stages import get as stage

    config = configure(GetConfig, hits=hits, **options)
    return stage.run(config, workspace(cache, offline), shown(progress))


def cite(
    hits: Iterable[Any] | PathLike | None = None,
    *,
    index: str | None = None,
    bibtex: bool = False,
    cache: PathLike | None = None,
) -> str:
    """What to acknowledge in a paper, as `paperclip cite` prints it.

    Without `hits` (see `get`), all proposals of the index count, or else all that were fetched. A
    query that found nothing has no proposals.
    """
    from paperclip_cli.output import citations
    from paperclip_cli.stages import cite as stage

    debts = stage.run(configure(CiteConfig, hits=hits, index=index), workspace(cache))
    return (citations.bibtex if bibtex else citations.plain)(debts.programs, debts.model)


def doctor(
    *,
    verify: bool = False,
    cache: PathLike | None = None,
    offline: bool = False,
    progress: Shown = None,
) -> list[Check]:
    """Checks the installation and the cache, as `paperclip doctor`. It changes nothing."""
    from paperclip_cli.stages import doctor as stage

    config = configure(DoctorConfig, verify=verify)
    return list(stage.run(config, workspace(cache, offline), shown(progress)))


@with_options(PublishConfig, PublishOptions)
def publish(
    kind: Artefact,
    name: str,
    repository: str,
    *,
    cache: PathLike | None = None,
    progress: Shown = None,
    **options: Unpack[PublishOptions],
) -> Report:
    """Uploads a model, a dataset or an index to the Hugging Face Hub, as `paperclip publish`."""
    from paperclip_cli.stages import publish as stage

    config = configure(PublishConfig, kind=kind, name=name, repository=repository, **options)
    return stage.run(config, workspace(cache), shown(progress))


@with_options(PullConfig, PullOptions)
def pull(
    repository: str,
    *,
    cache: PathLike | None = None,
    offline: bool = False,
    progress: Shown = None,
    **options: Unpack[PullOptions],
) -> Report:
    """Fetches a model, an index or a dataset from the Hugging Face Hub, as `paperclip pull`.

    Nobody is asked: `dry_run=True` tells the size first.
    """
    from paperclip_cli.stages import pull as stage

    config = configure(PullConfig, repository=repository, **options)
    return stage.run(config, workspace(cache, offline), shown(progress))
