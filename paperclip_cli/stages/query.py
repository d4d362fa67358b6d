"""Answers queries from an index."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from paperclip_cli.config import QueryConfig
from paperclip_cli.engines.opening import open_indexes
from paperclip_cli.errors import UsageError
from paperclip_cli.indexes.query import Answer, Query, is_plain_cone
from paperclip_cli.indexes.query_embedder import QueryEmbedder
from paperclip_cli.threads import arriving
from paperclip_cli.workspace import Workspace

_AT_ONCE = 16  # lines embedded together, if that many are waiting


def run(
    config: QueryConfig, workspace: Workspace, lines: Iterable[str] | None = None
) -> Iterator[Answer]:
    """Answers the query of `config`. With `lines`, answers one query per line, as a further text.

    Raises:
        MissingStage: there is no such index.
        UsageError: the query is empty, or there is not one line.
        PaperclipError: the model of the index is missing or has changed, or an image of the query
            cannot be read.
    """
    if lines is None:
        is_plain_cone(config)  # refuses an empty query before anything is opened
    indexes = open_indexes(config.indexes, workspace)
    embedder = QueryEmbedder(indexes[0], workspace)
    query = Query(config, indexes, embedder, workspace, is_many=lines is not None)
    if lines is None:
        yield query.answer()
    else:
        texts: list[str] = []
        for texts in arriving((line.strip() for line in lines if line.strip()), _AT_ONCE):
            yield from query.answers(texts)
        if not texts:
            raise UsageError(
                "there is no query on standard input",
                "write one on each line: echo dust | paperclip query -",
            )
