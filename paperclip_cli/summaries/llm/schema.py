"""The form of a summary, defined by one pydantic model.

The JSON Schema, the grammar and the regular expression are derived from it. Grammar and expression
are stricter than the schema: the white space is fixed, the lists are bounded, and items are plain
ASCII without escapes and without the commas that separate them in a caption.
"""

from __future__ import annotations

import json
import re
from functools import cache
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from paperclip_cli.summaries.base import LONGEST_ITEM, MOST_ITEMS
from paperclip_cli.summaries.llm.base import Shape

# ASCII without quotation mark, comma, semicolon and backslash; the first sign is no space.
_FIRST, _OTHER = (rf"[{blank}!\x23-\x2B\x2D-\x3A\x3C-\x5B\x5D-\x7E]" for blank in ("", " "))

Item = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]
Items = Annotated[list[Item], Field(min_length=1, max_length=MOST_ITEMS)]


# The docstring becomes the description of the JSON Schema, which a server shows to its model.
class Form(BaseModel):
    """What a model must write."""

    model_config = ConfigDict(extra="forbid", strict=True)

    objects_and_phenomena: Items = Field(
        description="Astronomical objects and phenomena that the images show."
    )
    science_use_cases: Items = Field(description="Purposes that the images serve.")


def parse(text: str) -> Form | None:
    """The answer, or None if it does not have the form."""
    try:
        return Form.model_validate_json(text)
    except ValidationError:
        return None


@cache
def json_schema() -> dict:
    """The JSON Schema, for servers."""
    return Form.model_json_schema()


def separators() -> tuple[str, str, str]:
    """The text before the first list, between the two, and after the second.

    Every answer begins with the first.
    """
    first, second = (json.dumps(name) for name in Form.model_fields)
    return f'{{{first}: ["', f'"], {second}: ["', '"]}'


@cache
def gbnf(longest: int = LONGEST_ITEM) -> str:
    """The form after its beginning as llama.cpp's grammar (GBNF).

    Items have at most `longest` characters.
    """
    between, end = (json.dumps(text) for text in separators()[1:])
    return (
        f"root ::= list {between} list {end}\n"
        f'list ::= item ("\\", \\"" item){{0,{MOST_ITEMS - 1}}}\n'
        f"item ::= {_FIRST} {_OTHER}{{0,{longest - 1}}}\n"
    )


@cache
def regex(longest: int | None = None) -> str:
    """The form as a regular expression, for Outlines.

    A bound on the length of items multiplies the states of its automaton. The expression includes
    the beginning: the automaton is built for matches that start anywhere, and explodes where any
    character may start one.
    """
    item = _FIRST + _OTHER + ("*" if longest is None else f"{{0,{longest - 1}}}")
    items = f'{item}(", "{item}){{0,{MOST_ITEMS - 1}}}'
    opening, between, end = (re.sub(r"[][{}]", r"\\\g<0>", text) for text in separators())
    return opening + items + between + items + end


@cache
def shape() -> Shape:
    """The form in all its representations, for a writer."""
    opening, _, end = separators()
    return Shape(
        name="summary",
        schema=json_schema(),
        opening=opening,
        end=end,
        grammar=gbnf(),
        expression=regex,
    )
