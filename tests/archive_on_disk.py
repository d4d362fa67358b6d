"""A small archive on disk, like a user's.

Its proposals are about the four kinds of `factories`, with images of several formats.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from paperclip_cli.archives.catalogue import format_catalogue
from paperclip_cli.records import Proposal
from tests.factories import KINDS, draw, make_proposal


def write_archive_folder(
    root: Path,
    images: Mapping[int, Sequence[str]],
    proposals: Sequence[Proposal] | None = None,
    side: int = 40,
) -> Path:
    """Write `images` (file names by proposal) below `root`, and a catalogue.

    The catalogue holds the same proposals, unless others are given.
    """
    root.mkdir(parents=True, exist_ok=True)
    for number, names in images.items():
        for name in names:
            write_image(root / f"observations/proposal_{number}/{name}", number, side)

    if proposals is None:
        proposals = [make_proposal("local", number) for number in images]
    (root / "abstracts.cat").write_text(format_catalogue(proposals), encoding="utf-8")
    return root


def write_image(path: Path, number: int, side: int = 40) -> None:
    """Write an oblong picture of the proposal's kind, different for every name."""
    rng = np.random.default_rng([number, *path.name.encode()])
    picture = draw(KINDS[number % len(KINDS)][0], side, rng)[: side - 10]

    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".fits":
        from astropy.io import fits

        fits.PrimaryHDU(picture.astype(np.float32) + 0.5).writeto(path, overwrite=True)
    else:
        Image.fromarray(picture).save(path)
