"""Coordinates that refer to tables of distortions in other HDUs, as Hubble's own files do."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from paperclip_cli.images.picture_file import read_file
from paperclip_cli.images.reading import PLAIN
from tests.images.odd_headers import PLAIN as PLAIN_CARDS
from tests.images.odd_headers import SHAPE
from tests.images.test_odd_headers import CENTRE, CORNERS, PIXELS, arcseconds, corners_of

fits = pytest.importorskip("astropy.io.fits")


def lookup(axis: int, version: int) -> list[fits.Card]:
    """The cards of an image whose axis is distorted by the table of that version."""
    records = ("NAXES: 2", f"EXTVER: {version}", "AXIS.1: 1", "AXIS.2: 2")
    return [
        fits.Card(f"CPDIS{axis}", "LOOKUP"),
        *(fits.Card.fromstring(f"DP{axis}     = '{record}.0'".ljust(80)) for record in records),
    ]


def table(version: int, shift: float) -> fits.ImageHDU:
    """Shifts in pixels on a grid of 3 x 3 over the image, larger to the right."""
    values = np.tile(np.linspace(0, shift, 3), (3, 1)).astype("f4")
    hdu = fits.ImageHDU(values, name="WCSDVARR", ver=version)
    height, width = SHAPE
    hdu.header.update(CRPIX1=1.0, CRVAL1=1.0, CDELT1=(width - 1) / 2)
    hdu.header.update(CRPIX2=1.0, CRVAL2=1.0, CDELT2=(height - 1) / 2)
    return hdu


def write(path: Path, with_tables: bool) -> fits.Header:
    header = fits.Header.fromstring("".join(card.ljust(80) for card in PLAIN_CARDS))
    header.extend([*lookup(1, 1), *lookup(2, 2)])
    science = fits.ImageHDU(np.random.default_rng(0).random(SHAPE), header, name="SCI")
    tables = [table(1, 8.0), table(2, -6.0)] if with_tables else []
    fits.HDUList([fits.PrimaryHDU(), science, *tables]).writeto(path)
    return science.header


def test_tables_of_distortions_count(tmp_path: Path) -> None:
    from astropy.wcs import WCS

    header = write(tmp_path / "a.fits", with_tables=True)
    observation = read_file(tmp_path / "a.fits", PLAIN).observation
    with fits.open(tmp_path / "a.fits") as hdus:
        middle, *corners = WCS(header, hdus).all_pix2world(PIXELS, 1)
        linear = WCS(header, hdus).wcs_pix2world(PIXELS, 1)
    assert arcseconds(middle, linear[0]) > 1, "the tables make a difference"
    assert observation.s_ra is not None and observation.s_dec is not None
    assert arcseconds((observation.s_ra, observation.s_dec), middle) < CENTRE
    for mine, true in zip(corners_of(observation.s_region or ""), corners, strict=True):
        assert arcseconds(mine, true) < CORNERS


def test_without_the_tables_the_rest_of_the_header_places_it(tmp_path: Path) -> None:
    write(tmp_path / "a.fits", with_tables=False)
    file = read_file(tmp_path / "a.fits", PLAIN)
    assert file.observation.s_ra == pytest.approx(202.4696) and file.picture is not None
