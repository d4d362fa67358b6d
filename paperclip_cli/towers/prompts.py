"""Embeddings of phrases, averaged over templates, and remembered while the model stays the same."""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from paperclip_cli.files import replace_file, sweep_folder
from paperclip_cli.towers.folder import ModelFolder, fingerprint
from paperclip_cli.towers.numpy_text_tower import TextTower
from paperclip_cli.workspace import Workspace


def embed_phrases(
    phrases: Sequence[str], templates: Sequence[str], model: ModelFolder, workspace: Workspace
) -> np.ndarray:
    """The mean embedding of each phrase over all `templates`, in which `{}` stands for it.

    float32 [N, D], each row of length 1. It is the mean of unit vectors, as CLIP's authors average
    prompts (Radford et al. 2021, section 3.1.4).
    """
    said = json.dumps([fingerprint(model, workspace), list(phrases), list(templates)])
    memo = workspace.root / "phrases" / f"{hashlib.sha256(said.encode()).hexdigest()[:32]}.npy"
    remembered = _recall(memo, (len(phrases), model.config.projection_dim))
    if remembered is not None:
        return remembered

    texts = [template.replace("{}", phrase) for template in templates for phrase in phrases]
    mean = TextTower.open(model).embed(texts).reshape(len(templates), len(phrases), -1).mean(axis=0)
    vectors = mean / np.linalg.norm(mean, axis=1, keepdims=True)

    file = io.BytesIO()
    np.save(file, vectors, allow_pickle=False)
    with contextlib.suppress(OSError):  # a cache that cannot be written costs time, not the answer
        replace_file(memo, file.getvalue())
        sweep_folder(memo.parent)
    return vectors


def _recall(memo: Path, shape: tuple[int, int]) -> np.ndarray | None:
    try:
        vectors = np.load(memo, allow_pickle=False)
    except (OSError, ValueError, EOFError):
        return None  # no memo, or a damaged one: the model is asked again
    fits = vectors.dtype == np.float32 and vectors.shape == shape
    return vectors if fits and np.isfinite(vectors).all() else None
