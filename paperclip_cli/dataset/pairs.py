"""Image-text pairs as Parquet in the Hugging Face layout, read without the `datasets` library."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from typing import TypeVar

import pyarrow as pa
import pyarrow.parquet as pq

from paperclip_cli.dataset.split import SPLITS
from paperclip_cli.errors import MissingStage, PaperclipError
from paperclip_cli.files import expanded, recover
from paperclip_cli.records import Key, Observation
from paperclip_cli.workspace import (
    MANIFEST,
    Workspace,
    file_sha256,
    read_manifest,
    remembered,
    whole_manifest,
)

Item = TypeVar("Item")

ROWS_PER_GROUP = 100  # about 10 MB, which a reader that streams or shuffles holds at a time
_BUFFER = 2**20  # bytes that are read at a time
OBSERVATION_COLUMNS = (
    "target",
    "moving",
    "s_ra",
    "s_dec",
    "s_region",
    "instrument",
    "detector",
    "filters",
    "cycle",
    "obs_id",
    "t_min",
    "t_exptime",
    "access_url",
    "preview_uri",
    "product_uri",
)
_TYPES = {
    "image": pa.struct([("bytes", pa.binary()), ("path", pa.string())]),
    "proposal_id": pa.int64(),
    "seen_sky": pa.bool_(),
    "seen_text": pa.bool_(),
    "moving": pa.bool_(),
    "s_ra": pa.float64(),
    "s_dec": pa.float64(),
    "t_min": pa.float64(),
    "t_exptime": pa.float64(),
    "filters": pa.list_(pa.string()),
}
_TEXTS_AND_FLAGS = ("abstract", "summary", "caption", "seen_sky", "seen_text", "title", "category")
COLUMNS = ("image", "mission", "proposal_id", *_TEXTS_AND_FLAGS, *OBSERVATION_COLUMNS)
_NEEDED = (*COLUMNS[:3], "caption")
_NOT_OURS = "choose a dataset that `paperclip build-dataset` made"


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """One image with its texts.

    `image` is the encoded JPEG, `path` its name (`hst/proposal_15354/x.jpg`). `seen_sky` and
    `seen_text` say whether a training row gives the pair away; they are None on training rows and
    where that is unknown.
    """

    key: Key
    image: bytes
    caption: str
    abstract: str
    summary: str | None
    seen_sky: bool | None
    seen_text: bool | None
    observation: Observation
    title: str
    category: str
    path: str = ""


def schema() -> pa.Schema:
    """The columns' types, with the features from which `datasets` decodes the images."""
    types = [(name, _TYPES.get(name, pa.string())) for name in COLUMNS]
    features = {name: _feature(kind) for name, kind in types}
    return pa.schema(types, metadata={"huggingface": json.dumps({"info": {"features": features}})})


def _feature(kind: pa.DataType) -> dict:
    if pa.types.is_struct(kind):
        return {"_type": "Image"}
    if pa.types.is_list(kind):
        return {"feature": _feature(kind.value_type), "_type": "List"}
    return {"dtype": {"double": "float64"}.get(str(kind), str(kind)), "_type": "Value"}


def split_files(dataset: Path, split: str) -> list[Path]:
    """The Parquet files of a split, in order; empty where the dataset lacks it."""
    return sorted((dataset / "data").glob(f"{split}-*.parquet"))


def write_split(dataset: Path, split: str, pairs: Iterable[Pair]) -> int:
    """Writes pairs, one row group in memory at a time, and returns their number.

    Without pairs there is no file.
    """
    path = dataset / "data" / f"{split}-00000.parquet"
    groups = _batched(pairs, ROWS_PER_GROUP)
    first = next(groups, None)
    if first is None:
        return 0

    path.parent.mkdir(parents=True, exist_ok=True)
    count = 0
    with _writer(path) as writer:
        for group in chain([first], groups):
            writer.write_table(pa.Table.from_pylist([_row(pair) for pair in group], schema()))
            count += len(group)
    return count


def _batched(pairs: Iterable[Pair], size: int) -> Iterator[list[Pair]]:
    iterator = iter(pairs)
    while group := list(islice(iterator, size)):
        yield group


def _writer(path: Path) -> pq.ParquetWriter:
    """A writer that compresses texts, which repeat, and leaves JPEGs alone, which do not."""
    leaves = {"image": "image.path", "filters": "filters.list.element"}
    texts = [leaves.get(name, name) for name in COLUMNS]
    return pq.ParquetWriter(
        path,
        schema(),
        compression={"image.bytes": "NONE"} | dict.fromkeys(texts, "ZSTD"),
        use_dictionary=texts,
        write_statistics=texts,
    )


def _row(pair: Pair) -> dict:
    observed = {name: getattr(pair.observation, name) for name in OBSERVATION_COLUMNS}
    same = {name: getattr(pair, name) for name in _TEXTS_AND_FLAGS}
    return {
        "image": {"bytes": pair.image, "path": pair.path},
        **pair.key._asdict(),
        **same,
        **observed,
    }


def read_split(dataset: Path, split: str, images: bool = True) -> list[Pair]:
    """All pairs of a split, in the order of their keys.

    Raises:
        PaperclipError: the split is missing or cannot be read.
    """
    return list(stream_split(dataset, split, images))


def stream_split(dataset: Path, split: str, images: bool = True) -> Iterator[Pair]:
    """The pairs of a split one by one, with one row group in memory at a time.

    Without `images` the image bytes are not read and are empty.

    Raises:
        PaperclipError: the split is missing or cannot be read.
    """
    columns = ["image.path" if name == "image" and not images else name for name in COLUMNS]
    return stream_rows(dataset, split, columns, _pair)


def stream_rows(
    dataset: Path, split: str, columns: Sequence[str], make: Callable[[Mapping], Item]
) -> Iterator[Item]:
    """What `make` makes of each row of some columns, with one row group in memory at a time.

    Raises:
        PaperclipError: the split is missing or cannot be read.
    """
    for path in present_files(dataset, split):
        with reading(path), open_parquet(path) as file:
            for batch in file.iter_batches(ROWS_PER_GROUP, columns=columns):
                yield from map(make, batch.to_pylist())


def present_files(dataset: Path, split: str) -> list[Path]:
    """The files of a split.

    Raises:
        PaperclipError: there are none.
    """
    present = available_splits(dataset)
    if split not in present:
        raise PaperclipError(f"no split {split!r} in {dataset}", f"it has {', '.join(present)}")
    return split_files(dataset, split)


def open_parquet(path: Path) -> pq.ParquetFile:
    """A Parquet file that is read as it is used.

    By default pyarrow would keep all that it has read until the file is closed (`pre_buffer`), and
    read row groups as a whole.
    """
    return pq.ParquetFile(path, pre_buffer=False, buffer_size=_BUFFER)


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Says in words what Parquet says of a file that it cannot read."""
    try:
        yield
    except (pa.ArrowException, KeyError, TypeError) as error:
        raise PaperclipError(
            f"{path} is not a split of a dataset: {error}",
            "rebuild it with `paperclip build-dataset --force`",
        ) from error


def _pair(row: Mapping) -> Pair:
    observed = {name: row.get(name) for name in OBSERVATION_COLUMNS if name != "filters"}
    return Pair(
        key=Key(row["mission"], row["proposal_id"]),
        image=row["image"].get("bytes", b""),
        path=row["image"]["path"] or "",
        caption=row["caption"],
        abstract=row.get("abstract") or "",
        summary=row.get("summary"),
        title=row.get("title") or "",
        category=row.get("category") or "",
        seen_sky=row.get("seen_sky"),
        seen_text=row.get("seen_text"),
        observation=Observation(**observed, filters=tuple(row.get("filters") or ())),
    )


def read_keys(dataset: Path, split: str) -> list[Key]:
    """The distinct proposals of a split, sorted, without reading the images."""
    keys: set[Key] = set()
    for path in split_files(dataset, split):
        with open_parquet(path) as file:  # `pq.read_table` would import pandas
            for batch in file.iter_batches(columns=["mission", "proposal_id"]):
                keys.update(Key(*row.values()) for row in batch.to_pylist())
    return sorted(keys)


def check_columns(path: Path) -> None:
    """PaperclipError unless a Parquet file has columns to train on."""
    try:
        columns = pq.read_schema(path).names
    except (OSError, pa.ArrowException) as error:
        raise PaperclipError(f"{path.name} is no Parquet file ({error})", _NOT_OURS) from error
    missing = [name for name in _NEEDED if name not in columns]
    if missing:
        raise PaperclipError(f"{path.name} has no column {missing[0]!r}", _NOT_OURS)


def count_rows(dataset: Path, split: str) -> int:
    """The number of pairs in a split."""
    return sum(pq.read_metadata(path).num_rows for path in split_files(dataset, split))


def available_splits(dataset: Path) -> list[str]:
    """The splits of a dataset, in the order train, validation, test.

    Raises:
        MissingStage: there is no dataset.
    """
    found = [split for split in SPLITS if split_files(dataset, split)]
    if not found:
        raise MissingStage(f"no dataset in {dataset}", "paperclip build-dataset")
    return found


def is_ours(folder: Path) -> bool:
    """Whether a folder is a dataset of ours, by its columns: others use the same places."""
    files = [path for split in SPLITS for path in split_files(folder, split)]
    try:
        return bool(files) and {"image", "caption", *Key._fields} <= {
            *pq.read_schema(files[0]).names
        }
    except (pa.ArrowException, OSError):
        return (folder / MANIFEST).is_file()  # damaged: `find_dataset` says so


def find_dataset(name_or_folder: str, workspace: Workspace) -> Path:
    """The folder of a dataset, given as a folder or as a name in the cache.

    Raises:
        MissingStage: there is no such dataset.
        PaperclipError: some of its files are cut.
    """
    folder = recover(expanded(name_or_folder))
    found = folder if (folder / "data").is_dir() else workspace.dataset(name_or_folder)
    available_splits(found)
    whole_manifest(found, ("data/",))
    return found


def fingerprint(dataset: Path, workspace: Workspace) -> str:
    """The SHA-256 of all SHA-256s of the Parquet files.

    The manifest of a dataset of ours holds those of the files. Of another dataset the files are
    read, and the result is remembered until they change.
    """
    manifest = read_manifest(dataset)
    known: dict[str, str] = {}
    if manifest:
        stamps = {name: str(said["sha256"]) for name, said in manifest.files.items()}
        known = manifest.extra.get("sha256", {}) | stamps

    files = [path for split in available_splits(dataset) for path in split_files(dataset, split)]
    names = [path.relative_to(dataset).as_posix() for path in files]

    def digest() -> str:
        sums = [
            known.get(name) or file_sha256(path) for name, path in zip(names, files, strict=True)
        ]
        return hashlib.sha256("\n".join(sums).encode()).hexdigest()

    return digest() if known.keys() >= set(names) else remembered(workspace, dataset, files, digest)
