"""Positions of named targets, from an index's own observations."""

from __future__ import annotations

import json
from typing import NamedTuple

import numpy as np

from paperclip_cli.indexes.named import images_named
from paperclip_cli.indexes.open_index import Words
from paperclip_cli.sky.footprint import angles_between
from paperclip_cli.sky.vectors import direction, unit_vector

SPREAD = 1.0  # degrees: what is wider has no one position, or is several targets of one name


class Target(NamedTuple):
    """The middle of a target's images, in degrees (ICRS), and how far from it they reach."""

    ra: float
    dec: float
    images: int
    reach: float

    @property
    def is_one_place(self) -> bool:
        return self.reach <= SPREAD / 2


def find_target(observations: Words, name: str) -> Target | None:
    """A fixed target of that name, however it is spaced and written: `M 57`, `m-57`, `NGC 6720`.

    Unlike `--target`, only the whole name counts: `M 57` is not `M57-HALO`.
    """
    rows = [image.row for image in images_named(observations, name) if image.is_placed]
    places = observations.execute(
        # Both from one place: half of a position says nothing.
        "SELECT CASE WHEN s_dec IS NULL THEN sky_ra ELSE coalesce(s_ra, sky_ra) END,"
        " CASE WHEN s_ra IS NULL THEN sky_dec ELSE coalesce(s_dec, sky_dec) END"
        " FROM json_each(?) JOIN images ON images.id = value ORDER BY images.id",
        (json.dumps(rows),),
    )
    if not places:
        return None
    vectors = np.array([unit_vector(*place) for place in places])
    mean = vectors.mean(axis=0)
    length = float(np.linalg.norm(mean))
    centre = mean / length if length > 1e-9 else vectors[0]
    reach = float(np.degrees(angles_between(vectors, centre).max()))
    x, y, z = centre.tolist()
    return Target(*direction((x, y, z)), len(places), reach)
