"""Language models on disk: which file or folder a name means. From the Hub come GGUF and safetensors only, nothing that runs."""

from __future__ import annotations

import json
import re
from pathlib import Path

from paperclip_cli.errors import UsageError
from paperclip_cli.towers import hub
from paperclip_cli.workspace import Workspace

_GGUF = re.compile(
    r"(?P<name>[^:]+):(?P<file>(?:[A-Za-z0-9_][A-Za-z0-9._-]*/)*[A-Za-z0-9_][A-Za-z0-9._-]*\.gguf)"
)
_FILES = ("*.json", "*.safetensors", "*.jinja", "tokenizer.model", "vocab.txt", "merges.txt")
_KIND = "choose a causal language model with safetensors"


def gguf_file(name: str, workspace: Workspace) -> Path:
    """A GGUF file on this machine, or `org/name:file.gguf` on the Hub (`org/name@revision:file.gguf`), fetched once. Absolute."""
    path = Path(name).expanduser()
    if path.is_file():
        return path.absolute()
    match = _GGUF.fullmatch(name)
    if match is None or not hub.is_name(match["name"]):
        raise UsageError(
            f"--llm {name}: no such file",
            "give a GGUF file, or org/name:file.gguf for one on the Hub",
        )
    file = match["file"]
    return (
        hub.locate(
            match["name"],
            workspace,
            [file],
            lambda folder: [] if (folder / file).is_file() else [file],
            "look on the Hub for what its GGUF files are called",
        )
        / file
    )


def language_folder(name: str, workspace: Workspace) -> Path:
    """A folder in the Hugging Face layout, or that of a Hub name (`org/name` or `org/name@revision`), fetched once. Absolute."""
    path = Path(name).expanduser()
    if path.is_dir():
        return path.absolute()
    if not hub.is_name(name):
        raise UsageError(
            f"--llm {name}: no such folder",
            "give a folder with a language model, or a name on the Hub like org/name",
        )
    return hub.locate(name, workspace, _FILES, _lacking, _KIND)


def _lacking(folder: Path) -> list[str]:
    """What a folder lacks to be a language model: its configuration, a tokenizer, or weights (all that its index names)."""
    tokenizers = ("tokenizer.json", "tokenizer.model", "vocab.txt", "vocab.json")
    missing = [] if (folder / "config.json").is_file() else ["config.json"]
    missing += [] if any((folder / name).is_file() for name in tokenizers) else ["tokenizer.json"]
    return missing + [name for name in _weights(folder) if not (folder / name).is_file()]


def _weights(folder: Path) -> list[str]:
    index = folder / "model.safetensors.index.json"
    if not index.is_file():
        return ["model.safetensors"]
    try:
        return sorted(set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values()))
    except (ValueError, KeyError, AttributeError, TypeError):
        return [index.name + " (readable)"]
