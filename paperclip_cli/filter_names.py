"""Filters told apart from the other entries of a filter column."""

from __future__ import annotations

import re
from collections.abc import Iterable

# Entries other than filters, in headers and in the archive's tables:
#   CLEAR1L, CLEAR2S, CLEARP, OPEN, NONE, N/A, NOT USED   an empty slot of a wheel, or no wheel
#   MIRROR, MIRRORA, MIRVIS                               a mirror in place of a grating (COS, STIS)
#   DETECTION                                             a mosaic of all filters of a visit
_NO_FILTER = re.compile(r"CLEAR.*|OPEN|NONE|N/A|NOT USED|MIRROR.*|MIRVIS|DETECTION|", re.IGNORECASE)


def only_filters(names: Iterable[str]) -> tuple[str, ...]:
    """The filters among some names, stripped, each once and in the order given."""
    stripped = dict.fromkeys(name.strip() for name in names)
    return tuple(name for name in stripped if not _NO_FILTER.fullmatch(name))
