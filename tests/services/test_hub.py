"""What the Hub's client raises, in words; and names of repositories."""

from __future__ import annotations

import pytest

from paperclip_cli.errors import PaperclipError
from paperclip_cli.services import hub as services
from paperclip_cli.services.hub import first_line, is_commit, is_licence, is_repository, split_name
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


def test_a_hub_that_is_silent_is_not_waited_for(
    hub: HubStandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(services, "_TIMEOUT", 0.2)
    hub.put("org/x", {"a.txt": b"x"})
    hub.faults = [{"on": "GET", "do": "silent", "seconds": 1.0}]
    with pytest.raises(PaperclipError, match="org/x could not be looked up: "):
        services.find("org/x", None, ("model",))
