"""What the tests of several stages share."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture
def model(tiny_model: Path) -> str:
    """An untrained `scratch:tiny`, as `--model` names it."""
    return str(tiny_model)
