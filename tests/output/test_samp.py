"""Tables sent over a real SAMP hub to a program that reads them."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from astropy.table import Table
from hypothesis import given
from hypothesis import strategies as st
from pyvo.samp import SAMPHubServer

from paperclip_cli.errors import PaperclipError
from paperclip_cli.output import samp
from paperclip_cli.output.samp import send
from paperclip_cli.output.votable import votable
from paperclip_cli.report import Failure
from tests.output.test_hits import FULL
from tests.samp_hub import IMAGE, TABLE, Taker, address_of, path_of, private_hub, running


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SAMPHubServer]:
    monkeypatch.setenv("SAMP_HUB", address_of(tmp_path / "samp"))
    with private_hub(tmp_path / "samp") as server:
        yield server


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


HITS = votable([FULL], {"query": "galaxy mergers"})


def test_every_program_that_takes_tables_gets_it(hub: SAMPHubServer) -> None:
    takers = [Taker("topcat"), Taker("aladin")]
    with running(*takers):
        sent = send(HITS, "hits")
    assert (sorted(sent.programs), sent.failures) == (["aladin", "topcat"], ())
    for taker in takers:
        (loaded,) = taker.loaded
        read = Table.read(path_of(loaded), format="votable")
        assert loaded["name"] == "hits" and read["proposal_id"][0] == 15354
        assert str(read["s_ra"].unit) == "deg"


def test_a_second_table_leaves_the_first_alone(hub: SAMPHubServer) -> None:
    """A program that reads late finds each as it was sent, and replaces none by another."""
    other = votable([replace(FULL, proposal_id=7)], {"query": "dust"})
    topcat = Taker("topcat")
    with running(topcat):
        for table in (HITS, other, HITS):
            send(table, "hits")
    assert len({loaded["table-id"] for loaded in topcat.loaded}) == 3
    read = [Table.read(path_of(loaded), format="votable") for loaded in topcat.loaded]
    assert [table["proposal_id"][0] for table in read] == [15354, 7, 15354]


def test_a_program_that_answers_at_once_is_heard(
    hub: SAMPHubServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The hub delivers the answer before it waits for one."""
    monkeypatch.setattr(samp, "_TIMEOUT", 5)
    launch = hub._launch_thread

    def at_once(target: Callable, args: tuple) -> None:
        launch(target=target, args=args)
        time.sleep(0.3)

    topcat = Taker("topcat")
    with running(topcat), monkeypatch.context() as patch:
        patch.setattr(hub, "_launch_thread", at_once)
        assert send(HITS, "hits").programs == ("topcat",)


def test_fits_hits_go_as_images_to_programs_that_take_them(
    hub: SAMPHubServer, tmp_path: Path
) -> None:
    images = [tmp_path / "a.fits", tmp_path / "b.jpg", tmp_path / "c.FIT.gz"]
    topcat, ds9 = Taker("topcat"), Taker("DS9", IMAGE)
    with running(topcat, ds9):
        assert send(HITS, "hits", images).programs == ("topcat", "DS9")
    assert [path_of(loaded) for loaded in ds9.loaded] == [images[0], images[2]]
    assert len(topcat.loaded) == 1
    alone = Taker("DS9", IMAGE)
    with running(alone):
        assert send(HITS, "hits", images[:1]).programs == ("DS9",)
        with pytest.raises(PaperclipError, match="no program on the SAMP hub takes tables"):
            send(HITS, "hits", images[1:2])


def test_a_file_whose_url_needs_escapes_goes_as_a_link(
    hub: SAMPHubServer, tmp_path: Path, temporary: Path
) -> None:
    """DS9 takes a URL for a path as it stands, and opens nothing."""
    folder = tmp_path / "my sky"
    folder.mkdir()
    images = [folder / name for name in ("a 1.fits", "a_1.fits", "é[2].fits.gz", "50%.fits")]
    for number, image in enumerate(images):
        image.write_text(str(number))
    ds9 = Taker("DS9", IMAGE)
    with running(ds9):
        send(HITS, "hits", images)
    places = [Path(loaded["url"].removeprefix("file://")) for loaded in ds9.loaded]
    assert [place.read_text() for place in places] == ["0", "1", "2", "3"]
    assert all(place.is_relative_to(temporary) for place in places)
    assert [loaded["name"] for loaded in ds9.loaded][2:] == ["e[2].fits.gz", "50%.fits"]


@given(st.text())
def test_a_name_has_the_signs_that_samp_allows(text: str) -> None:
    """SAMP's standard, section 3.3: a string has the signs 0x20 to 0x7f, tab and line ends."""
    assert all(" " <= sign < "\x7f" for sign in samp._ascii(text))
    assert samp._ascii("2 × é Hα – “M 51”") == '2 x e H? - "M 51"'


def test_a_query_without_a_name_is_still_named(hub: SAMPHubServer) -> None:
    topcat = Taker("topcat")
    with running(topcat):
        send(HITS, "")
        send(HITS, "Hα")
    assert [loaded["name"] for loaded in topcat.loaded] == ["hits", "H?"]


def test_a_program_that_fails_is_named(hub: SAMPHubServer) -> None:
    with pytest.raises(PaperclipError, match="no program on the SAMP hub takes tables"):
        send(HITS, "hits")
    with (
        running(Taker("topcat", answers="no")),
        pytest.raises(PaperclipError, match=r"^topcat could not load the table: no room$"),
    ):
        send(HITS, "hits")


def test_the_others_get_what_one_does_not_take(
    hub: SAMPHubServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(samp, "_TIMEOUT", 1)
    images = [tmp_path / "a.fits", tmp_path / "b.fits"]
    full = Taker("full", TABLE, IMAGE, answers="no")
    hung = Taker("hung", TABLE, IMAGE, answers="never")
    topcat = Taker("topcat")
    with running(full, hung, topcat):
        sent = send(HITS, "hits", images)
    assert sent.programs == ("topcat",) and len(topcat.loaded) == 1
    assert sent.failures == (
        Failure("full", "could not load the table: no room"),
        Failure("hung", "does not answer within 1 s"),
        Failure("full", "could not load a.fits: no room"),
        Failure("full", "could not load b.fits: no room"),
    )
    assert len(hung.loaded) == 1, "it is not waited for again"


def test_without_a_hub_it_is_said_what_to_start(
    tmp_path: Path, temporary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SAMP_HUB", address_of(tmp_path / "none"))
    with pytest.raises(PaperclipError, match="no SAMP hub is running") as error:
        send(HITS, "hits")
    assert error.value.hint == "start TOPCAT, Aladin or DS9, then ask again"
    assert not [*temporary.iterdir()]
