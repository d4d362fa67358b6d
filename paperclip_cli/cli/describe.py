"""`paperclip describe`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Optional

import typer

from paperclip_cli.cli.complete import model_names
from paperclip_cli.cli.session import Format, session
from paperclip_cli.config import DescribeConfig

if TYPE_CHECKING:
    from paperclip_cli.stages.describe import Description

DEFAULTS = DescribeConfig()


def describe(
    images: Annotated[list[str], typer.Argument(help="JPEG, PNG, TIFF or FITS files, or proposals of the cache such as hst:15354.")],
    labels: Annotated[Optional[Path], typer.Option(help="Phrases to choose from, one a line, or CSV. [default: the paper's 77]")] = None,
    k: Annotated[int, typer.Option("-k", help="Number of labels an image.")] = DEFAULTS.k,
    model: Annotated[Optional[str], typer.Option(
        help="A trained model, a folder or a Hub name. [default: the only model]", autocompletion=model_names)] = None,
    form: Annotated[Format, typer.Option("--format", help="How labels are printed.")] = Format.table,
    json: Annotated[bool, typer.Option("--json", help="Short for --format json.")] = False,
) -> int:
    """Say in phrases what images show."""
    from paperclip_cli.stages import describe as stage

    here = session()
    done = stage.run(DescribeConfig(images=tuple(images), labels=labels, model=model, k=k), here.workspace, here.progress)
    _show(done.items, Format.json if json else form)
    return here.finish(done.report)


def _show(items: tuple[Description, ...], form: Format) -> None:
    from paperclip_cli import render

    if form in (Format.json, Format.jsonl):
        render.emit(render.rows([{"image": item.image, "labels": [
            {"rank": rank, "label": label, "score": round(score, 6)} for rank, (label, score) in enumerate(item.labels, 1)
        ]} for item in items], form.value))
        return
    flat = [(item.image, rank, label, round(score, 6)) for item in items for rank, (label, score) in enumerate(item.labels, 1)]
    if form == Format.csv:
        render.emit(render.rows([dict(zip(("image", "rank", "label", "score"), row, strict=True)) for row in flat], form.value))
        return
    render.table([
        render.TableColumn("Image", [Path(image).name if rank == 1 else "" for image, rank, _, _ in flat], 32),
        render.TableColumn("#", [str(rank) for _, rank, _, _ in flat], 4, "right"),
        render.TableColumn("Label", [label for _, _, label, _ in flat]),
        render.TableColumn("Score", [f"{score:.3f}" for *_, score in flat], 7, "right"),
    ])
