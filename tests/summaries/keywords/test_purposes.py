"""Sentences of aim become short phrases; background stays background."""

from __future__ import annotations

import re

import pytest

from paperclip_cli.summaries.keywords.clauses import MOST_WORDS
from paperclip_cli.summaries.keywords.purposes import find_aims


def phrases(text: str) -> list[str]:
    return [aim.phrase for aim in find_aims(text)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "We propose to measure the ages of young star clusters.",
            ["measure ages of young star clusters"],
        ),
        (
            "The goal of this program is to constrain the mass function of brown dwarfs.",
            ["constrain mass function of brown dwarfs"],
        ),
        (
            "This will allow us to determine whether the disks are irradiated.",
            ["determine whether disks are irradiated"],
        ),
        (
            "HST photometry will reveal the stellar populations of the halo, which is faint.",
            ["reveal stellar populations of halo"],
        ),
        (
            "Images were taken in order to study the shocks in the nebula.",
            ["study shocks in nebula"],
        ),
        (
            "Our aim is to map the ionized gas and to characterise the dust lanes.",
            ["map ionized gas", "characterise dust lanes"],
        ),
        (
            "We will measure ages, masses, and metallicities of the clusters.",
            ["measure ages and masses and metallicities of clusters"],
        ),
        (
            "We propose to: {1} probe the lower end of the IMF via lensing, 2} search for "
            "intracluster MACHOs.",
            ["probe lower end of IMF", "search for intracluster MACHOs"],
        ),
        (
            "With the goal of measuring the space density of X-ray binaries, we ask for time.",
            ["measuring space density of X-ray binaries"],
        ),
        (
            "We propose measuring the relative sizes of hot accretion disks.",
            ["measuring relative sizes of hot accretion disks"],
        ),
        (
            "We propose a survey of compact planetary nebulae in the bulge.",
            ["survey of compact planetary nebulae in bulge"],
        ),
        (
            "These data will be used to test the hypothesis that black holes form in clusters.",
            ["test hypothesis that black holes form in clusters"],
        ),
        (
            "We will resolve the stars (down to V = 26) in the core of NGC 6397.",
            ["resolve stars in core of NGC 6397"],
        ),
        (
            "We propose to trace the outburst of the supernova Cas A.",
            ["trace outburst of supernova Cas A"],
        ),
    ],
)
def test_aims(text: str, expected: list[str]) -> None:
    assert phrases(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "The stars are too faint to be seen.",
        "It is due to test particles.",
        "Galaxies evolve in clusters.",
        "A study of galaxies was published.",
        "We will address these questions.",
        "We propose to obtain this.",
        "",
    ],
)
def test_what_is_no_aim(text: str) -> None:
    assert phrases(text) == []


def test_units_and_instruments_are_cut_off() -> None:
    assert phrases("We will measure the proper motions of halo stars with HST/ACS.") == [
        "measure proper motions of halo stars"
    ]
    assert phrases("We will search for faint companions of white dwarfs within 20 pc.") == [
        "search for faint companions of white dwarfs"
    ]
    assert phrases("We will determine the Hubble constant from lensed quasars.") == [
        "determine Hubble constant from lensed quasars"
    ]


def test_a_long_clause_is_cut_before_a_preposition() -> None:
    text = (
        "We propose to investigate the detailed structural properties of the host galaxies of "
        "quasars in the distant early universe around massive black holes of many kinds and ages"
    )
    (phrase,) = phrases(text)
    assert len(phrase.split()) <= MOST_WORDS
    assert phrase == "investigate detailed structural properties of host galaxies of quasars"


def test_what_is_wanted_is_stronger_than_what_is_known() -> None:
    text = (
        "Models try to explain the origin of jets. We propose to measure the speed of radio jets."
    )
    known, wanted = find_aims(text)
    assert wanted.strength > known.strength


def test_without_an_aim_the_plan_is_told() -> None:
    assert phrases("We will observe the binary quasar J1643+3156.") == [
        "observe binary quasar J1643+3156"
    ]


def test_an_aim_is_where_it_says() -> None:
    text = "Stars are old. We propose to measure the ages of stars (old ones) in clusters. The end."
    (aim,) = find_aims(text)
    assert text[aim.start : aim.end] == "measure the ages of stars (old ones) in clusters"
    assert set(re.findall(r"\w+", aim.phrase)) <= set(re.findall(r"\w+", text[aim.start : aim.end]))
