"""Where a preview lies: what the archive's table says, and what the picture's own header says."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import NamedTuple

from paperclip_cli.records import Observation, Wcs
from paperclip_cli.sky.footprint import enclose, observed_footprint, separation
from paperclip_cli.sky.region import Shape, parse_region
from paperclip_cli.sky.vectors import unit_vector

APART = 2 / 60  # degrees, the usual radius of a search


class Placed(NamedTuple):
    """The observation with its footprint, and the coordinates of the preview's pixels."""

    observation: Observation
    wcs: Wcs | None
    is_astray: bool = False


def place_preview(observation: Observation, wcs: Wcs | None, frame: str) -> Placed:
    """The place of a preview whose picture has the coordinates `wcs`, and the footprint `frame`.

    The frame of the picture is its footprint if the table has none. If the picture lies elsewhere
    than the table says, the table counts, and the picture's coordinates are unknown.
    """
    shapes = parse_region(frame)
    if shapes and _is_astray(observation, shapes):
        return Placed(observation, None, is_astray=True)
    if shapes and not observation.s_region:
        return Placed(replace(observation, s_region=frame), wcs)
    return Placed(observation, wcs)


def _is_astray(observation: Observation, shapes: list[Shape]) -> bool:
    """Whether a fixed target's place and the frame of its picture are more than APART apart."""
    if observation.moving:  # the table has its place at one moment
        return False
    frame = enclose(shapes)
    ra, dec = observation.s_ra, observation.s_dec
    if ra is not None and dec is not None:
        # Nearly all are settled by this, which is quick.
        cosine = sum(a * b for a, b in zip(unit_vector(ra, dec), frame.centre, strict=True))
        if cosine >= math.cos(frame.radius):
            return False
    told = observed_footprint(observation)
    return told is not None and separation(told, frame) > APART
