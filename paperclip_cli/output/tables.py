"""Hits and observations as astropy tables, with units, UCDs and masked unknown values."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from astropy.table import Column as PlainColumn
from astropy.table import MaskedColumn, QTable
from astropy.units import Quantity
from astropy.utils.masked import Masked

from paperclip_cli.output.hits import COLUMNS, Column

_TYPES = {"int": np.int64, "float": np.float64, "str": np.str_, "list": np.str_}


def table(
    rows: Iterable[Mapping[str, object]],
    meta: Mapping[str, object],
    columns: Sequence[Column] = COLUMNS,
) -> QTable:
    """A table of `rows`, which hold a value for each column by name, None where it is unknown.

    Columns with a unit are quantities. Lists are texts joined by `;`, as in the VOTable.
    """
    made, rows = QTable(meta=dict(meta)), list(rows)
    for column in columns:
        made[column.name] = _column(column, [row[column.name] for row in rows])
        made[column.name].info.description = column.description
        if column.ucd is not None:
            made[column.name].info.meta = {"ucd": column.ucd}
    return made


def _column(column: Column, values: Sequence[object]) -> PlainColumn | Quantity:
    if column.kind == "list":
        values = [";".join(value) for value in values]  # type: ignore[arg-type]
    unknown = np.array([value in (None, "") for value in values], bool)
    kind = _TYPES[column.kind]
    known = [kind() if hidden else value for value, hidden in zip(values, unknown, strict=True)]
    data: np.ndarray = np.array(known, dtype=kind)

    if column.unit is not None:
        quantity = Quantity(data, column.unit)
        return Masked(quantity, mask=unknown) if unknown.any() else quantity
    return MaskedColumn(data, mask=unknown) if unknown.any() else PlainColumn(data)
