"""Reader of the Hubble Image Similarity Project (White & Peek 2025, arXiv 2504.17688).

It holds 2,098 cutouts of Hubble images, and a matrix of distances between them from about 850,000
comparisons by people. The archive (DOI 10.17909/0q3g-by85) calls its files

    hlsp_hisp_hst_acs-wfc3-wfpc2_all_multi_v1_<file-type>.fits or .zip

What the matrix's file, HDU and columns are called could not be confirmed. So they are found by
their form. The matrix is the only square image (or column of vectors), or that with `dist` in its
name; an image must be nearest to itself. A column of a table with a row for each image of the
matrix names the images, which are files in the folder, or in a ZIP file beside the tables. Where no
table names them, `names.txt` does: one file name a line, in the order of the matrix.
"""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

import numpy as np

from paperclip_cli.errors import BadItem, PaperclipError
from paperclip_cli.images.find import SUFFIXES, find_images, is_image_name
from paperclip_cli.images.pictures import read_picture, read_picture_bytes
from paperclip_cli.wording import counted

CITATION = "White & Peek 2025 (arXiv 2504.17688), DOI 10.17909/0q3g-by85"
NAMES = "names.txt"
LEAST = 3  # images that a correlation needs
_MOST = 20_000  # images of a matrix: 3 GB
_LARGEST = 2**28  # bytes of an image in a ZIP file
_PRODUCT = "hlsp_hisp_"
_TABLES = (".fits", ".fits.gz")
_HINT = "give the folder with the files of https://archive.stsci.edu/hlsp/hisp, and their images"


@dataclass(frozen=True)
class Cutout:
    """An image: a file, or a `member` of a ZIP file."""

    path: Path
    member: str = ""

    def picture(self) -> np.ndarray:
        """The picture uint8 [H, W(, 3)].

        Raises:
            BadItem: it cannot be read.
        """
        if not self.member:
            return read_picture(self.path)
        try:
            with zipfile.ZipFile(self.path) as archive:
                if archive.getinfo(self.member).file_size > _LARGEST:
                    raise BadItem("it is too large")
                return read_picture_bytes(archive.read(self.member))
        except (OSError, zipfile.BadZipFile, zipfile.LargeZipFile, RuntimeError) as error:
            raise BadItem(f"cannot be read from {self.path.name}: {error}") from error


class Compared(NamedTuple):
    """The images that people compared: names and cutouts of those that are there.

    `distance` float64 [n,n] is what they see between these. `missing` names the others.
    """

    names: list[str]
    cutouts: list[Cutout]
    distance: np.ndarray
    missing: list[str]


class _Matrix(NamedTuple):
    """A square array of a FITS file: `column` is that of a table, or empty for an image."""

    path: Path
    hdu: int
    name: str
    column: str
    size: int

    def __str__(self) -> str:
        return f"{self.path.name}[{self.name or self.hdu}]" + (self.column and f".{self.column}")


def read(folder: Path) -> Compared:
    """The images of a folder and the distances between them.

    Raises:
        PaperclipError: there is no matrix of distances, or nothing names its images.
    """
    if not folder.is_dir():
        raise PaperclipError(f"{folder} is no folder", _HINT)
    cutouts = _cutouts(folder)
    matrix = _find_matrix(folder)
    names = _names(folder, matrix, cutouts)
    distance = _distances(matrix)
    places = [place for place, name in enumerate(names) if _stem(name) in cutouts]
    found = [names[place] for place in places]
    missing = [name for name in names if _stem(name) not in cutouts]
    if len(found) < LEAST:
        raise PaperclipError(
            f"{folder} has {len(found):,} of the {counted(len(names), 'images')} of {matrix}", _HINT
        )
    some = distance[np.ix_(places, places)]
    return Compared(found, [cutouts[_stem(name)] for name in found], some, missing)


def _stem(name: str) -> str:
    """The name of an image without folder and ending; upper and lower case are the same."""
    plain = PurePosixPath(name.strip().replace("\\", "/")).name.lower()
    ending = next((suffix for suffix in SUFFIXES if plain.endswith(suffix)), "")
    return plain.removesuffix(ending)


def _cutouts(folder: Path) -> dict[str, Cutout]:
    """The images of a folder by stem: its files, else those in its ZIP files."""
    products = {*_products(folder)}
    found = _by_stem([Cutout(path) for path in find_images([folder]) if path not in products])
    zipped = []
    for path in sorted(folder.glob("*.zip")):
        try:
            with zipfile.ZipFile(path) as archive:
                names = [one.filename for one in archive.infolist() if not one.is_dir()]
        except (OSError, zipfile.BadZipFile) as error:
            raise PaperclipError(f"{path} is no ZIP file: {error}", "download it again") from error
        zipped += [Cutout(path, name) for name in names if is_image_name(name)]
    return _by_stem(zipped) | found


def _by_stem(cutouts: list[Cutout]) -> dict[str, Cutout]:
    found: dict[str, Cutout] = {}
    for one in cutouts:
        other = found.setdefault(_stem(one.member or one.path.name), one)
        if other is not one:
            raise PaperclipError(
                f"two images have one name: {other.member or other.path} and "
                f"{one.member or one.path}",
                "leave one of them in the folder",
            )
    return found


def _products(folder: Path) -> list[Path]:
    """The FITS files of the project beside its images."""
    named = [path for path in folder.iterdir() if path.name.lower().endswith(_TABLES)]
    return sorted(path for path in named if path.name.lower().startswith(_PRODUCT))


def _find_matrix(folder: Path) -> _Matrix:
    """The square array of the folder's tables; of several, the one with `dist` in its name."""
    found = [one for path in _products(folder) for one in _matrices(path)]
    named = [one for one in found if "dist" in str(one).lower()] if len(found) > 1 else found
    if not found:
        raise PaperclipError(f"{folder} has no {_PRODUCT}*.fits with a square matrix", _HINT)
    if len(named) != 1:
        listed = ", ".join(map(str, found))
        raise PaperclipError(
            f"it is not clear which matrix has the distances: {listed}",
            "leave only the file of distances in the folder",
        )
    if not LEAST <= named[0].size <= _MOST:
        raise PaperclipError(f"{named[0]} has {counted(named[0].size, 'images')}", _HINT)
    return named[0]


def _matrices(path: Path) -> Iterator[_Matrix]:
    """The square arrays of a FITS file, by its headers."""
    for place, hdu in _hdus(path):
        header = hdu.header
        if hdu.is_image:
            sides = {header.get("NAXIS1"), header.get("NAXIS2")}
            if header.get("NAXIS") == 2 and len(sides) == 1:
                yield _Matrix(path, place, hdu.name, "", header["NAXIS1"])
            continue
        rows = header.get("NAXIS2", 0)
        for column in hdu.columns:
            if rows > 1 and getattr(column.format, "repeat", 0) == rows and _is_number(column):
                yield _Matrix(path, place, hdu.name, column.name, rows)


def _is_number(column: Any) -> bool:
    return getattr(column.format, "format", "") in ("E", "D", "I", "J", "K")


def _hdus(path: Path) -> Iterator[tuple[int, Any]]:
    """The HDUs of a FITS file with their numbers."""
    from astropy.io import fits

    try:
        with fits.open(path, memmap=True) as hdus:
            yield from enumerate(hdus)
    except (OSError, ValueError, TypeError, KeyError, fits.VerifyError) as error:
        raise PaperclipError(f"{path} cannot be read: {error}", "download it again") from error


def _distances(matrix: _Matrix) -> np.ndarray:
    """The matrix as symmetric float64 [n,n].

    Raises:
        PaperclipError: it holds no distances.
    """
    for place, hdu in _hdus(matrix.path):
        if place == matrix.hdu:
            data = hdu.data[matrix.column] if matrix.column else hdu.data
            found = np.array(data, np.float64)
    lowest = np.where(np.isfinite(found), found, np.inf).min(axis=1)
    own = np.where(np.isfinite(found.diagonal()), found.diagonal(), -np.inf)
    if (own > lowest).any() or not (lowest >= 0).all():
        raise PaperclipError(
            f"{matrix} holds no distances: an image is not nearest to itself",
            "a matrix of similarities is none of distances",
        )
    if not np.allclose(found, found.T, rtol=1e-3, atol=1e-9, equal_nan=True):
        raise PaperclipError(f"{matrix} is not symmetric", "download it again")
    return (found + found.T) / 2


def _names(folder: Path, matrix: _Matrix, cutouts: dict[str, Cutout]) -> list[str]:
    """The names of the matrix's images in its order, by `names.txt` or by a table."""
    if (folder / NAMES).is_file():
        lines = (folder / NAMES).read_text(encoding="utf-8-sig", errors="replace").splitlines()
        names = [line.strip() for line in lines if line.strip()]
        if len(names) != matrix.size or len({*map(_stem, names)}) < len(names):
            raise PaperclipError(
                f"{folder / NAMES} has {counted(len(names), 'names')}, but {matrix} has "
                f"{counted(matrix.size, 'images')}",
                "write each image's file name on a line, in the order of the matrix",
            )
        return names

    files = [matrix.path, *(path for path in _products(folder) if path != matrix.path)]
    columns = [one for path in files for one in _columns(path, matrix.size)]
    counts = [sum(_stem(name) in cutouts for name in names) for names in columns]
    if not any(counts):
        raise PaperclipError(
            f"no table in {folder} names the images of {matrix}",
            f"write {folder / NAMES}: a file name a line, in the order of the matrix",
        )
    return columns[int(np.argmax(counts))]


def _columns(path: Path, rows: int) -> Iterator[list[str]]:
    """The columns of text of a file's tables with that many rows, if no text repeats."""
    for _, hdu in _hdus(path):
        if hdu.is_image or hdu.header.get("NAXIS2") != rows:
            continue
        for column in hdu.columns:
            if getattr(column.format, "format", "") == "A":
                names = [str(cell).strip() for cell in hdu.data[column.name]]
                if len({*map(_stem, names)}) == rows:
                    yield names
