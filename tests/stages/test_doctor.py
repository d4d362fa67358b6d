"""`doctor` passes an intact cache, and names every kind of damage with its remedy."""

from __future__ import annotations

import http.server
import json
import shutil
import threading
from collections.abc import Callable, Iterator, Sequence
from importlib import metadata
from pathlib import Path

import numpy as np
import pytest

from paperclip_cli.config import BuildDatasetConfig, DoctorConfig, IndexConfig, SummarizeConfig
from paperclip_cli.files import replace_file
from paperclip_cli.install import library_line
from paperclip_cli.report import Check, State
from paperclip_cli.services import environment
from paperclip_cli.stages import build_dataset, doctor, index, summarize
from paperclip_cli.towers.folder import MODEL_FILES
from paperclip_cli.workspace import Manifest, Workspace, stamps_of, write_manifest
from tests.clip_models import write_model
from tests.factories import write_fetched
from tests.small_indexes import towers


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory, tiny_model: Path) -> Workspace:
    """A cache with everything a user makes."""
    workspace = Workspace(tmp_path_factory.mktemp("sound"), offline=True)
    write_fetched(workspace, proposals=12)
    summarize.run(SummarizeConfig(), workspace)
    build_dataset.run(BuildDatasetConfig(), workspace)
    shutil.copytree(tiny_model, workspace.model("tiny"))
    stamps = stamps_of(workspace.model("tiny"), MODEL_FILES)
    write_manifest(workspace.model("tiny"), Manifest(stage="train", config={}, files=stamps))
    index.run(IndexConfig(model="tiny"), workspace, **towers())  # type: ignore[arg-type]
    replace_file(workspace.converted("org--x-0") / "data" / "train-00000.parquet", bytes(3_000_000))
    replace_file(workspace.decoded() / "0" / "train.npy", bytes(2_000_000))
    return workspace


@pytest.fixture
def copied(sound: Workspace, tmp_path: Path) -> Workspace:
    shutil.copytree(sound.root, tmp_path / "cache")
    manifest = tmp_path / "cache" / "indexes" / "default" / "manifest.json"
    manifest.write_text(manifest.read_text().replace(str(sound.root), str(tmp_path / "cache")))
    return Workspace(tmp_path / "cache", offline=True)


def look(workspace: Workspace, verify: bool = False) -> list[Check]:
    return list(doctor.run(DoctorConfig(verify=verify), workspace))


def unwell(workspace: Workspace, verify: bool = False) -> list[tuple[str, State, str]]:
    return [
        (check.name, check.state, check.advice)
        for check in look(workspace, verify)
        if check.state != State.OK
    ]


@pytest.mark.parametrize("verify", [False, True])
def test_a_sound_cache_is_sound(sound: Workspace, verify: bool) -> None:
    checks = look(sound, verify)
    assert not [check for check in checks if check.state != State.OK and check.topic != "cache"]
    assert {check.topic for check in checks} == {
        "versions",
        "devices",
        "settings",
        "cache",
        "network",
        "backends",
        "health",
    }
    found = {check.name: check.found for check in checks}
    assert (
        found["numpy"] == np.__version__
        and "(cpu)" in found["jax"]
        and found["indexes"].startswith("default (")
    )
    assert (
        found["previews local"].startswith("20 images")
        and "model tiny" in found
        and "dataset default" in found
        and found["decoded"].endswith("(2.0 MB)")
        and found["datasets-converted"].endswith("(3.0 MB)")
    )


def spoil_preview(workspace: Workspace) -> None:
    next(workspace.previews("local").rglob("*.jpg")).write_bytes(b"other")


def spoil_vectors(workspace: Workspace) -> None:
    path = next(workspace.index("default").glob("vectors-*.npy"))
    data = bytearray(path.read_bytes())
    data[-40:] = b"\xff" * 40
    path.write_bytes(data)


def spoil_rows(workspace: Workspace) -> None:
    import sqlite3

    connection = sqlite3.connect(next(workspace.index("default").glob("observations-*.sqlite")))
    with connection:
        connection.execute("DELETE FROM images WHERE id = 3")
    connection.close()


def lose_vectors(workspace: Workspace) -> None:
    next(workspace.index("default").glob("vectors-*.npy")).unlink()


def cut_database(workspace: Workspace) -> None:
    path = next(workspace.index("default").glob("observations-*.sqlite"))
    path.write_bytes(path.read_bytes()[:4096])


def change_model(workspace: Workspace) -> None:
    shutil.rmtree(workspace.model("tiny"))
    write_model(workspace.model("tiny"), seed=5)


def lose_weights(workspace: Workspace) -> None:
    (workspace.model("tiny") / "model.safetensors").unlink()


def cut_dataset(workspace: Workspace) -> None:
    path = next(workspace.dataset("default").rglob("*.parquet"))
    path.write_bytes(path.read_bytes()[:100])


def flip(path: Path, places: Sequence[int]) -> None:
    data = np.fromfile(path, np.uint8)
    data[list(places)] ^= 0x80
    data.tofile(path)


def tear(path: Path, share: float = 2 / 3) -> None:
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])


def empty_vectors(workspace: Workspace) -> None:
    tear(next(workspace.index("default").glob("vectors-*.npy")), 0)


def flip_signs(workspace: Workspace) -> None:
    """Flips the signs of floats, so that every vector keeps its length."""
    path = next(workspace.index("default").glob("vectors-*.npy"))
    flip(path, range(128 + 3, path.stat().st_size, 4)[:2000])


def tear_previews(workspace: Workspace) -> None:
    tear(workspace.previews("local") / "previews.jsonl")


def tear_proposals(workspace: Workspace) -> None:
    tear(workspace.proposals("local") / "proposals.jsonl")


def alter_previews(workspace: Workspace) -> None:
    path = workspace.previews("local") / "previews.jsonl"
    path.write_text(path.read_text().replace("ACS", "ACT"))


def tear_summaries(workspace: Workspace) -> None:
    tear(workspace.summaries("keywords") / "summaries.jsonl")


def flip_weights(workspace: Workspace) -> None:
    flip(workspace.model("tiny") / "model.safetensors", [-1])


def cut_weights(workspace: Workspace) -> None:
    tear(workspace.model("tiny") / "model.safetensors")


def flip_dataset(workspace: Workspace) -> None:
    flip(next(workspace.dataset("default").rglob("*.parquet")), [1000])


def damage_manifest(workspace: Workspace) -> None:
    tear(workspace.dataset("default") / "manifest.json")


def interrupt_index(workspace: Workspace) -> None:
    (workspace.index("default") / "journal.jsonl").touch()


def begin_training(workspace: Workspace) -> None:
    (workspace.training("other")).mkdir(parents=True)


def fetch_more(workspace: Workspace) -> None:
    write_fetched(workspace, proposals=13)


@pytest.mark.parametrize(
    ("spoil", "verify", "name", "state", "advice"),
    [
        (
            spoil_preview,
            True,
            "previews local",
            State.PROBLEM,
            "paperclip fetch --mission local --verify",
        ),
        (
            spoil_vectors,
            True,
            "index default",
            State.PROBLEM,
            "paperclip index --index default --force",
        ),
        (
            spoil_rows,
            True,
            "index default",
            State.PROBLEM,
            "paperclip index --index default --force",
        ),
        (
            lose_vectors,
            False,
            "index default",
            State.PROBLEM,
            "rebuild it with paperclip index --force",
        ),
        (
            cut_database,
            False,
            "index default",
            State.PROBLEM,
            "rebuild it with `paperclip index --force`",
        ),
        (
            empty_vectors,
            False,
            "index default",
            State.PROBLEM,
            "rebuild it with `paperclip index --force`",
        ),
        (
            flip_signs,
            True,
            "index default",
            State.PROBLEM,
            "paperclip index --index default --force",
        ),
        (
            tear_previews,
            False,
            "previews local",
            State.PROBLEM,
            "run the same `paperclip fetch` again",
        ),
        (
            tear_proposals,
            False,
            "previews local",
            State.PROBLEM,
            "run the same `paperclip fetch` again",
        ),
        (
            alter_previews,
            True,
            "previews local",
            State.PROBLEM,
            "run the same `paperclip fetch` again",
        ),
        (
            tear_summaries,
            False,
            "summaries keywords",
            State.PROBLEM,
            "run the same `paperclip summarize` again",
        ),
        (
            flip_weights,
            True,
            "model tiny",
            State.PROBLEM,
            "train it again with `paperclip train --force`",
        ),
        (
            cut_weights,
            False,
            "model tiny",
            State.PROBLEM,
            "train it again with `paperclip train --force`",
        ),
        (
            flip_dataset,
            True,
            "dataset default",
            State.PROBLEM,
            "make it again with `paperclip build-dataset --force`",
        ),
        (
            damage_manifest,
            False,
            "dataset default",
            State.PROBLEM,
            "make it again with `paperclip build-dataset --force`",
        ),
        (
            change_model,
            False,
            "index default",
            State.PROBLEM,
            "paperclip index --index default --force",
        ),
        (
            lose_weights,
            False,
            "model tiny",
            State.PROBLEM,
            "train it again with `paperclip train --force`",
        ),
        (
            cut_dataset,
            False,
            "dataset default",
            State.PROBLEM,
            "make it again with `paperclip build-dataset --force`",
        ),
        (
            interrupt_index,
            False,
            "index default",
            State.NOTE,
            "paperclip index --index default continues it",
        ),
        (
            begin_training,
            False,
            "training other",
            State.NOTE,
            "run the same `paperclip train` again to continue it",
        ),
        (fetch_more, False, "index default", State.NOTE, "paperclip index --index default"),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_damage_is_named_with_what_mends_it(
    copied: Workspace,
    spoil: Callable[[Workspace], None],
    verify: bool,
    name: str,
    state: State,
    advice: str,
) -> None:
    before = unwell(copied, verify)
    spoil(copied)
    new = [finding for finding in unwell(copied, verify) if finding not in before]
    assert any(found[:2] == (name, state) and advice in found[2] for found in new), new


def test_a_file_that_a_power_cut_emptied_is_told_by_whatever_opens_it(
    sound: Workspace, copied: Workspace
) -> None:
    """Without --verify, every damage that would reach results is found.

    Exceptions are images, which are compared with their checksums wherever they are read, and
    README.md, from which nothing is made.
    """
    before = unwell(copied)
    for manifest in sorted(copied.root.glob("*/*/manifest.json")):
        for name in sorted(
            {"manifest.json", *json.loads(manifest.read_text())["files"]} - {"README.md"}
        ):
            path = manifest.parent / name
            whole = path.read_bytes()
            path.write_bytes(b"")
            new = [finding for finding in unwell(copied) if finding not in before]
            assert State.PROBLEM in {state for _, state, _ in new}, f"{manifest.parent}: {name}"
            path.write_bytes(whole)
    assert unwell(copied) == before


def test_without_a_cache_the_first_command_is_named(tmp_path: Path) -> None:
    (check,) = [
        check
        for check in look(Workspace(tmp_path / "none", offline=True))
        if check.topic == "cache"
    ]
    assert (
        check.state == State.NOTE
        and check.advice.startswith("paperclip demo")
        and not (tmp_path / "none").exists()
    )


def test_libraries_that_are_missing_or_too_old_are_problems(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    needed = ["no-such-library>=1", "numpy<1", "numpy>=1", "no-such-extra>=2; extra == 'test'"]
    monkeypatch.setattr(metadata, "requires", lambda _: needed)
    found = {
        check.name: (check.state, check.advice)
        for check in environment.versions()
        if check.state != State.OK
    }
    assert found == {
        "no-such-library": (State.PROBLEM, library_line("no-such-library>=1")),
        "numpy": (State.PROBLEM, library_line("numpy<1")),
    }


class Answers(http.server.BaseHTTPRequestHandler):
    def do_HEAD(self) -> None:
        if self.path == "/silent":
            self.server.released.wait(30)  # type: ignore[attr-defined]
        self.send_response(503 if self.path == "/busy" else 200)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        return None


@pytest.fixture
def server() -> Iterator[str]:
    made = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    made.released = threading.Event()  # type: ignore[attr-defined]
    threading.Thread(target=made.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{made.server_port}"
    made.released.set()  # type: ignore[attr-defined]
    made.shutdown()
    made.server_close()


def test_servers_are_asked_unless_offline(server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    places = {
        "up": f"{server}/",
        "busy": f"{server}/busy",
        "silent": f"{server}/silent",
        "gone": "http://127.0.0.1:9/",
    }
    monkeypatch.setattr(environment, "_servers", lambda: places)
    monkeypatch.setattr(environment, "_PATIENCE", 2.0)
    found = {
        check.name: (check.state, check.found.removeprefix(places[check.name]).strip())
        for check in environment.network(False)
    }
    assert found == {
        "up": (State.OK, "answers"),
        "busy": (State.NOTE, "answers 503"),
        "gone": (State.NOTE, "cannot be reached"),
        "silent": (State.NOTE, "does not answer within 2 s"),
    }
    (check,) = environment.network(True)
    assert check.found == "not checked"
