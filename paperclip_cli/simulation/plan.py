"""The plan of a simulated proposal: targets, camera, pointings; all but the words and the pixels.

Every proposal and every frame draws from its own random stream, named by the seed and its numbers.
So proposal i is the same in a sky of any length, and a frame is the same whoever paints it.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np

from paperclip_cli.simulation.classes import CLASSES, Kind
from paperclip_cli.simulation.coordinates import designation, draw_position
from paperclip_cli.simulation.drawing import Random
from paperclip_cli.simulation.exposure import Conditions, draw_conditions
from paperclip_cli.simulation.instruments import Band, Camera, draw_band, draw_camera
from paperclip_cli.simulation.pointing import Pointing, draw_pointing

SKY_SIZE = 1_000_000  # the most proposals in a sky; seeds less than 998 apart share no number
FAINT_SHARE = 0.43
FIRST_CYCLE, LAST_CYCLE = 9, 31
PLANETS = {
    "banded": "JUPITER",
    "ringed": "SATURN",
    "icy": "NEPTUNE",
    "rocky": "MARS",
    "crescent": "VENUS",
}


@dataclass(frozen=True, kw_only=True)
class Target:
    """An object on the sky.

    `ra` and `dec` are in degrees, `radius` in pixels. `signal` is the brightness of a typical
    bright feature, in units of the noise of a pixel.
    """

    number: int
    name: str
    ra: float
    dec: float
    radius: float
    signal: float
    faint: bool


@dataclass(frozen=True, kw_only=True)
class Frame:
    """One preview: a target seen by a camera.

    `exposure` is in seconds, `start` is a Modified Julian Date.
    """

    number: int
    target: Target
    pointing: Pointing
    band: Band
    conditions: Conditions
    exposure: float
    start: float
    root: str

    @property
    def name(self) -> str:
        """The file name in the archive's pattern: it gives away the camera but not the object."""
        instrument, detector = self.pointing.camera.instrument.lower().split("/")
        return f"sim_{self.number:02d}_{instrument}_{detector}_total_{self.root}_drc"


@dataclass(frozen=True, kw_only=True)
class Plan:
    """Proposal `proposal_id` of a sky: objects of one class and subtype, and frames of them."""

    proposal_id: int
    kind: Kind
    subtype: str
    cycle: int
    frames: tuple[Frame, ...]

    @property
    def targets(self) -> tuple[Target, ...]:
        return tuple({frame.target.number: frame.target for frame in self.frames}.values())


def stream(seed: int, *names: object) -> Random:
    """A separate random stream for each seed and sequence of names."""
    digest = hashlib.sha256("|".join(map(str, (seed, *names))).encode()).digest()
    return np.random.default_rng(int.from_bytes(digest[:16], "big"))


def first_id(seed: int) -> int:
    """The number of a sky's first proposal, at most nine digits.

    It depends on the seed, so that proposals of two skies are not taken for the same.
    """
    return SKY_SIZE * (1 + seed % 998) + 1


def plan_proposal(seed: int, index: int) -> Plan:
    """Proposal `index` (from 0) of the sky of this seed."""
    proposal_id = first_id(seed) + index
    kind = _class_of(seed, index)
    random = stream(seed, "proposal", proposal_id)
    subtype = str(random.choice(kind.subtypes))
    cycle = int(random.integers(FIRST_CYCLE, LAST_CYCLE + 1))
    count = int(random.choice(6, p=(0.35, 0.27, 0.18, 0.1, 0.06, 0.04))) + 1
    distinct = count if random.random() < 0.5 else int(random.integers(1, count + 1))
    targets = [_target(seed, proposal_id, number, kind, subtype) for number in range(distinct)]

    # A stream that the class has not touched: the camera must not give the class away.
    camera = draw_camera(stream(seed, "camera", proposal_id), cycle)
    frames = tuple(
        _frame(seed, proposal_id, number, targets[number % distinct], camera, cycle, kind)
        for number in range(count)
    )
    return Plan(proposal_id=proposal_id, kind=kind, subtype=subtype, cycle=cycle, frames=frames)


def _class_of(seed: int, index: int) -> Kind:
    """The class of a proposal: each block of `len(CLASSES)` proposals is a shuffle of them all."""
    block, place = divmod(index, len(CLASSES))
    return CLASSES[int(stream(seed, "classes", block).permutation(len(CLASSES))[place])]


def _target(seed: int, proposal_id: int, number: int, kind: Kind, subtype: str) -> Target:
    random = stream(seed, "target", proposal_id, number)
    ra, dec = draw_position(random, kind.where)
    faint = bool(random.random() < FAINT_SHARE)
    signal = 10 ** (random.uniform(0.9, 1.35) if faint else random.uniform(1.6, 2.9))
    return Target(
        number=number,
        name=_target_name(random, kind, subtype, ra, dec),
        ra=ra,
        dec=dec,
        radius=float(random.uniform(*kind.radius)),
        signal=float(signal),
        faint=faint,
    )


def _target_name(random: Random, kind: Kind, subtype: str, ra: float, dec: float) -> str:
    if kind.label == "planet":
        return PLANETS[subtype]
    if kind.label == "comet":
        half_month = "ABCDEFGHJKLMNOPQRSTUVWXY"[int(random.integers(24))]
        return f"COMET-{int(random.integers(1994, 2024))}{half_month}{int(random.integers(1, 99))}"
    return f"SIM-{designation(ra, dec)}"


def _frame(
    seed: int, proposal_id: int, number: int, target: Target, camera: Camera, cycle: int, kind: Kind
) -> Frame:
    random = stream(seed, "frame", proposal_id, number)
    band = draw_band(random, camera)
    pointing = draw_pointing(random, camera)
    conditions = draw_conditions(random, target.signal)
    shortest, longest = (0.5, 60) if kind.label == "planet" else (200, 1300)  # seconds
    exposure = float(len(pointing.dithers) * round(random.uniform(shortest, longest), 1))
    # FIRST_CYCLE begins at MJD 50,811, and each cycle lasts a year.
    start = 50_811.0 + 365.25 * (cycle - FIRST_CYCLE) + random.uniform(0, 365)
    root = "".join(random.choice(list("0123456789abcdefghijklmnopqrstuvwxyz"), 6))
    return Frame(
        number=number,
        target=target,
        pointing=pointing,
        band=band,
        conditions=conditions,
        exposure=exposure,
        start=float(start),
        root=root,
    )
