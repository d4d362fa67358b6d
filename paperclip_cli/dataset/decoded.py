"""The images of a split, decoded once into a memory-mapped array from which views are cut."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from paperclip_cli.dataset.pairs import Pair
from paperclip_cli.errors import BadItem, PaperclipError
from paperclip_cli.files import replacing
from paperclip_cli.images.pictures import decode_jpeg, store_image
from paperclip_cli.images.view import View
from paperclip_cli.progress import Progress, Task
from paperclip_cli.threads import processors

_FORMAT = 1  # increase it when stored pixels change


def open_store(pairs: Sequence[Pair], view: View, place: Path, progress: Progress) -> np.ndarray:
    """The stored images of `pairs`, read-only uint8 [N,C',C',c] with C' = `view.store_side`.

    There is one channel where all images are grey. The file is `place` with a fingerprint of images
    and view in its name. A later call with the same ones finds it there; a call with others
    replaces it.

    Raises:
        PaperclipError: an image cannot be decoded.
    """
    digest = _fingerprint(pairs, view)
    path = place.with_name(f"{place.name}-{digest}.npy")
    shape = (len(pairs), view.store_side, view.store_side, channels_of(pairs))
    if not is_array(path, np.uint8, shape):
        for old in path.parent.glob(f"{place.name}-*.npy"):
            old.unlink()  # a process that has mapped it keeps it
        _write(path, shape, pairs, view, progress)
    return np.load(path, mmap_mode="r")


def decoder(pairs: Sequence[Pair], view: View) -> Callable[[np.ndarray], np.ndarray]:
    """A function from rows to their images, uint8 [B,C',C',c] like those of the store.

    Images are decoded anew on each call, and kept nowhere.
    """
    pool = ThreadPoolExecutor()
    channels = channels_of(pairs)

    def image(row: int) -> np.ndarray:
        return _decode(pairs[row], view)[..., :channels]

    return lambda rows: np.stack(list(pool.map(image, rows)))


def centre(store: np.ndarray, size: int) -> np.ndarray:
    """The deterministic views, [N,C',C',c] -> [N,size,size,c], cut as by `images.centre_view`."""
    first = (store.shape[1] - size) // 2
    return store[:, first : first + size, first : first + size]


def _fingerprint(pairs: Sequence[Pair], view: View) -> str:
    digest = hashlib.sha256(f"{_FORMAT} {view.store_side} {view.fill}".encode())
    for pair in pairs:
        digest.update(hashlib.sha256(pair.image).digest())
    return digest.hexdigest()[:16]


@contextmanager
def new_array(path: Path, dtype: type, shape: tuple[int, ...]) -> Iterator[np.ndarray]:
    """An array to fill, mapped from a file that is moved to `path` if the block ends well."""
    with replacing(path) as temporary:
        array = np.lib.format.open_memmap(temporary, "w+", dtype, shape)
        yield array
        array.flush()


def is_array(path: Path, dtype: type, shape: tuple[int, ...]) -> bool:
    """Whether a file holds a whole array of this kind, as `new_array` makes it."""
    try:
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError):
        return False
    return bool(array.dtype == dtype and array.shape == shape)


def _write(
    path: Path, shape: tuple[int, ...], pairs: Sequence[Pair], view: View, progress: Progress
) -> None:
    with (
        progress.task("decode", total=len(pairs), unit="images") as task,
        new_array(path, np.uint8, shape) as store,
    ):
        _fill(store, pairs, view, task)


def _fill(store: np.ndarray, pairs: Sequence[Pair], view: View, task: Task) -> None:
    workers = processors()
    most = 16 * workers  # decoded images that wait to be written
    with ThreadPoolExecutor(workers) as pool:
        for first in range(0, len(pairs), most):
            some = pairs[first : first + most]
            for row, image in enumerate(pool.map(lambda pair: _decode(pair, view), some), first):
                store[row] = image[..., : store.shape[3]]
                task.advance()


def channels_of(pairs: Sequence[Pair]) -> int:
    """The number of channels of the stored images: 1 where all are grey, else 3."""
    return 1 if all(map(_is_grey, pairs)) else 3


def _is_grey(pair: Pair) -> bool:
    """Whether a JPEG has one channel, by its frame header (ITU T.81, B.2.2). Nothing is decoded."""
    data, place = pair.image, 2
    while place + 9 < len(data) and data[place] == 0xFF:
        marker = data[place + 1]
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            return data[place + 9] == 1
        place += 2 + int.from_bytes(data[place + 2 : place + 4], "big")
    return False


def _decode(pair: Pair, view: View) -> np.ndarray:
    return store_image(canvas(pair), view)


def canvas(pair: Pair) -> np.ndarray:
    """The image of a pair, uint8 [C,C(,3)].

    Raises:
        PaperclipError: the image is damaged.
    """
    try:
        return decode_jpeg(pair.image)
    except BadItem as error:
        raise PaperclipError(
            f"image {pair.path or pair.key} of the dataset: {error}",
            "run `paperclip build-dataset --force`",
        ) from error
