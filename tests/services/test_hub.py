"""What the Hub's client raises, in words; and names of repositories."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from paperclip_cli.errors import PaperclipError
from paperclip_cli.services import hub as services
from paperclip_cli.services.hub import first_line, is_commit, is_licence, is_repository, split_name
from tests.foreign_datasets import rows, write_parquet
from tests.standin.hub import HubStandIn

COMMIT = "0123456789abcdef" * 2 + "01234567"


def test_names_revisions_and_licences() -> None:
    assert split_name("org/name@refs/pr/4") == ("org/name", "refs/pr/4")
    assert split_name("org/name") == ("org/name", None)
    with pytest.raises(ValueError, match="not a Hub name"):
        split_name("name")
    assert is_repository("org/name") and not is_repository("org/name@v1")
    assert is_commit(COMMIT) and not is_commit(COMMIT[:7]) and not is_commit(None)
    assert is_licence("cc-by-4.0") and not is_licence("my own") and not is_licence(["mit"])
    assert not is_licence("\x1b[31m")


def test_what_a_repository_holds(hub: HubStandIn) -> None:
    card = b"---\nlicense: mit\n---\n"
    commit = hub.put("org/x", {"README.md": card, "a.safetensors": b"abc"}, private=True)
    found = services.look("org/x", None, "model")
    assert found is not None and (found.commit, found.licence) == (commit, "mit")
    assert found.is_private and found.files["README.md"].size == len(card)
    assert found.files["a.safetensors"].sha256 and found.files["README.md"].git
    assert services.look("org/x", None, "dataset", may_be_missing=True) is None
    assert services.address("org/x", "dataset") == f"{hub.url}/datasets/org/x"


def refusal(hub: HubStandIn, status: int, **headers: str) -> PaperclipError:
    hub.put("org/x", {"a.txt": b"x"})
    hub.faults = [{"on": "GET", "do": "status", "status": status, "headers": headers}]
    with pytest.raises(PaperclipError) as caught, services.told("org/x", None, "not there"):
        services.look("org/x", None, "model")
    return caught.value


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        (403, "the token does not allow it"),
        (412, "somebody else changed the repository in the meantime"),
        (429, "the Hub asks for a pause (HTTP 429)"),
        (503, "the Hub fails (HTTP 503)"),
    ],
)
def test_a_status_is_a_reason_in_words(hub: HubStandIn, status: int, reason: str) -> None:
    assert refusal(hub, status).message == f"org/x could not be downloaded: {reason}"


def test_what_the_hub_says_is_passed_on_without_control_characters(hub: HubStandIn) -> None:
    said = "Storage limit reached \x1b[31m"
    message = refusal(hub, 400, **{"X-Error-Message": said}).message
    assert message == "org/x could not be downloaded: Storage limit reached  [31m"
    assert first_line(OSError()) == "OSError" and len(first_line(OSError("x" * 999))) == 200


@pytest.mark.parametrize(
    ("instead", "hint"),
    [
        ("", "check the name, or log in if it is private"),
        ("use a folder", "check the name, log in if it is private, or use a folder"),
    ],
)
def test_a_repository_that_is_not_seen_may_be_private(
    hub: HubStandIn, instead: str, hint: str
) -> None:
    told = services.told("org/x", None, "not there", instead=instead)
    with pytest.raises(PaperclipError) as caught, told:
        services.look("org/x", None, "model")
    assert (caught.value.message, caught.value.hint) == ("org/x: not there", hint)


def test_a_hub_that_is_silent_is_not_waited_for(
    hub: HubStandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(services, "_TIMEOUT", 0.2)
    hub.put("org/x", {"a.txt": b"x"})
    hub.faults = [{"on": "GET", "do": "silent", "seconds": 1.0}]
    with pytest.raises(PaperclipError, match="org/x could not be looked up: "):
        services.find("org/x", None, ("model",))


# What tqdm sees in the kernel of a notebook, without ipywidgets.
KERNEL = """
import contextlib, sys, types
from pathlib import Path
sys.modules |= {name: types.ModuleType(name) for name in ("ipykernel.zmqshell", "IPython")}
sys.modules["IPython"].get_ipython = lambda: None
sys.modules["ipywidgets"] = None
from paperclip_cli.errors import PaperclipError
from paperclip_cli.progress import SilentProgress
from paperclip_cli.workspace import Workspace
"""
LANGUAGE_MODEL = """
from paperclip_cli.summaries.llm.outlines import TransformerWriter
from paperclip_cli.summaries.llm.prompt import PLACE, Prompt
(empty := Path(sys.argv[1]) / "empty").mkdir()
(empty / "config.json").write_text("{}")
writer = TransformerWriter(empty, "empty", Prompt.parse(PLACE), 1, 4096)
with contextlib.suppress(PaperclipError):
"""


def in_a_kernel(code: str, folder: Path) -> str:
    """What some code writes on stderr. It must import tqdm, which is what could warn."""
    code = f"{KERNEL}{code}\nassert 'tqdm.auto' in sys.modules"
    done = subprocess.run(
        [sys.executable, "-c", code, str(folder)], capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    return done.stderr


def test_tqdm_warns_in_this_kernel(tmp_path: Path) -> None:
    assert "IProgress not found" in in_a_kernel("import tqdm.auto", tmp_path)


@pytest.mark.parametrize(
    "code",
    [
        "from paperclip_cli.services.hub import in_clients_cache\n"
        "assert in_clients_cache('org/none', None, 'model', ()) is None",
        "from paperclip_cli.services.hub import bars_on_a_terminal_only as bars\nwith bars(): pass",
        "from paperclip_cli.dataset.columns import Wanted\n"
        "from paperclip_cli.dataset.imported import open_dataset\n"
        "cache = Workspace(Path(sys.argv[1]) / 'cache', offline=True)\n"
        "open_dataset(str(Path(sys.argv[1]) / 'made'), Wanted(), cache, SilentProgress())",
    ],
    ids=["client", "bars", "datasets"],
)
def test_no_library_warns_of_bars_in_a_notebook(code: str, tmp_path: Path) -> None:
    write_parquet(tmp_path / "made", train=rows(0, 2))
    assert in_a_kernel(code, tmp_path) == ""
