"""Phrases, averaged over templates and remembered."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from paperclip_cli.towers import prompts
from paperclip_cli.towers.folder import ModelFolder
from paperclip_cli.towers.numpy_text_tower import TextTower
from paperclip_cli.workspace import Workspace
from tests.clip_models import write_model

PHRASES, TEMPLATES = ("dust", "globular clusters", "spiral {} galaxy"), ("{}", "an image of {}")


def forget(monkeypatch: pytest.MonkeyPatch) -> None:
    """From here on the model cannot be asked."""
    monkeypatch.setattr(prompts, "TextTower", None)


def test_a_phrase_is_the_mean_over_its_templates(workspace: Workspace, tiny_model: Path) -> None:
    model = ModelFolder.open(tiny_model)
    found = prompts.embed_phrases(PHRASES, TEMPLATES, model, workspace)
    for phrase, vector in zip(PHRASES, found, strict=True):
        mean = TextTower.open(model).embed([phrase, f"an image of {phrase}"]).mean(axis=0)
        assert vector == pytest.approx(mean / np.linalg.norm(mean), abs=1e-6)


def test_they_are_remembered_while_nothing_changes(
    workspace: Workspace, tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = ModelFolder.open(tiny_model)
    first = prompts.embed_phrases(PHRASES, TEMPLATES, model, workspace)
    other = write_model(tmp_path / "other", seed=1)
    assert not np.allclose(prompts.embed_phrases(PHRASES, TEMPLATES, other, workspace), first)
    assert not np.allclose(prompts.embed_phrases(PHRASES, ("{}",), model, workspace), first)
    forget(monkeypatch)
    assert np.array_equal(prompts.embed_phrases(PHRASES, TEMPLATES, model, workspace), first)
    with pytest.raises(AttributeError):
        prompts.embed_phrases(PHRASES[::-1], TEMPLATES, model, workspace)


@pytest.mark.parametrize("damage", [b"", b"no array", None])
def test_a_damaged_memo_is_made_again(
    workspace: Workspace, tiny_model: Path, damage: bytes | None
) -> None:
    model = ModelFolder.open(tiny_model)
    first = prompts.embed_phrases(PHRASES, TEMPLATES, model, workspace)
    (memo,) = (workspace.root / "phrases").iterdir()
    if damage is None:
        np.save(memo, np.full_like(first, np.nan))
    else:
        memo.write_bytes(damage)
    assert np.array_equal(prompts.embed_phrases(PHRASES, TEMPLATES, model, workspace), first)
    assert np.array_equal(np.load(memo), first)
