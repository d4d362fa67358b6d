"""Settings of `fetch`, `get` and `cite`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import paperclip_cli.config.readers as readers
from paperclip_cli.config.checks import at_least, check_network
from paperclip_cli.config.given import given
from paperclip_cli.errors import UsageError

PREVIEW_SIZE = 512


@dataclass(frozen=True, kw_only=True)
class FetchConfig:
    """Which proposals and previews to fetch, from where, and how.

    `size` is the longest side of a stored preview, in pixels. At most `max_images` previews are
    drawn from each proposal, without replacement. `retry_failed` reads images again that could not
    be read before. `verify` compares the checksums of files already in the cache. `catalog` is a
    file or a URL. `near` is (ra, dec) and `radius` an angle, both in degrees. `after` and `before`
    are Modified Julian Dates. `rate` is the limit in requests per second over all workers; 0 means
    no limit. `timeout` is the longest silence of the archive, in seconds. `shard` (i, n) takes the
    i-th of n parts of the proposals, counted from 0. `refresh` downloads catalogue and listings
    again.
    """

    source: Path | None = None
    simulate: int | None = None
    everything: bool = given("all", default=False)
    mission: str | None = given("mission", "proposal", read=readers.mission, default=None)
    catalog: str | None = None
    proposals: tuple[int, ...] = given("proposal", read=readers.proposals, default=())
    cycles: tuple[str, ...] = given("cycle", read=readers.cycles, default=())
    instruments: tuple[str, ...] = given("instrument", read=readers.values, default=())
    near: tuple[float, float] | None = given("near", read=readers.position, default=None)
    radius: float = given("radius", read=readers.angle, default=2 / 60, typed="2arcmin")
    after: float | None = given("after", read=readers.date, default=None)
    before: float | None = given("before", read=readers.date, default=None)
    limit: int | None = None
    max_images: int = 20
    size: int = PREVIEW_SIZE
    include_color: bool = False
    include_calibration: bool = False
    include_proprietary: bool = False
    keep_originals: bool = False
    seed: int = 42
    workers: int = 4
    force: bool = False
    retry_failed: bool = False
    verify: bool = False
    dry_run: bool = False
    rate: float = 10.0
    timeout: float = 60.0
    shard: tuple[int, int] | None = given("shard", read=readers.shard, default=None)
    refresh: bool = False

    def __post_init__(self) -> None:
        at_least("--size", self.size, 16)
        at_least("--max-images", self.max_images, 1)
        at_least("--workers", self.workers, 1)
        if self.limit is not None:
            at_least("--limit", self.limit, 1)
        if self.simulate is not None:
            at_least("--simulate", self.simulate, 1)
        if self.catalog is not None and self.simulate is not None:
            raise UsageError(
                "--catalog does not go with --simulate", "a simulated sky has its own catalogue"
            )
        check_network(self.rate, self.timeout)
        readers.check_shard(self.shard)
        if self.source is not None and self.simulate is not None:
            raise UsageError("--from and --simulate exclude each other", "use one of them")

    @property
    def narrows(self) -> bool:
        """Whether images are selected by the metadata of their observations."""
        return bool(self.instruments) or any(
            value is not None for value in (self.near, self.after, self.before)
        )

    @property
    def selects(self) -> bool:
        """Whether any option selects proposals."""
        return bool(self.everything or self.proposals or self.cycles or self.narrows or self.limit)

    @property
    def resolved_mission(self) -> str:
        """`--mission`, or `sim` for a simulated sky, `local` for a folder, else `hst`."""
        if self.mission is not None:
            return self.mission
        if self.simulate is not None:
            return "sim"
        return "local" if self.source is not None else "hst"


@dataclass(frozen=True, kw_only=True)
class GetConfig:
    """Which science files to download.

    `hits` are as the user typed them, or hits of a query. `rate` is the limit in requests per
    second over all workers; 0 means no limit. `timeout` is in seconds.
    """

    hits: tuple[object, ...] = given("hits", read=readers.hits, default=())
    out: Path = Path()
    workers: int = 4
    rate: float = 10.0
    timeout: float = 60.0
    dry_run: bool = False

    def __post_init__(self) -> None:
        at_least("--workers", self.workers, 1)
        check_network(self.rate, self.timeout)


@dataclass(frozen=True)
class CiteConfig:
    """Which proposals to acknowledge.

    `hits` are as the user typed them, or hits of a query. None are the proposals of the `indexes`
    (none: `default`, or the only one), or else everything that was fetched.
    """

    hits: tuple[object, ...] | None = given("hits", read=readers.hits, default=None)
    indexes: tuple[str, ...] = given("index", read=readers.index_names, default=())


@dataclass(frozen=True)
class ShowConfig:
    """The proposals to show, as `hst:15354`."""

    proposals: tuple[str, ...] = given("proposal", read=readers.values, default=())
