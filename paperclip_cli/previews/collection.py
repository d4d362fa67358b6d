"""The cached proposals and previews of a mission, and how a run of `fetch` changes them.

    <cache>/proposals/<mission>/proposals.jsonl    the proposals that have a preview
    <cache>/previews/<mission>/previews.jsonl      the previews; the files beside it
    <cache>/previews/<mission>/ledger.jsonl        the outcome for every image that was ever drawn

The other stages read the first two. The ledger also holds unfinished runs, and images that could
not be read.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from paperclip_cli.files import replace_file
from paperclip_cli.previews.fetch_log import (
    Entry,
    Place,
    read_ledger,
    rewrite_ledger,
    shard_ledgers,
)
from paperclip_cli.previews.records import LOST, PROPOSALS, stated_count
from paperclip_cli.records import Key, Preview, Proposal, Record, read_jsonl, write_jsonl
from paperclip_cli.workspace import (
    Manifest,
    Workspace,
    announce,
    faults,
    read_manifest,
    stamp_of,
    write_manifest,
)

ORIGINALS = "originals"


@dataclass(frozen=True)
class Holdings:
    """Proposals and previews as records, and the ledger by image.

    `lost` are the proposals of which records were lost, and were not fetched again since.
    """

    proposals: Mapping[Key, Proposal]
    previews: tuple[Preview, ...]
    ledger: Mapping[Place, Entry]
    lost: frozenset[Key] = frozenset()

    def after(
        self,
        proposals: Mapping[Key, Proposal],
        previews: Iterable[Preview],
        entries: Iterable[Entry],
        gone: set[Key],
    ) -> Holdings:
        """The holdings with some proposals replaced, those in `gone` removed, and others kept."""
        touched = proposals.keys() | gone
        kept = [preview for preview in self.previews if preview.key not in touched]
        merged = sorted([*kept, *previews], key=lambda preview: (preview.key, preview.image))

        known = {**self.proposals, **proposals}
        held = sorted({preview.key for preview in merged} & known.keys())
        ledger = [entry for entry in self.ledger.values() if entry.key not in touched]
        return Holdings(
            {key: known[key] for key in held},
            tuple(merged),
            {entry.place: entry for entry in [*ledger, *entries]},
            self.lost - touched,
        )

    def files(self) -> set[str]:
        """The paths of the mission's files, relative to the folder of its previews."""
        logged = {path for entry in self.ledger.values() for path in entry.files}
        return logged | {preview.image for preview in self.previews}

    def fingerprints(self) -> dict[str, str]:
        """A SHA-256 for each source, over the names and states of the images taken from it."""
        lines: defaultdict[str, list[str]] = defaultdict(list)
        for entry in self.ledger.values():
            lines[entry.source].append(f"{entry.key} {entry.name} {entry.stamp}")
        return {
            source: hashlib.sha256("\n".join(sorted(lines[source])).encode()).hexdigest()
            for source in sorted(lines)
        }


def read_holdings(workspace: Workspace, mission: str, skip_damaged: bool = False) -> Holdings:
    """Read a mission's holdings, finished or not.

    Damaged records are `lost`, or given up with `skip_damaged`.

    Raises:
        PaperclipError: a line of the ledger is damaged, unless damaged lines are skipped.
    """
    proposals = _read(workspace.proposals(mission) / PROPOSALS, Proposal)
    previews = _read(workspace.preview_records(mission), Preview)
    ledger = read_ledger(workspace.previews(mission), skip_damaged=skip_damaged)
    held = Holdings({proposal.key: proposal for proposal in proposals}, tuple(previews), ledger)
    return held if skip_damaged else replace(held, lost=frozenset(_lost(workspace, mission, held)))


def _lost(workspace: Workspace, mission: str, held: Holdings) -> set[Key]:
    """The proposals whose records are lost, or differ from what was written.

    The records that are missing from a file that was cut are known: the ledger has their images.
    """
    images = {preview.image for preview in held.previews}
    illustrated = {preview.key for preview in held.previews}
    logged = [entry for entry in held.ledger.values() if entry.image]
    missing = {entry.key for entry in logged if entry.image not in images}
    missing |= illustrated ^ held.proposals.keys()

    lost: set[Key] = set()
    for path, count in (
        (workspace.proposals(mission) / PROPOSALS, len(held.proposals)),
        (workspace.preview_records(mission), len(held.previews)),
    ):
        manifest = read_manifest(path.parent, may_be_damaged=True)
        if manifest is not None:
            lost |= {Key.parse(key) for key in manifest.extra.get(LOST, ())}
            damage = _damage(path, manifest, count)
            lost |= {"": set(), "cut": missing, "altered": missing | illustrated}[damage]
    return lost


def _damage(path: Path, manifest: Manifest, count: int) -> str:
    """`cut` or `altered`; empty for a file of `count` records that is what was written."""
    wanted = stated_count(path, manifest)
    if wanted is not None:
        return "cut" if count != wanted else ""
    if next(faults(path.parent, manifest, (path.name,), verify=True), None) is None:
        return ""
    size = path.stat().st_size if path.is_file() else 0
    return "cut" if size < int(manifest.files[path.name]["size"]) else "altered"


def write_holdings(
    workspace: Workspace, mission: str, holdings: Holdings, manifest: Manifest
) -> bool:
    """Replace records and manifests.

    A kill leaves the old records or the new ones, and a manifest that takes both. False, with
    nothing written, if the records hold the same already.
    """
    texts = {
        workspace.proposals(mission) / PROPOSALS: write_jsonl(holdings.proposals.values()),
        workspace.preview_records(mission): write_jsonl(holdings.previews),
    }
    is_same = all(
        path.is_file() and path.read_bytes() == text.encode() for path, text in texts.items()
    )
    found = {path: read_manifest(path.parent, may_be_damaged=True) for path in texts}
    files = {path: {path.name: stamp_of(text)} for path, text in texts.items()}
    lost = [str(key) for key in sorted(holdings.lost)]
    if is_same and all(
        old and (old.files, old.underway, old.extra.get(LOST, [])) == (files[path], {}, lost)
        for path, old in found.items()
    ):
        return False

    for path in texts:
        announce(path.parent, files[path])
    for path, text in texts.items():
        replace_file(path, text)

    counts = {"proposals": len(holdings.proposals), "images": len(holdings.previews)}
    extra = manifest.extra | ({LOST: lost} if lost else {})
    finished = replace(manifest, counts=counts, inputs=holdings.fingerprints(), extra=extra)
    for path in texts:
        write_manifest(path.parent, replace(finished, files=files[path]))
    return not is_same or not all(found.values())


def tidy(workspace: Workspace, mission: str, holdings: Holdings) -> None:
    """Compact the ledger, and remove the images that no record names.

    These include files that a killed run left half written.
    """
    folder = workspace.previews(mission)
    rewrite_ledger(folder, holdings.ledger.values())
    for path in shard_ledgers(folder):
        path.unlink()

    wanted = holdings.files()
    for pattern in ("proposal_*", f"{ORIGINALS}/proposal_*"):
        for inner in folder.glob(pattern):
            for path in inner.iterdir():
                if path.is_file() and path.relative_to(folder).as_posix() not in wanted:
                    path.unlink()
            if not any(inner.iterdir()):
                inner.rmdir()


def is_untidy(folder: Path) -> bool:
    """Whether a folder needs `tidy`.

    A killed run leaves half-written files, and shards leave ledgers that are not absorbed yet.
    """
    patterns = "proposal_*/.*", f"{ORIGINALS}/proposal_*/.*"
    return bool(shard_ledgers(folder)) or any(any(folder.glob(pattern)) for pattern in patterns)


def _read(path: Path, kind: type[Record]) -> list[Record]:
    return list(read_jsonl(path, kind, skip_damaged=True)) if path.exists() else []
