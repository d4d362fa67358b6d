"""Classes of a dataset's images: from one of its columns, or from a table of the user's.

A table is a CSV file with a column `image` (a path or a file name), `proposal_id` (a number, or
`hst:15354`), or both. A file name is compared without its folder and ending, because `fetch` gives
previews endings of their own. Without `image`, a class is that of all images of a proposal.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath

import pyarrow as pa
import pyarrow.parquet as pq

from paperclip_cli.dataset.pairs import Pair, present_files, reading, stream_rows
from paperclip_cli.errors import PaperclipError
from paperclip_cli.values import is_blank

_BRING = "or give a CSV file with --labels-from, with a column `image` or `proposal_id`"
_MARK = re.compile(r"-[0-9a-f]{8}$")  # of a preview whose own name was not plain, or not alone
_Place = tuple[str, str]  # a proposal's number and a file's stem, each empty where it is not known


def of_column(dataset: Path, splits: Sequence[str], column: str) -> list[str | None]:
    """The class of every image of some splits, in their order; None where a cell is blank.

    Raises:
        PaperclipError: the dataset has no such column of texts, whole numbers or truth values.
    """
    usable = _usable(dataset, splits)
    if column not in usable:
        raise PaperclipError(
            f"the dataset {dataset.name} has no column {column!r} of classes (--labels)",
            f"its columns are {', '.join(usable)}; choose one, {_BRING}",
        )
    return [
        _class(cell)
        for split in splits
        for cell in stream_rows(dataset, split, [column], lambda row: row[column])
    ]


def of_table(path: Path, column: str, pairs: Sequence[Pair]) -> list[str | None]:
    """The class of every pair by a column of a table; None where the table does not tell.

    Raises:
        PaperclipError: the table cannot be read, lacks the column, contradicts itself, or names no
            image of the pairs.
    """
    known = _known(path, column)
    found = [
        next((known[place] for place in _places(pair) if place in known), None) for pair in pairs
    ]
    if not any(found):
        raise PaperclipError(
            f"--labels-from {path}: no line gives a class to an image of the dataset",
            f"an image is for example {pairs[0].path or 'unnamed'} of {pairs[0].key}",
        )
    return found


def _usable(dataset: Path, splits: Sequence[str]) -> list[str]:
    """The columns whose cells can be classes."""
    path = present_files(dataset, splits[0])[0]
    with reading(path):
        fields = list(pq.read_schema(path))
    tests = (pa.types.is_string, pa.types.is_large_string, pa.types.is_integer, pa.types.is_boolean)
    return [field.name for field in fields if any(test(field.type) for test in tests)]


def _class(cell: object) -> str | None:
    text = "" if cell is None else " ".join(str(cell).split())
    return None if is_blank(text) else text


def _places(pair: Pair) -> Iterator[_Place]:
    """Where a table may tell of a pair, the most exact place first."""
    stem = PurePosixPath(pair.path).stem
    for name in dict.fromkeys((stem, _MARK.sub("", stem))):
        yield str(pair.key), name
        yield str(pair.key.proposal_id), name
        yield "", name
    yield str(pair.key), ""
    yield str(pair.key.proposal_id), ""


def _known(path: Path, column: str) -> dict[_Place, str]:
    """The class at each place of a table that has one."""
    found: dict[_Place, str] = {}
    for number, row in enumerate(_rows(path, column), 2):
        name = _class(row.get(column))
        place = (row.get("proposal_id") or "").strip(), _stem(row.get("image"))
        if name is None or place == ("", ""):
            continue
        if found.setdefault(place, name) != name:
            raise PaperclipError(
                f"--labels-from {path}, record {number}: {' '.join(filter(None, place))} is "
                f"{name!r}, but was {found[place]!r} before",
                "give each image once, with a column `proposal_id` where file names repeat",
            )
    return found


def _stem(image: str | None) -> str:
    """The name of a file without its folder and ending, as `fetch` would keep it."""
    stem = PurePosixPath((image or "").strip().replace("\\", "/")).stem
    return re.sub(r"[^A-Za-z0-9._-]+", "_", stem).lstrip("._-")[:80]


def _rows(path: Path, column: str) -> Iterator[Mapping[str, str]]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file)
            names = list(reader.fieldnames or ())
            if column not in names or not {"image", "proposal_id"} & {*names}:
                missing = repr(column) if column not in names else "`image` or `proposal_id`"
                raise PaperclipError(
                    f"--labels-from {path} has no column {missing}",
                    f"its columns are {', '.join(names) or 'none'}",
                )
            yield from reader
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise PaperclipError(
            f"--labels-from {path} cannot be read: {reason}", "give a CSV file in UTF-8"
        ) from error
