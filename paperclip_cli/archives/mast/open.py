"""MAST opened for `fetch`: its catalogue, the selection and the connection."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence

from paperclip_cli.archives.catalogue import decode, parse, read_catalogue
from paperclip_cli.archives.mast.archive import MastArchive, Terms
from paperclip_cli.archives.mast.download import Downloader
from paperclip_cli.archives.mast.http import Limits, Wire
from paperclip_cli.archives.mast.listings import Listings
from paperclip_cli.archives.mast.missions import Mission, mission_named
from paperclip_cli.archives.sampling import is_selected
from paperclip_cli.config import FetchConfig
from paperclip_cli.errors import BadItem, PaperclipError, UsageError
from paperclip_cli.files import expanded, replace_file
from paperclip_cli.http.download import is_url
from paperclip_cli.http.retry import Pace
from paperclip_cli.http.settings import check_proxies
from paperclip_cli.progress import Progress
from paperclip_cli.records import Proposal
from paperclip_cli.workspace import Workspace

CHOICES = """choose what to fetch:
  --proposal 15354,12577          these proposals: tens of MB and a few seconds each
  --cycle 30, --instrument ACS    a cycle has about 150 proposals with images:
                                  1,500 previews, 5 GB to download, 15 minutes
  --near "M 51" --radius 5arcmin  around a position (--after and --before narrow any selection)
  --limit 10                      the first proposals that have images
  --all                           all of Hubble: about 32,000 previews,
                                  100 GB to download, 2.5 GB kept, 4 to 6 hours
--dry-run only counts; --mission jwst --catalog FILE fetches JWST;
--from DIR (an archive on disk) and --simulate N do not need MAST"""


def open_mast(
    config: FetchConfig, workspace: Workspace, progress: Progress, limits: Limits | None = None
) -> MastArchive:
    """The selected part of a mission's archive.

    It is listed at once, unless `--limit` leaves open how much of it is needed.

    Raises:
        UsageError: nothing is selected.
    """
    mission = mission_named(config.resolved_mission)
    if not config.selects:
        raise UsageError("nothing is selected to fetch", CHOICES)

    wire = open_wire(config.rate, limits or Limits(read=config.timeout), progress.note)
    catalogue = _catalogue(config, mission, workspace, wire)
    numbers = sorted(
        proposal.proposal_id
        for proposal in catalogue
        if proposal.abstract and is_selected(proposal, config)
    )

    shard = "" if config.shard is None else f"-{config.shard[0]}-of-{config.shard[1]}"
    terms = Terms(config.include_color, config.include_calibration, config.include_proprietary)
    listings = Listings(workspace.previews(mission.name), shard)
    archive = MastArchive(
        mission,
        _with_asked(catalogue, config, mission),
        numbers,
        listings,
        wire,
        terms,
        workspace.offline,
        config.refresh,
    )

    if config.near is not None:
        archive.narrow(*config.near, config.radius)
    if config.limit is None:
        archive.list_all(progress)
    return archive


def open_wire(rate: float, limits: Limits, tell: Callable[[str], None]) -> Wire:
    """A connection to the server that astroquery is configured for; `tell` hears of long waits."""
    check_proxies()
    from astroquery.mast import conf

    return Wire(conf.server.rstrip("/"), Pace(rate, tell), limits)


def _catalogue(
    config: FetchConfig, mission: Mission, workspace: Workspace, wire: Wire
) -> Sequence[Proposal]:
    given = config.catalog
    if given is not None and not is_url(given):
        return read_catalogue(expanded(given), mission.name).proposals
    addresses = mission.catalogues if given is None else (given,)
    if not addresses:
        raise UsageError(
            f"no catalogue of {mission.name} abstracts can be downloaded as a whole",
            "give --catalog FILE_OR_URL in the layout of STScI's abstracts.cat",
        )

    mark = "" if given is None else "-" + hashlib.sha256(given.encode()).hexdigest()[:8]
    path = workspace.root / "catalogues" / f"{mission.name}{mark}.cat"
    if not path.exists() or config.refresh:
        if workspace.offline:
            raise PaperclipError(
                f"--offline: there is no catalogue {path} in the cache",
                f"download {addresses[0]} elsewhere, and give it with --catalog FILE",
            )
        replace_file(path, _download_catalogue(addresses, mission, Downloader(wire)))
    return read_catalogue(path, mission.name).proposals


def _download_catalogue(
    addresses: Sequence[str], mission: Mission, downloader: Downloader
) -> bytes:
    """The first catalogue that one of the addresses gives; an error page is not one."""
    reasons = []
    for address in addresses:
        try:
            data = downloader.text(address)
        except BadItem as error:
            reasons.append(f"{address}: {error}")
            continue
        if parse(decode(data), mission.name).proposals:
            return data
        reasons.append(f"{address}: it contains no proposals")

    failed = "no proposal catalogue could be downloaded: " + "; ".join(reasons)
    raise PaperclipError(failed, "give --catalog FILE_OR_URL")


def _with_asked(
    catalogue: Sequence[Proposal], config: FetchConfig, mission: Mission
) -> list[Proposal]:
    """The catalogue, and an empty record for every proposal requested by number that it lacks."""
    known = {proposal.proposal_id for proposal in catalogue}
    unknown = [number for number in config.proposals if number not in known]
    added = [Proposal(mission=mission.name, proposal_id=number, abstract="") for number in unknown]
    return [*catalogue, *added]
