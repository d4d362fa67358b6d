"""`paperclip describe`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Optional

import typer

from paperclip_cli.cli.complete import keys_or_files, model_names
from paperclip_cli.cli.session import Format, HduOption, StretchOption, form_of, session
from paperclip_cli.config import DescribeConfig, configure

if TYPE_CHECKING:
    from paperclip_cli.stages.describe import Description

DEFAULTS = DescribeConfig()


def describe(
    images: Annotated[
        list[str],
        typer.Argument(
            help="JPEG, PNG, TIFF or FITS files, or cached proposals such as hst:15354; "
            "'-' reads them from standard input, one per line.",
            autocompletion=keys_or_files,
        ),
    ],
    labels: Annotated[
        Optional[Path],
        typer.Option(help="File of phrases, one per line or CSV. [default: the paper's 77]"),
    ] = None,
    k: Annotated[int, typer.Option("-k", help="Number of labels per image.")] = DEFAULTS.k,
    model: Annotated[
        Optional[str],
        typer.Option(
            help="A trained model, a folder or a Hub name. [default: the only model]",
            autocompletion=model_names,
        ),
    ] = None,
    template: Annotated[
        Optional[list[str]],
        typer.Option(
            help='Text around a label, with {} in its place: "a photo of {}". '
            "Several templates are averaged. [default: the label alone]"
        ),
    ] = None,
    hdu: HduOption = None,
    stretch: StretchOption = DEFAULTS.stretch,
    batch: Annotated[
        bool,
        typer.Option(
            "--batch", help="Accept folders, and print each image as JSON Lines when it is done."
        ),
    ] = False,
    form: Annotated[Format, typer.Option("--format", help="Output format.")] = Format.table,
    json: Annotated[bool, typer.Option("--json", help="Short for --format json.")] = False,
) -> int:
    """Describe images with phrases."""
    from paperclip_cli.malloc import keep_freed_pages
    from paperclip_cli.output import console
    from paperclip_cli.stages import describe as stage

    here, shown = session(), form_of(form, json)
    names = [line.rstrip("\n") for line in sys.stdin] if images == ["-"] else images
    config = configure(
        DescribeConfig,
        images=tuple(filter(None, names)),
        labels=labels,
        model=model,
        k=k,
        batch=batch,
        template=template,
        hdu=hdu,
        stretch=stretch,
    )
    keep_freed_pages()
    if batch:
        done = stage.run(
            config,
            here.workspace,
            here.progress,
            lambda item: console.emit(console.rows([_plain(item)], "jsonl")),
        )
    else:
        done = stage.run(config, here.workspace, here.progress)
        _show(done.items, shown)
    return here.finish(done.report)


def _plain(item: Description) -> dict:
    labels = [
        {"rank": rank, "label": label, "score": round(score, 6)}
        for rank, (label, score) in enumerate(item.labels, 1)
    ]
    return {"image": item.image, "labels": labels}


def _show(items: tuple[Description, ...], form: Format) -> None:
    from paperclip_cli.output import console

    if form in (Format.json, Format.jsonl):
        console.emit(console.rows(list(map(_plain, items)), form.value))
        return

    flat = [
        (item.image, rank, label, round(score, 6))
        for item in items
        for rank, (label, score) in enumerate(item.labels, 1)
    ]
    if form == Format.csv:
        names = ("image", "rank", "label", "score")
        rows = [dict(zip(names, row, strict=True)) for row in flat]
        console.emit(console.rows(rows, form.value))
        return

    columns = [
        console.TableColumn("Image", 32),
        console.TableColumn("#", 4, "right"),
        console.TableColumn("Label"),
        console.TableColumn("Score", 7, "right"),
    ]
    shown = [
        [Path(image).name if rank == 1 else "", str(rank), label, f"{score:.3f}"]
        for image, rank, label, score in flat
    ]
    console.table(columns, shown)
