"""A language model's judgement of the relevance of an abstract to a query."""

from __future__ import annotations

import json
from functools import cache

from paperclip_cli.errors import BadItem
from paperclip_cli.summaries.llm.base import Sampling, Shape, Writer, fitting, told_version
from paperclip_cli.summaries.llm.prompt import Prompt

METHOD = 1  # to be raised when the same answer may give another judgement

# The line breaks are part of the text, whose digest is part of the version.
QUESTION = Prompt.parse("""\
You decide whether images of a space telescope are what an astronomer looks for. You are shown the astronomer's query, and the abstract of
the proposal for which the images were taken. Answer with {"relevant": true} if these images show what the query names, or were taken to
study it, and with {"relevant": false} if they did something else.

{abstract}

Answer:
""")  # noqa: E501


@cache
def shape() -> Shape:
    """The form of an answer: yes or no, in JSON."""
    schema = {
        "type": "object",
        "properties": {"relevant": {"type": "boolean"}},
        "required": ["relevant"],
        "additionalProperties": False,
    }
    return Shape(
        name="verdict",
        schema=schema,
        opening='{"relevant": ',
        end="}",
        grammar='root ::= ("true" | "false") "}"\n',
        expression=lambda longest: r'\{"relevant": (true|false)\}',
    )


class LanguageJudge:
    """A judge that uses any model behind a `Writer` set up with `QUESTION` and `shape`."""

    def __init__(self, writer: Writer, max_tokens: int | None = None) -> None:
        self._writer = writer
        self.backend, self.model = writer.backend, writer.model
        self.version = told_version(f"{METHOD}-{QUESTION.digest}", max_tokens)

    def prepare(self) -> None:
        self._writer.prepare()

    def is_relevant(self, query: str, abstract: str) -> bool:
        text = f"Query: {query}. Abstract: {abstract}"
        shown, _ = fitting(text, self._writer.room, self._writer.count)
        answer = self._writer.write([shown], Sampling(temperature=0.0, seed=0))[0]
        try:
            found = json.loads(answer.text)["relevant"]
        except (ValueError, TypeError, KeyError, RecursionError):
            found = None
        if not isinstance(found, bool) and not answer.is_whole:
            raise BadItem("the model's answer was cut off; --max-tokens leaves more room")
        if not isinstance(found, bool):
            raise BadItem("the model's answer is neither yes nor no")
        return found
