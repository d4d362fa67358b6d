"""The rows of `evaluate`'s table: a contestant, a subset of the images, and the results on it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from paperclip_cli.dataset.pairs import Pair
from paperclip_cli.evaluation import ranks, retrieval
from paperclip_cli.evaluation.ranks import Ranks
from paperclip_cli.evaluation.retrieval import Accuracy, Embeddings, Standing
from paperclip_cli.wording import counted

MODEL, BASELINE, CONTROL = "model", "baseline", "control"
ALL, UNSEEN = "all", "unseen"


@dataclass(frozen=True, kw_only=True)
class Contestant:
    """A model or a control that retrieves.

    `scale` multiplies its similarities in a loss; None if it has no loss. `has_cosines` says
    whether its similarities are cosines. `trained_on` bool [N] says whether it was trained on the
    image's proposal, and `has_paper_loss` whether it was trained with the scale of the paper's
    code.
    """

    name: str
    role: str
    found: Embeddings
    trained_on: np.ndarray
    scale: float | None = None
    has_cosines: bool = True
    has_paper_loss: bool = False


@dataclass(frozen=True, kw_only=True)
class Result:
    """The results of a contestant on all images, or on the unseen ones among the same candidates.

    `trained_on` counts the images whose proposal it was trained on: a score on those says little.
    `loss` is symmetric InfoNCE over batches of 100 (`retrieval.losses`). `similarity` is that of
    true and of shuffled pairs, NaN where there is only one caption. Either is None for a control
    that has none.
    """

    name: str
    role: str
    subset: str
    protocol: str
    direction: str
    n_images: int
    n_captions: int
    n_proposals: int
    trained_on: int
    loss: float | None
    accuracy: Accuracy
    ranks: Ranks
    similarity: tuple[float, float] | None
    has_paper_loss: bool = False


class Seen:
    """Flags of a split's images: those whose sky or text training shows, and the unseen ones."""

    def __init__(self, pairs: Sequence[Pair]) -> None:
        flags = [(pair.seen_sky, pair.seen_text) for pair in pairs]
        self.unseen = np.asarray([flag == (False, False) for flag in flags], bool)
        self.seen = np.asarray([True in flag for flag in flags], bool)

    def __str__(self) -> str:
        unseen, seen = np.count_nonzero(self.unseen), np.count_nonzero(self.seen)
        unknown, images = len(self.seen) - unseen - seen, counted(len(self.seen), "images")
        return (
            f"training shows neither sky nor text of {unseen:,} of {images} "
            f"(unseen), and either of {seen:,}; unknown for {unknown:,}"
        )


def results(
    contestant: Contestant, seen: Seen, protocol: str, directions: Sequence[str]
) -> list[Result]:
    """The contestant's rows: in each direction one on all images, and one on any unseen ones."""
    losses = _losses(contestant, protocol)
    rows = []
    for direction in directions:
        standing = retrieval.standing(contestant.found, protocol, direction)
        for subset, part in ((ALL, standing), (UNSEEN, standing.among(seen.unseen))):
            if len(part.rows):
                rows.append(_result(contestant, subset, protocol, direction, part, losses))
    return rows


def _losses(contestant: Contestant, protocol: str) -> np.ndarray | None:
    if contestant.scale is None:
        return None
    batches = retrieval.batch_rows(len(contestant.found.images), protocol)
    return retrieval.losses(contestant.found, contestant.scale, batches)


def _result(
    contestant: Contestant,
    subset: str,
    protocol: str,
    direction: str,
    standing: Standing,
    losses: np.ndarray | None,
) -> Result:
    found, rows = contestant.found, standing.rows
    own, others = retrieval.similarities(found)
    means = float(own[rows].mean()), float(others[rows].mean())
    return Result(
        name=contestant.name,
        role=contestant.role,
        subset=subset,
        protocol=protocol,
        direction=direction,
        n_images=len(rows),
        n_captions=len(found.texts),
        n_proposals=len(np.unique(found.proposal[rows])),
        trained_on=int(np.count_nonzero(contestant.trained_on[rows])),
        loss=None if losses is None else float(losses[rows].mean()),
        accuracy=retrieval.measure(standing, found.proposal),
        ranks=ranks.measure(standing, found.proposal),
        similarity=means if contestant.has_cosines else None,
        has_paper_loss=contestant.has_paper_loss,
    )
