"""The files that hold a model's weights: one, or shards that an index names, as transformers saves.

Only safetensors are read. What other formats a folder has is told, with the way to convert it.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Collection
from pathlib import Path

from paperclip_cli.errors import PaperclipError
from paperclip_cli.towers.safetensors import TensorFile, TensorFiles, Tensors

WEIGHTS, INDEX = "model.safetensors", "model.safetensors.index.json"
_PLAIN = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,200}\.safetensors")  # in the folder itself
SHARD = re.compile(r"model-[0-9]{1,6}-of-[0-9]{1,6}\.safetensors")  # as transformers names them
_MOST = 2**26  # bytes of an index
_PICKLED = re.compile(r"pytorch_model(-[0-9]+-of-[0-9]+)?\.bin")
_OPEN_CLIP = re.compile(r"open_clip_.+")
_OTHER = re.compile(r".+\.(bin|pt|pth|ckpt|h5|msgpack|onnx|gguf|safetensors)")


def open_weights(folder: Path) -> Tensors:
    """The tensors of a model folder. As in transformers, one file comes before shards.

    Raises:
        PaperclipError: a file is missing or damaged.
    """
    if (folder / WEIGHTS).is_file() or not (folder / INDEX).is_file():
        return TensorFile(folder / WEIGHTS)
    return TensorFiles(folder / INDEX, [folder / name for name in shards(folder)])


def weight_files(folder: Path) -> list[str]:
    """The names of the files with the weights, whether they are there or not, and their index."""
    if (folder / WEIGHTS).is_file() or not (folder / INDEX).is_file():
        return [WEIGHTS]
    return [INDEX, *shards(folder)]


def shards(folder: Path) -> list[str]:
    """The names of the files that the index of a folder lists, sorted; they lie in the folder.

    Raises:
        PaperclipError: the index is damaged, or names a file that is elsewhere.
    """
    path = folder / INDEX
    try:
        if path.stat().st_size > _MOST:
            raise ValueError(f"it has more than {_MOST:,} bytes")
        names = {*json.loads(path.read_text(encoding="utf-8"))["weight_map"].values()}
        for name in names:
            if not (isinstance(name, str) and _PLAIN.fullmatch(name)):
                raise ValueError(f"{str(name)[:80]!r} is not the name of a file beside it")
        if not names:
            raise ValueError("it names no file")
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise PaperclipError(
            f"{path} is not an index of safetensors files ({error})", "download the file again"
        ) from error
    return sorted(names)


def other_weights(names: Collection[str]) -> str | None:
    """The most telling of the names of files with weights that are not read; None without any."""
    others = sorted(name for name in names if _OTHER.fullmatch(name))
    for kind in (_PICKLED, _OPEN_CLIP, _OTHER):
        for name in others:
            if kind.fullmatch(name):
                return name
    return None


def how_to_convert(name: str, place: str, result: str) -> str:
    """What to do about weights in a file `name`, which is not read.

    `place` is a folder or a name on the Hub, and `result` the folder that the conversion writes.
    """
    if _PICKLED.fullmatch(name):
        parts = "CLIPModel" if place == result else "CLIPModel, CLIPProcessor"
        program = (
            f"import sys; from transformers import {parts}; "
            "source, result = sys.argv[1:]; "
            f"[part.from_pretrained(source).save_pretrained(result) for part in ({parts},)]"
        )
        command = shlex.join(["python", "-c", program, place, result])
        return (
            "a pickle may run anything and is never read here; if you trust where it is from, "
            f"convert it, in an environment with PyTorch: {command}"
        )
    if _OPEN_CLIP.fullmatch(name):
        return "this is open_clip's layout: choose the same model in transformers' layout"
    if name.startswith("adapter_model."):
        return "this is an adapter: merge it into its base with peft, and save that"
    if name.endswith(".safetensors"):
        return f"rename it to {WEIGHTS} if it holds the whole model"
    return f"only safetensors are read: choose the same model with {WEIGHTS}"
