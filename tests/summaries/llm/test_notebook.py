"""The libraries of language models do not warn of missing ipywidgets in a notebook."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.services.test_hub import LANGUAGE_MODEL, in_a_kernel


@pytest.mark.parametrize("step", ["count('a star')", "room", "prepare()"])
def test_no_library_of_language_models_warns_of_bars(step: str, tmp_path: Path) -> None:
    assert in_a_kernel(f"{LANGUAGE_MODEL}    writer.{step}", tmp_path) == ""
