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
from paperclip_cli.towers.preprocessor import own_view
from paperclip_cli.wording import counted
from paperclip_cli.workspace import Workspace, remembered, whole_manifest

CONFIG, WEIGHTS = "config.json", "model.safetensors"
PREPROCESSOR, CARD = "preprocessor_config.json", "paperclip.json"
HEADS = "heads.safetensors"
TOKENIZER, VOCABULARY, MERGES = "tokenizer.json", "vocab.json", "merges.txt"
# The files that change an embedding, and no others that may lie in the folder.
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
)
# These two are edited by hand; the others stay as they were written.
AS_WRITTEN = tuple(name for name in MODEL_FILES if name not in (CARD, PREPROCESSOR))
# Files for people, which are shared with a model and change no embedding.
BESIDE = ("README.md", "metrics.jsonl", "metrics.csv")
# Means and deviations of OpenAI's CLIP, for every model that does not say otherwise.
CLIP_MEAN = (0.48145466, 0.4578275, 0.40821073)
CLIP_STD = (0.26862954, 0.26130258, 0.27577711)


@dataclass(frozen=True, kw_only=True)
class ModelFolder:
    """A folder with a whole model.

    `view` is how an archive's preview becomes the model's input (`view_of` tells it for any image);
    `mean` and `std` normalise its channels (0 to 1). `card` is `paperclip.json`, empty for a model
    from elsewhere, `extras` its part about `heads.safetensors`, and `processor` is
    `preprocessor_config.json`.
    """

    path: Path
    name: str
    config: ClipConfig
    view: View
    mean: tuple[float, ...] = CLIP_MEAN
    std: tuple[float, ...] = CLIP_STD
    card: dict = field(default_factory=dict)
    extras: Extras = field(default_factory=Extras)
    processor: dict = field(default_factory=dict)

    @classmethod
    def open(cls, path: Path, name: str | None = None) -> ModelFolder:
        """Reads the small files of a folder, and only checks that the weights exist."""
        missing = missing_files(path)
        if missing:
            raise PaperclipError(
                f"model folder {path}: {missing[0]} is missing",
                "a model needs " + ", ".join(REQUIRED),
            )

        config = ClipConfig.read(path / CONFIG)
        card = _read_json(path / CARD)
        processor = _read_json(path / PREPROCESSOR)
        mean, std = _normalisation(path / PREPROCESSOR, processor)
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
        """The view that `preprocessor_config.json` describes (`preprocessor.own_view`)."""
        return own_view(self.processor, self.path / PREPROCESSOR, self.config.vision.image_size)

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
    """The files of `REQUIRED` that a folder lacks."""
    return missing_names([name for name in MODEL_FILES if (path / name).is_file()])


def missing_names(names: Collection[str]) -> list[str]:
    """The files of `REQUIRED` that are not among those names."""
    tokenizer = TOKENIZER in names or (VOCABULARY in names and MERGES in names)
    there = (CONFIG in names, WEIGHTS in names, tokenizer)
    return [name for name, found in zip(REQUIRED, there, strict=True) if not found]


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
        return ModelFolder.open(hub.locate(name, workspace, MODEL_FILES, missing_files), name)

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
    return [folder.path / name for name in MODEL_FILES if (folder.path / name).is_file()]


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


def _normalisation(path: Path, values: dict) -> tuple[tuple[float, ...], tuple[float, ...]]:
    mean, std = values.get("image_mean", CLIP_MEAN), values.get("image_std", CLIP_STD)
    if not (_three_numbers(mean) and _three_numbers(std) and min(std) > 0):
        raise PaperclipError(
            f"{path}: image_mean and image_std are not three numbers each",
            "download the file again",
        )
    return tuple(map(float, mean)), tuple(map(float, std))


def _three_numbers(values: object) -> bool:
    return (
        isinstance(values, list | tuple)
        and len(values) == 3
        and all(type(value) in (int, float) for value in values)
    )


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
