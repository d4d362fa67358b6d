"""An index shared as one file: it answers like the original, and its contents are checked."""

from __future__ import annotations

import hashlib
import io
import json
import shutil
import zipfile
from collections.abc import Callable, Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import numpy as np
import pytest

from paperclip_cli.config import BundleConfig, DoctorConfig, IndexConfig, QueryConfig
from paperclip_cli.errors import PaperclipError
from paperclip_cli.images.pictures import read_picture
from paperclip_cli.indexes import bundle
from paperclip_cli.indexes.folder import open_index
from paperclip_cli.report import State
from paperclip_cli.stages import doctor, index, index_export, index_import, index_status, query
from paperclip_cli.workspace import Workspace
from tests.factories import write_fetched
from tests.small_indexes import towers, write_picture

Change = Callable[[dict[str, bytes]], None]


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory, tiny_model: Path) -> tuple[Workspace, Path]:
    """A cache with an index of 12 proposals (20 images), and its exported file."""
    folder = tmp_path_factory.mktemp("exported")
    workspace = Workspace(folder / "cache", offline=True)
    write_fetched(workspace, "hst", proposals=12)
    index.run(IndexConfig(model=str(tiny_model)), workspace, images=towers()["images"])
    report = index_export.run(BundleConfig(str(folder / "index.zip")), workspace)
    assert (
        report.counts == {"images": 20, "bytes": (folder / "index.zip").stat().st_size}
        and not report.notes
    )
    return workspace, folder / "index.zip"


def take_in(workspace: Workspace, place: object, **more: object) -> None:
    index_import.run(BundleConfig(str(place), **more), workspace)  # type: ignore[arg-type]


def answer(workspace: Workspace, **more: object) -> list[tuple]:
    hits = next(
        query.run(QueryConfig(texts=("spiral galaxy",), collapse="none", **more), workspace)
    ).hits  # type: ignore[arg-type]
    return [(hit.key, hit.obs_id, hit.target, hit.title, hit.split) for hit in hits]


def test_an_imported_index_answers_as_the_original(
    exported: tuple[Workspace, Path], workspace: Workspace
) -> None:
    original, file = exported
    take_in(workspace, file)
    assert answer(workspace) == answer(original) and len(answer(workspace)) == 10
    for conditions in (
        {"instruments": ("WFC3",)},
        {"near": (10.0, -55.0), "radius": 20.0},
        {"rank_by": "keyword"},
        {"cycles": ("21",)},
    ):
        assert answer(workspace, **conditions) == answer(original, **conditions)
    ours, theirs = (
        next(query.run(QueryConfig(texts=("x",), k=20), place)).hits
        for place in (workspace, original)
    )
    assert [hit.score for hit in ours] == pytest.approx([hit.score for hit in theirs], abs=1e-4)
    assert [hit.percentile for hit in ours] == pytest.approx(
        [hit.percentile for hit in theirs], abs=0.1
    )
    assert [hit.p_chance for hit in ours] == pytest.approx(
        [hit.p_chance for hit in theirs], abs=2 / 304
    )


def test_its_images_are_small_pictures_of_the_originals(
    exported: tuple[Workspace, Path], workspace: Workspace
) -> None:
    original, file = exported
    take_in(workspace, file, name="theirs")
    shown, theirs = (
        next(query.run(QueryConfig(texts=("x",), collapse="none"), place)).hits
        for place in (workspace, original)
    )
    for ours, whole in zip(shown, theirs, strict=True):
        small, large = read_picture(Path(ours.image)), read_picture(Path(whole.image))
        assert (
            Path(ours.image).is_relative_to(workspace.index("theirs")) and max(small.shape) <= 128
        )
        assert np.abs(small.astype(int) - large).mean() < 8
    status = index_status.run(IndexConfig(name="theirs"), workspace)
    assert (status["images"], status["gone"], status["changed"]) == (20, 0, 0)


def test_it_needs_neither_the_model_nor_the_images(
    exported: tuple[Workspace, Path], workspace: Workspace, tmp_path: Path, tiny_model: Path
) -> None:
    original, file = exported
    with zipfile.ZipFile(file) as archive:
        assert (
            archive.getinfo("model/model.safetensors").file_size
            < (tiny_model / "model.safetensors").stat().st_size
        )
    take_in(workspace, file)
    moved = Workspace(tmp_path / "moved", offline=True)
    shutil.move(workspace.root, moved.root)
    assert answer(moved) == answer(original)
    write_picture(tmp_path / "a.png", 1)
    assert next(query.run(QueryConfig(images=(tmp_path / "a.png",)), moved)).hits, (
        "the whole model is still where its name leads"
    )
    manifest = moved.index("default") / "manifest.json"
    manifest.write_text(manifest.read_text().replace(str(tiny_model), "/gone"))
    assert answer(moved) == answer(original)
    with pytest.raises(PaperclipError, match="came with only the text tower of its model"):
        next(query.run(QueryConfig(images=(tmp_path / "a.png",)), moved))


def test_it_can_be_updated_and_handed_on_again(
    exported: tuple[Workspace, Path], workspace: Workspace, tmp_path: Path, tiny_model: Path
) -> None:
    original, file = exported
    take_in(workspace, file)
    again = tmp_path / "again.zip"
    index_export.run(BundleConfig(str(again)), workspace)
    third = Workspace(tmp_path / "third", offline=True)
    take_in(third, again)
    assert answer(third) == answer(original)
    for number in range(2):
        write_picture(tmp_path / "p" / f"{number}.png", number)
    report = index.run(
        IndexConfig(paths=(tmp_path / "p",), model=str(tiny_model)), workspace, **towers()
    )  # type: ignore[arg-type]
    assert report.counts == {"images": 22, "new": 2}


def test_pictures_that_are_gone_are_counted_and_tiles_keep_their_number(
    tmp_path: Path, workspace: Workspace, tiny_model: Path
) -> None:
    for number in range(3):
        write_picture(tmp_path / "p" / f"{number}.png", number)
    index.run(
        IndexConfig(paths=(tmp_path / "p",), model=str(tiny_model), view="tiles"),
        workspace,
        **towers(),
    )  # type: ignore[arg-type]
    (tmp_path / "p" / "1.png").unlink()
    report = index_export.run(BundleConfig(str(tmp_path / "index.zip")), workspace)
    assert report.notes == ("1 image has no small picture",)
    other = Workspace(tmp_path / "other", offline=True)
    take_in(other, tmp_path / "index.zip")
    opened = open_index(other.index("default"))
    assert [image.entry.tiles for image in opened.observations.images()] == [
        9,
        9,
        9,
    ] and opened.reading.tiles
    np.testing.assert_allclose(
        opened.vectors, open_index(workspace.index("default")).vectors, atol=1e-3
    )
    np.testing.assert_allclose(np.linalg.norm(opened.vectors, axis=1), 1, atol=1e-6)


@pytest.fixture
def served(exported: tuple[Workspace, Path]) -> Iterator[str]:
    """The exported file behind a real HTTP server on loopback."""

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            return None

        def send_header(self, name: str, value: str) -> None:
            if name == "Content-Length" and "promise" in self.path:
                value = str(int(value) + 1)
            super().send_header(name, value)

        def translate_path(self, path: str) -> str:
            return super().translate_path(path.split("?")[0])

    server = ThreadingHTTPServer(
        ("127.0.0.1", 0), partial(Quiet, directory=str(exported[1].parent))
    )
    Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/index.zip"
    server.shutdown()
    server.server_close()


def test_an_index_comes_from_an_address(
    exported: tuple[Workspace, Path], tmp_path: Path, served: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    online = Workspace(tmp_path / "online")
    take_in(online, served)
    assert answer(online) == answer(exported[0])
    for place, reason in (
        (served.replace("index.zip", "none.zip"), "404"),
        (f"{served}?promise", "the reply was cut short"),
    ):
        with pytest.raises(PaperclipError, match=reason):
            take_in(online, place, name="other")
    monkeypatch.setattr(bundle, "MAX_BYTES", 1000)
    with pytest.raises(PaperclipError, match="is larger than"):
        take_in(online, served, name="other")
    with pytest.raises(PaperclipError, match="--offline is set"):
        take_in(Workspace(tmp_path / "offline", offline=True), served)
    assert [
        path.name
        for path in (tmp_path / "online" / "indexes").iterdir()
        if not path.name.endswith(".lock")
    ] == ["default"]


def test_an_index_that_is_there_is_replaced_only_when_told(
    exported: tuple[Workspace, Path], workspace: Workspace, tmp_path: Path, tiny_model: Path
) -> None:
    from tests.clip_models import write_model

    _, file = exported
    take_in(workspace, file)
    with pytest.raises(PaperclipError, match="already"):
        take_in(workspace, file)
    take_in(workspace, file, force=True, model=str(tiny_model))
    write_model(tmp_path / "other", seed=5)
    with pytest.raises(PaperclipError, match="made by another model"):
        take_in(workspace, file, name="second", model=str(tmp_path / "other"))
    with pytest.raises(PaperclipError, match="no file"):
        take_in(workspace, tmp_path / "none.zip", name="second")
    left = tmp_path / "cache" / "indexes" / ".second.import.abcdefgh"
    left.mkdir()
    take_in(workspace, file, name="second")
    assert not left.exists()


def test_small_pictures_are_verified(
    exported: tuple[Workspace, Path], workspace: Workspace
) -> None:
    take_in(workspace, exported[1])

    def found() -> list[str]:
        checks = doctor.run(DoctorConfig(verify=True), workspace)
        return [
            check.found
            for check in checks
            if check.topic == "health" and check.state == State.PROBLEM
        ]

    assert found() == []
    path = next((workspace.index("default") / "thumbnails").iterdir())
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    assert found() == ["thumbnails are damaged"]


def members(file: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(file) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def write(path: Path, content: dict[str, bytes], sign: bool = True) -> None:
    """Writes a bundle with these members. With `sign`, its card gets their new checksums."""
    card = json.loads(content[bundle.CARD])
    if sign:
        card["files"] = {
            name: {"size": len(data), "sha256": hashlib.sha256(data).hexdigest()}
            for name, data in content.items()
            if name != bundle.CARD
        }
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in content.items():
            archive.writestr(name, json.dumps(card) if name == bundle.CARD else data)


def changed_card(**changes: object) -> Change:
    def change(content: dict[str, bytes]) -> None:
        card = json.loads(content[bundle.CARD])
        for path, value in changes.items():
            place = card
            *parents, last = path.split("__")
            for parent in parents:
                place = place[parent]
            place[last] = value
        content[bundle.CARD] = json.dumps(card).encode()

    return change


def changed_vectors(change: Callable[[np.ndarray], np.ndarray]) -> Change:
    def apply(content: dict[str, bytes]) -> None:
        file = io.BytesIO()
        np.save(file, change(np.load(io.BytesIO(content["vectors.npy"]))))
        content["vectors.npy"] = file.getvalue()

    return apply


def changed_line(name: str, **changes: object) -> Change:
    def change(content: dict[str, bytes]) -> None:
        first, rest = content[name].split(b"\n", 1)
        content[name] = json.dumps(json.loads(first) | changes).encode() + b"\n" + rest

    return change


def extra(name: str, data: bytes = b"x") -> Change:
    return lambda content: content.update({name: data})


def pickled(content: dict[str, bytes]) -> None:
    file = io.BytesIO()
    np.save(file, np.array([{}], dtype=object), allow_pickle=True)
    content["vectors.npy"] = file.getvalue()


def without_images(content: dict[str, bytes]) -> None:
    content.update({bundle.IMAGES: b"", bundle.PROPOSALS: b"", "thumbnails.bin": b""})
    changed_vectors(lambda vectors: vectors[:0])(content)


HOSTILE: dict[str, tuple[Change, str]] = {
    "no images": (without_images, "it holds no image"),
    "a path that climbs": (extra("../evil.txt"), "members"),
    "an absolute path": (extra("/tmp/evil.txt"), "members"),
    "a strange member": (extra("model/code.py"), "members"),
    "no vectors": (lambda content: content.pop("vectors.npy"), "members"),  # type: ignore[dict-item]
    "an empty file of vectors": (extra("vectors.npy", b""), "not a valid index"),
    "another format": (changed_card(format=2), "format 2"),
    "no manifest": (changed_card(manifest={}), "not a valid index"),
    "a model that is no name": (changed_card(manifest__inputs={}), "not a valid index"),
    "NaN": (changed_vectors(lambda vectors: vectors * np.float16("nan")), "not of unit length"),
    "vectors that are too long": (
        changed_vectors(lambda vectors: vectors * 2),
        "not of unit length",
    ),
    "too few vectors": (changed_vectors(lambda vectors: vectors[1:]), "the vectors are float16"),
    "too few dimensions": (
        changed_vectors(lambda vectors: vectors[:, 1:]),
        "the vectors are float16",
    ),
    "doubles": (changed_vectors(lambda vectors: vectors.astype(float)), "the vectors are float64"),
    "a pickle": (pickled, "not a valid index|Object arrays"),
    "a negative thumbnail": (changed_line("images.jsonl", thumbnail=-1), "invalid thumbnail"),
    "a large thumbnail": (changed_line("images.jsonl", thumbnail=2**30), "invalid thumbnail"),
    "another number of tiles": (changed_line("images.jsonl", tiles=2), "number of tiles"),
    "a target that is no text": (
        changed_line("images.jsonl", observation={"target": {"$": 1}}),
        "target of a Observation",
    ),
    "a mission that is a path": (
        changed_line("images.jsonl", mission="../x"),
        "cannot be the name of a mission",
    ),
    "half a character": (changed_line("images.jsonl", sha256="\ud800"), "not a valid index"),
    "a huge number": (changed_line("images.jsonl", proposal_id=10**30), "not a valid index"),
    "no record": (extra("images.jsonl", b"[]\n"), "not a valid index"),
    "nested without end": (extra("images.jsonl", b"[" * 100_000 + b"\n"), "not a valid index"),
    "no end of a line": (extra("proposals.jsonl", b"{}"), "too long or truncated"),
    "a picture that is none": (
        lambda content: content.update(
            {"thumbnails.bin": b"GIF89a" + content["thumbnails.bin"][6:]}
        ),
        "not a JPEG",
    ),
    "another view": (changed_card(manifest__config__view={"kind": "peek"}), "a view is"),
    "weights of another model": (
        extra("model/model.safetensors", b"\x08" + b"\0" * 7 + b"{}      "),
        "missing",
    ),
}


@pytest.mark.parametrize("what", HOSTILE)
def test_what_is_wrong_in_a_bundle_is_one_line_and_leaves_nothing(
    what: str, exported: tuple[Workspace, Path], workspace: Workspace, tmp_path: Path
) -> None:
    change, reason = HOSTILE[what]
    content = members(exported[1])
    change(content)
    write(tmp_path / "hostile.zip", content)
    with pytest.raises(PaperclipError, match=reason) as error:
        take_in(workspace, tmp_path / "hostile.zip")
    assert "\n" not in error.value.message
    assert [
        path.name
        for path in workspace.root.rglob("*")
        if "fingerprints" not in path.parts and path.is_file()
    ] == [".default.lock"]
    assert not (tmp_path / "evil.txt").exists()


def test_half_of_a_position_is_not_taken_in(
    exported: tuple[Workspace, Path], workspace: Workspace, tmp_path: Path
) -> None:
    content = members(exported[1])
    images = [json.loads(line) for line in content[bundle.IMAGES].splitlines()]
    del images[0]["observation"]["s_dec"], images[1]["observation"]["s_ra"]
    images[2]["observation"] |= {"s_ra": 1e9, "s_dec": 1.0}
    content[bundle.IMAGES] = b"".join(json.dumps(image).encode() + b"\n" for image in images)
    write(tmp_path / "halves.zip", content)
    take_in(workspace, tmp_path / "halves.zip")
    found = [
        image.entry.observation
        for image in open_index(workspace.index("default")).observations.images()
    ]
    assert [(one.s_ra, one.s_dec) for one in found] == [
        (None, None),
        (None, None),
        (None, None),
        *(
            (image["observation"].get("s_ra"), image["observation"].get("s_dec"))
            for image in images[3:]
        ),
    ]
    assert any(one.s_ra is not None for one in found)


def test_damage_on_the_way_is_noticed(
    exported: tuple[Workspace, Path], workspace: Workspace, tmp_path: Path
) -> None:
    data, path = exported[1].read_bytes(), tmp_path / "damaged.zip"
    content = members(exported[1])
    content["vectors.npy"] = content["vectors.npy"][:-2] + b"\0\0"
    write(path, content, sign=False)
    with pytest.raises(PaperclipError, match="size and checksum"):
        take_in(workspace, path)
    flipped = bytes(byte ^ 255 for byte in data[-3000:-2900])
    for damaged in (
        data[:-100],
        data[:1000],
        b"",
        b"no archive",
        data[:-3000] + flipped + data[-2900:],
    ):
        path.write_bytes(damaged)
        with pytest.raises(PaperclipError, match="not a whole bundle"):
            take_in(workspace, path)


def test_bombs_and_links_are_not_unpacked(
    exported: tuple[Workspace, Path],
    workspace: Workspace,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    content = members(exported[1])
    path = tmp_path / "bomb.zip"
    card = json.loads(content[bundle.CARD])
    card["files"]["images.jsonl"]["size"] = 2**24
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in content.items():
            info = zipfile.ZipInfo(name)
            if name == "proposals.jsonl":
                info.external_attr = 0o120777 << 16
            archive.writestr(
                info,
                json.dumps(card)
                if name == bundle.CARD
                else bytes(2**24)
                if name == "images.jsonl"
                else data,
            )
    with pytest.raises(PaperclipError, match=r"proposals.jsonl is not a plain file"):
        take_in(workspace, path)
    write(path, content)
    monkeypatch.setattr(bundle, "MAX_BYTES", 2**10)
    with pytest.raises(PaperclipError, match="unpacks to more than"):
        take_in(workspace, path)
    monkeypatch.undo()
    with zipfile.ZipFile(path, "a") as archive, pytest.warns(UserWarning, match="Duplicate"):
        archive.writestr("vectors.npy", b"another")
    with pytest.raises(PaperclipError, match="repeated"):
        take_in(workspace, path)
