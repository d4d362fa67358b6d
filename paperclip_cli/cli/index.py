"""`paperclip index`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Optional

import typer

from paperclip_cli.cli.complete import fetched_missions, index_names, model_names
from paperclip_cli.cli.session import Format, HduOption, Session, StretchOption, form_of, session
from paperclip_cli.config import BundleConfig, IndexConfig, MergeConfig, configure
from paperclip_cli.config.choices import IndexView
from paperclip_cli.errors import ExitCode, UsageError

DEFAULTS = IndexConfig()


def index(
    paths: Annotated[
        Optional[list[Path]],
        typer.Argument(help="Images, or folders of images. [default: the cached previews]"),
    ] = None,
    model: Annotated[
        Optional[str],
        typer.Option(
            help="A trained model, a folder or a Hub name. [default: the index's, or the only one]",
            autocompletion=model_names,
        ),
    ] = None,
    name: Annotated[
        str,
        typer.Option(
            "--index",
            help="Name of the index, or its address: postgresql://host/db?table=NAME, "
            "milvus:///file.db.",
            autocompletion=index_names,
        ),
    ] = DEFAULTS.name,
    mission: Annotated[
        Optional[list[str]],
        typer.Option(
            help="Only the cached previews of these missions.", autocompletion=fetched_missions
        ),
    ] = None,
    view: Annotated[
        Optional[IndexView],
        typer.Option(
            help="Part of an image to embed: centre or whole of its padded frame; clip: the "
            "largest central square; tiles: several crops, of which the best counts. [default: as "
            "before, or the model's; a model not trained here has clip, except for previews]"
        ),
    ] = None,
    hdu: HduOption = None,
    stretch: StretchOption = None,
    batch_size: Annotated[
        int, typer.Option(help="Number of images embedded at once; halved when memory runs out.")
    ] = DEFAULTS.batch_size,
    hnsw: Annotated[
        bool,
        typer.Option(
            "--hnsw",
            help="Also build a graph of the vectors, which speeds up many queries at once.",
        ),
    ] = False,
    shard: Annotated[
        Optional[str],
        typer.Option(help="Only one of n parts of the images: i/n, with 0 <= i < n (--merge)."),
    ] = None,
    merge: Annotated[
        Optional[list[str]],
        typer.Option(
            help="Make the index the union of these, which are of one model: A,B.",
            autocompletion=index_names,
        ),
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Rebuild the index from these images only.")
    ] = False,
    export: Annotated[
        Optional[str],
        typer.Option(
            help="Write the index to this file, with thumbnails and its text tower; or copy it to "
            "this address in PostgreSQL or Milvus."
        ),
    ] = None,
    take_in: Annotated[
        Optional[str],
        typer.Option(
            "--import",
            help="Create the index from such a file, from its URL, or from an address in "
            "PostgreSQL or Milvus.",
        ),
    ] = None,
    status: Annotated[
        bool,
        typer.Option("--status", help="Print what the index holds, and what has changed since."),
    ] = False,
    watch: Annotated[
        bool,
        typer.Option(
            "--watch", help="Update the index again whenever images come or go, until Ctrl-C."
        ),
    ] = False,
    form: Annotated[
        Format, typer.Option("--format", help="Output format of --status.")
    ] = Format.table,
    json: Annotated[bool, typer.Option("--json", help="Short for --format json.")] = False,
    max_failures: Annotated[
        Optional[int],
        typer.Option(help="Exit with 1 instead of 3 if more images than this failed."),
    ] = None,
) -> int:
    """Embed new and changed images, so that they can be searched.

    An index remembers its images. Those that have vanished from the folders given now are dropped;
    images of other folders stay in the index.
    """
    from paperclip_cli.malloc import keep_freed_pages
    from paperclip_cli.stages import index as stage
    from paperclip_cli.stages import index_status, index_watch

    here, shown = session(), form_of(form, json)
    if status and (export is not None or take_in is not None):
        raise UsageError("--status does not go with --export or --import", "give them one by one")
    if watch and shard is not None:
        raise UsageError("--watch does not go with --shard", "leave one of them out")
    if watch and (status or export is not None or take_in is not None or max_failures is not None):
        raise UsageError(
            "--watch does not go with --status, --export, --import or --max-failures",
            "a watch has no end: leave one of them out",
        )
    if shown != Format.table and not status:
        raise UsageError(f"--format {shown} is for --status", "add --status, or leave it out")
    if merge is not None:
        return _merge(here, merge, name, force, export or take_in or status or watch or paths)
    if export is not None or take_in is not None:
        return _hand_on(here, export, take_in, name, model, force)
    config = configure(
        IndexConfig,
        paths=paths,
        model=model,
        index=name,
        mission=mission,
        batch_size=batch_size,
        view=view,
        hdu=hdu,
        stretch=stretch,
        hnsw=hnsw,
        shard=shard,
        force=force,
    )
    if status:
        _show_status(index_status.run(config, here.workspace), shown)
        return ExitCode.OK
    keep_freed_pages()
    if watch:
        for report in index_watch.run(config, here.workspace, stage.run, here.progress):
            here.tell(report)
    return here.finish(stage.run(config, here.workspace, here.progress), max_failures)


def _hand_on(
    here: Session,
    export: str | None,
    take_in: str | None,
    name: str,
    model: str | None,
    force: bool,
) -> int:
    from paperclip_cli.stages import index_export, index_import

    if export is not None and take_in is not None:
        raise UsageError("--export and --import exclude each other", "use one of them")
    place = export or take_in or ""
    config = configure(BundleConfig, place=place, index=name, model=model, force=force)
    return here.finish(
        (index_export if export else index_import).run(config, here.workspace, here.progress)
    )


def _merge(here: Session, merge: list[str], name: str, force: bool, other: object) -> int:
    from paperclip_cli.stages import index_merge

    if other:
        raise UsageError(
            "--merge goes with --index and --force alone", "do the other thing before or after it"
        )
    config = configure(MergeConfig, merge=merge, index=name, force=force)
    return here.finish(index_merge.run(config, here.workspace))


def _show_status(status: dict, form: Format) -> None:
    from paperclip_cli.output import console

    if form == Format.table:
        width = max(map(len, status))
        console.emit(
            "".join(
                f"{name.replace('_', ' '):{width}}  {console.printable(_told(value))}\n"
                for name, value in status.items()
            )
        )
    else:
        console.emit(console.rows([status], form.value))


def _told(value: object) -> str:
    """A value of the status: `ACS/WFC 12, WFC3/UVIS 3`, or a period."""
    if isinstance(value, dict):
        return ", ".join(f"{name} {held}" for name, held in value.items()) or "none"
    if isinstance(value, list):
        return " to ".join(map(str, value))
    return "unknown" if value is None else str(value)
