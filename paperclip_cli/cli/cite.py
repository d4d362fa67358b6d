"""`paperclip cite`."""

from __future__ import annotations

from typing import Annotated, Optional

import typer

from paperclip_cli.cli.complete import index_names, proposal_keys
from paperclip_cli.cli.session import session
from paperclip_cli.config import CiteConfig, configure
from paperclip_cli.errors import ExitCode


def cite(
    hits: Annotated[
        Optional[list[str]],
        typer.Argument(
            help="Proposals (hst:15354), or the output file of `query --json`. "
            "[default: all proposals of the index, else all that were fetched]",
            autocompletion=proposal_keys,
        ),
    ] = None,
    index: Annotated[
        Optional[list[str]],
        typer.Option(
            help="Index, or several: hubble,mine. Without a default it is `default`, or the only "
            "one.",
            autocompletion=index_names,
        ),
    ] = None,
    bibtex: Annotated[bool, typer.Option("--bibtex", help="Print BibTeX.")] = False,
) -> int:
    """Print what to acknowledge in a paper.

    That is the archive with its proposals, the papers, the model and the software.
    """
    from paperclip_cli.output import citations, console
    from paperclip_cli.stages import cite as stage

    here = session()
    here.check_indexes(index)
    debts = stage.run(configure(CiteConfig, hits=hits or None, index=index), here.workspace)
    console.emit((citations.bibtex if bibtex else citations.plain)(debts.programs, debts.model))
    return ExitCode.OK
