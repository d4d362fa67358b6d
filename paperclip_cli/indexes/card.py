"""The README.md of a published index: what is in it, and how it is used."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from paperclip_cli import __version__
from paperclip_cli.indexes.database import Image
from paperclip_cli.wording import counted

_TERMS = """\
Small pictures, titles and abstracts remain under the terms of their sources. Those of Hubble and
JWST are published by STScI (MAST): acknowledge the archive and the proposals that you use
(`paperclip cite --index NAME` lists them).
"""


def index_card(
    name: str,
    repository: str,
    images: Sequence[Image],
    *,
    model: str,
    fingerprint: str,
    model_licence: str,
) -> str:
    """The card of an index in the format of the Hugging Face Hub.

    `fingerprint` is that of the whole `model`; `model_licence` is `other` where it is not known.
    """
    missions = Counter(image.entry.key.mission if image.entry.key else "-" for image in images)
    proposals = {image.entry.key for image in images if image.entry.key}
    table = "".join(
        f"| {'no proposal' if mission == '-' else mission} | {count:,} |\n"
        for mission, count in sorted(missions.items())
    )
    terms = "not known" if model_licence == "other" else model_licence
    called = repository.rpartition("/")[2]
    return f"""---
license: other
pretty_name: paperclip index {name}
viewer: false
tags:
- astronomy
- paperclip
---

# {name}: an index of astronomical images that is searched in plain language

{counted(len(images), "images")} of {counted(len(proposals), "proposals")}, embedded by
`paperclip index` (paperclip-cli {__version__}): vectors, small pictures, what is known of each
observation, and the text tower of the model, in one file (`index.zip`).

```sh
paperclip pull {repository} --kind index
paperclip query "galaxy mergers" --index {called}
```

| mission | images |
|---|---|
{table}
## Model

`{model}`, fingerprint `{fingerprint}`. Queries with text need nothing else; queries with an image
need the whole model. Its licence: {terms}.

## Terms

{_TERMS}"""
