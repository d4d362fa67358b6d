"""`cite`: the proposals and the model to acknowledge."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from paperclip_cli.config import CiteConfig, IndexConfig
from paperclip_cli.errors import MissingStage, UsageError
from paperclip_cli.output import citations
from paperclip_cli.stages import cite, index
from paperclip_cli.workspace import Workspace
from tests.factories import write_fetched


def test_all_that_was_fetched(workspace: Workspace) -> None:
    write_fetched(workspace, "hst", proposals=3)
    write_fetched(workspace, "jwst", proposals=1)
    debts = cite.run(CiteConfig(), workspace)
    assert debts.programs == {"hst": (1, 2, 3), "jwst": (1,)} and debts.model is None
    text = citations.plain(debts.programs, debts.model)
    assert (
        "NASA/ESA Hubble Space Telescope" in text
        and "NAS 5-26555" in text
        and "programs 1, 2, 3." in text
    )
    assert "James Webb Space Telescope" in text and "NAS 5-03127" in text and "program 1." in text
    assert (
        "2403.08851" in text
        and "astroquery" in text
        and "paperclip-cli" in text
        and "\nModel\n" not in text
    )


def test_nothing_to_cite(workspace: Workspace) -> None:
    with pytest.raises(MissingStage):
        cite.run(CiteConfig(), workspace)


def test_some_hits(workspace: Workspace, tmp_path: Path) -> None:
    (tmp_path / "hits.json").write_text(
        json.dumps([{"mission": "hst", "proposal_id": 7}, {"mission": "hst", "proposal_id": 5}])
    )
    assert cite.run(
        CiteConfig(hits=(str(tmp_path / "hits.json"), "jwst:9")), workspace
    ).programs == {"hst": (5, 7), "jwst": (9,)}
    assert cite.run(CiteConfig(hits=()), workspace).programs == {}, "no hits are not all hits"
    with pytest.raises(UsageError, match="does not name its proposal"):
        cite.run(CiteConfig(hits=("hst_15001_01_acs_wfc_total_j00101",)), workspace)


def test_an_index_names_its_model_and_licence(workspace: Workspace, tiny_model: Path) -> None:
    write_fetched(workspace, "hst", proposals=2, side=32)
    index.run(IndexConfig(model=str(tiny_model)), workspace)
    debts = cite.run(CiteConfig(), workspace)
    assert debts.programs == {"hst": (1, 2)} and re.fullmatch(
        r".*tiny \(licence: see its model card\)", debts.model or ""
    )
    with pytest.raises(MissingStage, match="no index 'other'"):
        cite.run(CiteConfig(indexes=("other",)), workspace)


def test_bibtex_is_well_formed() -> None:
    text = citations.bibtex(
        {"hst": (15354, 12577), "sim": (1,), "local": (3,)}, "tiny (licence: mit)"
    )
    entries = re.findall(r"^@(\w+)\{(\w+),$", text, re.MULTILINE)
    assert entries == [
        ("article", "paperclip2024"),
        ("article", "clip2021"),
        ("article", "astroquery2019"),
        ("software", "paperclip_cli"),
    ]
    assert text.count("{") == text.count("}")
    assert all(words in text for words in ("% ", "12577, 15354", "simulated", "keep the terms"))
    outside = re.sub(r"^@.*?^\}", "", text, flags=re.MULTILINE | re.DOTALL)
    assert all(line.startswith("%") for line in outside.splitlines() if line)
