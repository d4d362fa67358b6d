"""Decoded images of a dataset: how they are stored, what is read for them, and who removes them."""

from __future__ import annotations

import dataclasses
import io
import os
import threading
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from paperclip_cli.dataset.decoded import Centres, Decoded
from paperclip_cli.dataset.pairs import Pair, fingerprint, split_files, write_split
from paperclip_cli.errors import PaperclipError
from paperclip_cli.images.pictures import centre_view, decode_jpeg, store_image
from paperclip_cli.images.view import View
from paperclip_cli.progress import SilentProgress
from paperclip_cli.workspace import Workspace
from tests.factories import pair

VIEW = View(crop=0.8, size=16)


def decoded(
    pairs: list[Pair], workspace: Workspace, view: View = VIEW, name: str = "dataset"
) -> Decoded:
    """The decoded images of a dataset that is written anew."""
    dataset = workspace.root / name
    write_split(dataset, "train", pairs)
    return opened(dataset, workspace, view)


def opened(dataset: Path, workspace: Workspace, view: View = VIEW) -> Decoded:
    return Decoded(
        workspace=workspace,
        dataset=dataset,
        fingerprint=fingerprint(dataset, workspace),
        view=view,
        progress=SilentProgress(),
    )


def stored(pairs: list[Pair]) -> np.ndarray:
    return np.stack([store_image(decode_jpeg(one.image), VIEW) for one in pairs])


def blacken(dataset: Path, pairs: list[Pair]) -> None:
    """Overwrites the JPEGs where they lie. Size and time of the file remain."""
    (file,) = split_files(dataset, "train")
    data, stamp = file.read_bytes(), file.stat()
    for one in pairs:
        data = data.replace(one.image, bytes(len(one.image)))
    file.write_bytes(data)
    os.utime(file, ns=(stamp.st_atime_ns, stamp.st_mtime_ns))


def files_in(workspace: Workspace) -> set[str]:
    return {path.name for path in workspace.decoded().glob("*/*")}


def test_the_store_is_what_views_are_cut_from(workspace: Workspace) -> None:
    pairs = [pair(i) for i in range(50)]
    images = decoded(pairs, workspace)
    store = images.store("train")
    assert store.shape == (50, 20, 20, 3) and images.channels("train") == 3
    np.testing.assert_array_equal(store[:], stored(pairs))
    rows = np.asarray([3, 49, 3, 0])
    np.testing.assert_array_equal(store(rows), stored(pairs)[rows])
    np.testing.assert_array_equal(images.decoder("train")(rows), stored(pairs)[rows])
    views = Centres(store, VIEW.size)
    assert len(views) == 50
    np.testing.assert_array_equal(views[3:4][0], centre_view(decode_jpeg(pairs[3].image), VIEW))


def test_grey_images_take_one_channel_unless_one_has_colour(workspace: Workspace) -> None:
    grey = [pair(i, grey=True) for i in range(3)]
    images = decoded(grey, workspace, name="grey")
    assert images.channels("train") == 1 and images.store("train").shape == (3, 20, 20, 1)
    mixed = decoded([*grey, pair(9)], workspace, name="mixed")
    assert mixed.channels("train") == 3 and mixed.store("train").shape == (4, 20, 20, 3)
    np.testing.assert_array_equal(mixed.store("train")[:1], stored(grey[:1]))
    for both, channels in ((images, 1), (mixed, 3)):
        alone = both.decoder("train")(np.arange(3))
        np.testing.assert_array_equal(alone, stored(grey)[..., :channels])


@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"comment": b"a comment"}])
def test_grey_is_told_from_the_header_whatever_comes_before_it(
    workspace: Workspace, options: dict
) -> None:
    file = io.BytesIO()
    Image.fromarray(np.zeros((40, 40), np.uint8)).save(file, "JPEG", **options)
    assert decoded([pair(0, image=file.getvalue())], workspace).store("train").shape[3] == 1


def test_what_is_stored_is_found_without_a_look_at_a_jpeg(workspace: Workspace) -> None:
    pairs = [pair(i, grey=True) for i in range(4)]
    images = decoded(pairs, workspace)
    images.store("train")
    images.decoder("train")
    blacken(images.dataset, pairs)
    again = opened(images.dataset, workspace)
    assert again.folder == images.folder and again.channels("train") == 1
    np.testing.assert_array_equal(again.store("train")[:], stored(pairs)[..., :1])
    with pytest.raises(PaperclipError, match="image 2 of split train of the dataset: not a JPEG"):
        again.decoder("train")(np.asarray([2]))


def test_each_view_and_each_state_of_a_dataset_has_its_own_store(workspace: Workspace) -> None:
    pairs = [pair(i) for i in range(4)]
    first = decoded(pairs, workspace)
    wide = dataclasses.replace(first, view=View(size=16))
    filled = dataclasses.replace(first, view=dataclasses.replace(VIEW, fill="sky"))
    assert wide.store("train").shape[1] == 37
    again = decoded(pairs[::-1], workspace)
    assert len({one.folder for one in (first, wide, filled, again)}) == 4


def test_stores_of_older_states_are_removed_and_nobody_elses(workspace: Workspace) -> None:
    pairs = [pair(i) for i in range(4)]
    old, other = decoded(pairs, workspace), decoded(pairs[:2], workspace, name="other")
    copy = decoded(pairs[:3], workspace, name="copy")
    wide = dataclasses.replace(old, view=View(size=16))
    for one in (old, wide, other, copy):
        one.store("train")
    (old.folder / "features-1").mkdir()
    reader = old.store("train")

    shared = decoded(pairs[:3], workspace)  # now the same as the copy
    assert shared.folder == copy.folder
    shared.store("train")
    shared.forget_older()
    assert not old.folder.exists() and not wide.folder.exists()
    assert other.folder.exists() and copy.folder.exists()
    np.testing.assert_array_equal(reader[:], stored(pairs)), "it is still open"

    newest = decoded(pairs[1:], workspace)
    newest.store("train")
    newest.forget_older()
    assert newest.folder.exists() and copy.folder.exists() and other.folder.exists()
    third = decoded(pairs[2:], workspace, name="copy")
    third.forget_older()
    assert not copy.folder.exists()


def test_a_cut_or_a_foreign_file_is_made_again(workspace: Workspace) -> None:
    pairs = [pair(i) for i in range(4)]
    images = decoded(pairs, workspace)
    images.store("train")
    path = images.folder / "train.npy"
    for damage in (b"", path.read_bytes()[:-1], b"\x80\x04N."):
        path.write_bytes(damage)
        np.testing.assert_array_equal(images.store("train")[:], stored(pairs))
    np.save(path, np.zeros((4, 20, 20, 2), np.uint8))
    np.testing.assert_array_equal(images.store("train")[:], stored(pairs))


def test_a_dataset_that_changes_while_it_is_read_leaves_no_store(workspace: Workspace) -> None:
    images = decoded([pair(i) for i in range(4)], workspace)
    write_split(images.dataset, "train", [pair(9)])
    for make in (images.store, images.decoder, lambda _: images.check()):
        with pytest.raises(PaperclipError, match="was changed while it was read"):
            make("train")
    assert files_in(workspace) == {"datasets.json"}


def test_two_writers_leave_one_whole_store(workspace: Workspace) -> None:
    pairs = [pair(i) for i in range(40)]
    images = decoded(pairs, workspace)
    found: list[np.ndarray] = []
    threads = [
        threading.Thread(target=lambda: found.append(images.store("train")[:])) for _ in range(3)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 3 and files_in(workspace) == {"datasets.json", "train.npy"}
    for one in found:
        np.testing.assert_array_equal(one, stored(pairs))


def test_a_damaged_image_is_named_and_leaves_nothing(workspace: Workspace) -> None:
    whole = pair(1).image
    images = decoded([pair(1), pair(2, image=whole[: len(whole) // 2])], workspace)
    with pytest.raises(PaperclipError, match=r"2\.jpg.*damaged"):
        images.store("train")
    assert files_in(workspace) == {"datasets.json"}


def test_an_image_is_read_alone_from_any_file_of_the_split(workspace: Workspace) -> None:
    pairs = [pair(i) for i in range(250)]  # three row groups
    images = decoded(pairs[:240], workspace)
    (first,) = split_files(images.dataset, "train")
    first.rename(first.with_name("train-00000-of-00002.parquet"))
    write_split(images.dataset, "train", pairs[240:])
    (second,) = {*split_files(images.dataset, "train")} - {*images.dataset.glob("data/*of*")}
    second.rename(second.with_name("train-00001-of-00002.parquet"))
    both = opened(images.dataset, workspace)
    rows = np.asarray([249, 0, 100, 199, 200, 240])
    np.testing.assert_array_equal(both.decoder("train")(rows), stored(pairs)[rows])
    np.testing.assert_array_equal(both.store("train")(rows), stored(pairs)[rows])


def test_images_that_are_compressed_once_more_cannot_be_read_alone(workspace: Workspace) -> None:
    import pyarrow.parquet as pq

    images = decoded([pair(i, image=bytes(3_000)) for i in range(3)], workspace)
    (file,) = split_files(images.dataset, "train")
    with pq.ParquetFile(file) as written:
        table = written.read()
    pq.write_table(table, file, compression="ZSTD")
    with pytest.raises(PaperclipError, match="compressed once more") as caught:
        opened(images.dataset, workspace).decoder("train")
    assert "--cache none" in str(caught.value.hint)
