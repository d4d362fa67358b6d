"""Fixtures that several test modules share."""

from __future__ import annotations

from pathlib import Path

import pytest

from paperclip_cli.workspace import Workspace

REPOSITORY = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def real_sample() -> Path:
    """Real images and texts, kept beside the repository; without them the tests that want them are skipped."""
    folder = REPOSITORY.parent / "shared" / "real-sample"
    if not folder.is_dir():
        pytest.skip("no real sample beside the repository")
    return folder


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    """An empty cache that may not use the network."""
    return Workspace(tmp_path / "cache", offline=True)
