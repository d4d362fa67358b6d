"""Small files in the layout of the Hubble Image Similarity Project."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from astropy.io import fits
from PIL import Image

from tests.factories import KINDS, draw

COUNT = 12
NAMES = [f"hst_1{number:04}_acs_wfc_f814w_{number}.jpg" for number in range(COUNT)]
PRODUCT = "hlsp_hisp_hst_acs-wfc3-wfpc2_all_multi_v1"


def human(seed: int = 0) -> np.ndarray:
    matrix = np.triu(np.random.default_rng(seed).random((COUNT, COUNT)), 1)
    return matrix + matrix.T


def write_images(folder: Path, names: list[str] = NAMES) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for number, name in enumerate(names):
        kind = KINDS[number % len(KINDS)][0]
        picture = draw(kind, 72, np.random.default_rng(number))
        Image.fromarray(picture).save(folder / name)


def write_table(path: Path, *columns: fits.Column) -> None:
    fits.HDUList([fits.PrimaryHDU(), fits.BinTableHDU.from_columns(columns)]).writeto(path)


def cutouts(names: list[str], title: str = "imagename") -> list[fits.Column]:
    return [
        fits.Column("objname", "20A", array=[f"NGC {len(name) % 3}" for name in names]),
        fits.Column(title, "60A", array=names),
        fits.Column("ra", "D", array=np.arange(len(names))),
    ]


def write_benchmark(folder: Path, matrix: np.ndarray | None = None) -> Path:
    """The files of the archive beside a folder of images."""
    write_images(folder / "images")
    write_table(folder / f"{PRODUCT}_cutouts.fits", *cutouts([*NAMES, "not_compared.jpg"]))
    found = human() if matrix is None else matrix
    image = fits.ImageHDU(found.astype(np.float32), name="DISTANCE")
    table = fits.BinTableHDU.from_columns(cutouts(NAMES))
    fits.HDUList([fits.PrimaryHDU(), image, table]).writeto(folder / f"{PRODUCT}_matrix.fits")
    return folder
