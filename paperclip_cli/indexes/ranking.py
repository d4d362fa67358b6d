"""The order of hits: by cosine, by words, or by both."""

from __future__ import annotations

import re
from collections.abc import Iterator

import numpy as np

from paperclip_cli.indexes.database import Observations
from paperclip_cli.indexes.named import images_named_in
from paperclip_cli.indexes.vectors import best

_FUSION = 60  # k of reciprocal rank fusion (Cormack, Clarke & Buettcher, SIGIR 2009)


def ranked(scores: np.ndarray, order: np.ndarray | None = None) -> Iterator[int]:
    """Places in `order`, or else from the highest score down. Only what is consumed is sorted."""
    if order is not None:
        yield from order.tolist()
        return

    done, count = 0, 128
    while done < len(scores):
        places = best(scores, count)
        yield from places[done:].tolist()
        done, count = len(places), count * 8


def keyword_order(strength: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """Places int64 of the images with some `strength` of words, best first, ties by cosine."""
    places = np.arange(len(scores))
    return np.lexsort((places, -scores, -strength))[: np.count_nonzero(strength)]


def hybrid_order(strength: np.ndarray, scores: np.ndarray, named: np.ndarray) -> np.ndarray:
    """Places int64 of all images, best first, by the `strength` of words and by `scores` (cosines).

    Images whose target is `named` (bool) come first. Then the sum of 1 / (60 + rank) over the two
    orders counts. An image without any strength has no rank by words.
    """
    fused = np.zeros(len(scores))
    for order in (best(scores, len(scores)), keyword_order(strength, scores)):
        fused[order] += 1 / (_FUSION + 1 + np.arange(len(order)))
    return np.lexsort((np.arange(len(scores)), -scores, -fused, ~named))


def order_of(
    rank_by: str, strength: np.ndarray, scores: np.ndarray, named: np.ndarray
) -> np.ndarray:
    """Places int64 by words (`keyword`) or by both (`hybrid`)."""
    if rank_by == "keyword":
        return keyword_order(strength, scores)
    return hybrid_order(strength, scores, named)


def named_rows(observations: Observations, words: str, count: int) -> np.ndarray:
    """Which of `count` rows are of a target that some words name, bool."""
    named = np.zeros(count, bool)
    for _, images in images_named_in(observations, words):
        for image in images:
            named[image.row : image.row + image.tiles] = True
    return named


def keyword_strengths(observations: Observations, words: str, count: int) -> np.ndarray:
    """BM25 of each of `count` rows for some words, float64, 0 where none of the words occurs.

    The name of a target has the weight of a title.
    """
    strength = np.zeros(count)
    match = match_expression(words)
    if not match:
        return strength

    # SQLite's bm25 is negative: lower is better.
    by_proposal = (
        "SELECT rowid, -bm25(proposal_words, 4.0, 1.0) FROM proposal_words "
        "WHERE proposal_words MATCH ?"
    )
    by_image = "SELECT rowid, -4 * bm25(image_words) FROM image_words WHERE image_words MATCH ?"
    proposals = dict(observations.execute(by_proposal, (match,)))
    images = dict(observations.execute(by_image, (match,)))

    rows = observations.execute("SELECT id, tiles, proposal FROM images WHERE id < ?", (count,))
    for first, tiles, proposal in rows:
        found = proposals.get(proposal, 0.0) + images.get(first, 0.0)
        if found:
            strength[first : first + tiles] = found
    return strength


def match_expression(words: str) -> str:
    """An FTS5 expression for any of the words.

    A name with its numbers (`NGC 4038`, `SN1987A`, `Sh 2-170`) is one phrase.
    """
    phrases: list[list[str]] = []
    end = 0
    for match in re.finditer(r"[^\W\d_]+|\d+", words):
        if phrases and _belongs(phrases[-1][-1], words[end : match.start()], match[0]):
            phrases[-1].append(match[0])
        else:
            phrases.append([match[0]])
        end = match.end()
    return " OR ".join(f'"{" ".join(phrase)}"' for phrase in phrases)


def _belongs(before: str, gap: str, token: str) -> bool:
    """Whether a token is part of the same name as the one before it."""
    if gap.strip() in ("-", "+", ".") and gap == gap.strip():
        return before.isdigit() or token.isdigit()
    is_letter = len(token) == 1 and not token.isdigit()
    return not gap or (not gap.strip() and (token.isdigit() if before.isalpha() else is_letter))
