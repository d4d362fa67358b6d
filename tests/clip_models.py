"""Small CLIP models for tests, and OpenAI's tokenizer."""

from __future__ import annotations

import dataclasses
import json
from importlib.metadata import files
from pathlib import Path
from typing import Any

import jax
import numpy as np

from paperclip_cli.images.view import View
from paperclip_cli.towers import clip, init, scratch, weights
from paperclip_cli.towers.config import ClipConfig, Extras
from paperclip_cli.towers.folder import ModelFolder
from paperclip_cli.towers.tokenizer import Tokenizer
from paperclip_cli.workspace import Manifest, write_manifest

CORPUS = (
    "The spiral galaxy NGC 1300 hosts young star clusters.",
    "Globular clusters are old stellar systems of the Galactic halo.",
    "We measure the ages of globular clusters and of the spiral galaxy's disk.",
    "Planetary nebulae trace the shocks and the dust.",
)
VOCABULARY = 49_408


def write_model(
    folder: Path,
    name: str = "tiny",
    seed: int = 0,
    view: View | None = None,
    card: dict | None = None,
) -> ModelFolder:
    """An untrained `scratch:tiny` (64 px) as `train` leaves it, manifest included."""
    made = scratch.new_model("scratch:tiny", CORPUS)
    described = ModelFolder(
        path=folder,
        name=name,
        config=made.config,
        view=view or View(size=made.config.vision.image_size),
        card=card or {},
    )
    weights.save(described, drawn(made, seed)[1], made.tokenizer, "# A test\n")
    write_manifest(folder, Manifest(stage="train", config={}))
    return ModelFolder.open(folder, name)


def build(config: ClipConfig, key: jax.Array) -> tuple[clip.Graph, clip.Params]:
    """A model with random weights (float32), drawn as `initial` says."""
    graph, shapes = clip.abstract(config)
    return graph, init.draw(shapes, config, key)


def drawn(made: scratch.NewModel, seed: int = 0) -> tuple[clip.Graph, clip.Params]:
    """The graph and the weights of a new model."""
    graph, shapes = clip.abstract(made.config)
    return graph, made.draw(shapes, jax.random.key(seed))


def add_heads(folder: ModelFolder, size: int = 24, bias: bool = True) -> ModelFolder:
    """Adds random heads and a sigmoid bias, as `train --train head --loss sigmoid` would."""
    params = weights.load(folder)[1] | init.draw_heads(
        folder.config, size, np.random.default_rng(5)
    )
    made = dataclasses.replace(folder, extras=Extras(size, bias))
    weights.save(
        made,
        params | ({"logit_bias": np.float32(-3.5)} if bias else {}),
        Tokenizer.load(folder),
        "# A test\n",
    )
    return ModelFolder.open(folder.path, folder.name)


def write_openai_tokenizer(folder: Path) -> None:
    """`vocab.json` and `merges.txt` with CLIP's 49,408 tokens.

    They are made from the list of merges inside instant-clip-tokenizer.
    """
    library = next(
        file
        for file in files("instant-clip-tokenizer") or ()
        if file.name.endswith((".so", ".pyd"))
    )
    _, _, merges = (
        Path(str(library.locate()))
        .read_bytes()
        .partition(b"bpe_simple_vocab_16e6.txt#version: 0.2\n")
    )
    symbols = [
        chr(code)
        for code in (*range(33, 127), *range(161, 173), *range(174, 256), *range(256, 324))
    ]
    pairs = [line.decode() for line in merges.split(b"\n", VOCABULARY - 514)[: VOCABULARY - 514]]
    tokens = [
        *symbols,
        *(symbol + "</w>" for symbol in symbols),
        *(pair.replace(" ", "") for pair in pairs),
        "<|startoftext|>",
        "<|endoftext|>",
    ]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "vocab.json").write_text(
        json.dumps({token: number for number, token in enumerate(tokens)}), encoding="utf-8"
    )
    (folder / "merges.txt").write_text(
        "#version: 0.2\n" + "\n".join(pairs) + "\n", encoding="utf-8"
    )


def random_torch_clip(
    text: dict[str, Any], vision: dict[str, Any], projection: int, seed: int = 0
) -> Any:
    """transformers' CLIPModel with every parameter random.

    That includes biases and norms, which its own initialisation leaves at 0 and 1.
    """
    import torch
    from transformers import CLIPConfig, CLIPModel

    torch.manual_seed(seed)
    model = CLIPModel(
        CLIPConfig(text_config=text, vision_config=vision, projection_dim=projection)
    ).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.05 * torch.randn_like(parameter))
    return model
