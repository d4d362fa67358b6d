"""Footprints in a table's cells as arrays of numbers, by the IVOA's Data Access Layer Interface."""

from __future__ import annotations

from typing import Any

import numpy as np

# What DALI calls the shapes of numbers, as their word in a footprint.
_WORDS = {"point": "POSITION", "circle": "CIRCLE", "polygon": "POLYGON", "range": "RANGE"}
_POLYGONS = "multipolygon"  # whose polygons are divided by a pair of NaN


def region_cells(column: Any, xtype: str) -> list[str]:
    """A column of arrays of degrees, as footprints in text.

    `xtype` says what the numbers are; without one, their count does (see `sky.region`). A cell
    without numbers is unknown.
    """
    unit = str(getattr(column, "unit", None) or "deg")
    scale = 1.0 if unit == "deg" else _degrees(unit)
    return [_region(cell, xtype.strip().lower(), scale) for cell in column]


def _degrees(unit: str) -> float:
    from astropy.units import Unit

    return float(Unit(unit).to("deg"))


def _region(cell: Any, xtype: str, scale: float) -> str:
    if isinstance(cell, str | bytes):
        return cell.decode("utf-8", "replace") if isinstance(cell, bytes) else cell
    if cell is None or cell is np.ma.masked:
        return ""
    values = getattr(cell, "value", cell)  # of a quantity
    numbers = np.ma.filled(np.ma.asarray(values, float), np.nan).ravel() * scale
    known = np.flatnonzero(np.isfinite(numbers))
    if not known.size:
        return ""
    # Arrays of one length are filled up with NaN at their end.
    numbers = numbers[: known[-1] + 1]
    if xtype == _POLYGONS:
        polygons = " ".join(_shape("POLYGON", one) for one in _divided(numbers))
        return f"UNION ICRS ({polygons})"
    return _shape(_WORDS.get(xtype, xtype), numbers)


def _shape(word: str, numbers: np.ndarray) -> str:
    """The shape as text; a NaN inside makes it one that cannot be read, which is then named."""
    return " ".join([*([word] if word else []), *(repr(float(one)) for one in numbers)])


def _divided(numbers: np.ndarray) -> list[np.ndarray]:
    gaps = np.isnan(numbers[: len(numbers) // 2 * 2]).reshape(-1, 2).all(axis=1)
    ends = [2 * int(gap) for gap in np.flatnonzero(gaps)]
    starts = [0, *(end + 2 for end in ends)]
    return [numbers[a:b] for a, b in zip(starts, [*ends, len(numbers)], strict=True)]
