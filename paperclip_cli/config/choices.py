"""The values of options with a fixed choice.

`--help` lists them, TAB completes them, and a configuration accepts no others.
"""

from __future__ import annotations

from typing import Literal, get_args

Backend = Literal["keywords", "llama-cpp", "outlines", "openai"]
Captions = Literal["abstract", "summary"]

Artefact = Literal["model", "dataset", "index"]
CacheKind = Literal[
    "proposals",
    "previews",
    "summaries",
    "dataset",
    "converted",
    "model",
    "training",
    "index",
    "engine",
    "hub",
    "decoded",
]

Split = Literal["validation", "test", "all"]
Ranking = Literal["unique", "paper-full", "paper-batch"]
Direction = Literal["image-to-text", "text-to-image", "both"]
Benchmark = Literal["hisp"]

ViewKind = Literal["centre", "whole"]
SeenKind = Literal[ViewKind, "clip"]
IndexView = Literal[SeenKind, "tiles"]
Stretch = Literal["preview", "zscale"]
Collapse = Literal["target", "proposal", "none"]
Frame = Literal["icrs", "fk5", "fk4", "galactic", "supergalactic", "ecliptic"]
RankBy = Literal["semantic", "keyword", "hybrid"]

RecipeName = Literal["paper"]
Mode = Literal["full", "head"]
Loss = Literal["softmax", "sigmoid"]
LogitScale = Literal["clip", "reference"]
Schedule = Literal["constant", "cosine"]
Optimiser = Literal["adamw", "muon"]
CaptionRuns = Literal["longest", "any", "words"]
Keep = Literal["best", "last"]
BestBy = Literal["loss", "accuracy"]
Dtype = Literal["auto", "float32", "bfloat16"]
Cache = Literal["auto", "device", "host", "none"]


def values_of(choice: object) -> tuple[str, ...]:
    """The values of one of the types above, in the order of `--help`."""
    return get_args(choice)
