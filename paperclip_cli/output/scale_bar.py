"""The length of a scale bar on a picture of the sky."""

from __future__ import annotations

import math
from dataclasses import dataclass

_MOST = 1 / 3 * (1 + 1e-9)  # of the picture's width: 20 arcsec of a minute, in floats too
# Units by their size in degrees. Of arcseconds and arcminutes there are at most 50: then comes one
# of the next unit.
_UNITS = (("deg", 1.0), ("arcmin", 1 / 60), ("arcsec", 1 / 3600))


@dataclass(frozen=True)
class ScaleBar:
    """A round length, such as `20 arcsec`, and the part of the picture's width that it takes."""

    label: str
    part: float


def scale_bar(width: float) -> ScaleBar:
    """The longest round bar for a picture that is `width` degrees wide, at most a third of it.

    Round is 1, 2 or 5 times a power of ten, in arcseconds, arcminutes or degrees.
    """
    most = width * _MOST
    unit, size = next((one for one in _UNITS if most >= one[1]), _UNITS[-1])
    length = _round(most / size)
    return ScaleBar(f"{length:g} {unit}", length * size / width)


def _round(most: float) -> float:
    """The largest of ..., 0.5, 1, 2, 5, 10, ... that is at most `most`."""
    power = math.floor(math.log10(most))
    candidates = [
        first * 10.0**each for each in (power - 1, power, power + 1) for first in (1, 2, 5)
    ]
    return max(one for one in candidates if one <= most)
