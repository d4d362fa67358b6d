"""The JPEGs of a split: one after the other, or any of them, and what their headers tell."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa

from paperclip_cli.dataset.pairs import (
    ROWS_PER_GROUP,
    open_parquet,
    present_files,
    reading,
    stream_rows,
)
from paperclip_cli.errors import PaperclipError

_COLUMN = "image.bytes"


class Encoded(NamedTuple):
    """A JPEG and the name under which a user knows it."""

    data: bytes
    name: str


class Place(NamedTuple):
    """Where a JPEG lies: its number of a file of the split, and its place and length there."""

    file: int
    begin: int
    size: int


def stream_encoded(dataset: Path, split: str) -> Iterator[Encoded]:
    """The JPEGs of a split in order, with one row group in memory at a time.

    Raises:
        PaperclipError: the split is missing or cannot be read.
    """
    columns = ("image", "mission", "proposal_id")
    return stream_rows(
        dataset,
        split,
        columns,
        lambda row: Encoded(
            row["image"]["bytes"],
            row["image"]["path"] or f"of proposal {row['mission']}:{row['proposal_id']}",
        ),
    )


def stream_headers(dataset: Path, split: str) -> Iterator[memoryview]:
    """The JPEGs of a split in order, not copied: for a look at their headers."""
    return (jpeg for _, jpegs in _groups(dataset, split) for jpeg in jpegs)


def is_grey(jpeg: bytes | memoryview) -> bool:
    """Whether a JPEG has one channel, by its frame header (ITU T.81, B.2.2). Nothing is decoded."""
    place = 2
    while place + 9 < len(jpeg) and jpeg[place] == 0xFF:
        marker = jpeg[place + 1]
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            return jpeg[place + 9] == 1
        place += 2 + int.from_bytes(jpeg[place + 2 : place + 4], "big")
    return False


def places_of(dataset: Path, split: str) -> Iterator[tuple[Place, memoryview]]:
    """The JPEGs of a split with their places. All of them are read.

    Raises:
        PaperclipError: a file holds them in another form than as they are.
    """
    files = present_files(dataset, split)
    number = {path: place for place, path in enumerate(files)}
    for group, jpegs in _groups(dataset, split):
        raw, cursor = group.read(), 0
        for jpeg in jpegs:
            found = raw.find(jpeg, cursor)
            if found < 0:
                raise PaperclipError(
                    f"{group.path} holds its images compressed once more: none can be read alone",
                    "leave out `--cache none`",
                )
            cursor = found + len(jpeg)
            yield Place(number[group.path], group.begin + found, len(jpeg)), jpeg


class _Group(NamedTuple):
    """The part of a file that holds the JPEGs of one row group."""

    path: Path
    begin: int
    size: int

    def read(self) -> bytes:
        with self.path.open("rb") as file:
            file.seek(self.begin)
            return file.read(self.size)


def _groups(dataset: Path, split: str) -> Iterator[tuple[_Group, Iterator[memoryview]]]:
    for path in present_files(dataset, split):
        with reading(path), open_parquet(path) as file:
            names = [file.schema.column(i).path for i in range(len(file.schema))]
            column = names.index(_COLUMN) if _COLUMN in names else None
            if column is None:
                raise KeyError(_COLUMN)
            for number in range(file.num_row_groups):
                said = file.metadata.row_group(number).column(column)
                begin = said.dictionary_page_offset or said.data_page_offset
                group = _Group(path, begin, said.total_compressed_size)
                batches = file.iter_batches(ROWS_PER_GROUP, [number], [_COLUMN])
                yield group, _values(batches)


def _values(batches: Iterable[pa.RecordBatch]) -> Iterator[memoryview]:
    """The bytes of each image, not copied."""
    for batch in batches:
        for value in batch.column("image").field("bytes"):
            yield memoryview(value.as_buffer() or b"").cast("B")
