"""Folders that `datasets` reads, converted: beside `datasets` itself, and what is refused."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import datasets
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from PIL import Image

from paperclip_cli.dataset import imported
from paperclip_cli.dataset.columns import Wanted
from paperclip_cli.dataset.imported import Opened, open_dataset, origin_of
from paperclip_cli.dataset.loading import loaded
from paperclip_cli.dataset.pairs import Pair, available_splits, read_split, split_files, write_split
from paperclip_cli.dataset.row_images import Places
from paperclip_cli.errors import MissingStage, PaperclipError
from paperclip_cli.images.pictures import decode_jpeg, make_canvas
from paperclip_cli.progress import SilentProgress
from paperclip_cli.records import Key
from paperclip_cli.report import Report
from paperclip_cli.workspace import Workspace, read_manifest
from tests.dataset.test_pairs import plain_pair
from tests.foreign_datasets import (
    encoded,
    parquet_table,
    picture,
    rows,
    text,
    write_class_folders,
    write_image_folder,
    write_parquet,
    write_tar,
)


class Notes(SilentProgress):
    def __init__(self) -> None:
        self.notes: list[str] = []

    def note(self, text: str) -> None:
        self.notes.append(text)


def opened(folder: Path | str, workspace: Workspace, **wanted: str) -> Opened:
    return open_dataset(str(folder), Wanted(**wanted), workspace, SilentProgress())


def pairs(found: Opened, split: str = "train") -> list[Pair]:
    return read_split(found.folder, split)


def saved_to_disk(folder: Path) -> Path:
    splits = {"train": rows(0, 5), "test": rows(5, 3)}
    made = {name: datasets.Dataset.from_list(members) for name, members in splits.items()}
    loadable = {name: one.cast_column("image", datasets.Image()) for name, one in made.items()}
    datasets.DatasetDict(loadable).save_to_disk(folder)
    return folder


KINDS = {
    "parquet": lambda folder: write_parquet(folder, train=rows(0, 5), test=rows(5, 3)),
    "metadata.csv": lambda folder: write_image_folder(
        write_image_folder(folder, rows(0, 5)), rows(5, 3), "test"
    ),
    "metadata.jsonl": lambda folder: write_image_folder(folder, rows(0, 5), form="jsonl"),
    "WebDataset": lambda folder: write_tar(folder, rows(0, 5)),
}


@pytest.mark.parametrize("kind", KINDS)
def test_the_pairs_are_those_of_load_dataset(
    kind: str, tmp_path: Path, workspace: Workspace
) -> None:
    folder = KINDS[kind](tmp_path / "theirs")
    found = opened(folder, workspace)
    theirs = datasets.load_dataset(str(folder), cache_dir=str(tmp_path / "arrow"))
    compare(found, theirs)


def test_what_save_to_disk_wrote(tmp_path: Path, workspace: Workspace) -> None:
    folder = saved_to_disk(tmp_path / "theirs")
    compare(opened(folder, workspace), datasets.load_from_disk(folder))
    shutil.copytree(folder / "test", tmp_path / "one")
    one = {"train": datasets.load_from_disk(tmp_path / "one")}
    compare(opened(tmp_path / "one", workspace), one)


def compare(found: Opened, theirs: dict) -> None:
    """The same splits, texts and pixels in the same order, and equal texts in the same groups."""
    assert available_splits(found.folder) == list(theirs)
    keys: dict[str, Key] = {}
    for split, members in theirs.items():
        ours = pairs(found, split)
        assert len(ours) == len(members) > 0
        for pair, row in zip(ours, members, strict=True):
            image = row.get("image") or row["png"]
            assert pair.caption == pair.abstract == (row.get("caption") or row["txt"])
            assert keys.setdefault(pair.caption, pair.key) == pair.key
            wanted = make_canvas(np.asarray(image), 512)
            np.testing.assert_allclose(decode_jpeg(pair.image).astype(int), wanted, atol=16)
    assert len(set(keys.values())) == len(keys)


def test_class_folders_have_their_names_for_texts(tmp_path: Path, workspace: Workspace) -> None:
    found = opened(write_class_folders(tmp_path / "theirs", 6), workspace)
    names = [(pair.path, pair.caption) for pair in pairs(found)]
    assert names[0] == ("train/cluster_galaxy/1.png", "cluster galaxy")
    assert all(path.split("/")[1].replace("_", " ") == caption for path, caption in names)
    assert len({pair.key for pair in pairs(found)}) == 2


@pytest.mark.parametrize("form", ["csv", "jsonl"])
def test_a_table_that_names_its_pictures(form: str, tmp_path: Path, workspace: Workspace) -> None:
    folder = tmp_path / "theirs"
    (folder / "pictures").mkdir(parents=True)
    for number in range(3):
        picture(number).save(folder / "pictures" / f"{number}.png")
    files = ["pictures/0.png", str(folder / "pictures" / "1.png"), "../../private.png"]
    lines = [{"image": file, "caption": text(number)} for number, file in enumerate(files)]
    lines += [{"image": "", "caption": "none"}, {"image": "pictures/2.png", "caption": ""}]
    if form == "csv":
        body = "image,caption\n" + "".join('{image},"{caption}"\n'.format(**one) for one in lines)
    else:
        body = "".join(json.dumps(one) + "\n" for one in lines)
    (folder / f"all.{form}").write_text(body)
    (folder / "README.md").write_text(
        f"---\nconfigs:\n- config_name: default\n  data_files: all.{form}\n---\n"
    )
    picture(3).save(tmp_path.parent / "private.png")

    found = opened(folder, workspace)
    assert [pair.path for pair in pairs(found)] == ["pictures/0.png", "pictures/1.png"]
    assert [pair.caption for pair in pairs(found)] == [text(0), text(1)]
    assert [(one.item, one.reason) for one in found.failures] == [
        ("train row 3 (private.png)", "a file outside the dataset")
    ]
    assert found.excluded == {"rows without an image": 1, "rows without a text": 1}


def test_groups_by_a_column(tmp_path: Path, workspace: Workspace) -> None:
    members = [
        {"image": encoded(picture(n)), "caption": f"text {n}", "field": field, "number": number}
        for n, (field, number) in enumerate(
            [("a", 3), ("b", 4), ("a", 3), ("", 5), (None, None), ("c", -1)]
        )
    ]
    folder = write_parquet(tmp_path / "some name!", train=members)
    by_field = opened(folder, workspace, group="field")
    keys = [pair.key for pair in pairs(by_field)]
    assert len(keys) == 4 and keys[0] == keys[2] and len({*keys}) == 3
    assert by_field.excluded == {"rows without a group": 2}
    by_number = opened(folder, workspace, group="number")
    assert [str(pair.key) for pair in pairs(by_number)] == [
        f"some-name:{number}" for number in (3, 4, 3, 5)
    ]
    assert by_number.folder != by_field.folder


def test_a_published_dataset_of_ours_is_the_same(tmp_path: Path, workspace: Workspace) -> None:
    """Read through `datasets`, because a text column is named; nothing of it is lost."""
    made = tmp_path / "made"
    square = encoded(Image.fromarray(np.zeros((48, 48), np.uint8)), "JPEG")
    given = [
        replace(plain_pair(number), image=square, title=f"Title {number}", path=f"hst/{number}.jpg")
        for number in (1, 2)
    ]
    write_split(made, "train", given)
    assert opened(made, workspace).folder == made
    found = opened(made, workspace, text="caption")
    assert found.folder != made and pairs(found) == pairs(Opened(folder=made))
    titles = opened(made, workspace, text="title")
    assert [pair.caption for pair in pairs(titles)] == ["Title 1", "Title 2"]


def test_groups_in_two_splits_are_counted(tmp_path: Path, workspace: Workspace) -> None:
    folder = write_parquet(tmp_path / "theirs", train=rows(0, 4), dev=rows(3, 3))
    found = opened(folder, workspace)
    assert available_splits(found.folder) == ["train", "validation"]
    assert found.notes[-1] == "held-out groups that are in training, too: 1 of 3"
    alone = opened(folder, workspace, text="source", image="image", group="caption")
    assert alone.notes[-1] == found.notes[-1] and len(alone.notes) == 2
    apart = write_parquet(tmp_path / "apart", train=rows(0, 4), dev=rows(4, 3))
    assert len(opened(apart, workspace).notes) == 1


def test_damaged_images_are_left_out_and_reported(tmp_path: Path, workspace: Workspace) -> None:
    members = rows(0, 5)
    members[1]["image"] = b"GIF89a"
    members[3]["image"] = members[3]["image"][:200]
    folder = write_parquet(tmp_path / "theirs", train=members)
    found = opened(folder, workspace)
    assert [pair.caption for pair in pairs(found)] == [text(0), text(2), text(4)]
    assert [one.item for one in found.failures] == [
        "train row 2 (train-2)",
        "train row 4 (train-4)",
    ]
    report = found.onto(Report(stage="train", notes=("trained",)))
    assert report.exit_code == 3 and report.notes == (*found.notes, "trained")
    again = opened(folder, workspace)
    assert not again.failures and again.notes[-1] == "2 images could not be read"


def test_mostly_damaged_images_are_an_error(
    tmp_path: Path, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    members = [{**row, "image": b"GIF89a"} for row in rows(0, 30)] + rows(30, 20)
    folder = write_parquet(tmp_path / "theirs", train=members)
    with pytest.raises(PaperclipError, match=r"30 of 50 images cannot be read, first train row 1"):
        opened(folder, workspace)
    monkeypatch.setattr(imported, "_A_FEW", 10)
    with pytest.raises(PaperclipError, match="10 of 10 images"):
        opened(folder, workspace)
    assert not list((workspace.root / "datasets-converted").glob("*/manifest.json"))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"caption": None}, r"has no pair .* \(3 rows without a text\)"),
        ({"image": None}, r"has no pair .* \(3 rows without an image\)"),
    ],
)
def test_nothing_to_use(change: dict, said: str, tmp_path: Path, workspace: Workspace) -> None:
    members = [row | change for row in rows(0, 3)]
    table = datasets.Dataset.from_list(
        members,
        features=datasets.Features(
            image=datasets.Image(),
            caption=datasets.Value("string"),
            source=datasets.Value("string"),
        ),
    )
    folder = tmp_path / "theirs"
    folder.mkdir()
    table.to_parquet(folder / "train.parquet")
    with pytest.raises(PaperclipError, match=said):
        opened(folder, workspace)


def test_what_strangers_wrote_does_not_drive_the_terminal(
    tmp_path: Path, workspace: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    from paperclip_cli.output import console

    members = [{"image": row["image"], "\x1b[31mtext": row["caption"]} for row in rows(0, 2)]
    folder = write_parquet(tmp_path / "theirs", train=members)
    console.report(opened(folder, workspace).onto(Report(stage="train")))
    assert "[31mtext" in (said := capsys.readouterr().err) and "\x1b" not in said


def test_splits_of_other_names_are_listed(tmp_path: Path, workspace: Workspace) -> None:
    for number, splits in enumerate([("train", "extra"), ("valid", "dev")]):
        folder = write_parquet(tmp_path / str(number), **{name: rows(0, 2) for name in splits})
        files = "".join(f"  - split: {s}\n    path: data/{s}-*\n" for s in splits)
        readme = f"---\nconfigs:\n- config_name: default\n  data_files:\n{files}---\n"
        (folder / "README.md").write_text(readme)
        with pytest.raises(PaperclipError, match=f"not clear: {', '.join(splits)}"):
            opened(folder, workspace)


def test_several_configurations_are_listed(tmp_path: Path, workspace: Workspace) -> None:
    folder = write_parquet(tmp_path / "theirs", train=rows(0, 2))
    (folder / "README.md").write_text(
        "---\nconfigs:\n- config_name: large\n  data_files: data/*\n"
        "- config_name: small\n  data_files: data/*\n---\n"
    )
    with pytest.raises(PaperclipError, match=r"one among the available configs: .*large.*small"):
        opened(folder, workspace)


@pytest.mark.parametrize("where", ["/etc/*", "../private/*", "https://localhost:9/a.parquet"])
@pytest.mark.parametrize("file", ["README.md", ".huggingface.yaml"])
def test_data_files_elsewhere_are_refused_before_they_are_looked_for(
    where: str, file: str, tmp_path: Path, workspace: Workspace
) -> None:
    folder = write_parquet(tmp_path / "theirs", train=rows(0, 2))
    said = (
        f"configs:\n- config_name: default\n  data_files:\n  - split: train\n    path: {where!r}\n"
    )
    (folder / file).write_text(f"---\n{said}---\n" if file == "README.md" else said)
    with pytest.raises(PaperclipError, match=r"names data files outside the dataset"):
        opened(folder, workspace)


def test_links_that_lead_out_are_refused(tmp_path: Path, workspace: Workspace) -> None:
    private = write_parquet(tmp_path / "private", train=rows(0, 2))
    (tmp_path / "theirs").mkdir()
    (tmp_path / "theirs" / "train.parquet").symlink_to(split_file(private))
    with pytest.raises(PaperclipError, match=r"data file lies outside .*train\.parquet"):
        opened(tmp_path / "theirs", workspace)


def split_file(folder: Path) -> Path:
    return next(folder.glob("data/*.parquet"))


def test_no_program_is_run(tmp_path: Path, workspace: Workspace) -> None:
    folder = write_parquet(tmp_path / "theirs", train=rows(0, 2))
    (folder / "theirs.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\n")
    with pytest.raises(PaperclipError, match=r"loading script \(theirs\.py\)"):
        opened(folder, workspace)
    assert not (tmp_path / "ran").exists()


def test_nothing_is_unpickled(
    tmp_path: Path, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unpickled(*_: object, **__: object) -> None:
        raise AssertionError("unpickled")

    monkeypatch.setattr(torch, "load", unpickled)
    others = {"pth": encoded(picture(0)), "npy": b"no array"}
    folder = write_tar(tmp_path / "theirs", rows(0, 3), others=others)
    with pytest.raises(AssertionError, match="unpickled"):
        next(iter(datasets.load_dataset(str(folder), split="train", streaming=True)))
    assert [pair.caption for pair in pairs(opened(folder, workspace))] == [
        text(number) for number in range(3)
    ]


@pytest.mark.parametrize("damage", [b"", b"PAR1", b"not parquet at all"])
def test_a_damaged_file_is_one_line(damage: bytes, tmp_path: Path, workspace: Workspace) -> None:
    folder = write_parquet(tmp_path / "theirs", train=rows(0, 2))
    split_file(folder).write_bytes(damage)
    with pytest.raises(PaperclipError, match=r"^theirs cannot be read as a dataset: ") as caught:
        opened(folder, workspace)
    assert "\n" not in caught.value.message


def test_what_was_tried_is_listed(tmp_path: Path, workspace: Workspace) -> None:
    for name in ("nothing", "no such name", "/no/such/folder", "a/b/c", "../x"):
        with pytest.raises(MissingStage, match=r"no dataset .*cache.*folder.*org/name") as caught:
            opened(name, workspace)
        assert "build-dataset" in str(caught.value.hint)
    with pytest.raises(PaperclipError, match="the name of the dataset is empty"):
        open_dataset("", Wanted(), workspace, SilentProgress())
    (tmp_path / "empty").mkdir()
    with pytest.raises(PaperclipError, match="empty cannot be read as a dataset"):
        opened(tmp_path / "empty", workspace)


def test_a_name_in_the_cache_comes_before_a_folder(
    tmp_path: Path, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write_parquet(tmp_path / "mine", train=rows(0, 2))
    assert opened("mine", workspace).folder.parent.name == "datasets-converted"
    write_split(workspace.dataset("mine"), "train", [plain_pair(1)])
    assert opened("mine", workspace).folder == workspace.dataset("mine")
    assert opened("./mine", workspace).folder.parent.name == "datasets-converted"


def stamp(found: Opened) -> int:
    return split_files(found.folder, "train")[0].stat().st_mtime_ns


def test_a_folder_is_converted_again_only_if_it_changed(
    tmp_path: Path, workspace: Workspace
) -> None:
    folder = write_image_folder(tmp_path / "theirs", rows(0, 3))
    first = opened(folder, workspace)
    before = stamp(first)
    (folder / ".hidden").write_text("x")
    assert stamp(opened(folder, workspace)) == before
    os.utime(folder / "train" / "0.png", ns=(1, 1))
    after = opened(folder, workspace)
    assert after.folder == first.folder and stamp(after) != before
    write_image_folder(folder, rows(0, 4))
    assert len(pairs(opened(folder, workspace))) == 4
    assert len(list((workspace.root / "datasets-converted").glob("*/manifest.json"))) == 1
    assert workspace.names("datasets") == []


def test_a_damaged_conversion_is_made_again(tmp_path: Path, workspace: Workspace) -> None:
    folder = write_parquet(tmp_path / "theirs", train=rows(0, 3))
    found = opened(folder, workspace)
    split_files(found.folder, "train")[0].write_bytes(b"PAR1")
    notes = Notes()
    again = open_dataset(str(folder), Wanted(), workspace, notes)
    assert len(pairs(again)) == 3 and "is damaged" in notes.notes[0]


def test_the_manifest_of_a_conversion(tmp_path: Path, workspace: Workspace) -> None:
    folder = write_parquet(tmp_path / "theirs", train=rows(0, 3))
    found = opened(folder, workspace, group="source")
    manifest = read_manifest(found.folder)
    assert manifest is not None and manifest.counts == {"train images": 3}
    assert manifest.config["source"] == str(folder) and manifest.config["group_column"] == "source"
    origin = origin_of(found.folder)
    assert origin["name"] == "theirs" and str(tmp_path) not in str(origin)
    assert sorted(path.name for path in found.folder.iterdir()) == ["data", "manifest.json"]
    assert pq.read_metadata(split_files(found.folder, "train")[0]).num_rows == 3


def test_datasets_is_loaded_for_the_conversion_only_and_nothing_is_printed(
    tmp_path: Path, workspace: Workspace
) -> None:
    folder = write_parquet(tmp_path / "theirs", train=rows(0, 3))
    script = f"""
import sys
from dataclasses import replace
from pathlib import Path
from paperclip_cli.dataset.columns import Wanted
from paperclip_cli.dataset.imported import open_dataset
from paperclip_cli.progress import SilentProgress
from paperclip_cli.workspace import Workspace
place = Workspace(Path({str(workspace.root)!r}), offline=True)
open_dataset({str(folder)!r}, Wanted(), place, SilentProgress())
print("datasets" in sys.modules)
if "datasets" in sys.modules:
    import datasets
    print(datasets.are_progress_bars_disabled(), datasets.config.HF_HUB_OFFLINE)
"""
    said = []
    for _ in range(2):
        done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
        assert done.returncode == 0 and done.stderr == "", done.stderr
        said.append(done.stdout.split())
    assert said == [["True", "False", "False"], ["False"]]


def test_a_large_file_is_read_in_parts(tmp_path: Path) -> None:
    """Arrow's memory does not grow with a file of 24 MB, however slow the reader of its rows is."""
    generator = np.random.default_rng(0)
    path = tmp_path / "theirs" / "train.parquet"
    path.parent.mkdir()
    writer = None
    for _ in range(24):
        members = [{"image": generator.bytes(10**5), "caption": "a"} for _ in range(10)]
        table = parquet_table(members)
        writer = writer or pq.ParquetWriter(path, table.schema)
        writer.write_table(table)
    assert writer is not None
    writer.close()
    del members, table
    (tmp_path / "scratch").mkdir()
    held = []
    places = Places(path.parent, path.parent)
    with loaded("theirs", places, tmp_path / "scratch") as found:
        before = pa.total_allocated_bytes()
        for _ in found.splits["train"](["image", "caption"]):
            held.append(pa.total_allocated_bytes() - before)
    assert len(held) == 240 and max(held) < 12e6
