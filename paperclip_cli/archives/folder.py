"""An archive that is already on disk.

    DIR/abstracts.cat
    DIR/observations*/proposal_<ID>/*.{jpg,png,tif,fits}
    DIR/observations.csv, .ecsv or .vot     (optional)

Nothing in it is ever written. Only files that the listing itself found are opened: a path in a
table is looked up, not followed, and a symbolic link counts only if it stays inside the folder.
"""

from __future__ import annotations

import os
import posixpath
import re
import stat
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from operator import attrgetter
from pathlib import Path
from typing import TYPE_CHECKING

from paperclip_cli.archives.base import Candidate
from paperclip_cli.archives.catalogue import Catalogue, read_catalogue
from paperclip_cli.archives.observation_table import (
    REPEATED,
    WITHOUT_IMAGE,
    ObservationTable,
    Oddity,
    Row,
    read_observations,
)
from paperclip_cli.errors import BadItem, PaperclipError
from paperclip_cli.files import expanded
from paperclip_cli.images.find import is_image_name
from paperclip_cli.records import Key, Observation, Proposal
from paperclip_cli.wording import counted

if TYPE_CHECKING:
    import numpy as np

CATALOGUE = "abstracts.cat"
NAMED = 20  # oddities of a table that are named one by one
_PROPOSAL_FOLDER = re.compile(r"proposal_([0-9]{1,9})")

Listing = Mapping[Key, tuple[Candidate, ...]]


@dataclass(frozen=True, kw_only=True)
class FolderArchive:
    """A folder as an `Archive`.

    `images` are sorted by name. Names are paths relative to `root`, with forward slashes. `notes`
    name what is odd about its tables.
    """

    root: Path
    mission: str
    catalogue: tuple[Proposal, ...]
    images: Listing
    excluded: Mapping[str, int]
    notes: tuple[str, ...] = ()

    @property
    def identity(self) -> str:
        return str(self.root)

    def proposals(self) -> Sequence[Proposal]:
        """The catalogue, and an empty record for every folder of images that it does not list."""
        known = {proposal.key for proposal in self.catalogue}
        unknown = sorted(key for key in self.images if key not in known)
        return [
            *self.catalogue,
            *(
                Proposal(mission=key.mission, proposal_id=key.proposal_id, abstract="")
                for key in unknown
            ),
        ]

    def previews(self, key: Key) -> Sequence[Candidate]:
        return self.images.get(key, ())

    def read(self, candidate: Candidate) -> np.ndarray:
        from paperclip_cli.images.pictures import read_picture

        return read_picture(self.root / candidate.name)

    def original(self, candidate: Candidate) -> bytes:
        try:
            return (self.root / candidate.name).read_bytes()
        except OSError as error:
            raise BadItem(f"cannot be read: {error.strerror}") from error


def open_folder(root: Path, mission: str, catalog: Path | None = None) -> FolderArchive:
    """List an archive on disk without opening any image; `catalog` replaces DIR/abstracts.cat.

    Raises:
        PaperclipError: DIR is not an archive.
    """
    root = Path(os.path.realpath(expanded(root)))
    if not root.is_dir():
        raise PaperclipError(
            f"{root} is not a folder",
            "give --from the folder that contains abstracts.cat and observations*/",
        )

    listing = expanded(catalog) if catalog else root / CATALOGUE
    catalogue = read_catalogue(listing, mission)
    excluded: Counter[str] = Counter()
    images = _list_images(root, mission, excluded)
    if not images:
        raise PaperclipError(
            f"{root} contains no images",
            "put JPEG, PNG, TIFF or FITS files into DIR/observations*/proposal_<ID>/",
        )

    table = read_observations(root)
    images, unused = _describe(root, images, table)
    oddities = (*table.oddities, *unused)
    excluded["catalogue records that repeat a proposal"] = catalogue.duplicates
    excluded["catalogue records without a number"] = catalogue.without_id
    excluded.update(oddity.kind for oddity in _one_a_row(oddities))
    return FolderArchive(
        root=root,
        mission=mission,
        catalogue=catalogue.proposals,
        images=images,
        excluded=dict(+excluded),
        notes=(
            *_told(f"{listing.name}, {text}" for text in catalogue.oddities),
            *_told(oddity.text for oddity in oddities),
            *table.notes,
            *_of_another_mission(mission, catalogue, table),
        ),
    )


def _one_a_row(oddities: Iterable[Oddity]) -> Iterable[Oddity]:
    """One oddity of each kind for each row, which may have several."""
    return {(one.kind, one.text.partition(":")[0]): one for one in oddities}.values()


def _told(oddities: Iterable[str]) -> Iterator[str]:
    """The first of some oddities, and how many more there are."""
    texts = list(oddities)
    yield from texts[:NAMED]
    if len(texts) > NAMED:
        more = counted(len(texts) - NAMED, "more oddities")
        yield f"... and {more} of {texts[0].partition(',')[0]}"


def _of_another_mission(
    mission: str, catalogue: Catalogue, table: ObservationTable
) -> Iterator[str]:
    others = sorted((catalogue.missions | table.missions) - {mission.lower()})
    if others:
        yield (
            f"proposals that are named {', '.join(f'{name}:' for name in others)} are stored as "
            f"{mission}: (--mission {others[0]} stores them as {others[0]}:)"
        )


def _list_images(root: Path, mission: str, excluded: Counter[str]) -> Listing:
    found: defaultdict[Key, list[Candidate]] = defaultdict(list)
    for observations in _entries(root, root, excluded):
        if not (observations.name.startswith("observations") and observations.is_dir()):
            continue
        for folder in _entries(root, Path(observations), excluded):
            match = _PROPOSAL_FOLDER.fullmatch(folder.name)
            if match and folder.is_dir():
                key = Key(mission, int(match[1]))
                found[key] += _candidates(root, key, Path(folder), excluded)

    by_name = attrgetter("name")
    return {key: tuple(sorted(images, key=by_name)) for key, images in found.items() if images}


def _candidates(root: Path, key: Key, folder: Path, excluded: Counter[str]) -> Iterator[Candidate]:
    for entry in _entries(root, folder, excluded):
        status = entry.stat()
        if not stat.S_ISREG(status.st_mode):
            continue
        if not is_image_name(entry.name):
            excluded["files that are not JPEG, PNG, TIFF or FITS"] += 1
            continue
        name = Path(entry).relative_to(root).as_posix()
        yield Candidate(
            key=key,
            name=name,
            stamp=f"{status.st_size}:{status.st_mtime_ns}",
            observation=Observation(),
        )


def _entries(root: Path, folder: Path, excluded: Counter[str]) -> Iterator[os.DirEntry[str]]:
    """The entries of a folder that may be read.

    Hidden files, names that are not text, and links that lead outside or nowhere are left out.
    """
    with os.scandir(folder) as listing:
        for entry in listing:
            if entry.name.startswith("."):
                continue
            if not _is_text(entry.name):
                excluded["files whose name is not valid text"] += 1
            elif entry.is_symlink() and not _stays_inside(root, entry):
                excluded["symbolic links that lead outside the folder or nowhere"] += 1
            else:
                yield entry


def _is_text(name: str) -> bool:
    return name.isprintable()


def _stays_inside(root: Path, entry: os.DirEntry[str]) -> bool:
    target = Path(os.path.realpath(entry.path))
    return target.is_relative_to(root) and target.exists()


def _describe(root: Path, images: Listing, table: ObservationTable) -> tuple[Listing, list[Oddity]]:
    """Add to each image its observation in the table.

    Rows that name no listed image of their proposal are left out. Of rows that name the same image,
    the last one counts, since tables are corrected by appending.
    """
    listed = {image.name: image for candidates in images.values() for image in candidates}
    by_file: defaultdict[tuple[int, str], list[str]] = defaultdict(list)
    for name, image in listed.items():
        by_file[image.key.proposal_id, posixpath.basename(name)].append(name)

    said: dict[str, Row] = {}
    unused = []
    for row in table.rows:
        name, reason = _image_of(row, root, listed, by_file)
        if reason:
            unused.append(table.oddity(WITHOUT_IMAGE, row, "image", row.image, reason))
            continue
        if name in said:
            reason = f"is also in {row.place}, which counts"
            unused.append(table.oddity(REPEATED, said[name], "image", said[name].image, reason))
        said[name] = row

    def described(image: Candidate) -> Candidate:
        row = said.get(image.name)
        return image if row is None else replace(image, observation=row.observation)

    return {key: tuple(map(described, candidates)) for key, candidates in images.items()}, unused


def _image_of(
    row: Row,
    root: Path,
    listed: Mapping[str, Candidate],
    by_file: Mapping[tuple[int, str], list[str]],
) -> tuple[str, str]:
    """The name of the listed image that a row means, or why there is none."""
    path = row.image.replace("\\", "/")
    name = posixpath.relpath(posixpath.join(root.as_posix(), path), root.as_posix())
    if name not in listed and "/" not in path and row.proposal_id is not None:
        found = by_file.get((row.proposal_id, path), [])
        if len(found) > 1:
            return (
                "",
                f"is the name of {counted(len(found), 'images')} of proposal {row.proposal_id}",
            )
        name = found[0] if found else name
    if name not in listed:
        return "", "is not the name of an image in the folder"
    if row.proposal_id not in (None, listed[name].key.proposal_id):
        return "", f"is of proposal {listed[name].key.proposal_id}, not {row.proposal_id}"
    return name, ""
