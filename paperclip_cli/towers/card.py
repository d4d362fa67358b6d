"""The cards of a trained model: `paperclip.json` for programs, `README.md` for people."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from textwrap import fill

from paperclip_cli import __version__
from paperclip_cli.images.view import View
from paperclip_cli.services.hub_card import licence_of
from paperclip_cli.towers import card_code
from paperclip_cli.towers.config import Extras

_ACCURACY = """
`validation_accuracy_10` is the share of images whose own caption is among the nearest 10 % (rounded
down) of the distinct captions.
"""
_OPENAI_LICENCE = "mit"  # github.com/openai/CLIP; its model cards on the Hub name none


def licence(base: Path | None, name: str) -> str:
    """The licence in the header of the base's README.md; `other` where none is known.

    OpenAI's models have `mit`.
    """
    if name.startswith("openai/clip-"):
        return _OPENAI_LICENCE
    readme = base / "README.md" if base is not None else None
    if readme is None or not readme.is_file():
        return "other"

    return licence_of(readme.read_text(encoding="utf-8", errors="replace")) or "other"


def machine_card(
    training: Mapping,
    splits: Mapping[str, Sequence[str]],
    base: str,
    terms: str,
    origin: Mapping[str, str] | None = None,
    captions: str = "other",
) -> dict:
    """The content of `paperclip.json` except the view.

    `splits`: split -> keys of its proposals. `origin`: name and revision of a dataset that others
    made. `captions` are `abstract`, `summary` or `other`.
    """
    of_others = {"origin": dict(origin)} if origin else {}
    return {
        "training": dict(training),
        "data": {
            "splits": {split: list(keys) for split, keys in splits.items()},
            "captions": captions,
            **of_others,
        },
        "base": {"name": base, "license": terms},
    }


def readme(
    name: str,
    view: View,
    card: Mapping,
    metrics: Mapping[str, float | None],
    extras: Extras = Extras(),
    *,
    most_tokens: int,
) -> str:
    """The model card, in the format of the Hugging Face Hub.

    `most_tokens` is the longest text that the model reads.
    """
    base, terms, splits = card["base"]["name"], card["base"]["license"], card["data"]["splits"]
    from_hub = f"base_model: {base}\n" if re.fullmatch(r"[\w.-]+/[\w.@-]+", base) else ""
    proposals = ", ".join(f"{len(keys):,} in {split}" for split, keys in splits.items())
    painted = "" if view.fill == "none" else ", whose pixels without data are painted like the sky"
    pixels = f"{view.size} x {view.size} pixels of {view}{painted} (`paperclip.json`)."
    pieces = "items" if card["data"].get("captions") == "summary" else "sentences"
    length = card["training"].get("caption_tokens") or most_tokens
    origin = card["data"].get("origin", {"name": "", "revision": ""})
    source = "{name} at {revision}; ".format_map(origin) if origin["name"] else ""
    repository = re.fullmatch(r"([\w.-]+/[\w.-]+)(@.*)?", origin["name"])
    trained_on = f"datasets:\n- {repository[1]}\n" if repository else ""
    scores = "".join(
        f"| {what} | {value:.4g} |\n" for what, value in metrics.items() if value is not None
    )
    return f"""---
license: {terms}
{from_hub}{trained_on}library_name: transformers
tags:
- clip
- astronomy
- paperclip
---

# {name}: a CLIP model for astronomical images and proposal texts

Trained by `paperclip train` (paperclip-cli {__version__}) from {base}, after PAPERCLIP
(Mishra-Sharma, Song & Thaler 2024, arXiv 2403.08851). `transformers.CLIPModel.from_pretrained`
loads this folder as it is, and the lines below show it pictures and texts as `paperclip` does.
{_warnings(card["training"], extras)}
{_wrapped(f"- Input: {pixels}", "  ")}
- Texts: up to {length} tokens. Longer captions are cut between {pieces}.
- Data: {source}proposals: {proposals}. Their keys are in
  `paperclip.json`. Images and texts remain under the terms of their sources.
- Licence of the base: {"not known" if terms == "other" else terms}.

| {"validation" if scores else "no validation split"} | |
|---|---|
{scores}{_ACCURACY if "_accuracy_" in scores else ""}
Its retrieval was measured on its own kind of data only. That says nothing about images of other
origin.

## Use with transformers

{_use(view, length, extras, card["data"].get("captions", "other"))}

## Training

```json
{json.dumps(card["training"], indent=2)}
```
"""


def _use(view: View, length: int, extras: Extras, captions: str) -> str:
    """How to use the model without paperclip."""
    alone = "`preprocessor_config.json` alone"
    if view.kind == "clip":
        without = f"{alone} shows pictures in the same way."
    elif view.fill == "sky":
        without = (
            f"{alone} leaves pixels without data white, which this model has never seen, and does "
            "not pad pictures: without `view` the embeddings are of little use."
        )
    else:
        without = f"{alone} shows square pictures in the same way, and does not pad others."
    before = (
        f"After `pip install {card_code.packages(view)}`, in the folder with this file (`hf "
        "download` fetches it from the Hub):"
    )
    after = (
        '`embed_images([Image.open(path)]) @ embed_texts(["a spiral galaxy"]).T` are cosines. '
        f"{without}"
    )
    code = card_code.code(view, length, extras, captions == "summary")
    return f"{_wrapped(before)}\n\n```python\n{code}\n```\n\n{_wrapped(after)}"


def _wrapped(text: str, indent: str = "") -> str:
    return fill(text, 100, subsequent_indent=indent, break_on_hyphens=False)


def _warnings(training: Mapping, extras: Extras) -> str:
    """Warnings for users of the files without paperclip, and about models that are controls."""
    lines = []
    if extras.head_size is not None:
        lines.append(
            "The trained parameters are not in `model.safetensors`: `heads.safetensors` holds two "
            f"MLPs (inner width {extras.head_size:,}, GELU) that take the place of the "
            "projections. Without them this is the base model."
        )
    if extras.logit_bias:
        lines.append(
            "`heads.safetensors` holds `logit_bias`, which the sigmoid loss adds to the logits; "
            "embeddings do not depend on it."
        )
    if training.get("logit_scale") == "reference":
        lines.append(
            "In training, `logit_scale` itself multiplied the similarities instead of its "
            "exponential, as in the paper's code."
        )
    if training.get("shuffle_pairs"):
        lines.append(
            "This is a control: its images were trained with the texts of other proposals."
        )
    return "".join(f"\n**{line}**\n" for line in lines)
