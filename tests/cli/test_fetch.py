"""`paperclip fetch` as a user sees it: exit codes, output streams, and a kill."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from paperclip_cli.cli.app import run
from paperclip_cli.previews.fetch_log import LEDGER
from tests.archive_on_disk import write_archive_folder
from tests.stages.test_fetch import contents, mode_of


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return write_archive_folder(tmp_path / "archive", {1: ["a.jpg", "b.png"], 2: ["a.jpg"]})


@pytest.fixture
def paperclip(tmp_path: Path, capfd: pytest.CaptureFixture[str]):  # type: ignore[no-untyped-def]
    """Runs `paperclip --cache-dir ... fetch ARGUMENTS`. Returns exit code, stdout and stderr."""

    def go(*arguments: object) -> tuple[int, str, str]:
        code = run(["--cache-dir", str(tmp_path / "cache"), "fetch", *map(str, arguments)])
        return code, *capfd.readouterr()

    return go


def test_a_bare_fetch_explains_the_choices(paperclip) -> None:  # type: ignore[no-untyped-def]
    code, out, err = paperclip()
    assert (code, out) == (2, "") and len(err.splitlines()) < 12
    assert all(
        words in err
        for words in (
            "--from DIR",
            "--simulate N",
            "--all",
            "--cycle",
            "--proposal",
            "100 GB",
            "--dry-run",
        )
    )


def test_the_first_run_and_the_second(paperclip, root: Path, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    code, out, err = paperclip("--from", root)
    assert (code, out) == (0, "") and "fetch: done (2 proposals, 3 images, 3 read now)" in err
    assert (tmp_path / "cache/previews/local/proposal_1/b.jpg").is_file()
    code, _, err = paperclip("--from", root)
    assert code == 0 and "fetch: nothing to do (2 proposals, 3 images)" in err


def test_failures_end_with_3_or_with_1(paperclip, root: Path) -> None:  # type: ignore[no-untyped-def]
    (root / "observations/proposal_2/bad.jpg").write_text("no picture")
    code, _, err = paperclip("--from", root)
    assert (
        code == 3
        and "failed: 1 not a JPEG, PNG, TIFF or FITS file" in err
        and "local:2 observations/proposal_2/bad.jpg" in err
    )
    code, _, err = paperclip("--from", root)
    assert code == 3 and "nothing to do" in err and "--retry-failed" in err
    assert paperclip("--from", root, "--max-failures", 0)[0] == 1
    assert paperclip("--from", root, "--max-failures", 1)[0] == 3


def test_selections_and_missions(paperclip, root: Path, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    assert paperclip("--from", root, "--proposal", "hst:2,1", "--limit", 1)[0] == 0
    assert (tmp_path / "cache/previews/hst/proposal_1").is_dir() and not (
        tmp_path / "cache/previews/hst/proposal_2"
    ).exists()
    assert paperclip("--from", root, "--cycle", "20-25")[0] == 0
    assert paperclip("--from", root, "--cycle", "1")[0] == 1


def test_a_simulated_sky_is_fetched_as_a_folder_is(paperclip, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    code, _, err = paperclip("--simulate", 2)
    assert code == 0 and "fetch: done (2 proposals" in err
    previews = sorted(tmp_path.glob("cache/previews/sim/proposal_*/*.jpg"))
    assert len({path.parent for path in previews}) == 2
    assert {mode_of(path) for path in previews} == {"L"}
    assert "nothing to do" in paperclip("--simulate", 2)[2]
    code, _, err = paperclip("--simulate", 2, "--mission", "hst")
    assert code == 2 and "always has mission 'sim'" in err


@pytest.mark.parametrize(
    "arguments, code, words",
    [
        (["--from", "{root}/missing"], 1, "is not a folder"),
        (["--from", "{root}", "--catalog", "{root}/missing.cat"], 1, "no proposal catalogue at"),
        (["--from", "{root}", "--catalog", "{root}/empty.cat"], 1, "is empty"),
        (["--from", "{root}", "--catalog", "{root}/text.cat"], 1, "no proposals in"),
        (["--from", "{root}", "--proposal", "99"], 1, "is selected"),
        (["--from", "{root}", "--simulate", "3"], 2, "exclude each other"),
        (["--from", "{root}", "--mission", "../up"], 2, "cannot be the name of a mission"),
        (["--from", "{root}", "--mission", "jwst", "--proposal", "hst:1"], 2, "names mission hst"),
        (["--from", "{root}", "--cycle", "x"], 2, "not a number or a range"),
        (["--from", "{root}", "--size", "0"], 2, "--size"),
        (["--from", "{root}", "--max-images", "0"], 2, "--max-images"),
        (["--from", "{root}", "--workers", "0"], 2, "--workers"),
        (["--from", "{root}", "--limit", "0"], 2, "--limit"),
        (
            ["--catalog", "{root}/abstracts.cat", "--simulate", "3"],
            2,
            "--catalog does not go with --simulate",
        ),
        (["--all", "--mission", "kepler"], 2, "'kepler' is not in MAST"),
        (["--all", "--mission", "jwst"], 2, "no catalogue of jwst abstracts"),
        (["--all", "--rate", "-1"], 2, "--rate"),
        (["--all", "--timeout", "0"], 2, "--timeout"),
        (["--all", "--shard", "4/4"], 2, "--shard 4/4 is not a valid part"),
        (["--all", "--shard", "x"], 2, "--shard 'x' is not a valid part"),
        (["--all", "--after", "yesterday"], 2, "--after"),
    ],
)
def test_wrong_input_is_one_clear_error(
    paperclip,
    root: Path,
    arguments: list[str],
    code: int,  # type: ignore[no-untyped-def]
    words: str,
) -> None:
    (root / "empty.cat").write_bytes(b"")
    (root / "text.cat").write_text("This is not a catalogue.\n")
    before = contents(root)
    got, out, err = paperclip(*(argument.format(root=root) for argument in arguments))
    assert (got, out) == (code, "")
    assert err.startswith("error: ") and words in err.splitlines()[0] and len(err.splitlines()) <= 2
    assert contents(root) == before


def test_a_killed_run_goes_on_where_it_stopped(tmp_path: Path) -> None:
    """After SIGKILL in a second process, images that the ledger lists are not read again."""
    root = write_archive_folder(
        tmp_path / "archive", {1: []} | {number: ["a.png"] for number in range(2, 5)}
    )
    folder = root / "observations/proposal_1"
    folder.mkdir()
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (1_000, 1_000), dtype=np.uint8)).save(
        folder / "0.jpg"
    )
    for number in range(1, 40):
        shutil.copy(folder / "0.jpg", folder / f"{number}.jpg")
    command = [
        sys.executable,
        "-m",
        "paperclip_cli",
        "fetch",
        "--from",
        str(root),
        "--max-images",
        "99",
        "--workers",
        "2",
    ]

    def start(cache: Path) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [*command[:3], "--cache-dir", str(cache), *command[3:]],
            stderr=subprocess.PIPE,
            text=True,
        )

    cache = tmp_path / "killed"
    ledger = cache / "previews/local" / LEDGER
    process = start(cache)
    while process.poll() is None and (not ledger.exists() or ledger.read_bytes().count(b"\n") < 5):
        time.sleep(0.005)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    assert process.returncode == -signal.SIGKILL, "it was still at work"
    made = ledger.read_bytes().count(b"\n")
    assert 5 <= made < 43 and not (cache / "previews/local/manifest.json").exists()
    times = {
        path: path.stat().st_mtime_ns for path in cache.glob("previews/local/proposal_*/*.jpg")
    }

    second = start(cache)
    _, err = second.communicate()
    assert second.returncode == 0 and f"{43 - made} read now" in err
    whole = start(tmp_path / "whole")
    whole.communicate()
    assert whole.returncode == 0
    assert contents(cache) == contents(tmp_path / "whole")
    assert sum(path.stat().st_mtime_ns == before for path, before in times.items()) >= made


def test_an_interrupt_ends_with_130(
    tmp_path: Path, root: Path, monkeypatch: pytest.MonkeyPatch, paperclip
) -> None:  # type: ignore[no-untyped-def]
    from paperclip_cli.archives.folder import FolderArchive

    def interrupt(self: FolderArchive, candidate: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(FolderArchive, "read", interrupt)
    assert paperclip("--from", root)[0] == 130
    monkeypatch.undo()
    assert paperclip("--from", root)[0] == 0


def test_two_at_once_are_told_apart(root: Path, tmp_path: Path, paperclip) -> None:  # type: ignore[no-untyped-def]
    from paperclip_cli.files import lock
    from paperclip_cli.workspace import Workspace

    with lock(Workspace(tmp_path / "cache").previews("local")):
        code, _, err = paperclip("--from", root)
    assert code == 1 and "another paperclip process" in err
