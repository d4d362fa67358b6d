"""`show`: the texts, summaries and images of a proposal, wherever the cache has them."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from astropy.time import Time

from paperclip_cli.cli.app import run as paperclip
from paperclip_cli.config import IndexConfig, ShowConfig, SummarizeConfig
from paperclip_cli.errors import PaperclipError, UsageError
from paperclip_cli.previews.records import read_previews, read_proposals, stored_path
from paperclip_cli.records import Key
from paperclip_cli.stages import index, show, summarize
from paperclip_cli.workspace import Workspace
from tests.factories import write_fetched
from tests.small_indexes import towers

KEY = Key("hst", 2)


@pytest.fixture
def fetched(workspace: Workspace) -> Workspace:
    write_fetched(workspace, "hst", proposals=4)
    return workspace


def test_what_was_fetched_and_summarized(fetched: Workspace) -> None:
    summarize.run(SummarizeConfig(), fetched)
    one, two = show.run(ShowConfig(("hst:2", " HST:3 ", "hst:2")), fetched)
    assert one.proposal == read_proposals(fetched, ["hst"])[KEY] and two.proposal.proposal_id == 3
    previews = [one for one in read_previews(fetched, ["hst"]) if one.key == KEY]
    assert one.images == {
        str(fetched.root / stored_path(preview)): preview.observation for preview in previews
    }
    assert set(one.summaries) <= {"keywords"} and "id=2" in one.page


def test_an_index_alone_will_do(fetched: Workspace, tiny_model: Path) -> None:
    before = show.run(ShowConfig(("hst:2",)), fetched)
    index.run(IndexConfig(model=str(tiny_model)), fetched, **towers())  # type: ignore[arg-type]
    shutil.rmtree(fetched.proposals("hst"))
    assert show.run(ShowConfig(("hst:2",)), fetched) == before


def test_what_is_wrong(fetched: Workspace, workspace: Workspace) -> None:
    for text in ("", "15354", "hst:", "hst:x", "hst 2"):
        with pytest.raises(UsageError, match="proposal"):
            show.run(ShowConfig((text,)), fetched)
    with pytest.raises(UsageError, match="no proposal is given"):
        show.run(ShowConfig(), fetched)
    for key in ("hst:99", "jwst:2"):
        with pytest.raises(PaperclipError, match=f"nothing of proposal {key} is in the cache"):
            show.run(ShowConfig((key,)), fetched)


def test_what_is_printed(
    fetched: Workspace, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    command = ["--cache-dir", str(fetched.root), "show", "hst:2"]
    assert paperclip(command) == 0
    text = capsys.readouterr().out
    (shown,) = show.run(ShowConfig(("hst:2",)), fetched)
    assert " ".join(shown.proposal.abstract.split()) in " ".join(text.split())
    for path, observation in shown.images.items():
        assert f"{path}\n" in text
        if observation.t_min is not None:
            assert Time(observation.t_min, format="mjd").strftime("%Y-%m-%d") in text
    assert max(len(line) for line in text.splitlines() if not line.startswith("/")) <= 80

    assert paperclip([*command, "--json"]) == 0
    (data,) = json.loads(capsys.readouterr().out)
    assert data["abstract"] == shown.proposal.abstract and data["access_url"] == shown.page
    assert [one["image"] for one in data["images"]] == [*shown.images]
