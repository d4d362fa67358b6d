"""The judgement of a language model: is an abstract about what a query asks for?"""

from __future__ import annotations

import json
from functools import cache

from paperclip_cli.errors import BadItem
from paperclip_cli.summaries.llm.base import Sampling, Shape, Writer, fitting
from paperclip_cli.summaries.llm.prompt import Prompt

METHOD = 1  # to be raised when the same answer may give another judgement

QUESTION = Prompt.parse("""\
You decide whether images of a space telescope are what an astronomer looks for. You are shown the astronomer's query, and the abstract of
the proposal for which the images were taken. Answer with {"relevant": true} if these images show what the query names, or were taken to
study it, and with {"relevant": false} if they did something else.

{abstract}

Answer:
""")


@cache
def shape() -> Shape:
    """Yes or no, in JSON."""
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
    """Any model behind a `Writer` that was given `QUESTION` and `shape`."""

    def __init__(self, writer: Writer) -> None:
        self._writer = writer
        self.backend, self.model, self.version = (
            writer.backend,
            writer.model,
            f"{METHOD}-{QUESTION.digest}",
        )

    def prepare(self) -> None:
        self._writer.prepare()

    def is_relevant(self, query: str, abstract: str) -> bool:
        shown, _ = fitting(
            f"Query: {query}. Abstract: {abstract}", self._writer.room, self._writer.count
        )
        answer = self._writer.write([shown], Sampling(temperature=0.0, seed=0))[0]
        try:
            found = json.loads(answer.text)["relevant"]
        except (ValueError, TypeError, KeyError, RecursionError):
            found = None
        if not isinstance(found, bool):
            raise BadItem("the model's answer is neither yes nor no")
        return found
