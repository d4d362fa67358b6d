"""`model.safetensors` and its folder, as transformers and as we write it."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import load_file, save_file

from paperclip_cli.errors import PaperclipError
from paperclip_cli.images.view import View
from paperclip_cli.towers import clip, scratch, weights
from paperclip_cli.towers.config import ClipConfig, TextConfig, VisionConfig
from paperclip_cli.towers.folder import ModelFolder
from paperclip_cli.towers.tokenizer import Tokenizer
from tests.clip_models import CORPUS, add_heads, build, drawn, write_model


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> ModelFolder:
    return write_model(tmp_path_factory.mktemp("models") / "tiny")


def rewritten(folder: ModelFolder, path: Path, **changes: np.ndarray | None) -> ModelFolder:
    """A copy of the folder with some tensors replaced (None: left out)."""
    path.mkdir()
    for file in folder.path.iterdir():
        if file.name != "model.safetensors":
            (path / file.name).hardlink_to(file)
    found = load_file(folder.path / "model.safetensors") | changes
    save_file(
        {name: array for name, array in found.items() if array is not None},
        path / "model.safetensors",
    )
    return ModelFolder.open(path)


def test_transformers_loads_our_folder_as_it_is(tiny: ModelFolder) -> None:
    import torch
    from transformers import AutoImageProcessor, AutoTokenizer, CLIPModel

    model, report = CLIPModel.from_pretrained(tiny.path, output_loading_info=True)
    assert not any(report.values())
    graph, params = weights.load(tiny)
    texts = [*CORPUS, "a text that the model has never seen, longer than the others by far " * 5]
    length = tiny.config.text.max_position_embeddings
    theirs = AutoTokenizer.from_pretrained(tiny.path)(
        texts, padding="max_length", truncation=True, return_tensors="pt"
    )
    picture = np.random.default_rng(0).integers(0, 256, (90, 90, 3), np.uint8)
    pixels = AutoImageProcessor.from_pretrained(tiny.path, backend="pil")(
        picture, return_tensors="pt"
    )["pixel_values"]
    with torch.no_grad():
        answer = model(**theirs, pixel_values=pixels)
    ids = Tokenizer.load(tiny).batch(texts, length)
    np.testing.assert_array_equal(ids, theirs["input_ids"])
    np.testing.assert_allclose(
        clip.text_embeddings(graph, params, jnp.asarray(ids)), answer.text_embeds, atol=1e-4
    )
    images = jnp.asarray(pixels.permute(0, 2, 3, 1).numpy())
    np.testing.assert_allclose(
        clip.image_embeddings(graph, params, images), answer.image_embeds, atol=1e-4
    )


def test_a_processor_of_transformers_makes_the_models_view(tiny: ModelFolder) -> None:
    """On a canvas of the store's size nothing is resampled, and both make the same central view."""
    from transformers import CLIPProcessor

    folder = dataclasses.replace(
        tiny, path=tiny.path.parent / "centre", view=View(crop=0.5, size=64)
    )
    made = scratch.new_model("scratch:tiny", CORPUS)
    weights.save(folder, drawn(made)[1], made.tokenizer, "# A test\n")
    canvas = np.random.default_rng(0).integers(
        0, 256, (folder.view.store_side, folder.view.store_side, 3), np.uint8
    )
    theirs = CLIPProcessor.from_pretrained(folder.path)(images=canvas, return_tensors="np")[
        "pixel_values"
    ][0]
    centre = canvas[32:96, 32:96] / 255
    ours = (centre - np.asarray(folder.mean)) / np.asarray(folder.std)
    np.testing.assert_allclose(np.moveaxis(theirs, 0, -1), ours, atol=1e-5)


def test_what_is_saved_is_loaded_and_described(tmp_path: Path) -> None:
    view = View(kind="whole", crop=1.0, size=64, pad=0)
    found = write_model(tmp_path, view=view, card={"training": {"steps": 3}})
    assert found.view == view and found.card["training"] == {"steps": 3}
    assert (tmp_path / "README.md").read_text() == "# A test\n"
    made = scratch.new_model("scratch:tiny", CORPUS)
    graph, params = weights.load(found)
    same_graph, same_params = drawn(made)
    assert graph == same_graph
    assert jax.tree.all(jax.tree.map(jnp.array_equal, params, same_params))
    assert not list(tmp_path.glob(".*")), "no temporary file is left"
    assert len({file.stat().st_mode for file in tmp_path.iterdir()}) == 1, (
        "whoever reads one file reads them all"
    )


def test_saving_twice_gives_the_same_bytes(tmp_path: Path) -> None:
    first, again = write_model(tmp_path / "a"), write_model(tmp_path / "b")
    for file in first.path.iterdir():
        if file.name != "manifest.json":
            assert file.read_bytes() == (again.path / file.name).read_bytes(), file.name


towers = st.fixed_dictionaries(
    {
        "heads": st.integers(1, 3),
        "head": st.integers(1, 4),
        "inner": st.integers(1, 9),
        "layers": st.integers(1, 3),
    }
)


@given(towers, towers, st.integers(1, 3), st.integers(1, 3), st.integers(1, 5))
@settings(max_examples=5, deadline=None)
def test_parameters_survive_the_way_through_the_file(
    tmp_path_factory: pytest.TempPathFactory,
    text: dict,
    vision: dict,
    patch: int,
    count: int,
    projection: int,
) -> None:
    shape = {
        name: {
            "hidden_size": t["heads"] * t["head"],
            "intermediate_size": t["inner"],
            "num_hidden_layers": t["layers"],
            "num_attention_heads": t["heads"],
        }
        for name, t in (("text", text), ("vision", vision))
    }
    config = ClipConfig(
        TextConfig(vocab_size=20, **shape["text"]),
        VisionConfig(image_size=patch * count, patch_size=patch, **shape["vision"]),
        projection_dim=projection,
    )
    params = build(config, jax.random.key(0))[1]
    path = tmp_path_factory.mktemp("law")
    save_file(weights.tensors(params, config), path / "model.safetensors")
    again = weights.load(ModelFolder(path=path, name="law", config=config, view=View()))[1]
    assert jax.tree.all(jax.tree.map(jnp.array_equal, params, again))


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_narrow_weights_are_widened(tiny: ModelFolder, tmp_path: Path, dtype: str) -> None:
    wide = load_file(tiny.path / "model.safetensors")
    narrow = {name: np.asarray(jnp.asarray(array).astype(dtype)) for name, array in wide.items()}
    folder = rewritten(tiny, tmp_path / "narrow", **narrow)
    params = weights.load(folder)[1]
    kernel = params["vision"]["layers"]["blocks"]["up"]["kernel"][1]
    assert kernel.dtype == jnp.float32
    np.testing.assert_array_equal(
        kernel, narrow["vision_model.encoder.layers.1.mlp.fc1.weight"].T.astype(np.float32)
    )


def test_tensors_that_clip_has_not_are_passed_over(tiny: ModelFolder, tmp_path: Path) -> None:
    extra = {
        "text_model.embeddings.position_ids": np.arange(64)[None],
        "something.else": np.zeros((2, 2), np.float32),
    }
    again = weights.load(rewritten(tiny, tmp_path / "extra", **extra))[1]
    assert jax.tree.all(jax.tree.map(jnp.array_equal, weights.load(tiny)[1], again))


@pytest.mark.parametrize(
    ("name", "array", "says"),
    [
        (
            "vision_model.encoder.layers.1.mlp.fc1.weight",
            None,
            "layers.1.mlp.fc1.weight is missing (expected shape [192, 48])",
        ),
        (
            "visual_projection.weight",
            np.zeros((64, 47), np.float32),
            "visual_projection.weight has shape [64, 47], expected [64, 48]",
        ),
        (
            "vision_model.embeddings.patch_embedding.weight",
            np.zeros((48, 3, 16, 4), np.float32),
            "patch_embedding.weight has shape [48, 3, 16, 4], expected [48, 3, 8, 8]",
        ),
        ("logit_scale", np.zeros(1, np.float32), "logit_scale has shape [1], expected []"),
    ],
)
def test_a_missing_or_misshapen_tensor_is_one_clear_line(
    tiny: ModelFolder, tmp_path: Path, name: str, array: np.ndarray | None, says: str
) -> None:
    folder = rewritten(tiny, tmp_path / "damaged", **{name: array})
    with pytest.raises(PaperclipError) as raised:
        weights.load(folder)
    message = raised.value.message
    assert says in message and str(folder.path) in message and "\n" not in message


def test_a_failed_save_leaves_the_weights_that_were_there(
    tiny: ModelFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = rewritten(tiny, tmp_path / "kept")
    before = (folder.path / "model.safetensors").read_bytes()

    def fail(found: dict, path: Path, metadata: dict) -> None:
        Path(path).write_bytes(b"half")
        raise OSError("disk full")

    monkeypatch.setattr(weights, "save_file", fail)
    with pytest.raises(OSError, match="disk full"):
        weights.save(folder, weights.load(tiny)[1], Tokenizer.load(tiny), "")
    assert (folder.path / "model.safetensors").read_bytes() == before
    assert not list(folder.path.glob(".*"))


def test_the_card_keeps_what_it_said_and_tells_the_view(tmp_path: Path) -> None:
    write_model(tmp_path, card={"data": {"splits": {"train": ["hst:1"]}}})
    card = json.loads((tmp_path / "paperclip.json").read_text())
    view = {"kind": "centre", "crop": 0.4375, "size": 64, "pad": 255, "fill": "none"} | {
        "resample": "bicubic"
    }
    assert card == {"data": {"splits": {"train": ["hst:1"]}}, "view": view}


@pytest.mark.parametrize("bias", [True, False])
def test_extras_lie_in_a_file_of_their_own(tmp_path: Path, bias: bool) -> None:
    """Tensors of CLIP's layout stay as they were, and the others come back as saved."""
    from transformers import CLIPModel

    plain = write_model(tmp_path / "plain")
    before = load_file(plain.path / "model.safetensors")
    folder = add_heads(plain, size=24, bias=bias)
    after = load_file(plain.path / "model.safetensors")
    assert before.keys() == after.keys() and all(
        np.array_equal(before[name], after[name]) for name in before
    )
    assert not any(CLIPModel.from_pretrained(folder.path, output_loading_info=True)[1].values())
    _, params = weights.load(folder)
    assert params["image_head"]["up"]["kernel"].shape == (folder.config.vision.hidden_size, 24)
    assert params["text_head"]["down"]["kernel"].shape == (24, folder.config.projection_dim)
    assert ("logit_bias" in params) == bias and (not bias or float(params["logit_bias"]) == -3.5)
    copy = dataclasses.replace(folder, path=tmp_path / "copy")
    weights.save(copy, params, Tokenizer.load(folder), "# A test\n")
    assert (copy.path / "heads.safetensors").read_bytes() == (
        folder.path / "heads.safetensors"
    ).read_bytes()


def test_heads_that_do_not_fit_are_named(tmp_path: Path) -> None:
    folder = add_heads(write_model(tmp_path / "model"))
    found = load_file(folder.path / "heads.safetensors")
    save_file(
        found | {"image_head.fc1.weight": np.zeros((25, 48), np.float32)},
        folder.path / "heads.safetensors",
    )
    with pytest.raises(
        PaperclipError,
        match=r"heads.safetensors: tensor image_head.fc1.weight has shape \[25, 48\], "
        r"expected \[24, ",
    ):
        weights.load(folder)
