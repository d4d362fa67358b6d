"""Which names in a filter column are filters."""

from __future__ import annotations

import re
from collections.abc import Iterable

# What stands there instead of a filter, in headers and in the archive's tables:
#   CLEAR1L, CLEAR2S, CLEARP, OPEN, NONE, N/A, NOT USED   an empty place of a wheel, or no wheel
#   MIRROR, MIRRORA, MIRVIS                               a mirror in place of a grating (COS, STIS)
#   DETECTION                                             a mosaic of all filters of a visit
_NO_FILTER = re.compile(r"CLEAR.*|OPEN|NONE|N/A|NOT USED|MIRROR.*|MIRVIS|DETECTION|", re.IGNORECASE)


def only_filters(names: Iterable[str]) -> tuple[str, ...]:
    """The filters among some names, each once, in their order and without blanks around them."""
    stripped = dict.fromkeys(name.strip() for name in names)
    return tuple(name for name in stripped if not _NO_FILTER.fullmatch(name))
