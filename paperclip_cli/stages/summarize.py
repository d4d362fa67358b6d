"""One structured summary a proposal, in sets that grow as summaries are made."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from paperclip_cli.config import SummarizeConfig
from paperclip_cli.data.fetched import fetched_missions, read_proposals
from paperclip_cli.data.summaries import SUMMARIES, choose_set, format_csv, read_csv, read_summaries
from paperclip_cli.errors import BadItem, PaperclipError, UsageError
from paperclip_cli.progress import Progress, SilentProgress
from paperclip_cli.records import Proposal, Summary, to_json, write_jsonl
from paperclip_cli.report import Failure, Report
from paperclip_cli.sources.keywords import KeywordSummarizer
from paperclip_cli.sources.summarizer import Summarizer
from paperclip_cli.workspace import Manifest, Workspace, append_lines, cut_torn_line, lock, read_manifest, replace_file, write_manifest

STAGE = "summarize"
NO_ABSTRACT = "proposals without an abstract"
NO_SUBJECT = "proposals whose abstract names no object or phenomenon"

Outcome = Summary | Failure | None


def run(config: SummarizeConfig, workspace: Workspace, progress: Progress | None = None) -> Report:
    """Summarizes what has no summary yet. Each summary is on disk as soon as it is made; a killed run goes on where it stopped."""
    missions = fetched_missions(workspace, config.missions)
    summarizer: Summarizer = KeywordSummarizer()
    name = config.resolved_set
    with lock(workspace.summaries(name)):
        cut_torn_line(workspace.summaries(name) / SUMMARIES)
        if config.force:
            _forget(workspace, name, missions)
        done = read_summaries(workspace, name)
        _refuse_mixture(done.values(), summarizer, name)
        proposals = list(read_proposals(workspace, missions).values())[:config.limit]
        described = [proposal for proposal in proposals if proposal.abstract.strip()]
        todo = [proposal for proposal in described if proposal.key not in done]
        outcomes = _make(todo, summarizer, workspace.summaries(name), progress or SilentProgress())
        new = sum(isinstance(outcome, Summary) for outcome in outcomes)
        counts = {"summaries": len(done) + new, "new": new}
        _finish(workspace.summaries(name), _made_by(summarizer), counts)
    left_out = {NO_ABSTRACT: len(proposals) - len(described), NO_SUBJECT: outcomes.count(None)}
    failures = tuple(outcome for outcome in outcomes if isinstance(outcome, Failure))
    return Report(STAGE, counts, {reason: count for reason, count in left_out.items() if count}, failures,
                  output=workspace.summaries(name), unchanged=not new)


def show(config: SummarizeConfig, workspace: Workspace) -> list[Summary]:
    """The summaries of a set, as far as `config` selects them. MissingStage where there is none."""
    by_default = config.backend if config.backend in workspace.names("summaries") else None
    name = choose_set(workspace, config.set_name or by_default)
    assert name is not None
    found = [summary for summary in read_summaries(workspace, name).values() if not config.missions or summary.mission in config.missions]
    return found[:config.limit]


def export(config: SummarizeConfig, workspace: Workspace, path: Path) -> Report:
    """Writes a set to a CSV file in the columns of the paper's own table, which has none for the mission: only one can be in it."""
    found = show(config, workspace)
    missions = sorted({summary.mission for summary in found})
    if len(missions) > 1:
        raise UsageError(f"the set holds summaries of {', '.join(missions)}", "choose one with --mission")
    replace_file(path, format_csv(found))
    return Report(STAGE, {"summaries exported": len(found)}, output=path)


def take(config: SummarizeConfig, workspace: Workspace, path: Path) -> Report:
    """Reads summaries from such a CSV file into a set, named after the file unless `config` names it."""
    missions = config.missions or fetched_missions(workspace)
    if len(missions) != 1:
        raise UsageError(f"{path} does not say which mission its proposals are of", f"say so, for example with --mission {missions[0]}")
    name = config.set_name or path.stem
    summaries, failures = read_csv(path, missions[0])
    with lock(workspace.summaries(name)):
        cut_torn_line(workspace.summaries(name) / SUMMARIES)
        done = read_summaries(workspace, name)
        made_here = next((summary.backend for summary in done.values() if summary.backend != "import"), None)
        if made_here:
            raise PaperclipError(f"the summaries {name!r} were made by {made_here}", "import into another set with --set NAME")
        new = [summary for summary in summaries if done.get(summary.key) != summary]
        with append_lines(workspace.summaries(name) / SUMMARIES) as append:
            for summary in new:
                append(to_json(summary))
        counts = {"summaries": len(done.keys() | {summary.key for summary in new}), "new": len(new)}
        _finish(workspace.summaries(name), {"backend": "import", "model": "", "version": ""}, counts)
    return Report(STAGE, counts, failures=tuple(failures), output=workspace.summaries(name), unchanged=not new)


def _make(todo: Sequence[Proposal], summarizer: Summarizer, folder: Path, progress: Progress) -> list[Outcome]:
    """What became of each proposal; summaries are appended as they are made."""
    if not todo:
        return []
    outcomes: list[Outcome] = []
    with progress.task(STAGE, len(todo), unit="abstracts") as task, append_lines(folder / SUMMARIES) as append:
        for proposal in todo:
            outcome = _summarize(proposal, summarizer)
            if isinstance(outcome, Summary):
                append(to_json(outcome))
            outcomes.append(outcome)
            task.advance()
    return outcomes


def _summarize(proposal: Proposal, summarizer: Summarizer) -> Outcome:
    try:
        return summarizer.summarize(proposal)
    except BadItem as error:
        return Failure(str(proposal.key), str(error))


def _forget(workspace: Workspace, name: str, missions: Sequence[str]) -> None:
    """Empties a set of the summaries of some missions."""
    kept = [summary for summary in read_summaries(workspace, name).values() if summary.mission not in missions]
    replace_file(workspace.summaries(name) / SUMMARIES, write_jsonl(kept))


def _made_by(made: Summarizer | Summary) -> dict[str, str]:
    return {"backend": made.backend, "model": made.model, "version": made.version}


def _refuse_mixture(done: Iterable[Summary], summarizer: Summarizer, name: str) -> None:
    """All summaries of a set are made alike."""
    for summary in done:
        if _made_by(summary) != _made_by(summarizer):
            makers = (" ".join(filter(None, _made_by(made).values())) for made in (summary, summarizer))
            raise PaperclipError(f"the summaries {name!r} were made by {next(makers)}, not by {next(makers)}",
                                 "make them again with --force, or others beside them with --set NAME")


def _finish(folder: Path, made_by: dict[str, str], counts: dict[str, int]) -> None:
    """The manifest, where there is a summary at all and something has changed."""
    found = read_manifest(folder)
    if counts["summaries"] and (counts["new"] or found is None):
        write_manifest(folder, Manifest(STAGE, made_by, counts={"summaries": counts["summaries"]}))
