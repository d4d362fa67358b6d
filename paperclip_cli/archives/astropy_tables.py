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
from paperclip_cli.archives.cells import declination, right_ascension
from paperclip_cli.errors import PaperclipError

if TYPE_CHECKING:
    from astropy.io.votable.tree import TableElement
    from astropy.table import Table

# Frames of a VOTable's COOSYS, and the equinox that each may state.
_SYSTEMS = {
    "icrs": ("icrs", ""),
    "eq_fk5": ("icrs", "J2000"),  # 0.02 arcsec from ICRS
    "fk5": ("icrs", "J2000"),
    "eq_fk4": ("fk4", "B1950"),
    "fk4": ("fk4", "B1950"),
}


class Columns(NamedTuple):
    """The columns of a table by their names in lower case, and the place of each row."""

    columns: dict[str, list[str]]
    places: list[str]


def read_ecsv(
    path: Path, data: bytes, names: Mapping[str, str], units: Mapping[str, str]
) -> Columns:
    """An ECSV file.

    Raises:
        PaperclipError: it is damaged, or a unit does not fit.
    """
    from astropy.table import Table

    lines = decode(data).split("\n")
    try:
        table = Table.read(lines, format="ascii.ecsv")
        columns = _columns(table, names, units)
    except Exception as error:
        # astropy raises many kinds on a damaged table and on a unit that does not fit.
        raise _damaged(path, "ECSV", error) from error
    return Columns(columns, _places(lines, len(table)))


def read_votable(
    path: Path, data: bytes, names: Mapping[str, str], units: Mapping[str, str]
) -> Columns:
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
        columns = _columns(table, names, units)
        frame = _frame(first, tree, names)
    except Exception as error:
        raise _damaged(path, "VOTable", error) from error
    if frame != "icrs":
        _turn(columns, frame, names)
    return Columns(columns, [f"row {number}" for number in range(1, len(table) + 1)])


def _damaged(path: Path, kind: str, error: Exception) -> PaperclipError:
    reason = str(error).partition("\n")[0][:200]
    return PaperclipError(f"{path} cannot be read as {kind}: {reason}")


def _columns(
    table: Table, names: Mapping[str, str], units: Mapping[str, str]
) -> dict[str, list[str]]:
    from astropy.coordinates import SkyCoord
    from astropy.table import Column
    from astropy.time import Time, TimeDelta
    from astropy.units import Quantity

    found: dict[str, list[str]] = {}
    places: list[SkyCoord] = []
    for name in table.colnames:
        column, plain = table[name], name.strip().lower()
        if isinstance(column, SkyCoord):
            places.append(column)
        elif isinstance(column, Column | Quantity | Time | TimeDelta) and plain not in found:
            found[plain] = _cells(column, units.get(names.get(plain, plain)))
    taken = {names.get(name, name) for name in found}
    if places and not taken & {"s_ra", "s_dec"}:
        sky = places[0].icrs.spherical
        for wanted, angle in (("s_ra", sky.lon), ("s_dec", sky.lat)):
            hidden = _mask(places[0], len(table)) | _mask(angle, len(table))
            found[wanted] = _texts(angle.deg, hidden)
    return found


def _cells(column: Any, unit: str | None) -> list[str]:
    """A column as text, in the unit that is given."""
    from astropy.time import Time, TimeDelta
    from astropy.units import Quantity

    hidden = _mask(column, len(column))
    if isinstance(column, TimeDelta):
        column = column.to_value(unit or "s")
    elif isinstance(column, Time):
        # UT1 is within a second of UTC; to tell how far takes a table from the network.
        column = (column if column.scale in ("utc", "ut1", "local") else column.utc).mjd
    elif unit is not None and str(getattr(column, "unit", None) or "") and _is_number(column):
        column = Quantity(_plain(column), column.unit).to_value(unit)
    return _texts(column, hidden)


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


def _frame(table: TableElement, tree: Any, names: Mapping[str, str]) -> str:
    """The frame of a VOTable's positions.

    Raises:
        ValueError: it is not one of equatorial coordinates.
    """
    systems = {one.ID: one for one in tree.iter_coosys()}
    for field in table.fields:
        system = systems.get(field.ref)
        if names.get(field.name.lower(), field.name.lower()) != "s_ra" or system is None:
            continue
        frame, equinox = _SYSTEMS.get(str(system.system).lower(), ("", ""))
        if not frame or (system.equinox or equinox) not in (equinox, equinox[1:] + ".0", ""):
            raise ValueError(f"its positions are in {system.system} {system.equinox or ''}".strip())
        return frame
    return "icrs"


def _turn(columns: dict[str, list[str]], frame: str, names: Mapping[str, str]) -> None:
    """Turn the positions of a table into ICRS. What is not a position is refused later."""
    from paperclip_cli.sky.frames import to_icrs

    own = {names.get(name, name): name for name in columns}
    if "s_ra" not in own or "s_dec" not in own:
        return
    ra, dec = columns[own["s_ra"]], columns[own["s_dec"]]
    for row, both in enumerate(zip(ra, dec, strict=True)):
        try:
            place = right_ascension(both[0]), declination(both[1])
        except ValueError:
            continue
        ra[row], dec[row] = map(repr, to_icrs(frame, *place))
