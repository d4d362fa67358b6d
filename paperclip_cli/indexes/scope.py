"""The part of an index that a run updates, and the state of the index after it."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from paperclip_cli.indexes.database import Entry
from paperclip_cli.indexes.reader import Candidate
from paperclip_cli.indexes.update import State
from paperclip_cli.records import Key, Proposal
from paperclip_cli.workspace import Workspace


@dataclass(frozen=True, kw_only=True)
class Scope:
    """The part of an index that a run updates.

    `candidates` are the images that exist now. Images under `roots` that no longer exist are
    dropped from the index. `sources` are the cached previews among them (`indexes.sources`).
    `held` are images under the roots that stay in the index as they are, and `away` files and
    folders there that cannot be seen now.
    """

    candidates: Sequence[Candidate]
    roots: Sequence[str]
    proposals: Mapping[Key, Proposal]
    sources: Mapping[str, int]
    held: Collection[str] = frozenset()
    away: Collection[str] = ()

    def are_previews(self, workspace: Workspace) -> bool:
        """Whether all are previews in the cache, by whatever way they were given."""
        return all(
            candidate.key is not None or workspace.is_preview(candidate.path)
            for candidate in self.candidates
        )

    def part(self, number: int, parts: int) -> Scope:
        """One of some parts of the images. What is in a part does not depend on the others."""
        return replace(
            self,
            candidates=[one for one in self.candidates if _number_of(one.stored) % parts == number],
            held={
                one.stored for one in self.candidates if _number_of(one.stored) % parts != number
            },
        )

    def __contains__(self, stored: str) -> bool:
        return (
            stored not in self.held
            and is_under(stored, self.roots)
            and not is_under(stored, self.away)
        )


def _number_of(stored: str) -> int:
    return int.from_bytes(hashlib.sha256(stored.encode("utf-8", "surrogateescape")).digest()[:8])


def is_under(stored: str, places: Collection[str]) -> bool:
    """Whether a path is one of the places, or lies in one of them."""
    return any(stored == place or stored.startswith(f"{place.rstrip('/')}/") for place in places)


def merged(
    before: State, scope: Scope, entries: Sequence[Entry], is_gone: Callable[[Entry], bool]
) -> State:
    """The state after a run. Whatever is outside its scope stays unchanged.

    Except what was moved into it: a file that is gone, and whose content is new in the scope.
    """
    known = {entry.path for entry in before.entries}
    found = {entry.sha256 for entry in entries if entry.path not in known}
    kept = [
        entry
        for entry in before.entries
        if entry.path not in scope and not (entry.sha256 in found and is_gone(entry))
    ]
    merged = tuple(sorted([*kept, *entries], key=lambda entry: entry.path))
    proposals = {**before.proposals, **scope.proposals}
    keys = {entry.key for entry in merged if entry.key is not None}
    return State(merged, {key: proposals.get(key) or _unknown(key) for key in sorted(keys)})


def _unknown(key: Key) -> Proposal:
    return Proposal(mission=key.mission, proposal_id=key.proposal_id, abstract="")


def changes(before: State, after: State) -> dict[str, int]:
    """The number of images, and of those that are new, changed, renamed and removed."""
    old, new = ({entry.path: entry.sha256 for entry in state.entries} for state in (before, after))
    gone = Counter(digest for path, digest in old.items() if path not in new)
    counts = Counter(
        images=len(new),
        changed=sum(path in old and old[path] != digest for path, digest in new.items()),
    )
    for path, digest in new.items():
        if path not in old:
            is_renamed = gone[digest] > 0
            counts["renamed" if is_renamed else "new"] += 1
            gone[digest] -= is_renamed
    counts["removed"] = gone.total()
    return {name: count for name, count in counts.items() if count or name == "images"}
