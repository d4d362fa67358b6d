"""The cameras of the simulated sky and their fields. The choice does not depend on the target."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from paperclip_cli.simulation.drawing import Random


@dataclass(frozen=True)
class Chip:
    """A rectangle of sky in arcsec from the aperture: along u (detector x) and v (detector y)."""

    left: float
    bottom: float
    right: float
    top: float

    @property
    def corners(self) -> np.ndarray:
        """[4, 2], counter-clockwise."""
        return np.array(
            [
                [self.left, self.bottom],
                [self.right, self.bottom],
                [self.right, self.top],
                [self.left, self.top],
            ]
        )


@dataclass(frozen=True, kw_only=True)
class Camera:
    """A camera.

    `shear`: skew of the field, as from distortion.
    `aims`: positions on the detector (arcsec) where targets are placed.
    `cycles`: the first and the last cycle in which it observes.
    `share`: how often it is used, relative to the others.
    """

    instrument: str
    detector: str
    chips: tuple[Chip, ...]
    shear: float
    aims: tuple[tuple[float, float], ...]
    filters: tuple[tuple[str, float], ...]
    outline: tuple[tuple[float, float], ...]
    cycles: tuple[int, int]
    share: float
    blind_spot: bool = False


@dataclass(frozen=True)
class Band:
    """The filters of an exposure.

    `wavelength` is in nm. `narrow` filters let little but an emission line through.
    """

    names: tuple[str, ...]
    wavelength: float
    narrow: bool

    def weight(self, blue: float) -> float:
        """The brightness of a population in this band, 1 for any at 600 nm.

        `blue` is 1 for young stars, -1 for old ones, 0 for grey light.
        """
        return float((600.0 / self.wavelength) ** (1.2 * blue))

    @property
    def extinction(self) -> float:
        """The fraction of a dust lane's full depth in this band: higher towards the blue."""
        return self.weight(0.4) / (1 + self.weight(0.4))

    @property
    def line(self) -> float:
        """The brightness of emission lines relative to starlight."""
        return 2.5 if self.narrow else 1.0


def _square(half: float) -> tuple[tuple[float, float], ...]:
    return ((-half, -half), (half, -half), (half, half), (-half, half))


_OPTICAL = (
    ("F555W", 541.0),
    ("F606W", 592.0),
    ("F625W", 631.0),
    ("F775W", 769.0),
    ("F814W", 805.0),
    ("F850LP", 902.0),
)

_ACS = Camera(
    instrument="ACS/WFC",
    detector="WFC",
    chips=(Chip(-101, -101, 101, -1.3), Chip(-101, 1.3, 101, 101)),
    shear=0.05,
    aims=((0, 0), (0, -45), (0, 12)),
    filters=(("F435W", 433.0), ("F475W", 475.0), *_OPTICAL, ("F658N", 658.0)),
    outline=_square(101),
    cycles=(11, 31),
    share=0.36,
)
_UVIS = Camera(
    instrument="WFC3/UVIS",
    detector="UVIS",
    chips=(Chip(-81, -81, 81, -0.6), Chip(-81, 0.6, 81, 81)),
    shear=0.07,
    aims=((0, 0), (0, -36), (0, 10)),
    filters=(
        ("F275W", 271.0),
        ("F336W", 335.0),
        ("F438W", 432.0),
        *_OPTICAL,
        ("F502N", 501.0),
        ("F656N", 656.0),
    ),
    outline=_square(81),
    cycles=(17, 31),
    share=0.28,
)
_IR = Camera(
    instrument="WFC3/IR",
    detector="IR",
    chips=(Chip(-68, -61.5, 68, 61.5),),
    shear=0.0,
    aims=((0, 0), (0, 4)),
    filters=(
        ("F105W", 1055.0),
        ("F110W", 1153.0),
        ("F125W", 1249.0),
        ("F140W", 1392.0),
        ("F160W", 1537.0),
    ),
    outline=((-68, -61.5), (68, -61.5), (68, 61.5), (-68, 61.5)),
    cycles=(17, 31),
    share=0.2,
    blind_spot=True,
)
_WFPC2 = Camera(
    instrument="WFPC2/WFC",
    detector="WF",
    chips=(
        Chip(-80, 0.3, -0.3, 80),
        Chip(-80, -80, -0.3, -0.3),
        Chip(0.3, -80, 80, -0.3),
        Chip(0.3, 0.3, 36, 36),
    ),
    shear=0.0,
    aims=((-16, -16), (-40, -40), (-22, -14)),
    filters=(
        ("F300W", 299.0),
        ("F450W", 456.0),
        *_OPTICAL[:2],
        ("F702W", 692.0),
        ("F814W", 800.0),
        ("F502N", 501.0),
        ("F656N", 656.0),
    ),
    outline=((-80, -80), (80, -80), (80, 0), (36, 0), (36, 36), (0, 36), (0, 80), (-80, 80)),
    cycles=(5, 16),
    share=0.2,
)
CAMERAS = (_ACS, _UVIS, _IR, _WFPC2)


def draw_camera(random: Random, cycle: int) -> Camera:
    """One of the cameras aboard in that cycle, in proportion to their shares."""
    aboard = [camera for camera in CAMERAS if camera.cycles[0] <= cycle <= camera.cycles[1]]
    shares = np.array([camera.share for camera in aboard])
    return aboard[int(random.choice(len(aboard), p=shares / shares.sum()))]


def draw_band(random: Random, camera: Camera) -> Band:
    """One to three broad filters, or a single narrow one."""
    first = int(random.integers(len(camera.filters)))
    name, wavelength = camera.filters[first]
    if name.endswith("N"):
        return Band((name,), wavelength, narrow=True)

    others = [
        i for i, (name, _) in enumerate(camera.filters) if not name.endswith("N") and i != first
    ]
    shuffled = random.permutation(others).tolist()
    more = shuffled[: random.choice(3, p=(0.5, 0.35, 0.15))]
    names, wavelengths = zip(*(camera.filters[i] for i in sorted([first, *more])), strict=True)
    return Band(names, float(np.mean(wavelengths)), narrow=False)
