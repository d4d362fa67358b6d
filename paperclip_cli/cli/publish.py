"""`paperclip publish`."""

from __future__ import annotations

from typing import Annotated, Optional

import typer

from paperclip_cli.cli.complete import artefact_names
from paperclip_cli.cli.session import session
from paperclip_cli.config import PublishConfig, configure
from paperclip_cli.config.choices import Artefact


def publish(
    kind: Annotated[Artefact, typer.Argument(help="What is published.")],
    name: Annotated[
        str, typer.Argument(help="Its name in the cache.", autocompletion=artefact_names)
    ],
    repository: Annotated[
        str,
        typer.Argument(
            metavar="REPO", help="Repository on the Hub, like org/name; made if there is none."
        ),
    ],
    licence: Annotated[
        Optional[str],
        typer.Option(help="Licence in the card's header, for example mit. [default: the card's]"),
    ] = None,
    message: Annotated[
        Optional[str], typer.Option(help="Message of the commit. [default: what is published]")
    ] = None,
    private: Annotated[
        bool, typer.Option("--private", help="Only you may see the repository, if it is made now.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only list the files and their sizes.")
    ] = False,
) -> int:
    """Upload a model, a dataset or an index to the Hugging Face Hub.

    The card goes with it, and no path of this machine. Log in first (`hf auth login`, or HF_TOKEN).
    What the repository holds already is not uploaded again.
    """
    from paperclip_cli.stages import publish as stage

    here = session()
    config = configure(
        PublishConfig,
        kind=kind,
        name=name,
        repository=repository,
        licence=licence,
        message=message,
        private=private,
        dry_run=dry_run,
    )
    return here.finish(stage.run(config, here.workspace, here.progress))
