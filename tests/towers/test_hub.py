"""Models from a stand-in for the Hub, through the real client in a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load, save

from paperclip_cli.towers import hub, weights
from paperclip_cli.towers.folder import ModelFolder
from paperclip_cli.workspace import Workspace
from tests.clip_models import write_model
from tests.standin.hub import HubStandIn, environment, hub_standin

COMMIT = "a" * 40
# Resolves names one after the other, and prints the result of each.
SCRIPT = """
import json, sys
from pathlib import Path
from paperclip_cli.errors import PaperclipError
from paperclip_cli.towers.folder import resolve
from paperclip_cli.workspace import Workspace
workspace = Workspace(Path(sys.argv[1]), offline=sys.argv[2] == "offline")
answers = []
for name in sys.argv[3:]:
    try:
        answers.append({"path": str(resolve(name, workspace).path)})
    except PaperclipError as error:
        answers.append({"error": error.message, "hint": error.hint})
print(json.dumps(answers))
"""


@pytest.fixture
def server() -> Iterator[HubStandIn]:
    with hub_standin() as server:
        yield server


@pytest.fixture(scope="module")
def model_files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    folder = write_model(tmp_path_factory.mktemp("models") / "tiny").path
    return {file.name: file.read_bytes() for file in folder.iterdir()}


def ask(server: HubStandIn | None, home: Path, *names: str, mode: str = "online") -> list[dict]:
    """The answers of `resolve` to some names, in a fresh process.

    `home` is the Hub's home, and `home/cache` is ours. Without `server` nothing answers.
    """
    variables = environment(server.url if server else "http://127.0.0.1:9", home / "hf")
    command = [sys.executable, "-c", SCRIPT, str(home / "cache"), mode, *names]
    done = subprocess.run(command, capture_output=True, text=True, env=variables, timeout=120)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_a_model_is_fetched_once_and_nothing_that_could_run(
    server: HubStandIn, model_files: dict[str, bytes], tmp_path: Path
) -> None:
    dangerous = {
        "pytorch_model.bin": b"pickle",
        "modeling.py": b"import os",
        "onnx/model.onnx": b"x",
        "sub/config.json": b"{}",
    }
    server.put("org/clip", model_files | dangerous)
    first, again = ask(server, tmp_path, "org/clip", "org/clip")
    folder = tmp_path / "cache" / "hub" / "org--clip"
    assert first == again == {"path": str(folder)}
    wanted = set(model_files) - {"README.md", "manifest.json"}
    assert {file.name for file in folder.iterdir() if file.is_file()} == wanted
    assert all((folder / name).read_bytes() == model_files[name] for name in wanted)
    downloads = [line.rpartition("/")[2] for line in server.asked("HEAD /org/clip/resolve/")]
    assert sorted(downloads) == sorted(wanted)
    server.log.clear()
    assert ask(server, tmp_path, "org/clip", mode="offline") == [first]
    assert server.log == []


def test_revisions_lie_apart(
    server: HubStandIn, model_files: dict[str, bytes], tmp_path: Path
) -> None:
    server.put("org/clip", {"config.json": model_files["config.json"]})
    server.put("org/clip", model_files, ref="refs/pr/7")
    found, wrong = ask(server, tmp_path, "org/clip@refs/pr/7", "org/clip@v9")
    assert found == {"path": str(tmp_path / "cache" / "hub" / "org--clip@refs--pr--7")}
    assert wrong["error"] == "org/clip on the Hub has no revision 'v9'"


def test_a_model_without_safetensors_is_told_with_the_revision_that_has_them(
    server: HubStandIn, model_files: dict[str, bytes], tmp_path: Path
) -> None:
    pickled = {
        file: data for file, data in model_files.items() if not file.endswith(".safetensors")
    } | {"pytorch_model.bin": b"x"}
    server.put("org/converted", pickled)
    server.put("org/plain", pickled)
    server.offer_conversion("org/converted", 7)
    converted, plain = ask(server, tmp_path, "org/converted", "org/plain")
    assert converted == {
        "error": "org/converted on the Hub has no model.safetensors",
        "hint": "only safetensors are read; try org/converted@refs/pr/7",
    }
    assert plain["error"] == "org/plain on the Hub has no model.safetensors"
    assert "org/plain@refs/pr/N" in plain["hint"]
    assert "it has pytorch_model.bin: " in plain["hint"] and "CLIPModel" in plain["hint"]
    assert plain["hint"].endswith(" org/plain ./plain")
    assert not any("pytorch_model" in line for line in server.log)


def test_what_the_hub_refuses_is_one_clear_line(server: HubStandIn, tmp_path: Path) -> None:
    server.put("org/gated", {"config.json": b"{}"}, gated=True)
    missing, gated = ask(server, tmp_path, "org/missing", "org/gated")
    assert missing["error"] == "org/missing: no such folder, and no such model on the Hub"
    assert gated["error"] == "org/gated: its licence must be accepted first"
    for answer, name in ((missing, "org--missing"), (gated, "org--gated")):
        assert str(tmp_path / "cache" / "hub" / name) in answer["hint"]


def test_without_network_the_file_and_its_folder_are_named(
    model_files: dict[str, bytes], tmp_path: Path
) -> None:
    folder = tmp_path / "cache" / "hub" / "org--clip"
    (offline,) = ask(None, tmp_path, "org/clip", mode="offline")
    missing = "org/clip: config.json is not on this machine, and the network may not be used"
    assert offline["error"] == missing
    assert str(folder) in offline["hint"]
    (unreachable,) = ask(None, tmp_path, "org/clip")
    assert unreachable["error"].startswith("org/clip could not be downloaded: ")
    assert str(folder) in unreachable["hint"]

    folder.mkdir(parents=True)
    for name, data in model_files.items():
        (folder / name).write_bytes(data)
    assert ask(None, tmp_path, "org/clip", mode="offline") == [{"path": str(folder)}]


def test_a_copy_in_the_hubs_own_cache_is_used(
    model_files: dict[str, bytes], tmp_path: Path
) -> None:
    place = tmp_path / "hf" / "hub" / "models--org--clip"
    snapshot = place / "snapshots" / COMMIT
    snapshot.mkdir(parents=True)
    (place / "refs").mkdir()
    (place / "refs" / "main").write_text(COMMIT)
    for name, data in model_files.items():
        (snapshot / name).write_bytes(data)
    assert ask(None, tmp_path, "org/clip", mode="offline") == [{"path": str(snapshot)}]


LEAN = ("config.json", "model.safetensors", "tokenizer.json")
OWN = (*LEAN, "preprocessor_config.json", "paperclip.json")
# What another program does: it fetches some files of a model into the Hub's own cache.
FETCH = """
import sys
from huggingface_hub import snapshot_download
snapshot_download(sys.argv[1], allow_patterns=sys.argv[2:])
"""


def fetched_by_others(server: HubStandIn, home: Path, name: str, *files: str) -> Path:
    """The snapshot with these files in the Hub's own cache, and the list of all that there is."""
    variables = environment(server.url, home / "hf")
    command = [sys.executable, "-c", FETCH, name, *files]
    subprocess.run(command, check=True, capture_output=True, env=variables, timeout=120)
    place = home / "hf" / "hub" / f"models--{name.replace('/', '--')}"
    (snapshot,) = (place / "snapshots").iterdir()
    assert (place / "trees" / f"{snapshot.name}.json").is_file(), "the client keeps no list"
    return snapshot


@pytest.mark.parametrize("mode", ["offline", "online"])
def test_a_copy_without_the_files_that_nobody_needs_is_whole(
    server: HubStandIn, model_files: dict[str, bytes], tmp_path: Path, mode: str
) -> None:
    """Such as a card, weights in other formats, and the old files of a tokenizer."""
    server.put("org/clip", model_files | {"pytorch_model.bin": b"x", "onnx/model.onnx": b"x"})
    snapshot = fetched_by_others(server, tmp_path, "org/clip", *OWN)
    assert {file.name for file in snapshot.iterdir()} == {*OWN}
    server.log.clear()
    assert ask(server, tmp_path, "org/clip", mode=mode) == [{"path": str(snapshot)}]
    assert ask(server, tmp_path, f"org/clip@{snapshot.name}", mode=mode) == [
        {"path": str(snapshot)}
    ]
    assert server.log == []


def test_a_processor_of_transformers_5_needs_no_older_file(
    server: HubStandIn, model_files: dict[str, bytes], tmp_path: Path
) -> None:
    values = json.loads(model_files["preprocessor_config.json"])
    both = {"processor_config.json": json.dumps({"image_processor": values}).encode()}
    server.put("org/clip", model_files | both)
    new = (*LEAN, "processor_config.json", "paperclip.json")
    snapshot = fetched_by_others(server, tmp_path, "org/clip", *new)
    assert ask(server, tmp_path, "org/clip", mode="offline") == [{"path": str(snapshot)}]


@pytest.mark.parametrize("absent", ["preprocessor_config.json", "paperclip.json"])
def test_a_copy_without_a_file_that_changes_an_embedding_is_another_model(
    server: HubStandIn, model_files: dict[str, bytes], tmp_path: Path, absent: str
) -> None:
    server.put("org/clip", model_files)
    some = [name for name in OWN if name != absent]
    fetched_by_others(server, tmp_path, "org/clip", *some)
    (offline,) = ask(server, tmp_path, "org/clip", mode="offline")
    assert offline["error"].startswith(f"org/clip: {absent} is not on this machine")
    (online,) = ask(server, tmp_path, "org/clip")
    assert (Path(online["path"]) / absent).is_file()


def test_shards_are_fetched_and_found(
    server: HubStandIn, model_files: dict[str, bytes], tmp_path: Path
) -> None:
    files = {name: data for name, data in model_files.items() if name != "model.safetensors"}
    shards = split(load(model_files["model.safetensors"]))
    index = {"weight_map": {name: file for file, part in shards.items() for name in part}}
    whole = files | {file: save(part) for file, part in shards.items()}
    whole["model.safetensors.index.json"] = json.dumps(index).encode()
    server.put("org/large", whole | {"pytorch_model-00001-of-00002.bin": b"x"})
    (found,) = ask(server, tmp_path, "org/large")
    folder = tmp_path / "cache" / "hub" / "org--large"
    assert found == {"path": str(folder)}
    wanted = {*whole} - {"README.md", "manifest.json"}
    assert {file.name for file in folder.iterdir() if file.is_file()} == wanted
    weights.load(ModelFolder.open(folder))
    assert ask(server, tmp_path, "org/large", mode="offline") == [found]

    folder.rename(tmp_path / "aside")
    snapshot = fetched_by_others(server, tmp_path, "org/large", *wanted)
    assert ask(server, tmp_path, "org/large", mode="offline") == [{"path": str(snapshot)}]
    (snapshot / "model-00002-of-00002.safetensors").unlink()
    (offline,) = ask(server, tmp_path, "org/large", mode="offline")
    assert "org/large: model-00002-of-00002.safetensors is not" in offline["error"]


LANGUAGE = """
import sys
from pathlib import Path
from paperclip_cli.summaries.llm.model_files import gguf_file, language_folder
from paperclip_cli.workspace import Workspace
workspace = Workspace(Path(sys.argv[1]), offline=True)
print(language_folder("org/words", workspace))
print(gguf_file("org/words:small.gguf", workspace))
"""


def test_a_language_model_fetched_by_others_is_whole_without_unused_files(
    server: HubStandIn, tmp_path: Path
) -> None:
    used = ("config.json", "tokenizer.json", "tokenizer_config.json", "model.safetensors")
    unused = ("onnx/config.json", "original/model.safetensors", "merges.txt", "large.gguf")
    server.put("org/words", dict.fromkeys((*used, "small.gguf", *unused), b"{}"))
    snapshot = fetched_by_others(server, tmp_path, "org/words", *used, "small.gguf")
    variables = environment("http://127.0.0.1:9", tmp_path / "hf")
    command = [sys.executable, "-c", LANGUAGE, str(tmp_path / "cache")]
    done = subprocess.run(command, capture_output=True, text=True, env=variables, timeout=120)
    assert done.stdout.split() == [str(snapshot), str(snapshot / "small.gguf")], done.stderr

    (snapshot / "tokenizer_config.json").unlink()  # it may hold the template of a chat
    done = subprocess.run(command, capture_output=True, text=True, env=variables, timeout=120)
    assert "org/words: tokenizer_config.json is not on this machine" in done.stderr


def split(tensors: dict[str, np.ndarray]) -> dict[str, dict[str, np.ndarray]]:
    names = sorted(tensors)
    halves = names[::2], names[1::2]
    return {
        f"model-0000{number}-of-00002.safetensors": {name: tensors[name] for name in half}
        for number, half in enumerate(halves, start=1)
    }


def test_an_index_of_shards_leads_nowhere_else(
    server: HubStandIn, model_files: dict[str, bytes], tmp_path: Path
) -> None:
    files = {name: data for name, data in model_files.items() if name != "model.safetensors"}
    files["model.safetensors.index.json"] = b'{"weight_map": {"a": "../../x.safetensors"}}'
    server.put("org/hostile", files)
    (found,) = ask(server, tmp_path, "org/hostile")
    assert "'../../x.safetensors' is not the name of a file beside it" in found["error"]


@pytest.mark.parametrize(
    ("name", "is_one"),
    [
        ("openai/clip-vit-base-patch16", True),
        ("org/name@main", True),
        ("org/name@refs/pr/4", True),
        ("name", False),
        ("a/b/c", False),
        ("../x", False),
        ("org/..", False),
        ("org/name@../../x", False),
        ("org/name@a//b", False),
        ("/org/name", False),
        ("org/name@", False),
        ("", False),
    ],
)
def test_what_has_the_form_of_a_hub_name(name: str, is_one: bool, tmp_path: Path) -> None:
    assert hub.is_name(name) is is_one
    if is_one:
        assert hub.folder_of(name, Workspace(tmp_path)).parent == tmp_path / "hub"
