"""The tables of `evaluate` in a narrow terminal."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from paperclip_cli.config.evaluation import DIRECTIONS, PAPER_BATCH
from paperclip_cli.dataset import paper
from paperclip_cli.evaluation.retrieval import Embeddings
from paperclip_cli.evaluation.table import MODEL, Contestant, Seen, results
from paperclip_cli.output import scores


@pytest.mark.parametrize("width", [80, 200])
def test_everything_can_be_read(
    width: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    random, places = np.random.default_rng(0), np.arange(310)
    images, texts = random.standard_normal((2, 310, 8)).astype(np.float32)
    found = Embeddings(images, texts, caption=places, proposal=places)
    contestant = Contestant(
        name="default", role=MODEL, found=found, trained_on=places < 0, scale=1.0
    )
    pairs = [SimpleNamespace(seen_sky=place % 2 == 0, seen_text=False) for place in places]
    rows = results(contestant, Seen(pairs), PAPER_BATCH, DIRECTIONS)  # type: ignore[arg-type]
    scores.show(rows, None, "test", "table")
    lines = capsys.readouterr().out.splitlines()
    assert all(len(line) <= width and "…" not in line for line in lines)
    for name, value in paper.TOP_10.items():
        assert sum(line.startswith(name) and f"{value:.3f}" in line for line in lines) == 1
