"""Models on disk: the folder of a name, the content of its files, and its fingerprint.

A model folder has the Hugging Face layout of CLIP, plus `paperclip.json` where this program trained
it. Nothing heavy is imported here: a query opens its model's folder without JAX and without the
Hub's client.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from paperclip_cli.config import DEFAULT_MODEL
from paperclip_cli.errors import PaperclipError, UsageError
from paperclip_cli.files import expanded
from paperclip_cli.images.view import View
from paperclip_cli.towers.config import ClipConfig, Extras
from paperclip_cli.towers.preprocessor import CLIP_MEAN, CLIP_STD, Processor
from paperclip_cli.towers.safetensors import Tensors
from paperclip_cli.towers.weight_files import (
    INDEX,
    WEIGHTS,
    how_to_convert,
    open_weights,
    other_weights,
    weight_files,
)
from paperclip_cli.wording import counted
from paperclip_cli.workspace import Workspace, remembered, whole_manifest

CONFIG = "config.json"
PREPROCESSOR, CARD = "preprocessor_config.json", "paperclip.json"
PROCESSOR = "processor_config.json"  # transformers 5 writes it in place of the preprocessor's
HEADS = "heads.safetensors"
TOKENIZER, VOCABULARY, MERGES = "tokenizer.json", "vocab.json", "merges.txt"
# The files that change an embedding, and no others that may lie in the folder. Shards have names
# of their own (`weight_files`).
MODEL_FILES = (
    CONFIG,
    WEIGHTS,
    HEADS,
    TOKENIZER,
    VOCABULARY,
    MERGES,
    "tokenizer_config.json",
    "special_tokens_map.json",
    PREPROCESSOR,
    CARD,
    PROCESSOR,
    INDEX,
)
# These are edited by hand; the others stay as they were written.
_BY_HAND = (CARD, PREPROCESSOR, PROCESSOR)
AS_WRITTEN = (*(name for name in MODEL_FILES if name not in _BY_HAND), "model-")
# Files for people, which are shared with a model and change no embedding.
BESIDE = ("README.md", "metrics.jsonl", "metrics.csv")


@dataclass(frozen=True, kw_only=True)
class ModelFolder:
    """A folder with a whole model.

    `view` is how an archive's preview becomes the model's input (`view_of` tells it for any image);
    `mean` and `std` normalise its channels (0 to 1). `card` is `paperclip.json`, empty for a model
    from elsewhere, `extras` its part about `heads.safetensors`, and `processor` what transformers'
    processor of images does.
    """

    path: Path
    name: str
    config: ClipConfig
    view: View
    mean: tuple[float, ...] = CLIP_MEAN
    std: tuple[float, ...] = CLIP_STD
    card: dict = field(default_factory=dict)
    extras: Extras = field(default_factory=Extras)
    processor: Processor = field(default_factory=Processor)

    @classmethod
    def open(cls, path: Path, name: str | None = None) -> ModelFolder:
        """Reads the small files of a folder, and only checks that the weights exist."""
        missing = missing_files(path)
        if missing:
            raise _no_model(path, missing)

        config = ClipConfig.read(path / CONFIG)
        card = _read_json(path / CARD)
        processor = _processor(path)
        mean, std = processor.normalisation()
        return cls(
            path=path,
            name=name or path.name,
            config=config,
            view=_view(path / CARD, card, config),
            mean=mean,
            std=std,
            card=card,
            extras=_extras(path, card),
            processor=processor,
        )

    @property
    def has_view(self) -> bool:
        """Whether its card says how it sees images, as those of models trained here do."""
        return "view" in self.card

    @property
    def own_view(self) -> View:
        """The view that its processor makes (`Processor.own_view`)."""
        return self.processor.own_view(self.config.vision.image_size)

    def tensors(self) -> Tensors:
        """The weights of the towers, in one file or several."""
        return open_weights(self.path)

    @property
    def weight_bytes(self) -> int:
        """The size of the files with the weights of the towers."""
        return sum((self.path / name).stat().st_size for name in weight_files(self.path))

    def view_of(self, is_preview: bool) -> View:
        """The view of an image: a preview in the cache, or any other.

        A model from elsewhere sees previews as the paper does, which are wide frames with the
        target in the middle, and any other image as its own processor shows it.

        Raises:
            PaperclipError: as for `own_view`.
        """
        return self.view if is_preview or self.has_view else self.own_view


REQUIRED = (CONFIG, WEIGHTS, f"{TOKENIZER} (or {VOCABULARY} and {MERGES})")


def missing_files(path: Path) -> list[str]:
    """The files that a folder lacks to be a model: of `REQUIRED`, or shards that its index names.

    Raises:
        PaperclipError: its index of shards is damaged.
    """
    lacking = missing_names([name for name in MODEL_FILES if (path / name).is_file()])
    if WEIGHTS in lacking:
        return lacking
    return lacking + [name for name in weight_files(path) if not (path / name).is_file()]


def missing_names(names: Collection[str]) -> list[str]:
    """The files of `REQUIRED` that are not among those names; an index stands for its shards."""
    tokenizer = TOKENIZER in names or (VOCABULARY in names and MERGES in names)
    there = (CONFIG in names, WEIGHTS in names or INDEX in names, tokenizer)
    return [name for name, found in zip(REQUIRED, there, strict=True) if not found]


def model_files(path: Path) -> list[str]:
    """The names of the files in a folder that change an embedding: its model and nothing else."""
    names = [name for name in MODEL_FILES if name != INDEX]
    names += [name for name in weight_files(path) if name not in names]
    return [name for name in names if (path / name).is_file()]


def _no_model(path: Path, missing: Sequence[str]) -> PaperclipError:
    """The error about a folder that lacks files, which tells what it has in their place."""
    there = {file.name for file in path.iterdir()} if path.is_dir() else set()
    other = other_weights(there)
    if other is not None and WEIGHTS in missing:
        return PaperclipError(
            f"model folder {path}: {WEIGHTS} is missing, and what it has is {other}",
            how_to_convert(other, str(path), str(path)),
        )
    return PaperclipError(
        f"model folder {path}: {missing[0]} is missing", "a model needs " + ", ".join(REQUIRED)
    )


def resolve(name: str | None, workspace: Workspace) -> ModelFolder:
    """The model that a name refers to.

    In this order it is a model in the cache, a folder, or a name on the Hugging Face Hub
    (`org/name` or `org/name@revision`, fetched once). None means the only model in the cache.

    Raises:
        UsageError: no name and several models, or a name that means nothing.
        PaperclipError: no name and no model, a folder without a model, or a Hub model that cannot
            be fetched.
    """
    if name is None:
        name = _only_model(workspace)

    if name in workspace.names("models"):
        whole_manifest(workspace.model(name), AS_WRITTEN)
        return ModelFolder.open(workspace.model(name), name)
    folder = expanded(name)
    if folder.is_dir():
        return ModelFolder.open(folder.absolute(), name)
    from paperclip_cli.towers import hub  # most models are in the cache

    if hub.is_name(name):
        place = hub.locate(name, workspace, MODEL_FILES, missing_files, telling=telling)
        return ModelFolder.open(place, name)

    known = ", ".join(workspace.names("models")) or "none"
    raise UsageError(
        f"no model {name!r}: not in the cache (which has: {known}), and not a folder",
        f"give a trained model's name, a folder, or a Hub name such as {DEFAULT_MODEL}",
    )


def _only_model(workspace: Workspace) -> str:
    names = workspace.names("models")
    if not names:
        raise PaperclipError(
            "no model in the cache", f"run `paperclip train` first, or give --model {DEFAULT_MODEL}"
        )
    if len(names) > 1:
        raise UsageError(
            f"{counted(len(names), 'models')} ({', '.join(names)}) and no --model",
            f"add --model {names[0]}",
        )
    return names[0]


def fingerprint(folder: ModelFolder, workspace: Workspace, afresh: bool = False) -> str:
    """SHA-256 of the model's files, in hex: names, lengths and bytes, in the order of MODEL_FILES.

    It is remembered in the cache with the files' sizes and modification times, so that a query does
    not read 600 MB. With `afresh` the files are read.
    """
    files = _files(folder)
    return remembered(workspace, folder.path, files, lambda: _hash(files), afresh)


def fingerprint_now(folder: ModelFolder) -> str:
    """The same, remembered nowhere: of a folder that will lie elsewhere."""
    return _hash(_files(folder))


def _files(folder: ModelFolder) -> list[Path]:
    return [folder.path / name for name in model_files(folder.path)]


def _hash(files: Sequence[Path]) -> str:
    digest = hashlib.sha256()
    for path in files:
        digest.update(f"{path.name}\0{path.stat().st_size}\0".encode())
        with path.open("rb") as file:
            while block := file.read(1 << 20):
                digest.update(block)
    return digest.hexdigest()


def _view(path: Path, card: dict, config: ClipConfig) -> View:
    """The view in `paperclip.json`, else the paper's, at the model's image size."""
    values = card.get("view", {})
    try:
        view = View(**({"size": config.vision.image_size} | values))
    except (TypeError, PaperclipError) as error:
        raise PaperclipError(
            f"{path}: not a view: {values!r} ({error})", "download the file again"
        ) from error

    if view.size != config.vision.image_size:
        raise PaperclipError(
            f"{path}: the view has {view.size} pixels and the model {config.vision.image_size}",
            "correct one of them",
        )
    return view


def _extras(path: Path, card: dict) -> Extras:
    values = card.get("extras", {})
    try:
        extras = Extras(**values)
    except (TypeError, PaperclipError) as error:
        raise PaperclipError(
            f"{path / CARD}: not a model's extras: {values!r} ({error})", "download the file again"
        ) from error

    if extras and not (path / HEADS).is_file():
        raise PaperclipError(
            f"model folder {path}: {HEADS} is missing, but {CARD} mentions it",
            "download the file again",
        )
    return extras


def telling(path: Path) -> list[str]:
    """The files that change what the others mean, whether they are there or not.

    A copy without one that its source has is another model.
    """
    is_nested = _processor(path).path.name == PROCESSOR
    return [CARD, HEADS, PROCESSOR, *(() if is_nested else (PREPROCESSOR,))]


def _processor(path: Path) -> Processor:
    """What transformers reads: a part of `processor_config.json`, else the older file."""
    whole = _read_json(path / PROCESSOR)
    values = whole.get("image_processor")
    if values is None:
        return Processor(_read_json(path / PREPROCESSOR), path / PREPROCESSOR)
    if not isinstance(values, dict):
        raise PaperclipError(
            f"{path / PROCESSOR}: image_processor is not an object", "download the file again"
        )
    return Processor(values, path / PROCESSOR)


def _read_json(path: Path) -> dict:
    """The JSON object in a file; empty where there is no file."""
    if not path.is_file():
        return {}
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise PaperclipError(
            f"{path} cannot be read as JSON ({error})", "download the file again"
        ) from error
    if not isinstance(values, dict):
        raise PaperclipError(f"{path}: not a JSON object", "download the file again")
    return values
