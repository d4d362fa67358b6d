"""`paperclip get`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Optional

import typer

from paperclip_cli.cli.complete import proposal_keys
from paperclip_cli.cli.session import session
from paperclip_cli.config import GetConfig, configure

DEFAULTS = GetConfig()


def get(
    hits: Annotated[
        list[str],
        typer.Argument(
            help="Proposals (hst:15354), observations of the archive, or the output file of "
            "`query --json`; '-' reads that output from standard input.",
            autocompletion=proposal_keys,
        ),
    ],
    out: Annotated[Path, typer.Option(help="Folder to write to.", metavar="DIR")] = DEFAULTS.out,
    workers: Annotated[
        int, typer.Option(help="Number of parallel connections.")
    ] = DEFAULTS.workers,
    rate: Annotated[
        float, typer.Option(help="Limit of requests per second, over all workers; 0 for no limit.")
    ] = DEFAULTS.rate,
    timeout: Annotated[
        float, typer.Option(help="Seconds to wait for the archive to respond.")
    ] = DEFAULTS.timeout,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only print the URIs of the files that are missing.")
    ] = False,
    max_failures: Annotated[
        Optional[int], typer.Option(help="Exit with 1 instead of 3 if more files than this failed.")
    ] = None,
) -> int:
    """Download the science files behind hits.

    These are drizzled FITS files. Their paths are printed, one per line.
    """
    from paperclip_cli.output import console
    from paperclip_cli.stages import get as stage

    here = session()
    here.give_contact()
    config = configure(
        GetConfig, hits=hits, out=out, workers=workers, rate=rate, timeout=timeout, dry_run=dry_run
    )
    got = stage.run(config, here.workspace, here.progress)
    lines = got.addresses if dry_run else map(str, got.files)
    console.emit("".join(f"{line}\n" for line in lines))
    return here.finish(got.report, max_failures)
