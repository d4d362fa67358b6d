"""`config` as it is typed, and what other commands make of it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from paperclip_cli.archives.mast.http import CONTACT_VARIABLE
from paperclip_cli.cli import demo
from paperclip_cli.cli.app import run
from paperclip_cli.cli.config import ACTIONS
from paperclip_cli.cli.session import Session
from paperclip_cli.config import QueryConfig
from paperclip_cli.config.user import SETTINGS
from paperclip_cli.config.user_file import settings_path
from paperclip_cli.errors import ExitCode
from paperclip_cli.http.settings import KEYS
from paperclip_cli.workspace import Manifest, Workspace, write_manifest
from tests.factories import write_holes
from tests.standin.llm import llm_standin
from tests.standin.process import StandInProcess
from tests.test_layers import HEAVY, loaded_by

PROGRAM = [sys.executable, "-m", "paperclip_cli"]
VARIABLES = {one.name: one.variable for one in SETTINGS}
GOOD = {
    "index": "mine",
    "k": "20",
    "thumbnails": "true",
    "llm": "org/name",
    "base-url": "http://localhost:8080/v1",
    "contact": "me@example.org",
}
BAD = {
    "index": "../mine",
    "k": "0",
    "thumbnails": "perhaps",
    "llm": " ",
    "base-url": "http://me:hidden@host",
    "contact": "mé",
}


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the settings are kept; nothing else says any."""
    for variable in VARIABLES.values():
        monkeypatch.setenv(variable, "")  # as if it were not there
    path = tmp_path / "settings" / "config.toml"
    monkeypatch.setenv("PAPERCLIP_CONFIG", str(path))
    monkeypatch.setenv("PAPERCLIP_CACHE_DIR", str(tmp_path / "cache"))
    return path


def listed(capsys: pytest.CaptureFixture[str]) -> dict[str, tuple]:
    capsys.readouterr()
    assert run(["config", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    return {row["name"]: (row["value"], row["source"], row["place"]) for row in rows}


@pytest.mark.parametrize("name", GOOD)
def test_set_get_unset(name: str, file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    default = listed(capsys)[name]
    assert default[1:] == ("default", None)
    assert run(["config", "unset", name]) == 0 and not file.exists()
    assert run(["config", "set", name, GOOD[name]]) == 0
    capsys.readouterr()
    assert run(["config", "get", name]) == 0
    assert capsys.readouterr().out == f"{GOOD[name]}\n"
    assert listed(capsys)[name][1:] == ("file", str(file))
    written = file.read_bytes()

    assert run(["config", "set", name, BAD[name]]) == ExitCode.USAGE
    error, hint = capsys.readouterr().err.splitlines()
    assert error.startswith(f"error: {name} ") and hint.startswith("hint: ")
    assert "hidden" not in error
    assert file.read_bytes() == written, "a wrong value was written"

    assert run(["config", "unset", name]) == 0
    assert listed(capsys)[name] == default


def test_the_defaults_are_those_of_the_commands(
    file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    values = {name: found[0] for name, found in listed(capsys).items()}
    assert values == {**dict.fromkeys(GOOD), "k": QueryConfig.k, "thumbnails": False}
    assert run(["config", "get", "llm"]) == ExitCode.ERROR
    assert capsys.readouterr().err.startswith("error: llm is not set\n")
    assert VARIABLES["contact"] == CONTACT_VARIABLE


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["get", "idnex"], "did you mean 'index'?"),
        (["set", "base_url", "http://x"], "did you mean 'base-url'?"),
        (["set", "openai-api-key", "sk-1"], "keys and tokens are never kept"),
        (["set", "hf_token", "sk-1"], "keys and tokens are never kept"),
        (["set", "cache-dir", "x"], "export PAPERCLIP_CACHE_DIR"),
        (["--json", "get", "k"], "--format is for the list"),
        (["unset", "colour"], "there is no setting 'colour'"),
    ],
)
def test_what_is_no_setting(
    words: list[str], said: str, file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["config", *words]) == ExitCode.USAGE
    err = capsys.readouterr().err
    assert said in err and len(err.splitlines()) == 2 and "sk-1" not in err
    assert "never kept" not in said or all(key in err for key in KEYS)
    assert not file.exists()


def typed(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*PROGRAM, *words], capture_output=True, text=True, env=os.environ | environment
    )


def kept(file: Path, text: str | bytes) -> None:
    file.parent.mkdir(exist_ok=True)
    file.write_bytes(text if isinstance(text, bytes) else text.encode("utf-8"))


def test_help_shows_what_is_set_and_no_other_command_changes(file: Path) -> None:
    kept(file, "k = 7\n")
    assert "[default: 7]" in typed("query", "--help").stdout
    assert "[default: 8]" in typed("query", "--help", PAPERCLIP_K="8").stdout
    assert "[default: 7]" in typed("query", "--help", PAPERCLIP_K="").stdout
    assert "[default: 4]" in typed("describe", "--help", PAPERCLIP_K="8").stdout
    assert "-k 0 is too small" in typed("query", "dust", "-k", "0", PAPERCLIP_K="8").stderr
    wrong = typed("query", "dust", PAPERCLIP_K="many")
    assert wrong.stderr.splitlines()[0] == "error: PAPERCLIP_K 'many' is not a whole number"


def test_an_index_that_is_not_there_is_blamed_on_the_settings(
    file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    kept(file, 'index = "mine"\n')
    for words in (["query", "dust"], ["cite"]):
        assert run(words) == ExitCode.ERROR
        assert "and your settings name it" in capsys.readouterr().err
        assert run([*words, "--index", "other"]) == ExitCode.ERROR
        assert "settings" not in capsys.readouterr().err


def test_a_model_is_for_backends_that_use_one(
    file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_holes(Workspace(tmp_path / "cache"), 2)
    with llm_standin() as server:
        server.models = ["stand-in", "another"]
        kept(file, f'llm = "another"\nbase-url = "{server.url}"\n')
        assert run(["summarize"]) == run(["summarize", "--report"]) == 0
        assert not server.asked, "keywords asks no server"
        assert run(["summarize", "--backend", "openai"]) == 0
        typed = ["--llm", "stand-in", "--base-url", server.url, "--set", "typed"]
        os.environ["OPENAI_BASE_URL"] = "http://127.0.0.1:9/v1"  # the fixture puts it back
        assert run(["summarize", "--backend", "openai", *typed]) == 0
        assert [one["model"] for one in server.asked] == ["another"] * 2 + ["stand-in"] * 2

    capsys.readouterr()
    assert run(["summarize", "--llm", "x"]) == ExitCode.USAGE
    assert "--llm does not go with" in capsys.readouterr().err
    assert run(["evaluate"]) == ExitCode.ERROR
    assert "--judge" not in capsys.readouterr().err


def test_a_variable_that_others_read_is_theirs_to_refuse(
    file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """OPENAI_BASE_URL may be meant for another program. Its password is not shown."""
    monkeypatch.setenv("OPENAI_BASE_URL", "https://me:hidden@host/v1?key=hidden")
    assert run(["summarize", "--show"]) == ExitCode.ERROR
    assert "OPENAI" not in capsys.readouterr().err
    value, *place = listed(capsys)["base-url"]
    assert place == ["environment", "OPENAI_BASE_URL"]
    assert "host" in value and "hidden" not in value


def test_the_archive_gets_the_contact(
    file: Path, mast: StandInProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    fetch = ["fetch", "--proposal", "15001", "--dry-run", "--catalog", f"{mast.url}/abstracts.cat"]
    monkeypatch.setenv("PAPERCLIP_CONTACT", "")
    kept(file, 'contact = "me@example.org"\n')
    assert run(fetch) == 0
    agents = {entry["agent"] for entry in mast.log()}
    assert agents and all("me@example.org" in agent for agent in agents)
    before = len(mast.log())
    monkeypatch.setenv("PAPERCLIP_CONTACT", "you@example.org")
    assert run([*fetch, "--refresh"]) == 0
    agents = {entry["agent"] for entry in mast.log()[before:]}
    assert agents and all("you@example.org" in agent for agent in agents)


FAULTS = {
    "# mine\nk = = 5\n": "line 2: k: this is not TOML",
    "\nindex = mine\n": "line 2: index: this is not TOML",
    'contact = """me\nk = 5\n': "this is not TOML",
    "k = 5\nk = 6\n": "line 2: k: it is set twice",
    "k = '5'\n": "line 1: k '5' is not a whole number",
    "k = true\n": "line 1: k True is not a whole number",
    "thumbnails = 1\n": "line 1: thumbnails 1 is not true or false",
    "llm = 5\n": "line 1: llm 5 is not a text",
    "#\n#\nidnex = 'x'\n": "line 3: there is no setting 'idnex'; did you mean 'index'?",
    "k = 5\n[query]\nx = 3\n": "line 2: there is no setting 'query'",
    "base-url = 'http://me:hidden@h'\n": "line 1: base-url http://...@h is not the URL of a server",
    "api-key = 'hidden'\n": "line 1: 'api-key' is not a setting",
    f"k = {'[' * 10_000}": "this is not TOML",
    b"k = 5\nllm = '\xe9'\n": "line 2: this is not UTF-8",
}


@pytest.mark.parametrize("text", FAULTS)
def test_a_faulty_file_is_one_line_and_a_damaged_one_is_not_edited(
    text: str | bytes, file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    kept(file, text)
    for words in (["query", "dust"], ["summarize", "--show"], ["config"], ["config", "get", "k"]):
        assert run(words) == ExitCode.ERROR
        error, hint = capsys.readouterr().err.splitlines()
        assert error.startswith(f"error: {file}") and f" {FAULTS[text]}" in error
        assert hint.startswith("hint: ") and "hidden" not in error + hint
    for words in (["query", "--help"], ["--version"], ["config", "path"], ["cache", "path"]):
        assert run(words) == 0
    assert run(["doctor", "--quiet"]) == ExitCode.ERROR
    assert "What to do:" in capsys.readouterr().out

    is_damaged = FAULTS[text].endswith(("TOML", "twice", "UTF-8"))
    before = file.read_bytes()
    for words, is_set in ((["set", "k", "3"], True), (["unset", "k"], False)):
        assert run(["config", *words]) == (ExitCode.ERROR if is_damaged else ExitCode.OK)
        if is_damaged:
            error, hint = capsys.readouterr().err.splitlines()
            assert FAULTS[text] in error and hint.startswith(("hint: edit it", "hint: save"))
            assert file.read_bytes() == before
        else:
            assert ("k = 3" in file.read_text(encoding="utf-8")) == is_set


def test_what_is_no_file(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file.mkdir(parents=True)
    assert run(["query", "dust"]) == run(["config", "set", "k", "3"]) == ExitCode.ERROR
    first, _, second, _ = capsys.readouterr().err.splitlines()
    assert "cannot be read: Is a directory" in first and second.endswith("is not a file")
    null = typed("config", "set", "k", "3", PAPERCLIP_CONFIG=os.devnull)
    assert null.returncode == 1 and Path(os.devnull).is_char_device()
    assert "[default: 10]" in typed("query", "--help", PAPERCLIP_CONFIG=os.devnull).stdout
    endless = typed("query", "dust", PAPERCLIP_CONFIG="/dev/zero")
    assert endless.stderr.startswith("error: /dev/zero is too large")


def test_a_table_is_not_edited(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    kept(file, "[k]\nx = 1\n")
    assert run(["config", "set", "k", "3"]) == ExitCode.ERROR
    assert "edit it by hand" in capsys.readouterr().err
    assert file.read_text(encoding="utf-8") == "[k]\nx = 1\n"


def test_a_link_its_mode_and_a_byte_order_mark_stay(file: Path, tmp_path: Path) -> None:
    target = tmp_path / "dotfiles.toml"
    target.write_bytes(b"\xef\xbb\xbfk = 4 # few\r\n")
    target.chmod(0o600)
    file.parent.mkdir()
    file.symlink_to(target)
    assert run(["config", "set", "k", "3"]) == 0
    assert file.is_symlink() and target.read_bytes() == b"\xef\xbb\xbfk = 3 # few\r\n"
    assert target.stat().st_mode & 0o777 == 0o600
    assert run(["config", "get", "k"]) == 0
    assert [path.name for path in file.parent.iterdir()] == ["config.toml"], "leftovers"


def test_sets_at_once_lose_nothing(file: Path) -> None:
    started = [
        subprocess.Popen([*PROGRAM, "--quiet", "config", "set", name, value])
        for name, value in GOOD.items()
    ]
    assert [process.wait() for process in started] == [0] * len(GOOD)
    found = json.loads(typed("config", "--json").stdout)
    assert {row["source"] for row in found} == {"file"}


def test_a_variable_that_counts_instead_is_said(
    file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PAPERCLIP_K", "9")
    assert run(["config", "set", "k", "3"]) == 0
    assert "PAPERCLIP_K is set in the environment, and counts instead" in capsys.readouterr().err
    assert run(["-q", "config", "set", "k", "4"]) == 0
    assert capsys.readouterr().err == ""
    assert run(["doctor", "-q", "--json"]) in (ExitCode.OK, ExitCode.ERROR)
    checks = json.loads(capsys.readouterr().out)
    (check,) = [check for check in checks if check["topic"] == "settings"]
    assert check["found"] == f"{file} (PAPERCLIP_K)" and check["state"] == "ok"


def test_a_path_that_holds_in_one_folder_only_is_said(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "model.gguf").touch()
    for name, is_said in (("model.gguf", True), (str(tmp_path / "model.gguf"), False)):
        assert run(["config", "set", "llm", name]) == 0
        assert ("write it in full" in capsys.readouterr().err) == is_said


def test_the_demo_is_of_nobody_s_settings(
    file: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    kept(file, 'index = "mine"\nk = 2\n')
    monkeypatch.setenv("PAPERCLIP_K", "3")
    seen = tmp_path / "seen"
    code = f"import os; open({str(seen)!r}, 'w').write(str(sorted(os.environ)))"
    monkeypatch.setattr(demo, "_PROGRAM", (sys.executable, "-c", code))
    here = Session(cache_dir=None, offline=True, verbose=False, quiet=True)
    demo._run(here, tmp_path, ["query"])
    assert "PAPERCLIP_K" not in seen.read_text() and "PAPERCLIP_CONFIG" in seen.read_text()


def test_the_place_is_platformdirs_s(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    import platformdirs

    monkeypatch.delenv("PAPERCLIP_CONFIG", raising=False)
    for home in ("", str(tmp_path)):
        monkeypatch.setenv("XDG_CONFIG_HOME", home)
        folder = platformdirs.user_config_path("paperclip", appauthor=False)
        assert settings_path() == folder / "config.toml"


@pytest.mark.parametrize("action", ACTIONS)
def test_every_action_has_help_with_an_example(
    action: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["config", action, "--help"]) == 0
    shown = capsys.readouterr().out
    assert f"Example: paperclip config {action}" in shown.splitlines()[-1]
    assert action == "path" or all(name in shown for name in VARIABLES)


@pytest.mark.parametrize(
    ("line", "offered"),
    [("get in", ["index"]), ("set thumbnails ", ["false", "true"]), ("set index ", ["one"])],
)
def test_completion(line: str, offered: list[str], file: Path, tmp_path: Path) -> None:
    write_manifest(Workspace(tmp_path / "cache").index("one"), Manifest(stage="index", config={}))
    words = f"paperclip config {line}"
    done = typed(
        _PAPERCLIP_COMPLETE="complete_bash",
        COMP_WORDS=words,
        COMP_CWORD=str(len(words.split(" ")) - 1),
    )
    assert done.stdout.split() == offered, done.stderr


def test_nothing_heavy_is_loaded_and_no_parser_without_a_file(file: Path) -> None:
    code = "from paperclip_cli.cli.app import run\nassert run({}) == {}"
    assert not (HEAVY | {"tomllib"}) & loaded_by(code.format(["query", "--help"], 0))
    kept(file, "k = 5\n")
    assert not HEAVY & loaded_by(code.format(["config", "get", "k"], 0))
