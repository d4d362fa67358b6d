"""CLIP's weights, between our stacked parameters and transformers' `model.safetensors`.

Three things differ. The file has one set of tensors for each layer, where we stack layers along a
leading axis. It keeps queries, keys and values apart, where we have one product. And PyTorch keeps
matrices as [outputs, inputs], and convolutions as [outputs, channels, rows, columns].
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import jax
import numpy as np
from safetensors.numpy import save_file

from paperclip_cli.files import replace_file, replacing
from paperclip_cli.images.view import RESAMPLINGS
from paperclip_cli.towers import clip, init
from paperclip_cli.towers.config import ClipConfig
from paperclip_cli.towers.folder import CARD, CONFIG, HEADS, PREPROCESSOR, ModelFolder
from paperclip_cli.towers.local_devices import local_devices
from paperclip_cli.towers.safetensors import TensorFile, Tensors
from paperclip_cli.towers.tokenizer import Tokenizer
from paperclip_cli.towers.weight_files import WEIGHTS

_BLOCKS = "/layers/blocks/"
_QKV = ("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj")
_BLOCK = {
    "norm_1": ("layer_norm1",),
    "qkv": _QKV,
    "out": ("self_attn.out_proj",),
    "norm_2": ("layer_norm2",),
    "up": ("mlp.fc1",),
    "down": ("mlp.fc2",),
}
_SINGLE = {
    "image_projection/kernel": "visual_projection.weight",
    "text_projection/kernel": "text_projection.weight",
    "logit_scale": "logit_scale",
    "vision/class_token": "vision_model.embeddings.class_embedding",
    "vision/patches/kernel": "vision_model.embeddings.patch_embedding.weight",
    "vision/positions": "vision_model.embeddings.position_embedding.weight",
    "vision/norm_in/scale": "vision_model.pre_layrnorm.weight",
    "vision/norm_in/bias": "vision_model.pre_layrnorm.bias",
    "vision/norm_out/scale": "vision_model.post_layernorm.weight",
    "vision/norm_out/bias": "vision_model.post_layernorm.bias",
    "text/tokens": "text_model.embeddings.token_embedding.weight",
    "text/positions": "text_model.embeddings.position_embedding.weight",
    "text/norm_out/scale": "text_model.final_layer_norm.weight",
    "text/norm_out/bias": "text_model.final_layer_norm.bias",
}
_HEAD = {"up": "fc1", "down": "fc2"}
_LEAF = {"kernel": "weight", "scale": "weight", "bias": "bias"}


class Piece(NamedTuple):
    """A tensor of the file, its shape there, and its place `array[part]` in a parameter."""

    name: str
    shape: tuple[int, ...]
    part: tuple


def load(folder: ModelFolder) -> tuple[clip.Graph, clip.Params]:
    """The model of a folder and its extras (`clip.EXTRAS`), float32 whatever the file's floats.

    Tensors that CLIP does not have (`position_ids`) are passed over.

    Raises:
        PaperclipError: a tensor is missing or has another shape (both are named), the file is not
            a safetensors file, or JAX has no device.
    """
    local_devices()
    graph, shapes = abstract(folder)
    towers, extras = towers_and_extras(shapes)
    params = _read_all(folder.tensors(), towers, folder.config)
    if extras:
        params |= _read_all(TensorFile(folder.path / HEADS), extras, folder.config)
    return graph, params


def abstract(folder: ModelFolder) -> tuple[clip.Graph, clip.Params]:
    """The graph of a folder's model, and the shapes of its parameters and extras. Reads no file."""
    graph, shapes = clip.abstract(folder.config)
    return graph, shapes | _extra_shapes(folder)


def save(folder: ModelFolder, params: clip.Params, tokenizer: Tokenizer, readme: str) -> None:
    """Writes a whole model into `folder.path`; transformers loads the result as it is.

    Each file is replaced atomically. For the whole folder to be, save into the folder that
    `files.replace_folder` yields.
    """
    folder.path.mkdir(parents=True, exist_ok=True)
    towers, extras = towers_and_extras(params)
    _write_weights(folder.path / WEIGHTS, tensors(towers, folder.config))
    if extras:
        _write_weights(folder.path / HEADS, tensors(extras, folder.config))
    tokenizer.save(folder.path, folder.config.text.max_position_embeddings)
    _write_json(folder.path / PREPROCESSOR, preprocessor(folder))
    _write_json(folder.path / CONFIG, folder.config.to_dict())
    card = folder.card | {"view": dataclasses.asdict(folder.view)}
    if folder.extras:
        card |= {"extras": dataclasses.asdict(folder.extras)}
    _write_json(folder.path / CARD, card)
    replace_file(folder.path / "README.md", readme)


def tensors(params: clip.Params, config: ClipConfig) -> dict[str, np.ndarray]:
    """These parameters as in the file: contiguous float32 arrays under transformers' names."""
    found: dict[str, np.ndarray] = {}
    for path, leaf in jax.tree.leaves_with_path(params):
        name, array = _name(path), np.asarray(leaf, np.float32)
        for piece in _pieces(name, array.shape, config):
            part = array[piece.part]
            part = _to_file(part, piece.shape) if _is_kernel(name) else part
            found[piece.name] = np.asarray(part, order="C")
    return found


def preprocessor(folder: ModelFolder) -> dict:
    """Settings for transformers' CLIPImageProcessor to make the model's view of a canvas.

    It can say no more: `card_code` has the lines that make the canvas.
    """
    side = folder.view.size
    resample = folder.view.resample if folder.view.kind == "clip" else "bicubic"
    return {
        "image_processor_type": "CLIPImageProcessor",
        "do_convert_rgb": True,
        "do_resize": True,
        "size": {"shortest_edge": folder.view.store_side},
        "resample": RESAMPLINGS.index(resample),
        "do_center_crop": True,
        "crop_size": {"height": side, "width": side},
        "do_rescale": True,
        "rescale_factor": 1 / 255,
        "do_normalize": True,
        "image_mean": list(folder.mean),
        "image_std": list(folder.std),
    }


def towers_and_extras(params: clip.Params) -> tuple[clip.Params, clip.Params]:
    """The parameters in `model.safetensors`, and those in the file beside it."""
    towers = {name: part for name, part in params.items() if name not in clip.EXTRAS}
    extras = {name: part for name, part in params.items() if name in clip.EXTRAS}
    return towers, extras


def _read_all(file: Tensors, shapes: clip.Params, config: ClipConfig) -> clip.Params:
    # Before memory is taken: a configuration may ask for any size.
    for place, leaf in jax.tree.leaves_with_path(shapes):
        for piece in _pieces(_name(place), leaf.shape, config):
            file.check(piece.name, piece.shape)
    return jax.tree.map_with_path(
        lambda place, leaf: _read(file, _name(place), leaf.shape, config), shapes
    )


def _extra_shapes(folder: ModelFolder) -> clip.Params:
    """The shapes of the parameters in `folder.extras`."""
    shapes: clip.Params = {}
    size = folder.extras.head_size
    if folder.extras.logit_bias:
        shapes["logit_bias"] = jax.ShapeDtypeStruct((), np.float32)
    if size is not None:
        stream = np.random.default_rng(0)
        shapes |= jax.eval_shape(lambda: init.draw_heads(folder.config, size, stream))
    return shapes


def _read(file: Tensors, path: str, shape: tuple[int, ...], config: ClipConfig) -> jax.Array:
    array = np.empty(shape, np.float32)
    for piece in _pieces(path, shape, config):
        tensor = file.read(piece.name, piece.shape)
        array[piece.part] = _from_file(tensor) if _is_kernel(path) else tensor
    return jax.numpy.array(array)


def _pieces(path: str, shape: tuple[int, ...], config: ClipConfig) -> Iterator[Piece]:
    """The tensors of the file that make up the parameter at `path`."""
    tower, stacked, inner = path.partition(_BLOCKS)
    if path.split("/")[0] in clip.EXTRAS:
        yield Piece(_extra_name(path), _file_shape(path, shape, config), (...,))
        return
    if not stacked:
        yield Piece(_SINGLE[path], _file_shape(path, shape, config), (...,))
        return

    part, _, leaf = inner.partition("/")
    names = _BLOCK[part]
    width = shape[-1] // len(names)
    for layer in range(shape[0]):
        for place, name in enumerate(names):
            columns = (layer, ..., slice(place * width, (place + 1) * width))
            full_name = f"{tower}_model.encoder.layers.{layer}.{name}.{_LEAF[leaf]}"
            yield Piece(full_name, (width, *shape[1:-1]), columns)


def _extra_name(path: str) -> str:
    """`image_head/up/kernel` -> `image_head.fc1.weight`."""
    head, _, inner = path.partition("/")
    layer, _, leaf = inner.partition("/")
    return f"{head}.{_HEAD[layer]}.{_LEAF[leaf]}" if inner else path


def _file_shape(path: str, shape: tuple[int, ...], config: ClipConfig) -> tuple[int, ...]:
    if path == "vision/patches/kernel":
        side = config.vision.patch_size
        return (shape[1], config.vision.num_channels, side, side)
    return shape[::-1] if _is_kernel(path) else shape


def _is_kernel(path: str) -> bool:
    return path.endswith("/kernel")


def _from_file(tensor: np.ndarray) -> np.ndarray:
    """PyTorch's layout in ours.

    [outputs, inputs] -> [inputs, outputs];
    [outputs, channels, rows, columns] -> [rows * columns * channels, outputs].
    """
    if tensor.ndim == 4:
        return tensor.transpose(2, 3, 1, 0).reshape(-1, tensor.shape[0])
    return tensor.T


def _to_file(kernel: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """The inverse of `_from_file`; `shape` is the file's."""
    if len(shape) == 4:
        outputs, channels, rows, columns = shape
        return kernel.reshape(rows, columns, channels, outputs).transpose(3, 2, 0, 1)
    return kernel.T


def _name(path: tuple) -> str:
    return "/".join(str(part.key) for part in path)


def _write_weights(path: Path, found: dict[str, np.ndarray]) -> None:
    with replacing(path) as temporary:
        save_file(found, temporary, metadata={"format": "pt"})


def _write_json(path: Path, values: dict) -> None:
    replace_file(path, json.dumps(values, indent=2) + "\n")
