"""Search from Python: an index that stays open, and single queries."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Real
from typing import TYPE_CHECKING, Any, TypeAlias, Union, Unpack

import numpy as np

from paperclip_cli.api.arguments import workspace
from paperclip_cli.api.hits import Hits
from paperclip_cli.api.options import Image, PathLike, QueryOptions
from paperclip_cli.api.placed import placed
from paperclip_cli.api.signatures import with_options
from paperclip_cli.config import QueryConfig, configure, readers
from paperclip_cli.engines.opening import open_indexes
from paperclip_cli.errors import UsageError
from paperclip_cli.indexes.folder import IndexFolder
from paperclip_cli.indexes.open_index import OpenIndex
from paperclip_cli.indexes.part import known_of
from paperclip_cli.indexes.query import Query
from paperclip_cli.indexes.query_embedder import QueryEmbedder
from paperclip_cli.indexes.several import provenance_of
from paperclip_cli.wording import counted
from paperclip_cli.workspace import Workspace

if TYPE_CHECKING:
    from astropy.table import QTable

What: TypeAlias = Union[str, Sequence[str], Image, Sequence[Image], np.ndarray, None]


@with_options(QueryConfig, QueryOptions)
def query(
    text: str | Sequence[str] | None = None,
    *,
    index: str | Sequence[str] | None = None,
    cache: PathLike | None = None,
    offline: bool = False,
    **options: Unpack[QueryOptions],
) -> Hits:
    """Finds images that match a description in plain language, as `paperclip query` does.

    With `near` and nothing to look for, it is a plain cone search, nearest first. Whoever asks more
    than once opens the index once (`open_index`).

    Args:
        text: what to look for; several texts are added up.
        index: the name of an index, or several of one model; None is the index `default`, or the
            only one.
        cache: the cache directory; None as for the command.
        offline: never use the network, which only the name in `near` needs.
        options: the options of `paperclip query`: `k=20`, `near="13:29:52 +47:11:43"`,
            `radius="10arcmin"`, `instrument="ACS"`, ...

    Raises:
        PaperclipError: there is no such index, its model is missing, or an option is wrong.
    """
    return open_index(index, cache=cache, offline=offline).search(text, **options)


def open_index(
    name: str | Sequence[str] | None = None, cache: PathLike | None = None, *, offline: bool = False
) -> Index:
    """Opens an index for many queries, or several that are searched together. Threads may share it.

    `name` None is the index `default`, or the only one. `cache` None is the command's.

    Raises:
        PaperclipError: there is no such index, or it is damaged.
    """
    here = workspace(cache, offline)
    names = () if name is None else readers.index_names(name, "name")
    return Index(open_indexes(names, here), here)


class Index:
    """An open index, which answers many queries without opening anything again.

    It keeps the state that it was opened in, even if `paperclip index` updates the index meanwhile.
    Threads may share it. Several indexes of one model are one for those who search them.
    """

    def __init__(self, folders: Sequence[IndexFolder | OpenIndex], workspace: Workspace) -> None:
        self._folders, self._workspace = folders, workspace
        self._embedder = QueryEmbedder(folders[0], workspace)

    @property
    def name(self) -> str:
        """The name of the index; several are separated by commas."""
        return ",".join(folder.name for folder in self._folders)

    @property
    def model(self) -> str:
        """The name of the model that made it."""
        return self._folders[0].provenance.model

    @property
    def vectors(self) -> np.ndarray:
        """The embeddings float32 [N, D], each row of length 1, mapped read-only.

        The rows are those of `observations()`, or several for each of them in an index of tiles.
        Those of several indexes follow each other, in memory, as those of an engine are.
        """
        vectors = [
            folder.vectors if isinstance(folder, IndexFolder) else folder.all_vectors()
            for folder in self._folders
        ]
        return vectors[0] if len(vectors) == 1 else np.concatenate(vectors)

    def __len__(self) -> int:
        return sum(int(folder.manifest.counts["images"]) for folder in self._folders)

    def __repr__(self) -> str:
        return f"<Index {self.name!r}: {counted(len(self), 'images')}, model {self.model}>"

    @with_options(QueryConfig, QueryOptions)
    def search(
        self,
        what: What = None,
        *,
        vector: np.ndarray | None = None,
        **options: Unpack[QueryOptions],
    ) -> Hits:
        """Finds images that match a text, look like an image, or lie near a vector.

        Args:
            what: a text or several, a path or an image in memory, or several of these, or a vector.
                To combine them, give the others as `image`, `minus` and `vector`.
            vector: [D] floats of any length, from the model of this index (`load_model`).
            options: the options of `paperclip query`, as for `paperclip_cli.query`.

        Raises:
            PaperclipError: an option is wrong, an image cannot be read, or the model is missing.
        """
        given: dict[str, Any] = placed(
            options, self._workspace, [folder.observations for folder in self._folders]
        )
        texts, images, vectors = _parts(what)
        if given.get("image") is not None:
            images = [*images, *readers.images(given["image"], "--image")]
        given["image"] = images
        if vector is not None:
            vectors = [*vectors, vector]
        if len(vectors) > 1:
            raise UsageError("two vectors are given", "give their sum")

        config = configure(QueryConfig, text=texts, **given)
        vector = vectors[0] if vectors else None
        query = Query(
            config, self._folders, self._embedder, self._workspace, vector, stays_open=True
        )
        return Hits.of(query.answer())

    def observations(self) -> QTable:
        """All images of the index as an astropy table: the columns that a hit has without a query.

        Unknown values are masked.
        """
        from paperclip_cli.output.hits import IMAGE_COLUMNS
        from paperclip_cli.output.tables import table

        rows = (
            known_of(image, folder, self._workspace)
            for folder in self._folders
            for image in folder.observations.images()
        )
        return table(rows, vars(provenance_of(self._folders)), IMAGE_COLUMNS)


def _parts(what: What) -> tuple[list[str], list[Image], list[np.ndarray]]:
    """The texts, the images and the vectors in the first argument of a search."""
    if what is None:
        return [], [], []
    if isinstance(what, str):
        return [what], [], []
    if isinstance(what, list | tuple) and all(isinstance(one, str) for one in what):
        return list(what), [], []
    if isinstance(what, list | tuple) and not all(isinstance(one, Real) for one in what):
        return [], list(what), []
    if isinstance(what, list | tuple) or hasattr(what, "__array__"):
        what = np.asarray(what)
    is_vector = isinstance(what, np.ndarray) and what.ndim == 1
    return ([], [], [what]) if is_vector else ([], [what], [])  # type: ignore[list-item]
