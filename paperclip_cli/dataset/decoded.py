"""The images of a dataset, decoded once into arrays in the cache from which views are cut.

    <cache>/decoded/<dataset and view>/<split>.npy          decoded images, uint8 [N,C',C',c]
    <cache>/decoded/<dataset and view>/<split>-places.npy   where each JPEG lies, for `--cache none`
    <cache>/decoded/<dataset and view>/features-*/          what frozen towers make of them
    <cache>/decoded/<dataset and view>/datasets.json        the datasets that they belong to

The folder's name is a digest of the dataset's fingerprint and of the view. So nothing in it is ever
out of date, and a training that finds an array reads no JPEG. All of it can be made again.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import weakref
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from paperclip_cli.dataset.arrays import StoredArray, new_array, open_array
from paperclip_cli.dataset.encoded import (
    Encoded,
    is_grey,
    places_of,
    stream_encoded,
    stream_headers,
)
from paperclip_cli.dataset.pairs import Pair, count_rows, fingerprint, present_files
from paperclip_cli.errors import BadItem, PaperclipError
from paperclip_cli.files import lock, replace_file
from paperclip_cli.images.pictures import decode_jpeg, store_image
from paperclip_cli.images.view import View
from paperclip_cli.progress import Progress, Task
from paperclip_cli.threads import processors
from paperclip_cli.workspace import Workspace

_FORMAT = 2  # increase it when stored pixels change
_RECORD = "datasets.json"


@dataclass(frozen=True, kw_only=True)
class Decoded:
    """The decoded images of one state of a dataset at one view, in the cache.

    `fingerprint` is the dataset's. C' is `view.store_side`. There is one channel c where all images
    of a split are grey, else three.
    """

    workspace: Workspace
    dataset: Path
    fingerprint: str
    view: View
    progress: Progress

    @property
    def folder(self) -> Path:
        about = f"{_FORMAT} {self.fingerprint} {self.view.store_side} {self.view.fill}"
        digest = hashlib.sha256(about.encode()).hexdigest()[:32]
        return self.workspace.decoded() / digest

    def channels(self, split: str) -> int:
        """The number of channels c. JPEGs' headers are read only where nothing is stored yet."""
        if (store := self._open(split)) is not None:
            return store.shape[3]
        if (places := self._open_places(split)) is not None:
            return _channels(places)
        count = count_rows(self.dataset, split)
        with self.progress.task("look for colour", count, "images") as task:
            are_grey = map(partial(_is_grey, task), stream_headers(self.dataset, split))
            return 1 if all(are_grey) else 3

    def store(self, split: str) -> StoredArray:
        """The images of a split, decoded if they are not there yet.

        Raises:
            PaperclipError: an image cannot be decoded.
        """
        self._claim()
        if (found := self._open(split)) is not None:
            return found
        side, count = self.view.store_side, count_rows(self.dataset, split)
        shape = (count, side, side, self.channels(split))
        with (
            self.progress.task("decode", count, "images") as task,
            new_array(self._path(split), np.uint8, shape) as append,
        ):
            for image in self._decoded(split):
                append(image[None, ..., : shape[3]])
                task.advance()
            self.check()
        return _made(self._open(split), self._path(split))

    def places(self, split: str) -> StoredArray:
        """File, begin, size and number of channels of each JPEG, int64 [N,4], noted once."""
        self._claim()
        if (found := self._open_places(split)) is not None:
            return found
        count, path = count_rows(self.dataset, split), self._places_path(split)
        with (
            self.progress.task("look for images", count, "images") as task,
            new_array(path, np.int64, (count, 4)) as append,
        ):
            for place, jpeg in places_of(self.dataset, split):
                append(np.asarray([[*place, 1 if is_grey(jpeg) else 3]], np.int64))
                task.advance()
            self.check()
        return _made(self._open_places(split), path)

    def decoder(self, split: str) -> Decoder:
        """The same images as in the store, decoded anew on each call and kept nowhere."""
        return Decoder(present_files(self.dataset, split), self.places(split), self.view, split)

    def check(self) -> None:
        """Refuses to go on with a dataset that was rebuilt while it was read.

        Raises:
            PaperclipError: it was.
        """
        if fingerprint(self.dataset, self.workspace) != self.fingerprint:
            raise PaperclipError(
                f"{self.dataset} was changed while it was read", "run the command again"
            )

    def forget_older(self) -> None:
        """Removes what belongs to older states of the dataset and to no other dataset."""
        with lock(self.workspace.decoded(), wait=True):
            for record in self.workspace.decoded().glob(f"*/{_RECORD}"):
                said = _read(record)
                others = [name for name in said["datasets"] if name != self._name]
                if said["fingerprint"] == self.fingerprint or others == said["datasets"]:
                    continue
                if others:
                    _write(record, said["fingerprint"], others)
                else:
                    _remove(record.parent)

    @property
    def _name(self) -> str:
        return str(self.dataset.resolve())

    def _claim(self) -> None:
        """Notes that the folder belongs to this dataset too."""
        record = self.folder / _RECORD
        if self._name in _read(record)["datasets"]:
            return
        with lock(self.workspace.decoded(), wait=True):
            names = _read(record)["datasets"]
            _write(record, self.fingerprint, [*names, self._name])

    def _path(self, split: str) -> Path:
        return self.folder / f"{split}.npy"

    def _places_path(self, split: str) -> Path:
        return self.folder / f"{split}-places.npy"

    def _open(self, split: str) -> StoredArray | None:
        side = self.view.store_side
        wanted = [(count_rows(self.dataset, split), side, side, channels) for channels in (1, 3)]
        return _kept(open_array(self._path(split)), np.uint8, wanted)

    def _open_places(self, split: str) -> StoredArray | None:
        wanted = [(count_rows(self.dataset, split), 4)]
        return _kept(open_array(self._places_path(split)), np.int64, wanted)

    def _decoded(self, split: str) -> Iterator[np.ndarray]:
        """The decoded images in order, with a few in memory."""
        workers = processors()
        waiting: deque[Future[np.ndarray]] = deque()
        with ThreadPoolExecutor(workers) as pool:
            for jpeg in stream_encoded(self.dataset, split):
                waiting.append(pool.submit(_decode, jpeg, self.view))
                if len(waiting) > 2 * workers:
                    yield waiting.popleft().result()
            yield from (image.result() for image in waiting)


class Decoder:
    """Images of a split that are decoded anew on each call.

    Each JPEG is read alone, from files that stay open: a dataset that is rebuilt meanwhile changes
    nothing.
    """

    def __init__(self, files: Sequence[Path], places: StoredArray, view: View, split: str) -> None:
        self._places, self._view, self._split = places, view, split
        self._handles = [os.open(path, os.O_RDONLY) for path in files]
        for handle in self._handles:
            weakref.finalize(self, os.close, handle)
        self._pool, self._channels = ThreadPoolExecutor(), _channels(places)

    def __call__(self, rows: np.ndarray) -> np.ndarray:
        """Rows, int [B] -> their images, uint8 [B,C',C',c]."""
        return np.stack(list(self._pool.map(self._image, rows.tolist(), self._places(rows))))

    def _image(self, row: int, place: np.ndarray) -> np.ndarray:
        file, begin, size, _ = place.tolist()
        jpeg = Encoded(os.pread(self._handles[file], size, begin), f"{row} of split {self._split}")
        return _decode(jpeg, self._view)[..., : self._channels]


class Centres:
    """The deterministic views of stored images, uint8 [N,S,S,c], cut as by `images.centre_view`.

    They are read and cut when a slice of them is asked for.
    """

    def __init__(self, store: StoredArray, size: int) -> None:
        first = (store.shape[1] - size) // 2
        self._store, self._part = store, slice(first, first + size)

    def __len__(self) -> int:
        return len(self._store)

    def __getitem__(self, rows: slice) -> np.ndarray:
        return self._store[rows][:, self._part, self._part]


def canvas(pair: Pair) -> np.ndarray:
    """The image of a pair, uint8 [C,C(,3)].

    Raises:
        PaperclipError: the image is damaged.
    """
    return _canvas(Encoded(pair.image, pair.path or str(pair.key)))


def _canvas(jpeg: Encoded) -> np.ndarray:
    try:
        return decode_jpeg(jpeg.data)
    except BadItem as error:
        raise PaperclipError(
            f"image {jpeg.name} of the dataset: {error}", "run `paperclip build-dataset --force`"
        ) from error


def _decode(jpeg: Encoded, view: View) -> np.ndarray:
    return store_image(_canvas(jpeg), view)


def _is_grey(task: Task, jpeg: memoryview) -> bool:
    task.advance()
    return is_grey(jpeg)


def _channels(places: StoredArray) -> int:
    return int(places[:][:, 3].max(initial=1))


def _kept(
    array: StoredArray | None, dtype: type, shapes: Sequence[tuple[int, ...]]
) -> StoredArray | None:
    """The array, if it is of this type and one of these shapes."""
    if array is None or array.dtype != dtype or array.shape not in shapes:
        return None
    return array


def _made(array: StoredArray | None, path: Path) -> StoredArray:
    if array is None:
        raise PaperclipError(f"{path} was removed while it was made", "run the command again")
    return array


def datasets_of(folder: Path) -> list[str]:
    """The datasets that a folder of decoded images belongs to, as paths."""
    return [str(name) for name in _read(folder / _RECORD)["datasets"]]


def _remove(folder: Path) -> None:
    """Removes a folder, its record last: after a kill the rest can still be told from others'."""
    for path in folder.iterdir():
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        elif path.name != _RECORD:
            path.unlink()
    shutil.rmtree(folder)


def _read(record: Path) -> dict:
    try:
        said = json.loads(record.read_text(encoding="utf-8"))
        return {"fingerprint": str(said["fingerprint"]), "datasets": list(said["datasets"])}
    except (OSError, ValueError, KeyError, TypeError):
        return {"fingerprint": "", "datasets": []}  # damaged: it is written anew


def _write(record: Path, fingerprint: str, datasets: Sequence[str]) -> None:
    said = {"fingerprint": fingerprint, "datasets": list(datasets)}
    replace_file(record, json.dumps(said, indent=2) + "\n")
