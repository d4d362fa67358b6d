"""Reader of images for an index: hashes and decodes them in threads, ahead of the model."""

from __future__ import annotations

from collections import deque
from collections.abc import Container, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePath

import numpy as np

from paperclip_cli.config import PREVIEW_SIZE
from paperclip_cli.config.search import QueryImage, image_name
from paperclip_cli.errors import BadItem, PaperclipError
from paperclip_cli.images.picture_file import read_file
from paperclip_cli.images.pictures import (
    centre_view,
    clip_view,
    make_canvas,
    picture_of,
    quiet_decoders,
)
from paperclip_cli.images.reading import PLAIN, Reading
from paperclip_cli.images.tiles import tile_count, tile_views
from paperclip_cli.images.view import View
from paperclip_cli.indexes.database import Entry
from paperclip_cli.records import Key, Observation, Wcs
from paperclip_cli.threads import processors
from paperclip_cli.workspace import file_sha256

_AHEAD = 128  # most views decoded ahead: 20 MB at 224 pixels


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """An image for an index. `stored` is its path in the index, `wcs` that of its canvas.

    `Entry` describes both. A preview of the cache has a key. For any other file, everything known
    comes from the file itself.
    """

    path: Path
    stored: str
    key: Key | None = None
    observation: Observation = field(default_factory=Observation)
    wcs: Wcs | None = None

    def entry_as(self, known: Entry) -> Entry | None:
        """`known` with the present observation, if the file is unchanged since it was hashed."""
        try:
            status = self.path.stat()
        except OSError:
            return None
        if (status.st_size, status.st_mtime_ns) != (known.size, known.mtime_ns):
            return None
        if self.key is None:
            return known
        return replace(known, key=self.key, observation=self.observation, wcs=self.wcs)


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """A candidate that was read: its entry and, for new content, its views uint8 [T, S, S, 3].

    For a candidate that could not be read, it has only the `reason`. `unplaced` is the reason why
    one that was read has no position although its header has celestial axes.
    """

    candidate: Candidate
    entry: Entry | None = None
    views: np.ndarray | None = None
    reason: str = ""
    unplaced: str = ""


def read_ahead(
    candidates: Sequence[Candidate], known: Container[str], view: View, reading: Reading = PLAIN
) -> Iterator[Prepared]:
    """Prepares candidates in threads and yields them in order.

    Images whose hash is `known` are not decoded.
    """
    pool = ThreadPoolExecutor(max_workers=min(8, processors() + 1), thread_name_prefix="decode")
    waiting: deque[Future[Prepared]] = deque()
    tiles = tile_count(view, reading)
    try:
        for candidate in candidates:
            waiting.append(pool.submit(prepare, candidate, known, view, reading))
            if len(waiting) * tiles >= _AHEAD:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def prepare(
    candidate: Candidate, known: Container[str], view: View, reading: Reading = PLAIN
) -> Prepared:
    """Reads one image. A fault of the image becomes a reason, not an exception."""
    try:
        _check_name(candidate)
        status = candidate.path.stat()
        digest = file_sha256(candidate.path)
        file = read_file(candidate.path, reading, with_picture=digest not in known)

        is_preview = candidate.key is not None
        observed = candidate if is_preview else file
        views = None
        if file.picture is not None:
            views = _views(file.picture, view, reading, is_canvas=is_preview)
        entry = Entry(
            path=candidate.stored,
            size=status.st_size,
            mtime_ns=status.st_mtime_ns,
            sha256=digest,
            key=observed.key,
            observation=observed.observation,
            tiles=tile_count(view, reading),
            wcs=observed.wcs,
        )
        unplaced = "" if is_preview else file.unplaced
        return Prepared(candidate=candidate, entry=entry, views=views, unplaced=unplaced)
    except BadItem as error:
        return Prepared(candidate=candidate, reason=str(error))
    except OSError as error:
        return Prepared(candidate=candidate, reason=f"cannot be read: {error.strerror or error}")


def image_view(image: QueryImage, view: View, reading: Reading = PLAIN) -> np.ndarray:
    """A file or an image in memory as the model sees it: uint8 [S, S, 3].

    Raises:
        BadItem: it cannot be read.
    """
    try:
        if isinstance(image, Path):
            picture = read_file(image, reading).picture
        else:
            picture = picture_of(image)
    except OSError as error:
        raise BadItem(f"cannot be read: {error.strerror or error}") from error
    assert picture is not None
    return _views(picture, view, replace(reading, tiles=False), is_canvas=False)[0]


def seen(image: QueryImage, view: View, reading: Reading, hint: str) -> np.ndarray:
    """The same of an image that is needed.

    Raises:
        PaperclipError: it cannot be read; the message names it, and `hint` says what can.
    """
    try:
        with quiet_decoders():
            return image_view(image, view, reading)
    except BadItem as error:
        raise PaperclipError(f"{image_name(image, whole=True)}: {error}", hint) from error


def _views(picture: np.ndarray, view: View, reading: Reading, is_canvas: bool) -> np.ndarray:
    """Views uint8 [T, S, S, 3]. A preview of the cache is already a canvas and keeps its size."""
    if view.kind == "clip" and not reading.tiles:
        return clip_view(picture, view)[None]
    side = max(picture.shape[:2]) if is_canvas else PREVIEW_SIZE
    canvas = make_canvas(picture, side, view.pad)
    return tile_views(canvas, view) if reading.tiles else centre_view(canvas, view)[None]


def _check_name(candidate: Candidate) -> None:
    # The path of a preview comes from a file that may have been made elsewhere.
    if candidate.key is not None and ".." in PurePath(candidate.stored).parts:
        raise BadItem("the image lies outside the cache")
    try:
        candidate.stored.encode()
    except UnicodeEncodeError as error:
        raise BadItem("the file's name is not valid UTF-8") from error
