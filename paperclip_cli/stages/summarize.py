"""Writes one structured summary per proposal, into sets that grow with every summary."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from contextlib import ExitStack, closing
from pathlib import Path

from paperclip_cli.config import SummarizeConfig
from paperclip_cli.errors import PaperclipError
from paperclip_cli.files import append_lines, cut_torn_line, lock, replace_file
from paperclip_cli.previews.records import fetched_missions, read_proposals
from paperclip_cli.progress import Progress, SilentProgress
from paperclip_cli.records import FailedSummary, Key, Proposal, Summary, to_json, write_jsonl
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

STAGE = "summarize"
NO_ABSTRACT = "proposals: no abstract"
NO_SUBJECT = "proposals: no object or phenomenon in the abstract"

Maker = Summarizer | Summary | FailedSummary


def run(config: SummarizeConfig, workspace: Workspace, progress: Progress | None = None) -> Report:
    """Summarizes proposals that have no summary yet.

    Every summary is written to disk at once, and an interrupted run continues where it stopped. A
    proposal that failed is tried again only with `retry_failed` or `force`, unless the failure was
    a missing answer.
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
        missing = [proposal for proposal in described if proposal.key not in done]
        todo = [
            proposal
            for proposal in missing
            if not _is_given_up(failed.get(proposal.key), summarizer, config)
        ]

        outcomes: list[Outcome] = []
        kept = done.values() if config.force else None
        try:
            _make(todo, summarizer, folder, progress, outcomes, kept)
        finally:  # the summaries of an interrupted run are a set, too
            new = sum(isinstance(outcome, Summary) for outcome in outcomes)
            counts = {"summaries": len(summaries_left(workspace, name)), "new": new}
            finish_set(folder, _made_by(summarizer), counts)
        failed = read_failures(workspace, name)

    skipped = {NO_ABSTRACT: len(proposals) - len(described), NO_SUBJECT: outcomes.count(None)}
    failures = _failures(described, failed)
    earlier = "these failures are from an earlier run; --retry-failed tries them again"
    return Report(
        stage=STAGE,
        counts=counts,
        excluded={reason: count for reason, count in skipped.items() if count},
        failures=failures,
        notes=(earlier,) if failures and not todo else (),
        output=folder,
        unchanged=not new,
    )


def _failures(
    proposals: Sequence[Proposal], failed: Mapping[Key, FailedSummary]
) -> tuple[Failure, ...]:
    return tuple(
        Failure(str(proposal.key), failed[proposal.key].reason)
        for proposal in proposals
        if proposal.key in failed
    )


def _make(
    todo: Sequence[Proposal],
    summarizer: Summarizer,
    folder: Path,
    progress: Progress,
    outcomes: list[Outcome],
    kept: Iterable[Summary] | None,
) -> None:
    """Adds the outcome of each proposal to `outcomes`, and writes each to disk at once.

    `kept` are the summaries to keep when a set is redone. The others are removed when the first new
    summary arrives, so that a model that produces none removes nothing.
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
            shown = {"answers": answers, "failed": failed}
            task.advance(1, **{name: count for name, count in shown.items() if count})


def _start_over(folder: Path, kept: str) -> None:
    """Replaces a set with the part of it that is kept, so that the set is always intact."""
    announce(folder, {SUMMARIES: stamp_of(kept, grows=True)})
    replace_file(folder / SUMMARIES, kept)


def _outcomes(todo: Sequence[Proposal], summarizer: Summarizer) -> Generator[Outcome]:
    """The outcomes in the order they are made, by one thread or several, in batches."""
    batches = [todo[at : at + summarizer.batch] for at in range(0, len(todo), summarizer.batch)]
    if summarizer.workers == 1:
        for batch in batches:
            yield from summarizer.summaries(batch)
        return

    def settle(batch: Sequence[Proposal]) -> list[Outcome]:
        return list(summarizer.summaries(batch))

    running = in_threads(settle, batches, summarizer.workers, summarizer.stop)
    with closing(running) as results:
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
    """Refuses to add to a set that another backend, model or version made."""
    for summary in done:
        if _made_by(summary) != _made_by(summarizer):
            old, new = (
                " ".join(filter(None, _made_by(made).values())) for made in (summary, summarizer)
            )
            raise PaperclipError(
                f"the summaries {name!r} were made by {old}, not by {new}",
                "redo them with --force, or make another set with --set NAME",
            )
