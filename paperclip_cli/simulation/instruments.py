"""The cameras of the simulated sky and what their frames cover. They are drawn without looking at the target."""

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
    """`shear` skews the field, as distortion does; `aims` are the places on the detector (arcsec) where targets are put;
    `cycles` the first and the last in which it observes; `share` how often it is used against the others."""

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
    """The filters of an exposure; `wavelength` in nm; `narrow` where they let little but an emission line through."""

    names: tuple[str, ...]
    wavelength: float
    narrow: bool

    def weight(self, blue: float) -> float:
        """How bright a population looks here: `blue` is 1 for young stars, -1 for old ones, 0 for grey light."""
        return float((600.0 / self.wavelength) ** (1.2 * blue))

    @property
    def extinction(self) -> float:
        """How much of the full depth of a dust lane shows here: little in the infrared, nearly all in the blue."""
        return self.weight(0.4) / (1 + self.weight(0.4))

    @property
    def line(self) -> float:
        """How bright emission lines look against starlight."""
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
    """One of the cameras aboard in that cycle, the commoner ones more often."""
    aboard = [camera for camera in CAMERAS if camera.cycles[0] <= cycle <= camera.cycles[1]]
    shares = np.array([camera.share for camera in aboard])
    return aboard[int(random.choice(len(aboard), p=shares / shares.sum()))]


def draw_band(random: Random, camera: Camera) -> Band:
    """One to three broad filters, or a single narrow one."""
    first = int(random.integers(len(camera.filters)))
    narrow = camera.filters[first][0].endswith("N")
    broad = [
        i for i, (name, _) in enumerate(camera.filters) if not name.endswith("N") and i != first
    ]
    more = (
        []
        if narrow
        else random.permutation(broad)[: random.choice(3, p=(0.5, 0.35, 0.15))].tolist()
    )
    chosen = [camera.filters[i] for i in sorted([first, *more])]
    return Band(
        tuple(name for name, _ in chosen),
        float(np.mean([wavelength for _, wavelength in chosen])),
        narrow,
    )
