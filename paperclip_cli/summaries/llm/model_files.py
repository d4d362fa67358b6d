"""Language models on disk: the file or folder of a name.

From the Hub come only GGUF and safetensors, no executable code.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

from paperclip_cli.errors import UsageError
from paperclip_cli.files import expanded
from paperclip_cli.towers import hub
from paperclip_cli.workspace import Workspace

_GGUF = re.compile(
    r"(?P<name>[^:]+):(?P<file>(?:[A-Za-z0-9_][A-Za-z0-9._-]*/)*[A-Za-z0-9_][A-Za-z0-9._-]*\.gguf)"
)
_FILES = ("*.json", "*.safetensors", "*.jinja", "tokenizer.model", "vocab.txt", "merges.txt")
_TELLING = ("tokenizer_config.json", "generation_config.json", "chat_template.jinja")
_KIND = "choose a causal language model with safetensors"


def gguf_file(name: str, workspace: Workspace) -> Path:
    """The absolute path of a GGUF file on this machine, or of one on the Hub, fetched once.

    The latter is named `org/name:file.gguf` or `org/name@revision:file.gguf`.
    """
    path = expanded(name)
    if path.is_file():
        return path.absolute()
    match = _GGUF.fullmatch(name)
    if match is None or not hub.is_name(match["name"]):
        raise UsageError(
            f"--llm {name}: no such file",
            "give a GGUF file, or org/name:file.gguf for one on the Hub",
        )

    file = match["file"]

    def missing(folder: Path) -> list[str]:
        return [] if (folder / file).is_file() else [file]

    advice = "look up the names of its GGUF files on the Hub"
    return hub.locate(match["name"], workspace, [file], missing, advice) / file


def language_folder(name: str, workspace: Workspace) -> Path:
    """The absolute path of a folder in the Hugging Face layout, or of one on the Hub, fetched once.

    The latter is named `org/name` or `org/name@revision`.
    """
    path = expanded(name)
    if path.is_dir():
        return path.absolute()
    if not hub.is_name(name):
        raise UsageError(
            f"--llm {name}: no such folder",
            "give a folder with a language model, or a name on the Hub like org/name",
        )
    return hub.locate(name, workspace, _FILES, _lacking, _KIND, lambda folder: _TELLING)


def _lacking(folder: Path) -> list[str]:
    """The files that a folder lacks to be a language model.

    It needs a configuration, a tokenizer, and weights (all that its index names).
    """
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
