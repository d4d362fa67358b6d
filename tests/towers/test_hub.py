"""Models from a stand-in for the Hub, through the real client in a process of its own."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from paperclip_cli.towers import hub
from paperclip_cli.workspace import Workspace
from tests.clip_models import write_model

COMMIT, PULL_REQUEST = "a" * 40, "b" * 40
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


class StandIn(ThreadingHTTPServer):
    """The few answers of huggingface.co that a download needs.

    `files` holds the files of each commit of a repository.
    """

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answer)
        self.files: dict[tuple[str, str], dict[str, bytes]] = {}
        self.pull_requests: dict[str, int] = {}
        self.gated: set[str] = set()
        self.asked: list[str] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Answer(BaseHTTPRequestHandler):
    server: StandIn
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        path = unquote(urlsplit(self.path).path)
        self.server.asked.append(f"{self.command} {path}")
        parts = path.strip("/").split("/")
        if parts[:2] == ["api", "models"]:
            self._tell("/".join(parts[2:4]), parts[4:])
        elif parts[2:3] == ["resolve"]:
            self._give("/".join(parts[:2]), parts[3], "/".join(parts[4:]))
        else:
            self._refuse(404, "EntryNotFound")

    do_HEAD = do_GET

    def _tell(self, repository: str, rest: list[str]) -> None:
        commit = PULL_REQUEST if "refs/pr/7" in "/".join(rest) or PULL_REQUEST in rest else COMMIT
        files = self.server.files.get((repository, commit))
        if rest[:1] == ["discussions"]:
            number = self.server.pull_requests.get(repository)
            offer = {
                "num": number,
                "title": "Adding `safetensors` variant of this model",
                "author": {"name": "SFconvertbot"},
                "createdAt": "2023-03-01T00:00:00.000Z",
                "status": "open",
                "isPullRequest": True,
                "repo": {"name": repository, "type": "model"},
            }
            found = [] if number is None else [offer]
            self._send(json.dumps({"discussions": found, "count": len(found), "start": 0}).encode())
        elif repository in self.server.gated:
            self._refuse(403, "GatedRepo")
        elif files is None:
            self._refuse(404, "RepoNotFound")
        elif rest[:1] == ["revision"] and rest[1] not in ("main", "refs", COMMIT, PULL_REQUEST):
            self._refuse(404, "RevisionNotFound")
        elif rest[:1] == ["tree"]:
            self._send(
                json.dumps(
                    [
                        {
                            "type": "file",
                            "path": name,
                            "size": len(data),
                            "oid": hashlib.sha1(data).hexdigest(),
                        }
                        for name, data in files.items()
                    ]
                ).encode()
            )
        else:
            self._send(
                json.dumps(
                    {
                        "id": repository,
                        "sha": commit,
                        "siblings": [{"rfilename": name} for name in files],
                    }
                ).encode()
            )

    def _give(self, repository: str, commit: str, name: str) -> None:
        data = self.server.files.get((repository, commit), {}).get(name)
        if data is None:
            self._refuse(404, "EntryNotFound")
        else:
            self._send(
                data,
                {
                    "ETag": f'"{hashlib.sha1(data).hexdigest()}"',
                    "X-Repo-Commit": commit,
                    "Accept-Ranges": "bytes",
                },
            )

    def _refuse(self, status: int, code: str) -> None:
        self._send(b"{}", {"X-Error-Code": code, "X-Error-Message": code}, status)

    def _send(self, data: bytes, headers: dict[str, str] | None = None, status: int = 200) -> None:
        self.send_response(status)
        for name, value in {
            "Content-Type": "application/json",
            "Content-Length": str(len(data)),
            **(headers or {}),
        }.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(data)

    def log_message(self, format: str, *args: object) -> None:
        return None


@pytest.fixture
def server() -> Iterator[StandIn]:
    server = StandIn()
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(scope="module")
def model_files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    folder = write_model(tmp_path_factory.mktemp("models") / "tiny").path
    return {file.name: file.read_bytes() for file in folder.iterdir()}


def ask(url: str, home: Path, *names: str, mode: str = "online") -> list[dict[str, str]]:
    """The answers of `resolve` to some names, in a fresh process.

    `home` is the Hub's home, and `home/cache` is ours.
    """
    environment = {name: value for name, value in os.environ.items() if not name.startswith("HF_")}
    environment |= {
        "HF_ENDPOINT": url,
        "HF_HOME": str(home / "hf"),
        "HF_HUB_DISABLE_XET": "1",
        "HF_HUB_ETAG_TIMEOUT": "2",
    }
    command = [sys.executable, "-c", SCRIPT, str(home / "cache"), mode, *names]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=120)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_a_model_is_fetched_once_and_nothing_that_could_run(
    server: StandIn, model_files: dict[str, bytes], tmp_path: Path
) -> None:
    dangerous = {
        "pytorch_model.bin": b"pickle",
        "modeling.py": b"import os",
        "onnx/model.onnx": b"x",
        "sub/config.json": b"{}",
    }
    server.files["org/clip", COMMIT] = model_files | dangerous
    first, again = ask(server.url, tmp_path, "org/clip", "org/clip")
    folder = tmp_path / "cache" / "hub" / "org--clip"
    assert first == again == {"path": str(folder)}
    wanted = set(model_files) - {"README.md", "manifest.json"}
    assert {file.name for file in folder.iterdir() if file.is_file()} == wanted
    assert all((folder / name).read_bytes() == model_files[name] for name in wanted)
    downloads = [
        line.rpartition("/")[2]
        for line in server.asked
        if line.startswith("GET") and "/resolve/" in line
    ]
    assert sorted(downloads) == sorted(wanted)
    server.asked.clear()
    assert ask(server.url, tmp_path, "org/clip", mode="offline") == [first]
    assert server.asked == []


def test_revisions_lie_apart(
    server: StandIn, model_files: dict[str, bytes], tmp_path: Path
) -> None:
    server.files["org/clip", PULL_REQUEST] = model_files
    server.files["org/clip", COMMIT] = {"config.json": model_files["config.json"]}
    found, wrong = ask(server.url, tmp_path, "org/clip@refs/pr/7", "org/clip@v9")
    assert found == {"path": str(tmp_path / "cache" / "hub" / "org--clip@refs--pr--7")}
    assert wrong["error"] == "org/clip on the Hub has no revision 'v9'"


def test_a_model_without_safetensors_is_told_with_the_revision_that_has_them(
    server: StandIn, model_files: dict[str, bytes], tmp_path: Path
) -> None:
    pickled = {
        file: data for file, data in model_files.items() if not file.endswith(".safetensors")
    } | {"pytorch_model.bin": b"x"}
    server.files["org/converted", COMMIT] = server.files["org/plain", COMMIT] = pickled
    server.pull_requests["org/converted"] = 7
    converted, plain = ask(server.url, tmp_path, "org/converted", "org/plain")
    assert converted == {
        "error": "org/converted on the Hub has no model.safetensors",
        "hint": "only safetensors are read; try org/converted@refs/pr/7",
    }
    assert plain["error"] == "org/plain on the Hub has no model.safetensors"
    assert "org/plain@refs/pr/N" in plain["hint"]
    assert not any("pytorch_model" in line for line in server.asked)


def test_what_the_hub_refuses_is_one_clear_line(server: StandIn, tmp_path: Path) -> None:
    server.gated.add("org/gated")
    missing, gated = ask(server.url, tmp_path, "org/missing", "org/gated")
    assert missing["error"] == "org/missing: no such folder, and no such model on the Hub"
    assert gated["error"] == "org/gated: its licence must be accepted first"
    for answer, name in ((missing, "org--missing"), (gated, "org--gated")):
        assert str(tmp_path / "cache" / "hub" / name) in answer["hint"]


def test_without_network_the_file_and_its_folder_are_named(
    model_files: dict[str, bytes], tmp_path: Path
) -> None:
    nowhere = "http://127.0.0.1:9"
    folder = tmp_path / "cache" / "hub" / "org--clip"
    (offline,) = ask(nowhere, tmp_path, "org/clip", mode="offline")
    missing = "org/clip: config.json is not on this machine, and the network may not be used"
    assert offline["error"] == missing
    assert str(folder) in offline["hint"]
    (unreachable,) = ask(nowhere, tmp_path, "org/clip")
    assert unreachable["error"].startswith("org/clip could not be downloaded: ")
    assert str(folder) in unreachable["hint"]

    folder.mkdir(parents=True)
    for name, data in model_files.items():
        (folder / name).write_bytes(data)
    assert ask(nowhere, tmp_path, "org/clip", mode="offline") == [{"path": str(folder)}]


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
    assert ask("http://127.0.0.1:9", tmp_path, "org/clip", mode="offline") == [
        {"path": str(snapshot)}
    ]


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
