"""`paperclip index`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Optional

import typer

from paperclip_cli.cli.session import Format, session, values
from paperclip_cli.config import IndexConfig
from paperclip_cli.errors import ExitCode

DEFAULTS = IndexConfig()


def index(
    paths: Annotated[Optional[list[Path]], typer.Argument(help="Folders of images, or images. [default: the cached previews]")] = None,
    model: Annotated[Optional[str], typer.Option(help="A trained model, a folder or a Hub name. [default: the only model]")] = None,
    name: Annotated[str, typer.Option("--index", help="Name of the index.")] = DEFAULTS.name,
    mission: Annotated[Optional[list[str]], typer.Option(help="Previews of these missions only.")] = None,
    view: Annotated[Optional[str], typer.Option(help="What of an image is seen: centre, whole, or tiles (several crops, the best counts). "
                                               "[default: as before, or the model's]")] = None,
    hdu: Annotated[Optional[str], typer.Option(help="Number or name of the image in a FITS file: 1 or SCI. [default: the first]")] = None,
    stretch: Annotated[Optional[str], typer.Option(help="How a FITS image is shown: preview (as the archive does) or zscale.")] = None,
    batch_size: Annotated[int, typer.Option(help="Images embedded at once; halved when memory runs out.")] = DEFAULTS.batch_size,
    hnsw: Annotated[bool, typer.Option("--hnsw", help="Also build a graph of the vectors: many queries in one go are quicker.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Make the index anew, of these images only.")] = False,
    status: Annotated[bool, typer.Option("--status", help="Say what the index holds, and what has changed since.")] = False,
    form: Annotated[Format, typer.Option("--format", help="How --status is printed.")] = Format.table,
    json: Annotated[bool, typer.Option("--json", help="Short for --format json.")] = False,
    max_failures: Annotated[Optional[int], typer.Option(help="More failures than this make an error of the run.")] = None,
) -> int:
    """Embed images so that they can be searched: the new and changed ones.

    An index remembers what it was given. Images that vanished from the folders named now are dropped; other folders stay as they are.
    """
    from paperclip_cli.stages import index as stage

    here = session()
    config = IndexConfig(paths=tuple(paths or ()), model=model, name=name, missions=values(mission), batch_size=batch_size, view=view,
                         hdu=int(hdu) if hdu and hdu.isdecimal() else hdu, stretch=stretch, hnsw=hnsw, force=force)
    if not status:
        return here.finish(stage.run(config, here.workspace, here.progress), max_failures)
    _show_status(stage.status(config, here.workspace), Format.json if json else form)
    return ExitCode.OK


def _show_status(status: dict, form: Format) -> None:
    from paperclip_cli import render

    if form == Format.table:
        width = max(map(len, status))
        render.emit("".join(f"{name.replace('_', ' '):{width}}  {render.printable(str(value))}\n" for name, value in status.items()))
    else:
        render.emit(render.rows([status], form.value))
