"""The simulated sky as an archive."""

from __future__ import annotations

import hashlib
import pickle
import re
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from paperclip_cli.archives.base import Candidate
from paperclip_cli.errors import BadItem, UsageError
from paperclip_cli.records import Key
from paperclip_cli.simulation.archive import SimulatedSky, simulated_sky
from paperclip_cli.simulation.classes import CLASSES
from paperclip_cli.simulation.plan import Plan, plan_proposal

LARGE = simulated_sky(1700, 3)


@pytest.fixture(scope="module")
def plans() -> list[Plan]:
    """The plans of the large sky, neither written nor painted."""
    return [plan_proposal(LARGE.seed, index) for index in range(LARGE.count)]


@pytest.fixture(scope="module")
def frames() -> list[Candidate]:
    """The first frames of the large sky, not painted."""
    return _candidates(simulated_sky(120, LARGE.seed))


def _candidates(sky: SimulatedSky) -> list[Candidate]:
    return [candidate for proposal in sky.proposals() for candidate in sky.previews(proposal.key)]


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 2**31), st.integers(1, 12), st.integers(1, 12))
def test_a_longer_sky_extends_a_shorter_one(seed: int, count: int, more: int) -> None:
    short, long = simulated_sky(count, seed), simulated_sky(count + more, seed)
    assert list(short.proposals()) == list(long.proposals())[:count]
    assert _candidates(short) == _candidates(long)[: len(_candidates(short))]


def test_the_same_seed_paints_the_same_bytes_with_one_worker_and_with_four() -> None:
    candidates = _candidates(simulated_sky(6, 11))
    alone = [simulated_sky(6, 11).read(candidate) for candidate in candidates]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(simulated_sky(6, 11).read, reversed(candidates)))
    assert [hashlib.sha256(a.tobytes()).digest() for a in alone] == [
        hashlib.sha256(b.tobytes()).digest() for b in reversed(together)
    ]
    other = simulated_sky(6, 12)
    assert list(other.proposals()) != list(simulated_sky(6, 11).proposals())


def test_a_picture_is_grey_white_outside_and_of_the_archives_size(frames: list[Candidate]) -> None:
    for candidate in frames[:40:2]:
        picture = LARGE.read(candidate)
        assert picture.dtype == np.uint8 and picture.ndim == 2
        assert max(picture.shape) == 512 and min(picture.shape) > 200

        blank = LARGE.blank_interior(candidate)
        assert blank.shape == picture.shape and np.array_equal(blank == 255, picture == 255)
        assert len(np.unique(blank[blank < 255])) == 1 and len(np.unique(picture)) > 20


def test_records_are_complete(frames: list[Candidate]) -> None:
    names = Counter((candidate.key, candidate.name) for candidate in frames)
    assert max(names.values()) == 1
    for proposal in simulated_sky(50, LARGE.seed).proposals():
        assert proposal.mission == "sim" and proposal.pi == ""
        assert proposal.abstract and proposal.title and proposal.category
        assert 9 <= int(proposal.cycle) <= 31 and 1 <= len(LARGE.previews(proposal.key)) <= 6

    for candidate in frames:
        seen = candidate.observation
        assert seen.target and 0 <= seen.s_ra < 360 and -90 <= seen.s_dec <= 90
        assert seen.s_region.startswith("POLYGON ICRS ")
        assert seen.instrument and seen.detector and seen.filters
        assert seen.t_exptime > 0 and 49_000 < seen.t_min < 60_000


def _keys(seed: int) -> set[Key]:
    return {proposal.key for proposal in simulated_sky(5, seed).proposals()}


def test_two_skies_share_no_proposal() -> None:
    one, other = _keys(42), _keys(1_000_042)
    assert not one & other and all(key.proposal_id < 10**9 for key in one | other)


def test_classes_are_balanced(plans: list[Plan]) -> None:
    counts = Counter(plan.kind.label for plan in plans[: 10 * len(CLASSES)])
    assert len(counts) == len(CLASSES) and set(counts.values()) == {10}


def test_enough_frames_are_faint_and_off_centre_and_some_failed(plans: list[Plan]) -> None:
    every = [frame for plan in plans for frame in plan.frames]
    assert np.mean([frame.target.faint for frame in every]) >= 0.4
    assert 0.2 <= np.mean([frame.pointing.off_centre for frame in every]) <= 0.5
    assert 0.01 <= np.mean([bool(frame.conditions.failure) for frame in every]) <= 0.05


def test_the_truth_is_that_of_the_plan(plans: list[Plan]) -> None:
    for plan in plans[:20]:
        candidates = LARGE.previews(Key("sim", plan.proposal_id))
        for frame, candidate in zip(plan.frames, candidates, strict=True):
            truth = LARGE.truth(candidate)
            assert (truth.label, truth.subtype) == (plan.kind.label, plan.subtype)
            assert truth.faint == frame.target.faint
            assert truth.off_centre == frame.pointing.off_centre
            assert truth.failed == bool(frame.conditions.failure)


@pytest.mark.parametrize(
    "what", ["instrument", "filters", "roll", "off_centre", "failed", "exposures", "faint"]
)
def test_nothing_about_the_frame_tells_the_class(plans: list[Plan], what: str) -> None:
    """A chi-square test with one frame per proposal, as frames of a proposal share a camera."""
    pairs = []
    for plan in plans:
        frame = plan.frames[0]
        values = {
            "instrument": frame.pointing.camera.instrument,
            "filters": frame.band.names[0],
            "roll": int(frame.pointing.roll * 4 / np.pi),
            "off_centre": frame.pointing.off_centre,
            "failed": bool(frame.conditions.failure),
            "exposures": len(frame.pointing.dithers),
            "faint": frame.target.faint,
        }
        pairs.append((plan.kind.label, values[what]))

    statistic, freedom = _chi_square(pairs)
    # Wilson & Hilferty's approximation gives a standard normal deviate. The chance of more than 3.5
    # is below 1 in 4,000.
    variance = 2 / (9 * freedom)
    deviate = ((statistic / freedom) ** (1 / 3) - (1 - variance)) / np.sqrt(variance)
    assert deviate < 3.5


def test_file_names_tell_the_camera_and_nothing_else(frames: list[Candidate]) -> None:
    pattern = re.compile(r"sim_\d\d_(acs_wfc|wfc3_uvis|wfc3_ir|wfpc2_wfc)_total_[0-9a-z]{6}_drc")
    assert all(pattern.fullmatch(candidate.name) for candidate in frames)

    words: set[str] = set()
    for kind in CLASSES:
        words.update((*kind.label.lower().split(), kind.phrases, *kind.subtypes))
    long_words = [word for word in words if len(word) > 3]
    assert not any(word in candidate.name for word in long_words for candidate in frames)


def test_the_archive_is_cheap_to_send_to_a_worker() -> None:
    assert len(pickle.dumps(LARGE)) < 300 and pickle.loads(pickle.dumps(LARGE)) == LARGE


def test_what_is_not_of_this_sky_is_refused(frames: list[Candidate]) -> None:
    sky = simulated_sky(2, 3)
    with pytest.raises(BadItem, match="sim:99999"):
        sky.previews(Key("sim", 99_999))
    with pytest.raises(BadItem, match="hst:4000001"):
        sky.previews(Key("hst", sky.proposals()[0].proposal_id))
    with pytest.raises(BadItem, match="not a preview"):
        LARGE.read(replace(frames[0], name="sim_00_acs_wfc_total_zzzzzz_drc"))
    with pytest.raises(UsageError, match="--simulate 0"):
        simulated_sky(0, 1)


def _chi_square(pairs: list[tuple[str, object]]) -> tuple[float, int]:
    """Pearson's statistic of independence and its degrees of freedom; rare values are merged."""
    counts = Counter(str(value) for _, value in pairs)
    merged = [(label, str(value) if counts[str(value)] >= 85 else "rare") for label, value in pairs]
    labels, values = sorted({label for label, _ in merged}), sorted({value for _, value in merged})
    table = np.zeros((len(labels), len(values)))
    for label, value in merged:
        table[labels.index(label), values.index(value)] += 1
    expected = table.sum(axis=1, keepdims=True) * table.sum(axis=0, keepdims=True) / table.sum()
    return float(((table - expected) ** 2 / expected).sum()), (len(labels) - 1) * (len(values) - 1)
