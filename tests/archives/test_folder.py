"""An archive on disk: the files listed, those left out, and those that must not be reached."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from paperclip_cli.archives.base import Archive
from paperclip_cli.archives.folder import open_folder
from paperclip_cli.errors import BadItem, PaperclipError
from paperclip_cli.records import Key, Observation
from tests.archive_on_disk import write_archive_folder, write_image
from tests.factories import make_proposal


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return write_archive_folder(
        tmp_path / "archive", {1: ["b.jpg", "a.png"], 2: ["a.fits"], 30: ["c.JPG"]}
    )


def names(archive: Archive, number: int) -> list[str]:
    return [image.name for image in archive.previews(Key("local", number))]


def test_it_lists_what_is_there(root: Path) -> None:
    archive: Archive = open_folder(root, "local")
    assert [proposal.proposal_id for proposal in archive.proposals()] == [1, 2, 30]
    assert names(archive, 1) == ["observations/proposal_1/a.png", "observations/proposal_1/b.jpg"]
    assert names(archive, 30) == ["observations/proposal_30/c.JPG"] and names(archive, 4) == []

    first, second = archive.previews(Key("local", 1))
    assert archive.read(first).shape == (30, 40)
    kept = (root / "observations/proposal_1/b.jpg").read_bytes()
    assert archive.original(second) == kept
    assert archive.excluded == {} and archive.identity == str(root)


@pytest.mark.parametrize(
    "sample, records, folders, images", [("deepsky", 248, 248, 258), ("hst", 15, 47, 67)]
)
def test_real_archives(
    real_sample: Path, sample: str, records: int, folders: int, images: int
) -> None:
    archive = open_folder(real_sample / sample, "hst")
    assert (len(archive.catalogue), len(archive.images)) == (records, folders)
    assert sum(map(len, archive.images.values())) == images
    assert archive.excluded == {}

    if sample == "deepsky":
        everything = [image.observation for listed in archive.images.values() for image in listed]
        assert all(
            observation.target and observation.s_ra is not None and observation.s_dec is not None
            for observation in everything
        )


def test_images_without_a_record_belong_to_a_proposal_without_an_abstract(root: Path) -> None:
    write_image(root / "observations/proposal_99/a.png", 99)
    added = open_folder(root, "local").proposals()[3:]
    assert [(proposal.proposal_id, proposal.abstract) for proposal in added] == [(99, "")]


def test_several_folders_of_observations_are_one_archive(root: Path) -> None:
    write_image(root / "observations_2/proposal_1/a.png", 1)
    write_image(root / "observations_2/proposal_001/a.png", 1)
    assert len(names(open_folder(root, "local"), 1)) == 4


def test_what_is_no_image_is_left_out(root: Path) -> None:
    folder = root / "observations/proposal_1"
    for name in ("notes.txt", ".hidden.jpg", "list.csv"):
        (folder / name).write_text("text")
    (folder / "folder.jpg").mkdir()
    os.mkfifo(folder / "pipe.jpg")
    (root / "observations/proposal_x").mkdir()
    (root / "observations/readme.txt").write_text("text")

    archive = open_folder(root, "local")
    assert len(names(archive, 1)) == 2
    assert archive.excluded == {"files that are not JPEG, PNG, TIFF or FITS": 2}


def test_links_that_lead_out_are_left_out(root: Path, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    write_image(secret / "a.png", 1)
    folder = root / "observations/proposal_1"
    (folder / "out.png").symlink_to(secret / "a.png")
    (folder / "out2.png").symlink_to("../../../secret/a.png")
    (folder / "nowhere.png").symlink_to("missing.png")
    (folder / "loop.png").symlink_to("loop.png")
    (folder / "inside.png").symlink_to("a.png")
    (root / "observations/proposal_7").symlink_to(secret)
    (root / "observations_more").symlink_to(secret)

    archive = open_folder(root, "local")
    assert names(archive, 1) == [
        f"observations/proposal_1/{name}" for name in ("a.png", "b.jpg", "inside.png")
    ]
    assert names(archive, 7) == []
    assert archive.excluded == {"symbolic links that lead outside the folder or nowhere": 6}


def test_the_folder_itself_may_be_a_link(root: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(root)
    assert open_folder(tmp_path / "link", "local") == open_folder(root, "local")


def test_names_that_are_no_text_are_left_out(root: Path) -> None:
    (root / "observations/proposal_1").joinpath(os.fsdecode(b"\xff.jpg")).write_bytes(b"")
    (root / "observations/proposal_1/two\nlines.jpg").write_bytes(b"")
    assert open_folder(root, "local").excluded == {"files whose name is not valid text": 2}


def test_the_table_describes_listed_images_only(root: Path, tmp_path: Path) -> None:
    """Paths in a table are looked up, never followed."""
    write_image(tmp_path / "outside.png", 1)
    lines = [
        "image,proposal_id,target",
        "observations/proposal_1/a.png,1,plain",
        "./observations/../observations/proposal_1/b.jpg,1,dotted",
        f"{root}/observations/proposal_30/c.JPG,30,absolute",
        "a.fits,2,by its name",
        "../outside.png,1,out",
        "/etc/passwd,1,out",
        f"{tmp_path}/outside.png,1,out",
        "observations/proposal_1/a.png,2,another proposal's",
        "missing.png,1,missing",
        "..,,odd",
    ]
    (root / "observations.csv").write_text("\n".join(lines))

    archive = open_folder(root, "local")
    told = {
        image.name: image.observation.target
        for listed in archive.images.values()
        for image in listed
    }
    assert told == {
        "observations/proposal_1/a.png": "plain",
        "observations/proposal_1/b.jpg": "dotted",
        "observations/proposal_30/c.JPG": "absolute",
        "observations/proposal_2/a.fits": "by its name",
    }
    assert archive.excluded == {"rows of the observation table without an image": 6}


def test_oddities_of_catalogue_and_table_are_counted(root: Path) -> None:
    catalogue = root / "abstracts.cat"
    catalogue.write_text(catalogue.read_text() * 2 + "ID: none\n")
    (root / "observations.csv").write_text("image,ra\nobservations/proposal_1/a.png,north\n")
    archive = open_folder(root, "local")
    assert archive.excluded == {
        "catalogue records that repeat a proposal": 3,
        "catalogue records without a number": 1,
        "rows of the observation table with an unreadable value": 1,
    }
    assert archive.previews(Key("local", 1))[0].observation == Observation()


def test_another_catalogue_may_be_given(root: Path, tmp_path: Path) -> None:
    (tmp_path / "other.cat").write_text("ID: 2\n\nAnother abstract.\n")
    archive = open_folder(root, "hst", tmp_path / "other.cat")
    assert archive.catalogue[0].abstract == "Another abstract."


def test_the_stamp_tells_whether_a_file_changed(root: Path) -> None:
    path = root / "observations/proposal_30/c.JPG"
    before = open_folder(root, "local").previews(Key("local", 30))
    assert open_folder(root, "local").previews(Key("local", 30)) == before
    os.utime(path, ns=(0, 1))
    assert open_folder(root, "local").previews(Key("local", 30)) != before


def test_what_is_no_archive_is_one_clear_error(tmp_path: Path) -> None:
    with pytest.raises(PaperclipError, match="is not a folder"):
        open_folder(tmp_path / "missing", "local")
    with pytest.raises(PaperclipError, match="no proposal catalogue at"):
        open_folder(tmp_path, "local")
    write_archive_folder(tmp_path, {}, [make_proposal("local", 1)])
    with pytest.raises(PaperclipError, match="contains no images"):
        open_folder(tmp_path, "local")


def test_a_file_that_vanishes_is_a_bad_item(root: Path) -> None:
    archive = open_folder(root, "local")
    (image,) = archive.previews(Key("local", 2))
    (root / image.name).unlink()
    for read in (archive.read, archive.original):
        with pytest.raises(BadItem, match="cannot be read"):
            read(image)
