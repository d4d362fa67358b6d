"""Fixtures shared by the tests of several stages."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture
def model(tiny_model: Path) -> str:
    """The path of an untrained `scratch:tiny`, as given to `--model`."""
    return str(tiny_model)
