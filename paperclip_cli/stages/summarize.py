"""One structured summary a proposal, in sets that grow as summaries are made."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import ExitStack, closing
from pathlib import Path
from typing import TYPE_CHECKING

from paperclip_cli.config import SummarizeConfig
from paperclip_cli.errors import PaperclipError
from paperclip_cli.files import append_lines, cut_torn_line, lock, replace_file
from paperclip_cli.previews.records import fetched_missions, read_proposals
from paperclip_cli.progress import Progress, SilentProgress
from paperclip_cli.records import FailedSummary, Proposal, Summary, to_json, write_jsonl
from paperclip_cli.report import Failure, Report
from paperclip_cli.summaries.base import Outcome, Summarizer
from paperclip_cli.summaries.files import (
    FAILURES,
    SUMMARIES,
    finish_set,
    read_failures,
    refuse_altered,
    summaries_left,
)
from paperclip_cli.summaries.llm.open import open_summarizer
from paperclip_cli.threads import in_threads
from paperclip_cli.workspace import Workspace, announce, stamp_of

if TYPE_CHECKING:
    pass

STAGE = "summarize"
NO_ABSTRACT = "proposals without an abstract"
NO_SUBJECT = "proposals whose abstract names no object or phenomenon"

Maker = Summarizer | Summary | FailedSummary


def run(config: SummarizeConfig, workspace: Workspace, progress: Progress | None = None) -> Report:
    """Summarizes what has no summary yet. Each summary is on disk as soon as it is made; a killed run goes on where it stopped.

    A proposal that failed is asked for again with `retry_failed` or `force` only, unless it failed for want of an answer.
    """
    progress = progress or SilentProgress()
    missions = fetched_missions(workspace, config.missions)
    summarizer = open_summarizer(config, workspace, progress.note)
    name = config.resolved_set
    folder = workspace.summaries(name)
    with lock(folder):
        cut_torn_line(folder / SUMMARIES)
        cut_torn_line(folder / FAILURES)
        proposals = list(read_proposals(workspace, missions).values())[: config.limit]
        described = [proposal for proposal in proposals if proposal.abstract.strip()]
        if not config.force:
            refuse_altered(folder)
        done, failed = summaries_left(workspace, name), read_failures(workspace, name)
        if config.force:
            keys = {proposal.key for proposal in described}
            done, failed = {key: summary for key, summary in done.items() if key not in keys}, {}
        _refuse_mixture(done.values(), summarizer, name)
        todo = [
            proposal
            for proposal in described
            if proposal.key not in done
            and not _is_given_up(failed.get(proposal.key), summarizer, config)
        ]
        outcomes: list[Outcome] = []
        try:
            _make(
                todo,
                summarizer,
                folder,
                progress,
                outcomes,
                done.values() if config.force else None,
            )
        finally:  # what an interrupted run has made is a set, too
            new = sum(isinstance(outcome, Summary) for outcome in outcomes)
            counts = {"summaries": len(summaries_left(workspace, name)), "new": new}
            finish_set(folder, _made_by(summarizer), counts)
        failed = read_failures(workspace, name)
    left_out = {NO_ABSTRACT: len(proposals) - len(described), NO_SUBJECT: outcomes.count(None)}
    failures = [
        Failure(str(proposal.key), failed[proposal.key].reason)
        for proposal in described
        if proposal.key in failed
    ]
    notes = (
        ("these failures are an earlier run's; --retry-failed asks again",)
        if failures and not todo
        else ()
    )
    excluded = {reason: count for reason, count in left_out.items() if count}
    return Report(
        stage=STAGE,
        counts=counts,
        excluded=excluded,
        failures=tuple(failures),
        notes=notes,
        output=folder,
        unchanged=not new,
    )


def _make(
    todo: Sequence[Proposal],
    summarizer: Summarizer,
    folder: Path,
    progress: Progress,
    outcomes: list[Outcome],
    kept: Iterable[Summary] | None,
) -> None:
    """Adds what became of each proposal to `outcomes`; summaries and failures are written down as they are known.

    Where some are `kept`, the others of the set go when the first new one is there, and not for a model that makes none.
    """
    if not todo:
        return
    summarizer.prepare()
    failed = answers = 0
    with (
        progress.task(STAGE, len(todo), unit="abstracts") as task,
        ExitStack() as files,
        closing(_outcomes(todo, summarizer)) as settled,
    ):
        logs: dict[str, Callable[[str], None]] = {}
        for outcome in settled:
            if isinstance(outcome, Summary) and kept is not None:
                _start_over(folder, write_jsonl(kept))
                kept = None
            if outcome is not None:
                name = SUMMARIES if isinstance(outcome, Summary) else FAILURES
                if name not in logs:
                    logs[name] = files.enter_context(append_lines(folder / name))
                logs[name](to_json(outcome))
            failed += isinstance(outcome, FailedSummary)
            outcomes.append(outcome)
            answers += outcome.made.tries if outcome and outcome.made else 0
            task.advance(
                1,
                **{
                    name: count
                    for name, count in (("answers", answers), ("failed", failed))
                    if count
                },
            )


def _start_over(folder: Path, kept: str) -> None:
    """Replaces a set by what is kept of it, so that it is whole at every moment."""
    announce(folder, {SUMMARIES: stamp_of(kept, grows=True)})
    replace_file(folder / SUMMARIES, kept)


def _outcomes(todo: Sequence[Proposal], summarizer: Summarizer) -> Generator[Outcome]:
    """In batches, by one thread or several; in the order in which they are made."""
    batches = [todo[at : at + summarizer.batch] for at in range(0, len(todo), summarizer.batch)]
    if summarizer.workers == 1:
        for batch in batches:
            yield from summarizer.summaries(batch)
        return
    with closing(
        in_threads(
            lambda batch: list(summarizer.summaries(batch)),
            batches,
            summarizer.workers,
            summarizer.stop,
        )
    ) as results:
        for result in results:
            yield from result


def _is_given_up(
    failed: FailedSummary | None, summarizer: Summarizer, config: SummarizeConfig
) -> bool:
    if failed is None or failed.may_pass or config.retry_failed:
        return False
    return _made_by(failed) == _made_by(summarizer)


def _made_by(made: Maker) -> dict[str, str]:
    return {"backend": made.backend, "model": made.model, "version": made.version}


def _refuse_mixture(done: Iterable[Summary], summarizer: Summarizer, name: str) -> None:
    """All summaries of a set are made alike."""
    for summary in done:
        if _made_by(summary) != _made_by(summarizer):
            makers = (
                " ".join(filter(None, _made_by(made).values())) for made in (summary, summarizer)
            )
            raise PaperclipError(
                f"the summaries {name!r} were made by {next(makers)}, not by {next(makers)}",
                "make them again with --force, or others beside them with --set NAME",
            )
