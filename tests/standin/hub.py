"""A stand-in for the Hugging Face Hub, in a thread of the test.

The real client talks to it: `environment(url, home)` is what a process needs for that, since the
client reads `HF_ENDPOINT` when it is imported; `the_hub` does the same for this process. The server
knows models and datasets: creating repositories, commits (also of large files), what a repository
holds at a revision, and the files themselves. Content is addressed by its hash, and so are commits:
what a revision holds never changes.

`hub.faults` is a list of `{"on": part of "METHOD path", "do": kind, "times": how often, ...}`, and
`hub.log` has the requests. Kinds are `status` (with `status` and `headers`), `silent` (for
`seconds`), and for a file `cut` (`after` bytes), `tamper` and `slow`. Tokens are `hf_writer` (of
the user `org`) and `hf_reader`.
"""

from __future__ import annotations

import base64
import hashlib
import json
import math
import os
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path, PurePosixPath
from urllib.parse import parse_qs, unquote, urlsplit

import pytest
import yaml

from tests.standin.running import running

WRITER, READER = "hf_writer", "hf_reader"
USERS = {WRITER: "org", READER: "reader"}
DATE = "2026-01-02T03:04:05.000Z"
# Such files are stored apart, as the Hub's default .gitattributes has it, and so are large ones.
_LARGE_NAMES = (".bin", ".gguf", ".npy", ".parquet", ".pt", ".safetensors", ".zip")
_LARGE = 10 * 2**20
Files = Mapping[str, bytes]


def git_sha1(data: bytes) -> str:
    """The name that git gives to a file with this content."""
    return hashlib.sha1(b"blob %d\0%b" % (len(data), data)).hexdigest()


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def is_large(path: str, size: int) -> bool:
    return size > 0 and (path.endswith(_LARGE_NAMES) or size > _LARGE)


@dataclass
class Repository:
    """A repository: `commits` are files by path, and `refs` names of commits."""

    kind: str
    name: str
    private: bool = False
    gated: bool = False
    commits: dict[str, dict[str, bytes]] = field(default_factory=dict)
    titles: dict[str, str] = field(default_factory=dict)
    refs: dict[str, str] = field(default_factory=dict)
    discussions: list[dict] = field(default_factory=list)

    def commit(
        self, files: Files, title: str = "A commit", ref: str = "main", parent: str | None = None
    ) -> str:
        """Makes `files` all that the repository holds, and returns the commit's name."""
        parent = self.refs.get(ref, "") if parent is None else parent
        tree = "".join(f"{path} {sha256(data)}\n" for path, data in sorted(files.items()))
        name = hashlib.sha1(f"{parent}\n{title}\n{tree}".encode()).hexdigest()
        self.commits[name], self.titles[name] = dict(files), title
        self.refs[ref] = name
        return name

    def find(self, revision: str) -> str | None:
        """The commit of a branch, a tag or a commit's name, written in full or begun."""
        if revision in self.refs:
            return self.refs[revision]
        begun = [name for name in self.commits if len(revision) >= 7 and name.startswith(revision)]
        return begun[0] if len(begun) == 1 else None

    @property
    def files(self) -> dict[str, bytes]:
        """What `main` holds."""
        return self.commits[self.refs["main"]]


class HubStandIn(ThreadingHTTPServer):
    """The server. `page_size` is the number of entries of a page of a listing."""

    daemon_threads = True
    request_queue_size = 64

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.lock = threading.Lock()
        self.repositories: dict[tuple[str, str], Repository] = {}
        self.stored: dict[str, bytes] = {}
        self.page_size = 1000
        self.faults: list[dict] = []
        self.log: list[str] = []
        self.ranges: list[str] = []
        self.with_token: list[str] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    @property
    def cdn(self) -> str:
        """Large files lie at another address, to which no token may be sent."""
        return f"http://localhost:{self.server_port}/cdn"

    def put(
        self,
        name: str,
        files: Files,
        kind: str = "model",
        title: str = "A commit",
        ref: str = "main",
        **options: bool,
    ) -> str:
        """Makes a repository hold these files, and returns the commit. `options`: private, gated"""
        repository = self.repositories.setdefault((kind, name), Repository(kind, name))
        for option, value in options.items():
            setattr(repository, option, value)
        return repository.commit(files, title, ref)

    def offer_conversion(self, name: str, number: int) -> None:
        """A pull request of the Hub's own converter, which adds safetensors to a model."""
        offer = {
            "num": number,
            "title": "Adding `safetensors` variant of this model",
            "author": {"name": "SFconvertbot"},
            "createdAt": DATE,
            "status": "open",
            "isPullRequest": True,
            "repo": {"name": name, "type": "model"},
        }
        self.repositories["model", name].discussions.append(offer)

    def environment(self, home: Path, token: str | None = None) -> dict[str, str]:
        """The environment of a process that takes this server for the Hub."""
        return environment(self.url, home, token)

    def asked(self, start: str) -> list[str]:
        """The requests that begin with `start`, in order."""
        return [line for line in self.log if line.startswith(start)]

    def fault(self, what: str) -> dict | None:
        with self.lock:
            for fault in self.faults:
                left = fault.setdefault("times", math.inf)
                if fault["on"] in what and left > 0:
                    fault["times"] = left - 1
                    return fault
        return None

    def handle_error(self, request: object, client_address: object) -> None:
        """Clients that hang up are part of the game."""


class Refused(Exception):
    """An answer that is an error, with the headers by which the client knows which."""

    def __init__(self, status: int, code: str = "", message: str = "") -> None:
        super().__init__(message or code)
        self.status, self.code, self.message = status, code, message or code


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: HubStandIn
    body: bytes
    blocks, pause = 0, 0.0  # bytes sent at once, and seconds after each; 0: all

    def log_message(self, format: str, *args: object) -> None:
        return None

    def do_GET(self) -> None:
        self.body = self._read()
        path = unquote(urlsplit(self.path).path)
        what = f"{self.command} {path}"
        with self.server.lock:
            self.server.log.append(what)
            if "Authorization" in self.headers:
                self.server.with_token.append(f"{self.headers['Host']} {what}")
        fault = self.server.fault(what)
        if fault is not None and fault["do"] in ("status", "silent"):
            getattr(self, "fault_" + fault["do"])(fault)
            return
        try:
            self.answer(fault)
        except Refused as error:
            headers = {"X-Error-Message": error.message}
            headers |= {"X-Error-Code": error.code} if error.code else {}
            self.send({"error": error.message}, error.status, headers)

    do_HEAD = do_POST = do_PUT = do_GET

    def _read(self) -> bytes:
        if self.headers.get("Transfer-Encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))
        body = b""
        while size := int(self.rfile.readline(), 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return body

    def answer(self, fault: dict | None) -> None:
        # Slashes in a revision arrive escaped, so parts are unescaped one by one.
        parts = [unquote(part) for part in urlsplit(self.path).path.strip("/").split("/")]
        match parts:
            case ["api", "whoami-v2"]:
                self.send(self.whoami())
            case ["api", "validate-yaml"]:
                self.validate()
            case ["api", "repos", "create"]:
                self.create()
            case ["api", ("models" | "datasets") as kinds, owner, name, *rest]:
                self.api(self.repository(kinds[:-1], f"{owner}/{name}"), rest)
            case ["cdn", digest]:
                self.give(self.server.stored.get(digest) or self.large(digest), {}, fault)
            case ["lfs", digest]:
                self.store(digest)
            case ["lfs", digest, "verify"]:
                asked = json.loads(self.body)
                held = self.server.stored.get(digest, b"")
                right = (asked["oid"], asked["size"]) == (sha256(held), len(held))
                self.send({}, 200 if right else 422)
            case ["datasets", owner, name, *rest]:
                self.files(self.repository("dataset", f"{owner}/{name}"), rest, fault)
            case [owner, name, *rest]:
                self.files(self.repository("model", f"{owner}/{name}"), rest, fault)
            case _:
                raise Refused(404, "EntryNotFound")

    # Who asks

    @property
    def user(self) -> str | None:
        given = self.headers.get("Authorization", "").removeprefix("Bearer ")
        if not given:
            return None
        if given not in USERS:
            raise Refused(401, "", "Invalid credentials in Authorization header")
        return USERS[given]

    def whoami(self) -> dict:
        if self.user is None:
            raise Refused(401, "", "Invalid username or password.")
        return {"type": "user", "name": self.user, "orgs": [], "auth": {"type": "access_token"}}

    def repository(self, kind: str, name: str) -> Repository:
        name, user = name.removesuffix(".git"), self.user  # a wrong token opens nothing
        found = self.server.repositories.get((kind, name))
        if found is None or (found.private and user != name.split("/")[0]):
            # The Hub does not tell strangers which private repositories exist.
            raise Refused(404 if user else 401, "RepoNotFound", "Repository not found")
        return found

    def check_writer(self, owner: str) -> None:
        if self.user is None:
            raise Refused(401, "", "Invalid username or password.")
        if self.user != owner:
            raise Refused(403, "", f"You don't have the rights to write to the namespace {owner!r}")

    def check_reader(self, repository: Repository) -> None:
        if repository.gated and self.user != repository.name.split("/")[0]:
            status = 403 if self.user else 401
            raise Refused(status, "GatedRepo", f"Access to {repository.name} is restricted")

    # What is asked about a repository

    def api(self, repository: Repository, rest: list[str]) -> None:
        asked = parse_qs(urlsplit(self.path).query)
        match rest:
            case []:
                self.send(self.info(repository, "main", asked))
            case ["revision", revision]:
                self.send(self.info(repository, revision, asked))
            case ["tree", revision, *path]:
                self.tree(repository, revision, "/".join(path), asked)
            case ["paths-info", revision]:
                self.send(self.paths_info(repository, revision))
            case ["refs"]:
                self.send(self.refs(repository))
            case ["commits", revision]:
                self.send(self.commits(repository, revision))
            case ["discussions"]:
                found = repository.discussions
                self.send({"discussions": found, "count": len(found), "start": 0})
            case ["preupload", _]:
                self.preupload(repository, rest[1])
            case ["commit", branch]:
                self.commit(repository, branch, "create_pr" in asked)
            case _:
                raise Refused(404, "EntryNotFound")

    def at(self, repository: Repository, revision: str) -> tuple[str, dict[str, bytes]]:
        name = repository.find(revision)
        if name is None:
            raise Refused(404, "RevisionNotFound", f"Invalid rev id: {revision}")
        return name, repository.commits[name]

    def info(self, repository: Repository, revision: str, asked: dict) -> dict:
        commit, files = self.at(repository, revision)
        siblings: list[dict] = [{"rfilename": path} for path in files]
        if "blobs" in asked:
            for entry, (path, data) in zip(siblings, files.items(), strict=True):
                entry |= {"blobId": git_sha1(self.pointed(path, data)), "size": len(data)}
                if is_large(path, len(data)):
                    entry["lfs"] = self.lfs(data, "sha256")
        card = header(files.get("README.md", b""))
        return {
            "_id": "0" * 24,
            "id": repository.name,
            "author": repository.name.split("/")[0],
            "sha": commit,
            "lastModified": DATE,
            "createdAt": DATE,
            "private": repository.private,
            "gated": "auto" if repository.gated else False,
            "disabled": False,
            "downloads": 0,
            "likes": 0,
            "tags": [*card.get("tags", ()), f"license:{card.get('license')}"],
            "cardData": card,
            "siblings": siblings,
            **({"modelId": repository.name} if repository.kind == "model" else {}),
        }

    def tree(self, repository: Repository, revision: str, folder: str, asked: dict) -> None:
        commit, files = self.at(repository, revision)
        deep = asked.get("recursive", ["false"])[0].lower() == "true"
        found = [
            self.entry(repository, commit, path)
            for path in with_folders(files)
            if is_below(path, folder, deep)
        ]
        if folder and not found:
            raise Refused(404, "EntryNotFound", f"{folder} does not exist on {revision!r}")
        start = int(asked.get("cursor", ["0"])[0])
        headers = {}
        if start + self.server.page_size < len(found):
            here = urlsplit(self.path)
            left = [part for part in here.query.split("&") if part and "cursor=" not in part]
            query = "&".join([*left, f"cursor={start + self.server.page_size}"])
            headers["Link"] = f'<{self.server.url}{here.path}?{query}>; rel="next"'
        self.send(found[start : start + self.server.page_size], headers=headers)

    def entry(self, repository: Repository, commit: str, path: str) -> dict:
        """What a listing says of a file or a folder."""
        last = {"id": commit, "title": repository.titles[commit], "date": DATE}
        data = repository.commits[commit].get(path)
        if data is None:
            name = hashlib.sha1(path.encode()).hexdigest()
            return {"type": "directory", "oid": name, "size": 0, "path": path, "lastCommit": last}
        said = {"type": "file", "path": path, "size": len(data), "lastCommit": last}
        said["oid"] = git_sha1(self.pointed(path, data))
        return said | ({"lfs": self.lfs(data, "oid")} if is_large(path, len(data)) else {})

    def paths_info(self, repository: Repository, revision: str) -> list[dict]:
        commit, files = self.at(repository, revision)
        if self.headers.get("Content-Type", "").startswith("application/json"):
            wanted = json.loads(self.body)["paths"]
        else:
            wanted = parse_qs(self.body.decode()).get("paths", [])
        known = with_folders(files)
        return [self.entry(repository, commit, path) for path in wanted if path in known]

    def refs(self, repository: Repository) -> dict:
        pulls = {name for name in repository.refs if name.startswith("refs/pr/")}
        return {
            "branches": [
                {"name": name, "ref": f"refs/heads/{name}", "targetCommit": commit}
                for name, commit in repository.refs.items()
                if name not in pulls
            ],
            "converts": [],
            "tags": [],
            "pullRequests": [
                {"name": name, "ref": name, "targetCommit": repository.refs[name]}
                for name in sorted(pulls)
            ],
        }

    def commits(self, repository: Repository, revision: str) -> list[dict]:
        commit, _ = self.at(repository, revision)
        title = repository.titles[commit]
        return [{"id": commit, "title": title, "message": "", "date": DATE, "authors": []}]

    @staticmethod
    def lfs(data: bytes, name: str) -> dict:
        return {name: sha256(data), "size": len(data), "pointerSize": len(pointer(data))}

    @staticmethod
    def pointed(path: str, data: bytes) -> bytes:
        return pointer(data) if is_large(path, len(data)) else data

    # Writing

    def validate(self) -> None:
        text = json.loads(self.body)["content"]
        try:
            header(text.encode())
        except (yaml.YAMLError, ValueError) as error:
            self.send({"errors": [{"message": str(error)}], "warnings": []}, 400)
        else:
            self.send({"errors": [], "warnings": []})

    def create(self) -> None:
        asked = json.loads(self.body)
        owner = asked.get("organization") or self.user
        self.check_writer(owner)
        name, kind = f"{owner}/{asked['name']}", asked.get("type") or "model"
        prefix = "datasets/" if kind == "dataset" else ""
        url = f"{self.server.url}/{prefix}{name}"
        with self.server.lock:
            if (kind, name) in self.server.repositories:
                self.send({"error": "You already created this repo", "url": url}, 409)
                return
            private = asked.get("visibility") == "private" or bool(asked.get("private"))
            made = Repository(kind, name, private)
            made.commit({".gitattributes": attributes()}, "initial commit")
            self.server.repositories[kind, name] = made
        self.send({"url": url, "id": "0" * 24, "name": name})

    def preupload(self, repository: Repository, revision: str) -> None:
        self.check_writer(repository.name.split("/")[0])
        _, files = self.at(repository, revision)
        said = []
        for file in json.loads(self.body)["files"]:
            large = is_large(file["path"], file["size"])
            held = files.get(file["path"])
            name = None
            if held is not None:
                name = sha256(held) if is_large(file["path"], len(held)) else git_sha1(held)
            mode = "lfs" if large else "regular"
            said.append(
                {"path": file["path"], "uploadMode": mode, "shouldIgnore": False, "oid": name}
            )
        self.send({"files": said})

    def batch(self, repository: Repository) -> None:
        self.check_writer(repository.name.split("/")[0])
        objects = []
        for wanted in json.loads(self.body)["objects"]:
            href = f"{self.server.url}/lfs/{wanted['oid']}"
            actions = {"upload": {"href": href}, "verify": {"href": f"{href}/verify"}}
            there = wanted["oid"] in self.server.stored
            objects.append(wanted if there else {**wanted, "actions": actions})
        self.send({"transfer": "basic", "objects": objects})

    def store(self, digest: str) -> None:
        if self.command != "PUT" or sha256(self.body) != digest:
            raise Refused(400, "", "The content is not what its name says")
        self.server.stored[digest] = self.body
        self.send({})

    def commit(self, repository: Repository, branch: str, as_pull_request: bool) -> None:
        self.check_writer(repository.name.split("/")[0])
        lines = [json.loads(line) for line in self.body.splitlines()]
        said = next(line["value"] for line in lines if line["key"] == "header")
        with self.server.lock:
            parent, files = self.at(repository, branch)
            if said.get("parentCommit") not in (None, parent):
                raise Refused(412, "", "A commit has happened since")
            files = dict(files)
            for line in lines:
                self.change(files, line["key"], line["value"])
            number = len(repository.discussions) + 1
            ref = f"refs/pr/{number}" if as_pull_request else branch
            made = repository.commit(files, said["summary"], ref, parent)
        url = f"{self.server.url}/{repository.name}"
        pull = f"{url}/discussions/{number}" if as_pull_request else None
        self.send({"commitUrl": f"{url}/commit/{made}", "commitOid": made, "pullRequestUrl": pull})

    def change(self, files: dict[str, bytes], key: str, value: dict) -> None:
        if key == "file":
            files[value["path"]] = base64.b64decode(value["content"])
        elif key == "lfsFile":
            if value["oid"] not in self.server.stored:
                raise Refused(400, "", f"{value['path']} was not uploaded")
            files[value["path"]] = self.server.stored[value["oid"]]
        elif key == "deletedFile":
            if files.pop(value["path"], None) is None:
                raise Refused(404, "EntryNotFound", "A file with this name doesn't exist")
        elif key == "deletedFolder":
            for path in [
                path for path in files if path.startswith(value["path"].rstrip("/") + "/")
            ]:
                del files[path]
        elif key != "header":
            raise Refused(400, "", f"unknown operation {key}")

    # Files

    def files(self, repository: Repository, rest: list[str], fault: dict | None) -> None:
        if rest == ["info", "lfs", "objects", "batch"]:
            return self.batch(repository)
        if len(rest) < 3 or rest[0] not in ("resolve", "raw"):
            raise Refused(404, "EntryNotFound")
        commit, files = self.at(repository, rest[1])
        self.check_reader(repository)
        data, path = files.get("/".join(rest[2:])), "/".join(rest[2:])
        if data is None:
            raise Refused(404, "EntryNotFound", f"Entry not found: {path}")
        known = {"X-Repo-Commit": commit, "Accept-Ranges": "bytes"}
        if not is_large(path, len(data)):
            return self.give(data, {**known, "ETag": f'"{git_sha1(data)}"'}, fault)
        linked = {"X-Linked-Size": str(len(data)), "X-Linked-ETag": f'"{sha256(data)}"'}
        place = {"Location": f"{self.server.cdn}/{sha256(data)}"}
        self.send({}, 302, {**known, **linked, **place})

    def large(self, digest: str) -> bytes:
        for repository in list(self.server.repositories.values()):
            for files in list(repository.commits.values()):
                for data in files.values():
                    if sha256(data) == digest:
                        return self.server.stored.setdefault(digest, data)
        raise Refused(404, "EntryNotFound")

    def give(self, data: bytes, headers: dict[str, str], fault: dict | None) -> None:
        """Sends a file, or the part of it that is asked for, with the fault."""
        whole, status, start = data, 200, 0
        asked = self.headers.get("Range", "")
        if asked.startswith("bytes="):
            first, _, last = asked.removeprefix("bytes=").partition("-")
            if first and int(first) >= len(whole):
                raise Refused(416)
            start = int(first) if first else max(0, len(whole) - int(last))
            end = min(int(last), len(whole) - 1) if first and last else len(whole) - 1
            status, data = 206, whole[start : end + 1]
            self.server.ranges.append(f"bytes={start}-{end}/{len(whole)}")
            headers = {**headers, "Content-Range": f"bytes {start}-{end}/{len(whole)}"}
        if fault is not None and fault["do"] == "tamper":
            data = bytes(255 - byte for byte in data[:64]) + data[64:]
        length = len(data)
        if fault is not None and fault["do"] == "slow":
            self.blocks, self.pause = 2**16, fault.get("seconds", 0.01)
        if fault is not None and fault["do"] == "cut" and self.command == "GET":
            data = data[: fault.get("after", length // 2)]
            self.close_connection = True
        self.reply(data, "application/octet-stream", status, headers, length)

    # Answers

    def send(
        self, content: object, status: int = 200, headers: Mapping[str, str] | None = None
    ) -> None:
        self.reply(json.dumps(content).encode(), "application/json", status, headers or {})

    def reply(
        self,
        data: bytes,
        kind: str,
        status: int,
        headers: Mapping[str, str],
        length: int | None = None,
    ) -> None:
        self.send_response(status)
        own = {"Content-Type": kind, "Content-Length": str(len(data) if length is None else length)}
        for name, value in {**own, **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            size = self.blocks or len(data) or 1
            for start in range(0, len(data), size):
                self.wfile.write(data[start : start + size])
                time.sleep(self.pause)

    def fault_status(self, fault: dict) -> None:
        self.send({"error": "try later"}, fault["status"], fault.get("headers"))

    def fault_silent(self, fault: dict) -> None:
        time.sleep(fault.get("seconds", 30))
        self.close_connection = True


def environment(url: str, home: Path, token: str | None = None) -> dict[str, str]:
    """The environment of a process that takes the server at `url` for the Hub.

    `home` is the Hub's home of that process. Without `token` it is not logged in.
    """
    kept = {name: value for name, value in os.environ.items() if not name.startswith("HF_")}
    kept |= {
        "HF_ENDPOINT": url,
        "HF_HOME": str(home),
        "HF_HUB_DISABLE_XET": "1",
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "HF_HUB_ETAG_TIMEOUT": "5",
        "HF_UPDATE_DOWNLOAD_COUNTS": "0",
        "NO_PROXY": "127.0.0.1,localhost",
    }
    return kept if token is None else kept | {"HF_TOKEN": token}


def header(readme: bytes) -> dict:
    """The YAML at the head of a card, as the Hub reads it."""
    parts = readme.decode("utf-8", "replace").split("---\n", 2)
    if len(parts) < 3 or parts[0].strip():
        return {}
    found = yaml.safe_load(parts[1])
    if not isinstance(found, dict):
        raise ValueError("the header is no mapping")
    return found


def pointer(data: bytes) -> bytes:
    """What git holds in the place of a large file."""
    version = "version https://git-lfs.github.com/spec/v1"
    return f"{version}\noid sha256:{sha256(data)}\nsize {len(data)}\n".encode()


def attributes() -> bytes:
    lines = (f"*{name} filter=lfs diff=lfs merge=lfs -text\n" for name in _LARGE_NAMES)
    return "".join(lines).encode()


def with_folders(files: Files) -> list[str]:
    """The paths of all files and of the folders that they lie in, sorted."""
    folders = {str(folder) for path in files for folder in PurePosixPath(path).parents}
    return sorted(files.keys() | folders - {".", "/"})


def is_below(path: str, folder: str, deep: bool) -> bool:
    if folder and not path.startswith(f"{folder}/"):
        return False
    return deep or "/" not in path[len(folder) + bool(folder) :]


@contextmanager
def the_hub(server: HubStandIn, token: str | None) -> Iterator[None]:
    """Makes the client in this process take a server for the Hub, logged in with a token or not."""
    import huggingface_hub
    from huggingface_hub import constants

    wanted = {
        "ENDPOINT": server.url,
        "HUGGINGFACE_CO_URL_TEMPLATE": server.url + "/{repo_id}/resolve/{revision}/{filename}",
        "HF_HUB_DISABLE_XET": True,
        "HF_TOKEN_PATH": os.devnull,
    }
    with pytest.MonkeyPatch.context() as patch:
        for name, value in wanted.items():
            patch.setattr(constants, name, value)
        patch.delenv("HF_TOKEN", raising=False)
        if token is not None:
            patch.setenv("HF_TOKEN", token)
        try:
            yield
        finally:
            huggingface_hub.close_session()


@contextmanager
def hub_standin() -> Iterator[HubStandIn]:
    """A running stand-in."""
    with running(HubStandIn()) as server:
        yield server
