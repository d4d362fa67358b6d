"""Leakage from training: the fast searches find what brute force finds."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from paperclip_cli.dataset.leakage import SkyIndex, moving_target, seen_sky, seen_text, shingles
from paperclip_cli.records import Observation
from paperclip_cli.sky.footprint import observed_footprint, separation

# Crowded around right ascension 0, a pole and a field on the equator, so that there are neighbours.
near_zero = st.tuples(st.floats(359.8, 360.2).map(lambda ra: ra % 360), st.floats(-0.2, 0.2))
near_pole = st.tuples(st.floats(0, 360), st.floats(89.8, 90))
anywhere = st.tuples(st.floats(0, 360), st.floats(-90, 90))
places = st.one_of(near_zero, near_pole, anywhere)
regions = st.builds(
    lambda place, radius: f"CIRCLE ICRS {place[0]} {place[1]} {radius}", places, st.floats(0, 0.1)
)
observations = st.one_of(
    st.builds(lambda place: Observation(s_ra=place[0], s_dec=place[1]), places),
    st.builds(Observation, s_region=regions),
)
texts = st.lists(
    st.sampled_from(["we", "propose", "to", "observe", "the", "deep", "field", "again"]),
    max_size=14,
).map(" ".join)


@given(st.lists(observations, max_size=12), observations, st.floats(0.001, 0.5))
def test_the_search_by_declination_finds_what_a_full_search_finds(
    training: list[Observation], seen: Observation, limit: float
) -> None:
    footprints = [observed_footprint(observation) for observation in training]
    target = observed_footprint(seen)
    assert target is not None
    apart = [separation(target, footprint) for footprint in footprints if footprint is not None]
    index = SkyIndex(footprint for footprint in footprints if footprint is not None)
    if not any(abs(angle - limit) < 1e-9 for angle in apart):
        assert index.reaches(target, limit) == any(angle <= limit for angle in apart)


def test_five_arcmin_is_the_limit() -> None:
    training = [Observation(s_ra=0.0, s_dec=0.0)]
    at = [
        Observation(s_ra=360 - 4.99 / 60, s_dec=0.0),
        Observation(s_ra=0.0, s_dec=5.01 / 60),
        Observation(s_ra=180.0, s_dec=0.0),
    ]
    assert seen_sky(at, training) == [True, False, False]


def test_moving_targets_are_known_by_their_names() -> None:
    training = [
        Observation(target="67P/C-G", moving=True, s_ra=1.0, s_dec=1.0),
        Observation(target="M51", s_ra=200.0, s_dec=47.0),
    ]
    held_out = [
        Observation(target="67p c g", moving=True),
        Observation(target="Jupiter", moving=True),
        Observation(moving=True),
        Observation(target="M51", moving=True),
        Observation(s_ra=1.0, s_dec=1.0, moving=False),
    ]
    assert seen_sky(held_out, training) == [True, False, None, False, False]
    assert moving_target(Observation(target="--", moving=True)) is None


def test_what_cannot_be_known_is_null() -> None:
    assert seen_sky(
        [Observation(), Observation(s_ra=1.0, s_dec=1.0)], [Observation(s_ra=1.0, s_dec=1.0)]
    ) == [None, True]
    assert seen_sky([Observation(s_ra=1.0, s_dec=1.0)], []) == [None]
    assert seen_sky([Observation(s_ra=1.0, s_dec=1.0)], [Observation()]) == [False]


@given(
    st.dictionaries(st.integers(), texts, max_size=5),
    st.lists(texts, max_size=5),
    st.sampled_from([0.2, 0.5, 1.0]),
)
def test_texts_are_compared_as_jaccard_says(
    held_out: dict[int, str], training: list[str], limit: float
) -> None:
    def jaccard(one: str, other: str) -> float:
        first, second = shingles(one), shingles(other)
        return len(first & second) / len(first | second) if first | second else 0.0

    assert seen_text(held_out, training, limit) == {
        name: any(jaccard(text, other) >= limit for other in training)
        for name, text in held_out.items()
    }


def test_shingles() -> None:
    assert shingles("A b, c-d e. F") == {"a b c d e", "b c d e f"}
    assert shingles("Four words are few") == {"four words are few"}
    assert shingles("one two three four five") == {"one two three four five"}
    assert shingles("  ...  ") == shingles("") == frozenset()


def test_a_mission_s_worth_is_searched() -> None:
    rng = np.random.default_rng(0)
    sky = [
        Observation(s_ra=float(ra), s_dec=float(dec))
        for ra, dec in rng.uniform((0, -90), (360, 90), (8000, 2))
    ]
    field = [
        Observation(s_region=f"POLYGON ICRS {ra} 0 {ra + 0.05} 0 {ra + 0.05} .05 {ra} .05")
        for ra in rng.uniform(53, 54, 1500)
    ]
    found = seen_sky([*sky[:1000], *field[:300]], [*sky[1000:], *field[300:]])
    assert all(found[1000:]) and sum(map(bool, found[:1000])) < 20
