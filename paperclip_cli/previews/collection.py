"""The cached proposals and previews of a mission, and how a run of `fetch` changes them.

    <cache>/proposals/<mission>/proposals.jsonl    the proposals that have a preview
    <cache>/previews/<mission>/previews.jsonl      the previews; the files beside it
    <cache>/previews/<mission>/ledger.jsonl        the outcome for every image that was ever drawn

The other stages read the first two. The ledger also holds unfinished runs, and images that could
not be read.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from paperclip_cli.previews.fetch_log import (
    Entry,
    Place,
    read_ledger,
    rewrite_ledger,
    shard_ledgers,
)
from paperclip_cli.records import Key, Preview, Proposal, Record, read_jsonl, write_jsonl
from paperclip_cli.workspace import (
    MANIFEST,
    Manifest,
    Workspace,
    read_manifest,
    replace_file,
    write_manifest,
)

PROPOSALS, PREVIEWS, ORIGINALS = "proposals.jsonl", "previews.jsonl", "originals"
_PLAIN_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


@dataclass(frozen=True)
class Holdings:
    """Proposals and previews as records, and the ledger by image."""

    proposals: Mapping[Key, Proposal]
    previews: tuple[Preview, ...]
    ledger: Mapping[Place, Entry]

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

    Raises:
        PaperclipError: a line is damaged, unless damaged lines are skipped.
    """
    folder = workspace.previews(mission)
    proposals = _read(workspace.proposals(mission) / PROPOSALS, Proposal, skip_damaged)
    previews = _read(folder / PREVIEWS, Preview, skip_damaged)
    ledger = read_ledger(folder, skip_damaged=skip_damaged)
    return Holdings({proposal.key: proposal for proposal in proposals}, tuple(previews), ledger)


def write_holdings(
    workspace: Workspace, mission: str, holdings: Holdings, manifest: Manifest
) -> bool:
    """Replace records and manifests.

    False, with nothing written, if the records hold the same already.
    """
    texts = {
        workspace.proposals(mission) / PROPOSALS: write_jsonl(holdings.proposals.values()),
        workspace.previews(mission) / PREVIEWS: write_jsonl(holdings.previews),
    }
    is_same = all(
        path.is_file() and path.read_bytes() == text.encode() for path, text in texts.items()
    )
    if is_same and all(read_manifest(path.parent) for path in texts):
        return False

    unfinish(workspace, mission)
    for path, text in texts.items():
        replace_file(path, text)

    counts = {"proposals": len(holdings.proposals), "images": len(holdings.previews)}
    finished = replace(manifest, counts=counts, inputs=holdings.fingerprints())
    for path in texts:
        write_manifest(path.parent, finished)
    return True


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


def unfinish(workspace: Workspace, mission: str) -> None:
    """Remove a mission's manifests: it counts as unfinished until `write_holdings` writes them."""
    for folder in (workspace.proposals(mission), workspace.previews(mission)):
        (folder / MANIFEST).unlink(missing_ok=True)


def _read(path: Path, kind: type[Record], skip_damaged: bool) -> list[Record]:
    return list(read_jsonl(path, kind, skip_damaged)) if path.exists() else []


def file_names(names: Sequence[str]) -> list[str]:
    """File names for the previews of one proposal: plain, distinct (also where case does not count), and like the archive's.

    `observations/proposal_1/m 31.png` -> `m_31-1f0a9c3e.jpg`; a name that is plain already, and the only one of its kind, keeps its stem.
    """
    stems = [PurePosixPath(name).stem for name in names]
    shared = Counter(stem.lower() for stem in stems)
    return [
        (stem if _PLAIN_NAME.fullmatch(stem) and shared[stem.lower()] == 1 else _marked(stem, name))
        + ".jpg"
        for stem, name in zip(stems, names, strict=True)
    ]


def _marked(stem: str, name: str) -> str:
    plain = re.sub(r"[^A-Za-z0-9._-]+", "_", stem).lstrip("._-")[:80]
    return f"{plain or 'image'}-{hashlib.sha256(name.encode()).hexdigest()[:8]}"
