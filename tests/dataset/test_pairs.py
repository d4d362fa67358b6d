"""Pairs survive a round trip through Parquet, and `datasets` reads the files."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from paperclip_cli.dataset.pairs import (
    COLUMNS,
    ROWS_PER_GROUP,
    Pair,
    available_splits,
    find_dataset,
    fingerprint,
    read_split,
    split_files,
    stream_split,
    write_split,
)
from paperclip_cli.errors import MissingStage, PaperclipError
from paperclip_cli.records import Key, Observation
from paperclip_cli.workspace import Manifest, Workspace, file_sha256, stamps_of, write_manifest
from tests.factories import KINDS, draw, jpeg

numbers = st.floats(allow_nan=False, allow_infinity=False)
maybe = st.none() | st.booleans()
words = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
observations = st.builds(
    Observation,
    target=st.none() | words,
    moving=maybe,
    s_ra=st.none() | numbers,
    s_dec=st.none() | numbers,
    filters=st.lists(words, max_size=3).map(tuple),
    t_min=st.none() | numbers,
    obs_id=st.none() | words,
)
pairs = st.builds(
    Pair,
    key=st.builds(Key, st.sampled_from(["hst", "jwst"]), st.integers(1, 10**6)),
    image=st.binary(max_size=50),
    caption=words,
    abstract=words,
    summary=st.none() | words,
    seen_sky=maybe,
    seen_text=maybe,
    observation=observations,
    title=words,
    category=words,
    path=words,
)


def picture(seed: int = 0) -> bytes:
    import numpy as np

    return jpeg(draw(KINDS[seed % 4][0], 32, np.random.default_rng(seed)))


def plain_pair(number: int) -> Pair:
    return Pair(
        key=Key("hst", number),
        image=picture(number),
        caption=f"caption {number}",
        abstract=f"abstract {number}",
        summary=None,
        seen_sky=None,
        seen_text=None,
        observation=Observation(filters=("F814W",), s_ra=1.0),
        title="title",
        category="",
        path=f"hst/proposal_{number}/a.jpg",
    )


@settings(max_examples=25)
@given(written=st.lists(pairs, max_size=5))
def test_pairs_survive_parquet(
    tmp_path_factory: pytest.TempPathFactory, written: list[Pair]
) -> None:
    folder = tmp_path_factory.mktemp("dataset")
    assert write_split(folder, "train", written) == len(written)
    if written:
        assert read_split(folder, "train") == written
    else:
        assert not split_files(folder, "train")


def test_row_groups_are_small_enough_to_stream(tmp_path: Path) -> None:
    write_split(tmp_path, "train", (plain_pair(number) for number in range(2 * ROWS_PER_GROUP + 1)))
    metadata = pq.ParquetFile(split_files(tmp_path, "train")[0]).metadata
    groups = [metadata.row_group(i) for i in range(metadata.num_row_groups)]
    assert [group.num_rows for group in groups] == [ROWS_PER_GROUP, ROWS_PER_GROUP, 1]

    first = [groups[0].column(i) for i in range(metadata.num_columns)]
    columns = {column.path_in_schema: column for column in first}
    assert columns["image.bytes"].compression == "UNCOMPRESSED"
    assert columns["abstract"].compression == "ZSTD"
    assert columns["filters.list.element"].compression == "ZSTD"


def test_the_hub_s_library_decodes_the_images(tmp_path: Path) -> None:
    import io

    import datasets
    import numpy as np
    from PIL import Image

    write_split(tmp_path, "train", [plain_pair(number) for number in range(5)])
    files = {"train": [str(path) for path in split_files(tmp_path, "train")]}
    found = datasets.load_dataset("parquet", data_files=files, cache_dir=str(tmp_path / "hf"))[
        "train"
    ]
    assert tuple(found.column_names) == COLUMNS
    assert isinstance(found.features["image"], datasets.Image)
    assert isinstance(found.features["filters"], datasets.List)
    for number, row in enumerate(found):
        assert np.array_equal(
            np.asarray(row["image"]), np.asarray(Image.open(io.BytesIO(picture(number))))
        )
        assert row["proposal_id"] == number
        assert row["filters"] == ["F814W"] and row["seen_sky"] is None


def test_several_files_make_one_split(tmp_path: Path) -> None:
    write_split(tmp_path, "train", [plain_pair(1)])
    split_files(tmp_path, "train")[0].rename(tmp_path / "data" / "train-00001.parquet")
    write_split(tmp_path, "train", [plain_pair(0)])
    assert [pair.key.proposal_id for pair in read_split(tmp_path, "train")] == [0, 1]


def test_what_is_missing_is_said(tmp_path: Path) -> None:
    with pytest.raises(MissingStage, match="no dataset"):
        available_splits(tmp_path)
    write_split(tmp_path, "train", [plain_pair(1)])
    with pytest.raises(PaperclipError, match="no split 'test'") as error:
        read_split(tmp_path, "test")
    assert error.value.hint == "it has train"
    with pytest.raises(MissingStage, match="no dataset"):
        find_dataset("default", Workspace(tmp_path / "cache"))
    assert find_dataset(str(tmp_path), Workspace(tmp_path / "cache")) == tmp_path


def test_the_fingerprint_of_a_dataset(tmp_path: Path) -> None:
    """Without a manifest, files are read once and again when they change; with one, never."""
    workspace, dataset = Workspace(tmp_path / "cache"), tmp_path / "dataset"
    write_split(dataset, "train", [plain_pair(1)])
    write_split(dataset, "test", [plain_pair(2)])
    files = [*split_files(dataset, "train"), *split_files(dataset, "test")]
    sums = [file_sha256(file) for file in files]
    expected = hashlib.sha256("\n".join(sums).encode()).hexdigest()
    assert fingerprint(dataset, workspace) == expected

    data, stamp = files[0].read_bytes(), files[0].stat()
    files[0].write_bytes(bytes(len(data)))
    os.utime(files[0], ns=(stamp.st_atime_ns, stamp.st_mtime_ns))
    assert fingerprint(dataset, workspace) == expected, "it is remembered"
    os.utime(files[0], ns=(0, 0))
    assert fingerprint(dataset, workspace) != expected
    files[0].write_bytes(data)
    assert fingerprint(dataset, workspace) == expected

    names = [file.relative_to(dataset).as_posix() for file in files]
    stamps = stamps_of(dataset, names)
    write_manifest(dataset, Manifest(stage="build-dataset", config={}, files=stamps))
    files[0].write_bytes(bytes(len(data)))
    assert fingerprint(dataset, workspace) == expected


@pytest.mark.parametrize("damage", [b"", b"PAR1", b"not parquet at all"])
def test_a_damaged_file_is_named(tmp_path: Path, damage: bytes) -> None:
    write_split(tmp_path, "train", [plain_pair(1)])
    split_files(tmp_path, "train")[0].write_bytes(damage)
    with pytest.raises(PaperclipError, match=r"train-00000\.parquet is not a split"):
        read_split(tmp_path, "train")


def test_another_table_is_refused(tmp_path: Path) -> None:
    import pyarrow as pa

    (tmp_path / "data").mkdir()
    pq.write_table(
        pa.table({"caption": ["a"], "image": ["b"]}), tmp_path / "data" / "train-00000.parquet"
    )
    with pytest.raises(PaperclipError, match="is not a split"):
        read_split(tmp_path, "train")


def test_the_features_are_those_of_the_schema(tmp_path: Path) -> None:
    write_split(tmp_path, "train", [plain_pair(1)])
    metadata = pq.read_schema(split_files(tmp_path, "train")[0]).metadata
    features = json.loads(metadata[b"huggingface"])["info"]["features"]
    assert features["image"] == {"_type": "Image"}
    assert features["proposal_id"] == {"dtype": "int64", "_type": "Value"}
    assert list(features) == list(COLUMNS)


def test_what_was_read_of_a_split_is_let_go(tmp_path: Path) -> None:
    """The images of a split, 100 kB each, pass through the memory of a few of them."""
    import pyarrow as pa

    big = dataclasses.replace(plain_pair(1), image=bytes(100_000))
    write_split(tmp_path, "train", (big for _ in range(5 * ROWS_PER_GROUP)))
    with pq.ParquetFile(split_files(tmp_path, "train")[0]) as file:
        table = file.read()
    before = pa.total_allocated_bytes()
    most = [pa.total_allocated_bytes() - before for _ in stream_split(tmp_path, "train")]
    assert len(most) == 5 * ROWS_PER_GROUP and max(most) < 25e6, "10 MB are a row group"

    pq.write_table(table, tmp_path / "data" / "train-00000.parquet", compression="NONE")
    before = pa.total_allocated_bytes()
    most = [pa.total_allocated_bytes() - before for _ in stream_split(tmp_path, "train")]
    assert len(most) == 5 * ROWS_PER_GROUP and max(most) < 25e6, "one row group holds all"
