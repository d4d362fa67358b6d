"""A gallery of a dataset, as in the figures of the paper: images by text, and texts by image."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import islice
from pathlib import Path

import numpy as np

from paperclip_cli.dataset.decoded import canvas
from paperclip_cli.dataset.pairs import Pair, stream_split
from paperclip_cli.dataset.phrases import PAPER_PHRASES
from paperclip_cli.evaluation.plot_data import Gallery, Picture
from paperclip_cli.images.pictures import make_canvas
from paperclip_cli.indexes.vectors import best
from paperclip_cli.towers.folder import ModelFolder
from paperclip_cli.towers.numpy_text_tower import TextTower

# The ones of the paper's ten queries that look most different.
QUERIES = ("globular cluster", "strong lensing", "spiral galaxies", "comets")
PICTURES = 4
PHRASES = 4
SIDE = 256


def gallery(
    model: ModelFolder,
    images: np.ndarray,
    dataset: Path,
    splits: Sequence[str],
    pairs: Sequence[Pair],
) -> Gallery:
    """The best images for some queries, and the best phrases for some images.

    A query shows at most one image of a proposal; the images for phrases are drawn with a fixed
    seed. `images` float32 [N,D] are the embeddings of the pairs.
    """
    tower = TextTower.open(model)
    cosines, phrases = tower.embed(QUERIES) @ images.T, tower.embed(PAPER_PHRASES)
    found = [_first_of_proposals(np.argsort(-row, kind="stable"), pairs) for row in cosines]
    shown = _first_of_proposals(np.random.default_rng(0).permutation(len(pairs)), pairs)

    pictures = _pictures(dataset, splits, {row for rows in [*found, shown] for row in rows})
    by_text = [
        (query, [(pictures[row], float(values[row])) for row in rows])
        for query, values, rows in zip(QUERIES, cosines, found, strict=True)
    ]
    by_image = [(pictures[row], _phrases(phrases @ images[row])) for row in shown]
    return Gallery(model.name, by_text, by_image)


def _phrases(cosines: np.ndarray) -> list[tuple[str, float]]:
    return [(PAPER_PHRASES[place], float(cosines[place])) for place in best(cosines, PHRASES)]


def _first_of_proposals(rows: Iterable[int], pairs: Sequence[Pair]) -> list[int]:
    return list(islice(_one_a_proposal(rows, pairs), PICTURES))


def _one_a_proposal(rows: Iterable[int], pairs: Sequence[Pair]) -> Iterable[int]:
    seen = set()
    for row in map(int, rows):
        if pairs[row].key not in seen:
            seen.add(pairs[row].key)
            yield row


def _pictures(dataset: Path, splits: Sequence[str], rows: set[int]) -> dict[int, Picture]:
    pairs = (pair for split in splits for pair in stream_split(dataset, split))
    return {
        row: Picture(make_canvas(canvas(pair), SIDE), str(pair.key), pair.title)
        for row, pair in enumerate(pairs)
        if row in rows
    }
