"""Leakage: held-out rows whose sky, moving target or text also occurs in training.

A split by proposal still leaks, because some fields and planets recur in dozens of proposals, often
with re-used text.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable, Mapping, Sequence
from typing import TypeVar

import numpy as np

from paperclip_cli.records import Observation
from paperclip_cli.sky.footprint import (
    Footprint,
    angles_between,
    declination,
    observed_footprint,
    separation,
)

SKY_LIMIT = 5.0 / 60  # degrees
TEXT_LIMIT = 0.5
SHINGLE_WORDS = 5
ROUNDING = 1e-9  # radians

Name = TypeVar("Name", bound=Hashable)


def seen_sky(
    held_out: Sequence[Observation], training: Sequence[Observation], limit: float = SKY_LIMIT
) -> list[bool | None]:
    """Whether training shows the sky or the moving target of each held-out observation.

    The sky is shown by a training footprint within `limit` degrees. None where this cannot be
    known: a moving target without a name, a fixed one without coordinates, no training observation
    at all.
    """
    if not training:
        return [None] * len(held_out)

    targets = {moving_target(observation) for observation in training} - {None}
    footprints = set(map(fixed_footprint, training))
    sky = SkyIndex(footprint for footprint in footprints if footprint is not None)
    known: dict[Footprint, bool] = {}
    return [_seen(observation, targets, sky, limit, known) for observation in held_out]


def _seen(
    observation: Observation,
    targets: set[str | None],
    sky: SkyIndex,
    limit: float,
    known: dict[Footprint, bool],
) -> bool | None:
    if observation.moving:
        target = moving_target(observation)
        return None if target is None else target in targets

    footprint = fixed_footprint(observation)
    if footprint is None:
        return None
    if footprint not in known:
        known[footprint] = sky.reaches(footprint, limit)
    return known[footprint]


def moving_target(observation: Observation) -> str | None:
    """The name of a moving target in a normal form; None where it is fixed or unnamed.

    Case, blanks and punctuation do not count ("67P/C-G", "67p c g").
    """
    if not observation.moving or not observation.target:
        return None
    return re.sub(r"[\W_]+", "", observation.target).casefold() or None


def fixed_footprint(observation: Observation) -> Footprint | None:
    """The footprint of a fixed target; None for a moving one, whose sky is a matter of chance."""
    return None if observation.moving else observed_footprint(observation)


class SkyIndex:
    """Footprints sorted by declination, so that a search only looks at a band of the sky."""

    def __init__(self, footprints: Iterable[Footprint]) -> None:
        self.footprints = sorted(
            footprints, key=lambda footprint: declination(np.array(footprint.centre))
        )
        self.centres = np.array([footprint.centre for footprint in self.footprints]).reshape(-1, 3)
        self.declinations = declination(self.centres)
        self.radii = np.array([footprint.radius for footprint in self.footprints])

    def reaches(self, footprint: Footprint, limit: float) -> bool:
        """Whether any footprint of the index lies within `limit` degrees of this one."""
        if not self.footprints:
            return False

        centre = np.array(footprint.centre)
        reach = np.radians(limit) + footprint.radius + ROUNDING
        middle, band = declination(centre), reach + self.radii.max()
        first, last = np.searchsorted(self.declinations, [middle - band, middle + band])

        angles = angles_between(self.centres[first:last], centre)
        near = np.flatnonzero(angles <= reach + self.radii[first:last])
        nearest_first = first + near[np.argsort(angles[near], kind="stable")]
        return any(separation(footprint, self.footprints[i]) <= limit for i in nearest_first)


def shingles(text: str, words: int = SHINGLE_WORDS) -> frozenset[str]:
    """Runs of `words` words, without case and punctuation.

    A shorter text is a single run; a text without words has none.
    """
    found = re.findall(r"\w+", text.casefold())
    count = max(len(found) - words + 1, min(len(found), 1))
    return frozenset(" ".join(found[i : i + words]) for i in range(count))


def seen_text(
    held_out: Mapping[Name, str], training: Iterable[str], limit: float = TEXT_LIMIT
) -> dict[Name, bool]:
    """Whether a training text shares at least `limit` of its shingles with each held-out text.

    The measure is Jaccard's: common / all. The result is exact: the held-out shingles form an
    inverted index, through which the training texts pass one by one.
    """
    sizes: dict[Name, int] = {}
    holders: defaultdict[str, list[Name]] = defaultdict(list)
    for name, text in held_out.items():
        found = shingles(text)
        sizes[name] = len(found)
        for shingle in found:
            holders[shingle].append(name)

    seen = dict.fromkeys(held_out, False)
    for text in training:
        found = shingles(text)
        common = Counter(name for shingle in found & holders.keys() for name in holders[shingle])
        for name, count in common.items():
            seen[name] = seen[name] or count >= limit * (sizes[name] + len(found) - count)
    return seen
