"""The settings of each stage, as frozen dataclasses.

Every default is written here and nowhere else. Each class checks its values when it is created.
"""

from paperclip_cli.config.archive import PREVIEW_SIZE, CiteConfig, FetchConfig, GetConfig
from paperclip_cli.config.dataset import BuildDatasetConfig
from paperclip_cli.config.evaluation import EvaluateConfig
from paperclip_cli.config.given import configure
from paperclip_cli.config.health import DoctorConfig
from paperclip_cli.config.hub import PublishConfig, PullConfig
from paperclip_cli.config.search import BundleConfig, DescribeConfig, IndexConfig, QueryConfig
from paperclip_cli.config.summaries import SummarizeConfig
from paperclip_cli.config.training import (
    DEFAULT_MODEL,
    PAPER_PRESET,
    TINY_PRESET,
    Recipe,
    TrainConfig,
    training_preset,
    training_recipe,
)

__all__ = [
    "DEFAULT_MODEL",
    "PAPER_PRESET",
    "PREVIEW_SIZE",
    "TINY_PRESET",
    "BuildDatasetConfig",
    "BundleConfig",
    "CiteConfig",
    "DescribeConfig",
    "DoctorConfig",
    "EvaluateConfig",
    "FetchConfig",
    "GetConfig",
    "IndexConfig",
    "PublishConfig",
    "PullConfig",
    "QueryConfig",
    "Recipe",
    "SummarizeConfig",
    "TrainConfig",
    "configure",
    "training_preset",
    "training_recipe",
]
