"""`paperclip build-dataset`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Optional

import typer

from paperclip_cli.cli.complete import fetched_missions
from paperclip_cli.cli.session import session
from paperclip_cli.config import BuildDatasetConfig, configure
from paperclip_cli.config.choices import Captions

DEFAULTS = BuildDatasetConfig()


def build_dataset(
    captions: Annotated[
        Captions, typer.Option(help="Texts that the images are paired with.")
    ] = DEFAULTS.captions,
    summaries: Annotated[
        Optional[str], typer.Option(help="Set of summaries to use. [default: the only one]")
    ] = None,
    mission: Annotated[
        Optional[list[str]],
        typer.Option(
            help="Missions to include. [default: all that were fetched]",
            autocompletion=fetched_missions,
        ),
    ] = None,
    val_fraction: Annotated[
        float, typer.Option(help="Fraction of the proposals for validation.")
    ] = DEFAULTS.val_fraction,
    test_fraction: Annotated[
        float, typer.Option(help="Fraction of the proposals for testing.")
    ] = DEFAULTS.test_fraction,
    seed: Annotated[int, typer.Option(help="Seed of the random split.")] = DEFAULTS.seed,
    name: Annotated[str, typer.Option(help="Name of the dataset in the cache.")] = DEFAULTS.name,
    out: Annotated[
        Optional[Path], typer.Option(help="Folder to write to instead of the cache.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Build the dataset again.")] = False,
) -> int:
    """Build a dataset of image-text pairs, split by proposal."""
    from paperclip_cli.stages import build_dataset as stage

    here = session()
    config = configure(
        BuildDatasetConfig,
        captions=captions,
        summaries=summaries,
        mission=mission,
        val_fraction=val_fraction,
        test_fraction=test_fraction,
        seed=seed,
        name=name,
        out=out,
        force=force,
    )
    return here.finish(stage.run(config, here.workspace, here.progress))
