"""The images of an index in an engine."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from paperclip_cli.engines.base import Filter
from paperclip_cli.engines.columns import IMAGE, image_of, target_key
from paperclip_cli.engines.names import names_of
from paperclip_cli.engines.opened import Opened, in_blocks
from paperclip_cli.errors import PaperclipError
from paperclip_cli.indexes.database import Image
from paperclip_cli.indexes.named import NamedImage
from paperclip_cli.text.object_names import designations

_BLOCK = 4_096  # images read at once where all are


class EngineRows:
    """The images of an open index in an engine. A row is its id."""

    def __init__(self, index: Opened) -> None:
        self._index, self._engine = index, index.engine

    def images_of(self, rows: Sequence[int]) -> list[Image]:
        """The images of some rows, in their order.

        Raises:
            PaperclipError: a row is not there: the index was changed meanwhile.
        """
        return [image for _, image in self._numbered(rows)]

    def _numbered(self, rows: Sequence[int]) -> list[tuple[int, Image]]:
        values = {
            row[0]: row
            for row in self._engine.fetch(IMAGE, [Filter("id", "in", list(map(int, rows)))])
        }
        if not values.keys() >= {*map(int, rows)}:
            raise PaperclipError(f"index {self._index.name} was changed meanwhile", "ask again")
        numbers = sorted({row[2] for row in values.values()} - {0})
        proposals = {row[0]: row for row in self._engine.proposals(numbers)} if numbers else {}
        return [(values[int(row)][2], image_of(values[int(row)], proposals)) for row in rows]

    def group(self, image: Image, collapse: str) -> list[tuple[int, int]]:
        """See `indexes.database.Observations.group`."""
        if collapse == "none" or image.proposal is None:
            return [(image.id, image.entry.tiles)]
        return self.same_group(image, collapse)

    def same_group(self, image: Image, collapse: str) -> list[tuple[int, int]]:
        """See `indexes.database.Observations.same_group`."""
        if collapse == "none" or image.entry.key is None:
            return []
        same = [
            Filter("mission", "in", [image.entry.key.mission]),
            Filter("proposal_id", "in", [image.entry.key.proposal_id]),
            Filter("tile", "in", [0]),
        ]
        if collapse == "target":
            target = image.entry.observation.target
            unknown = Filter("target", "unknown")
            same.append(unknown if target is None else Filter("target", "in", [target]))
        return [(id, tiles) for id, tiles in self._engine.fetch(("id", "tiles"), same)]

    def images_named(self, name: str) -> list[NamedImage]:
        """See `indexes.named.images_named`."""
        keys = [target_key(parts) for parts in designations(name)]
        if not keys:
            return []
        filters = [Filter("target_key", "in", keys), Filter("tile", "in", [0])]
        columns = ("id", "tiles", "target", "sky_dec", "moving")
        return [
            NamedImage(id, tiles, target, dec is not None and not moving)
            for id, tiles, target, dec, moving in sorted(self._engine.fetch(columns, filters))
        ]

    def firsts(self) -> np.ndarray:
        """The ids int64 of the first rows of all images, in the order of their paths."""
        found = self._engine.fetch(("path", "id"), [Filter("tile", "in", [0])])
        return np.array([id for _, id in sorted(found)], np.int64)

    def ids(self) -> np.ndarray:
        """The ids int64 [N] of all rows, in the same order."""
        found = self._engine.fetch(("path", "id"), [])
        return np.array([id for _, id in sorted(found)], np.int64)

    def images(self) -> Iterator[Image]:
        """Every image, in the order of the paths, which is that of a folder's vectors."""
        return (image for _, image in self.numbered())

    def numbered(self) -> Iterator[tuple[int, Image]]:
        """The same, with the numbers of their proposals, 0 for none."""
        for block in in_blocks(self.firsts(), _BLOCK):
            yield from self._numbered(block.tolist())

    def execute(self, sql: str, parameters: Iterable = ()) -> list[tuple]:
        """All rows of an SQL query on the words of the index (`names`).

        The numbers of images in it are those of an index in a folder.
        """
        return names_of(self._index).observations.execute(sql, parameters)
