"""One index within a query: which of its vectors may be ranked, and what it knows of its images."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Protocol

from paperclip_cli.config import QueryConfig
from paperclip_cli.indexes.chance import Allowed
from paperclip_cli.indexes.database import Image
from paperclip_cli.indexes.filters import Selection, select
from paperclip_cli.indexes.folder import IndexFolder, update_command
from paperclip_cli.indexes.named import named_note
from paperclip_cli.indexes.open_index import OpenIndex, QueryPart
from paperclip_cli.indexes.search import Search
from paperclip_cli.indexes.sources import news
from paperclip_cli.records import Hit, Observation
from paperclip_cli.sky.wcs import field_of_view
from paperclip_cli.workspace import Workspace

# The fields of an observation that a hit has, too.
_OBSERVED = [name for name in Observation.__dataclass_fields__ if name in Hit.__dataclass_fields__]


def known_of(image: Image, index: IndexFolder | OpenIndex, workspace: Workspace) -> dict[str, Any]:
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


class Grouped(Protocol):
    """The images of an index by their rows; see `database.Observations`."""

    def images_of(self, rows: Sequence[int]) -> list[Image]: ...

    def group(self, image: Image, collapse: str) -> list[tuple[int, int]]: ...

    def same_group(self, image: Image, collapse: str) -> list[tuple[int, int]]: ...


class BasePart:
    """What the part of any index does with its `images` and the `selection` of a query."""

    def __init__(
        self,
        config: QueryConfig,
        index: IndexFolder | OpenIndex,
        workspace: Workspace,
        images: Grouped,
        selection: Selection,
    ) -> None:
        self.index, self.selection = index, selection
        self._config, self._workspace, self._images = config, workspace, images

    @property
    def news(self) -> str:
        """A note where more was fetched after the index was updated; empty otherwise."""
        missions = ", ".join(news(self.index.manifest.extra, self._workspace))
        what = f"previews of {missions} were fetched after the index was made"
        return f"{what}: {update_command(self.index.name)}" if missions else ""

    def images_of(self, rows: Sequence[int]) -> list[Image]:
        """The images of some rows, in their order."""
        return self._images.images_of(rows)

    def group(self, image: Image) -> tuple[set[int], int]:
        """The rows that a hit for one of its images stands for, and how many images more.

        Only images that meet the conditions are counted.
        """
        return self._counted(self._images.group(image, self._config.collapse), 1)

    def group_elsewhere(self, image: Image) -> tuple[set[int], int]:
        """The same for a hit of another index."""
        return self._counted(self._images.same_group(image, self._config.collapse), 0)

    def _counted(self, group: Sequence[tuple[int, int]], own: int) -> tuple[set[int], int]:
        rows = {row for first, tiles in group for row in range(first, first + tiles)}
        return rows, self.selection.count([first for first, _ in group]) - own

    def fields_of(self, image: Image, cosine: float | None) -> dict[str, Any]:
        """What a hit for an image has from its index."""
        index, cone = self.index, self.selection.cone
        return {
            "percentile": None if cosine is None else index.background.percentile(cosine),
            "separation": None if cone is None else cone.arcminutes(image.entry.observation),
            "provenance": str(index.provenance),
            "tile_region": None if cosine is None else _tile_region(image, index),
            **known_of(image, index, self._workspace),
        }


def _tile_region(image: Image, index: IndexFolder | OpenIndex) -> str | None:
    if not index.reading.tiles or image.entry.wcs is None:
        return None
    from paperclip_cli.images.tiles import tile_region

    return tile_region(index.view, image.tile, image.entry.wcs)


class Part(BasePart):
    """An open index in a folder, and the conditions of a query on it.

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
        observations = index.observations
        selection = select(observations, config)
        super().__init__(config, index, workspace, observations, selection)
        self.search = Search(index, selection.rows, is_many, stays_open)
        self.judged = Allowed(index, selection.rows)  # under the same conditions
        self._observations = observations

    def unmet(self) -> Iterator[str]:
        """Why no image meets the conditions."""
        from paperclip_cli.indexes.unmet import FolderHoldings, unmet  # most queries need it not

        return unmet(FolderHoldings(self._observations, self._config), self._config)

    def named(self, words: str, best: str | None) -> str:
        """See `named.named_note`."""
        return named_note(self._observations, words, best)


def part_of(
    config: QueryConfig,
    index: IndexFolder | OpenIndex,
    workspace: Workspace,
    is_many: bool = False,
    stays_open: bool = False,
) -> QueryPart:
    """The part of an open index, wherever it is."""
    if isinstance(index, IndexFolder):
        return Part(config, index, workspace, is_many, stays_open)
    return index.part(config, workspace)
