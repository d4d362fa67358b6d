"""Embeddings of whole splits: every image once, and every caption cut in one way."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from itertools import count, islice
from pathlib import Path

import numpy as np

from paperclip_cli.dataset.batches import look_ahead
from paperclip_cli.dataset.decoded import canvas
from paperclip_cli.dataset.pairs import Pair, stream_split
from paperclip_cli.dataset.texts import texts_of
from paperclip_cli.evaluation.held_out import held_out
from paperclip_cli.evaluation.retrieval import Embeddings
from paperclip_cli.images import alternative_views
from paperclip_cli.images.alternative_views import Look
from paperclip_cli.progress import Progress
from paperclip_cli.towers.embedder import ImageEmbedder
from paperclip_cli.towers.folder import ModelFolder
from paperclip_cli.towers.numpy_text_tower import TextTower
from paperclip_cli.towers.tokenizer import ENDS, Tokenizer, cut

_DECODED_AT_A_TIME = 256


def embed_pairs(
    model: ModelFolder,
    dataset: Path,
    splits: Sequence[str],
    pairs: Sequence[Pair],
    batch_size: int,
    progress: Progress,
    look: Look = alternative_views.centre,
    runs: int | None = None,
) -> Embeddings:
    """Embeddings of the pairs of some splits, with a few images in memory at a time.

    Captions are cut from their beginning. With `runs`, a seed, they are cut anywhere, as in
    training.
    """
    embedder = ImageEmbedder(model, batch_size)
    vectors: list[np.ndarray] = []

    def view(picture: np.ndarray, number: int) -> np.ndarray:
        return look(picture, model.view, number)

    with (
        progress.task(f"embed with {model.name}", len(pairs), "images") as task,
        closing(look_ahead(look_through(dataset, splits, view))) as groups,
    ):
        for views in groups:
            for first in range(0, len(views), batch_size):
                vectors.append(embedder.embed(views[first : first + batch_size]))
                task.advance(len(vectors[-1]))

    length = _caption_length(model)
    split, tokens = held_out(texts_of(pairs), Tokenizer.load(model).encode, length - ENDS, runs)
    texts = TextTower.open(model).embed_tokens([cut(ids, length) for ids in tokens])
    return split.embeddings(np.concatenate(vectors), texts)


def look_through(
    dataset: Path, splits: Sequence[str], look: Callable[[np.ndarray, int], np.ndarray]
) -> Iterator[np.ndarray]:
    """The results of `look(canvas, number)` for all images of the splits, some at a time."""
    pairs = (pair for split in splits for pair in stream_split(dataset, split))
    numbers = count()
    with ThreadPoolExecutor() as pool:
        while some := list(islice(pairs, _DECODED_AT_A_TIME)):
            views = pool.map(lambda pair, number: look(canvas(pair), number), some, numbers)
            yield np.stack(list(views))


def _caption_length(model: ModelFolder) -> int:
    """The length of a caption in tokens: that of training, else the text encoder's limit."""
    trained = model.card.get("training", {}).get("caption_tokens")
    return trained or model.config.text.max_position_embeddings
