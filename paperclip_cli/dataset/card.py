"""The README.md of a dataset: what `datasets` needs to load the folder, and what a reader needs to trust it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from paperclip_cli import __version__
from paperclip_cli.dataset.join import Row
from paperclip_cli.dataset.split import TRAIN

_COLUMNS = """\
| column | what |
|---|---|
| `image` | the preview: a square JPEG, padded |
| `mission`, `proposal_id` | the key of the proposal |
| `abstract`, `summary`, `caption` | its texts; `caption` is the one to train on |
| `seen_sky` | held-out rows: a training footprint within 5 arcmin, or the same moving target (null: unknown, or nothing to train on) |
| `seen_text` | held-out rows: shares half of its 5-word shingles (Jaccard) with a training abstract |
| `title`, `category`, `cycle` | from the proposal catalogue |
| `target`, `moving`, `s_ra`, `s_dec`, `s_region` | where the telescope looked (degrees, ICRS) |
| `instrument`, `detector`, `filters`, `obs_id`, `t_min`, `t_exptime` | how and when (Modified Julian Date, seconds) |
| `access_url`, `preview_uri`, `product_uri` | where the archive keeps it |
"""

_TERMS = """\
Images and texts keep the terms of where they came from. Previews and abstracts of Hubble and JWST are published by STScI (MAST):
acknowledge the archive and the proposals that you use. For your own images, or other people's, keep the credits with them.
"""


def dataset_card(
    splits: Mapping[str, Sequence[Row]], settings: Mapping, sources: Mapping[str, str]
) -> str:
    """The text of README.md. `sources`: mission -> where its images and texts came from."""
    files = "".join(f"  - split: {split}\n    path: data/{split}-*.parquet\n" for split in splits)
    header = (
        "---\npretty_name: PAPERCLIP image-text pairs\ntags:\n- astronomy\n- paperclip\nlicense: other\n"
        f"configs:\n- config_name: default\n  data_files:\n{files}---\n"
    )
    origin = "".join(f"- `{mission}`: {source}\n" for mission, source in sources.items())
    return f"""{header}
# Astronomical images and proposal {"summaries" if settings.get("captions") == "summary" else "abstracts"}

Made by `paperclip build-dataset` (paperclip-cli {__version__}). No proposal is in two splits.

{split_table(splits)}
## Sources

{origin}
## Columns

{_COLUMNS}
## Settings

```json
{json.dumps(settings, indent=2)}
```

## Terms

{_TERMS}"""


def split_table(splits: Mapping[str, Sequence[Row]]) -> str:
    """Counts of every split, and the shares of its images that training gives away."""
    lines = [
        f"| {split} | {len(rows)} | {len({row.proposal.key for row in rows})} | {share([row.seen_sky for row in rows], split)} "
        f"| {share([row.seen_text for row in rows], split)} |\n"
        for split, rows in splits.items()
    ]
    return (
        "| split | images | proposals | seen sky | seen text |\n|---|---|---|---|---|\n"
        + "".join(lines)
    )


def share(flags: Sequence[bool | None], split: str = "") -> str:
    """`12.0 % (3 of 25)` of the images where it is known."""
    known = [flag for flag in flags if flag is not None]
    if split == TRAIN or not known:
        return "" if split == TRAIN else "unknown"
    return f"{100 * sum(known) / len(known):.1f} % ({sum(known)} of {len(known)})"
