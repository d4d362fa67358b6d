"""Tables that astropy reads (ECSV, VOTable), as columns of text.

A masked cell is empty text, for columns of every kind: numbers with a unit or without, times,
coordinates and texts.
"""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from paperclip_cli.archives.catalogue import decode
from paperclip_cli.archives.columns import UNITS, heading, meaning
from paperclip_cli.archives.votable_frames import stated_systems, turn_to_icrs
from paperclip_cli.archives.votable_regions import region_cells
from paperclip_cli.errors import PaperclipError

if TYPE_CHECKING:
    from astropy.table import Table
SKY = "skycoord"  # a column of coordinates is one of two columns, whatever its name


class Columns(NamedTuple):
    """The columns of a table by their names in lower case, the place of each row, and notes."""

    columns: dict[str, list[str]]
    places: list[str]
    notes: tuple[str, ...] = ()


def read_ecsv(path: Path, data: bytes) -> Columns:
    """An ECSV file.

    Raises:
        PaperclipError: it is damaged, or a unit does not fit.
    """
    from astropy.table import Table

    lines = decode(data).split("\n")
    try:
        table = Table.read(lines, format="ascii.ecsv")
        columns = _columns(table, {})
    except Exception as error:
        # astropy raises many kinds on a damaged table and on a unit that does not fit.
        raise _damaged(path, "ECSV", error) from error
    return Columns(columns, _places(lines, len(table)))


def read_votable(path: Path, data: bytes) -> Columns:
    """The first table of a VOTable. Nothing that it refers to is opened.

    Raises:
        PaperclipError: it is damaged, refers to another file, or a unit or frame does not fit.
    """
    from astropy.io.votable import parse

    # astropy opens the address of a STREAM; an entity or another encoding could hide one.
    refers = re.search(rb"STREAM\b[^>]*\bhref|<!ENTITY|\0", data, re.IGNORECASE)
    if refers or not data.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<"):
        raise PaperclipError(
            f"{path} is not a VOTable that holds its own data as text",
            "save the table again, as TABLEDATA or BINARY inside the file",
        )
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = parse(io.BytesIO(data))
            first = tree.get_first_table()
            table = first.to_table(use_names_over_ids=True)
        systems = stated_systems(first, tree)
        columns = _columns(table, {field.name: field.xtype or "" for field in first.fields})
        notes = tuple(turn_to_icrs(columns, systems))
    except Exception as error:
        raise _damaged(path, "VOTable", error) from error
    places = [f"row {number}" for number in range(1, len(table) + 1)]
    return Columns(columns, places, notes)


def _damaged(path: Path, kind: str, error: Exception) -> PaperclipError:
    reason = str(error).partition("\n")[0][:200]
    return PaperclipError(f"{path} cannot be read as {kind}: {reason}")


def _columns(table: Table, xtypes: Mapping[str, str]) -> dict[str, list[str]]:
    """The columns as text. `xtypes` says of what kind the arrays in a column's cells are."""
    from astropy.coordinates import SkyCoord
    from astropy.table import Column
    from astropy.time import Time, TimeDelta
    from astropy.units import Quantity

    found: dict[str, list[str]] = {}
    places: list[SkyCoord] = []
    for name in table.colnames:
        column, (plain, scale) = table[name], heading(name)
        if isinstance(column, SkyCoord):
            places.append(column)
        elif not isinstance(column, Column | Quantity | Time | TimeDelta) or plain in found:
            continue
        elif meaning(plain) == "s_region" and not _is_text(column):
            found[plain] = region_cells(column, xtypes.get(name, ""))
        else:
            found[plain] = _cells(column, UNITS.get(meaning(plain)), scale)
    if places and not {f"{SKY}.ra", f"{SKY}.dec"} & found.keys():
        sky = places[0].icrs.spherical
        for part, angle in (("ra", sky.lon), ("dec", sky.lat)):
            hidden = _mask(places[0], len(table)) | _mask(angle, len(table))
            found[f"{SKY}.{part}"] = _texts(angle.deg, hidden)
    return found


def _cells(column: Any, unit: str | None, scale: float) -> list[str]:
    """A column as text, in the unit that is given.

    Its numbers are multiplied by `scale`, if it has no unit of its own.
    """
    from astropy.time import Time, TimeDelta
    from astropy.units import Quantity

    hidden = _mask(column, len(column))
    if isinstance(column, TimeDelta):
        column = column.to_value(unit or "s")
    elif isinstance(column, Time):
        # UT1 is within a second of UTC; to tell how far takes a table from the network.
        column = (column if column.scale in ("utc", "ut1", "local") else column.utc).mjd
    elif unit is not None and str(getattr(column, "unit", None) or "") and _is_number(column):
        # A right ascension in hours is often said to be in hours of time.
        own = "hourangle" if unit == "deg" and str(column.unit) == "h" else column.unit
        column = Quantity(_plain(column), own).to_value(unit)
    elif scale != 1 and _is_number(column):
        column = _plain(column) * scale
    return _texts(column, hidden)


def _is_text(column: Any) -> bool:
    """Whether the cells of a column are texts; those of kind `object` are arrays, or texts."""
    kind = getattr(getattr(column, "dtype", None), "kind", "")
    return kind in "SU" or (kind == "O" and all(isinstance(one, str | bytes) for one in column))


def _is_number(column: Any) -> bool:
    return getattr(getattr(column, "dtype", None), "kind", "") in "iuf"


def _plain(column: Any) -> np.ndarray:
    """The values of a column, those under a mask too."""
    return np.ma.getdata(np.asarray(getattr(column, "unmasked", column)))


def _mask(column: Any, count: int) -> np.ndarray:
    """Whether a row [N] is masked. A cell of several values is, if all of them are."""
    mask = np.asarray(getattr(column, "mask", False))
    if mask.dtype.names:  # a column of records
        mask = np.array([all(one) for one in mask.ravel()], bool).reshape(mask.shape)
    if mask.ndim == 0:
        return np.full(count, bool(mask))
    return np.asarray(mask.reshape(count, -1).all(axis=1) if count else mask.ravel(), bool)


def _texts(column: Any, hidden: np.ndarray) -> list[str]:
    is_masked = isinstance(column, np.ma.MaskedArray)  # its masked values become None
    values = (column if is_masked else _plain(column)).tolist()
    return [
        "" if is_hidden else _text(value) for value, is_hidden in zip(values, hidden, strict=True)
    ]


def _text(value: object) -> str:
    """A value as text; of several values, those that are not masked."""
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    if isinstance(value, list | tuple):
        return ";".join(filter(None, map(_text, value)))
    return "" if value is None else str(value)


def _places(lines: list[str], rows: int) -> list[str]:
    """The line of each row of an ECSV file; its number, if a cell may run over several lines."""
    numbers = [i for i, line in enumerate(lines, 1) if line.strip() and line[0] != "#"][1:]
    if len(numbers) == rows:
        return [f"line {number}" for number in numbers]
    return [f"row {number}" for number in range(1, rows + 1)]
