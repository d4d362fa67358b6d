"""Sets of summaries in the cache: their choice, their content, and their form as CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator
from pathlib import Path

from paperclip_cli.config import SummarizeConfig
from paperclip_cli.errors import MissingStage, PaperclipError
from paperclip_cli.records import FailedSummary, Key, Summary, read_jsonl
from paperclip_cli.report import Failure
from paperclip_cli.workspace import (
    Manifest,
    Workspace,
    faults,
    read_manifest,
    stamp_of,
    whole_manifest,
    write_manifest,
)

SUMMARIES, FAILURES = "summaries.jsonl", "failures.jsonl"
COLUMNS = ("proposal_id", "objects_and_phenomena", "science_use_cases")


def choose_set(workspace: Workspace, name: str | None, needed: bool = True) -> str | None:
    """The named set, or without a name the only one in the cache.

    None where the cache has no set or several, unless one is `needed`.

    Raises:
        MissingStage: there is no set of that name, or one is needed and there is none.
        PaperclipError: one is needed and there are several.
    """
    if name is not None:
        if not (workspace.summaries(name) / SUMMARIES).exists():
            raise MissingStage(f"no summaries named {name!r}", f"paperclip summarize --set {name}")
        return name

    present = workspace.names("summaries")
    if len(present) == 1:
        return present[0]
    if needed and not present:
        raise MissingStage("there are no summaries yet", "paperclip summarize")
    if needed:
        raise PaperclipError(
            f"there are several sets of summaries: {', '.join(present)}", "name one of them"
        )
    return None


def read_summaries(workspace: Workspace, name: str) -> dict[Key, Summary]:
    """The summaries of a set by key, in the order of the keys.

    The last one counts where a key recurs. Empty where there is no such set.

    Raises:
        PaperclipError: some that were finished are lost.
    """
    whole_manifest(workspace.summaries(name))
    return summaries_left(workspace, name)


def summaries_left(workspace: Workspace, name: str) -> dict[Key, Summary]:
    """The same, as far as they are there: for a stage that makes again what is lost."""
    path = workspace.summaries(name) / SUMMARIES
    found = {summary.key: summary for summary in read_jsonl(path, Summary)} if path.exists() else {}
    return dict(sorted(found.items()))


def read_failures(workspace: Workspace, name: str) -> dict[Key, FailedSummary]:
    """The failed proposals of a set that have no summary, by key; the last where a key recurs."""
    path = workspace.summaries(name) / FAILURES
    if not path.exists():
        return {}
    found = {failed.key: failed for failed in read_jsonl(path, FailedSummary)}
    done = summaries_left(workspace, name) if found else {}
    return dict(sorted((key, failed) for key, failed in found.items() if key not in done))


def chosen_summaries(config: SummarizeConfig, workspace: Workspace) -> list[Summary]:
    """The summaries that `config` selects: from its set, else its backend's, else the only one.

    Raises:
        MissingStage: there is no such set.
    """
    by_default = config.backend if config.backend in workspace.names("summaries") else None
    name = choose_set(workspace, config.set_name or by_default)
    assert name is not None
    found = [
        summary
        for summary in read_summaries(workspace, name).values()
        if not config.missions or summary.mission in config.missions
    ]
    return found[: config.limit]


def finish_set(folder: Path, made_by: dict[str, str], counts: dict[str, int]) -> None:
    """Write the manifest, if there is a summary at all and something has changed."""
    if not counts["summaries"]:
        return
    found = read_manifest(folder, may_be_damaged=True)
    files = {SUMMARIES: stamp_of((folder / SUMMARIES).read_bytes(), grows=True)}
    if counts["new"] or found is None or found.files != files:
        manifest = Manifest(
            stage="summarize",
            config=made_by,
            counts={"summaries": counts["summaries"]},
            files=files,
        )
        write_manifest(folder, manifest)


def refuse_altered(folder: Path) -> None:
    """Refuse a set of which a part is not what was written; one that lost its end is continued.

    Raises:
        PaperclipError: the set is damaged.
    """
    found, path = read_manifest(folder, may_be_damaged=True), folder / SUMMARIES
    said = found.files.get(SUMMARIES) if found else None
    if found is None or said is None or not path.is_file():
        return
    if path.stat().st_size < int(said["size"]):
        return
    for fault in faults(folder, found, verify=True):
        raise PaperclipError(
            f"{folder} is damaged: {fault}", "make the summaries again with --force"
        )


def format_csv(summaries: Iterable[Summary]) -> str:
    """Summaries as CSV with the columns of the paper's own table.

    Items are separated by a comma and a space. The mission is not among the columns.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for summary in summaries:
        objects, uses = summary.objects_and_phenomena, summary.science_use_cases
        writer.writerow((summary.proposal_id, ", ".join(objects), ", ".join(uses)))
    return text.getvalue()


def read_csv(path: Path, mission: str) -> tuple[list[Summary], list[Failure]]:
    """The summaries in such a table, and the rows that hold none.

    Raises:
        PaperclipError: a column is missing, or the file is not CSV in UTF-8.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = csv.DictReader(file)
            missing = [name for name in COLUMNS[:2] if name not in (rows.fieldnames or ())]
            if missing:
                raise PaperclipError(
                    f"{path} has no column {missing[0]!r}",
                    f"its first line must name {', '.join(COLUMNS)}",
                )
            return _sorted_out(rows, mission)
    except (UnicodeDecodeError, csv.Error) as error:
        raise PaperclipError(f"{path} is not a CSV file in UTF-8: {error}") from error


def _sorted_out(rows: csv.DictReader, mission: str) -> tuple[list[Summary], list[Failure]]:
    summaries, failures = [], []
    for row in rows:
        number, objects, uses = ((row.get(name) or "").strip() for name in COLUMNS)
        line, items = f"line {rows.line_num}", _items(objects)
        if not (number.isascii() and number.isdigit()):
            failures.append(Failure(line, "no proposal number"))
        elif not items:
            failures.append(Failure(f"{line}, {mission}:{number}", "no objects and phenomena"))
        else:
            found = Summary(
                mission=mission,
                proposal_id=int(number),
                objects_and_phenomena=items,
                science_use_cases=_items(uses),
                backend="import",
            )
            summaries.append(found)
    return summaries, failures


def _items(text: str) -> tuple[str, ...]:
    return tuple(_cut(text))


def _cut(text: str) -> Iterator[str]:
    for item in text.replace(";", ",").split(","):
        if item.strip():
            yield " ".join(item.split())
