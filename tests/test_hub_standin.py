"""The stand-in of the Hub, as the real clients see it, each in a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.standin.hub import READER, WRITER, HubStandIn, git_sha1, hub_standin, sha256

LARGE = bytes(range(256)) * 40


@pytest.fixture(scope="module")
def server() -> Iterator[HubStandIn]:
    with hub_standin() as server:
        yield server


def client(server: HubStandIn, home: Path, code: str, token: str | None = None) -> object:
    """What `answer` is at the end of the code, in a process with the Hub's client as `hub`."""
    script = (
        "import json, sys, warnings\nfrom pathlib import Path\nimport huggingface_hub as hub\n"
        f"from huggingface_hub import errors\nhere = Path(sys.argv[1])\n{code}\n"
        "print(json.dumps(answer))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(home)],
        capture_output=True,
        text=True,
        env=server.environment(home / "hf", token),
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_what_is_uploaded_is_found_again(server: HubStandIn, tmp_path: Path) -> None:
    code = """
(here / "up/data").mkdir(parents=True)
(here / "up/model.safetensors").write_bytes(bytes(range(256)) * 40)
(here / "up/README.md").write_text("---\\nlicense: mit\\n---\\n# A test\\n")
(here / "up/data/a.json").write_text("{}")
hub.create_repo("org/new")
first = hub.upload_folder(repo_id="org/new", folder_path=here / "up").oid
again = hub.upload_folder(repo_id="org/new", folder_path=here / "up").oid
(here / "up/data/a.json").write_text("{ }")
later = hub.upload_folder(repo_id="org/new", folder_path=here / "up").oid
info = hub.model_info("org/new", files_metadata=True)
tree = {entry.path: getattr(entry, "size", None)
        for entry in hub.list_repo_tree("org/new", recursive=True)}
old = Path(hub.snapshot_download("org/new", revision=first, local_dir=here / "old"))
new = Path(hub.snapshot_download("org/new", local_dir=here / "new"))
answer = {
    "again": again == first, "later": later != first, "sha": info.sha == later,
    "license": info.card_data.license,
    "files": {file.rfilename: file.size for file in info.siblings}, "tree": tree,
    "lfs": [file.lfs.sha256 for file in info.siblings if file.lfs],
    "paths": [one.path for one in hub.get_paths_info("org/new", ["data", "README.md", "none"])],
    "old": (old / "data/a.json").read_text(), "new": (new / "data/a.json").read_text(),
    "refs": [ref.target_commit == later for ref in hub.list_repo_refs("org/new").branches],
    "who": hub.whoami()["name"],
}
"""
    found = client(server, tmp_path, code, WRITER)
    files = {"model.safetensors": len(LARGE), "README.md": 30, "data/a.json": 3}
    assert isinstance(found, dict)
    assert found["files"].pop(".gitattributes") == found["tree"].pop(".gitattributes") > 0
    assert found == {
        **dict.fromkeys(("again", "later", "sha"), True),
        "license": "mit",
        "files": files,
        "tree": {**files, "data": None},
        "lfs": [sha256(LARGE)],
        "paths": ["data", "README.md"],
        "old": "{}",
        "new": "{ }",
        "refs": [True],
        "who": "org",
    }
    uploads = server.asked("PUT /lfs/")
    assert uploads == [f"PUT /lfs/{sha256(LARGE)}"], "the same content is uploaded once"
    assert (tmp_path / "new/model.safetensors").read_bytes() == LARGE
    told = [line for line in server.with_token if line.startswith("localhost")]
    assert not told, "no token goes to the place of large files"


def test_refusals_have_the_clients_own_errors(server: HubStandIn, tmp_path: Path) -> None:
    server.put("org/gated", {"config.json": b"{}"}, gated=True)
    server.put("org/private", {"config.json": b"{}"}, kind="dataset", private=True)
    code = """
def error(function, *given, **named):
    try:
        function(*given, **named)
    except Exception as found:
        return type(found).__name__
answer = [
    error(hub.model_info, "org/none"),
    error(hub.dataset_info, "org/private"),
    error(hub.model_info, "org/gated"),
    error(hub.model_info, "org/gated", revision="v9"),
    error(hub.hf_hub_download, "org/gated", "config.json"),
    error(hub.create_repo, "org/other"),
]
"""
    missing, revision = "RepositoryNotFoundError", "RevisionNotFoundError"
    gated, refused = "GatedRepoError", "HfHubHTTPError"
    strangers = [missing, missing, None, revision, gated, refused]
    assert client(server, tmp_path / "reader", code, READER) == strangers
    assert client(server, tmp_path, code, WRITER) == [missing, None, None, revision, None, None]
    assert client(server, tmp_path / "wrong", code, "hf_wrong") == [refused] * 6


def test_faults_and_pages(server: HubStandIn, tmp_path: Path) -> None:
    files = {f"data/{number:03d}.bin": LARGE + b"%d" % number for number in range(25)}
    commit = server.put("org/many", files, kind="dataset")
    code = """
listed = [one.path for one in hub.list_repo_tree("org/many", repo_type="dataset", recursive=True)]
files = hub.snapshot_download("org/many", repo_type="dataset", local_dir=here / "many")
answer = [listed, hub.dataset_info("org/many").sha]
"""
    server.page_size = 10
    server.faults = [
        {"on": "GET /cdn/", "do": "cut", "after": 1000, "times": 1},
        {"on": "GET /cdn/", "do": "status", "status": 429, "times": 1},
    ]
    try:
        found = client(server, tmp_path, code)
    finally:
        server.page_size, server.faults = 1000, []
    assert found == [["data", *files], commit]
    assert {path: (tmp_path / "many" / path).read_bytes() for path in files} == files


def test_load_dataset_reads_parquet_of_the_hub(server: HubStandIn, tmp_path: Path) -> None:
    card = (
        "---\nconfigs:\n- config_name: default\n  data_files:\n"
        "  - split: train\n    path: data/train-*.parquet\n"
        "  - split: validation\n    path: data/validation-*.parquet\n---\n# Pairs\n"
    )
    files = {"README.md": card.encode(), "manifest.json": b"{}"}
    for split, captions in {"train": ["a", "b", "c"], "validation": ["d"]}.items():
        place = tmp_path / f"{split}.parquet"
        pq.write_table(pa.table({"caption": captions}), place)
        files[f"data/{split}-00000.parquet"] = place.read_bytes()
    commit = server.put("org/pairs", files, kind="dataset")
    server.put("org/pairs", {"README.md": b"moved\n"}, kind="dataset")
    code = f"""
import datasets
found = datasets.load_dataset("org/pairs", revision="{commit}")
streamed = datasets.load_dataset("org/pairs", revision="{commit}", split="validation",
                                 streaming=True)
answer = [{{split: rows["caption"][:] for split, rows in found.items()}},
          [row["caption"] for row in streamed]]
"""
    assert client(server, tmp_path, code) == [
        {"train": ["a", "b", "c"], "validation": ["d"]},
        ["d"],
    ]


def test_names_of_content_are_gits() -> None:
    assert git_sha1(b"") == "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391"
