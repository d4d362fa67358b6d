"""The classes of the simulated sky: what each is called, how it is painted, where it is found and in what company."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from paperclip_cli.simulation import clouds, galaxies, groups, lenses, shells, solar, stars
from paperclip_cli.simulation.drawing import Grid, Random, Scene
from paperclip_cli.simulation.instruments import Band

Painter: TypeAlias = Callable[[Random, Grid, str, Band], Scene]


@dataclass(frozen=True)
class Kind:
    """A class of object: `phrases` names its section in the phrase lists, `radius` is a range of sizes on the frame in pixels.

    `where` is `far`, `galactic` or `solar`, and with it go how many field stars and galaxies a frame holds on average (ranges).
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
        "spiral galaxy",
        "spiral",
        galaxies.spiral,
        ("normal", "barred", "flocculent"),
        "far",
        (90, 190),
    ),
    Kind(
        "elliptical galaxy",
        "elliptical",
        galaxies.elliptical,
        ("smooth", "smooth", "shells"),
        "far",
        (70, 150),
    ),
    Kind("edge-on galaxy", "edge_on", galaxies.edge_on, ("normal",), "far", (105, 230)),
    Kind(
        "dwarf irregular galaxy", "dwarf", galaxies.dwarf, ("quiet", "starburst"), "far", (90, 170)
    ),
    Kind("galaxy merger", "merger", groups.merger, ("early", "late"), "far", (100, 180)),
    Kind("galaxy cluster", "cluster", groups.cluster, ("plain", "arcs"), "far", (130, 220)),
    Kind("gravitational lens", "lens", lenses.lens, ("ring", "arc", "quad"), "far", (90, 170)),
    Kind("quasar", "quasar", stars.quasar, ("plain", "jet", "companions"), "far", (70, 130)),
    Kind("globular cluster", "globular", stars.globular, ("dense", "loose"), "galactic", (90, 180)),
    Kind(
        "open cluster",
        "open_cluster",
        stars.open_cluster,
        ("bare", "embedded"),
        "galactic",
        (130, 220),
    ),
    Kind(
        "crowded field",
        "crowded_field",
        stars.crowded_field,
        ("clear", "dusty"),
        "galactic",
        (95, 130),
    ),
    Kind(
        "planetary nebula",
        "planetary",
        shells.planetary,
        ("round", "elliptical", "bipolar", "bipolar"),
        "galactic",
        (70, 160),
    ),
    Kind("supernova remnant", "remnant", shells.remnant, ("old", "young"), "galactic", (120, 230)),
    Kind(
        "emission nebula",
        "emission",
        clouds.emission_nebula,
        ("pillars", "pillars", "cavity"),
        "galactic",
        (165, 230),
    ),
    Kind(
        "young star",
        "young_star",
        clouds.young_star,
        ("edge-on", "outflow", "proplyds"),
        "galactic",
        (130, 210),
    ),
    Kind(
        "planet",
        "planet",
        solar.planet,
        ("banded", "ringed", "icy", "rocky", "crescent"),
        "solar",
        (105, 220),
    ),
    Kind("comet", "comet", solar.comet, ("dust", "ion", "fragments"), "solar", (130, 220)),
)
