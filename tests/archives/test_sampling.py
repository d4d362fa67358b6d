"""The choice of proposals and images is fair, and independent of everything else in the archive."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paperclip_cli.archives.base import Candidate
from paperclip_cli.archives.sampling import choose, draw, in_shard, is_of_instrument
from paperclip_cli.config import FetchConfig
from paperclip_cli.records import Key, Observation, Proposal


def images(number: int, count: int) -> list[Candidate]:
    return [
        Candidate(
            key=Key("hst", number), name=f"total_{index}.jpg", stamp="1", observation=Observation()
        )
        for index in range(count)
    ]


@dataclass(frozen=True)
class ListedArchive:
    """An archive that can only be listed."""

    listed: Sequence[Proposal]
    images: Mapping[int, Sequence[Candidate]]
    mission: str = "hst"
    identity: str = "a list"
    excluded: Mapping[str, int] = field(default_factory=dict)

    def proposals(self) -> Sequence[Proposal]:
        return self.listed

    def previews(self, key: Key) -> Sequence[Candidate]:
        return self.images.get(key.proposal_id, ())

    def read(self, candidate: Candidate):  # type: ignore[no-untyped-def]
        raise AssertionError("only what was drawn is read, and not here")

    original = read


def archive(counts: Mapping[int, int], **fields: str) -> ListedArchive:
    proposals = [
        Proposal(mission="hst", proposal_id=number, abstract="An abstract.", **fields)
        for number in counts
    ]
    return ListedArchive(
        proposals, {number: images(number, count) for number, count in counts.items()}
    )


def drawn(listed: ListedArchive, **options: object) -> dict[int, list[str]]:
    choice = choose(listed, FetchConfig(**options))
    return {
        wanted.proposal.proposal_id: [image.name for image in wanted.images]
        for wanted in choice.wanted
    }


@given(st.integers(0, 40), st.integers(1, 25), st.integers(0, 5), st.randoms())
def test_a_draw_has_no_repetition_and_no_order(
    count: int, most: int, seed: int, shuffler: random.Random
) -> None:
    listed = images(7, count)
    first = draw(listed, most, seed)
    shuffler.shuffle(listed)
    assert draw(listed, most, seed) == first
    assert len(set(first)) == len(first) == min(count, most)


def test_one_more_image_changes_one_at_most() -> None:
    fewer, more = (set(draw(images(7, count), 20, 42)) for count in (60, 61))
    assert len(fewer - more) <= 1


def test_a_draw_is_fair() -> None:
    """Drawing 3 of 10 images with 2,000 seeds takes each in 30 %, within 5 standard deviations."""
    counts = Counter(image.name for seed in range(2_000) for image in draw(images(7, 10), 3, seed))
    assert len(counts) == 10
    assert all(abs(count - 600) < 5 * (2_000 * 0.3 * 0.7) ** 0.5 for count in counts.values())


def test_other_proposals_change_nothing() -> None:
    few, many = archive({5: 40, 9: 40}), archive({9: 40, 1: 3, 5: 40, 7: 30})
    wanted = drawn(few, max_images=10)
    assert wanted[5] != wanted[9]
    assert {number: drawn(many, max_images=10)[number] for number in wanted} == wanted
    assert drawn(few, max_images=10, seed=1) != wanted


def test_what_lacks_abstract_or_image_is_counted() -> None:
    proposals = [
        Proposal(mission="hst", proposal_id=number, abstract=abstract)
        for number, abstract in ((1, "x"), (2, "x"), (3, ""), (4, ""))
    ]
    listed = replace(archive({1: 2, 2: 0, 3: 1, 4: 0}), listed=proposals)
    choice = choose(listed, FetchConfig())
    assert [wanted.proposal.proposal_id for wanted in choice.wanted] == [1]
    assert choice.excluded == {"proposals without an image": 1, "proposals without an abstract": 2}
    assert {key.proposal_id for key in choice.considered} == {1, 2, 3, 4}


@pytest.mark.parametrize(
    "name, colour",
    [
        ("hst_1_total_drc_color.jpg", True),
        ("x/COLOUR.png", True),
        ("a-color-b.jpg", True),
        ("color2.jpg", True),
        ("discolored.jpg", False),
        ("color/a.jpg", False),
        ("colors.png", False),
    ],
)
def test_colour_composites_are_told_by_the_word(name: str, colour: bool) -> None:
    listed = archive({1: 1})
    added = Candidate(key=Key("hst", 1), name=name, stamp="1", observation=Observation())
    listed = replace(listed, images={1: [*listed.images[1], added]})

    assert (name in drawn(listed)[1]) is not colour
    assert name in drawn(listed, include_color=True)[1]
    assert choose(listed, FetchConfig()).excluded == (
        {"colour composites (--include-color takes them)": 1} if colour else {}
    )


def test_selections() -> None:
    listed = archive({5: 1, 1: 1, 3: 1, 4: 0, 2: 1})
    assert list(drawn(listed)) == [1, 2, 3, 5]
    assert list(drawn(listed, proposals=(5, 2, 99))) == [2, 5]
    assert list(drawn(listed, limit=2)) == [1, 2]
    assert drawn(archive({1: 1}, cycle="12"), cycles=("11",)) == {}
    assert list(drawn(archive({1: 1}, cycle="12"), cycles=("11", "12"))) == [1]


def test_instruments() -> None:
    listed = archive({1: 2, 2: 1})
    acs = replace(listed.images[1][0], observation=Observation(instrument="ACS", detector="WFC"))
    listed = replace(listed, images={1: [acs, listed.images[1][1]], 2: listed.images[2]})
    assert drawn(listed, instruments=("acs",)) == {1: [acs.name]}
    assert choose(listed, FetchConfig(instruments=("NIRCAM",))).considered == frozenset()


@pytest.mark.parametrize(
    "instrument, detector, name, named",
    [
        ("ACS", "WFC", "ACS", True),
        ("ACS", "WFC", "wfc", True),
        ("ACS/WFC", None, "ACS/WFC", True),
        ("ACS", "WFC", "ACS/WFC", True),
        ("WFC3", "IR", "WFC", False),
        (None, None, "ACS", False),
    ],
)
def test_names_of_instruments(
    instrument: str | None, detector: str | None, name: str, named: bool
) -> None:
    assert is_of_instrument(Observation(instrument=instrument, detector=detector), name) is named


@given(st.integers(0, 60), st.integers(1, 6), st.integers(1, 40), st.integers(0, 5))
def test_no_group_is_drawn_twice_before_every_group_is_drawn_once(
    count: int, groups: int, most: int, seed: int
) -> None:
    pool = images(1, count)
    grouped = [replace(image, group=f"g{place % groups}") for place, image in enumerate(pool)]
    drawn = Counter(image.group for image in draw(grouped, most, seed))
    there = Counter(image.group for image in grouped)
    assert sum(drawn.values()) == min(count, most)
    for group, size in there.items():
        # A group falls behind another only if it has no more images.
        assert drawn[group] >= min(size, max(drawn.values(), default=0) - 1)


@given(st.integers(1, 50), st.lists(st.integers(0, 30_000), max_size=50))
def test_each_proposal_is_in_one_shard(count: int, numbers: list[int]) -> None:
    for number in numbers:
        assert sum(in_shard(Key("hst", number), (index, count)) for index in range(count)) == 1
    assert all(in_shard(Key("hst", number), None) for number in numbers)
