"""Previews joined with their texts by (mission, proposal), and marked where training shows them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from paperclip_cli.dataset.leakage import seen_sky, seen_text
from paperclip_cli.dataset.pairs import Pair
from paperclip_cli.dataset.split import TRAIN
from paperclip_cli.records import Key, Observation, Preview, Proposal, Summary


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A pair whose image has not been read yet."""

    preview: Preview
    proposal: Proposal
    summary: str | None
    caption: str
    seen_sky: bool | None = None
    seen_text: bool | None = None

    def pair(self, image: bytes) -> Pair:
        """The pair with its image (encoded JPEG)."""
        observation = self.preview.observation
        if observation.cycle is None and self.proposal.cycle:
            observation = replace(observation, cycle=self.proposal.cycle)
        return Pair(
            key=self.proposal.key,
            image=image,
            path=f"{self.preview.mission}/{self.preview.image}",
            caption=self.caption,
            abstract=self.proposal.abstract,
            summary=self.summary,
            title=self.proposal.title,
            category=self.proposal.category,
            seen_sky=self.seen_sky,
            seen_text=self.seen_text,
            observation=observation,
        )


def abstract_caption(proposal: Proposal) -> str:
    """`Category: <category>. <abstract>`, as in the paper; no prefix if the category is unknown."""
    prefix = f"Category: {proposal.category}. " if proposal.category else ""
    return prefix + proposal.abstract


def join(
    proposals: Mapping[Key, Proposal],
    previews: Sequence[Preview],
    summaries: Mapping[Key, Summary],
    captions: str,
) -> tuple[list[Row], dict[str, int]]:
    """One row for each preview with a caption, and counts of what the rules left out.

    `captions` is `abstract` or `summary`.
    """
    pictured = {preview.key for preview in previews}
    known = proposals.keys() & pictured
    described = {key for key in known if proposals[key].abstract.strip()}
    usable = {key for key in described if captions == "abstract" or key in summaries}

    rows = [
        _row(preview, proposals[preview.key], summaries.get(preview.key), captions)
        for preview in previews
        if preview.key in usable
    ]

    strangers = sum(preview.key not in proposals for preview in previews)
    excluded = {
        "proposals without an image": len(proposals) - len(known),
        "images of proposals that are not in the catalogue": strangers,
        "proposals without an abstract": len(known) - len(described),
        "proposals without a summary": len(described) - len(usable),
    }
    return rows, {reason: count for reason, count in excluded.items() if count}


def _row(preview: Preview, proposal: Proposal, summary: Summary | None, captions: str) -> Row:
    text = summary.text if summary else None
    caption = text if captions == "summary" and text else abstract_caption(proposal)
    return Row(preview=preview, proposal=proposal, summary=text, caption=caption)


def mark_seen(splits: Mapping[str, Sequence[Row]]) -> dict[str, list[Row]]:
    """The same splits with `seen_sky` and `seen_text` on held-out rows.

    Both stay None where there is nothing to train on.
    """
    training = splits.get(TRAIN, [])
    held_out = [row for split, rows in splits.items() if split != TRAIN for row in rows]
    if not training or not held_out:
        return {split: list(rows) for split, rows in splits.items()}

    sky = iter(seen_sky(_observations(held_out), _observations(training)))
    text = seen_text(_abstracts(held_out), _abstracts(training).values())

    def marked(row: Row) -> Row:
        return replace(row, seen_sky=next(sky), seen_text=text[row.proposal.key])

    return {
        split: list(rows) if split == TRAIN else list(map(marked, rows))
        for split, rows in splits.items()
    }


def _observations(rows: Sequence[Row]) -> list[Observation]:
    return [row.preview.observation for row in rows]


def _abstracts(rows: Sequence[Row]) -> dict[Key, str]:
    return {row.proposal.key: row.proposal.abstract for row in rows}
