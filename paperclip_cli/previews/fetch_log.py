"""The ledger: the outcome of `fetch` for each image so far.

It is appended image by image, so that a killed run continues where it stopped.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from paperclip_cli.files import append_lines, replace_file
from paperclip_cli.records import Key, Wcs, read_jsonl, to_json, write_jsonl

LEDGER = "ledger.jsonl"

Place = tuple[Key, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """The preview made of an image of an archive, or the reason why none could be made.

    `source` is the archive's identity, and `name` the image's name in it. `stamp` names the image's
    state and the settings for which this entry holds. `image` is the preview's path in the ledger's
    folder, `sha256` the hash of its bytes, and `side` its side in pixels. `kept` is the path of the
    copy of the original: None if none was requested, blank if the archive has no file. `may_pass`
    marks a failure that may be gone another day. `wcs` holds the preview's coordinates on the sky,
    and `region` the polygon of its frame.
    """

    mission: str
    proposal_id: int
    name: str
    source: str
    stamp: str
    image: str = ""
    sha256: str = ""
    side: int = 0
    kept: str | None = None
    failure: str = ""
    may_pass: bool = False
    wcs: Wcs | None = None
    region: str = ""

    @property
    def key(self) -> Key:
        return Key(self.mission, self.proposal_id)

    @property
    def place(self) -> Place:
        return self.key, self.name

    @property
    def files(self) -> list[str]:
        """The paths of the files that belong to this entry."""
        return [path for path in (self.image, self.kept) if path]


def shard_ledger(index: int, count: int) -> str:
    """The name of the ledger of one of several processes that share the work."""
    return f"ledger-{index}-of-{count}.jsonl"


def read_ledger(
    folder: Path, name: str | None = None, skip_damaged: bool = False
) -> dict[Place, Entry]:
    """The entries by image, where later ones replace earlier ones.

    A torn last line is skipped, and other damaged lines only with `skip_damaged`. Without a `name`,
    all ledgers are read: those of shards are newer than the common one, which absorbs them.
    """
    paths = [folder / name] if name else [folder / LEDGER, *shard_ledgers(folder)]
    entries: list[Entry] = [
        entry for path in paths if path.exists() for entry in read_jsonl(path, Entry, skip_damaged)
    ]
    return {entry.place: entry for entry in entries}


def rewrite_ledger(folder: Path, entries: Iterable[Entry], name: str = LEDGER) -> None:
    """Replace the content of a ledger by these entries, sorted."""
    ordered: list[Entry] = sorted(entries, key=lambda entry: entry.place)
    replace_file(folder / name, write_jsonl(ordered))


def shard_ledgers(folder: Path) -> list[Path]:
    """The shards' ledgers that the common one has not absorbed yet, oldest first."""
    return sorted(folder.glob("ledger-*.jsonl"), key=lambda path: path.stat().st_mtime_ns)


@contextmanager
def appending(folder: Path, name: str = LEDGER) -> Iterator[Callable[[Entry], None]]:
    """Yield a function that adds an entry to a ledger at once (`files.append_lines`)."""
    with append_lines(folder / name) as append:
        yield lambda entry: append(to_json(entry))
