"""Positions of named objects, which are looked up only when that is allowed."""

from __future__ import annotations

import pytest

from paperclip_cli.errors import PaperclipError
from paperclip_cli.services.resolver import resolve_name


def test_offline_nothing_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    from astropy.coordinates import SkyCoord

    monkeypatch.setattr(SkyCoord, "from_name", lambda _: pytest.fail("asked"))
    with pytest.raises(PaperclipError, match="--offline: the position of 'M 51'"):
        resolve_name("M 51", offline=True)


def test_what_the_resolver_says_is_in_degrees(monkeypatch: pytest.MonkeyPatch) -> None:
    from astropy.coordinates import SkyCoord

    def known(name: str) -> SkyCoord | None:
        return SkyCoord("13h29m52s +47d11m43s") if name == "M 51" else None

    monkeypatch.setattr(SkyCoord, "from_name", known)
    assert resolve_name("M 51", offline=False) == pytest.approx((202.466667, 47.195278))


def test_an_unknown_name_is_one_line_with_a_way_out(monkeypatch: pytest.MonkeyPatch) -> None:
    from astropy.coordinates import SkyCoord
    from astropy.coordinates.name_resolve import NameResolveError

    def unknown(_: str) -> SkyCoord:
        raise NameResolveError("Unable to find coordinates for name 'Jupiter'\nusing http://...")

    monkeypatch.setattr(SkyCoord, "from_name", unknown)
    with pytest.raises(PaperclipError, match="no position for 'Jupiter': Unable to find") as error:
        resolve_name("Jupiter", offline=False)
    assert "--target Jupiter" in (error.value.hint or "")
    assert "\n" not in error.value.message
