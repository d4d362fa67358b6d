"""Spellings and designations of the same object."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paperclip_cli.text.object_names import designations, is_named, names_in, parts_of, spellings


@pytest.mark.parametrize(
    ("target", "wanted", "found"),
    [
        ("NGC4038-39", "NGC 4038", True),
        ("NGC-4038", "ngc4038", True),
        ("M51", "M 5", False),
        ("M51", "M51", True),
        ("M 51-POS2", "M51", True),
        ("SN1987A", "SN 1987A", True),
        ("SN1987A", "1987a", True),
        ("SN1987A", "SN 1987", True),
        ("SN1987A", "87A", False),
        ("JUPITER-SOUTH", "jupiter", True),
        ("JUPITERX", "jupiter", False),
        ("MARS", "-", False),
        (None, "M51", False),
        ("A(B)", "a(b", True),
        ("NGC224-DISK", "M 31", True),
        ("NGC0224", "ngc 224", True),
        ("NGC 224", "NGC0224", True),
        ("M31-B15", "ngc 224", True),
        ("NGC2244", "M31", False),
        ("IC4725", "Messier 25", True),
        ("NGC4725", "Messier 25", False),
        ("SHARPLESS 2-170", "Sh2-170", True),
    ],
)
def test_a_name_within_the_name_of_a_target(target: str | None, wanted: str, found: bool) -> None:
    assert is_named(target, wanted) is found


@pytest.mark.parametrize(
    ("messier", "other"),
    # From the NASA/IPAC Extragalactic Database and SIMBAD.
    [(1, "NGC 1952"), (24, "IC 4715"), (31, "NGC 224"), (57, "NGC 6720"), (110, "NGC 205")],
)
def test_messiers_objects_have_two_designations(messier: int, other: str) -> None:
    names = {f"M{messier}", f"Messier {messier}", other, other.replace(" ", "")}
    assert {frozenset(designations(name)) for name in names} == {
        frozenset({("m", str(messier)), parts_of(other)})
    }


def test_every_messier_object_has_one_other_designation_at_most() -> None:
    found = [designations(f"M {number}") for number in range(1, 111)]
    assert [number for number, names in enumerate(found, 1) if len(names) == 1] == [40, 45]
    assert len(set(map(frozenset, found))) == 110
    assert designations("M 111") == {("m", "111")} and designations("--") == set()


@given(st.text(max_size=20))
def test_a_name_is_one_of_its_own_spellings(name: str) -> None:
    for parts in spellings(name):
        assert parts == () or parts_of(" ".join(parts)) in designations(name)
    if parts_of(name):
        assert is_named(name, name)


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("M 31", ["M 31"]),
        ("dust in NGC 4038 and M31.", ["dust in NGC 4038 and M31.", "NGC 4038", "M31"]),
        ("SIM-J115837.1+233116", ["SIM-J115837.1+233116", "J115837.1+233116"]),
        ("galaxy mergers", ["galaxy mergers"]),
        ("Sh 2-170", ["Sh 2-170"]),
    ],
)
def test_names_in_a_text(text: str, names: list[str]) -> None:
    assert names_in(text) == names
