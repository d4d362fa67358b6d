"""`paperclip fetch`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Optional

import typer

from paperclip_cli.cli.session import position, session
from paperclip_cli.config import FetchConfig, configure

DEFAULTS = FetchConfig()


def fetch(
    source: Annotated[
        Optional[Path],
        typer.Option(
            "--from",
            help="Folder with an archive: DIR/abstracts.cat, DIR/observations*/proposal_<ID>/ "
            "(JPEG, PNG, TIFF or FITS), and optionally DIR/observations.csv, .ecsv or .vot.",
            metavar="DIR",
        ),
    ] = None,
    simulate: Annotated[
        Optional[int], typer.Option(help="Simulate a sky with this many proposals.", metavar="N")
    ] = None,
    everything: Annotated[
        bool, typer.Option("--all", help="Fetch everything that the archive has of the mission.")
    ] = False,
    mission: Annotated[
        Optional[str],
        typer.Option(help="hst or jwst; any name with --from. [default: hst; local with --from]"),
    ] = None,
    catalog: Annotated[
        Optional[str],
        typer.Option(
            help="Proposal catalogue to use instead of the archive's, or of DIR/abstracts.cat.",
            metavar="FILE_OR_URL",
        ),
    ] = None,
    proposal: Annotated[
        Optional[list[str]],
        typer.Option(help="Only these proposals: 15513,12577 or hst:15513.", metavar="IDS"),
    ] = None,
    cycle: Annotated[
        Optional[list[str]],
        typer.Option(help="Only proposals of these cycles: 25-26,28.", metavar="CYCLES"),
    ] = None,
    instrument: Annotated[
        Optional[list[str]],
        typer.Option(help="Only images of these instruments: ACS,WFC3/IR.", metavar="NAMES"),
    ] = None,
    near: Annotated[
        Optional[str],
        typer.Option(help='Only images near "13:29:52 +47:11:43", "202.47 47.195" or "M 51".'),
    ] = None,
    radius: Annotated[str, typer.Option(help="Radius of --near, with its unit.")] = "2arcmin",
    after: Annotated[
        Optional[str],
        typer.Option(help="Only observations on or after this day.", metavar="YYYY-MM-DD"),
    ] = None,
    before: Annotated[
        Optional[str], typer.Option(help="Only observations before this day.", metavar="YYYY-MM-DD")
    ] = None,
    limit: Annotated[Optional[int], typer.Option(help="At most this many proposals.")] = None,
    max_images: Annotated[
        int, typer.Option(help="At most this many images per proposal, drawn at random.")
    ] = DEFAULTS.max_images,
    size: Annotated[
        int,
        typer.Option(help="Longest side of a preview in pixels; smaller images are not enlarged."),
    ] = DEFAULTS.size,
    include_color: Annotated[
        bool,
        typer.Option("--include-color", help="Include colour composites (`color` in the name)."),
    ] = False,
    include_calibration: Annotated[
        bool, typer.Option("--include-calibration", help="Include calibration observations.")
    ] = False,
    include_proprietary: Annotated[
        bool,
        typer.Option(
            "--include-proprietary",
            help="Include data that are not public yet (needs MAST_API_TOKEN).",
        ),
    ] = False,
    keep_originals: Annotated[
        bool, typer.Option("--keep-originals", help="Also copy the original files into the cache.")
    ] = False,
    seed: Annotated[
        int, typer.Option(help="Seed of the random draw and of the simulated sky.")
    ] = DEFAULTS.seed,
    workers: Annotated[
        int, typer.Option(help="Number of parallel connections, or of images read at once.")
    ] = DEFAULTS.workers,
    rate: Annotated[
        float, typer.Option(help="Limit of requests per second, over all workers; 0 for no limit.")
    ] = DEFAULTS.rate,
    timeout: Annotated[
        float, typer.Option(help="Seconds to wait for the archive to respond.")
    ] = DEFAULTS.timeout,
    shard: Annotated[
        Optional[str],
        typer.Option(
            help="Fetch the i-th of n parts of the proposals, counted from 0.", metavar="I/N"
        ),
    ] = None,
    refresh: Annotated[
        bool, typer.Option("--refresh", help="Download the archive's catalogue and listings again.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Count what would be fetched, but write nothing.")
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Read all selected images again.")] = False,
    retry_failed: Annotated[
        bool, typer.Option("--retry-failed", help="Try images again that failed before.")
    ] = False,
    verify: Annotated[
        bool,
        typer.Option(
            "--verify", help="Compare checksums, and read images again that changed in the cache."
        ),
    ] = False,
    max_failures: Annotated[
        Optional[int],
        typer.Option(help="Exit with 1 instead of 3 if more images than this failed."),
    ] = None,
) -> int:
    """Fetch proposals and previews into the cache.

    They come from MAST, from a folder (--from), or from a simulated sky (--simulate).

    Fetching adds to what the cache already holds of the mission. A proposal that is fetched again
    is replaced as a whole, and one that has vanished from its source is dropped. Images that have
    not changed are not downloaded or read again. An interrupted run continues where it stopped.
    The folder of --from is never changed.

    MAST_API_TOKEN is sent to MAST if it is set. HTTPS_PROXY and REQUESTS_CA_BUNDLE are obeyed.
    PAPERCLIP_CONTACT (an e-mail address) is sent to the archive, so that it can write to you
    before it blocks you.
    """
    here = session()
    here.give_contact()
    config = configure(
        FetchConfig,
        source=source,
        simulate=simulate,
        mission=mission,
        catalog=catalog,
        proposal=proposal,
        cycle=cycle,
        instrument=instrument,
        near=position(near),
        radius=radius,
        after=after,
        before=before,
        limit=limit,
        all=everything,
        max_images=max_images,
        size=size,
        include_color=include_color,
        include_calibration=include_calibration,
        include_proprietary=include_proprietary,
        keep_originals=keep_originals,
        seed=seed,
        workers=workers,
        rate=rate,
        timeout=timeout,
        shard=shard,
        refresh=refresh,
        dry_run=dry_run,
        force=force,
        retry_failed=retry_failed,
        verify=verify,
    )

    from paperclip_cli.malloc import keep_freed_pages
    from paperclip_cli.stages import fetch as stage

    keep_freed_pages()
    return here.finish(stage.run(config, here.workspace, here.progress), max_failures)
