"""Which proposals of an archive, and which of their images."""

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
    """A proposal that is fetched, with the images that were drawn for it, sorted by name."""

    proposal: Proposal
    images: tuple[Candidate, ...]


@dataclass(frozen=True)
class Choice:
    """`considered` are the proposals that the selection names, whether or not they have what it takes; `excluded` counts by rule.

    `failed` are those whose images could not be listed, with the reason: what is held of them stays as it is.
    """

    wanted: tuple[Wanted, ...]
    considered: frozenset[Key]
    excluded: Mapping[str, int]
    failed: Mapping[Key, str] = field(default_factory=dict)


def choose(archive: Archive, config: FetchConfig) -> Choice:
    """Goes through the catalogue in the order of the numbers and takes what is selected and has an abstract and an image."""
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
    """At most `count` of a proposal's images, without replacement, sorted by name.

    Those are drawn whose SHA-256 of seed, proposal and name is lowest: a fair draw that neither the order of the listing nor any other
    proposal can change, and that one more image of the proposal changes in one place at most. Of images of one group (the filters of one
    field) a second is drawn only when every group has one, a third when every group has two.
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
    return tuple(
        sorted(
            (shuffled[place] for _, place in sorted(rounds)[:count]), key=lambda image: image.name
        )
    )


def is_selected(proposal: Proposal, config: FetchConfig) -> bool:
    """Whether the numbers, cycles and shard that were asked for include a proposal."""
    by_number = not config.proposals or proposal.proposal_id in config.proposals
    return (
        by_number
        and (not config.cycles or proposal.cycle in config.cycles)
        and in_shard(proposal.key, config.shard)
    )


def in_shard(key: Key, shard: tuple[int, int] | None) -> bool:
    """Whether shard (i, n) holds a proposal: each is in exactly one of the n, and stays there when others come."""
    if shard is None:
        return True
    return (
        int.from_bytes(hashlib.sha256(str(key).encode()).digest()[:8], "big") % shard[1] == shard[0]
    )


def is_wanted(observation: Observation, config: FetchConfig) -> bool:
    """Whether instrument, position and date are as asked for. What is not known is not as asked for."""
    if config.instruments and not any(
        is_of_instrument(observation, name) for name in config.instruments
    ):
        return False
    if config.near is not None:
        from paperclip_cli.sky.footprint import observed_footprint, separation

        here, there = (
            observed_footprint(observation),
            observed_footprint(Observation(s_ra=config.near[0], s_dec=config.near[1])),
        )
        if here is None or there is None or separation(here, there) > config.radius:
            return False
    if config.after is None and config.before is None:
        return True
    first, end = config.after or float("-inf"), config.before or float("inf")
    return observation.t_min is not None and first <= observation.t_min < end


def is_of_instrument(observation: Observation, name: str) -> bool:
    """`ACS`, `WFC` and `ACS/WFC` all name instrument ACS (or ACS/WFC) with detector WFC."""
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
