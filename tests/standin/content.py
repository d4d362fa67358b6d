"""The stand-in's content: observation rows, product rows and files.

Everything is made from numbers, the same every time.
"""

from __future__ import annotations

import hashlib
import io
from collections import defaultdict
from collections.abc import Iterator
from functools import lru_cache

import numpy as np
from PIL import Image

from paperclip_cli.records import Proposal

FIELDS = {
    "obs_collection": "string",
    "intentType": "string",
    "provenance_name": "string",
    "instrument_name": "string",
    "filters": "string",
    "target_name": "string",
    "obs_id": "string",
    "s_ra": "float",
    "s_dec": "float",
    "dataproduct_type": "string",
    "proposal_id": "string",
    "proposal_pi": "string",
    "obs_title": "string",
    "calib_level": "int",
    "t_min": "float",
    "t_max": "float",
    "t_exptime": "float",
    "s_region": "string",
    "jpegURL": "string",
    "dataURL": "string",
    "dataRights": "string",
    "mtFlag": "boolean",
    "obsid": "string",
}
PRODUCT_FIELDS = {
    "obsID": "string",
    "obs_collection": "string",
    "obs_id": "string",
    "description": "string",
    "dataURI": "string",
    "productType": "string",
    "productFilename": "string",
    "size": "int",
    "parent_obsid": "string",
}
HST_FIRST, JWST_FIRST = 15000, 1200
ASTRAY = (150.1, 2.2)
# Of each proposal of Hubble's, as in recorded replies: the second visit has no footprint, the third
# and the fourth have older kinds, the products of the fourth do not say what they were listed for,
# and the coordinates inside the fifth's picture are wrong.
NO_REGION, GSC1, J2000, LOST = 1, 2, 3, 4


class Content:
    """`hst` and `jwst` proposals with `previews` each, `side` pixels wide."""

    def __init__(self, hst: int = 12, jwst: int = 4, previews: int = 5, side: int = 96) -> None:
        self.side, self.previews = side, previews
        self.observations: list[dict] = []
        self.products: defaultdict[str, list[dict]] = defaultdict(list)
        self.places: dict[str, tuple[float, float]] = {}  # by the address of a picture
        self._number = 26_000_000
        for number in range(HST_FIRST, HST_FIRST + hst):
            for visit in range(previews):
                self._hst_visit(number, visit)
        for number in range(JWST_FIRST, JWST_FIRST + jwst):
            for observation in range(2):
                self._jwst_observation(number, observation)

    def proposals(self) -> list[Proposal]:
        """One catalogue for Hubble and JWST."""
        numbers = sorted({int(row["proposal_id"]) for row in self.observations})
        return [
            Proposal(
                mission="any",
                proposal_id=number,
                abstract=f"We propose to observe the spiral galaxy NGC {number}. "
                "Our aim is to trace its star formation.",
                title=f"Spiral {number}",
                category="Galaxies",
                cycle=str(20 + number % 5),
                pi="",
            )
            for number in numbers
        ]

    def jpeg(self, uri: str) -> bytes:
        return jpeg(uri, self.side, self.places.get(uri, ASTRAY))

    def _hst_visit(self, number: int, visit: int) -> None:
        root, stem = f"j{number % 1000:03d}{visit + 1:02d}", f"hst_{number}_{visit + 1:02d}_acs_wfc"
        place = {
            "s_ra": 10 + (number - HST_FIRST) * 3.0,
            "s_dec": -20 + visit * 0.5,
            "t_min": 58000.0 + number - HST_FIRST + visit * 0.1,
        }
        common = {
            **place,
            "proposal_id": str(number),
            "instrument_name": "ACS/WFC",
            "target_name": f"NGC{number}-{visit}",
        }

        for exposure, band in enumerate(("F606W", "F814W")):
            self._observe(
                f"{root}{exposure:02d}q",
                filters=band,
                provenance_name="CALACS",
                jpegURL=f"https://archive.stsci.edu/hst/previews/{root.upper()}.jpg",
                **common,
            )
        parts = [
            self._observe(
                f"{stem}_{name}_{root}", filters=name.upper(), provenance_name="HAP-SVM", **common
            )
            for name in ("f606w", "f814w")
        ]
        total = self._observe(
            f"{stem}_total_{root}",
            filters="detection",
            provenance_name="HAP-SVM",
            jpegURL=f"https://hla.stsci.edu/cgi-bin/preview.cgi?dataset={stem}_total_{root}",
            **{**common, "s_region": self._older_region(place, visit)},
        )
        if visit != LOST:
            uri = f"mast:HST/product/{stem}_total_{root}_drc.jpg"
            self.places[uri] = place["s_ra"], place["s_dec"]
        self._hst_products(stem, root, total, parts)
        if visit == J2000:
            for obsid in (total, *parts):
                for row in self.products[obsid]:
                    row["parent_obsid"] = None

    def _hst_products(self, stem: str, root: str, total: str, parts: list[str]) -> None:
        """The products of a visit; the total's preview is listed with its parts too."""
        product = f"{stem}_total_{root}"
        for parent in (total, *parts):
            self._product(parent, product, f"{product}_drc.jpg", "PREVIEW")
        self._product(total, product, f"{product}_drc_color.jpg", "PREVIEW")
        self._product(total, product, f"{stem}_f606w_{root}_drc.jpg", "PREVIEW")
        self._product(total, product, f"{root}01q_flc.jpg", "PREVIEW")
        self._product(total, product, f"{product}_drc_thumb.jpg", "PREVIEW")
        self._product(total, product, f"{product}_drc.fits", "SCIENCE")
        cell = "hst_skycell-p1234x01y02"
        self._product(total, cell, f"{cell}_acs_wfc_total_all_drc.jpg", "PREVIEW")

    def _jwst_observation(self, number: int, observation: int) -> None:
        place = {
            "s_ra": 150 + (number - JWST_FIRST) * 1.0,
            "s_dec": 2 + observation * 0.5,
            "t_min": 59900.0 + observation,
        }
        common = {
            **place,
            "obs_collection": "JWST",
            "proposal_id": str(number),
            "target_name": f"FIELD-{number}",
        }
        for band in ("f090w", "f150w", "f200w", "f277w", "f356w", "f444w"):
            name = f"jw{number:05d}-o{observation + 1:03d}_t001_nircam_clear-{band}"
            obsid = self._observe(
                name,
                filters=f"{band.upper()};CLEAR",
                instrument_name="NIRCAM/IMAGE",
                provenance_name="CALJWST",
                jpegURL=f"mast:JWST/product/{name}_i2d.jpg" if observation == 0 else None,
                **common,
            )
            self._product(obsid, name, f"{name}_i2d.jpg", "PREVIEW", "JWST")
            self._product(obsid, name, f"{name}_i2d.fits", "SCIENCE", "JWST")
            self.places[f"mast:JWST/product/{name}_i2d.jpg"] = place["s_ra"], place["s_dec"]

        for mode, name in (
            ("NIRCAM/TARGACQ", "nircam_f212n-wlp8"),
            ("NIRCAM/IMAGE", "nircam_f212n-wlp8"),
            ("NIRSPEC/IFU", "nirspec_g395h-f290lp"),
        ):
            stem = f"jw{number:05d}-o{observation + 1:03d}_t001_{name}"
            obsid = self._observe(stem, filters="F212N", instrument_name=mode, **common)
            self._product(obsid, stem, f"{stem}_i2d.jpg", "PREVIEW", "JWST")

    def _observe(self, obs_id: str, **values: object) -> str:
        self._number += 1
        row = {
            "obs_collection": "HST",
            "intentType": "science",
            "dataproduct_type": "image",
            "calib_level": 3,
            "t_exptime": 1200.0,
            "dataRights": "PUBLIC",
            "mtFlag": False,
            "proposal_pi": "Griffiths",
            "obs_title": f"TITLE OF {values['proposal_id']}",
            "jpegURL": None,
            "dataURL": None,
            "obs_id": obs_id,
            "obsid": self._number,
            **values,
        }
        row.setdefault("t_max", row["t_min"] + 0.02)
        row.setdefault("s_region", self._region(row))
        row.setdefault("provenance_name", "")
        self.observations.append(row)
        return str(self._number)

    def _region(self, row: dict) -> str:
        ra, dec = row["s_ra"], row["s_dec"]
        left, right, bottom, top = ra - 0.02, ra + 0.02, dec - 0.02, dec + 0.02
        return f"POLYGON ICRS {left} {bottom} {right} {bottom} {right} {top} {left} {top}"

    def _older_region(self, place: dict, visit: int) -> str | None:
        corners = self._region(place).removeprefix("POLYGON ICRS ")
        closed = f"{corners} {' '.join(corners.split()[:2])}"
        older = {NO_REGION: None, GSC1: f"POLYGON GSC1  {closed}", J2000: f"POLYGON J2000 {closed}"}
        return older.get(visit, f"POLYGON ICRS {corners}")

    def _product(
        self, parent: str, obs_id: str, name: str, kind: str, collection: str = "HST"
    ) -> None:
        self.products[parent].append(
            {
                "obsID": int(parent),
                "parent_obsid": parent,
                "obs_collection": collection,
                "obs_id": obs_id,
                "description": "Preview-Full",
                "dataURI": f"mast:{collection}/product/{name}",
                "productType": kind,
                "productFilename": name,
                "size": 40_000,
            }
        )

    def rows_of(self, obsids: list[str]) -> Iterator[dict]:
        for obsid in obsids:
            yield from self.products.get(obsid, ())


@lru_cache(maxsize=4096)
def jpeg(uri: str, side: int, place: tuple[float, float] = ASTRAY) -> bytes:
    """A grey picture, unique to its address and 3/4 as high as wide.

    It has the comment that the archive's preview maker writes.
    """
    seed = hashlib.sha256(uri.encode()).digest()
    y, x = np.mgrid[-1 : 1 : int(side * 0.75) * 1j, -1 : 1 : side * 1j]
    distance = (x - seed[0] / 255 + 0.5) ** 2 + (y - seed[1] / 255 + 0.5) ** 2
    glow = np.exp(-distance * (2 + seed[2] / 16))
    noise = np.random.default_rng(seed[3]).normal(15, 6, x.shape)
    pixels = np.clip(230 * glow + noise, 0, 255).astype(np.uint8)

    height, width = pixels.shape
    comment = (
        "CTYPE1  = RA---TAN\nCTYPE2  = DEC--TAN\n"
        f"CRPIX1  = {width / 2 + 0.5}\nCRPIX2  = {height / 2 + 0.5}\n"
        f"CRVAL1  = {place[0]}\nCRVAL2  = {place[1]}\n"
        "CD1_1   = -1.4e-05\nCD1_2   = 0\nCD2_1   = 0\nCD2_2   = 1.4e-05\n"
        "COMMENT Created by fitscut 1.4.2 (William Jon McCann)\n"
    )
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=90, comment=comment.encode())
    return file.getvalue()


def fits(uri: str) -> bytes:
    """A FITS file of two blocks."""
    cards = (
        "SIMPLE  =                    T",
        "BITPIX  =                    8",
        "NAXIS   =                    1",
        "NAXIS1  =                 2880",
        "END",
    )
    header = "".join(card.ljust(80) for card in cards).ljust(2880)
    return header.encode() + hashlib.sha256(uri.encode()).digest() * 90
