"""Folders that `datasets.load_dataset` reads, as streams of rows. Only here is `datasets` imported.

It takes a second to import, reads no network here, and leaves no copy of the data behind.
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain
from pathlib import Path, PurePosixPath
from typing import Any

from paperclip_cli.dataset.columns import BYTES, CLASS, IMAGE, NUMBER, OTHER, TEXT, TEXTS, Column
from paperclip_cli.dataset.pairs import open_parquet
from paperclip_cli.dataset.row_images import Places
from paperclip_cli.dataset.split import SPLITS, TEST, TRAIN, VALIDATION
from paperclip_cli.errors import PaperclipError
from paperclip_cli.services.hub import import_client

# Members of a WebDataset that are texts and numbers.
_DECODED = "txt text transcript json jsn cls cls2 index inx id".split()
_ROWS_AT_A_TIME = 32  # of a Parquet file, with their images
_ALSO_VALIDATION = ("val", "valid", "dev", "eval")
_CARD, _SETTINGS = "README.md", ".huggingface.yaml"  # which name the files of a dataset
_SAVED_SPLITS, _SAVED = "dataset_dict.json", "state.json"  # of `Dataset.save_to_disk`
# The settings of `datasets` are the whole process's: each thread must find them as they were.
_ONE_AT_A_TIME = threading.Lock()
_ADVICE = "see the documentation of datasets.load_dataset, or save the dataset as Parquet"


@dataclass(frozen=True)
class Loaded:
    """A dataset that is open: its columns, and how to stream chosen ones of a split's rows.

    An image is not decoded: it is bytes, a path, or `{"bytes": ..., "path": ...}`.
    """

    columns: dict[str, Column]
    splits: dict[str, Callable[[list[str]], Iterator[dict]]]


@contextmanager
def loaded(name: str, places: Places, scratch: Path) -> Iterator[Loaded]:
    """The dataset in a folder, open for the block. `name` is for messages.

    `scratch` is an empty folder for lock files. Programs in the folder are never run.

    Raises:
        PaperclipError: `datasets` cannot read it, it names files elsewhere, or its splits have
            names of their own.
    """
    script = places.folder / f"{places.folder.name}.py"
    if script.is_file():
        raise PaperclipError(
            f"{name} has a loading script ({script.name}), which is a program and is not run",
            "save the dataset as Parquet",
        )
    with _ONE_AT_A_TIME, _quiet_and_offline():
        with _explained(name, places.folder):
            _refuse_elsewhere(name, places)
            found = _open(name, places, scratch)
            splits = _named(name, found)
            columns = _columns(next(iter(splits.values())))
        streams = {split: _stream(name, places.folder, rows) for split, rows in splits.items()}
        yield Loaded(columns, streams)


@contextmanager
def _quiet_and_offline() -> Iterator[None]:
    """Without bars, messages, requests and unpickling by `datasets`; all is put back at the end."""
    import_client()
    import datasets
    import huggingface_hub.utils
    from datasets.packaged_modules.webdataset.webdataset import WebDataset

    config = datasets.config
    loggers = datasets.utils.logging, huggingface_hub.utils.logging
    levels = [logger.get_verbosity() for logger in loggers]
    had_bars = not datasets.are_progress_bars_disabled()
    before = config.HF_HUB_OFFLINE, config.HF_UPDATE_DOWNLOAD_COUNTS
    decoders = WebDataset.DECODERS
    try:
        datasets.disable_progress_bars()
        for logger in loggers:
            logger.set_verbosity(logger.CRITICAL)
        config.HF_HUB_OFFLINE, config.HF_UPDATE_DOWNLOAD_COUNTS = True, False
        # Others are for arrays; that of `.pth` unpickles.
        WebDataset.DECODERS = {kind: decoders[kind] for kind in _DECODED if kind in decoders}
        yield
    finally:
        WebDataset.DECODERS = decoders
        config.HF_HUB_OFFLINE, config.HF_UPDATE_DOWNLOAD_COUNTS = before
        for logger, level in zip(loggers, levels, strict=True):
            logger.set_verbosity(level)
        if had_bars:
            datasets.enable_progress_bars()


@contextmanager
def _explained(name: str, folder: Path) -> Iterator[None]:
    """Turns whatever `datasets` raises into one line; it reads many formats by many libraries."""
    try:
        yield
    except PaperclipError:
        raise
    except Exception as error:
        lines = (str(error).strip() or type(error).__name__).splitlines()
        reason = " ".join([line.strip() for line in lines if line.strip()][:2])
        reason = reason.replace(str(folder), name)[:300]
        raise PaperclipError(f"{name} cannot be read as a dataset: {reason}", _ADVICE) from error


def _refuse_elsewhere(name: str, places: Places) -> None:
    """Refuses a card that names data files outside the folder, before anything looks for them."""
    from huggingface_hub import DatasetCard

    for file in (_CARD, _SETTINGS):
        path = places.folder / file
        if not path.is_file():
            continue
        text = path.read_text(encoding="utf-8")
        card = DatasetCard(
            text if file == _CARD else f"---\n{text}\n---\n", ignore_metadata_errors=True
        )
        configs = card.data.to_dict().get("configs") or []
        given = (one.get(key) for one in configs for key in ("data_files", "data_dir"))
        for said in chain.from_iterable(map(_strings, given)):
            if (
                "://" in said
                or PurePosixPath(said).is_absolute()
                or ".." in PurePosixPath(said).parts
            ):
                raise PaperclipError(
                    f"{name}: its {file} names data files outside the dataset: {said[:80]!r}",
                    "correct that file",
                )


def _strings(value: object) -> Iterator[str]:
    """All strings in decoded YAML."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping | list):
        inner = value.values() if isinstance(value, Mapping) else value
        yield from chain.from_iterable(map(_strings, inner))


def _open(name: str, places: Places, scratch: Path) -> Mapping[str, Any]:
    """The splits, by the names that the dataset gives them."""
    import datasets
    from datasets.packaged_modules.parquet.parquet import Parquet

    saved = _saved(places.folder)
    if saved:
        files = {split: sorted(folder.glob("*.arrow")) for split, folder in saved.items()}
        _refuse_links(name, places, chain.from_iterable(files.values()))
        return {
            split: datasets.concatenate_datasets(
                [datasets.Dataset.from_file(str(path)) for path in paths]
            )
            for split, paths in files.items()
            if paths
        }

    builder = datasets.load_dataset_builder(str(places.folder), cache_dir=str(scratch))
    files = builder.config.data_files or {}
    for paths in files.values():
        _refuse_links(name, places, map(Path, paths))
    streams = builder.as_streaming_dataset()
    if not isinstance(builder, Parquet):
        return streams
    return {
        split: _Parquet(list(map(Path, files[split])), rows.features)
        for split, rows in streams.items()
    }


@dataclass(frozen=True)
class _Parquet:
    """The rows of Parquet files, a few of them in memory at a time.

    `datasets` would read ahead of a slow consumer, up to the end of a file.
    """

    files: list[Path]
    features: Any

    def rows(self, columns: list[str]) -> Iterator[dict]:
        for path in self.files:
            with open_parquet(path) as file:
                for batch in file.iter_batches(_ROWS_AT_A_TIME, columns=columns):
                    yield from batch.to_pylist()


def _saved(folder: Path) -> dict[str, Path]:
    """The folders of the splits that `save_to_disk` wrote; empty where it did not."""
    if (folder / _SAVED).is_file():
        return {TRAIN: folder}
    if not (folder / _SAVED_SPLITS).is_file():
        return {}
    names = json.loads((folder / _SAVED_SPLITS).read_text(encoding="utf-8"))["splits"]
    return {name: folder / name for name in names if re.fullmatch(r"\w[\w.-]*", name)}


def _refuse_links(name: str, places: Places, paths: Iterator[Path]) -> None:
    for path in paths:
        if not places.holds(path):
            raise PaperclipError(
                f"{name}: a data file lies outside the dataset: {path.name}",
                "copy it into the folder",
            )


def _named(name: str, found: Mapping[str, Any]) -> dict[str, Any]:
    """The splits by our names, in our order."""
    home = {**{split: split for split in SPLITS}, **dict.fromkeys(_ALSO_VALIDATION, VALIDATION)}
    strange = [str(split) for split in found if str(split) not in home]
    named = {home[str(split)]: rows for split, rows in found.items() if str(split) in home}
    if strange or len(named) < len(found) or not named:
        listed = ", ".join(map(str, found)) or "none"
        raise PaperclipError(
            f"{name} has splits that are not clear: {listed}",
            f"it may have one each of {TRAIN}, {VALIDATION} (or {', '.join(_ALSO_VALIDATION)}) "
            f"and {TEST}",
        )
    return {split: named[split] for split in SPLITS if split in named}


def _columns(rows: Any) -> dict[str, Column]:
    """The columns of a split. Where the format tells no types, the first rows do."""
    import datasets

    features = rows.features
    if features is None:
        features = datasets.Dataset.from_list(list(rows.take(100))).features
    return {name: _column(feature) for name, feature in features.items()}


def _column(feature: Any) -> Column:
    import datasets

    if isinstance(feature, datasets.Image):
        return Column(IMAGE, IMAGE)
    if isinstance(feature, datasets.ClassLabel):
        return Column(CLASS, CLASS, tuple(feature.names or ()))
    if isinstance(feature, datasets.Value):
        return Column(_kind(feature.dtype), feature.dtype)
    if isinstance(feature, dict) and feature.keys() & {
        "bytes",
        "path",
    }:  # an image without its type
        return Column(BYTES, BYTES)
    inner = getattr(feature, "feature", feature[0] if isinstance(feature, list) else None)
    if isinstance(inner, datasets.Value) and _column(inner).kind == TEXT:
        return Column(TEXTS, TEXTS)
    return Column(OTHER, type(feature).__name__)


def _kind(dtype: str) -> str:
    if re.fullmatch(r"u?int\d+|float64", dtype):  # a CSV file's integers with gaps are floats
        return NUMBER
    return {"string": TEXT, "large_string": TEXT, "binary": BYTES, "large_binary": BYTES}.get(
        dtype, OTHER
    )


def _stream(name: str, folder: Path, rows: Any) -> Callable[[list[str]], Iterator[dict]]:
    import datasets

    def stream(columns: list[str]) -> Iterator[dict]:
        with _explained(name, folder):
            if isinstance(rows, _Parquet):
                iterator = rows.rows(columns)
            else:
                chosen = rows
                for column, feature in (rows.features or {}).items():
                    if column in columns and isinstance(feature, datasets.Image):
                        chosen = chosen.cast_column(column, datasets.Image(decode=False))
                iterator = iter(chosen.select_columns(columns))
        while True:
            with _explained(name, folder):
                row = next(iterator, None)
            if row is None:
                return
            yield row

    return stream
