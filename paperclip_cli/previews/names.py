"""File names of previews: plain, distinct, and like the archive's."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Sequence
from pathlib import PurePosixPath

_PLAIN_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


def file_names(names: Sequence[str]) -> list[str]:
    """File names for the previews of one proposal, distinct also where case does not count.

    `observations/proposal_1/m 31.png` -> `m_31-1f0a9c3e.jpg`. A name that is plain already, and the
    only one of its kind, keeps its stem.
    """
    stems = [PurePosixPath(name).stem for name in names]
    shared = Counter(stem.lower() for stem in stems)
    return [
        (stem if _PLAIN_NAME.fullmatch(stem) and shared[stem.lower()] == 1 else _marked(stem, name))
        + ".jpg"
        for stem, name in zip(stems, names, strict=True)
    ]


def _marked(stem: str, name: str) -> str:
    plain = re.sub(r"[^A-Za-z0-9._-]+", "_", stem).lstrip("._-")[:80]
    return f"{plain or 'image'}-{hashlib.sha256(name.encode()).hexdigest()[:8]}"
