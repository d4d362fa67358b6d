"""What an index holds, counted from its images. See `indexes.contents`, whose numbers it gives."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

from paperclip_cli.indexes.contents import Contents
from paperclip_cli.indexes.database import Entry
from paperclip_cli.records import Key, Proposal


def contents_of(entries: Iterable[Entry], proposals: Mapping[Key, Proposal]) -> Contents:
    """The contents of an index with these images."""
    missions, instruments, filters, cycles = (Counter[str]() for _ in range(4))
    dates: list[float] = []
    for entry in entries:
        observation = entry.observation
        if entry.key is not None:
            missions[entry.key.mission] += 1
        if observation.instrument is not None:
            instruments[_place(observation.instrument, observation.detector)] += 1
        filters.update(observation.filters)
        cycle = cycle_of(entry, proposals)
        if cycle is not None:
            cycles[cycle] += 1
        if observation.t_min is not None:
            dates.append(observation.t_min)
    return Contents(
        missions=_ordered(missions),
        instruments=_ordered(instruments),
        filters=_ordered(filters),
        cycles=_ordered(cycles),
        dates=(min(dates), max(dates)) if dates else None,
    )


def cycle_of(entry: Entry, proposals: Mapping[Key, Proposal]) -> str | None:
    """The cycle of an observation, or else of its proposal, of which it may be empty."""
    proposal = None if entry.key is None else proposals.get(entry.key)
    return entry.observation.cycle or (None if proposal is None else proposal.cycle)


def span_of(keys: Iterable[Key]) -> tuple[int, int, int]:
    """The count of proposals, and the first and the last of their numbers."""
    numbers = [key.proposal_id for key in keys]
    return len(numbers), min(numbers, default=0), max(numbers, default=0)


def _place(instrument: str, detector: str | None) -> str:
    has_own = not detector or detector in instrument.split("/")
    return instrument if has_own else f"{instrument}/{detector}"


def _ordered(found: Counter[str]) -> dict[str, int]:
    return dict(sorted(found.items(), key=lambda held: (-held[1], held[0])))
