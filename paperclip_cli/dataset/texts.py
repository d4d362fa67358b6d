"""The texts of a split's pairs without their images: what a training reads of most columns."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from paperclip_cli.dataset.pairs import Pair, stream_rows
from paperclip_cli.records import Key

_COLUMNS = ("mission", "proposal_id", "caption", "summary")


@dataclass(frozen=True, kw_only=True)
class PairTexts:
    """The captions and proposals of N pairs. Each distinct one is held once.

    `captions` and `proposals` are in the order of first occurrence. `caption` and `proposal`, int32
    [N], are the places of each pair's own.
    """

    captions: list[str]
    caption: np.ndarray
    proposals: list[Key]
    proposal: np.ndarray
    are_summaries: bool

    def __len__(self) -> int:
        return len(self.caption)


class _Row(NamedTuple):
    key: Key
    caption: str
    is_summary: bool


def read_texts(dataset: Path, split: str) -> PairTexts:
    """The texts of a split, in the order of its pairs.

    Raises:
        PaperclipError: the split is missing or cannot be read.
    """
    return _collected(
        stream_rows(
            dataset,
            split,
            _COLUMNS,
            lambda row: _Row(
                Key(row["mission"], row["proposal_id"]),
                row["caption"],
                row["caption"] == row.get("summary"),
            ),
        )
    )


def texts_of(pairs: Sequence[Pair]) -> PairTexts:
    """The texts of pairs that have been read."""
    return _collected(_Row(pair.key, pair.caption, pair.caption == pair.summary) for pair in pairs)


def _collected(rows: Iterable[_Row]) -> PairTexts:
    captions: dict[str, int] = {}
    proposals: dict[Key, int] = {}
    caption, proposal, are_summaries = array("i"), array("i"), True
    for row in rows:
        caption.append(captions.setdefault(row.caption, len(captions)))
        proposal.append(proposals.setdefault(row.key, len(proposals)))
        are_summaries = are_summaries and row.is_summary
    return PairTexts(
        captions=list(captions),
        caption=np.asarray(caption),
        proposals=list(proposals),
        proposal=np.asarray(proposal),
        are_summaries=are_summaries,
    )
