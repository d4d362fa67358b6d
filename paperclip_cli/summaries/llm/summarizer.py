"""Summaries by a language model.

An answer is checked for its form and by the rules. If it fails, the model is asked again with
another seed.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from paperclip_cli.errors import BadItem, Unreachable
from paperclip_cli.records import FailedSummary, Making, Proposal, Summary
from paperclip_cli.summaries.llm.base import (
    MOST_TOKENS,
    Answer,
    Sampling,
    Sent,
    Unanswered,
    Writer,
    fitting,
    told_version,
)
from paperclip_cli.summaries.llm.prompt import Prompt
from paperclip_cli.summaries.llm.rules import Judgement, judge
from paperclip_cli.summaries.llm.schema import parse
from paperclip_cli.wording import counted

METHOD = 2  # to be raised when form or rules change: the same answer may give another summary
CUT, FORM = "cut off", "not in the form"  # reasons for another attempt, besides the rules
# Temperatures of the second and of the last attempt: a model that is stuck needs a push.
_RETRIES = (0.3, 0.9)
_MOST_TEXT = 4_000  # characters of an answer that are kept for the record


@dataclass(frozen=True, kw_only=True)
class _Draft:
    """A proposal that waits for a usable answer.

    `shown` is the part of its abstract for the model, `text` the last answer, `made` the cost so
    far. `limit` is that of its tokens, where the writer tells it. `objects` and `uses` hold a list
    that an earlier answer completed, if any.
    """

    proposal: Proposal
    shown: str
    made: Making
    text: str = ""
    is_whole: bool = False
    limit: int | None = None
    objects: tuple[str, ...] = ()
    uses: tuple[str, ...] = ()


class LanguageSummarizer:
    """A summarizer that uses any model behind a `Writer`.

    It makes up to `tries` attempts per proposal. The first is at `temperature`, the others are
    warmer, and each has its own seed. `max_tokens` is the writer's limit of an answer, if told.
    """

    def __init__(
        self,
        writer: Writer,
        prompt: Prompt,
        tries: int,
        temperature: float,
        seed: int,
        max_tokens: int | None = None,
    ) -> None:
        self._writer, self._tries, self._temperature, self._seed = writer, tries, temperature, seed
        self._instructions = f"{prompt.head} {prompt.tail}"
        self.backend, self.model = writer.backend, writer.model
        self.batch, self.workers = writer.batch, writer.workers
        self._most_tokens = max_tokens or MOST_TOKENS
        self.version = told_version(f"{METHOD}-{prompt.digest}", max_tokens)

    def prepare(self) -> None:
        self._writer.prepare()

    def stop(self) -> None:
        self._writer.stop()

    def summaries(self, proposals: Sequence[Proposal]) -> Iterator[Summary | FailedSummary]:
        waiting: list[_Draft] = []
        for draft in map(self._begun, proposals):
            if isinstance(draft, FailedSummary):
                yield draft
            else:
                waiting.append(draft)

        for number in range(1, self._tries + 1):
            outcomes = self._asked(waiting, number)
            waiting = []
            for outcome in outcomes:
                if isinstance(outcome, _Draft):
                    waiting.append(outcome)
                else:
                    yield outcome

        for draft in waiting:
            last, tries = draft.made.refused[-1], counted(self._tries, "tries")
            if last == CUT and draft.limit:
                last = f"{CUT} at {counted(draft.limit, 'tokens')}; see --max-tokens"
            yield self._failed(draft, f"no usable answer in {tries} (the last: {last})")

    def _begun(self, proposal: Proposal) -> _Draft | FailedSummary:
        made = Making(
            seed=self._seed, temperature=self._temperature, max_tokens=self._most_tokens, tries=0
        )
        try:
            shown, cut = fitting(proposal.abstract, self._writer.room, self._writer.count)
        except BadItem as error:
            return self._failed(_Draft(proposal=proposal, shown="", made=made), str(error))
        return _Draft(proposal=proposal, shown=shown, made=replace(made, cut=cut))

    def _asked(
        self, drafts: Sequence[_Draft], number: int
    ) -> list[Summary | FailedSummary | _Draft]:
        """The outcome of one more answer per draft; those that need another are still drafts."""
        if not drafts:
            return []
        sampling = Sampling(self._temperature_of(number), self._seed + number - 1)
        start = time.monotonic()
        try:
            answers = self._writer.write([draft.shown for draft in drafts], sampling)
        except BadItem as error:
            may_pass = isinstance(error, Unreachable)
            if isinstance(error, Unanswered):
                drafts = [replace(one, made=_saying(one.made, error.sent)) for one in drafts]
            return [self._failed(draft, str(error), may_pass) for draft in drafts]

        seconds = (time.monotonic() - start) / len(drafts)
        return [
            self._settled(_answered(draft, answer, sampling, seconds))
            for draft, answer in zip(drafts, answers, strict=True)
        ]

    def _temperature_of(self, number: int) -> float:
        if number == 1:
            return self._temperature
        low, high = _RETRIES
        warmer = low + (high - low) * (number - 2) / max(1, self._tries - 2)
        return max(self._temperature, round(warmer, 2))

    def _settled(self, draft: _Draft) -> Summary | _Draft:
        """The summary, or the draft with the reason why its answer was refused.

        A list from an earlier answer is kept. A later answer, which is warmer, only adds the
        missing one.
        """
        form = parse(draft.text)
        if form is None:
            return _refused(draft, CUT if not draft.is_whole else FORM)

        judgement = self._judge(form.objects_and_phenomena, form.science_use_cases, draft)
        draft = replace(draft, made=_judged(draft.made, judgement))
        both = self._judge(draft.objects or judgement.objects, draft.uses or judgement.uses, draft)
        if not both.is_summary:
            return _refused(replace(draft, objects=both.objects, uses=both.uses), judgement.reason)
        return Summary(
            mission=draft.proposal.key.mission,
            proposal_id=draft.proposal.key.proposal_id,
            objects_and_phenomena=both.objects,
            science_use_cases=both.uses,
            backend=self.backend,
            model=self.model,
            version=self.version,
            made=draft.made,
        )

    def _judge(self, objects: Sequence[str], uses: Sequence[str], draft: _Draft) -> Judgement:
        return judge(objects, uses, draft.proposal.abstract, self._instructions)

    def _failed(self, draft: _Draft, reason: str, may_pass: bool = False) -> FailedSummary:
        return FailedSummary(
            mission=draft.proposal.key.mission,
            proposal_id=draft.proposal.key.proposal_id,
            reason=reason,
            backend=self.backend,
            model=self.model,
            version=self.version,
            text=draft.text[:_MOST_TEXT],
            may_pass=may_pass,
            made=draft.made,
        )


def _answered(draft: _Draft, answer: Answer, sampling: Sampling, seconds: float) -> _Draft:
    made = draft.made
    said = answer.sent or Sent(sampling.temperature, sampling.seed, made.max_tokens)
    spent = replace(
        _saying(made, said),
        tries=made.tries + 1,
        prompt_tokens=made.prompt_tokens + answer.prompt_tokens,
        tokens=made.tokens + answer.tokens,
        seconds=round(made.seconds + seconds, 3),
    )
    limit = answer.sent.max_tokens if answer.sent else None
    return replace(draft, text=answer.text, is_whole=answer.is_whole, limit=limit, made=spent)


def _saying(made: Making, sent: Sent) -> Making:
    return replace(
        made,
        seed=sent.seed,
        temperature=sent.temperature,
        max_tokens=sent.max_tokens,
        varied=sent.varied,
    )


def _judged(made: Making, judgement: Judgement) -> Making:
    dropped = tuple(f"{rule}: {phrase}" for rule, phrase in judgement.dropped)
    items = len(judgement.objects) + len(judgement.uses) + len(dropped)
    return replace(made, items=made.items + items, dropped=made.dropped + dropped)


def _refused(draft: _Draft, reason: str) -> _Draft:
    return replace(draft, made=replace(draft.made, refused=(*draft.made.refused, reason)))
