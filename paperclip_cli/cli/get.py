"""`paperclip get`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Optional

import typer

from paperclip_cli.cli.session import session
from paperclip_cli.config import GetConfig

DEFAULTS = GetConfig()


def get(
    hits: Annotated[
        list[str],
        typer.Argument(
            help="A proposal (hst:15354), an observation of the archive, or the file of a "
            "`query --json`; - reads that from standard input."
        ),
    ],
    out: Annotated[Path, typer.Option(help="Folder to write to.", metavar="DIR")] = DEFAULTS.out,
    workers: Annotated[int, typer.Option(help="Connections.")] = DEFAULTS.workers,
    rate: Annotated[
        float, typer.Option(help="Requests a second at the most; 0 for no limit.")
    ] = DEFAULTS.rate,
    timeout: Annotated[
        float, typer.Option(help="Seconds that the archive may be silent.")
    ] = DEFAULTS.timeout,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only print the addresses of what is not there yet.")
    ] = False,
    max_failures: Annotated[
        Optional[int], typer.Option(help="Exit with 1, not 3, where more files than this failed.")
    ] = None,
) -> int:
    """Download the science files (drizzled FITS) behind hits. Prints their paths, one a line."""
    from paperclip_cli.output import console
    from paperclip_cli.stages import get as stage

    here = session()
    got = stage.run(
        GetConfig(
            hits=tuple(hits), out=out, workers=workers, rate=rate, timeout=timeout, dry_run=dry_run
        ),
        here.workspace,
        here.progress,
    )
    console.emit(
        "".join(f"{line}\n" for line in (got.addresses if dry_run else map(str, got.files)))
    )
    return here.finish(got.report, max_failures)
