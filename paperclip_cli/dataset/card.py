"""The README.md of a dataset, with which `datasets` loads the folder and readers can judge it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from paperclip_cli import __version__
from paperclip_cli.dataset.join import Row
from paperclip_cli.dataset.split import TRAIN

_COLUMNS = """\
| column | content |
|---|---|
| `image` | the preview: a square JPEG, padded |
| `mission`, `proposal_id` | the key of the proposal |
| `abstract`, `summary`, `caption` | its texts; `caption` is the one to train on |
| `seen_sky` | held-out rows: a training footprint lies within 5 arcmin, or training has the same \
moving target (null: unknown, or no training split) |
| `seen_text` | held-out rows: half of its 5-word shingles (Jaccard) occur in a training abstract |
| `title`, `category`, `cycle` | from the proposal catalogue |
| `target`, `moving`, `s_ra`, `s_dec`, `s_region` | where the telescope looked (degrees, ICRS) |
| `instrument`, `detector`, `filters`, `obs_id`, `t_min`, `t_exptime` | how and when \
(Modified Julian Date, seconds) |
| `access_url`, `preview_uri`, `product_uri` | where the archive keeps it |
"""

_TERMS = """\
Images and texts remain under the terms of their sources. Previews and abstracts of Hubble and JWST
are published by STScI (MAST): acknowledge the archive and the proposals that you use. For your own
images, or other people's, keep the credits with them.
"""


def dataset_card(
    splits: Mapping[str, Sequence[Row]], settings: Mapping, sources: Mapping[str, str]
) -> str:
    """The text of README.md. `sources`: mission -> origin of its images and texts."""
    files = "".join(f"  - split: {split}\n    path: data/{split}-*.parquet\n" for split in splits)
    header = (
        "---\npretty_name: PAPERCLIP image-text pairs\n"
        "tags:\n- astronomy\n- paperclip\nlicense: other\n"
        f"configs:\n- config_name: default\n  data_files:\n{files}---\n"
    )
    texts = "summaries" if settings.get("captions") == "summary" else "abstracts"
    origin = "".join(f"- `{mission}`: {source}\n" for mission, source in sources.items())

    return f"""{header}
# Astronomical images and proposal {texts}

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
    """Counts for every split, and the shares of its images that training gives away."""
    header = "| split | images | proposals | seen sky | seen text |\n|---|---|---|---|---|\n"
    return header + "".join(_split_line(split, rows) for split, rows in splits.items())


def _split_line(split: str, rows: Sequence[Row]) -> str:
    proposals = len({row.proposal.key for row in rows})
    sky = share([row.seen_sky for row in rows], split)
    text = share([row.seen_text for row in rows], split)
    return f"| {split} | {len(rows)} | {proposals} | {sky} | {text} |\n"


def share(flags: Sequence[bool | None], split: str = "") -> str:
    """The share of true flags among the known ones, as `12.0 % (3 of 25)`; empty for training."""
    if split == TRAIN:
        return ""

    known = [flag for flag in flags if flag is not None]
    if not known:
        return "unknown"
    return f"{100 * sum(known) / len(known):.1f} % ({sum(known)} of {len(known)})"
