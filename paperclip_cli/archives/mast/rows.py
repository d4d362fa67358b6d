"""MAST's observation and product rows, turned into previews with their observations."""

from __future__ import annotations

import math
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from paperclip_cli.archives.cells import exposure
from paperclip_cli.archives.mast.filenames import Kind
from paperclip_cli.archives.mast.missions import Mission
from paperclip_cli.filter_names import only_filters
from paperclip_cli.records import Observation
from paperclip_cli.sky.region import latitude, longitude, parse_region
from paperclip_cli.values import is_blank, modified_julian_date

UNREADABLE = "footprints that cannot be read"
_PARALLEL_TARGET = re.compile(r"(?:^|[^A-Z])(?:PAR|PARALLEL|ANY)(?:[^A-Z]|$)")
# Degrees: two instruments that look at the same time, further apart than this, cannot both look at
# the target.
_APART = 1.0 / 60
Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """A preview of a proposal.

    `size` is in bytes, 0 where unknown. Previews of one `group` show the same field.
    """

    name: str
    uri: str
    size: int
    group: str
    observation: Observation


@dataclass(frozen=True)
class Listing:
    """A proposal's previews by data URI, and counts of what was left out, by reason."""

    previews: dict[str, Listed]
    left_out: Counter[str]


class _Visit:
    """The observation rows of one proposal, found by name or by number."""

    def __init__(self, rows: Sequence[Row]) -> None:
        self.rows = rows
        self.parallel = parallels(rows)
        self._by_name = {text(row, "obs_id").lower(): row for row in rows if text(row, "obs_id")}
        self._by_number = {text(row, "obsid"): row for row in rows if text(row, "obsid")}

    def row_of(self, name: str, product: Row) -> Row:
        """The row that a preview belongs to, or an empty one.

        It is found by the preview's own name, by its product row, or by the observation for which
        it was listed.
        """
        names = _obs_id(name), text(product, "obs_id").lower()
        obsids = text(product, "obsID"), text(product, "parent_obsid")
        by_name = (self._by_name.get(name) for name in names)
        by_number = (self._by_number.get(obsid) for obsid in obsids)
        return next((row for row in (*by_name, *by_number) if row is not None), {})


def list_previews(
    mission: Mission, observations: Sequence[Row], products: Sequence[Row], include_color: bool
) -> dict[int, Listing]:
    """The previews that the mission's rule admits, by proposal, one for each data URI.

    The listings also count the other previews, by reason.
    """
    visits = by_proposal(observations)
    owners = {
        obsid: proposal_id
        for proposal_id, rows in visits.items()
        for row in rows
        if (obsid := text(row, "obsid"))
    }
    listings = {proposal_id: Listing({}, Counter()) for proposal_id in visits}
    science = {text(row, "productFilename"): text(row, "dataURI") for row in products}
    known = {proposal_id: _Visit(rows) for proposal_id, rows in visits.items()}

    seen: set[str] = set()
    for row in products:
        name, uri = text(row, "productFilename"), text(row, "dataURI")
        if text(row, "productType") != "PREVIEW" or uri in seen:
            continue
        seen.add(uri)

        proposal_id = (
            mission.read_name(name).proposal_id
            or owners.get(text(row, "parent_obsid"))
            or owners.get(text(row, "obsID"))
        )
        if proposal_id not in listings:
            continue

        kind = _verdict(mission, name, uri)
        if kind is Kind.WANTED or (include_color and kind is Kind.COLOR):
            visit = known[proposal_id]
            listed = _listed(mission, proposal_id, row, visit, science)
            listings[proposal_id].previews[uri] = listed
            region = known_text(visit.row_of(name, row), "s_region")
            if region and not listed.observation.s_region:
                listings[proposal_id].left_out[UNREADABLE] += 1
        else:
            listings[proposal_id].left_out[kind.value] += 1

    return listings


def by_proposal(observations: Iterable[Row]) -> dict[int, list[Row]]:
    """Observation rows by the number of their proposal.

    In other collections than ours it need not be a number; those rows are left out.
    """
    found: defaultdict[int, list[Row]] = defaultdict(list)
    for row in observations:
        if (proposal := text(row, "proposal_id")).isdecimal():
            found[int(proposal)].append(row)
    return dict(found)


def _listed(
    mission: Mission, proposal_id: int, row: Row, visit: _Visit, science: Mapping[str, str]
) -> Listed:
    name, uri = text(row, "productFilename"), text(row, "dataURI")
    fits = name.removesuffix(".jpg").removesuffix("_color") + ".fits"
    observation = describe(mission, proposal_id, visit.row_of(name, row), visit)
    observation = replace(
        observation, preview_uri=uri, product_uri=science.get(fits) or _uri(mission, fits)
    )
    return Listed(
        name=name,
        uri=uri,
        size=max(0, integer(row, "size") or 0),
        group=_group(mission, name),
        observation=observation,
    )


def direct_product(mission: Mission, row: Row) -> Row | None:
    """The preview as a product row, or None if the observation's own row does not name it.

    This saves asking for the observation's products, of which JWST lists thousands.
    """
    uri = text(row, "jpegURL")
    name = uri.rpartition("/")[2]
    if uri != _uri(mission, name) or mission.read_name(name).kind is not Kind.WANTED:
        return None

    return {
        "productType": "PREVIEW",
        "productFilename": name,
        "dataURI": uri,
        "obs_id": row["obs_id"],
        "obsID": row["obsid"],
    }


def describe(mission: Mission, proposal_id: int, row: Row, visit: _Visit) -> Observation:
    """The observation of a row.

    A mosaic of all filters has those of its siblings, of the same visit and detector.
    """
    instrument, _, detector = (known_text(row, "instrument_name") or "").partition("/")
    is_mode = detector in ("IMAGE", "CORON", "TARGACQ")
    ra, dec = place(row)
    region = known_text(row, "s_region")
    return Observation(
        target=known_text(row, "target_name"),
        moving=flag(row, "mtFlag"),
        s_ra=ra,
        s_dec=dec,
        s_region=region if region and parse_region(region) else None,
        instrument=instrument or None,
        detector=None if is_mode else detector or None,
        filters=filters_of(row, visit.rows),
        obs_id=known_text(row, "obs_id"),
        t_min=_sensible(number(row, "t_min"), modified_julian_date),
        t_exptime=_sensible(number(row, "t_exptime"), exposure),
        access_url=mission.access_url(proposal_id),
        parallel=visit.parallel.get(text(row, "obs_id")),
    )


def filters_of(row: Row, visit: Iterable[Row]) -> tuple[str, ...]:
    """The row's own filters or, if it has none, those of its siblings; sorted."""
    own = _filters(row)
    if not own and (stem := _siblings(text(row, "obs_id"))):
        own = {
            name
            for other in visit
            if _siblings(text(other, "obs_id")) == stem
            for name in _filters(other)
        }
    return tuple(sorted(own))


def parallels(rows: Sequence[Row]) -> dict[str, bool]:
    """Whether the observations of a proposal are coordinated parallels, by obs_id.

    Those that the rows do not decide are left out. A target named as a parallel decides. Two
    instruments that look at once, at positions more than an arcminute apart, cannot both look at
    the target: if one is a named parallel, the other is not. Otherwise the prime one is that whose
    position more of the target's other visits share.
    """
    verdict = {
        text(row, "obs_id"): True
        for row in rows
        if _PARALLEL_TARGET.search(text(row, "target_name").upper())
    }

    needed = "t_min", "t_max", "s_ra", "s_dec"
    timed = [row for row in rows if None not in [number(row, name) for name in needed]]
    visits: defaultdict[str, list[Row]] = defaultdict(list)
    for row in timed:
        visits[_visit(text(row, "obs_id"))].append(row)

    for visit, members in visits.items():
        if not visit:
            continue
        for row in members:
            rivals = [other for other in members if _at_once(row, other)]
            if rivals and text(row, "obs_id") not in verdict:
                _decide(row, rivals, timed, verdict)

    return verdict


def text(row: Row, name: str) -> str:
    """A field as text; blank if it is missing."""
    value = row.get(name)
    return "" if value is None else str(value).strip()


def known_text(row: Row, name: str) -> str | None:
    """A field as text; None if it is missing, or says that it is unknown."""
    value = text(row, name)
    return None if is_blank(value) else value


def place(row: Row) -> tuple[float | None, float | None]:
    """The position of a row in degrees; (None, None) if one of the numbers is none of the sky."""
    ra, dec = number(row, "s_ra"), number(row, "s_dec")
    both = _sensible(ra, longitude), _sensible(dec, latitude)
    return (None, None) if None in both else both


def _sensible(value: float | None, check: Callable[[float], float]) -> float | None:
    """The value as `check` returns it; None if it refuses it."""
    try:
        return None if value is None else check(value)
    except ValueError:
        return None


def number(row: Row, name: str) -> float | None:
    """A field as a finite number; None if it is not one."""
    try:
        value = float(row.get(name))  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return None
    return value if abs(value) < float("inf") else None


def integer(row: Row, name: str) -> int | None:
    value = number(row, name)
    return None if value is None else int(value)


def flag(row: Row, name: str) -> bool | None:
    """A boolean, which MAST also writes as text; None if it is missing."""
    return {"true": True, "1": True, "false": False, "0": False}.get(text(row, name).lower())


def _verdict(mission: Mission, name: str, uri: str) -> Kind:
    """The kind of a product.

    A name that could lead out of a folder matches no pattern, and the address must belong to the
    name.
    """
    kind = mission.read_name(name).kind
    is_picture = kind in (Kind.WANTED, Kind.COLOR)
    return Kind.OTHER if is_picture and uri != _uri(mission, name) else kind


def _uri(mission: Mission, name: str) -> str:
    return f"mast:{mission.collection}/product/{name}"


def _obs_id(name: str) -> str:
    """The obs_id in a preview's name: `hst_..._total_jdi601_drc_color.jpg`, `jw..._i2d.jpg`."""
    return re.sub(r"(_dr[cz](_color)?|_i2d)\.jpg$", "", name)


def _group(mission: Mission, name: str) -> str:
    """The group of a preview.

    JWST makes one picture for each filter: those of one target in one observation are a group. A
    total of Hubble's stands alone.
    """
    known = mission.read_name(name)
    return f"{known.target} {known.visit}" if known.target else name


def _siblings(obs_id: str) -> str | None:
    """The part of the name that all mosaics of one visit and detector share.

    It is `hst_15354_01_acs_wfc_<filter>_jdi601` without the filter.
    """
    match = re.fullmatch(
        r"(hst_\d+_[0-9a-z]{2}_[a-z0-9]+_[a-z0-9]+)_[a-z0-9-]+_([a-z0-9]{6})", obs_id.lower()
    )
    return f"{match[1]} {match[2]}" if match else None


def _visit(obs_id: str) -> str:
    match = re.match(r"hst_\d+_[0-9a-z]{2}(?=_)|jw\d{5}-o\d{3}", obs_id.lower())
    return match[0] if match else ""


def _filters(row: Row) -> set[str]:
    # `N/A` is one word, in which the slash divides nothing.
    return set(only_filters(re.split(r"[;,]|(?<!\bN)/", text(row, "filters").upper())))


def _at_once(row: Row, other: Row) -> bool:
    """Whether two instruments look at the same time, but not at the same place."""
    overlap = row["t_min"] < other["t_max"] and other["t_min"] < row["t_max"]
    differ = text(row, "instrument_name") != text(other, "instrument_name")
    return overlap and differ and not _same_place(row, other)


def _same_place(row: Row, other: Row) -> bool:
    turn = (row["s_ra"] - other["s_ra"] + 180) % 360 - 180
    across, up = turn * math.cos(math.radians(row["s_dec"])), row["s_dec"] - other["s_dec"]
    return math.hypot(across, up) <= _APART


def _decide(row: Row, rivals: Sequence[Row], rows: Sequence[Row], verdict: dict[str, bool]) -> None:
    if any(verdict.get(text(other, "obs_id")) for other in rivals):
        verdict[text(row, "obs_id")] = False
        return
    here, there = (_pointings_at(place, rows, (row, *rivals)) for place in (row, rivals[0]))
    if here != there:
        verdict[text(row, "obs_id")] = here < there


def _pointings_at(place: Row, rows: Sequence[Row], but: Sequence[Row]) -> int:
    """The number of visits of the same target, other than those of `but`, that looked here."""
    target = text(place, "target_name")
    here = [row for row in rows if text(row, "target_name") == target and _same_place(row, place)]
    visits, ours = ({_visit(text(row, "obs_id")) for row in group} for group in (here, but))
    return len(visits - ours)
