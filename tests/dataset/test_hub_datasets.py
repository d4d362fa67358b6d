"""Datasets from a stand-in of the Hub, through the real client in a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from paperclip_cli.dataset.hub import HubDataset, parse
from tests.foreign_datasets import encoded, picture, rows, write_image_folder, write_parquet
from tests.standin.hub import WRITER, HubStandIn, hub_standin

# Opens datasets one after the other, and prints what is there, and whether `datasets` was needed.
SCRIPT = """
import json, sys
from pathlib import Path
from paperclip_cli.dataset.columns import Wanted
from paperclip_cli.dataset.imported import open_dataset, origin_of
from paperclip_cli.dataset.pairs import available_splits, read_split
from paperclip_cli.errors import PaperclipError
from paperclip_cli.progress import SilentProgress
from paperclip_cli.workspace import Workspace
workspace = Workspace(Path(sys.argv[1]), offline=sys.argv[2] == "offline")
answers = []
for name in sys.argv[3:]:
    try:
        found = open_dataset(name, Wanted(), workspace, SilentProgress())
    except PaperclipError as error:
        answers.append({"error": error.message, "hint": error.hint})
        continue
    answers.append({
        "captions": {
            split: [pair.caption for pair in read_split(found.folder, split)]
            for split in available_splits(found.folder)
        },
        "folder": str(found.folder),
        "failures": [failure.reason for failure in found.failures],
        "origin": origin_of(found.folder),
        "imported": "datasets" in sys.modules,
        "mission": read_split(found.folder, available_splits(found.folder)[0])[0].key.mission,
    })
print(json.dumps(answers))
"""
NAME = "org/galaxies"


@pytest.fixture
def server() -> Iterator[HubStandIn]:
    with hub_standin() as server:
        yield server


def ask(
    server: HubStandIn, home: Path, *names: str, mode: str = "online", token: str | None = None
) -> list[dict]:
    """What opening some names gives, in a fresh process. `home/hf` is the Hub's home."""
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(home / "cache"), mode, *names],
        capture_output=True,
        text=True,
        env=server.environment(home / "hf", token),
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return json.loads(done.stdout.splitlines()[-1])


def files(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def captions(first: int, count: int) -> list[str]:
    return [str(row["caption"]) for row in rows(first, count)]


def test_a_dataset_is_fetched_and_converted_once(server: HubStandIn, tmp_path: Path) -> None:
    given = files(write_parquet(tmp_path / "made", train=rows(0, 4), validation=rows(4, 2)))
    others = {"model.bin": b"pickle", "convert.py": b"import os", "README.md": b"# Galaxies\n"}
    commit = server.put(NAME, given | others, kind="dataset")
    (found,) = ask(server, tmp_path, NAME)
    assert found["captions"] == {"train": captions(0, 4), "validation": captions(4, 2)}
    assert found["origin"] == {"name": NAME, "revision": commit}
    assert found["imported"] and not found["failures"] and found["mission"] == "org--galaxies"
    fetched = {path.name for path in (tmp_path / "hf").rglob("snapshots/*/**/*") if path.is_file()}
    assert fetched == {Path(name).name for name in given} | {"README.md"}

    server.log.clear()
    (again,) = ask(server, tmp_path, NAME)
    assert again == found | {"imported": False}
    assert server.log == [f"GET /api/datasets/{NAME}"]
    server.log.clear()
    offline = ask(server, tmp_path, NAME, mode="offline")
    assert offline == [again] and server.log == []


def test_a_new_commit_is_converted_anew(server: HubStandIn, tmp_path: Path) -> None:
    first = server.put(
        NAME, files(write_parquet(tmp_path / "one", train=rows(0, 3))), kind="dataset"
    )
    (found,) = ask(server, tmp_path, NAME)
    second = server.put(
        NAME, files(write_parquet(tmp_path / "two", train=rows(0, 5))), kind="dataset"
    )
    later, pinned, tag = ask(server, tmp_path, NAME, f"{NAME}@{first}", f"{NAME}@main")
    assert later["folder"] == found["folder"] and later["captions"]["train"] == captions(0, 5)
    assert later["origin"]["revision"] == second
    assert pinned["captions"] == found["captions"]
    assert pinned["origin"] == {"name": f"{NAME}@{first}", "revision": first}
    assert tag["captions"] == later["captions"]

    server.log.clear()
    assert ask(server, tmp_path, f"{NAME}@{first}")[0]["captions"] == found["captions"]
    assert server.log == [], "a commit never changes"


def test_offline_takes_what_is_in_the_hubs_cache(server: HubStandIn, tmp_path: Path) -> None:
    commit = server.put(
        NAME, files(write_parquet(tmp_path / "made", train=rows(0, 3))), kind="dataset"
    )
    (missing,) = ask(server, tmp_path, NAME, mode="offline")
    assert missing["error"] == f"{NAME} is not on this machine, and the network may not be used"
    fetch = f"import huggingface_hub as h; h.snapshot_download({NAME!r}, repo_type='dataset')"
    subprocess.run(
        [sys.executable, "-c", fetch],
        env=server.environment(tmp_path / "hf"),
        check=True,
        capture_output=True,
    )
    server.log.clear()
    for name in (NAME, f"{NAME}@{commit}"):
        (found,) = ask(server, tmp_path, name, mode="offline")
        assert found["captions"]["train"] == captions(0, 3)
        assert found["origin"]["revision"] == commit
    assert server.log == []
    assert ask(server, tmp_path, NAME)[0]["imported"], "online, it is compared with the Hub"


def test_pictures_as_files_are_links_into_the_hubs_cache(
    server: HubStandIn, tmp_path: Path
) -> None:
    folder = write_image_folder(tmp_path / "made", rows(0, 3))
    server.put(NAME, files(folder), kind="dataset")
    (found,) = ask(server, tmp_path, NAME)
    assert found["captions"] == {"train": captions(0, 3)} and not found["failures"]


def test_an_image_elsewhere_is_not_read(server: HubStandIn, tmp_path: Path) -> None:
    private = tmp_path / "private.png"
    private.write_bytes(encoded(picture(1)))
    members = [
        *rows(0, 3),
        {"image": {"bytes": None, "path": str(private)}, "caption": "a", "source": "b"},
        {"image": {"bytes": None, "path": f"{server.url}/x.png"}, "caption": "a", "source": "b"},
    ]
    server.put(NAME, files(write_parquet(tmp_path / "made", train=members)), kind="dataset")
    (found,) = ask(server, tmp_path, NAME)
    assert found["captions"]["train"] == captions(0, 3)
    assert found["failures"] == [
        "a file outside the dataset",
        "an address instead of an image of the dataset",
    ]
    assert not [line for line in server.log if line.endswith("x.png")]


def test_what_the_hub_refuses_is_one_line(server: HubStandIn, tmp_path: Path) -> None:
    given = files(write_parquet(tmp_path / "made", train=rows(0, 2)))
    server.put(NAME, given, kind="dataset")
    server.put("org/script", {"script.py": b"1", "README.md": b""}, kind="dataset")
    server.put("org/terms", given, kind="dataset", gated=True)
    server.put("org/secret", given, kind="dataset", private=True)
    server.put("org/text", {"README.md": b"# nothing\n"}, kind="dataset")
    asked = ("org/none", f"{NAME}@nothing", "org/script", "org/terms", "org/secret", "org/text")
    said = [answer["error"] for answer in ask(server, tmp_path, *asked)]
    assert said[:5] == [
        "org/none: no such folder, and no such dataset on the Hub",
        f"{NAME} on the Hub has no revision 'nothing'",
        "org/script has a loading script (script.py), which is a program and is not run",
        "org/terms: its licence must be accepted first",
        "org/secret: no such folder, and no such dataset on the Hub",
    ]
    assert said[5].startswith("org/text cannot be read as a dataset: ")
    assert str(tmp_path) not in said[5]
    (mine,) = ask(server, tmp_path, "org/secret", token=WRITER)
    assert mine["captions"]["train"] == captions(0, 2)


def test_a_hub_that_fails_is_not_taken_for_what_was_converted(
    server: HubStandIn, tmp_path: Path
) -> None:
    given = files(write_parquet(tmp_path / "made", train=rows(0, 2)))
    server.put(NAME, given, kind="dataset")
    ask(server, tmp_path, NAME)
    server.faults.append({"on": "GET /api/datasets", "do": "status", "status": 500})
    (failed,) = ask(server, tmp_path, NAME)
    assert failed["error"].startswith(f"{NAME} could not be downloaded: ")
    assert "--offline" in failed["hint"]


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("org/name", HubDataset("org/name", None)),
        ("org/name@main", HubDataset("org/name", "main")),
        ("org/name@refs/convert/parquet", HubDataset("org/name", "refs/convert/parquet")),
        *[
            (name, None)
            for name in ("name", "../name", "/org/name", "a/b/c", "org/name@", "a/../b")
        ],
        *[(name, None) for name in ("org/name@../x", "org/na me", "https://x/y", "~/data", "./x")],
    ],
)
def test_names_of_the_hub(name: str, found: HubDataset | None) -> None:
    assert parse(name) == found
    commit = "0" * 39 + "a"
    assert (
        HubDataset("org/name", commit).commit == commit and HubDataset("o/n", "main").commit is None
    )
