"""The object classes of the simulated sky: name, painter, place on the sky and surroundings."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from paperclip_cli.simulation import clouds, galaxies, groups, lenses, shells, solar, stars
from paperclip_cli.simulation.drawing import Grid, Random, Scene
from paperclip_cli.simulation.instruments import Band

Painter: TypeAlias = Callable[[Random, Grid, str, Band], Scene]


@dataclass(frozen=True, kw_only=True)
class Kind:
    """A class of object.

    `phrases` names its section in the phrase lists. `radius` is its range of sizes in pixels.
    `where` is `far`, `galactic` or `solar`; it also sets `stars` and `background`, the ranges of
    the mean number of field stars and of background galaxies in a frame.
    """

    label: str
    phrases: str
    paint: Painter
    subtypes: tuple[str, ...]
    where: str
    radius: tuple[float, float]

    @property
    def stars(self) -> tuple[float, float]:
        return {"far": (6.0, 60.0), "galactic": (25.0, 260.0), "solar": (4.0, 40.0)}[self.where]

    @property
    def background(self) -> tuple[float, float]:
        return {"far": (25.0, 140.0), "galactic": (0.0, 30.0), "solar": (0.0, 15.0)}[self.where]


CLASSES = (
    Kind(
        label="spiral galaxy",
        phrases="spiral",
        paint=galaxies.spiral,
        subtypes=("normal", "barred", "flocculent"),
        where="far",
        radius=(90, 190),
    ),
    Kind(
        label="elliptical galaxy",
        phrases="elliptical",
        paint=galaxies.elliptical,
        subtypes=("smooth", "smooth", "shells"),
        where="far",
        radius=(70, 150),
    ),
    Kind(
        label="edge-on galaxy",
        phrases="edge_on",
        paint=galaxies.edge_on,
        subtypes=("normal",),
        where="far",
        radius=(105, 230),
    ),
    Kind(
        label="dwarf irregular galaxy",
        phrases="dwarf",
        paint=galaxies.dwarf,
        subtypes=("quiet", "starburst"),
        where="far",
        radius=(90, 170),
    ),
    Kind(
        label="galaxy merger",
        phrases="merger",
        paint=groups.merger,
        subtypes=("early", "late"),
        where="far",
        radius=(100, 180),
    ),
    Kind(
        label="galaxy cluster",
        phrases="cluster",
        paint=groups.cluster,
        subtypes=("plain", "arcs"),
        where="far",
        radius=(130, 220),
    ),
    Kind(
        label="gravitational lens",
        phrases="lens",
        paint=lenses.lens,
        subtypes=("ring", "arc", "quad"),
        where="far",
        radius=(90, 170),
    ),
    Kind(
        label="quasar",
        phrases="quasar",
        paint=stars.quasar,
        subtypes=("plain", "jet", "companions"),
        where="far",
        radius=(70, 130),
    ),
    Kind(
        label="globular cluster",
        phrases="globular",
        paint=stars.globular,
        subtypes=("dense", "loose"),
        where="galactic",
        radius=(90, 180),
    ),
    Kind(
        label="open cluster",
        phrases="open_cluster",
        paint=stars.open_cluster,
        subtypes=("bare", "embedded"),
        where="galactic",
        radius=(130, 220),
    ),
    Kind(
        label="crowded field",
        phrases="crowded_field",
        paint=stars.crowded_field,
        subtypes=("clear", "dusty"),
        where="galactic",
        radius=(95, 130),
    ),
    Kind(
        label="planetary nebula",
        phrases="planetary",
        paint=shells.planetary,
        subtypes=("round", "elliptical", "bipolar", "bipolar"),
        where="galactic",
        radius=(70, 160),
    ),
    Kind(
        label="supernova remnant",
        phrases="remnant",
        paint=shells.remnant,
        subtypes=("old", "young"),
        where="galactic",
        radius=(120, 230),
    ),
    Kind(
        label="emission nebula",
        phrases="emission",
        paint=clouds.emission_nebula,
        subtypes=("pillars", "pillars", "cavity"),
        where="galactic",
        radius=(165, 230),
    ),
    Kind(
        label="young star",
        phrases="young_star",
        paint=clouds.young_star,
        subtypes=("edge-on", "outflow", "proplyds"),
        where="galactic",
        radius=(130, 210),
    ),
    Kind(
        label="planet",
        phrases="planet",
        paint=solar.planet,
        subtypes=("banded", "ringed", "icy", "rocky", "crescent"),
        where="solar",
        radius=(105, 220),
    ),
    Kind(
        label="comet",
        phrases="comet",
        paint=solar.comet,
        subtypes=("dust", "ion", "fragments"),
        where="solar",
        radius=(130, 220),
    ),
)
