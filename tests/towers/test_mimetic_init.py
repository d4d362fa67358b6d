"""Initial attention that resembles trained attention."""

from __future__ import annotations

import numpy as np
import pytest

from paperclip_cli.towers.mimetic_init import begin_attention

LAYERS, WIDTH = 2, 48


@pytest.mark.parametrize("heads", [1, 2, 4])
def test_queries_go_with_keys_and_values_against_the_output(heads: int) -> None:
    rest = {"norm_1": {"scale": np.ones((LAYERS, WIDTH))}}
    empty = {
        "qkv": {
            "kernel": np.zeros((LAYERS, WIDTH, 3 * WIDTH)),
            "bias": np.ones((LAYERS, 3 * WIDTH)),
        },
        "out": {"kernel": np.zeros((LAYERS, WIDTH, WIDTH))},
    }
    blocks = begin_attention({**rest, **empty}, heads, np.random.default_rng(0))
    assert blocks["norm_1"] is rest["norm_1"] and (blocks["qkv"]["bias"] == 1).all()
    size = WIDTH // heads
    for qkv, out in zip(
        np.asarray(blocks["qkv"]["kernel"]), np.asarray(blocks["out"]["kernel"]), strict=True
    ):
        query, key, value = np.split(qkv, 3, axis=1)
        assert np.diagonal(value @ out).mean() == pytest.approx(-0.4, abs=0.05)
        assert (value @ out - np.diag(np.diagonal(value @ out))).std() == pytest.approx(
            0.4 / np.sqrt(WIDTH), rel=0.1
        )
        for first in range(0, WIDTH, size):
            head = slice(first, first + size)
            product = query[:, head] @ key[:, head].T
            assert np.linalg.matrix_rank(product, tol=1e-4) == size
            # A head of full rank has the whole diagonal; a smaller one as much of it as its rank
            # allows.
            assert np.trace(product) > 0.7 * size * (0.9 if heads == 1 else 1.0)
