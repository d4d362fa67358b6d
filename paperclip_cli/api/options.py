"""The options of each function, named like those of its command.

Values are what the command line takes as text, or what a program would naturally give.
`tests/api/test_options.py` holds them to the configurations and to the commands.
"""

from __future__ import annotations

import datetime
import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, TypeAlias, TypedDict, Union

from paperclip_cli.config.choices import Collapse, RankBy
from paperclip_cli.config.search import QueryImage

if TYPE_CHECKING:
    from astropy.coordinates import Angle, SkyCoord
    from astropy.time import Time
    from astropy.units import Quantity

Texts: TypeAlias = Union[str, Sequence[str]]
"""One value, several separated by commas, or a list."""
Numbers: TypeAlias = Union[int, str, Sequence[Union[int, str]]]
"""A number, a list, or ranges such as `"25-26,28"`."""
Position: TypeAlias = "Union[str, tuple[float, float], SkyCoord]"
"""`"13:29:52 +47:11:43"`, `"M 51"`, (ra, dec) in degrees, or an astropy SkyCoord."""
Separation: TypeAlias = "Union[str, Quantity, Angle]"
"""`"10arcmin"`, or an angle of astropy."""
Date: TypeAlias = "Union[str, datetime.date, Time, float]"
"""`"2015-03-20"`, a date, an astropy Time, or a Modified Julian Date."""
Image: TypeAlias = Union[str, os.PathLike[str], QueryImage]
"""A JPEG, PNG, TIFF or FITS file, an array, or an image of Pillow."""


class Conditions(TypedDict, total=False):
    """The options of `paperclip query` that say what to find, and how many hits."""

    image: Union[Image, Sequence[Image]]
    minus: Texts
    weight: Union[float, Sequence[float]]
    k: int
    min_score: float | None
    mission: Texts
    proposal: Numbers
    instrument: Texts
    filter: Texts
    cycle: Numbers
    target: Texts
    near: Position | None
    radius: Separation
    centre_only: bool
    moving: bool
    after: Date | None
    before: Date | None
    collapse: Collapse
    rank_by: RankBy
