"""One structured summary a proposal, in sets that grow as summaries are made."""

from __future__ import annotations

import os
from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from paperclip_cli.config import SummarizeConfig
from paperclip_cli.config.summaries import KEYWORDS, LLAMA_CPP, OPENAI, OUTLINES
from paperclip_cli.errors import MissingStage, PaperclipError, UsageError
from paperclip_cli.previews.records import fetched_missions, read_proposals
from paperclip_cli.progress import Progress, SilentProgress
from paperclip_cli.records import FailedSummary, Proposal, Summary, to_json, write_jsonl
from paperclip_cli.report import Failure, Report
from paperclip_cli.summaries.base import Outcome, Summarizer
from paperclip_cli.summaries.files import (
    FAILURES,
    SUMMARIES,
    choose_set,
    format_csv,
    read_csv,
    read_failures,
    read_summaries,
)
from paperclip_cli.summaries.judge import Judge, KeywordJudge
from paperclip_cli.summaries.keywords.summarizer import KeywordSummarizer
from paperclip_cli.summaries.llm.report import Rates, rates_of
from paperclip_cli.threads import in_threads
from paperclip_cli.towers.language import gguf_file, language_folder
from paperclip_cli.workspace import (
    Manifest,
    Workspace,
    append_lines,
    cut_torn_line,
    lock,
    read_manifest,
    replace_file,
    write_manifest,
)

if TYPE_CHECKING:
    from paperclip_cli.summaries.llm.base import Shape, Writer
    from paperclip_cli.summaries.llm.prompt import Prompt

STAGE = "summarize"
NO_ABSTRACT = "proposals without an abstract"
NO_SUBJECT = "proposals whose abstract names no object or phenomenon"

_EXAMPLES = {
    LLAMA_CPP: "give a GGUF file, or org/name:file.gguf on the Hub",
    OUTLINES: "give a model's folder, or its name on the Hub",
}

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
        done, failed = read_summaries(workspace, name), read_failures(workspace, name)
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
            counts = {"summaries": len(read_summaries(workspace, name)), "new": new}
            _finish(folder, _made_by(summarizer), counts)
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
    return Report(STAGE, counts, excluded, tuple(failures), notes, folder, unchanged=not new)


def show(config: SummarizeConfig, workspace: Workspace) -> list[Summary]:
    """The summaries of a set, as far as `config` selects them. MissingStage where there is none."""
    by_default = config.backend if config.backend in workspace.names("summaries") else None
    name = choose_set(workspace, config.set_name or by_default)
    assert name is not None
    found = [
        summary
        for summary in read_summaries(workspace, name).values()
        if not config.missions or summary.mission in config.missions
    ]
    return found[: config.limit]


def rates(config: SummarizeConfig, workspace: Workspace) -> list[Rates]:
    """How well each set keeps the rules, or the one that `config` names. MissingStage where there is none."""
    chosen = (
        [choose_set(workspace, config.set_name)]
        if config.set_name
        else workspace.names("summaries")
    )
    proposals = read_proposals(workspace, workspace.names("proposals"))
    found = [
        (name, read_summaries(workspace, name), read_failures(workspace, name))
        for name in chosen
        if name
    ]
    rated = [
        rates_of(name, list(summaries.values()), list(failures.values()), proposals)
        for name, summaries, failures in found
        if summaries or failures
    ]
    if not rated:
        raise MissingStage("there are no summaries yet", "paperclip summarize")
    return rated


def export(config: SummarizeConfig, workspace: Workspace, path: Path) -> Report:
    """Writes a set to a CSV file in the columns of the paper's own table, which has none for the mission: only one can be in it."""
    found = show(config, workspace)
    missions = sorted({summary.mission for summary in found})
    if len(missions) > 1:
        raise UsageError(
            f"the set holds summaries of {', '.join(missions)}", "choose one with --mission"
        )
    replace_file(path, format_csv(found))
    return Report(STAGE, {"summaries exported": len(found)}, output=path)


def take(config: SummarizeConfig, workspace: Workspace, path: Path) -> Report:
    """Reads summaries from such a CSV file into a set, named after the file unless `config` names it."""
    missions = config.missions or fetched_missions(workspace)
    if len(missions) != 1:
        raise UsageError(
            f"{path} does not say which mission its proposals are of",
            f"say so, for example with --mission {missions[0]}",
        )
    name = config.set_name or path.stem
    summaries, failures = read_csv(path, missions[0])
    with lock(workspace.summaries(name)):
        cut_torn_line(workspace.summaries(name) / SUMMARIES)
        done = read_summaries(workspace, name)
        made_here = next(
            (summary.backend for summary in done.values() if summary.backend != "import"), None
        )
        if made_here:
            raise PaperclipError(
                f"the summaries {name!r} were made by {made_here}",
                "import into another set with --set NAME",
            )
        new = [summary for summary in summaries if done.get(summary.key) != summary]
        with append_lines(workspace.summaries(name) / SUMMARIES) as append:
            for summary in new:
                append(to_json(summary))
        counts = {"summaries": len(done.keys() | {summary.key for summary in new}), "new": len(new)}
        _finish(
            workspace.summaries(name), {"backend": "import", "model": "", "version": ""}, counts
        )
    return Report(
        STAGE, counts, failures=tuple(failures), output=workspace.summaries(name), unchanged=not new
    )


def open_summarizer(
    config: SummarizeConfig, workspace: Workspace, tell: Callable[[str], None]
) -> Summarizer:
    """The backend that `config` names. Its model is looked for, but not loaded; `tell` hears why a server is waited for."""
    if config.backend == KEYWORDS:
        return KeywordSummarizer()
    from paperclip_cli.summaries.llm.prompt import Prompt
    from paperclip_cli.summaries.llm.summarizer import LanguageSummarizer

    prompt = Prompt.read(config.prompt)
    return LanguageSummarizer(
        _open_writer(config, workspace, prompt, tell),
        prompt,
        config.tries,
        config.temperature,
        config.seed,
    )


def open_judge(config: SummarizeConfig, workspace: Workspace, tell: Callable[[str], None]) -> Judge:
    """The same backend as a judge of abstracts, for `evaluate`."""
    if config.backend == KEYWORDS:
        return KeywordJudge()
    from paperclip_cli.summaries.llm.judge import QUESTION, LanguageJudge, shape

    return LanguageJudge(_open_writer(config, workspace, QUESTION, tell, shape()))


def _open_writer(
    config: SummarizeConfig,
    workspace: Workspace,
    prompt: Prompt,
    tell: Callable[[str], None],
    shape: Shape | None = None,
) -> Writer:
    if config.backend == OPENAI:
        from paperclip_cli.summaries.llm.openai import KEY_VARIABLE, ServerWriter, is_local

        if config.base_url is None:
            raise UsageError(
                "--backend openai needs --base-url",
                "give the address of a server, for example http://localhost:8080/v1",
            )
        if workspace.offline and not is_local(config.base_url):
            raise PaperclipError(
                f"{config.base_url} is not on this machine, and the network may not be used",
                "run without --offline",
            )
        return ServerWriter(
            config.base_url,
            config.llm or "",
            os.environ.get(KEY_VARIABLE, ""),
            prompt,
            config.workers,
            config.context,
            config.timeout,
            tell=tell,
            shape=shape,
        )
    if config.llm is None:
        raise UsageError(f"--backend {config.backend} needs --llm", _EXAMPLES[config.backend])
    if config.backend == LLAMA_CPP:
        from paperclip_cli.summaries.llm.llama_cpp import GgufWriter

        return GgufWriter(
            gguf_file(config.llm, workspace), prompt, config.resolved_context, config.threads, shape
        )
    from paperclip_cli.summaries.llm.outlines import TransformerWriter

    folder = language_folder(config.llm, workspace)
    return TransformerWriter(
        folder,
        Path(config.llm).name,
        prompt,
        config.batch_size,
        config.resolved_context,
        shape=shape,
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
        closing(_outcomes(todo, summarizer)) as settled,
    ):
        for outcome in settled:
            if isinstance(outcome, Summary) and kept is not None:
                replace_file(folder / SUMMARIES, write_jsonl(kept))
                kept = None
            if outcome is not None:
                with append_lines(
                    folder / (SUMMARIES if isinstance(outcome, Summary) else FAILURES)
                ) as append:
                    append(to_json(outcome))
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


def _finish(folder: Path, made_by: dict[str, str], counts: dict[str, int]) -> None:
    """The manifest, where there is a summary at all and something has changed."""
    found = read_manifest(folder)
    if counts["summaries"] and (counts["new"] or found is None):
        write_manifest(folder, Manifest(STAGE, made_by, counts={"summaries": counts["summaries"]}))
