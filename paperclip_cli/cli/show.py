"""`paperclip show`."""

from __future__ import annotations

from typing import Annotated

import typer

from paperclip_cli.cli.complete import proposal_keys
from paperclip_cli.cli.session import Format, form_of, session
from paperclip_cli.config import ShowConfig, configure
from paperclip_cli.errors import ExitCode


def show(
    proposal: Annotated[
        list[str],
        typer.Argument(
            help="Proposals, such as hst:15354.",
            metavar="PROPOSAL...",
            autocompletion=proposal_keys,
        ),
    ],
    form: Annotated[Format, typer.Option("--format", help="Output format.")] = Format.table,
    json: Annotated[bool, typer.Option("--json", help="Short for --format json.")] = False,
) -> int:
    """Print what the cache knows about a proposal.

    That is its abstract, its summaries, its images with their positions, and its page.
    """
    from paperclip_cli.output import console
    from paperclip_cli.output import proposals as texts
    from paperclip_cli.stages import show as stage

    here, printed = session(), form_of(form, json)
    found = stage.run(configure(ShowConfig, proposal=proposal), here.workspace)
    if printed == "table":
        for one in found:
            texts.show(one)
    else:
        rows = [texts.fields(one) for one in found]
        console.emit(console.rows(rows, printed))
    return ExitCode.OK
