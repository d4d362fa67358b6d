"""The NumPy tower is the Flax tower."""

from __future__ import annotations

import dataclasses
import shutil
import subprocess
import sys
from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from paperclip_cli.errors import PaperclipError
from paperclip_cli.towers import clip, numpy_text_tower, weights
from paperclip_cli.towers.folder import ModelFolder
from paperclip_cli.towers.numpy_text_tower import TextTower
from paperclip_cli.towers.tokenizer import Tokenizer
from tests.clip_models import CORPUS, add_heads, write_model

TEXTS = [*CORPUS, "", "galaxy mergers", "dust", "Stars!", "two <|endoftext|> ends", "galaxy " * 200]


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> ModelFolder:
    """A tiny model whose biases and norms are random too."""
    folder = write_model(tmp_path_factory.mktemp("models") / "tiny")
    rng = np.random.default_rng(0)
    found = load_file(folder.path / "model.safetensors")
    save_file(
        {
            name: np.asarray(array + rng.normal(0, 0.05, array.shape), np.float32)
            for name, array in found.items()
        },
        folder.path / "model.safetensors",
    )
    return folder


def flax_embeddings(folder: ModelFolder, texts: list[str]) -> np.ndarray:
    graph, params = weights.load(folder)
    ids = Tokenizer.load(folder).batch(texts, folder.config.text.max_position_embeddings)
    return np.asarray(clip.text_embeddings(graph, params, jnp.asarray(ids)))


@pytest.mark.parametrize("activation", ["quick_gelu", "gelu"])
@pytest.mark.parametrize("legacy", [False, True], ids=["first-end-token", "highest-id"])
def test_both_towers_agree(tiny: ModelFolder, activation: str, legacy: bool) -> None:
    text = dataclasses.replace(
        tiny.config.text, hidden_act=activation, **({"eos_token_id": 2} if legacy else {})
    )
    folder = dataclasses.replace(tiny, config=dataclasses.replace(tiny.config, text=text))
    found = TextTower.open(folder).embed(TEXTS)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, flax_embeddings(folder, TEXTS), atol=1e-5)


def test_a_head_stands_in_place_of_the_projection(tiny: ModelFolder, tmp_path: Path) -> None:
    """Both towers agree, also with the formula in PyTorch's GELU on the pooled features."""
    import torch

    for file in tiny.path.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    folder = add_heads(ModelFolder.open(tmp_path))
    found = TextTower.open(folder).embed(TEXTS)
    np.testing.assert_allclose(found, flax_embeddings(folder, TEXTS), atol=1e-5)
    assert np.abs(found - TextTower.open(tiny).embed(TEXTS)).max() > 0.1

    graph, params = weights.load(folder)
    ids = Tokenizer.load(folder).batch(TEXTS, folder.config.text.max_position_embeddings)
    pooled = torch.tensor(np.asarray(clip.text_features(graph, params, jnp.asarray(ids))))
    head = {
        name: torch.tensor(array)
        for name, array in load_file(tmp_path / "heads.safetensors").items()
    }
    inner = torch.nn.functional.gelu(
        pooled @ head["text_head.fc1.weight"].T + head["text_head.fc1.bias"]
    )
    expected = torch.nn.functional.normalize(
        inner @ head["text_head.fc2.weight"].T + head["text_head.fc2.bias"], dim=1
    )
    np.testing.assert_allclose(found, expected, atol=1e-5)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_both_towers_agree_on_narrow_weights(tiny: ModelFolder, tmp_path: Path, dtype: str) -> None:
    for file in tiny.path.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    narrow = {
        name: np.asarray(jnp.asarray(array).astype(dtype))
        for name, array in load_file(tiny.path / "model.safetensors").items()
    }
    save_file(narrow, tmp_path / "model.safetensors")
    folder = ModelFolder.open(tmp_path)
    np.testing.assert_allclose(
        TextTower.open(folder).embed(TEXTS), flax_embeddings(folder, TEXTS), atol=1e-5
    )


def test_a_text_does_not_depend_on_its_company(tiny: ModelFolder) -> None:
    tower = TextTower.open(tiny)
    alone = np.concatenate([tower.embed([text]) for text in TEXTS])
    np.testing.assert_allclose(tower.embed(TEXTS), alone, atol=1e-6)
    assert tower.embed([]).shape == (0, tiny.config.projection_dim)


@pytest.mark.parametrize("scale", [1e-3, 1.0, 100.0])
def test_activations_are_those_of_jax(scale: float) -> None:
    x = np.linspace(-8, 8, 10_001, dtype=np.float32) * np.float32(scale)
    for name, ours in numpy_text_tower._ACTIVATIONS.items():
        np.testing.assert_allclose(
            ours(x), clip._ACTIVATIONS[name](jnp.asarray(x)), rtol=1e-6, atol=2e-6
        )


def test_no_jax_is_imported(tiny: ModelFolder) -> None:
    script = (
        "import sys\nfrom pathlib import Path\n"
        "from paperclip_cli.towers.folder import ModelFolder\n"
        "from paperclip_cli.towers.numpy_text_tower import TextTower\n"
        "print(TextTower.open(ModelFolder.open(Path(sys.argv[1]))).embed(['dust']).shape)\n"
        "heavy = {'jax', 'flax', 'PIL', 'pyarrow', 'huggingface_hub', 'transformers'}\n"
        "heavy |= {'astropy', 'scipy'}\n"
        "assert not heavy & {name.split('.')[0] for name in sys.modules}, heavy & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", script, str(tiny.path)], check=True)


def test_a_missing_tensor_is_named(tiny: ModelFolder, tmp_path: Path) -> None:
    for file in tiny.path.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    found = load_file(tiny.path / "model.safetensors")
    del found["text_model.final_layer_norm.bias"]
    save_file(found, tmp_path / "model.safetensors")
    with pytest.raises(PaperclipError, match=r"text_model\.final_layer_norm\.bias is missing"):
        TextTower.open(ModelFolder.open(tmp_path)).embed(["dust"])


@pytest.mark.parametrize("value", [np.nan, np.inf, 3e38])
def test_embeddings_that_are_no_numbers_are_an_error(
    tiny: ModelFolder, tmp_path: Path, value: float
) -> None:
    """Also where numbers only become too large on the way."""
    shutil.copytree(tiny.path, tmp_path / "damaged")
    place = tmp_path / "damaged" / "model.safetensors"
    found = load_file(place)
    found["text_model.final_layer_norm.weight"][:] = value
    found["text_projection.weight"][:] *= 1e6
    save_file(found, place)
    with pytest.raises(PaperclipError, match="its text tower returns embeddings that are not") as e:
        TextTower.open(ModelFolder.open(place.parent)).embed(["galaxy", "star"])
    assert str(place) in e.value.message
