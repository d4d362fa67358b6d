"""`paperclip query` as a program: output streams, start-up time, and a clean terminal."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import re
import struct
import subprocess
import sys
import termios
from dataclasses import replace
from pathlib import Path

import pytest

from paperclip_cli.cli import app as cli
from paperclip_cli.config import IndexConfig
from paperclip_cli.stages import index
from paperclip_cli.workspace import Workspace
from tests.factories import make_proposal, write_archive, write_fetched
from tests.samp_hub import Taker, address_of, private_hub, running
from tests.small_indexes import towers

EVIL = (
    "[red]Evil[/red] \x1b[31mtitle\x1b]0;owned\x07 \x9b1m\u202e \x00\r\n"
    + "very long " * 20
    + "星系" * 30
)
FORBIDDEN = re.compile("\x1b\\]0|\x07|\x9b|\u202e|\x00")


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory, tiny_model: Path) -> Path:
    """An index of 20 previews, one proposal with a hostile title."""
    workspace = Workspace(tmp_path_factory.mktemp("cache"), offline=True)
    previews = write_fetched(workspace, "hst", proposals=12)
    proposals = [make_proposal("hst", number) for number in range(1, 13)]
    proposals[4] = replace(proposals[4], title=EVIL)
    previews[0] = replace(
        previews[0],
        observation=replace(
            previews[0].observation, target=EVIL, access_url="https://mast.stsci.edu/1"
        ),
    )
    write_archive(workspace, "hst", proposals, previews)
    index.run(IndexConfig(model=str(tiny_model)), workspace, **towers())  # type: ignore[arg-type]
    return workspace.root


def program(cache: Path, *arguments: str) -> list[str]:
    return [
        sys.executable,
        "-m",
        "paperclip_cli",
        "--cache-dir",
        str(cache),
        "--offline",
        *arguments,
    ]


def run(cache: Path, *arguments: str, **more: object) -> subprocess.CompletedProcess:
    return subprocess.run(
        program(cache, *arguments), capture_output=True, text=True, check=False, **more
    )  # type: ignore[call-overload]


def on_terminal(cache: Path, columns: int, *arguments: str) -> str:
    """The output of a program on a terminal with that many columns."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 50, columns, 0, 0))
    environment = {
        name: value for name, value in os.environ.items() if name not in ("COLUMNS", "NO_COLOR")
    } | {"TERM": "xterm-256color"}
    with subprocess.Popen(
        program(cache, *arguments),
        stdin=slave,
        stdout=slave,
        stderr=subprocess.DEVNULL,
        env=environment,
    ) as process:
        os.close(slave)
        written = b""
        try:
            while block := os.read(master, 65536):
                written += block
        except OSError:  # the other side is closed
            pass
    os.close(master)
    assert process.returncode == 0
    return written.decode()


def test_results_go_to_stdout_and_notes_to_stderr(cache: Path) -> None:
    done = run(cache, "query", "spiral", "galaxy", "--json", "-k", "3")
    hits = json.loads(done.stdout)
    assert done.returncode == 0 and [hit["rank"] for hit in hits] == [1, 2, 3]
    assert {hit["query"] for hit in hits} == {"spiral galaxy"}
    none = ("--min-score", "1", "--json")
    noted = run(cache, "query", "spiral", "galaxy", *none)
    assert json.loads(noted.stdout) == []
    assert noted.stderr.startswith("no image has a score of 1: the best is 0.")
    for arguments in (
        ("--quiet", "query", "spiral", "galaxy"),
        ("query", "spiral", "galaxy", "-q"),
    ):
        quiet = run(cache, *arguments, *none)
        assert (quiet.stderr, quiet.stdout) == ("", noted.stdout)


def test_a_query_of_words_imports_nothing_heavy(cache: Path) -> None:
    code = (
        "import sys; from paperclip_cli.cli.app import run; "
        f"code = run(['--cache-dir', {str(cache)!r}, 'query', 'spiral galaxy', '--json', "
        "'--near', '10 -55', '--radius', '10deg']); "
        "print(code, *sys.modules, file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    code_and_modules = done.stderr.splitlines()[-1].split()
    heavy = {
        "jax",
        "jaxlib",
        "flax",
        "PIL",
        "astropy",
        "pyarrow",
        "transformers",
        "datasets",
        "optax",
        "orbax",
        "torch",
        "huggingface_hub",
        "rich",
        "pandas",
        "requests",
    }
    assert code_and_modules[0] == "0" and not heavy & set(code_and_modules)


@pytest.mark.parametrize("columns", [60, 80, 200])
def test_the_table_fits_the_terminal_and_nothing_hostile_reaches_it(
    cache: Path, columns: int
) -> None:
    from rich.cells import cell_len

    text = on_terminal(cache, columns, "query", "spiral galaxy", "-k", "20", "--no-collapse")
    assert not FORBIDDEN.search(text)
    plain = re.sub(r"\x1b\]8;[^\x1b]*\x1b\\|\x1b\[[0-9;]*m", "", text)
    lines = plain.replace("\r\n", "\n").splitlines()
    assert "\x1b" not in plain and len(lines) == 21
    assert all(cell_len(line) <= columns for line in lines)
    for name in ("Proposal", "Title", "Target", "Instr", "Score", "Chance"):
        assert name in lines[0]
    assert "[red]Ev" in plain, "markup is text"
    assert "\x1b]8;" in text and "https://mast.stsci.edu/1" in text


def test_there_are_no_escapes_off_a_terminal(cache: Path) -> None:
    done = run(
        cache,
        "query",
        "spiral galaxy",
        "-k",
        "20",
        "--no-collapse",
        env={**os.environ, "COLUMNS": "100"},
    )
    assert "\x1b" not in done.stdout and not FORBIDDEN.search(done.stdout)
    assert len(done.stdout.splitlines()) == 21 and all(
        len(line) <= 100 for line in done.stdout.splitlines()
    )


@pytest.mark.parametrize("form", ["json", "jsonl", "csv", "votable", "ecsv"])
def test_other_forms_on_a_terminal_hold_no_raw_controls(cache: Path, form: str) -> None:
    text = on_terminal(
        cache, 80, "query", "spiral galaxy", "-k", "20", "--no-collapse", "--format", form
    )
    assert not re.search("[\x00-\x09\x0b\x0c\x0e-\x1f\x7f-\x9f\u202e]", text)


def test_a_reader_that_goes_is_no_error(cache: Path) -> None:
    for form in ("jsonl", "table", "csv"):
        with subprocess.Popen(
            program(cache, "--quiet", "query", "spiral galaxy", "-k", "20", "--format", form),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        ) as process:
            assert process.stdout is not None and process.stderr is not None
            process.stdout.close()
            assert (process.stderr.read(), process.wait()) == (b"", 0)


def test_lines_of_standard_input_are_queries(cache: Path) -> None:
    done = run(
        cache,
        "--quiet",
        "query",
        "-",
        "--format",
        "jsonl",
        "-k",
        "2",
        input="spiral galaxy\n\ndust\n",
    )
    hits = [json.loads(line) for line in done.stdout.splitlines()]
    assert [(hit["query"], hit["rank"]) for hit in hits] == [
        ("spiral galaxy", 1),
        ("spiral galaxy", 2),
        ("dust", 1),
        ("dust", 2),
    ]
    table = run(
        cache, "--quiet", "query", "-", "-k", "1", input="spiral galaxy\ndust\n"
    ).stdout.splitlines()
    assert (table[0], table[3]) == ("spiral galaxy", "dust") and len(table) == 6


def test_no_hits_are_an_answer_too(cache: Path) -> None:
    for form, expected in (("json", "[]\n"), ("jsonl", ""), ("table", "")):
        done = run(cache, "query", "dust", "--target", "nothing", "--format", form)
        assert (done.returncode, done.stdout) == (0, expected)
        assert done.stderr.startswith("no image meets --target nothing: the index has ")
    assert run(cache, "query", "dust", "--target", "nothing", "--format", "csv").stdout.startswith(
        "rank,query,score,percentile,p_chance,mission,"
    )


def test_texts_are_added(cache: Path) -> None:
    (hit,) = json.loads(
        run(
            cache,
            "query",
            "spiral",
            "galaxy",
            "--text",
            "dust lane",
            "--minus",
            "edge-on",
            "-k",
            "1",
            "--json",
        ).stdout
    )
    assert hit["query"] == "spiral galaxy + dust lane - edge-on"


def test_paths_copies_and_a_contact_sheet(cache: Path, tmp_path: Path) -> None:
    done = run(
        cache,
        "--quiet",
        "query",
        "dust",
        "-k",
        "3",
        "--paths",
        "--copy-to",
        str(tmp_path / "out"),
        "--html",
        str(tmp_path / "sheet.html"),
    )
    paths = [Path(line) for line in done.stdout.splitlines()]
    assert (
        done.returncode == 0
        and len(paths) == 3
        and all(path.is_absolute() and path.is_file() for path in paths)
    )
    assert len(list((tmp_path / "out").iterdir())) == 3
    assert (tmp_path / "sheet.html").read_text().count("<img") == 3


def test_pictures_are_for_terminals(cache: Path) -> None:
    text = on_terminal(cache, 80, "query", "spiral galaxy", "-k", "4", "--thumbnails")
    assert not FORBIDDEN.search(text) and text.count("▀") == 4 * 20 * 10
    done = run(cache, "--quiet", "query", "spiral galaxy", "-k", "4", "--thumbnails")
    assert (
        done.stdout == run(cache, "--quiet", "query", "spiral galaxy", "-k", "4").stdout
        and "\x1b" not in done.stdout
    )


def test_options_count_before_variables_before_the_file(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "config.toml"
    file.write_text('index = "default"\nk = 2\nthumbnails = true\n', encoding="utf-8")
    monkeypatch.setenv("PAPERCLIP_CONFIG", str(file))

    def found(*options: str) -> int:
        return len(run(cache, "query", "spiral galaxy", "--paths", *options).stdout.splitlines())

    def drawn(*options: str) -> int:
        return on_terminal(cache, 80, "query", "spiral galaxy", *options).count("▀") // 200

    assert (found(), drawn(), drawn("--no-thumbnails")) == (2, 2, 0)
    assert "\x1b" not in run(cache, "query", "spiral galaxy").stdout, "pictures in a pipe"
    monkeypatch.setenv("PAPERCLIP_K", "3")
    monkeypatch.setenv("PAPERCLIP_THUMBNAILS", "no")
    assert (found(), drawn(), drawn("--thumbnails")) == (3, 0, 3)
    assert (found("-k", "4"), found("-k", "2")) == (4, 2)
    monkeypatch.setenv("PAPERCLIP_INDEX", "another")
    assert (found(), found("--index", "default")) == (0, 3)


@pytest.mark.parametrize("has_sheet", [False, True])
def test_what_is_opened_is_the_sheet_or_the_first_page(
    cache: Path, tmp_path: Path, has_sheet: bool
) -> None:
    browser = tmp_path / "browser"
    browser.write_text(f'#!/bin/sh\nprintf %s "$1" > "{tmp_path}/address"\n')
    browser.chmod(0o755)
    sheet = ["--html", str(tmp_path / "sheet.html")] if has_sheet else []
    done = run(
        cache,
        "query",
        "dust",
        "--proposal",
        "1",
        "--json",
        "--open",
        *sheet,
        env={**os.environ, "BROWSER": f"{browser} %s"},
    )
    page = json.loads(done.stdout)[0].get("access_url")
    assert done.returncode == 0 and page == "https://mast.stsci.edu/1"
    assert (tmp_path / "address").read_text() == (
        (tmp_path / "sheet.html").as_uri() if has_sheet else page
    )


def test_samp_without_a_hub_is_one_line(cache: Path, tmp_path: Path) -> None:
    done = run(
        cache,
        "--quiet",
        "query",
        "dust",
        "--samp",
        "--json",
        env={**os.environ, "SAMP_HUB": f"std-lockurl:file://{tmp_path}/none"},
    )
    assert (done.returncode, done.stderr) == (
        1,
        "error: no SAMP hub is running\nhint: start TOPCAT, Aladin or DS9, then ask again\n",
    )
    assert json.loads(done.stdout), "the hits are there all the same"
    assert not (cache / "samp").exists()


def test_samp_says_who_took_it_and_who_did_not(cache: Path, tmp_path: Path) -> None:
    lockfile = tmp_path / "hub"
    environment = {**os.environ, "SAMP_HUB": address_of(lockfile)}
    with pytest.MonkeyPatch.context() as patch, private_hub(lockfile):
        patch.setenv("SAMP_HUB", environment["SAMP_HUB"])
        topcat = Taker("topcat")
        with running(topcat):
            done = run(cache, "query", "dust", "--samp", env=environment)
            assert done.returncode == 0 and done.stderr.endswith("sent to topcat\n")
            with running(Taker("full", answers="no")):
                done = run(cache, "query", "dust", "--samp", env=environment)
    assert done.returncode == 3
    assert done.stderr.endswith("sent to topcat\nfailed: full could not load the table: no room\n")
    assert [loaded["name"] for loaded in topcat.loaded] == ["dust", "dust"]


def test_a_bad_line_is_said_and_the_others_are_answered(cache: Path) -> None:
    asked = program(cache, "query", "-", "--minus", "star", "-k", "1", "--paths")
    done = subprocess.run(asked, capture_output=True, input=b"dust\n\xff \xe2\x98\x85\nstar\ngas\n")
    assert done.returncode == 3 and len(done.stdout.splitlines()) == 2
    said = [line for line in done.stderr.decode().splitlines() if line.startswith("failed")]
    assert said == [
        "failed: ? ★: the line is not text in UTF-8",
        "failed: star: the parts of the query cancel out",
    ]


def test_the_place_of_a_contact_sheet_is_said(cache: Path, tmp_path: Path) -> None:
    place = tmp_path / "sheet.html"
    asked = ("query", "spiral galaxy", "-k", "1", "--html", str(place))
    assert f"contact sheet in {place}" in run(cache, *asked).stderr.splitlines()
    assert run(cache, *asked, "--quiet").stderr == ""


def test_cones_are_asked_in_degrees_or_hours(cache: Path) -> None:
    by_degrees = run(
        cache, "query", "dust", "--near", "10 -55", "--radius", "20deg", "--json"
    ).stdout
    assert {hit["proposal_id"] for hit in json.loads(by_degrees)} == {1, 2}
    assert (
        run(
            cache,
            "query",
            "dust",
            "--near",
            "0:40:00 -55:00:00",
            "--radius",
            "1200arcmin",
            "--json",
        ).stdout
        == by_degrees
    )


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["query"], 2, "the query is empty"),
        (
            ["query", "x", "--near", "10 -55", "--radius", "2"],
            2,
            "--radius '2' is not an angle with a unit",
        ),
        (["query", "x", "--near", "400 0"], 2, "'400 0' is not a place on the sky"),
        (
            ["query", "x", "--near", "M 51"],
            1,
            "--offline: the position of 'M 51' cannot be looked up",
        ),
        (
            ["query", "x", "--weight", "1", "--weight", "2"],
            2,
            "--weight is given 2 times for 1 part of the query",
        ),
        (["query", "x", "-k", "0"], 2, "-k 0 is too small"),
        (["query", ""], 2, "a text of the query is empty"),
        (["query", "x", "--json", "--format", "csv"], 2, "--json is short for --format json"),
        (["query", "x", "--json", "--paths"], 2, "--paths prints paths alone"),
        (["query", "x", "--no-collapse", "--collapse", "proposal"], 2, "exclude each other"),
        (["doctor", "--json", "--format", "csv"], 2, "--json is short for --format json"),
        (["index", "--json"], 2, "--format json is for --status"),
        (["index", "--status", "--export", "x"], 2, "--status does not go with --export"),
        (
            ["query", "x", "--collapse", "all"],
            2,
            "'all' is not one of 'target', 'proposal', 'none'",
        ),
        (
            ["query", "x", "--proposal", "hst:1", "--mission", "jwst"],
            2,
            "--proposal names hst and --mission jwst",
        ),
        (["query", "x", "--cycle", "x"], 2, "--cycle 'x' is not a number"),
        (["query", "x", "--after", "yesterday"], 2, "--after 'yesterday' is not a date"),
        (["query", "x", "--index", "mine"], 1, "there is no index 'mine' (there are default)"),
        (["query", "x", "--index", "../default"], 1, "there is no index"),
        (
            ["query", "--image", "/nowhere.jpg"],
            1,
            "/nowhere.jpg: cannot be read: No such file or directory",
        ),
        (["index", "--index", "../out", "--model", "m"], 2, "cannot be the name of a index"),
        (["describe", "/nowhere.jpg", "--model", "m"], 2, "no model 'm'"),
    ],
)
def test_bad_input_is_one_line_and_a_hint(
    cache: Path, arguments: list[str], code: int, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.run(["--cache-dir", str(cache), "--offline", *arguments]) == code
    out, err = capsys.readouterr()
    assert (
        out == ""
        and err.startswith("error: ")
        and message in err
        and 1 <= len(err.splitlines()) <= 2
    )


def test_a_position_without_words_is_a_plain_cone_search(cache: Path) -> None:
    asked = ["query", "--near", "10 -55", "--radius", "25deg"]
    hits = json.loads(run(cache, *asked, "--json").stdout)
    angles = [hit["separation"] for hit in hits]
    assert len(hits) > 1 and angles == sorted(angles)
    assert {(hit["score"], hit["percentile"]) for hit in hits} == {(None, None)}
    shown = run(cache, *asked).stdout
    assert "Deg" in shown and "Score" not in shown and "Chance" not in shown
    for form in ("csv", "votable", "ecsv"):
        assert run(cache, *asked, "--format", form).stdout.count("within 1500 arcmin of 10 -55")
