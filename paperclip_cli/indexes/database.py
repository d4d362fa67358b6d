"""The observations of an index: an SQLite file that is written once and then only read.

The vectors of an image are consecutive, and the number of the first is the image's `id`. One tree
look-up thus leads from a row of the vectors to its image and tile, and a query reads only the rows
of its hits. The text of a proposal is stored once for all its images.
"""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path

from paperclip_cli.errors import PaperclipError
from paperclip_cli.records import Key, Observation, Proposal, Wcs, from_dict
from paperclip_cli.text.object_names import is_named
from paperclip_cli.wording import counted

OBSERVED = tuple(f.name for f in fields(Observation))
FILE = ("path", "size", "mtime_ns", "sha256", "tiles", "wcs")
PROPOSAL = tuple("mission proposal_id title category cycle pi proposal_type abstract".split())
_COLUMNS = ", ".join([*(f"p_{name}" for name in PROPOSAL), *FILE, *OBSERVED])
_WHOLE_IMAGE = (
    f"SELECT images.id, split, {_COLUMNS}"
    " FROM images LEFT JOIN proposals ON proposals.id = proposal"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """An image of an index.

    `path` is relative to the cache for a preview, relative to the index for a thumbnail that came
    with it, and absolute for any other image. `size` and `mtime_ns` are those of the file when its
    content was hashed. `tiles` is the number of its vectors. `wcs` holds the coordinates of its
    canvas as a unit square (`sky.wcs`).
    """

    path: str
    size: int
    mtime_ns: int
    sha256: str
    key: Key | None = None
    observation: Observation = field(default_factory=Observation)
    tiles: int = 1
    wcs: Wcs | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """The image of a vector: its `id` and `tile`, its entry, and its proposal (None for a file)."""

    id: int
    tile: int
    entry: Entry
    proposal: Proposal | None
    split: str


class Observations:
    """The observations of an index, open for reading. Images are numbered by their first vector.

    Threads may share it, and take turns. Its file stays open, so that it outlives an update of the
    index, which removes the file.

    Raises:
        FileNotFoundError: there is no such file.
    """

    def __init__(self, path: Path) -> None:
        if not path.is_file():
            raise FileNotFoundError(path)
        self.path = path
        # Immutable: no lock is taken, so an index in a read-only folder works, too.
        address = f"file:{_quoted(path)}?mode=ro&immutable=1"
        self._connection = sqlite3.connect(address, uri=True, check_same_thread=False)
        self._connection.create_function("names", 2, is_named, deterministic=True)
        self._turn = threading.Lock()

    def execute(self, sql: str, parameters: Iterable = ()) -> list[tuple]:
        """All rows of an SQL query.

        Raises:
            PaperclipError: the file is not one that `write_observations` makes.
        """
        try:
            with self._turn:
                return self._connection.execute(sql, tuple(parameters)).fetchall()
        except sqlite3.DatabaseError as error:
            raise PaperclipError(
                f"{self.path} cannot be read ({error})", "rebuild the index with --force"
            ) from error

    def image(self, row: int) -> Image:
        """The image of a row of the vectors. See `images_of`."""
        return self.images_of([row])[0]

    def images_of(self, rows: Sequence[int]) -> list[Image]:
        """The images of some rows of the vectors, in their order.

        Raises:
            PaperclipError: no image has one of the rows.
        """
        asked = ", ".join(["(?)"] * len(rows))
        found = {
            place: _image(place, values)
            for place, *values in self.execute(
                f"WITH asked(place) AS (VALUES {asked}) SELECT place, images.id, split, {_COLUMNS}"
                " FROM asked JOIN images ON images.id ="
                " (SELECT max(id) FROM images WHERE id <= place)"
                " LEFT JOIN proposals ON proposals.id = proposal",
                rows,
            )
        }
        for row in rows:
            if row not in found:
                raise PaperclipError(
                    f"{self.path} does not know vector {row}", "rebuild the index with --force"
                )
        return [found[row] for row in rows]

    def group(self, image: Image, collapse: str) -> list[tuple[int, int]]:
        """(first row, tiles) of the images that one hit represents.

        With `collapse` "target" they share proposal and target, with "proposal" the proposal; with
        "none" a hit represents only itself. So does an image without a proposal: it shares nothing
        that is known.
        """
        if collapse == "none" or image.proposal is None:
            return [(image.id, image.entry.tiles)]

        same = ["proposal = (SELECT proposal FROM images WHERE id = ?)"]
        if collapse == "target":
            same.append("target IS (SELECT target FROM images WHERE id = ?)")
        return self.execute(
            f"SELECT id, tiles FROM images WHERE {' AND '.join(same)} ORDER BY id",
            (image.id,) * len(same),
        )

    def same_group(self, image: Image, collapse: str) -> list[tuple[int, int]]:
        """(first row, tiles) of the images that a hit for an image of another index represents."""
        if collapse == "none" or image.entry.key is None:
            return []
        same, values = ["p_mission = ?", "p_proposal_id = ?"], [*image.entry.key]
        if collapse == "target":
            same.append("target IS ?")
            values.append(image.entry.observation.target)
        return self.execute(
            "SELECT images.id, tiles FROM proposals JOIN images ON proposal = proposals.id"
            f" WHERE {' AND '.join(same)} ORDER BY images.id",
            values,
        )

    def missions_of_previews(self) -> list[str]:
        """The missions whose cached previews it holds: `previews/hst/...` -> `hst`."""
        paths = self.execute(
            "SELECT DISTINCT substr(path, 10, instr(substr(path, 10), '/') - 1) FROM images"
            " WHERE path LIKE 'previews/%/%'"
        )
        return sorted(mission for (mission,) in paths)

    def images(self) -> Iterator[Image]:
        """Every image, in the order of the vectors."""
        rows = self.execute(f"{_WHOLE_IMAGE} ORDER BY images.id")
        return (_image(values[0], values) for values in rows)

    def images_after(self, id: int, count: int) -> list[Image]:
        """At most `count` of the images that follow the one of an `id`; -1 is before the first."""
        rows = self.execute(
            f"{_WHOLE_IMAGE} WHERE images.id > ? ORDER BY images.id LIMIT ?", (id, count)
        )
        return [_image(values[0], values) for values in rows]

    def damage(self, vectors: int) -> str:
        """The damage SQLite finds, or rows that do not fit the `vectors`; empty if neither."""
        ((answer,), *_) = self.execute("PRAGMA integrity_check")
        if answer != "ok":
            return str(answer)
        ((tiles,),) = self.execute("SELECT coalesce(sum(tiles), 0) FROM images")
        if tiles == vectors:
            return ""
        return f"{counted(tiles, 'rows')} for {counted(vectors, 'vectors')}"

    def close(self) -> None:
        self._connection.close()


def _image(row: int, values: Sequence) -> Image:
    id, split = values[:2]
    proposal = dict(zip(PROPOSAL, values[2:], strict=False))
    file = dict(zip(FILE, values[2 + len(PROPOSAL) :], strict=False))
    observed = dict(zip(OBSERVED, values[2 + len(PROPOSAL) + len(FILE) :], strict=True))

    if file["wcs"] is not None:
        file["wcs"] = from_dict(Wcs, json.loads(file["wcs"]))
    observed["filters"] = tuple(json.loads(observed["filters"] or "[]"))
    for name in ("moving", "parallel"):
        observed[name] = None if observed[name] is None else bool(observed[name])

    key = None if proposal["mission"] is None else Key(proposal["mission"], proposal["proposal_id"])
    entry = Entry(**file, key=key, observation=Observation(**observed))
    return Image(
        id=id,
        tile=row - id,
        entry=entry,
        proposal=None if key is None else Proposal(**proposal),
        split=split or "none",
    )


def _quoted(path: Path) -> str:
    """A path for an SQLite URI, with the three characters escaped that have a meaning there."""
    return str(path.absolute()).replace("%", "%25").replace("?", "%3f").replace("#", "%23")
