"""Attempts of a language model: a bad answer leads to a warmer attempt with another seed.

If all attempts fail, the last answer is recorded with its text.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paperclip_cli.errors import BadItem, Unreachable, UsageError
from paperclip_cli.records import (
    MOST_TOKENS,
    FailedSummary,
    Making,
    Proposal,
    Summary,
    from_dict,
    to_json,
)
from paperclip_cli.summaries.llm.base import Answer, Sampling, Sent, fingerprint, fitting
from paperclip_cli.summaries.llm.prompt import PLACE, Prompt
from paperclip_cli.summaries.llm.summarizer import METHOD, LanguageSummarizer

PROMPT = Prompt.parse(f"Like a lighthouse: {PLACE} Go on:")
GOOD = json.dumps(
    {
        "objects_and_phenomena": ["black holes", "galaxies"],
        "science_use_cases": ["weigh black holes"],
    }
)
POOR = json.dumps(
    {"objects_and_phenomena": ["quasars"], "science_use_cases": ["weigh black holes"]}
)
COPY = json.dumps(
    {"objects_and_phenomena": ["lighthouses"], "science_use_cases": ["weigh black holes"]}
)
PROPOSALS = [
    Proposal(mission="hst", proposal_id=number, abstract=f"Black holes {number}.")
    for number in (1, 2, 3)
]


class Scripted:
    """A model with prepared answers: for each proposal one per attempt, the last one repeated."""

    backend, model, workers, room = "scripted", "m", 1, 50

    def __init__(self, script: dict[int, list[str | Exception]], batch: int = 1) -> None:
        self.script, self.batch = script, batch
        self.asked: list[tuple[list[str], Sampling]] = []
        self._tries: dict[int, int] = {}
        self.sent: Sent | None = None

    def prepare(self) -> None: ...

    def stop(self) -> None: ...

    def count(self, text: str) -> int:
        return len(text.split())

    def write(self, abstracts: Sequence[str], sampling: Sampling) -> list[Answer]:
        self.asked.append((list(abstracts), sampling))
        return [self._answer(int(abstract.rstrip(".").split()[-1])) for abstract in abstracts]

    def _answer(self, number: int) -> Answer:
        self._tries[number] = self._tries.get(number, 0) + 1
        answers = self.script[number]
        answer = answers[min(self._tries[number], len(answers)) - 1]
        if isinstance(answer, Exception):
            raise answer
        return Answer(answer, answer.endswith("}"), prompt_tokens=10, tokens=5, sent=self.sent)


def summarize(
    script: dict[int, list[str | Exception]],
    tries: int = 5,
    batch: int = 1,
    temperature: float = 0.0,
) -> tuple[list, Scripted]:
    writer = Scripted(script, batch)
    summarizer = LanguageSummarizer(writer, PROMPT, tries, temperature, 7)
    batches = [PROPOSALS[at : at + batch] for at in range(0, len(script), batch)]
    return [outcome for proposals in batches for outcome in summarizer.summaries(proposals)], writer


def test_a_good_answer_is_a_summary_with_its_price() -> None:
    (summary,), writer = summarize({1: [GOOD]})
    assert isinstance(summary, Summary) and summary.objects_and_phenomena == ("black holes",)
    assert (summary.backend, summary.model) == ("scripted", "m")
    assert summary.version == f"{METHOD}-{PROMPT.digest}"

    made = summary.made
    assert made is not None and (made.seed, made.temperature, made.tries) == (7, 0.0, 1)
    assert (made.prompt_tokens, made.tokens) == (10, 5)
    assert (made.items, made.dropped, made.refused) == (3, ("generic: galaxies",), ())
    assert writer.asked == [(["Black holes 1."], Sampling(0.0, 7))]


def test_a_useless_answer_is_asked_for_again_warmer_and_with_another_seed() -> None:
    (summary,), writer = summarize({1: ["no", POOR, COPY, GOOD[:-9], GOOD]})
    assert isinstance(summary, Summary) and summary.made is not None
    assert summary.made.refused == (
        "cut off",
        "no object left (unsupported)",
        "no object left (copied)",
        "cut off",
    )
    assert (summary.made.tries, summary.made.tokens) == (5, 25)
    assert summary.made.dropped[0] == "unsupported: quasars"
    assert [sampling.seed for _, sampling in writer.asked] == [7, 8, 9, 10, 11]
    assert [sampling.temperature for _, sampling in writer.asked] == [0.0, 0.3, 0.5, 0.7, 0.9]


def test_a_given_temperature_is_never_lowered() -> None:
    _, writer = summarize({1: ["{}"]}, tries=3, temperature=0.5)
    assert [sampling.temperature for _, sampling in writer.asked] == [0.5, 0.5, 0.9]
    _, writer = summarize({1: ["{}"]}, tries=2)
    assert [sampling.temperature for _, sampling in writer.asked] == [0.0, 0.3]


def test_what_stays_useless_is_recorded_with_its_text() -> None:
    poem = "Ode to a galaxy" * 1000
    (failed, summary), _ = summarize({1: [poem], 2: [GOOD]}, tries=2)
    assert isinstance(summary, Summary) and summary.proposal_id == 2
    assert isinstance(failed, FailedSummary)
    assert failed.reason == "no usable answer in 2 tries (the last: cut off)"
    assert failed.text == poem[:4000] and not failed.may_pass
    assert failed.made is not None and failed.made.tries == 2


def test_the_record_says_what_was_sent_and_a_cut_answer_names_the_limit() -> None:
    writer = Scripted({1: [GOOD[:-9]], 2: [GOOD]})
    writer.sent = Sent(None, None, 90, ("no seed", "no temperature"))
    summarizer = LanguageSummarizer(writer, PROMPT, 2, 0.0, 7, max_tokens=90)
    assert summarizer.version == f"{METHOD}-{PROMPT.digest}-90"
    (failed,), (summary,) = (list(summarizer.summaries([one])) for one in PROPOSALS[:2])
    assert isinstance(failed, FailedSummary) and isinstance(summary, Summary)
    assert failed.reason.endswith("(the last: cut off at 90 tokens; see --max-tokens)")
    for made in (failed.made, summary.made):
        assert made is not None and made.seed is None is made.temperature
        assert made.max_tokens == 90 and made.varied == ("no seed", "no temperature")
        assert from_dict(Making, json.loads(to_json(made))) == made


def test_the_usual_limit_is_the_same_method_whether_it_is_told_or_not() -> None:
    told = [
        LanguageSummarizer(Scripted({}), PROMPT, 1, 0.0, 7, max_tokens=limit).version
        for limit in (None, MOST_TOKENS, 9_000)
    ]
    assert told[0] == told[1] != told[2]


def test_a_list_that_an_answer_left_whole_stands_while_the_other_is_asked_for() -> None:
    first = json.dumps(
        {"objects_and_phenomena": ["massive black holes"], "science_use_cases": ["study galaxies"]}
    )
    last = json.dumps(
        {
            "objects_and_phenomena": ["quasars"],
            "science_use_cases": ["massive black holes", "weigh black holes"],
        }
    )
    (summary,), _ = summarize({1: [first, last]})
    assert isinstance(summary, Summary) and summary.made is not None
    assert summary.objects_and_phenomena == ("massive black holes",)
    assert summary.science_use_cases == ("weigh black holes",)
    assert (summary.made.tries, summary.made.refused) == (2, ("no use case left (generic)",))


def test_one_try_is_one_answer() -> None:
    (failed,), writer = summarize({1: ["{}"]}, tries=1)
    assert isinstance(failed, FailedSummary) and len(writer.asked) == 1
    assert failed.reason.endswith("(the last: not in the form)")


@pytest.mark.parametrize(
    ("error", "may_pass"), [(BadItem("refused"), False), (Unreachable("HTTP 429 (6 tries)"), True)]
)
def test_an_abstract_without_an_answer_fails_alone(error: Exception, may_pass: bool) -> None:
    (failed, summary), _ = summarize({1: [error], 2: [GOOD]})
    assert isinstance(failed, FailedSummary)
    assert (failed.reason, failed.may_pass) == (str(error), may_pass)
    assert isinstance(summary, Summary)


def test_a_batch_is_asked_together_and_again_for_those_that_need_it() -> None:
    outcomes, writer = summarize({1: ["{}", GOOD], 2: [GOOD], 3: ["{}"]}, batch=3, tries=3)
    assert [len(abstracts) for abstracts, _ in writer.asked] == [3, 2, 1]
    assert [(outcome.proposal_id, type(outcome)) for outcome in outcomes] == [
        (2, Summary),
        (1, Summary),
        (3, FailedSummary),
    ]


def test_a_long_abstract_is_cut_at_a_sentence_and_that_is_recorded() -> None:
    writer = Scripted({3: [GOOD]})
    writer.room = 7
    long = Proposal(
        mission="hst",
        proposal_id=3,
        abstract="Black holes grow. Black holes 3. " + "More holes. " * 30,
    )
    (summary,) = LanguageSummarizer(writer, PROMPT, 1, 0.0, 0).summaries([long])
    assert writer.asked[0][0] == ["Black holes grow. Black holes 3."]
    assert isinstance(summary, Summary) and summary.made is not None and summary.made.cut == 30


@given(st.lists(st.integers(1, 9), min_size=1, max_size=12), st.integers(0, 60))
def test_as_many_sentences_as_fit(lengths: list[int], room: int) -> None:
    pieces = [" ".join(["Word"] * length) + "." for length in lengths]
    text = " ".join(pieces)
    count = lambda text: len(text.split())  # noqa: E731
    if lengths[0] > room:
        with pytest.raises(BadItem, match="no room"):
            fitting(text, room, count)
        return
    kept, cut = fitting(text, room, count)
    assert text.startswith(kept) and count(kept) <= room
    assert kept == " ".join(pieces[: len(pieces) - cut])
    assert cut == 0 or count(" ".join(pieces[: len(pieces) - cut + 1])) > room


def test_a_prompt_has_one_place_for_the_abstract(tmp_path: Path) -> None:
    path = tmp_path / "prompt.txt"
    wrong = {"no place": "holds {abstract} 0 times", f"{PLACE} {PLACE}": "2 times"}
    for text, message in wrong.items():
        path.write_text(text)
        with pytest.raises(UsageError, match=message):
            Prompt.read(path)
    path.write_bytes(b"\xff\xfe{abstract}")
    with pytest.raises(UsageError, match="UTF-8"):
        Prompt.read(path)
    path.write_text("{brackets} are {abstract} fine", encoding="utf-8-sig")
    prompt = Prompt.read(path)
    assert prompt.filled("{abstract}") == "{brackets} are {abstract} fine"
    assert prompt.head == "{brackets} are "
    assert prompt.digest != Prompt.read(None).digest


def test_a_file_is_told_apart_by_its_size_beginning_and_end(tmp_path: Path) -> None:
    path, seen = tmp_path / "model", set()
    long = b"a" * 2_999_999
    for content in (b"", b"a", b"b", long + b"a", long + b"b", b"b" + long):
        path.write_bytes(content)
        seen.add(fingerprint(path))
        assert fingerprint(path) in seen
    assert len(seen) == 6
