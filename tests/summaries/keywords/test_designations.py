"""Names of single objects, and words that only look like one."""

from __future__ import annotations

import pytest

from paperclip_cli.summaries.keywords.designations import designations


def names(text: str) -> list[str]:
    return [text[start:end] for start, end in designations(text)]


@pytest.mark.parametrize(
    "name",
    [
        "NGC 1850",
        "NGC2363-V1",
        "IC 4406",
        "M 31",
        "M87",
        "Abell 1689",
        "HD 189733",
        "3C 273",
        "PKS 0637--752",
        "GJ 436b",
        "SN 1987A",
        "SN2012cg",
        "GRB 130427A",
        "PSR J0108-1431",
        "SDSS J1005+3722",
        "J1643+3156",
        "SN0540--69.3",
        "PLCKG266.6-27.3",
        "SPT0348-62",
        "MS1054-03",
        "WASP-80b",
        "RY Scuti",
        "P Cygni",
        "V404 Cyg",
        "Eta Carinae",
        "47 Tuc",
        "Omega Centauri",
        "Cas A",
        "Large Magellanic Cloud",
        "LMC",
        "Jupiter",
        "Io",
        "C/1995 O1",
        "55P/Tempel-Tuttle",
        "Comet Hyakutake",
        "Helix Nebula",
        "Crab Nebula",
        "Robin's Egg Nebula",
        "Orphan Stream",
        "Sh 2-170",
        "LBN 577",
        "Terzan 5",
        "Leo P",
        "FRB 121102",
        "PDS 70",
    ],
)
def test_names(name: str) -> None:
    assert names(f"We observed {name} in detail") == [name]
    assert names(f"the data of {name}, however.") == [name]


@pytest.mark.parametrize(
    "text",
    [
        "M dwarfs and M stars",
        "an M5 dwarf",
        "10 Jupiter-mass planets",
        "a Jupiter mass",
        "SN explosions",
        "in 1987",
        "Io-like",
        "The Cluster",
        "F814W and WFC3/UVIS",
        "Cycle 25",
        "the Virgo Cluster Survey",
        "12.5 Mpc",
        "H I gas",
    ],
)
def test_what_is_no_name(text: str) -> None:
    assert names(text) == []


def test_a_name_at_the_end_of_a_sentence() -> None:
    assert names("the globular cluster M28. The next") == ["M28"]


def test_the_longer_name_wins() -> None:
    assert names("the Andromeda Galaxy (M 31)") == ["Andromeda Galaxy", "M 31"]
    assert names("the Large Magellanic Cloud") == ["Large Magellanic Cloud"]
