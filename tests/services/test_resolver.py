"""Positions of named objects, which are looked up only when that is allowed."""

from __future__ import annotations

from email.message import Message
from http.client import IncompleteRead
from pathlib import Path

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


def test_without_a_network_it_says_so_in_its_own_words(monkeypatch: pytest.MonkeyPatch) -> None:
    """The words are those of astropy, whose download fails as it does without a network."""
    from urllib.error import HTTPError, URLError

    from astropy.coordinates import name_resolve

    failures = [
        (URLError(OSError(-2, "Name or service not known")), r" \(Name or service not known\)"),
        (
            HTTPError("https://x", 503, "Service Unavailable", Message(), None),
            r" \(Service Unavailable\)",
        ),
        (TimeoutError("timed out"), r" \(Request took longer than .* seconds\)"),
        (ConnectionResetError("reset"), ""),
        (IncompleteRead(b""), ""),
    ]
    for failure, reason in failures:

        def fails(*_: object, failure: Exception = failure, **__: object) -> str:
            raise failure

        monkeypatch.setattr(name_resolve, "download_file", fails)
        said = rf"no position for 'M 51': the CDS name resolver cannot be reached, .*{reason}"
        with pytest.raises(PaperclipError, match=rf"^{said}$") as error:
            resolve_name("M 51", offline=False)
        assert "URL" not in error.value.message and "check the network" in (error.value.hint or "")


def test_an_answer_that_is_no_answer_of_the_resolver(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from astropy.coordinates import name_resolve

    page = tmp_path / "page.html"
    page.write_text("<html>Log in to the guest network</html>")
    monkeypatch.setattr(name_resolve, "download_file", lambda *_, **__: str(page))
    with pytest.raises(PaperclipError, match=r"^no position for 'M 51': .*'M 51'$"):
        resolve_name("M 51", offline=False)
