"""Controls: retrieval by a picture's statistics, its instrument or its header.

A model that does no better than a control has found a shortcut. A control may know of an image only
that it resembles some training images. Their captions then stand for the image: its vector is the
mean of their bags of words.

Shapes: N held-out images, T training images, V words.
"""

from __future__ import annotations

import re
from collections.abc import Hashable, Sequence

import numpy as np

from paperclip_cli.evaluation.bm25 import Bm25
from paperclip_cli.evaluation.held_out import HeldOut
from paperclip_cli.evaluation.retrieval import Embeddings, number
from paperclip_cli.images.pictures import no_data

NEIGHBOURS = 5
RARE = 3  # the least number of texts in which a word must occur
_BLOCK = 64


def statistics(picture: np.ndarray) -> np.ndarray:
    """Seven trivial statistics of a picture uint8 [H,W(,3)], float64 [7].

    They are width and height in pixels, mean, saturation, mean along the border, standard
    deviation, and fraction of dark pixels. Grey levels run from 0 to 1.
    """
    colour = (picture if picture.ndim == 3 else picture[..., None]).astype(np.float32) / 255
    grey = colour.mean(axis=2)
    saturation = colour.max(axis=2) - colour.min(axis=2)
    border = np.concatenate([grey[0], grey[-1], grey[:, 0], grey[:, -1]])
    return np.asarray(
        [
            *grey.shape[::-1],
            grey.mean(),
            saturation.mean(),
            border.mean(),
            grey.std(),
            (grey < 0.1).mean(),
        ]
    )


def without_padding(canvas: np.ndarray) -> np.ndarray:
    """The picture as it was before padding: the smallest rectangle of a canvas with all its data.

    A canvas without data is returned whole.
    """
    data = ~no_data(canvas)
    if not data.any():
        return canvas
    rows, columns = np.flatnonzero(data.any(axis=1)), np.flatnonzero(data.any(axis=0))
    return canvas[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def by_neighbours(
    split: HeldOut, values: np.ndarray, known: Sequence[str], known_values: np.ndarray
) -> Embeddings:
    """Each image takes the place of the training images whose statistics are nearest to its own.

    `values` [N,F] and `known_values` [T,F] are the statistics; each column is measured in units of
    its deviation. `known` are the T training captions.
    """
    mean, deviation = known_values.mean(axis=0), np.maximum(known_values.std(axis=0), 1e-9)
    here, there = (values - mean) / deviation, (known_values - mean) / deviation

    nearest: list[np.ndarray] = []
    for first in range(0, len(here), _BLOCK):
        apart = np.linalg.norm(here[first : first + _BLOCK, None] - there[None], axis=2)
        nearest += list(np.argsort(apart, axis=1, kind="stable")[:, :NEIGHBOURS])
    return _by_captions(split, known, nearest)


def by_group(
    split: HeldOut,
    groups: Sequence[Hashable],
    known: Sequence[str],
    known_groups: Sequence[Hashable],
) -> Embeddings:
    """Each image takes the place of the training images in its group.

    `groups` are those of the N images, `known_groups` those of the T captions `known`. Images of a
    group that training lacks take the place of all training images: they match everything equally.
    """
    names, place = number(known_groups)
    members = {name: np.flatnonzero(place == number) for number, name in enumerate(names)}
    everything = np.arange(len(known))
    return _by_captions(split, known, [members.get(group, everything) for group in groups])


def by_header(
    split: HeldOut, headers: Sequence[Sequence[str]], words: Sequence[Sequence[str]]
) -> Embeddings:
    """BM25 of the words in the N images' headers; `words` are those of the M distinct captions."""
    return split.embeddings(*Bm25(words).vectors(headers))


def bags(texts: Sequence[str]) -> np.ndarray:
    """Unit vectors of words weighted by rarity (tf-idf), float32 [n,V].

    V counts the words that occur in at least RARE texts.
    """
    split = [set(re.findall(r"[a-z]+", text.lower())) for text in texts]
    place = {word: number for number, word in enumerate(sorted(set().union(*split)))}
    holds = np.zeros((len(texts), len(place)), bool)
    for row, words in zip(holds, split, strict=True):
        row[[place[word] for word in words]] = True

    count = holds.sum(axis=0)
    kept = count >= RARE
    weighted = holds[:, kept] * np.log(len(texts) / count[kept]).astype(np.float32)
    return weighted / np.maximum(np.linalg.norm(weighted, axis=1, keepdims=True), 1e-9)


def _by_captions(split: HeldOut, known: Sequence[str], chosen: Sequence[np.ndarray]) -> Embeddings:
    """Embeddings of the N images: the mean of the chosen captions' bags, less the mean of all."""
    distinct, place = number(known)
    vectors = bags([*split.texts, *distinct])
    texts, others = vectors[: len(split.texts)], vectors[len(split.texts) :]
    everything = others[place].mean(axis=0)

    means: dict[bytes, np.ndarray] = {}
    for rows in chosen:
        if rows.tobytes() not in means:
            means[rows.tobytes()] = others[place[rows]].mean(axis=0) - everything
    return split.embeddings(np.stack([means[rows.tobytes()] for rows in chosen]), texts)
