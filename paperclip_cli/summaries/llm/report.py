"""Quality and cost of a set of summaries, to compare models and prompts."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from paperclip_cli.records import FailedSummary, Key, Proposal, Summary
from paperclip_cli.summaries.llm.rules import RULES, judge


@dataclass(frozen=True, kw_only=True)
class Rates:
    """Counts and rates of one set.

    `rules` maps each rule to the share of the `items` written that broke it; items include the
    dropped ones. `first_try` is the share of proposals whose first answer was usable. `answers`,
    `tokens` (written) and `seconds` are means per proposal. They are None without a model.
    """

    name: str
    backend: str
    model: str
    version: str
    summaries: int
    failed: int
    cut: int
    items: int
    words: float
    rules: Mapping[str, float]
    refused: Mapping[str, int]
    first_try: float | None = None
    answers: float | None = None
    tokens: float | None = None
    seconds: float | None = None

    def values(self, flat: bool = False) -> dict:
        """The rates as JSON values; `flat` for a table with a column per rule."""
        rules: dict = {"rules": dict(self.rules)}
        if flat:
            rules = {f"rule_{rule}": share for rule, share in self.rules.items()}
        refused = sum(self.refused.values()) if flat else dict(self.refused)
        return {
            "set": self.name,
            "backend": self.backend,
            "model": self.model,
            "version": self.version,
            "summaries": self.summaries,
            "failed": self.failed,
            "cut": self.cut,
            "items": self.items,
            "words": self.words,
            **rules,
            "refused": refused,
            "first_try": self.first_try,
            "answers": self.answers,
            "tokens": self.tokens,
            "seconds": self.seconds,
        }

    def cells(self) -> dict[str, str]:
        """The rates as a column of a table: label -> text."""
        counts = {
            "backend": self.backend,
            "model": self.model or "-",
            "version": self.version or "-",
            "summaries": f"{self.summaries:,}",
            "failed": f"{self.failed:,}",
            "abstracts cut to fit": f"{self.cut:,}",
            "words per summary": f"{self.words:.1f}",
            "items written": f"{self.items:,}",
        }
        rules = {f"  {rule}": f"{100 * share:.1f} %" for rule, share in self.rules.items()}
        costs = {
            "usable at first try": self.first_try,
            "answers per proposal": self.answers,
            "tokens per proposal": self.tokens,
            "seconds per proposal": self.seconds,
        }
        means = {label: "-" if one is None else f"{one:.2f}" for label, one in costs.items()}
        return counts | rules | means


def rates_of(
    name: str,
    summaries: Sequence[Summary],
    failures: Sequence[FailedSummary],
    proposals: Mapping[Key, Proposal],
) -> Rates:
    """The rates of a set that is not empty.

    Summaries without a model are judged here if their abstract is known. The others were judged
    when they were made.
    """
    found: list[Summary | FailedSummary] = [*summaries, *failures]
    made = [one.made for one in found if one.made is not None]
    plain = [summary for summary in summaries if summary.made is None]

    items = sum(one.items for one in made)
    broken = Counter(text.partition(":")[0] for one in made for text in one.dropped)
    for summary in plain:
        objects, uses = summary.objects_and_phenomena, summary.science_use_cases
        items += len(objects) + len(uses)
        if summary.key in proposals:
            judged = judge(objects, uses, proposals[summary.key].abstract)
            broken.update(rule for rule, _ in judged.dropped)
    first = [one.made.tries == 1 and isinstance(one, Summary) for one in found if one.made]
    return Rates(
        name=name,
        backend=found[0].backend,
        model=found[0].model,
        version=found[0].version,
        summaries=len(summaries),
        failed=len(failures),
        cut=sum(one.cut > 0 for one in made),
        items=items,
        words=_mean([len(summary.text.split()) for summary in summaries]) or 0.0,
        rules={rule: round(broken[rule] / items, 4) if items else 0.0 for rule in RULES},
        refused=dict(Counter(reason for one in made for reason in one.refused).most_common()),
        first_try=_mean(first),
        answers=_mean([one.tries for one in made]),
        tokens=_mean([one.tokens for one in made]),
        seconds=_mean([one.seconds for one in made]),
    )


def _mean(values: Sequence[float]) -> float | None:
    return round(statistics.mean(values), 3) if values else None
