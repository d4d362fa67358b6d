"""What can be retrieved without looking at what a picture shows: from its statistics, from its instrument, from its header.

A model that does no better has found a shortcut. Where all that a control knows of an image is what it has in common with some images of
the training split, their captions stand for it: its vector is the mean of their bags of words.

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
RARE = 3  # texts that a word must occur in
_BLOCK = 64


def statistics(picture: np.ndarray) -> np.ndarray:
    """Seven trivial statistics of a picture uint8 [H,W(,3)], float64 [7].

    Width and height in pixels, mean, saturation, mean along the border, standard deviation, fraction of dark pixels: grey levels 0 to 1.
    """
    colour = (picture if picture.ndim == 3 else picture[..., None]).astype(np.float32) / 255
    grey = colour.mean(axis=2)
    border = np.concatenate([grey[0], grey[-1], grey[:, 0], grey[:, -1]])
    return np.asarray(
        [
            *grey.shape[::-1],
            grey.mean(),
            (colour.max(axis=2) - colour.min(axis=2)).mean(),
            border.mean(),
            grey.std(),
            (grey < 0.1).mean(),
        ]
    )


def without_padding(canvas: np.ndarray) -> np.ndarray:
    """The smallest rectangle of a canvas that holds all data: the picture as it was before it was padded. All of it where there is none."""
    data = ~no_data(canvas)
    if not data.any():
        return canvas
    (top, bottom), (left, right) = (
        (places[0], places[-1] + 1)
        for places in (np.flatnonzero(data.any(axis=axis)) for axis in (1, 0))
    )
    return canvas[top:bottom, left:right]


def by_neighbours(
    split: HeldOut, values: np.ndarray, known: Sequence[str], known_values: np.ndarray
) -> Embeddings:
    """An image stands where its nearest neighbours do: `values` [N,F] and `known_values` [T,F], each column in units of its deviation.

    `known` are the T captions of training.
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
    """An image stands where the training images of its group do: `groups` of the N images, `known_groups` of the T captions `known`.

    Those of a group that training lacks stand where all are: they match everything equally.
    """
    names, place = number(known_groups)
    members = {name: np.flatnonzero(place == number) for number, name in enumerate(names)}
    return _by_captions(
        split, known, [members.get(group, np.arange(len(known))) for group in groups]
    )


def by_header(
    split: HeldOut, headers: Sequence[Sequence[str]], words: Sequence[Sequence[str]]
) -> Embeddings:
    """BM25 of the words of the N images' headers in the captions, `words` being those of the M distinct ones."""
    return split.embeddings(*Bm25(words).vectors(headers))


def bags(texts: Sequence[str]) -> np.ndarray:
    """Unit vectors float32 [n,V] of the words that occur in at least three texts, weighted by their rarity (tf-idf)."""
    split = [set(re.findall(r"[a-z]+", text.lower())) for text in texts]
    place = {word: number for number, word in enumerate(sorted(set().union(*split)))}
    holds = np.zeros((len(texts), len(place)), bool)
    for row, words in zip(holds, split, strict=True):
        row[[place[word] for word in words]] = True
    count = holds.sum(axis=0)
    weighted = holds[:, count >= RARE] * np.log(len(texts) / count[count >= RARE]).astype(
        np.float32
    )
    return weighted / np.maximum(np.linalg.norm(weighted, axis=1, keepdims=True), 1e-9)


def _by_captions(split: HeldOut, known: Sequence[str], chosen: Sequence[np.ndarray]) -> Embeddings:
    """The N images as the means of the chosen captions' bags, less the mean of all."""
    distinct, place = number(known)
    vectors = bags([*split.texts, *distinct])
    texts, others = vectors[: len(split.texts)], vectors[len(split.texts) :]
    everything = others[place].mean(axis=0)
    means: dict[bytes, np.ndarray] = {}
    for rows in chosen:
        if rows.tobytes() not in means:
            means[rows.tobytes()] = others[place[rows]].mean(axis=0) - everything
    return split.embeddings(np.stack([means[rows.tobytes()] for rows in chosen]), texts)
