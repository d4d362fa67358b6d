"""The choice of an archive's proposals, and the draw of their images."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from paperclip_cli.archives.base import Archive, Candidate
from paperclip_cli.config import FetchConfig
from paperclip_cli.errors import BadItem
from paperclip_cli.records import Key, Observation, Proposal

_COLOUR = re.compile(r"(?<![a-z])colou?r(?![a-z])", re.IGNORECASE)


@dataclass(frozen=True)
class Wanted:
    """A proposal to fetch, with the images drawn for it, sorted by name."""

    proposal: Proposal
    images: tuple[Candidate, ...]


@dataclass(frozen=True)
class Choice:
    """The proposals to fetch, and those left out.

    `considered` are all selected proposals, with or without an abstract and images. `excluded`
    counts what was left out, by rule. `failed` are the proposals whose images could not be listed,
    with the reason; the cache keeps what it has of them.
    """

    wanted: tuple[Wanted, ...]
    considered: frozenset[Key]
    excluded: Mapping[str, int]
    failed: Mapping[Key, str] = field(default_factory=dict)


def choose(archive: Archive, config: FetchConfig) -> Choice:
    """Choose the selected proposals with an abstract and an image, in order of their numbers."""
    wanted: list[Wanted] = []
    considered: set[Key] = set()
    excluded: Counter[str] = Counter()
    failed: dict[Key, str] = {}

    for proposal in sorted(archive.proposals(), key=lambda proposal: proposal.key):
        if len(wanted) == config.limit:
            break
        if not is_selected(proposal, config):
            continue
        try:
            images = archive.previews(proposal.key)
        except BadItem as error:
            failed[proposal.key] = str(error)
            continue
        if config.narrows:
            images = [image for image in images if is_wanted(image.observation, config)]
            if not images:
                continue

        considered.add(proposal.key)
        images = _without_colour(images, config, excluded)
        if not proposal.abstract:
            excluded["proposals without an abstract"] += 1
        elif not images:
            excluded["proposals without an image"] += 1
        else:
            wanted.append(Wanted(proposal, draw(images, config.max_images, config.seed)))

    return Choice(tuple(wanted), frozenset(considered), dict(excluded), failed)


def draw(images: Sequence[Candidate], count: int, seed: int) -> tuple[Candidate, ...]:
    """Draw at most `count` of a proposal's images without replacement, sorted by name.

    The images with the lowest SHA-256 of seed, proposal and name are drawn. The draw is fair, and
    depends on neither the order of the listing nor any other proposal. One more image of the
    proposal changes at most one of those drawn. Of one group (the filters of one field) a second
    image is drawn only when every group has one, and a third when every group has two.
    """
    shuffled = sorted(
        images,
        key=lambda image: hashlib.sha256(f"{seed} {image.key} {image.name}".encode()).digest(),
    )

    taken: Counter[str] = Counter()
    rounds = []
    for place, image in enumerate(shuffled):
        rounds.append((taken[image.group] if image.group else 0, place))
        taken[image.group] += 1

    drawn = (shuffled[place] for _, place in sorted(rounds)[:count])
    return tuple(sorted(drawn, key=lambda image: image.name))


def is_selected(proposal: Proposal, config: FetchConfig) -> bool:
    """Whether the requested numbers, cycles and shard include a proposal."""
    by_number = not config.proposals or proposal.proposal_id in config.proposals
    by_cycle = not config.cycles or proposal.cycle in config.cycles
    return by_number and by_cycle and in_shard(proposal.key, config.shard)


def in_shard(key: Key, shard: tuple[int, int] | None) -> bool:
    """Whether shard (i, n) holds a proposal.

    Each proposal is in exactly one of the n shards, and stays there when others are added.
    """
    if shard is None:
        return True
    digest = hashlib.sha256(str(key).encode()).digest()
    return int.from_bytes(digest[:8], "big") % shard[1] == shard[0]


def is_wanted(observation: Observation, config: FetchConfig) -> bool:
    """Whether instrument, position and date match the selection; unknown values never match."""
    if config.instruments and not any(
        is_of_instrument(observation, name) for name in config.instruments
    ):
        return False

    if config.near is not None:
        from paperclip_cli.sky.footprint import observed_footprint, separation

        here = observed_footprint(observation)
        there = observed_footprint(Observation(s_ra=config.near[0], s_dec=config.near[1]))
        if here is None or there is None or separation(here, there) > config.radius:
            return False

    if config.after is None and config.before is None:
        return True
    first, end = config.after or float("-inf"), config.before or float("inf")
    return observation.t_min is not None and first <= observation.t_min < end


def is_of_instrument(observation: Observation, name: str) -> bool:
    """Whether `name` is an observation's instrument, its detector, or both.

    `ACS`, `WFC` and `ACS/WFC` all name instrument ACS (or ACS/WFC) with detector WFC.
    """
    known = "/".join(part for part in (observation.instrument, observation.detector) if part)
    return f"/{name}/".upper() in f"/{known}/".upper()


def _without_colour(
    images: Sequence[Candidate], config: FetchConfig, excluded: Counter[str]
) -> Sequence[Candidate]:
    if config.include_color:
        return images
    kept = [image for image in images if not _COLOUR.search(image.name.rpartition("/")[2])]
    if len(kept) < len(images):
        excluded["colour composites (--include-color takes them)"] += len(images) - len(kept)
    return kept
