"""A tiny archive as `fetch` leaves it in the cache, made in a moment and always the same."""

from __future__ import annotations

import hashlib
import io

import numpy as np
from PIL import Image

from paperclip_cli.dataset.pairs import Pair
from paperclip_cli.files import replace_file
from paperclip_cli.images.pictures import encode_jpeg
from paperclip_cli.records import Key, Observation, Preview, Proposal, write_jsonl
from paperclip_cli.workspace import Manifest, Workspace, stamp_of, write_manifest

# The kinds of pictures, with the titles and abstracts of their proposals.
KINDS = (
    (
        "spiral",
        "Spiral galaxies",
        "We propose to image the spiral galaxy NGC {n}. Its dusty arms host young star clusters. "
        "These data will allow us to measure the star formation rate along the spiral arms.",
    ),
    (
        "cluster",
        "Globular clusters",
        "The globular cluster M {n} is among the oldest stellar systems of the Galactic halo. "
        "The goal is to determine the age of its main sequence stars and to count blue stragglers.",
    ),
    (
        "ring",
        "Planetary nebulae",
        "Planetary nebulae such as IC {n} are shed by asymptotic giant branch stars. "
        "We will use narrow-band images in order to trace the shocks and the dust in the nebula.",
    ),
    (
        "disc",
        "Giant planets",
        "We propose to monitor the atmosphere of the planet Jupiter, observation {n}. "
        "Our aim is to track the storms and to understand the auroral emission of "
        "the giant planet.",
    ),
)


def write_fetched(
    workspace: Workspace, mission: str = "local", proposals: int = 12, seed: int = 0, side: int = 64
) -> list[Preview]:
    """Write proposals 1..`proposals` into the cache, with 1, 2, 2, 1, 2, 2, ... previews each.

    Returns the previews.
    """
    texts, previews = [], []
    for number in range(1, proposals + 1):
        texts.append(make_proposal(mission, number))
        previews += [
            write_preview(workspace, mission, number, image, seed, side)
            for image in range(1 + (number % 3 != 1))
        ]
    write_archive(workspace, mission, texts, previews)
    return previews


def write_archive(
    workspace: Workspace, mission: str, proposals: list[Proposal], previews: list[Preview]
) -> None:
    """Write the two record files and their manifests; the images must be there already."""
    for folder, name, records in (
        (workspace.proposals(mission), "proposals", proposals),
        (workspace.previews(mission), "previews", previews),
    ):
        text = write_jsonl(records)
        replace_file(folder / f"{name}.jsonl", text)
        manifest = Manifest(
            stage="fetch",
            config={"mission": mission},
            counts={"proposals": len(proposals), "images": len(previews)},
            files={f"{name}.jsonl": stamp_of(text)},
        )
        write_manifest(folder, manifest)


def make_proposal(mission: str, number: int) -> Proposal:
    """A proposal about one of the four kinds."""
    kind, title, text = KINDS[number % len(KINDS)]
    category = {"disc": "Solar System", "ring": "Stellar Physics"}.get(kind, "")
    return Proposal(
        mission=mission,
        proposal_id=number,
        abstract=text.format(n=100 + number),
        title=title,
        category=category,
        cycle=str(20 + number % 5),
    )


def write_preview(
    workspace: Workspace, mission: str, number: int, image: int, seed: int = 0, side: int = 64
) -> Preview:
    """Write one JPEG of `side` pixels into the cache, and return its record.

    Planets move; everything else has coordinates 10 degrees apart.
    """
    kind = KINDS[number % len(KINDS)][0]
    rng = np.random.default_rng([seed, number, image])
    data = jpeg(draw(kind, side, rng))
    path = f"proposal_{number}/visit_{image}.jpg"
    replace_file(workspace.previews(mission) / path, data)
    observation = _observed(kind, number, image)
    sha256 = hashlib.sha256(data).hexdigest()
    return Preview(
        mission=mission,
        proposal_id=number,
        image=path,
        sha256=sha256,
        side=side,
        original=f"total_{image}.jpg",
        observation=observation,
    )


def _observed(kind: str, number: int, image: int) -> Observation:
    """The observation of an image of one of the four kinds."""
    if kind == "disc":
        return Observation(
            target="JUPITER",
            moving=True,
            instrument="WFC3",
            detector="UVIS",
            filters=("F631N",),
            t_min=56000.0 + number,
        )
    return Observation(
        target=f"{kind.upper()}-{number}",
        moving=False,
        s_ra=10.0 * number % 360,
        s_dec=5.0 * number - 60,
        instrument="ACS",
        detector="WFC",
        filters=("F606W", "F814W"),
        obs_id=f"j{number:04d}{image:02d}",
        t_min=55000.0 + number,
        t_exptime=100.0 * (image + 1),
    )


def draw(kind: str, side: int, rng: np.random.Generator) -> np.ndarray:
    """A noisy picture uint8 [side, side] of one of the four kinds, turned and lit at random."""
    y, x = np.mgrid[-1 : 1 : side * 1j, -1 : 1 : side * 1j]
    radius, angle = np.hypot(x, y), np.arctan2(y, x) + rng.uniform(0, 2 * np.pi)

    if kind == "spiral":
        shape = np.exp(-3 * radius) * (1 + np.cos(2 * angle - 10 * radius))
    elif kind == "cluster":
        stars = rng.normal(0, 0.3, (60, 2))
        shape = sum(np.exp(-((x - a) ** 2 + (y - b) ** 2) * side**2 / 4) for a, b in stars)
    elif kind == "ring":
        shape = np.exp(-(((radius - rng.uniform(0.4, 0.6)) / 0.1) ** 2))
    else:
        shape = (radius < rng.uniform(0.5, 0.8)) * (0.7 + 0.3 * np.cos(12 * y))

    picture = 200 * rng.uniform(0.7, 1.2) * shape + rng.normal(20, 8, shape.shape)
    return np.clip(picture, 0, 255).astype(np.uint8)


def jpeg(picture: np.ndarray) -> bytes:
    """A picture as JPEG."""
    file = io.BytesIO()
    Image.fromarray(picture).save(file, "JPEG", quality=95)
    return file.getvalue()


def pair(number: int, grey: bool = False, image: bytes | None = None) -> Pair:
    """A pair without texts; the image is noise of 40 pixels."""
    rng = np.random.default_rng(number)
    canvas = rng.integers(0, 256, (40, 40) if grey else (40, 40, 3), dtype=np.uint8)
    return Pair(
        key=Key("local", number),
        image=image or encode_jpeg(canvas),
        caption="",
        abstract="",
        summary=None,
        seen_sky=None,
        seen_text=None,
        observation=Observation(),
        title="",
        category="",
        path=f"{number}.jpg",
    )


def write_holes(workspace: Workspace, count: int, **special: str) -> None:
    """Writes proposals 1 to `count` about black holes, some with their own text.

    For example: `write_holes(w, 3, p2="FAULT:500")`.
    """
    texts = [special.get(f"p{number}", f"Black holes {number}.") for number in range(1, count + 1)]
    proposals = [
        Proposal(mission="local", proposal_id=number, abstract=text)
        for number, text in enumerate(texts, 1)
    ]
    write_archive(workspace, "local", proposals, [])
