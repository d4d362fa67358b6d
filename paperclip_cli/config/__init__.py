"""The settings of each stage, as frozen dataclasses.

Every default is written here and nowhere else. Each class checks its values when it is created.

A module is imported when one of its names is first used: a command needs the settings of one stage.
"""
# ruff: noqa: F401  (the imports are for type checkers)

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from paperclip_cli.config.archive import (
        PREVIEW_SIZE,
        CiteConfig,
        FetchConfig,
        GetConfig,
        ShowConfig,
    )
    from paperclip_cli.config.cache import CachePruneConfig, CacheRemoveConfig
    from paperclip_cli.config.dataset import BuildDatasetConfig
    from paperclip_cli.config.evaluation import BenchmarkConfig, EvaluateConfig
    from paperclip_cli.config.given import configure
    from paperclip_cli.config.health import DoctorConfig
    from paperclip_cli.config.hub import PublishConfig, PullConfig
    from paperclip_cli.config.models import DEFAULT_MODEL
    from paperclip_cli.config.search import (
        BundleConfig,
        DescribeConfig,
        IndexConfig,
        MergeConfig,
        QueryConfig,
    )
    from paperclip_cli.config.summaries import SummarizeConfig
    from paperclip_cli.config.training import (
        PAPER_PRESET,
        TINY_PRESET,
        TRAIN_PRESETS,
        Recipe,
        TrainConfig,
        training_preset,
        training_recipe,
    )

_HOMES = {
    "archive": "PREVIEW_SIZE CiteConfig FetchConfig GetConfig ShowConfig",
    "cache": "CachePruneConfig CacheRemoveConfig",
    "dataset": "BuildDatasetConfig",
    "evaluation": "BenchmarkConfig EvaluateConfig",
    "given": "configure",
    "health": "DoctorConfig",
    "hub": "PublishConfig PullConfig",
    "models": "DEFAULT_MODEL",
    "search": "BundleConfig DescribeConfig IndexConfig MergeConfig QueryConfig",
    "summaries": "SummarizeConfig",
    "training": (
        "PAPER_PRESET TINY_PRESET TRAIN_PRESETS Recipe TrainConfig training_preset training_recipe"
    ),
}
_MODULES = {name: module for module, names in _HOMES.items() for name in names.split()}
__all__ = [*_MODULES]


def __getattr__(name: str) -> object:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
    globals()[name] = found  # so that this function is asked only once
    return found
