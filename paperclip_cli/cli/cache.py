"""`paperclip cache`."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated

import typer

from paperclip_cli.cli.complete import kept_names
from paperclip_cli.cli.session import Format, form_of, session
from paperclip_cli.config import CachePruneConfig, CacheRemoveConfig, configure
from paperclip_cli.config.choices import CacheKind
from paperclip_cli.errors import ExitCode, PaperclipError

if TYPE_CHECKING:
    from paperclip_cli.stages.cache_list import Kept

YesOption = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]


def cache() -> None:
    """Show what is in the cache, and remove it.

    Kinds are proposals, previews, summaries, datasets (converted: those of others), models,
    trainings (their checkpoints), indexes, files from the Hub, and decoded images for trainings.
    """


def ls(
    form: Annotated[Format, typer.Option("--format", help="Output format.")] = Format.table,
    json: Annotated[bool, typer.Option("--json", help="Short for --format json.")] = False,
) -> int:
    """List what is in the cache.

    Kind, name, size, when it was made, and what uses it.
    """
    from paperclip_cli.stages import cache_list as stage

    here, shown = session(), form_of(form, json)
    found = stage.run(here.workspace)
    _show(found, shown)
    if not here.quiet:
        from paperclip_cli.wording import in_bytes

        total = in_bytes(sum(kept.size for kept in found))
        print(f"{total} in {here.workspace.root}", file=sys.stderr)
    return ExitCode.OK


def rm(
    kind: Annotated[CacheKind, typer.Argument(help="Its kind, as `cache ls` shows it.")],
    name: Annotated[str, typer.Argument(help="Its name.", autocompletion=kept_names)],
    yes: YesOption = False,
) -> int:
    """Remove one thing from the cache.

    Nothing that another paperclip process uses is removed.
    """
    from paperclip_cli.stages import cache_remove as stage

    here = session()
    config = configure(CacheRemoveConfig, kind=kind, name=name)
    return here.finish(stage.run(config, here.workspace, _agreed(yes)))


def prune(
    yes: YesOption = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only show what would be removed.")
    ] = False,
) -> int:
    """Remove what is no longer needed or made again.

    That is the checkpoints of finished trainings, decoded images, old generations of indexes, and
    what killed processes have left.
    """
    from paperclip_cli.stages import cache_prune as stage

    here = session()
    config = configure(CachePruneConfig, dry_run=dry_run)
    return here.finish(stage.run(config, here.workspace, _agreed(yes)))


def path() -> int:
    """Print the path of the cache."""
    from paperclip_cli.output import console

    console.emit(f"{console.path_line(str(session().workspace.root))}\n")
    return ExitCode.OK


ACTIONS = {
    "ls": (ls, "paperclip cache ls --json"),
    "rm": (rm, "paperclip cache rm model small --yes"),
    "prune": (prune, "paperclip cache prune --dry-run"),
    "path": (path, "paperclip cache path"),
}


def _agreed(yes: bool) -> Callable[[str], bool]:
    """Asks before anything is removed, where there is somebody to answer."""

    def agreed(what: str) -> bool:
        if yes:
            return True
        if not (sys.stdin.isatty() and sys.stderr.isatty()):
            raise PaperclipError(
                "nothing was removed: there is no terminal to ask on",
                "--yes removes without asking",
            )
        return typer.confirm(f"{_printable(what)}\nRemove it?", err=True)

    return agreed


def _printable(text: str) -> str:
    from paperclip_cli.output import console

    return "\n".join(map(console.printable, text.splitlines()))


def _show(found: list[Kept], form: Format) -> None:
    from dataclasses import asdict

    from paperclip_cli.output import console
    from paperclip_cli.wording import in_bytes

    if form != Format.table:
        rows = [
            asdict(kept) | {"path": str(kept.path), "used_by": [*kept.used_by]} for kept in found
        ]
        console.emit(console.rows(rows, form.value))
    elif found:
        columns = [
            console.TableColumn("Kind", 10),
            console.TableColumn("Name", 32),
            console.TableColumn("Size", 10, "right"),
            console.TableColumn("Made", 10),
            console.TableColumn("Used by"),
        ]
        console.table(
            columns,
            (
                [kept.kind, kept.name, in_bytes(kept.size), kept.made[:10], _uses(kept)]
                for kept in found
            ),
        )


def _uses(kept: Kept) -> str:
    return ", ".join(filter(None, (kept.state, *kept.used_by)))
