"""The order of hits: by cosine, by words, or by both."""

from __future__ import annotations

import re
from collections.abc import Iterator

import numpy as np

from paperclip_cli.data.observations import Observations, spaced
from paperclip_cli.data.vectors import best

_FUSION = 60  # k of reciprocal rank fusion (Cormack, Clarke & Buettcher, SIGIR 2009)


def ranked(scores: np.ndarray, order: np.ndarray | None = None) -> Iterator[int]:
    """Places in `order`, or else from the highest score down; only as far as they are asked for are they sorted."""
    if order is not None:
        yield from order.tolist()
        return
    done, count = 0, 128
    while done < len(scores):
        places = best(scores, count)
        yield from places[done:].tolist()
        done, count = len(places), count * 8


def keyword_order(strength: np.ndarray, scores: np.ndarray, is_hybrid: bool) -> np.ndarray:
    """Places int64 of images in the order of their words, best first, given their `strength` in words and their `scores` (cosines).

    By words alone: only images with any strength, equal ones in the order of their cosine. Hybrid: all images, by the sum of
    1 / (60 + rank) over the two orders; what no word leads to has no rank by words.
    """
    places = np.arange(len(scores))
    by_words = np.lexsort((places, -scores, -strength))[:np.count_nonzero(strength)]
    if not is_hybrid:
        return by_words
    fused = np.zeros(len(scores))
    for order in (best(scores, len(scores)), by_words):
        fused[order] += 1 / (_FUSION + 1 + np.arange(len(order)))
    return np.lexsort((places, -scores, -fused))


def keyword_strengths(observations: Observations, words: str, count: int) -> np.ndarray:
    """BM25 of each of `count` rows for some words, float64; 0 where none occurs. A target's name counts as the titles do."""
    strength = np.zeros(count)
    match = match_expression(words)
    if not match:
        return strength
    # SQLite's bm25 is negative, lower being better.
    proposals = dict(observations.execute(
        "SELECT rowid, -bm25(proposal_words, 4.0, 1.0) FROM proposal_words WHERE proposal_words MATCH ?", (match,)))
    images = dict(observations.execute("SELECT rowid, -4 * bm25(image_words) FROM image_words WHERE image_words MATCH ?", (match,)))
    for first, tiles, proposal in observations.execute("SELECT id, tiles, proposal FROM images WHERE id < ?", (count,)):
        found = proposals.get(proposal, 0.0) + images.get(first, 0.0)
        if found:
            strength[first:first + tiles] = found
    return strength


def match_expression(words: str) -> str:
    """An FTS5 expression for any of the words; a name with its number (`NGC 4038`, `SN1987A`) is one phrase."""
    tokens = re.findall(r"[^\W_]+", spaced(words))
    phrases: list[list[str]] = []
    for token in tokens:
        follows_letters = bool(phrases) and token.isdigit() and phrases[-1][-1].isalpha()
        follows_digits = bool(phrases) and len(token) == 1 and token.isalpha() and phrases[-1][-1].isdigit()
        if follows_letters or follows_digits:
            phrases[-1].append(token)
        else:
            phrases.append([token])
    return " OR ".join(f'"{" ".join(phrase)}"' for phrase in phrases)
