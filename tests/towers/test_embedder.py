"""Embedding views of images in batches."""

from __future__ import annotations

from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from paperclip_cli.errors import PaperclipError
from paperclip_cli.towers import clip, embedder, weights
from paperclip_cli.towers.config import ClipConfig
from paperclip_cli.towers.embedder import ImageEmbedder
from paperclip_cli.towers.folder import ModelFolder
from tests.clip_models import add_heads, write_model


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> ModelFolder:
    return write_model(tmp_path_factory.mktemp("models") / "tiny")


def views(count: int) -> np.ndarray:
    return np.random.default_rng(count).integers(0, 256, (count, 64, 64, 3), np.uint8)


def expected(folder: ModelFolder, images: np.ndarray) -> np.ndarray:
    graph, params = weights.load(folder)
    return np.asarray(
        clip.image_embeddings(
            graph, params, jnp.asarray((images / 255 - folder.mean) / folder.std, jnp.float32)
        )
    )


@pytest.mark.parametrize("count", [0, 1, 4, 7])
def test_every_view_is_embedded_whatever_the_batch(tiny: ModelFolder, count: int) -> None:
    images = views(count)
    found = ImageEmbedder(tiny, batch_size=4).embed(images)
    assert found.dtype == np.float32 and found.shape == (count, tiny.config.projection_dim)
    np.testing.assert_allclose(found, expected(tiny, images) if count else found, atol=1e-5)


def test_heads_are_honoured(tiny: ModelFolder, tmp_path: Path) -> None:
    folder, images = add_heads(write_model(tmp_path / "headed")), views(3)
    found = ImageEmbedder(folder, batch_size=3).embed(images)
    np.testing.assert_allclose(found, expected(folder, images), atol=1e-5)
    assert np.abs(found - ImageEmbedder(tiny, batch_size=3).embed(images)).max() > 0.1


def test_an_accelerator_embeds_in_its_own_type(
    tiny: ModelFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Vectors are float32 all the same, and point where those of float32 point."""
    asked = []

    def compute_on(devices: list[jax.Device], config: ClipConfig) -> clip.Compute:
        asked.append((*devices, config))
        return clip.Compute(jnp.bfloat16, unrolled=True)

    images = views(3)
    wide = ImageEmbedder(tiny, batch_size=3).embed(images)
    monkeypatch.setattr(embedder, "compute_on", compute_on)
    narrow = ImageEmbedder(tiny, batch_size=3).embed(images)
    assert asked == [(jax.devices()[0], tiny.config)]
    assert narrow.dtype == np.float32 and not np.array_equal(narrow, wide)
    assert (narrow * wide).sum(axis=1).min() > 0.999


@pytest.mark.parametrize(
    "full",
    [
        jax.errors.JaxRuntimeError("RESOURCE_EXHAUSTED: Out of memory allocating 1 bytes"),
        MemoryError(),
    ],
    ids=["device", "machine"],
)
def test_the_batch_is_halved_until_it_fits_and_stays_so(
    full: Exception, tiny: ModelFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = ImageEmbedder(tiny, batch_size=8)
    compiled, sizes = made._compiled, []

    def small_device(params: clip.Params, batch: np.ndarray) -> jax.Array:
        sizes.append(len(batch))
        if len(batch) > 2:
            raise full
        return compiled(params, batch)

    monkeypatch.setattr(made, "_compiled", small_device)
    images = views(5)
    np.testing.assert_allclose(made.embed(images), expected(tiny, images), atol=1e-5)
    assert sizes == [8, 4, 2, 2, 2] and made.batch_size == 2


def test_a_device_too_small_for_one_image_is_an_error(
    tiny: ModelFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = ImageEmbedder(tiny, batch_size=2)

    def no_device(params: clip.Params, batch: np.ndarray) -> jax.Array:
        raise jax.errors.JaxRuntimeError("RESOURCE_EXHAUSTED: Out of memory")

    monkeypatch.setattr(made, "_compiled", no_device)
    with pytest.raises(PaperclipError, match="out of memory even with a batch of one"):
        made.embed(views(1))


def test_another_failure_of_the_device_is_not_hidden(
    tiny: ModelFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = ImageEmbedder(tiny, batch_size=2)

    def broken(params: clip.Params, batch: np.ndarray) -> jax.Array:
        raise jax.errors.JaxRuntimeError("INTERNAL: something else")

    monkeypatch.setattr(made, "_compiled", broken)
    with pytest.raises(jax.errors.JaxRuntimeError, match="INTERNAL"):
        made.embed(views(1))


def test_weights_that_are_no_numbers_are_told(tiny: ModelFolder, tmp_path: Path) -> None:
    for file in tiny.path.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    found = load_file(tiny.path / "model.safetensors")
    found["vision_model.pre_layrnorm.weight"][0] = np.nan
    save_file(found, tmp_path / "model.safetensors")
    with pytest.raises(PaperclipError, match="not numbers"):
        ImageEmbedder(ModelFolder.open(tmp_path), batch_size=2).embed(views(2))
