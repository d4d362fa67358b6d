"""`paperclip doctor`."""

from __future__ import annotations

from typing import Annotated

import typer

from paperclip_cli.cli.session import Format, form_of, session
from paperclip_cli.config import DoctorConfig, configure
from paperclip_cli.errors import ExitCode
from paperclip_cli.report import Check, State


def doctor(
    verify: Annotated[
        bool,
        typer.Option(
            "--verify", help="Read and check every file of the cache, which takes a while."
        ),
    ] = False,
    form: Annotated[Format, typer.Option("--format", help="Output format.")] = Format.table,
    json: Annotated[bool, typer.Option("--json", help="Short for --format json.")] = False,
) -> int:
    """Check the installation and the cache.

    Reports what is wrong and how to fix it. It changes nothing, and exits with 1 if there is a
    problem.
    """
    from paperclip_cli.stages import doctor as stage

    here, shown = session(), form_of(form, json)
    checks = list(stage.run(configure(DoctorConfig, verify=verify), here.workspace, here.progress))
    _show(checks, shown)
    return ExitCode.ERROR if any(check.state == State.PROBLEM for check in checks) else ExitCode.OK


def _show(checks: list[Check], form: Format) -> None:
    from dataclasses import asdict

    from paperclip_cli.output import console

    if form != Format.table:
        console.emit(console.rows([asdict(check) for check in checks], form.value))
        return
    topics = [
        check.topic if number == 0 or checks[number - 1].topic != check.topic else ""
        for number, check in enumerate(checks)
    ]
    columns = [console.TableColumn("", width) for width in (9, 7, 18, None)]
    rows = [
        [topic, "" if check.state == State.OK else check.state, check.name, check.found]
        for topic, check in zip(topics, checks, strict=True)
    ]
    console.table(columns, rows)

    advice = [check for check in checks if check.advice]
    console.emit("\nWhat to do:\n" if advice else "\nAll is well.\n")
    for check in sorted(advice, key=lambda check: check.state != State.PROBLEM):
        found = console.printable(f"{check.name}: {check.found}")
        console.emit(f"  {found}\n    -> {console.printable(check.advice)}\n")
