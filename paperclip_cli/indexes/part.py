"""One index within a query: which of its vectors may be ranked, and what it knows of its images."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from paperclip_cli.config import QueryConfig
from paperclip_cli.indexes.database import Image
from paperclip_cli.indexes.filters import select
from paperclip_cli.indexes.folder import IndexFolder, update_command
from paperclip_cli.indexes.search import Search
from paperclip_cli.indexes.sources import news
from paperclip_cli.records import Hit, Observation
from paperclip_cli.sky.wcs import field_of_view
from paperclip_cli.workspace import Workspace

# The fields of an observation that a hit has, too.
_OBSERVED = [name for name in Observation.__dataclass_fields__ if name in Hit.__dataclass_fields__]


def known_of(image: Image, index: IndexFolder, workspace: Workspace) -> dict[str, Any]:
    """The fields that a hit for an image has whatever the query: those that describe it."""
    entry, proposal = image.entry, image.proposal
    known = {name: getattr(entry.observation, name) for name in _OBSERVED}
    if proposal is not None:
        known["cycle"] = known["cycle"] or proposal.cycle or None
    return known | {
        "mission": entry.key.mission if entry.key else None,
        "proposal_id": entry.key.proposal_id if entry.key else None,
        "image": str(index.file_of(entry, workspace)),
        "title": proposal.title if proposal else "",
        "split": image.split,
        "s_fov": None if entry.wcs is None else field_of_view(entry.wcs),
        "category": proposal.category if proposal else "",
        "abstract": proposal.abstract if proposal else "",
    }


class Part:
    """An open index, and the conditions of a query on it.

    `is_many` and `stays_open` are as for `Search`.
    """

    def __init__(
        self,
        config: QueryConfig,
        index: IndexFolder,
        workspace: Workspace,
        is_many: bool = False,
        stays_open: bool = False,
    ) -> None:
        self.index, self._workspace, self._collapse = index, workspace, config.collapse
        self.selection = select(index.observations, config)
        self.search = Search(index, self.selection.rows, is_many, stays_open)

    @property
    def news(self) -> str:
        """A note where more was fetched after the index was updated; empty otherwise."""
        missions = ", ".join(news(self.index.manifest.extra, self._workspace))
        update = update_command(self.index.name)
        what = f"previews of {missions} were fetched after the index was made"
        return f"{what}: {update}" if missions else ""

    def images_of(self, rows: Sequence[int]) -> list[Image]:
        """The images of some rows, in their order."""
        return self.index.observations.images_of(rows)

    def group(self, image: Image) -> tuple[set[int], int]:
        """The rows that a hit for one of its images stands for, and how many images more.

        Only images that meet the conditions are counted.
        """
        return self._counted(self.index.observations.group(image, self._collapse), 1)

    def group_elsewhere(self, image: Image) -> tuple[set[int], int]:
        """The same for a hit of another index."""
        return self._counted(self.index.observations.same_group(image, self._collapse), 0)

    def _counted(self, group: list[tuple[int, int]], own: int) -> tuple[set[int], int]:
        rows = {row for first, tiles in group for row in range(first, first + tiles)}
        selected = self.selection.rows
        firsts = [first for first, _ in group]
        count = len(firsts) if selected is None else int(np.isin(firsts, selected).sum())
        return rows, count - own

    def fields_of(self, image: Image, cosine: float | None) -> dict[str, Any]:
        """What a hit for an image has from its index."""
        cone = self.selection.cone
        return {
            "percentile": None if cosine is None else self.index.background.percentile(cosine),
            "separation": None if cone is None else cone.arcminutes(image.entry.observation),
            "provenance": str(self.index.provenance),
            "tile_region": None if cosine is None else self._tile_region(image),
            **known_of(image, self.index, self._workspace),
        }

    def _tile_region(self, image: Image) -> str | None:
        if not self.index.reading.tiles or image.entry.wcs is None:
            return None
        from paperclip_cli.images.tiles import tile_region

        return tile_region(self.index.view, image.tile, image.entry.wcs)
