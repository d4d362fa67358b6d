"""`paperclip pull`."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Annotated, Any, Optional

import typer

from paperclip_cli.cli.session import session
from paperclip_cli.config import PullConfig, configure
from paperclip_cli.config.choices import Artefact

_LARGE = 1e9  # bytes, from which a person at a terminal is asked


def pull(
    repository: Annotated[
        str,
        typer.Argument(
            metavar="REPO", help="Repository on the Hub: org/name, or org/name@revision."
        ),
    ],
    name: Annotated[
        Optional[str],
        typer.Option(help="Name in the cache. [default: the last part of the repository's]"),
    ] = None,
    kind: Annotated[
        Optional[Artefact],
        typer.Option(help="What to fetch. [default: the model of this name, else the rest]"),
    ] = None,
    yes: Annotated[
        bool, typer.Option("--yes", "-y", help="Do not ask before a download of more than 1 GB.")
    ] = False,
    force: Annotated[
        bool,
        typer.Option(
            "--force", help="Fetch again, and replace what has this name and came from elsewhere."
        ),
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only show size, licence and revision.")
    ] = False,
) -> int:
    """Fetch a model, an index or a dataset from the Hugging Face Hub.

    It is then known by its name, like one that was made here. The revision is resolved to a commit,
    which is recorded. Of a model only safetensors, JSON and text are fetched.
    """
    from paperclip_cli.stages import pull as stage

    here = session()
    config = configure(
        PullConfig, repository=repository, name=name, kind=kind, force=force, dry_run=dry_run
    )
    return here.finish(stage.run(config, here.workspace, here.progress, _agreed(yes)))


def _agreed(yes: bool) -> Callable[[Any], bool]:
    """Asks before a large download, where there is somebody to answer."""

    def agreed(offer: Any) -> bool:
        if yes or offer.left < _LARGE or not _is_attended():
            return True
        return typer.confirm(f"{offer}\nDownload it?", err=True)

    return agreed


def _is_attended() -> bool:
    return sys.stdin.isatty() and sys.stderr.isatty()
