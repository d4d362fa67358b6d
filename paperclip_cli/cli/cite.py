"""`paperclip cite`."""

from __future__ import annotations

from typing import Annotated, Optional

import typer

from paperclip_cli.cli.complete import index_names
from paperclip_cli.cli.session import session
from paperclip_cli.config import CiteConfig, configure
from paperclip_cli.errors import ExitCode


def cite(
    hits: Annotated[
        Optional[list[str]],
        typer.Argument(
            help="Proposals (hst:15354), or the output file of `query --json`. "
            "[default: all proposals of the index, else all that were fetched]"
        ),
    ] = None,
    index: Annotated[
        Optional[str],
        typer.Option(help="Name of the index. [default: the only one]", autocompletion=index_names),
    ] = None,
    bibtex: Annotated[bool, typer.Option("--bibtex", help="Print BibTeX.")] = False,
) -> int:
    """Print what to acknowledge in a paper.

    That is the archive with its proposals, the papers, the model and the software.
    """
    from paperclip_cli.output import citations, console
    from paperclip_cli.stages import cite as stage

    debts = stage.run(configure(CiteConfig, hits=hits or None, index=index), session().workspace)
    console.emit((citations.bibtex if bibtex else citations.plain)(debts.programs, debts.model))
    return ExitCode.OK
