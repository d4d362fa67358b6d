"""What a repository of the Hub offers as a model: files of known names, none of which can run."""

from __future__ import annotations

from paperclip_cli.errors import PaperclipError
from paperclip_cli.services.hub import Snapshot, refuse_large, texts_among
from paperclip_cli.towers.folder import BESIDE, MODEL_FILES, REQUIRED, missing_names
from paperclip_cli.towers.hub import without_safetensors
from paperclip_cli.towers.weight_files import INDEX, SHARD, WEIGHTS, other_weights

_MOST = 2**26  # bytes of a file that is read as a whole; no vocabulary is so large


def model_names(snapshot: Snapshot) -> list[str]:
    """The files of a repository that make a CLIP model, and those for people beside them.

    Raises:
        PaperclipError: some are missing, or are absurdly large.
    """
    there = [name for name in MODEL_FILES if name in snapshot.files]
    missing = missing_names(there)
    if missing and missing != [WEIGHTS]:
        raise PaperclipError(
            f"{snapshot.repository} on the Hub is no CLIP model: it has no {missing[0]}",
            "a model needs " + ", ".join(REQUIRED),
        )
    if missing:
        others = other_weights(snapshot.files)
        hint = without_safetensors(snapshot.repository, others) if others else "choose a CLIP model"
        raise PaperclipError(f"{snapshot.repository} on the Hub has no {WEIGHTS}", hint)
    for name in there:
        if name.endswith((".json", ".txt")):
            refuse_large(snapshot, name, _MOST)
    if WEIGHTS in there:
        there = [name for name in there if name != INDEX]
    else:  # the names in the index are compared with these files when both are here
        there += sorted(filter(SHARD.fullmatch, snapshot.files))
    return there + texts_among(snapshot, BESIDE)
