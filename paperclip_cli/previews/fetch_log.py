"""What `fetch` has made of each image so far: appended as it is made, so that a killed run goes on where it stopped."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from paperclip_cli.records import Key, Wcs, read_jsonl, to_json, write_jsonl
from paperclip_cli.workspace import replace_file

LEDGER = "ledger.jsonl"

Place = tuple[Key, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One image of an archive: the preview that was made of it, or why none could be.

    `source` is the archive's identity, `name` the image's in it; `stamp` says which state of the image and which settings this entry
    stands for. `image` is the preview's path in the folder of the ledger, `sha256` that of its bytes, `side` its side in pixels.
    `kept` is the path of the copy of the original: None where none was asked for, blank where the archive has no file. `may_pass` marks a
    failure that may be gone another day. `wcs` is the preview's place on the sky, and `region` the polygon of its frame.
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
    """The entries by image, later ones in the place of earlier ones; a torn last line is passed over, others only if asked for.

    Without a `name`, those of all ledgers: the shards' are newer than the common one, which takes them in.
    """
    paths = [folder / name] if name else [folder / LEDGER, *shard_ledgers(folder)]
    entries: list[Entry] = [
        entry for path in paths if path.exists() for entry in read_jsonl(path, Entry, skip_damaged)
    ]
    return {entry.place: entry for entry in entries}


def rewrite_ledger(folder: Path, entries: Iterable[Entry], name: str = LEDGER) -> None:
    """Replaces a ledger by these entries, sorted."""
    ordered: list[Entry] = sorted(entries, key=lambda entry: entry.place)
    replace_file(folder / name, write_jsonl(ordered))


def shard_ledgers(folder: Path) -> list[Path]:
    """Those that the common ledger has not taken in yet, the oldest first."""
    return sorted(folder.glob("ledger-*.jsonl"), key=lambda path: path.stat().st_mtime_ns)


@contextmanager
def appending(folder: Path, name: str = LEDGER) -> Iterator[Callable[[Entry], None]]:
    """Gives a function that adds an entry; each is handed to the system at once, so that only a power cut can lose it."""
    with (folder / name).open("a", encoding="utf-8") as file:

        def append(entry: Entry) -> None:
            file.write(to_json(entry) + "\n")
            file.flush()

        yield append
