"""Model folders as transformers, open_clip and others leave them: as transformers reads them.

Each is loaded with the embeddings that transformers gives, or is refused by name.
"""

from __future__ import annotations

import json
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from safetensors.numpy import load_file, save_file

from paperclip_cli.errors import PaperclipError
from paperclip_cli.images.reading import Reading
from paperclip_cli.indexes.model import write_text_tower
from paperclip_cli.indexes.reader import image_view
from paperclip_cli.towers import weights
from paperclip_cli.towers.embedder import ImageEmbedder
from paperclip_cli.towers.folder import ModelFolder, fingerprint, missing_files
from paperclip_cli.towers.numpy_text_tower import TextTower
from paperclip_cli.workspace import Workspace
from tests.clip_models import random_torch_clip, write_openai_tokenizer

pytest.importorskip("torch")

TEXTS = ["a spiral galaxy", "globular clusters of the Galactic halo, seen by Hubble " * 4, "!"]
SMALL = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2}
SIDE = 32
Change = Callable[[Path], None]


@pytest.fixture(scope="module")
def theirs() -> Any:
    """A random CLIPModel of 32 pixels."""
    text = SMALL | {"num_attention_heads": 2, "max_position_embeddings": 20}
    vision = SMALL | {"num_attention_heads": 2, "image_size": SIDE, "patch_size": 8}
    return random_torch_clip(text, vision, 24)


@pytest.fixture(scope="module")
def saved(theirs: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The model as transformers 4 saved it: a file for each part, and the tokenizer's old files."""
    folder = tmp_path_factory.mktemp("saved") / "clip"
    theirs.save_pretrained(folder)
    write_openai_tokenizer(folder)
    (folder / "tokenizer_config.json").write_text(
        json.dumps({"tokenizer_class": "CLIPTokenizer", "model_max_length": 20})
    )
    write_preprocessor(folder)
    return folder


@pytest.fixture
def clip(saved: Path, tmp_path: Path) -> Path:
    """A copy that a test may change."""
    return Path(shutil.copytree(saved, tmp_path / "clip"))


@pytest.fixture(scope="module")
def picture(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("pictures") / "picture.png"
    rng = np.random.default_rng(3)
    small = rng.integers(0, 256, (9, 12, 3), np.uint8)
    Image.fromarray(small).resize((120, 90), Image.Resampling.BICUBIC).save(path)
    return path


def usual(**changes: object) -> dict:
    """The settings of CLIP's processor for this model, as transformers 4 wrote them."""
    return {
        "crop_size": {"height": SIDE, "width": SIDE},
        "do_center_crop": True,
        "do_convert_rgb": True,
        "do_normalize": True,
        "do_rescale": True,
        "do_resize": True,
        "image_mean": [0.48145466, 0.4578275, 0.40821073],
        "image_processor_type": "CLIPImageProcessor",
        "image_std": [0.26862954, 0.26130258, 0.27577711],
        "resample": 3,
        "rescale_factor": 0.00392156862745098,
        "size": {"shortest_edge": SIDE},
    } | changes


def write_preprocessor(folder: Path, **changes: object) -> None:
    (folder / "preprocessor_config.json").write_text(json.dumps(usual(**changes)))


def change_config(folder: Path, **changes: object) -> None:
    values = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(values | changes))


# What others do to a folder


def as_transformers_5(folder: Path) -> None:
    """Everything read and written again by transformers 5: `processor_config.json`."""
    from transformers import CLIPModel, CLIPProcessor

    parts = [part.from_pretrained(folder) for part in (CLIPModel, CLIPProcessor)]
    shutil.rmtree(folder)
    for part in parts:
        part.save_pretrained(folder)
    assert (folder / "processor_config.json").is_file()
    assert not (folder / "preprocessor_config.json").exists()
    assert not (folder / "merges.txt").exists()


def nested(**changes: object) -> Change:
    """A `processor_config.json` that says something else than the older file, which stays."""

    def change(folder: Path) -> None:
        whole = {"processor_class": "CLIPProcessor", "image_processor": usual(**changes)}
        (folder / "processor_config.json").write_text(json.dumps(whole))

    return change


def processor_of_old_style(folder: Path) -> None:
    (folder / "processor_config.json").write_text('{"processor_class": "CLIPProcessor"}')
    write_preprocessor(folder, image_mean=[0.5, 0.5, 0.5])


def processor_of_null(folder: Path) -> None:
    (folder / "processor_config.json").write_text('{"image_processor": null}')


def switched(**changes: object) -> Change:
    return lambda folder: write_preprocessor(folder, **changes)


def in_shards(folder: Path) -> None:
    from transformers import CLIPModel

    CLIPModel.from_pretrained(folder).save_pretrained(folder / "new", max_shard_size="2MB")
    (folder / "model.safetensors").unlink()
    for file in (folder / "new").iterdir():
        file.replace(folder / file.name)
    assert len(list(folder.glob("model-*-of-*.safetensors"))) > 1


def in_both(folder: Path) -> None:
    """One file, which counts, and shards beside it, which do not."""
    weights = (folder / "model.safetensors").read_bytes()
    in_shards(folder)
    for shard in folder.glob("model-*-of-*.safetensors"):
        save_file({name: np.zeros_like(array) for name, array in load_file(shard).items()}, shard)
    (folder / "model.safetensors").write_bytes(weights)


def in_16_bits(kind: str) -> Change:
    def change(folder: Path) -> None:
        import torch
        from transformers import CLIPModel

        model = CLIPModel.from_pretrained(folder, dtype=getattr(torch, kind))
        model.save_pretrained(folder)
        assert json.loads((folder / "config.json").read_text())["dtype"] == kind

    return change


def like_laion(folder: Path) -> None:
    """What only differs from the defaults, in old `..._config_dict`s, with nulls elsewhere."""
    values = json.loads((folder / "config.json").read_text())
    change_config(
        folder,
        text_config=None,
        vision_config=None,
        text_config_dict={**values["text_config"], "bos_token_id": None, "pad_token_id": None},
        vision_config_dict=values["vision_config"],
        torch_dtype="float32",
        transformers_version=None,
    )
    for other in ("open_clip_config.json", "open_clip_pytorch_model.bin"):
        (folder / other).write_text("{}")


def without_tokenizer_json(folder: Path) -> None:
    assert not (folder / "tokenizer.json").exists() and (folder / "merges.txt").exists()


def with_little_said(folder: Path) -> None:
    """Only what has no usual value for a model of this size."""
    sizes = {name: usual()[name] for name in ("size", "crop_size")}
    (folder / "preprocessor_config.json").write_text(json.dumps(sizes))


LOADED: dict[str, Change] = {
    "transformers 4": lambda folder: None,
    "transformers 5": as_transformers_5,
    "processor_config alone": nested(image_mean=[0.1, 0.2, 0.3], image_std=[0.5, 0.6, 0.7]),
    "processor_config that says nothing": processor_of_old_style,
    "processor_config with null": processor_of_null,
    "shards": in_shards,
    "shards beside one file": in_both,
    "float16": in_16_bits("float16"),
    "bfloat16": in_16_bits("bfloat16"),
    "laion": like_laion,
    "no tokenizer.json": without_tokenizer_json,
    "no normalisation": switched(do_normalize=False),
    "no rescaling": switched(do_rescale=False, image_mean=[127.5] * 3, image_std=[60.0] * 3),
    "neither": switched(do_rescale=False, do_normalize=False),
    "another factor": switched(rescale_factor=1 / 127.5, image_mean=[1] * 3, image_std=[0.5] * 3),
    "one mean": switched(image_mean=0.5, image_std=0.25),
    "little said": with_little_said,
    "switches of null": switched(do_normalize=None, do_rescale=None, do_pad=None),
    "bilinear": switched(resample=2),
    "a crop": switched(size={"shortest_edge": 40}),
    "sizes as numbers": switched(size=36, crop_size=SIDE),
}


def expected(folder: Path, picture: Path) -> tuple[np.ndarray, np.ndarray]:
    """The unit vectors of the picture and the texts by transformers alone, in float32."""
    import torch
    from transformers import CLIPModel, CLIPProcessor

    model = CLIPModel.from_pretrained(folder, dtype=torch.float32)
    processor = CLIPProcessor.from_pretrained(folder)
    how = {"padding": True, "truncation": True, "max_length": 20, "return_tensors": "pt"}
    with Image.open(picture) as opened:
        inputs = processor(images=opened, text=TEXTS, **how)
    with torch.no_grad():
        answer = model(**inputs)
    return answer.image_embeds.numpy(), answer.text_embeds.numpy()


@pytest.mark.parametrize("name", LOADED)
def test_a_folder_means_what_transformers_says(name: str, clip: Path, picture: Path) -> None:
    LOADED[name](clip)
    folder = ModelFolder.open(clip)
    image, texts = expected(clip, picture)
    view = image_view(picture, folder.own_view, Reading())
    ours = ImageEmbedder(folder, 1).embed(view[None])
    np.testing.assert_allclose((ours * image).sum(axis=1), 1, atol=1e-5)
    np.testing.assert_allclose((TextTower.open(folder).embed(TEXTS) * texts).sum(1), 1, atol=1e-5)


# What is refused


def in_pickles(*names: str) -> Change:
    def change(folder: Path) -> None:
        (folder / "model.safetensors").unlink()
        for name in names:
            (folder / name).write_bytes(b"a pickle")

    return change


def renamed(name: str) -> Change:
    return lambda folder: (folder / "model.safetensors").rename(folder / name) and None


def like_open_clip(folder: Path) -> None:
    (folder / "config.json").rename(folder / "open_clip_config.json")
    (folder / "model.safetensors").rename(folder / "open_clip_model.safetensors")


def with_names_of_open_clip(folder: Path) -> None:
    found = load_file(folder / "model.safetensors")
    kept = {f"visual.{number}": array for number, array in enumerate(found.values())}
    save_file(kept, folder / "model.safetensors")


def in_8_bits(kind: str) -> Change:
    def change(folder: Path) -> None:
        import torch
        from safetensors.torch import load_file, save_file

        found = load_file(folder / "model.safetensors")
        narrow = {name: tensor.to(getattr(torch, kind)) for name, tensor in found.items()}
        save_file(narrow, folder / "model.safetensors", metadata={"format": "pt"})

    return change


def index_of(content: object) -> Change:
    def change(folder: Path) -> None:
        outside = folder.parent / "outside.safetensors"
        (folder / "model.safetensors").rename(outside)
        text = content if isinstance(content, str) else json.dumps(content)
        (folder / "model.safetensors.index.json").write_text(
            text.replace("OUTSIDE", str(outside)), encoding="utf-8"
        )

    return change


def one_shard_short(folder: Path) -> None:
    in_shards(folder)
    sorted(folder.glob("model-*-of-*.safetensors"))[0].unlink()


def with_a_tensor_twice(folder: Path) -> None:
    in_shards(folder)
    first, second = sorted(folder.glob("model-*-of-*.safetensors"))[:2]
    save_file(load_file(first) | load_file(second), first)


def configured(**changes: object) -> Change:
    return lambda folder: change_config(folder, **changes)


def tower(**changes: object) -> Change:
    def change(folder: Path) -> None:
        values = json.loads((folder / "config.json").read_text())
        change_config(folder, text_config=values["text_config"] | changes)

    return change


REFUSED: dict[str, tuple[Change, str, str]] = {
    "a pickle": (
        in_pickles("pytorch_model.bin"),
        "model.safetensors is missing, and what it has is pytorch_model.bin",
        "convert it",
    ),
    "pickles in shards": (
        in_pickles("pytorch_model-00001-of-00002.bin", "pytorch_model-00002-of-00002.bin"),
        "what it has is pytorch_model-00001-of-00002.bin",
        "CLIPModel",
    ),
    "TensorFlow": (in_pickles("tf_model.h5"), "what it has is tf_model.h5", "only safetensors"),
    "a variant": (
        renamed("model.fp16.safetensors"),
        "what it has is model.fp16.safetensors",
        "rename it to model.safetensors",
    ),
    "an adapter": (renamed("adapter_model.safetensors"), "adapter_model.safetensors", "merge it"),
    "open_clip": (
        like_open_clip,
        "what it has is open_clip_model.safetensors",
        "open_clip's layout",
    ),
    "open_clip's names": (with_names_of_open_clip, "is missing", "open_clip's names"),
    "fp8": (in_8_bits("float8_e4m3fn"), "holds fp8, F8_E4M3", "before it was quantised"),
    "other fp8": (in_8_bits("float8_e5m2"), "holds fp8, F8_E5M2", "before it was quantised"),
    "int8": (in_8_bits("int8"), "holds I8, expected floats", "before it was quantised"),
    "quantised": (
        configured(quantization_config={"quant_method": "bitsandbytes"}),
        r"config.json: its weights are quantised \(bitsandbytes\)",
        "before it was quantised",
    ),
    "a shard is missing": (one_shard_short, "model-00001-of-.* is missing", "a model needs"),
    "a tensor is in two shards": (with_a_tensor_twice, "is in model-00001-of", "download"),
    "a shard in a folder": (
        index_of({"weight_map": {"a": "sub/model.safetensors"}}),
        "'sub/model.safetensors' is not the name of a file beside it",
        "download",
    ),
    "a shard above": (
        index_of({"weight_map": {"a": "../outside.safetensors"}}),
        "'../outside.safetensors' is not the name",
        "download",
    ),
    "a shard anywhere": (
        index_of({"weight_map": {"a": "OUTSIDE"}}),
        "' is not the name of a file beside it",
        "download",
    ),
    "a pickle as a shard": (
        index_of({"weight_map": {"a": "pytorch_model.bin"}}),
        "'pytorch_model.bin' is not the name",
        "download",
    ),
    "no shard": (index_of({"weight_map": {}}), "it names no file", "download"),
    "an index of lists": (index_of({"weight_map": {"a": ["b"]}}), "not an index", "download"),
    "another index": (index_of(["a"]), "not an index of safetensors files", "download"),
    "a damaged index": (index_of("{"), "not an index of safetensors files", "download"),
    "an empty text_config_dict": (
        configured(text_config_dict={}),
        r"has shape \[32\], expected \[512\]",
        "do not belong",
    ),
    "a null": (tower(hidden_size=None), "text_config.hidden_size is None", "only CLIP"),
    "no end": (tower(eos_token_id=None), "text_config.eos_token_id is None", "only CLIP"),
    "another model": (configured(model_type="siglip"), "model_type is 'siglip'", "only CLIP"),
    "another processor": (
        switched(image_processor_type="SiglipImageProcessor"),
        "of a 'SiglipImageProcessor', not of CLIP's",
        "CLIPImageProcessor",
    ),
    "another processor of transformers 5": (
        nested(image_processor_type="ViTImageProcessor"),
        "processor_config.json is of a 'ViTImageProcessor'",
        "CLIPImageProcessor",
    ),
    "a switch of text": (switched(do_normalize="no"), "do_normalize is 'no'", "download"),
    "no mean": (switched(image_mean=None), "not three numbers each", "download"),
    "a processor of text": (
        lambda folder: (
            (folder / "processor_config.json").write_text('{"image_processor": "x"}') and None
        ),
        "image_processor is not an object",
        "download",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_another_folder_is_refused_by_name(name: str, clip: Path) -> None:
    change, says, hint = REFUSED[name]
    change(clip)
    with pytest.raises(PaperclipError, match=says) as raised:
        folder = ModelFolder.open(clip)
        weights.load(folder)
    assert hint in str(raised.value.hint)
    assert str(clip) in raised.value.message and "\n" not in raised.value.message


def test_the_command_that_is_shown_converts_a_pickle(
    clip: Path, theirs: Any, picture: Path
) -> None:
    import torch

    torch.save(theirs.state_dict(), clip / "pytorch_model.bin")
    wanted = expected(clip, picture)
    (clip / "model.safetensors").unlink()
    with pytest.raises(PaperclipError) as raised:
        ModelFolder.open(clip)
    python, *command = shlex.split(str(raised.value.hint).rpartition("PyTorch: ")[2])
    assert python == "python"
    subprocess.run([sys.executable, *command], check=True, capture_output=True, timeout=300)
    texts = TextTower.open(ModelFolder.open(clip)).embed(TEXTS)
    np.testing.assert_allclose(texts, wanted[1], atol=1e-5)


# What a folder of shards is besides


def test_a_fingerprint_is_also_of_processor_and_shards(clip: Path, workspace: Workspace) -> None:
    def value() -> str:
        return fingerprint(ModelFolder.open(clip), workspace, afresh=True)

    before = [value()]
    nested()(clip)
    before.append(value())
    in_shards(clip)
    before.append(value())
    for name in ("model.safetensors.index.json", "processor_config.json"):
        (clip / name).write_bytes((clip / name).read_bytes() + b" ")
        before.append(value())
    last = max(clip.glob("model-*-of-*.safetensors"))
    save_file({name: np.atleast_1d(array) + 1 for name, array in load_file(last).items()}, last)
    before.append(value())
    assert len({*before}) == len(before) == 6


def test_an_index_beside_one_file_changes_nothing(clip: Path, workspace: Workspace) -> None:
    in_both(clip)
    value = fingerprint(ModelFolder.open(clip), workspace)
    for file in (*clip.glob("model-*"), clip / "model.safetensors.index.json"):
        file.unlink()
    assert fingerprint(ModelFolder.open(clip), workspace, afresh=True) == value


def test_the_text_tower_of_shards_is_one_file(clip: Path, tmp_path: Path) -> None:
    whole = TextTower.open(ModelFolder.open(clip)).embed(TEXTS)
    in_shards(clip)
    folder = ModelFolder.open(clip)
    assert folder.weight_bytes > (clip / "model-00001-of-00002.safetensors").stat().st_size
    write_text_tower(folder, tmp_path / "text")
    assert not list((tmp_path / "text").glob("model[.-]*[0-9x]*.json"))
    assert not missing_files(tmp_path / "text")
    again = TextTower.open(ModelFolder.open(tmp_path / "text")).embed(TEXTS)
    np.testing.assert_array_equal(again, whole)
