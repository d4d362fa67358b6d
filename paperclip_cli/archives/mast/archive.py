"""MAST as an `Archive`: a catalogue of proposals, MAST's lists of their previews, and pictures."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

from paperclip_cli.archives.base import Candidate, Reading
from paperclip_cli.archives.mast.client import MastClient, TooMany, in_halves
from paperclip_cli.archives.mast.download import Downloader
from paperclip_cli.archives.mast.http import Wire
from paperclip_cli.archives.mast.listings import Answer, Around, Listings
from paperclip_cli.archives.mast.missions import Mission
from paperclip_cli.archives.mast.rows import (
    Listed,
    Listing,
    Row,
    by_proposal,
    direct_product,
    list_previews,
    text,
)
from paperclip_cli.errors import BadItem, PaperclipError, Unreachable
from paperclip_cli.http.retry import TooSlow, Transient
from paperclip_cli.progress import Progress
from paperclip_cli.records import Key, Proposal
from paperclip_cli.sky.wcs import jpeg_comment, read_comment

if TYPE_CHECKING:
    import numpy as np

BATCH = 20  # proposals in one query
STRAIGHT_FAILURES = 5  # failures in a row after which the archive is considered down
_LATER = "run the same command again later: what was fetched is kept"


@dataclass(frozen=True)
class Terms:
    """The terms of a request to the archive; only answers under the same terms are used again."""

    include_color: bool = False
    include_calibration: bool = False
    include_proprietary: bool = False
    page_size: int | None = None

    @property
    def rule(self) -> str:
        names = "include_color", "include_calibration", "include_proprietary"
        return " ".join(name for name in names if getattr(self, name)) or "public"


class MastArchive:
    """MAST's archive of a mission.

    `selected` are the numbers of the proposals that will be requested, in that order; the
    catalogue's others have no previews here. Nothing is requested before it is needed, and nothing
    twice. With `refresh`, earlier answers do not count.
    """

    identity = "MAST"
    notes: Sequence[str] = ()

    def __init__(
        self,
        mission: Mission,
        catalogue: Sequence[Proposal],
        selected: Sequence[int],
        listings: Listings,
        wire: Wire,
        terms: Terms | None = None,
        offline: bool = False,
        refresh: bool = False,
    ) -> None:
        self._mission, self._catalogue = mission, tuple(catalogue)
        self._select(selected)
        self._listings, self._wire = listings, wire
        self._terms, self._offline = terms or Terms(), offline
        self._stale = set(selected) if refresh else set()
        self._left_out: Counter[str] = Counter()
        self._straight, self._lock = 0, threading.Lock()
        self._unlisted: dict[int, str] = {}
        self.downloader = Downloader(wire)

    @property
    def mission(self) -> str:
        return self._mission.name

    @property
    def excluded(self) -> Mapping[str, int]:
        return dict(+self._left_out)

    @cached_property
    def client(self) -> MastClient:
        if self._offline:
            raise PaperclipError(
                "--offline: MAST's lists of these proposals are not all in the cache",
                "run without --offline",
            )
        return MastClient(self._wire, self._terms.page_size)

    def proposals(self) -> Sequence[Proposal]:
        """The catalogue, with MAST's titles and PIs where it has none."""
        return [self._completed(proposal) for proposal in self._catalogue]

    def previews(self, key: Key) -> Sequence[Candidate]:
        answer = self._answer(key.proposal_id)
        if answer is None:
            return ()
        self._left_out.update(answer.left_out)
        return [_candidate(key, listed) for listed in answer.previews]

    def read(self, candidate: Candidate) -> np.ndarray:
        return self.fetch(candidate, keep=False).pixels

    def original(self, candidate: Candidate) -> bytes | None:
        return self.fetch(candidate, keep=True).original

    def fetch(self, candidate: Candidate, keep: bool) -> Reading:
        """Download and decode a preview; a damaged one is downloaded again a few times."""
        if self._offline:
            raise PaperclipError(f"{candidate.name} is not in the cache", "run without --offline")

        uri = candidate.observation.preview_uri or ""
        try:
            reading = self.downloader.retrying(lambda: self._read_once(uri, keep))
        except Unreachable as error:
            self._count_failure(error)
            raise
        with self._lock:
            self._straight = 0
        return reading

    def stop(self) -> None:
        """Wake all threads that wait for the archive; they end with `Stopped`."""
        self._wire.pace.stop()

    def narrow(self, ra: float, dec: float, radius: float) -> None:
        """Select only proposals with an observation within `radius` of a position, in degrees."""
        circle = f"{ra:.6f} {dec:.6f} {radius:.6f} {self._terms.rule}"
        known = None if self._stale else self._listings.around(circle)
        if known is None:
            from astropy.coordinates import SkyCoord

            circle_on_sky = {"coordinates": SkyCoord(ra, dec, unit="deg"), "radius": radius}
            try:
                rows = self.client.observations({**self._criteria(), **circle_on_sky})
            except BadItem as error:
                raise PaperclipError(
                    f"MAST's search around the position failed: {error}",
                    "give a smaller --radius, or try again later",
                ) from error

            known = Around(circle, tuple(sorted(by_proposal(rows))))
            self._listings.add([known])

        around = set(known.proposals)
        self._select([number for number in self._selected if number in around])

    def list_all(self, progress: Progress) -> None:
        """Ask for all selected proposals that are not known yet."""
        missing = [number for number in self._selected if self._known(number) is None]
        if not missing:
            return

        with progress.task("ask MAST", total=len(missing), unit="proposals") as task:
            for first in range(0, len(missing), BATCH):
                batch = missing[first : first + BATCH]
                self._ask(batch)
                task.advance(len(batch))

    def _known(self, number: int) -> Answer | None:
        return None if number in self._stale else self._listings.answer(number, self._terms.rule)

    def _answer(self, number: int) -> Answer | None:
        """The answer about a proposal; the next unknown ones are requested in the same batch."""
        if number not in self._places:
            return None

        if self._known(number) is None and number not in self._unlisted:
            first = self._places[number]
            later = self._selected[first : first + 4 * BATCH]
            listable = [other for other in later if other not in self._unlisted]
            self._ask([other for other in listable if self._known(other) is None][:BATCH])
        if number in self._unlisted:
            raise BadItem(self._unlisted[number])
        return self._known(number)

    def _select(self, numbers: Sequence[int]) -> None:
        self._selected = list(numbers)
        self._places = {number: place for place, number in enumerate(numbers)}

    def _ask(self, numbers: Sequence[int]) -> None:
        """Ask for observations of some proposals, then for products of those with a preview.

        Queries are halved where they are too much for the archive.
        """
        try:
            rows = in_halves(numbers, self._observations)
            products = self._products(rows)
        except (TooSlow, TooMany) as error:
            self._ask_singly(numbers, error)
        except BadItem as error:
            raise PaperclipError(f"the query to MAST failed: {error}", _LATER) from error
        else:
            self._keep(numbers, rows, products)
            self._straight = 0

    def _ask_singly(self, numbers: Sequence[int], error: BadItem) -> None:
        """Ask for one proposal at a time, when one of them is too much even alone.

        The others are listed all the same.
        """
        if len(numbers) > 1:
            for number in numbers:
                self._ask([number])
            return

        self._unlisted[numbers[0]] = str(error)
        self._count_failure(error)

    def _criteria(self) -> dict[str, object]:
        intent = {} if self._terms.include_calibration else {"intentType": ["science"]}
        rights = {} if self._terms.include_proprietary else {"dataRights": ["PUBLIC"]}
        return {
            "obs_collection": [self._mission.collection],
            **{name: list(values) for name, values in self._mission.criteria.items()},
            **intent,
            **rights,
        }

    def _observations(self, numbers: Sequence[int]) -> list[dict]:
        return self.client.observations(
            {**self._criteria(), "proposal_id": [str(number) for number in numbers]}
        )

    def _products(self, rows: Sequence[Row]) -> list[Row]:
        """The products of the observations that hold a preview.

        An observation whose own row names its preview needs no query, unless colour composites are
        included, which rows do not name.
        """
        holders = [
            row
            for row in rows
            if self._mission.holds_preview(text(row, "obs_id"), text(row, "filters"))
        ]

        direct: dict[str, Row] = {}
        if not self._terms.include_color:
            for row in holders:
                if (product := direct_product(self._mission, row)) is not None:
                    direct[text(row, "obsid")] = product

        asked = {text(row, "obsid") for row in holders} - direct.keys() - {""}
        return [*direct.values(), *(self.client.products(asked) if asked else ())]

    def _keep(self, numbers: Sequence[int], rows: Sequence[Row], products: Sequence[Row]) -> None:
        listings = list_previews(self._mission, rows, products, self._terms.include_color)
        visits = by_proposal(rows)
        answers = []
        for number in numbers:
            listing = listings.get(number, Listing({}, Counter()))
            previews = tuple(listing.previews[uri] for uri in sorted(listing.previews))
            first = visits[number][0] if number in visits else {}
            answers.append(
                Answer(
                    proposal_id=number,
                    rule=self._terms.rule,
                    previews=previews,
                    left_out=dict(listing.left_out),
                    title=text(first, "obs_title"),
                    pi=text(first, "proposal_pi"),
                )
            )

        self._listings.add(answers)
        self._stale.difference_update(numbers)

    def _completed(self, proposal: Proposal) -> Proposal:
        answer = self._listings.answer(proposal.proposal_id, self._terms.rule)
        if answer is None or (proposal.title and proposal.pi):
            return proposal
        return replace(proposal, title=proposal.title or answer.title, pi=proposal.pi or answer.pi)

    def _read_once(self, uri: str, keep: bool) -> Reading:
        from paperclip_cli.images.pictures import decode_jpeg

        data = self.downloader.preview_once(uri)
        self._wire.pace.check()
        try:
            pixels = decode_jpeg(data)
        except BadItem as error:
            raise Transient(str(error), tries=3) from error
        return Reading(pixels, read_comment(jpeg_comment(data)), data if keep else None, len(data))

    def _count_failure(self, error: BadItem) -> None:
        with self._lock:
            self._straight += 1
            if self._straight >= STRAIGHT_FAILURES:
                raise PaperclipError(f"MAST stopped answering: {error}", _LATER) from error


def _candidate(key: Key, listed: Listed) -> Candidate:
    """A listed preview as a candidate, which counts as unchanged while its address and size do."""
    stamp = f"{listed.uri} {listed.size}"
    return Candidate(
        key=key,
        name=listed.name,
        stamp=stamp,
        observation=listed.observation,
        group=listed.group,
        size=listed.size,
    )
