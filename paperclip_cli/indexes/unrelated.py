"""What unrelated texts find in an index: the tables from which `chance` says how good a hit is.

The texts name everyday things, and things of science that no archive of pictures shows. Beside a
generation of an index lie

    unrelated-<number>.npy  float32 [T, D], the embeddings of the texts
    spread-<number>.npy     [N], of each vector the mean and the standard deviation of its cosines
                            with the texts, and the number of its proposal (0 for none)
    nearest-<number>.npy    [T, K], of each text the best vectors, best first, and their cosines
    words-<number>.npy      uint8 [P + 1, T], the share of the words of each text that each proposal
                            has (255 for all)
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache, partial
from importlib.resources import files
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.lib import format as npy

from paperclip_cli.errors import PaperclipError
from paperclip_cli.files import replacing
from paperclip_cli.indexes.database import Observations
from paperclip_cli.indexes.shared_words import share_table

TABLES = ("unrelated", "spread", "nearest", "words")
SPREAD = np.dtype([("mean", "<f4"), ("deviation", "<f4"), ("proposal", "<i4")])
NEAREST = np.dtype([("row", "<i4"), ("score", "<f4")])
BEST = 10  # vectors that give the evidence of a text
WORDS = 0.1  # a share of words that weighs as much as one standard deviation of the pictures
KEPT = 512  # best vectors of each text: enough for most conditions
_BLOCK = 65_536  # vectors multiplied at once
_LEAST = 1e-6  # standard deviation


@lru_cache(maxsize=1)
def unrelated_texts() -> tuple[str, ...]:
    """The texts. A change of them changes every `p_chance`, and all indexes must be updated."""
    lines = files(__package__).joinpath("unrelated.txt").read_text(encoding="utf-8").splitlines()
    return tuple(line for line in lines if line)


@dataclass(frozen=True)
class Evidence:
    """What each unrelated text finds, float64 [T]: see `chance`.

    `pictures` is the mean standing of its best vectors, `words` the mean share of its words in
    their proposals.
    """

    pictures: np.ndarray
    words: np.ndarray

    def __post_init__(self) -> None:
        if not self.pictures.shape == self.words.shape == (self.pictures.size,):
            raise ValueError("one number for each unrelated text")

    @cached_property
    def spread(self) -> float:
        """The standard deviation of `pictures`."""
        return max(float(np.std(self.pictures)), _LEAST) if self.pictures.size else 1.0

    @cached_property
    def _sorted(self) -> np.ndarray:
        return np.sort(self.pictures / self.spread + self.words / WORDS)

    def chance(self, pictures: float, words: float) -> float:
        """The share of texts with at least this evidence, the query counted among them."""
        texts = self._sorted
        beaten = int(np.searchsorted(texts, pictures / self.spread + words / WORDS))
        return (1 + len(texts) - beaten) / (1 + len(texts))


@dataclass(frozen=True, kw_only=True)
class Unrelated:
    """The open tables of a generation, mapped read-only."""

    texts: np.ndarray
    spread: np.ndarray
    nearest: np.ndarray
    words: np.ndarray

    @classmethod
    def open(cls, folder: Path, number: int, size: int) -> Unrelated:
        """The tables of a generation of `size` vectors.

        Raises:
            FileNotFoundError: one of them is missing.
            PaperclipError: one of them is not what it should be.
        """
        # An empty array cannot be mapped.
        opened = partial(_open, mode="r" if size else None)
        texts = opened(table_path(folder, "unrelated", number), np.dtype("<f4"), 2)
        tables = cls(
            texts=texts,
            spread=opened(table_path(folder, "spread", number), SPREAD, 1),
            nearest=opened(table_path(folder, "nearest", number), NEAREST, 2),
            words=opened(table_path(folder, "words", number), np.dtype("u1"), 2),
        )
        counts = len(tables.spread), len(tables.nearest), tables.words.shape[1]
        if counts != (size, len(texts), len(texts)):
            raise PaperclipError(
                f"{folder}: the tables of unrelated texts do not fit the vectors",
                "rebuild the index with --force",
            )
        return tables

    def standing(self, rows: np.ndarray, scores: np.ndarray) -> np.ndarray:
        """Cosines of some rows, in standard deviations above those of unrelated texts."""
        spread = self.spread[rows]
        return (scores - spread["mean"]) / spread["deviation"]

    def found(self, rows: np.ndarray, scores: np.ndarray, texts: np.ndarray | None = None) -> Found:
        """What some `texts` int [T] find, None for all.

        `rows` int [T, n] are the best of each, and `scores` their cosines.
        """
        places = np.arange(len(rows)) if texts is None else texts
        words = self.words[self.spread["proposal"][rows], places[:, None]] / 255
        return Found(scores, self.standing(rows, scores), words)


@dataclass(frozen=True)
class Found:
    """The best vectors of some texts, [T, n] each: cosines, standings, and shares of their words.

    The standing of a vector is its cosine in standard deviations above those of unrelated texts.
    """

    scores: np.ndarray
    standings: np.ndarray
    words: np.ndarray

    @classmethod
    def best_of(cls, several: Sequence[Found]) -> Found:
        """The best vectors of several indexes together, best first, at most `BEST` a text."""
        if len(several) == 1:
            return several[0]
        scores, standings, words = (
            np.concatenate([getattr(one, name) for one in several], axis=1)
            for name in ("scores", "standings", "words")
        )
        places = highest(scores, BEST)
        return cls(*(np.take_along_axis(one, places, 1) for one in (scores, standings, words)))

    @property
    def evidence(self) -> Evidence:
        if self.scores.shape[1] == 0:  # nothing to find, in an index without images
            return Evidence(np.zeros(len(self.scores)), np.zeros(len(self.scores)))
        return Evidence(self.standings.mean(axis=1, dtype=float), self.words.mean(axis=1))


def _open(path: Path, dtype: np.dtype, axes: int, mode: Literal["r"] | None) -> np.ndarray:
    try:
        found = np.load(path, mmap_mode=mode, allow_pickle=False)
    except FileNotFoundError:
        raise
    except (OSError, ValueError, EOFError) as error:
        raise PaperclipError(
            f"{path} cannot be read ({error})", "rebuild the index with --force"
        ) from error
    if found.dtype != dtype or found.ndim != axes:
        raise PaperclipError(
            f"{path} is not a table of unrelated texts", "rebuild the index with --force"
        )
    return found.view(np.ndarray)


def table_path(folder: Path, table: str, number: int) -> Path:
    return folder / f"{table}-{number:06d}.npy"


def table_paths(folder: Path, number: int) -> list[Path]:
    return [table_path(folder, table, number) for table in TABLES]


def write_tables(
    folder: Path, number: int, vectors: np.ndarray, observations: Observations, texts: np.ndarray
) -> Evidence:
    """Writes the tables of a generation, and returns what the texts find in all of it.

    They are of its `vectors` float32 [N, D] and the embeddings `texts` float32 [T, D].
    """
    spread = np.zeros(len(vectors), SPREAD)
    rows, scores = best_rows(_spread_into(spread, products(vectors, texts)), KEPT, len(texts))
    for first, tiles, proposal in observations.execute("SELECT id, tiles, proposal FROM images"):
        spread["proposal"][first : first + tiles] = proposal or 0

    nearest = np.zeros(rows.shape, NEAREST)
    nearest["row"], nearest["score"] = rows, scores
    words = share_table(unrelated_texts(), observations)
    for path, table in zip(
        table_paths(folder, number), (texts.astype("<f4"), spread, nearest, words), strict=True
    ):
        with replacing(path) as temporary, temporary.open("wb") as file:
            npy.write_array(file, np.ascontiguousarray(table), allow_pickle=False)
    tables = Unrelated.open(folder, number, len(vectors))
    return tables.found(rows[:, :BEST], scores[:, :BEST]).evidence


def products(vectors: np.ndarray, texts: np.ndarray) -> Iterator[np.ndarray]:
    """The cosines float32 [T, n] of texts [T, D] with vectors [N, D], in blocks of these."""
    for start in range(0, len(vectors), _BLOCK):
        yield texts @ vectors[start : start + _BLOCK].T


def best_rows(
    blocks: Iterable[np.ndarray], count: int, texts: int
) -> tuple[np.ndarray, np.ndarray]:
    """The best rows of each text, best first, and their cosines: int64 and float32 [T, count].

    `blocks` are cosines [T, n] of consecutive rows. Fewer rows are returned where there are fewer.
    """
    rows: np.ndarray = np.empty((texts, 0), np.int64)
    best: np.ndarray = np.empty((texts, 0), np.float32)
    start = 0
    for scores in blocks:
        places = highest(scores, count)
        rows = np.concatenate([rows, start + places], axis=1)
        best = np.concatenate([best, np.take_along_axis(scores, places, axis=1)], axis=1)
        order = highest(best, count)
        rows, best = (np.take_along_axis(one, order, axis=1) for one in (rows, best))
        start += scores.shape[1]
    return rows, best


def _spread_into(spread: np.ndarray, blocks: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
    """The blocks as they come, whose means and standard deviations go into `spread`."""
    start = 0
    for scores in blocks:
        here = slice(start, start + scores.shape[1])
        spread["mean"][here], spread["deviation"][here] = spread_of(scores)
        yield scores
        start += scores.shape[1]


def spread_of(scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The means and standard deviations float32 [n] of the cosines [T, n] of texts with vectors."""
    return scores.mean(axis=0), np.maximum(scores.std(axis=0), _LEAST)


def highest(scores: np.ndarray, count: int) -> np.ndarray:
    """The places int64 [T, n] of the `count` highest scores of each row, highest first."""
    size = scores.shape[1]
    if count < size:
        places = np.argpartition(scores, size - count, axis=1)[:, size - count :]
    else:
        places = np.broadcast_to(np.arange(size), scores.shape)
    order = np.argsort(-np.take_along_axis(scores, places, axis=1), axis=1, kind="stable")
    return np.take_along_axis(places, order, axis=1)
