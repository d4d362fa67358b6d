"""Models that were not trained here see photographs as transformers' processor shows them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from paperclip_cli.api.model import load_model
from paperclip_cli.config import DescribeConfig, IndexConfig, QueryConfig
from paperclip_cli.errors import PaperclipError
from paperclip_cli.indexes.reader import image_view
from paperclip_cli.stages import describe, index, index_status, query
from paperclip_cli.towers.embedder import ImageEmbedder
from paperclip_cli.towers.folder import ModelFolder
from paperclip_cli.workspace import Workspace
from tests.clip_models import random_torch_clip, write_openai_tokenizer
from tests.factories import write_fetched
from tests.small_indexes import index_of

SMALL = {"hidden_size": 48, "intermediate_size": 96, "num_hidden_layers": 2}
# Height, width and channels; the last has an alpha channel.
SHOTS = {
    "wide": (90, 400, 3),
    "tall": (333, 70, 3),
    "small": (20, 27, 3),
    "grey": (140, 100, 1),
    "rgba": (77, 130, 4),
    "strip": (8, 3_000, 3),
    "large": (700, 901, 3),
}


def photograph(height: int, width: int, channels: int, seed: int) -> Image.Image:
    """Coloured blobs on a gradient, with noise."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:height, 0:width] / max(height, width)
    levels = rng.normal(0, 8, (height, width, channels)) + 100
    for channel in range(channels):
        levels[..., channel] += 90 * rng.uniform(-1, 1) * x + 90 * rng.uniform(-1, 1) * y
        for _ in range(9):
            far = (y - rng.uniform(0, y.max())) ** 2 + (x - rng.uniform(0, x.max())) ** 2
            levels[..., channel] += rng.uniform(-90, 150) * np.exp(-far / rng.uniform(0.001, 0.1))
    pixels = np.clip(levels, 0, 255).astype(np.uint8)
    return Image.fromarray(pixels[..., 0] if channels == 1 else pixels)


@pytest.fixture(scope="module")
def photographs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("photographs")
    for seed, (name, shape) in enumerate(SHOTS.items()):
        photograph(*shape, seed).save(folder / f"{name}.png")
    return folder


@pytest.fixture(scope="module")
def theirs() -> Any:
    """A random CLIPModel of 32 pixels."""
    text = SMALL | {"num_attention_heads": 2, "max_position_embeddings": 20}
    vision = SMALL | {"num_attention_heads": 2, "image_size": 32, "patch_size": 8}
    return random_torch_clip(text, vision, 24)


@pytest.fixture(scope="module")
def bare(theirs: Any, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Writes the model with a preprocessor as a folder that knows nothing of paperclip."""

    def write(**settings: Any) -> Path:
        folder = tmp_path_factory.mktemp("bare") / "clip"
        theirs.save_pretrained(folder)
        write_openai_tokenizer(folder)
        processor(**settings).save_pretrained(folder)
        return folder

    return write


@pytest.fixture(scope="module")
def clip(bare: Callable[..., Path]) -> Path:
    return bare()


def processor(**settings: Any) -> Any:
    from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

    usual = {"size": {"shortest_edge": 32}, "crop_size": {"height": 32, "width": 32}}
    return CLIPImageProcessorPil(**usual | settings)


def embedded_by_transformers(theirs: Any, images: list[Path], **settings: Any) -> np.ndarray:
    import torch

    vectors = []
    with torch.no_grad():
        for path in images:
            pixels = processor(**settings)(Image.open(path), return_tensors="pt")
            found = theirs.get_image_features(**pixels)
            vectors.append(getattr(found, "pooler_output", found)[0].numpy())
    return np.stack([vector / np.linalg.norm(vector) for vector in vectors])


def close(ours: np.ndarray, expected: np.ndarray) -> bool:
    return bool((np.sum(ours * expected, axis=1) > 1 - 1e-5).all())


def build(model: Path, workspace: Workspace, **more: Any) -> tuple[str, ...]:
    return index.run(IndexConfig(model=str(model), **more), workspace).notes


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"size": {"shortest_edge": 40}},
        {"resample": Image.Resampling.BILINEAR},
        {"image_mean": [0.5, 0.4, 0.3], "image_std": [0.2, 0.3, 0.4]},
    ],
)
def test_photographs_are_seen_as_by_transformers(
    settings: dict[str, Any],
    theirs: Any,
    bare: Callable[..., Path],
    photographs: Path,
    workspace: Workspace,
) -> None:
    images = sorted(photographs.iterdir())
    expected, folder = embedded_by_transformers(theirs, images, **settings), bare(**settings)
    model = load_model(folder, cache=workspace.root)
    assert close(model.embed_images(images), expected)
    with Image.open(images[0]) as image:
        assert close(model.embed_images([image, np.asarray(image)]), expected[[0, 0]])
    part = "0.8 of the " if "size" in settings else ""
    said = f"{folder} sees the central square of {part}the picture's shorter side (--view)"
    assert build(folder, workspace, paths=(photographs,)) == (said,)
    assert close(index_of(workspace).vectors, expected)


def test_the_papers_view_of_photographs_is_another(
    theirs: Any, clip: Path, photographs: Path, workspace: Workspace
) -> None:
    """Otherwise the test above would say nothing."""
    images = sorted(photographs.iterdir())
    model = ModelFolder.open(clip)
    views = np.stack([image_view(path, model.view) for path in images])
    cosines = np.sum(
        ImageEmbedder(model, 1).embed(views) * embedded_by_transformers(theirs, images), axis=1
    )
    assert cosines.min() < 0.99


def test_a_query_by_image_sees_what_the_index_saw(
    clip: Path, photographs: Path, workspace: Workspace
) -> None:
    build(clip, workspace, paths=(photographs,))
    build(clip, workspace, paths=(photographs,), name="whole", view="whole")
    for name in ("default", "whole"):
        for path in photographs.iterdir():
            config = QueryConfig(images=(path,), indexes=(name,), k=1)
            (hit,) = next(query.run(config, workspace)).hits
            assert Path(hit.image) == path and hit.score == pytest.approx(1, abs=1e-5)


def test_the_users_view_wins_and_an_index_keeps_its_own(
    clip: Path, photographs: Path, workspace: Workspace
) -> None:
    views = {"centre": "the central 0.438 of the padded frame's side"}
    views |= {"whole": "the whole padded frame"}
    views |= {"tiles": "tiles of 0.438 of the padded frame's side"}
    views |= {"clip": "the central square of the picture's shorter side"}
    for view, part in views.items():
        said = build(clip, workspace, paths=(photographs,), name=view, view=view)
        assert said == (f"{clip} sees {part} (--view)",)
        assert build(clip, workspace, paths=(photographs,), name=view) == ()
        assert build(clip, workspace, paths=(photographs,), name=view, view=view) == ()
        assert index_status.run(IndexConfig(name=view), workspace)["view"] == view
    vectors = [index_of(workspace, name).vectors[0].tolist() for name in views]
    assert len({tuple(vector) for vector in vectors}) == 4
    with pytest.raises(PaperclipError, match=r"made with another view \(clip\)"):
        build(clip, workspace, paths=(photographs,), name="clip", view="centre")


def test_previews_keep_the_papers_view(clip: Path, workspace: Workspace, tmp_path: Path) -> None:
    write_fetched(workspace, "hst", proposals=2)
    assert build(clip, workspace) == (
        f"{clip} sees the central 0.438 of the padded frame's side (--view)",
    )
    previews = sorted(workspace.previews("hst").rglob("*.jpg"))
    build(clip, workspace, name="by_path", paths=(workspace.previews("hst"),))
    for name in ("default", "by_path"):
        assert index_of(workspace, name).view == ModelFolder.open(clip).view
    found = load_model(clip, cache=workspace.root).embed_images(previews)
    np.testing.assert_allclose(found, index_of(workspace).vectors, atol=1e-5)
    photograph(60, 200, 3, 0).save(tmp_path / "a.png")
    build(clip, workspace, paths=(tmp_path / "a.png",))
    assert index_of(workspace).view.kind == "centre", "an index has one view"


def test_descriptions_say_what_was_seen_of_each_kind(
    theirs: Any, clip: Path, workspace: Workspace, tmp_path: Path
) -> None:
    write_fetched(workspace, "hst", proposals=2)
    photograph(60, 200, 3, 0).save(tmp_path / "a.png")
    model = load_model(clip, cache=workspace.root)
    images = ("hst:2", str(tmp_path / "a.png"), "hst:1")
    config = DescribeConfig(images=images, model=str(clip))
    done = describe.run(config, workspace)
    assert done.report.notes == (
        f"{clip} sees the central 0.438 of the padded frame's side",
        f"{clip} sees the central square of the picture's shorter side",
    )
    for item in done.items:
        expected = [(label, score) for _, label, score in model.describe(item.image)]
        assert [label for label, _ in item.labels] == [label for label, _ in expected]
        assert [score for _, score in item.labels] == pytest.approx(
            [score for _, score in expected], abs=1e-5
        )
    assert str(tmp_path / "a.png") in [item.image for item in done.items]


def test_a_model_trained_here_keeps_its_view(
    tiny_model: Path, photographs: Path, workspace: Workspace
) -> None:
    assert build(tiny_model, workspace, paths=(photographs,)) == ()
    assert index_of(workspace).view == ModelFolder.open(tiny_model).view
