"""`describe`: the labels nearest to an image."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from paperclip_cli.config import DescribeConfig
from paperclip_cli.dataset.labels import read_labels
from paperclip_cli.dataset.phrases import PAPER_PHRASES
from paperclip_cli.errors import ExitCode, MissingStage, PaperclipError, UsageError
from paperclip_cli.indexes.reader import image_view
from paperclip_cli.stages.describe import Description, run
from paperclip_cli.towers.embedder import ImageEmbedder
from paperclip_cli.towers.folder import ModelFolder
from paperclip_cli.towers.numpy_text_tower import TextTower
from paperclip_cli.workspace import Workspace
from tests.factories import write_fetched
from tests.small_indexes import write_picture


def describe(workspace: Workspace, model: Path, *images: object, **more: object):  # type: ignore[no-untyped-def]
    return run(DescribeConfig(images=tuple(map(str, images)), model=str(model), **more), workspace)  # type: ignore[arg-type]


def test_labels_are_those_nearest_to_the_image(
    workspace: Workspace, tiny_model: Path, tmp_path: Path
) -> None:
    for number in range(2):
        write_picture(tmp_path / f"{number}.png", number)
    heard: list[Description] = []
    config = DescribeConfig(
        images=(str(tmp_path),), model=str(tiny_model), k=5, batch=True, templates=("{}",)
    )
    done = run(config, workspace, tell=heard.append)
    assert tuple(heard) == done.items and len(heard) == 2
    model = ModelFolder.open(tiny_model)
    texts = TextTower.open(model).embed(PAPER_PHRASES)
    for number, item in enumerate(done.items):
        vector = ImageEmbedder(model, 1).embed(
            image_view(tmp_path / f"{number}.png", model.view)[None]
        )[0]
        order = np.argsort(-(texts @ vector))[:5]
        assert item.image == str(tmp_path / f"{number}.png")
        assert [label for label, _ in item.labels] == [PAPER_PHRASES[place] for place in order]
        assert [score for _, score in item.labels] == pytest.approx(
            (texts @ vector)[order].tolist(), abs=1e-5
        )


def test_a_proposal_of_the_cache_is_its_images(workspace: Workspace, tiny_model: Path) -> None:
    write_fetched(workspace, "hst", proposals=3)
    done = describe(workspace, tiny_model, "hst:2", k=1)
    assert [
        Path(item.image).relative_to(workspace.previews("hst")).as_posix() for item in done.items
    ] == ["proposal_2/visit_0.jpg", "proposal_2/visit_1.jpg"]
    with pytest.raises(MissingStage) as error:
        describe(workspace, tiny_model, "hst:99")
    assert error.value.hint == "run `paperclip fetch --mission hst --proposal 99` first"


def test_hdu_and_stretch_say_what_is_seen_of_a_fits_file(
    workspace: Workspace, tiny_model: Path, tmp_path: Path
) -> None:
    from astropy.io import fits

    values = np.random.default_rng(0).normal(1, 0.1, (2, 40, 40)).astype("f4")
    hdus = [
        fits.ImageHDU(plane, name=name) for plane, name in zip(values, ("SCI", "WHT"), strict=True)
    ]
    fits.HDUList([fits.PrimaryHDU(), *hdus]).writeto(tmp_path / "a.fits")
    first, named, numbered, zscale = (
        describe(workspace, tiny_model, tmp_path / "a.fits", **more).items[0].labels
        for more in ({}, {"hdu": "WHT"}, {"hdu": 2}, {"stretch": "zscale"})
    )
    assert named == numbered and first != named and first != zscale
    with pytest.raises(PaperclipError, match="no HDU 9"):
        describe(workspace, tiny_model, tmp_path / "a.fits", hdu=9)
    with pytest.raises(UsageError, match="--stretch 'log'"):
        describe(workspace, tiny_model, tmp_path / "a.fits", stretch="log")


def test_labels_of_ones_own(workspace: Workspace, tiny_model: Path, tmp_path: Path) -> None:
    write_picture(tmp_path / "a.png", 0)
    (tmp_path / "labels.txt").write_text("dust, and gas\n\n stars \nstars\n", encoding="utf-8")
    (labels,) = [
        item.labels
        for item in describe(
            workspace, tiny_model, tmp_path / "a.png", labels=tmp_path / "labels.txt", k=9
        ).items
    ]
    assert sorted(label for label, _ in labels) == ["dust, and gas", "stars"]
    with pytest.raises(UsageError, match="no place for the label"):
        DescribeConfig(templates=("an image",))


@pytest.mark.parametrize(
    ("name", "content", "labels"),
    [
        ("a.txt", b"one\ntwo, three\n", ("one", "two, three")),
        ("a.txt", b"\xef\xbb\xbfone\r\n", ("one",)),
        ("a.csv", b'id,label\n1,one\n2,"two, three"\n3\n', ("one", "two, three")),
        ("a.csv", b"one,1\ntwo,2\n", ("one", "two")),
        ("a.CSV", b"Phrase\none\n", ("one",)),
    ],
)
def test_label_files(name: str, content: bytes, labels: tuple[str, ...], tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(content)
    assert read_labels(tmp_path / name) == labels


@pytest.mark.parametrize(
    ("content", "reason"),
    [(b"\n  \n", "holds no label"), (b"\xff\xfe\x00", "not text in UTF-8"), (None, "No such file")],
)
def test_label_files_that_are_none(content: bytes | None, reason: str, tmp_path: Path) -> None:
    if content is not None:
        (tmp_path / "a.txt").write_bytes(content)
    with pytest.raises(PaperclipError, match=reason):
        read_labels(tmp_path / "a.txt")


def test_bad_images_are_skipped_and_counted(
    workspace: Workspace, tiny_model: Path, tmp_path: Path
) -> None:
    write_picture(tmp_path / "a.png", 0)
    (tmp_path / "bad.jpg").write_text("no picture")
    done = describe(
        workspace, tiny_model, tmp_path / "bad.jpg", tmp_path / "a.png", tmp_path / "gone.png"
    )
    assert [Path(item.image).name for item in done.items] == [
        "a.png"
    ] and done.report.exit_code == ExitCode.PARTIAL
    assert [failure.reason for failure in done.report.failures] == [
        "not a JPEG, PNG, TIFF or FITS file",
        "cannot be read: No such file or directory",
    ]
    with pytest.raises(PaperclipError, match=r"bad\.jpg: not a JPEG"):
        describe(workspace, tiny_model, tmp_path / "bad.jpg")
    with pytest.raises(UsageError, match="is a folder"):
        describe(workspace, tiny_model, tmp_path)
    (tmp_path / "empty").mkdir()
    with pytest.raises(PaperclipError, match="there is no image in"):
        describe(workspace, tiny_model, tmp_path / "empty", batch=True)
    with pytest.raises(PaperclipError, match="there is no image in the list"):
        describe(workspace, tiny_model, batch=True)
